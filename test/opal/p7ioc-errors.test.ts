import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { gemBitOfPhb, HUB_UNITS } from '../../src/ioda1/error-bits/units.js';
import { OpalEvent, OpalStatus, PciError, ResetScope, Severity } from '../../src/opal/opal-api.js';
import { type NextError, NO_ERROR } from '../../src/opal/opal-results.js';
import { ONES, RGC_IRQ } from '../ioda1/layout.js';
import { P7iocFirmware } from './p7ioc-firmware.js';

const { SUCCESS, CLOSED } = OpalStatus;
const booted = (options?: ConstructorParameters<typeof P7iocFirmware>[0]) =>
  P7iocFirmware.booted(options).enableInterrupts();

const next = (firmware: P7iocFirmware, phb = 0) => firmware.run(firmware.opal.pciNextError(phb));
const hubDiag = (firmware: P7iocFirmware) => firmware.run(firmware.opal.pciGetHubDiagData(1));

const phbError = (severity: Severity): NextError => ({ ...NO_ERROR, errorType: PciError.PHB, severity });
const hubError = (severity: Severity): NextError => ({
  ...{ ...NO_ERROR, errorType: PciError.IOC, severity },
  untouched: 'first-frozen-pe',
});
const DEAD = hubError(Severity.IOC_DEAD);
const INFORMATION = hubError(Severity.INF);

type Classes = Readonly<Partial<Record<'dead' | 'fenced' | 'phb-information' | 'silent', bigint>>>;

/** Bits of each unit by what next error makes of them. Facts: ioda1-p7ioc 7.4. */
const CROSSBAR_OF_PHB: Classes = {
  dead: 0x5b0b_0000_0000_0000n,
  fenced: 0xa4f4_0000_0000_0000n,
  'phb-information': 0x0000_ffff_ffff_ffffn,
};
const PHB: Classes = {
  fenced: 0xadb6_50cb_808d_d051n,
  // A PE error that froze nothing.
  silent: 0x0000_a014_7f50_092cn,
  'phb-information': 0x5249_0f20_0022_2682n,
};
const UNITS: Readonly<Record<'CI_P2' | 'RGC' | 'BI_UP' | 'BI_DOWN' | 'CI_P0' | 'CI_P1' | 'MISC' | 'I2C', Classes>> = {
  RGC: { dead: 0xf000_86e0_f4fc_ffffn | 0x0000_0100_0000_0000n, silent: 0x0fff_781f_0b03_0000n },
  BI_UP: { dead: 0xf7ff_ffff_7fff_ffffn, silent: 0x0800_0000_8000_0000n },
  BI_DOWN: { dead: 0xdfff_f7f3_5f80_00bfn, silent: 0x2000_080c_a07f_ff40n },
  CI_P0: { dead: 0xf5ff_0000_0000_0000n, silent: 0x0a00_ffff_ffff_ffffn },
  CI_P1: { dead: 0xffff_0000_0000_0000n, silent: 0x0000_ffff_ffff_ffffn },
  CI_P2: CROSSBAR_OF_PHB,
  MISC: { dead: 0x0000_0003_11c0_0000n, silent: 0xffff_fffc_ee3f_ffffn },
  I2C: { dead: 0x1100_0000_0000_0000n, silent: 0xeeff_ffff_ffff_ffffn },
};
const ANSWERS: Readonly<Record<keyof Classes & string, NextError>> = {
  dead: DEAD,
  fenced: phbError(Severity.PHB_FENCED),
  'phb-information': phbError(Severity.INF),
  silent: NO_ERROR,
};

/** The answer to an error bit that came first, as the registers show it. */
function answerTo(firmware: P7iocFirmware, gemBit: number, setFirst: () => void): NextError {
  firmware.setHubRegister('GEM_RWOF', msbMask(gemBit));
  setFirst();
  firmware.run(firmware.opal.handleInterrupt(RGC_IRQ));
  return next(firmware);
}

const bits = (mask: bigint): number[] =>
  Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => (mask & msbMask(bit)) !== 0n);
const allOf = (classes: Classes): bigint => Object.values(classes).reduce((all, mask) => all | mask, 0n);

