import { describe, expect, it } from 'vitest';
import { FreezeState, OpalEvent, OpalStatus, PciError, ResetScope, Severity } from '../../src/opal/opal-api.js';
import { NO_ERROR } from '../../src/opal/opal-results.js';
import { lsiIrq, RID } from '../ioda1/layout.js';
import { P7iocFirmware } from './p7ioc-firmware.js';

const { SUCCESS, PARAMETER, HARDWARE } = OpalStatus;
const ER_IRQ = lsiIrq(7);
const booted = (profile?: ConstructorParameters<typeof P7iocFirmware>[0]) => P7iocFirmware.booted(profile);

const status = (firmware: P7iocFirmware, pe = 5) => firmware.run(firmware.opal.pciEehFreezeStatus(0, pe));
const next = (firmware: P7iocFirmware) => firmware.run(firmware.opal.pciNextError(0));
const freeze = (firmware: P7iocFirmware, pe = 5, action = 3) =>
  firmware.run(firmware.opal.pciEehFreezeSet(0, pe, action));
const clear = (firmware: P7iocFirmware, pe = 5, action = 3) =>
  firmware.run(firmware.opal.pciEehFreezeClear(0, pe, action));
const peError = (pe: number) => ({
  ...NO_ERROR,
  firstFrozenPe: BigInt(pe),
  errorType: PciError.PE,
  severity: Severity.PE_ER,
});
const phbError = (severity: Severity) => ({ ...NO_ERROR, errorType: PciError.PHB, severity });

/** The card writes where no window is: its PE, the catch-all, freezes. */
const badWrite = (firmware: P7iocFirmware) => firmware.dmaWrite(0x4000n, [1]);
/** Breaks the core under firmware: the next initialisation fails. */
function broken(firmware: P7iocFirmware): P7iocFirmware {
  firmware.setRegister('PHB_OUT_ERR_FREEZE_ENABLE', 0n);
  firmware.hub.phbs[0]!.jamFence();
  firmware.fence();
  firmware.reset(0, ResetScope.PHB_COMPLETE);
  return firmware;
}

describe('freeze status', () => {
  it('tells the halves apart', () => {
    const firmware = booted();
    expect(status(firmware)).toEqual({
      ...{ rc: SUCCESS, freezeState: FreezeState.NOT_FROZEN },
      ...{ errorType: PciError.NO_ERROR, severity: Severity.NO_ERROR },
    });
    freeze(firmware, 5, 1);
    expect(status(firmware).freezeState).toBe(FreezeState.MMIO_FREEZE);
    freeze(firmware, 5, 2);
    expect(status(firmware).freezeState).toBe(FreezeState.MMIO_DMA_FREEZE);
    clear(firmware, 5, 1);
    expect(status(firmware)).toMatchObject({ freezeState: FreezeState.DMA_FREEZE, severity: Severity.PE_ER });
  });

  it.each([0, 63, 64, 127])('knows PE %i', (pe) => {
    const firmware = booted();
    freeze(firmware, pe);
    const frozen = Array.from({ length: 128 }, (_, each) => each).filter((each) => status(firmware, each).freezeState);
    expect(frozen).toEqual([pe]);
  });

  it('tells which side the error came from', () => {
    const firmware = booted();
    badWrite(firmware);
    expect(status(firmware, 127)).toMatchObject({ freezeState: 3, errorType: PciError.PE_DMA });
    clear(firmware, 127);
    firmware.card.answers.push('UR');
    firmware.run(firmware.opal.pciConfigRead(0, RID, 0, 4));
    expect(status(firmware, 127)).toMatchObject({ freezeState: 3, errorType: PciError.PE_MMIO });
  });

  it.each([0, 127, 4711])('of a fenced PHB is that of the PHB, whatever the PE: %i', (pe) => {
    const firmware = booted();
    firmware.fence();
    expect(status(firmware, pe)).toEqual({
      ...{ rc: SUCCESS, freezeState: FreezeState.MMIO_DMA_FREEZE },
      ...{ errorType: PciError.PHB, severity: Severity.PHB_FENCED },
    });
  });

  it('of a broken PHB is dead, with success', () => {
    expect(status(broken(booted()))).toEqual({
      ...{ rc: SUCCESS, freezeState: FreezeState.MMIO_DMA_FREEZE },
      ...{ errorType: PciError.PHB, severity: Severity.PHB_DEAD },
    });
  });

  it('of a PE beyond the last looks at another one, unless that is corrected', () => {
    const firmware = booted();
    freeze(firmware, 64 + 3);
    expect(status(firmware, 128 + 3).freezeState).toBe(FreezeState.NOT_FROZEN);
    expect(status(firmware, 192 + 3)).toMatchObject({ rc: SUCCESS, severity: Severity.PE_ER });
    expect(status(booted({ profile: 'corrected' }), 128).rc).toBe(PARAMETER);
    for (const pe of [-1, 1.5]) expect(status(firmware, pe).rc).toBe(PARAMETER);
  });
});

