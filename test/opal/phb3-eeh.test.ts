import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePhb3DiagData } from '../../src/diag/phb3/layout.js';
import { firstFrozen } from '../../src/opal/ioda-door.js';
import { FreezeState, OpalEvent, OpalStatus, PciError, Severity } from '../../src/opal/opal-api.js';
import { decidingBits } from '../../src/opal/phb3/error-classes.js';
import { wait } from '../../src/sim/process.js';
import { AIB_FENCED, FirmwareRig } from './flat-chip.js';

const ONES = 0xffff_ffff_ffff_ffffn;
const ER_IRQ = 0xfff;
const INF_IRQ = 0xffe;
/** A recoverable, an informational and a fatal LEM bit. */
const LEM_ER = 1n << (63n - 43n);
const LEM_INF = 1n << (63n - 53n);
const LEM_FENCE = 1n << 63n;

const booted = (): FirmwareRig => FirmwareRig.booted();

/** Puts an error into the LEM as the chip would, and fires the error interrupt. */
function raiseLem(rig: FirmwareRig, fir: bigint): void {
  rig.chip.set('PHB_LEM_FIR_ACCUM', fir);
  rig.run(rig.opal.handleInterrupt(ER_IRQ));
}

describe('freeze status', () => {
  it('tells the two halves of a freeze apart, and keeps the error type at "no error"', () => {
    const rig = booted();
    const status = () => rig.run(rig.opal.pciEehFreezeStatus(0, 70));
    expect(status()).toMatchObject({ freezeState: FreezeState.NOT_FROZEN, severity: Severity.NO_ERROR });
    rig.run(rig.opal.pciEehFreezeSet(0, 70, 3));
    expect(status()).toEqual({
      rc: OpalStatus.SUCCESS,
      freezeState: FreezeState.MMIO_DMA_FREEZE,
      errorType: PciError.NO_ERROR,
      severity: Severity.PE_ER,
    });
    rig.run(rig.opal.pciEehFreezeClear(0, 70, 1));
    expect(status().freezeState).toBe(FreezeState.DMA_FREEZE);
    rig.run(rig.opal.pciEehFreezeSet(0, 70, 1));
    rig.run(rig.opal.pciEehFreezeClear(0, 70, 2));
    expect(status().freezeState).toBe(FreezeState.MMIO_FREEZE);
  });

  it('of a fenced PHB is the same for any PE number', () => {
    const rig = booted();
    rig.chip.answer('nest.NFIR', AIB_FENCED);
    for (const pe of [0, 255, 4711]) {
      expect(rig.run(rig.opal.pciEehFreezeStatus(0, pe))).toEqual({
        rc: OpalStatus.SUCCESS,
        freezeState: FreezeState.MMIO_DMA_FREEZE,
        errorType: PciError.PHB,
        severity: Severity.PHB_FENCED,
      });
    }
  });

  it('of a PE that does not exist reads what stands where the PE would be', () => {
    const rig = booted();
    rig.run(rig.opal.pciEehFreezeSet(0, 3, 3));
    // The index of the word is cut to its two bits by the chip, as long as the table has four.
    expect(rig.run(rig.opal.pciEehFreezeStatus(0, 256 + 3)).rc).toBe(OpalStatus.SUCCESS);
    expect(rig.run(rig.opal.pciEehFreezeClear(0, 300, 0))).toBe(OpalStatus.SUCCESS);
    for (const pe of [-1, 1.5]) {
      expect(rig.run(rig.opal.pciEehFreezeStatus(0, pe)).rc).toBe(OpalStatus.PARAMETER);
      expect(rig.run(rig.opal.pciEehFreezeClear(0, pe, 3))).toBe(OpalStatus.PARAMETER);
    }
  });

  it('is set for PEs that exist only, and by actions that do', () => {
    const rig = booted();
    for (const pe of [-1, 256, 1.5]) expect(rig.run(rig.opal.pciEehFreezeSet(0, pe, 3))).toBe(OpalStatus.PARAMETER);
    for (const action of [0, 4]) expect(rig.run(rig.opal.pciEehFreezeSet(0, 1, action))).toBe(OpalStatus.PARAMETER);
  });
});