describe('every error bit of the hub', () => {
  it.each(Object.keys(UNITS) as (keyof typeof UNITS)[])('of unit %s is told by its class', (unit) => {
    const firmware = booted();
    const classes = UNITS[unit];
    expect(allOf(classes)).toBe(ONES);
    for (const [kind, mask] of Object.entries(classes)) {
      for (const bit of bits(mask)) {
        const answer = answerTo(firmware, HUB_UNITS[unit].gemBit, () =>
          firmware.setHubRegister(`${unit}_LEM_WOF`, msbMask(bit)),
        );
        expect([bit, answer]).toEqual([bit, ANSWERS[kind as keyof Classes]]);
      }
    }
  });

  it.each([0, 1, 5])("of PHB %i is that PHB's", (phb) => {
    const firmware = booted({ phbs: [0, 1, 5] });
    for (const [kind, mask] of Object.entries(PHB)) {
      for (const bit of bits(mask)) {
        firmware.setHubRegister('GEM_RWOF', msbMask(16 + phb));
        firmware.setRegister('PHB_LEM_WOF', msbMask(bit), phb);
        firmware.run(firmware.opal.handleInterrupt(RGC_IRQ));
        const index = [0, 1, 5].indexOf(phb);
        expect([bit, next(firmware, index)]).toEqual([bit, ANSWERS[kind as keyof Classes]]);
      }
    }
    expect(allOf(PHB)).toBe(ONES);
  });

  it('counts by the gravest class, in it by the most significant bit, masked ones last', () => {
    const firmware = booted();
    const classes = (first: bigint) => answerTo(firmware, 24, () => firmware.setHubRegister('MISC_LEM_WOF', first));
    expect(classes(msbMask(1) | msbMask(28) | msbMask(40))).toEqual(DEAD);
    firmware.setHubRegister('MISC_LEM_ERROR_OR_MASK', msbMask(40));
    expect(classes(msbMask(1) | msbMask(28) | msbMask(40))).toEqual(NO_ERROR);
    expect(classes(msbMask(40))).toEqual(DEAD);
    expect(classes(0n)).toEqual(NO_ERROR);
  });

  it('of a PHB counts whether it is masked or not', () => {
    const firmware = booted();
    const classes = (first: bigint) => answerTo(firmware, 16, () => firmware.setRegister('PHB_LEM_WOF', first));
    expect(firmware.register('PHB_LEM_ERROR_MASK') & (msbMask(43) | msbMask(20))).toBe(msbMask(43));
    expect(classes(msbMask(20))).toEqual(phbError(Severity.INF));
    expect(classes(msbMask(20) | msbMask(43))).toEqual(NO_ERROR);
  });

  it('of the unit with the lowest bit is looked at first', () => {
    const firmware = booted();
    firmware.setHubRegister('MISC_LEM_WOF', msbMask(39));
    expect(answerTo(firmware, 24, () => {})).toEqual(DEAD);
    firmware.setHubRegister('RGC_LEM_WOF', msbMask(17));
    firmware.setHubRegister('GEM_RWOF', msbMask(24) | msbMask(1));
    firmware.run(firmware.opal.handleInterrupt(RGC_IRQ));
    expect(next(firmware)).toEqual(NO_ERROR);
  });
});

describe('the error interrupt of the hub', () => {
  const offsets = (firmware: P7iocFirmware) =>
    firmware.accessesOf(firmware.opal.handleInterrupt(RGC_IRQ)).map(({ offset }) => offset.toString(16));

  it('reads what the recorded firmware reads, and so does the next error', () => {
    const firmware = booted();
    firmware.breakUnit('MISC', 40);
    expect(offsets(firmware)).toEqual(['3e0008', '3e0010', '3e0018', '3e0028', '3ec010', '3ec018']);
    const looked = firmware.accessesOf(firmware.opal.pciNextError(0)).map(({ offset }) => offset.toString(16));
    expect(looked).toEqual(['3ea000', '3ea040', '3ea018', '3ea030', '3ea038']);
  });

  it('raises the event for the first PHB', () => {
    const firmware = booted({ phbs: [0, 1] });
    firmware.breakUnit('MISC', 1);
    expect(firmware.handleInterrupts()).toEqual([RGC_IRQ]);
    const events = () => firmware.run(firmware.opal.pollEvents()).events;
    next(firmware, 1);
    expect(events()).toBe(OpalEvent.PCI_ERROR);
    next(firmware, 0);
    expect(events()).toBe(0n);
    expect(firmware.log).toContain('P7IOC: Got RGC interrupt 0x2100');
  });

  it('raises the event for PHB number 0, also if the first place of the hub is empty', () => {
    const firmware = booted({ phbs: [3] });
    firmware.breakUnit('MISC', 1);
    firmware.handleInterrupts();
    const events = () => firmware.run(firmware.opal.pollEvents()).events;
    expect(events()).toBe(OpalEvent.PCI_ERROR);
    next(firmware);
    expect(events()).toBe(0n);
  });

  it('raises nothing when no unit reported', () => {
    const firmware = booted();
    firmware.run(firmware.opal.handleInterrupt(RGC_IRQ));
    expect(firmware.run(firmware.opal.pollEvents()).events).toBe(0n);
    expect(hubDiag(firmware).rc).toBe(CLOSED);
  });
});