describe('freeze set', () => {
  it('keeps what a frozen PE says about its error', () => {
    const firmware = booted();
    badWrite(firmware);
    const state = () => [firmware.table('PESTA', 127), firmware.table('PESTB', 127)];
    const before = state();
    freeze(firmware, 127);
    expect(state()).toEqual(before);
  });

  it('freezes PEs that exist, by actions that do, and nobody else', () => {
    const firmware = booted();
    firmware.run(firmware.opal.pciSetPeltv(0, 5, 6, 1));
    for (const [pe, action] of [
      [128, 3],
      [-1, 3],
      [5, 0],
      [5, 4],
    ] as const)
      expect(freeze(firmware, pe, action)).toBe(PARAMETER);
    expect(freeze(firmware)).toBe(SUCCESS);
    expect(firmware.frozenPes()).toEqual([5]);
    expect(firmware.machine.interrupts.pending()).toEqual([]);
  });

  it('succeeds in nothing behind a fence, unless that is corrected', () => {
    const behindFence = (profile: 'skiboot' | 'corrected') => {
      const firmware = booted({ profile: { freezeSetFence: profile } });
      firmware.fence();
      return [freeze(firmware), firmware.frozenPes()];
    };
    expect(behindFence('skiboot')).toEqual([SUCCESS, []]);
    expect(behindFence('corrected')).toEqual([HARDWARE, []]);
  });
});

describe('freeze clear', () => {
  it('clears the whole state of one half', () => {
    const firmware = booted();
    badWrite(firmware);
    clear(firmware, 127, 1);
    expect([firmware.table('PESTA', 127), firmware.table('PESTB', 127) >> 63n]).toEqual([0n, 1n]);
    clear(firmware, 127, 2);
    expect([firmware.table('PESTB', 127), firmware.frozenPes()]).toEqual([0n, []]);
  });

  it('clears every latched error of the PHB and its root port with it', () => {
    const firmware = booted();
    badWrite(firmware);
    firmware.run(firmware.opal.pciConfigWrite(0, { bdfn: 0, offset: 0x50, size: 2 }, 0x2040));
    expect(firmware.register('PHB_ETU_ERR_SUMMARY')).not.toBe(0n);
    expect(firmware.register('PHB_LEM_FIR_ACCUM')).not.toBe(0n);
    clear(firmware, 127);
    for (const name of [
      ...(['PHB_ETU_ERR_SUMMARY', 'PHB_LEM_FIR_ACCUM', 'PHB_LEM_WOF', 'PHB_INA_ERR_STATUS'] as const),
      ...(['PHB_INA_ERR1_STATUS', 'PHB_INA_ERR_LOG_0', 'PHB_INA_ERR_LOG_1', 'UTL_RC_STATUS'] as const),
    ])
      expect([name, firmware.register(name)]).toEqual([name, 0n]);
    expect(firmware.run(firmware.opal.pciConfigRead(0, 0, 0x50, 2)).value).toBe(0x204f);
  });

  it('leaves the registers alone where no error is latched', () => {
    const firmware = booted();
    freeze(firmware);
    const stores = firmware
      .accessesOf(firmware.opal.pciEehFreezeClear(0, 5, 3))
      .filter(({ operation }) => operation === 'W');
    expect(stores.map(({ offset }) => offset.toString(16))).toEqual(['80220', '80228', '80220', '80228', '80220']);
  });

  it('leaves the other PEs frozen, and remembers them', () => {
    const firmware = booted();
    freeze(firmware, 6);
    freeze(firmware, 5);
    clear(firmware, 5);
    expect(firmware.frozenPes()).toEqual([6]);
    expect(next(firmware)).toEqual(peError(6));
  });

  it('takes any action and any PE number, unless that is corrected', () => {
    const codes = (profile: 'skiboot' | 'corrected') => {
      const firmware = booted({ profile });
      return [clear(firmware, 5, 0), clear(firmware, 5, 4), clear(firmware, 200, 3), clear(firmware, 5, 7)];
    };
    expect(codes('skiboot')).toEqual([SUCCESS, SUCCESS, SUCCESS, SUCCESS]);
    expect(codes('corrected')).toEqual([PARAMETER, PARAMETER, PARAMETER, PARAMETER]);
    expect(clear(booted(), 1.5)).toBe(PARAMETER);
  });

  it('succeeds in nothing behind a fence, unless that is corrected', () => {
    const behindFence = (profile: 'skiboot' | 'corrected') => {
      const firmware = booted({ profile: { freezeClearFence: profile } });
      badWrite(firmware);
      firmware.fence();
      return [clear(firmware, 127), firmware.frozenPes()];
    };
    expect(behindFence('skiboot')).toEqual([SUCCESS, [127]]);
    expect(behindFence('corrected')).toEqual([HARDWARE, [127]]);
  });
});