describe('freeze clear', () => {
  it('clears every latched error first, when there are any', () => {
    const rig = booted();
    rig.chip.answer('PHB_ETU_ERR_SUMMARY', 1n);
    rig.chip.set('PHB_LEM_FIR_ACCUM', LEM_ER);
    rig.chip.set('PHB_INA_ERR_STATUS', 0x8000n);
    rig.chip.set('UTL_PCIE_PORT_STATUS', 0x10n);
    rig.run(rig.opal.pciEehFreezeClear(0, 3, 3));
    expect(rig.chip.written('PHB_LEM_FIR_AND_MASK')).toEqual([ONES & ~LEM_ER]);
    expect(rig.chip.written('PHB_INA_ERR_STATUS')).toEqual([0x8000n]);
    expect(rig.chip.written('UTL_PCIE_PORT_STATUS')).toEqual([0x10n]);
    expect(rig.chip.written('PHB_INA_ERR1_STATUS')).toEqual([0n]);
    expect(rig.chip.functions.get(0)?.read(0x50, 2)).toBe(0x004f);
  });

  it('is refused while the PHB is fenced', () => {
    const rig = booted();
    rig.chip.answer('nest.NFIR', AIB_FENCED);
    rig.chip.fenced = true;
    expect(rig.run(rig.opal.pciEehFreezeClear(0, 3, 3))).toBe(OpalStatus.HARDWARE);
  });

  it('goes on when the summary reads ones without a fence', () => {
    const rig = booted();
    rig.chip.answer('PHB_ETU_ERR_SUMMARY', ONES);
    expect(rig.run(rig.opal.pciEehFreezeClear(0, 3, 3))).toBe(OpalStatus.SUCCESS);
  });
});

describe('next error', () => {
  const next = (rig: FirmwareRig) => rig.run(rig.opal.pciNextError(0));
  const nothing = { rc: 0, firstFrozenPe: ONES, errorType: PciError.NO_ERROR, severity: Severity.NO_ERROR };

  it('finds a PE that software froze, until it is thawed', () => {
    const rig = booted();
    rig.run(rig.opal.pciEehFreezeSet(0, 5, 3));
    const frozen = { rc: 0, firstFrozenPe: 5n, errorType: PciError.PE, severity: Severity.PE_ER };
    expect([next(rig), next(rig)]).toEqual([frozen, frozen]);
    rig.run(rig.opal.pciEehFreezeClear(0, 5, 1));
    expect(next(rig)).toEqual(frozen);
    rig.run(rig.opal.pciEehFreezeClear(0, 5, 2));
    expect(next(rig)).toEqual(nothing);
  });

  it('takes the highest group of 64 PEs, and the lowest number in it', () => {
    const rig = booted();
    for (const pe of [3, 70, 130, 131]) rig.run(rig.opal.pciEehFreezeSet(0, pe, 3));
    expect(next(rig).firstFrozenPe).toBe(130n);
  });

  it('drops an error of the recoverable class that froze nothing', () => {
    const rig = booted();
    raiseLem(rig, LEM_ER);
    expect(next(rig)).toEqual(nothing);
  });

  it('reports an informational error until its diagnostic data were read', () => {
    const rig = booted();
    raiseLem(rig, LEM_INF);
    const informational = { ...nothing, errorType: PciError.PHB, severity: Severity.INF };
    expect([next(rig), next(rig)]).toEqual([informational, informational]);
    expect(rig.run(rig.opal.pciGetPhbDiagData2(0)).rc).toBe(OpalStatus.SUCCESS);
    expect(rig.chip.written('PHB_LEM_WOF')).toEqual([0n]);
    rig.chip.set('PHB_LEM_FIR_ACCUM', 0n);
    expect(next(rig)).toEqual(nothing);
  });

  it.each<[string, (rig: FirmwareRig) => void, Severity]>([
    ['a fatal LEM bit', (rig) => rig.chip.set('PHB_LEM_FIR_ACCUM', LEM_FENCE), Severity.PHB_FENCED],
    ['a LEM out of reach', (rig) => rig.chip.answer('PHB_LEM_FIR_ACCUM', ONES), Severity.PHB_DEAD],
    ['a fence', (rig) => rig.chip.answer('nest.NFIR', AIB_FENCED), Severity.PHB_FENCED],
    ['a forced fence', (rig) => rig.chip.answer('nest.NFIR', AIB_FENCED | 0xf0_0000_0000n), Severity.PHB_DEAD],
    ['a nest out of reach', (rig) => rig.chip.answer('nest.NFIR', ONES), Severity.PHB_DEAD],
  ])('%s costs the whole PHB', (_, spoil, severity) => {
    const rig = booted();
    spoil(rig);
    rig.run(rig.opal.handleInterrupt(INF_IRQ));
    expect(next(rig)).toMatchObject({ errorType: PciError.PHB, severity });
  });

  it('does not look for a fence unless an error is pending', () => {
    const rig = booted();
    rig.chip.answer('nest.NFIR', AIB_FENCED);
    expect(next(rig)).toEqual(nothing);
  });

  it('turns a malformed packet behind the core interrupt into the loss of the PHB', () => {
    const rig = booted();
    rig.run(rig.opal.pciEehFreezeSet(0, 5, 3));
    raiseLem(rig, 1n << 3n);
    expect(next(rig).errorType).toBe(PciError.PE);
    rig.chip.functions.get(0)?.set('UE_STATUS', 0x0004_0000);
    expect(next(rig)).toMatchObject({ errorType: PciError.PHB, severity: Severity.PHB_FENCED });
  });

  it('says nothing about a pending error that no register confirms, and finds the frozen PE itself', () => {
    const rig = booted();
    rig.run(rig.opal.pciEehFreezeSet(0, 5, 3));
    rig.run(rig.opal.pciEehFreezeStatus(0, 5));
    expect(next(rig).firstFrozenPe).toBe(5n);
  });
});