describe('an error that hardware reports', () => {
  it.each([
    ['RGC', 0],
    ['RGC', 40],
    ['BI_UP', 0],
    ['BI_DOWN', 5],
    ['CI_P0', 1],
    ['CI_P2', 1],
    ['MISC', 30],
    ['I2C', 3],
  ] as const)('in %s, bit %i, stops the link: the hub is dead, for every PHB', (unit, bit) => {
    const firmware = booted({ phbs: [0, 1] });
    firmware.breakUnit(unit, bit);
    expect(firmware.hub.isDead).toBe(true);
    firmware.run(firmware.opal.handleInterrupt(RGC_IRQ));
    expect([next(firmware, 1), next(firmware), next(firmware)]).toEqual([DEAD, DEAD, DEAD]);
  });

  it('of the clocks, or of register access, makes the hub count as dead while it still answers', () => {
    for (const [unit, bit] of [
      ['MISC', 40],
      ['RGC', 23],
    ] as const) {
      const firmware = booted();
      firmware.breakUnit(unit, bit);
      expect(firmware.handleInterrupts()).toEqual([RGC_IRQ]);
      expect([next(firmware), next(firmware), firmware.hub.isDead]).toEqual([DEAD, DEAD, false]);
    }
  });

  it('is met by a hub that dies before anybody asks', () => {
    const firmware = booted();
    firmware.breakUnit('MISC', 1);
    firmware.handleInterrupts();
    firmware.breakUnit('RGC', 0);
    expect(next(firmware)).toEqual(DEAD);
  });

  it.each(['RGC', 'MISC'] as const)('in %s and stops nothing is never told, unless that is corrected', (unit) => {
    const told = (profile: 'skiboot' | 'corrected') => {
      const firmware = booted({ profile: { hubInformation: profile } });
      firmware.breakUnit(unit, 17);
      firmware.handleInterrupts();
      return [next(firmware), next(firmware), hubDiag(firmware).rc, hubDiag(firmware).rc, next(firmware)];
    };
    expect(told('skiboot')).toEqual([NO_ERROR, NO_ERROR, SUCCESS, CLOSED, NO_ERROR]);
    expect(told('corrected')).toEqual([INFORMATION, INFORMATION, SUCCESS, CLOSED, NO_ERROR]);
  });

  it('is a malfunction: told where that is corrected, and masked once its data were read', () => {
    const firmware = booted({ profile: 'corrected' });
    firmware.breakUnit('MISC', 28);
    firmware.handleInterrupts();
    expect(next(firmware)).toEqual(INFORMATION);
    expect(firmware.hubRegister('MISC_LEM_ERROR_MASK') & msbMask(28)).toBe(0n);
    expect(hubDiag(firmware).rc).toBe(SUCCESS);
    expect(firmware.hubRegister('MISC_LEM_ERROR_MASK')).toBe(0x000f_03f0_cd3f_ffffn | msbMask(28));
    expect(firmware.hubRegister('GEM_RIRQFIR')).toBe(0n);
  });

  it('of the upbound bus interface is information in bit 40, but firmware takes it for fatal', () => {
    const told = (profile: 'skiboot' | 'corrected') => {
      const firmware = booted({ profile: { upboundInformation: profile, hubInformation: 'corrected' } });
      return [32, 40, 4].map((bit) =>
        answerTo(firmware, 2, () => firmware.setHubRegister('BI_UP_LEM_WOF', msbMask(bit))),
      );
    };
    expect(told('skiboot')).toEqual([INFORMATION, DEAD, INFORMATION]);
    expect(told('corrected')).toEqual([DEAD, INFORMATION, INFORMATION]);
  });

  it('fences the PHB behind a crossbar port', () => {
    const firmware = booted({ phbs: [0, 1] });
    firmware.breakUnit('CI_P3', 2);
    expect(firmware.handleInterrupts()).toEqual([RGC_IRQ]);
    expect(next(firmware, 0)).toEqual(NO_ERROR);
    expect(next(firmware, 1)).toEqual(phbError(Severity.PHB_FENCED));
  });

  it('in a crossbar port of a PHB that is not wired is dropped', () => {
    const firmware = booted();
    for (const [gemBit, unit] of [
      [11, 'CI_P7'],
      [7, 'CI_P3'],
    ] as const) {
      expect(answerTo(firmware, gemBit, () => firmware.setHubRegister(`${unit}_LEM_WOF`, msbMask(0)))).toEqual(
        NO_ERROR,
      );
      expect(hubDiag(firmware).rc).toBe(CLOSED);
    }
  });

  it('is information of a PHB: told once by that PHB', () => {
    const firmware = booted({ phbs: [0, 1] });
    firmware.setRegister('PHB_LEM_FIR_OR_MASK', msbMask(20), 1);
    expect(firmware.handleInterrupts()).toEqual([RGC_IRQ]);
    expect([next(firmware, 0), next(firmware, 1), next(firmware, 1)]).toEqual([
      NO_ERROR,
      phbError(Severity.INF),
      NO_ERROR,
    ]);
  });

  it('is information of a PHB, never cleared, and hides all that follow, unless that is corrected', () => {
    const told = (profile: 'skiboot' | 'corrected') => {
      const firmware = booted({ phbs: [0, 1], profile: { informativeErrors: profile } });
      const answers = [1, 0].map((phb) => {
        firmware.setRegister('PHB_LEM_FIR_OR_MASK', msbMask(20), phb);
        const interrupts = firmware.handleInterrupts();
        next(firmware, 1 - phb);
        const answer = next(firmware, phb);
        firmware.run(firmware.opal.pciGetPhbDiagData2(phb));
        return [interrupts, answer, firmware.hubRegister('GEM_RIRQFIR'), firmware.hubRegister('GEM_RWOF')];
      });
      return [...answers, next(firmware, 1), next(firmware, 0)];
    };
    const information = phbError(Severity.INF);
    const [first, second] = [msbMask(gemBitOfPhb(1)), msbMask(gemBitOfPhb(0))];
    expect(told('skiboot')).toEqual([
      [[RGC_IRQ], information, first, first],
      [[], NO_ERROR, first | second, first],
      NO_ERROR,
      NO_ERROR,
    ]);
    expect(told('corrected')).toEqual([
      [[RGC_IRQ], information, 0n, 0n],
      [[RGC_IRQ], information, 0n, 0n],
      NO_ERROR,
      NO_ERROR,
    ]);
  });

  it('is information of two PHBs one after the other: where that is corrected, the second is found when the first is cleared', () => {
    const firmware = booted({ phbs: [0, 1], profile: { informativeErrors: 'corrected' } });
    firmware.setRegister('PHB_LEM_FIR_OR_MASK', msbMask(20), 1);
    firmware.setRegister('PHB_LEM_FIR_OR_MASK', msbMask(20), 0);
    expect(firmware.handleInterrupts()).toEqual([RGC_IRQ]);
    expect([next(firmware, 0), next(firmware, 1)]).toEqual([NO_ERROR, phbError(Severity.INF)]);
    const events = () => firmware.run(firmware.opal.pollEvents()).events;
    expect(events()).toBe(0n);
    firmware.run(firmware.opal.pciGetPhbDiagData2(1));
    expect(events()).toBe(OpalEvent.PCI_ERROR);
    expect([next(firmware, 1), next(firmware, 0)]).toEqual([NO_ERROR, phbError(Severity.INF)]);
    firmware.run(firmware.opal.pciGetPhbDiagData2(0));
    expect([next(firmware, 0), firmware.hubRegister('GEM_RIRQFIR')]).toEqual([NO_ERROR, 0n]);
  });

  it('is information of the crossbar port of a PHB, which no data of the PHB clear: told once', () => {
    const firmware = booted({ phbs: [0, 1], profile: 'corrected' });
    firmware.setHubRegister('GEM_RWOF', msbMask(HUB_UNITS.CI_P3.gemBit));
    firmware.setHubRegister('CI_P3_LEM_WOF', msbMask(16));
    firmware.run(firmware.opal.handleInterrupt(RGC_IRQ));
    const answers = [next(firmware, 0), next(firmware, 1), next(firmware, 1)];
    expect(answers).toEqual([NO_ERROR, phbError(Severity.INF), NO_ERROR]);
  });

  it('is information of a PHB, and is forgotten when PEs of the PHB are thawed or the PHB is fenced', () => {
    const handedOver = () => {
      const firmware = booted({ phbs: [0, 1] });
      firmware.setRegister('PHB_LEM_FIR_OR_MASK', msbMask(20), 1);
      firmware.handleInterrupts();
      next(firmware, 0);
      return firmware;
    };
    const thawed = handedOver();
    thawed.run(thawed.opal.pciEehFreezeClear(1, 5, 3));
    expect(next(thawed, 1)).toEqual(NO_ERROR);
    const fenced = handedOver();
    fenced.fence(1);
    expect(next(fenced, 1)).toEqual(phbError(Severity.PHB_FENCED));
    fenced.reset(1, ResetScope.PHB_COMPLETE);
    expect(next(fenced, 1)).toEqual(NO_ERROR);
  });
});