describe('next error', () => {
  it('is none on a healthy PHB', () => {
    expect(next(booted())).toEqual(NO_ERROR);
  });

  it('is a frozen PE until it is thawed: the upper half of the PEs first, in each the lowest', () => {
    const firmware = booted();
    for (const pe of [3, 9, 70, 90]) freeze(firmware, pe);
    const seen = [70, 90, 3, 9].map((pe) => {
      const both = [next(firmware), next(firmware)];
      clear(firmware, pe);
      return both;
    });
    expect(seen).toEqual([70, 90, 3, 9].map((pe) => [peError(pe), peError(pe)]));
    expect(next(firmware)).toEqual(NO_ERROR);
  });

  it('answers "none" once when freeze status was the first to see the PE, unless that is corrected', () => {
    const answers = (profile: 'skiboot' | 'corrected') => {
      const firmware = booted({ profile });
      freeze(firmware);
      status(firmware);
      return [next(firmware), next(firmware)];
    };
    expect(answers('skiboot')).toEqual([NO_ERROR, peError(5)]);
    expect(answers('corrected')).toEqual([peError(5), peError(5)]);
  });

  it('finds a PE that the chip froze, after its interrupt', () => {
    const firmware = booted().enableInterrupts();
    badWrite(firmware);
    expect(firmware.handleInterrupts()).toEqual([ER_IRQ]);
    expect(firmware.run(firmware.opal.pollEvents()).events).toBe(OpalEvent.PCI_ERROR);
    expect(next(firmware)).toEqual(peError(127));
    expect(firmware.run(firmware.opal.pollEvents()).events).toBe(0n);
  });

  it('is the whole PHB when a malformed packet is behind a frozen PE', () => {
    const firmware = booted();
    firmware.hub.phbs[0]!.rootPort.raiseUncorrectable('MALFORMED_TLP');
    firmware.machine.run(20_000);
    freeze(firmware);
    expect(firmware.register('PHB_LEM_FIR_ACCUM') & 8n).toBe(8n);
    expect(next(firmware)).toEqual(phbError(Severity.PHB_FENCED));
  });

  it('is the PE when the core reported something else', () => {
    const firmware = booted();
    freeze(firmware);
    firmware.setRegister('PHB_LEM_FIR_OR_MASK', 8n);
    expect(next(firmware)).toEqual(peError(5));
  });

  it('is the fence, over and over, and forgets what else was known', () => {
    const firmware = booted();
    freeze(firmware);
    next(firmware);
    firmware.fence();
    expect([next(firmware), next(firmware)]).toEqual([phbError(Severity.PHB_FENCED), phbError(Severity.PHB_FENCED)]);
    expect(firmware.reset(0, ResetScope.PHB_COMPLETE).at(-1)).toBe(0);
    expect(next(firmware)).toEqual(NO_ERROR);
  });

  it('is death on a PHB that cannot be reset', () => {
    expect(next(broken(booted()))).toEqual(phbError(Severity.PHB_DEAD));
  });
});

describe('the error interrupt of a PHB', () => {
  const interrupt = (firmware: P7iocFirmware) => firmware.run(firmware.opal.handleInterrupt(ER_IRQ));
  const PEEV_SELECTED = (firmware: P7iocFirmware) =>
    firmware.accessesOf(firmware.opal.handleInterrupt(ER_IRQ)).map(({ offset }) => offset.toString(16));

  it('looks for frozen PEs only when an error is known, unless that is corrected', () => {
    const looks = (profile: 'skiboot' | 'corrected', known: 'known' | 'unknown') => {
      const firmware = booted({ profile: { errorInterruptScan: profile } });
      freeze(firmware);
      if (known === 'known') next(firmware);
      return PEEV_SELECTED(firmware);
    };
    const fence = '3ec010';
    const scan = [fence, '80220', '80228', '80228'];
    expect([looks('skiboot', 'unknown'), looks('skiboot', 'known')]).toEqual([[fence], scan]);
    expect([looks('corrected', 'unknown'), looks('corrected', 'known')]).toEqual([scan, [fence]]);
  });

  it('says so when it is drowned by a fence', () => {
    const firmware = booted();
    firmware.fence();
    interrupt(firmware);
    expect(firmware.log).toContain('PHB#0000: ER error ignored, PHB fenced');
  });

  it('of a broken PHB raises the event and touches nothing', () => {
    const firmware = broken(booted());
    next(firmware);
    expect(PEEV_SELECTED(firmware)).toEqual([]);
    expect(firmware.run(firmware.opal.pollEvents()).events).toBe(OpalEvent.PCI_ERROR);
  });

  it('keeps the event up until the PHB it came from was asked', () => {
    const firmware = booted({ phbs: [0, 1] });
    interrupt(firmware);
    firmware.run(firmware.opal.pciNextError(1));
    expect(firmware.run(firmware.opal.pollEvents()).events).toBe(OpalEvent.PCI_ERROR);
    next(firmware);
    expect(firmware.run(firmware.opal.pollEvents()).events).toBe(0n);
  });

  it('makes the class known of a PE that freeze status had seen without one', () => {
    const firmware = booted();
    freeze(firmware);
    status(firmware);
    interrupt(firmware);
    expect(next(firmware)).toEqual(peError(5));
  });
});