describe('deciding bits', () => {
  const word = fc.bigInt({ min: 0n, max: ONES });

  it('prefer first over later and unmasked over masked errors, and are never empty while anything is latched', () => {
    fc.assert(
      fc.property(word, word, word, (fir, mask, wof) => {
        const deciding = decidingBits({ fir, mask, wof });
        if (wof !== 0n) expect(deciding & ~wof).toBe(0n);
        else expect(deciding & ~fir).toBe(0n);
        if ((wof | fir) !== 0n) expect(deciding).not.toBe(0n);
        if ((wof & ~mask) !== 0n) expect(deciding & mask).toBe(0n);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('finds the first frozen PE as a plain search does', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 255 }), { maxLength: 8 }), (pes) => {
        const words = [0n, 0n, 0n, 0n];
        for (const pe of pes) words[pe >> 6]! |= 1n << BigInt(63 - (pe & 63));
        const highest = Math.max(...pes.map((pe) => pe >> 6));
        const expected = pes.filter((pe) => pe >> 6 === highest).sort((a, b) => a - b)[0];
        expect(firstFrozen(words)).toBe(expected);
      }),
      { seed: 2, numRuns: 300 },
    );
  });
});

describe('diagnostic data', () => {
  it('joins the freeze bits of the chip with the causes in memory', () => {
    const rig = booted();
    const pest = rig.opal.deviceTree()[0]!.tables!.pest.address;
    rig.run(rig.opal.pciEehFreezeSet(0, 8, 3));
    rig.chip.memory.write64(pest + 8 * 16, 0x0480_002b_0000_0000n);
    rig.chip.memory.write64(pest + 8 * 16 + 8, 0x1234n);
    const { rc, data } = rig.run(rig.opal.pciGetPhbDiagData2(0));
    expect(rc).toBe(OpalStatus.SUCCESS);
    const decoded = decodePhb3DiagData(data);
    expect(decoded.pestA[8]).toBe(0x8480_002b_0000_0000n);
    expect(decoded.pestB[8]).toBe(0x8000_0000_0000_1234n);
    expect(decoded.pestA[9]).toBe(0n);
  });

  it('reads the root port over the side path while fenced, with the same result', () => {
    const rig = booted();
    const before = decodePhb3DiagData(rig.run(rig.opal.pciGetPhbDiagData2(0)).data);
    rig.chip.answer('nest.NFIR', AIB_FENCED);
    rig.chip.fenced = true;
    const fenced = decodePhb3DiagData(rig.run(rig.opal.pciGetPhbDiagData2(0)).data);
    expect(fenced.fields).toEqual({ ...before.fields, nFir: AIB_FENCED });
    expect(before.fields.devCmdStatus).toBe(0x0010_0147n);
  });

  it('does not fit into a shorter buffer', () => {
    const rig = booted();
    expect(rig.run(rig.opal.pciGetPhbDiagData2(0, 4391)).rc).toBe(OpalStatus.PARAMETER);
    expect(rig.run(rig.opal.pciGetPhbDiagData2(0, 4392)).data).toHaveLength(4392);
  });
});

describe('events', () => {
  it('stay up from the interrupt to the next error query, and are signalled once', () => {
    const rig = booted();
    const { opal, chip } = rig;
    let signalled = 0;
    chip.sim.spawn(
      'listener',
      (function* () {
        while (true) {
          yield* waitForEvent(opal);
          signalled++;
        }
      })(),
      { daemon: true },
    );
    rig.sleep(1);
    expect(rig.run(opal.handleInterrupt(ER_IRQ))).toEqual({ rc: 0, events: OpalEvent.PCI_ERROR });
    expect(rig.run(opal.handleInterrupt(INF_IRQ)).events).toBe(OpalEvent.PCI_ERROR);
    expect(rig.run(opal.pollEvents()).events).toBe(OpalEvent.PCI_ERROR);
    rig.run(opal.pciNextError(0));
    expect(rig.run(opal.pollEvents()).events).toBe(0n);
    expect(signalled).toBe(1);
  });

  it("are told, but not raised, for interrupts that are not the firmware's", () => {
    const { opal, ...rig } = booted();
    const run = FirmwareRig.prototype.run.bind(rig);
    expect(opal.firmwareInterrupts()).toEqual([INF_IRQ, ER_IRQ]);
    for (const irq of [0xff8, 0x810, 0x5000]) {
      expect(run(opal.handleInterrupt(irq))).toEqual({ rc: OpalStatus.PARAMETER, events: 0n });
    }
  });

  it('of a broken PHB come up all the same', () => {
    const rig = booted();
    rig.chip.answer('PHB_ETU_ERR_SUMMARY', 1n);
    rig.reset(0, 1);
    expect(rig.run(rig.opal.handleInterrupt(ER_IRQ)).events).toBe(OpalEvent.PCI_ERROR);
  });
});

function* waitForEvent(opal: FirmwareRig['opal']) {
  return yield* wait(opal.events);
}
