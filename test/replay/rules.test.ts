import { describe, expect, it } from 'vitest';
import { ALL_ONES, msbMask, msbMasks } from '../../src/hw/bits.js';
import { DerivedWrites } from '../../src/replay/derived-writes.js';
import { type Difference, explain } from '../../src/replay/explanations.js';
import { firmwareRejects, pollOf, type Reading } from '../../src/replay/firmware-expectations.js';
import { formatTarget, type ReadTarget, SelectorTracker } from '../../src/replay/read-target.js';
import type { RecordedAccess } from '../../src/replay/recording.js';

const phb = (register: string): ReadTarget => ({ kind: 'register', window: 'phb', register });
const nest = (register: string): ReadTarget => ({ kind: 'register', window: 'nest', register });
const rootPort = (offset: number): ReadTarget => ({ kind: 'config', target: 0, offset });

function difference(
  target: ReadTarget,
  recorded: bigint,
  answered: bigint,
  more: Partial<Difference> = {},
): Difference {
  return { target, sizeBytes: 8, recorded, answered, recorderFenced: false, wasReset: false, ...more };
}
const idOf = (...args: Parameters<typeof difference>): string | undefined => explain(difference(...args))?.id;

describe('a rule explains', () => {
  it('the bits it names and no others', () => {
    expect(idOf(phb('PHB_PCIE_SYSTEM_CONFIG'), msbMask(15), 0n)).toBe('system-config-constant');
    expect(idOf(phb('PHB_PCIE_SYSTEM_CONFIG'), msbMask(14), 0n)).toBeUndefined();
    expect(idOf(phb('PHB_PCIE_DLP_TRAIN_CTL'), 0n, msbMasks(19, 21, 23))).toBe('train-control-from-presence');
    expect(idOf(phb('PHB_PCIE_DLP_TRAIN_CTL'), 0n, msbMask(20))).toBeUndefined();
    expect(idOf(phb('PHB_VERSION'), 1n, 2n)).toBeUndefined();
  });

  it('an error that only the chip recorded, never one that only the recorder has', () => {
    const table: ReadTarget = { kind: 'table', table: 'PESTA', index: 5 };
    expect(idOf(table, 0n, msbMask(0))).toBe('recorder-never-freezes');
    expect(idOf(table, msbMask(0), 0n)).toBeUndefined();
    expect(idOf(phb('PHB_LEM_FIR_ACCUM'), 0n, msbMask(43))).toBe('recorder-never-freezes');
    expect(idOf(phb('PHB_LEM_FIR_ACCUM'), msbMask(43), 0n)).toBeUndefined();
    expect(idOf({ kind: 'table', table: 'TVT', index: 0 }, 0n, 1n)).toBeUndefined();
  });

  it('root-port registers byte by byte', () => {
    const four = { sizeBytes: 4 };
    // PCIE_CAP next pointer (byte 1) and the slot bit of PCIE_FLAGS (byte 3) together.
    expect(idOf(rootPort(0x48), 0x1040_4201n, 0x1000_4200n, four)).toBe('root-port-model');
    expect(idOf(rootPort(0x48), 0x1140_4201n, 0x1000_4200n, four)).toBeUndefined();
    expect(idOf(rootPort(0x04), 0x0601n, 0x4601n, { sizeBytes: 2 })).toBe('parity-bit');
    expect(idOf(rootPort(0x00), 0x1410n, 0x1411n, { sizeBytes: 2 })).toBeUndefined();
  });

  it('state below the bridge only after a complete reset', () => {
    const card: ReadTarget = { kind: 'config', target: 0x0100, offset: 4 };
    expect(idOf(card, 0x0605n, 0n, { sizeBytes: 2, wasReset: true })).toBe('recorder-keeps-state-below');
    expect(idOf(card, 0x0605n, 0n, { sizeBytes: 2 })).toBeUndefined();
    expect(idOf(rootPort(0x28), 0x00d0_0300n, 0n, { sizeBytes: 4, wasReset: true })).toBe('recorder-keeps-state-below');
    expect(idOf(nest('HARDWARE_CONFIG0'), 0n, 1n, { wasReset: true })).toBe('recorder-resets-nest');
    expect(idOf(nest('HARDWARE_CONFIG0'), 0n, 1n)).toBeUndefined();
  });

  it('a card without its option ROM', () => {
    const rom: ReadTarget = { kind: 'config', target: 0x0100, offset: 0x30 };
    expect(idOf(rom, 0n, 0x0000_fcffn, { sizeBytes: 4 })).toBe('card-without-rom');
    expect(idOf(rom, 1n, 0x0000_fcffn, { sizeBytes: 4 })).toBeUndefined();
  });

  it('a fence that only the patched recorder has, and its bits', () => {
    expect(idOf(phb('PHB_VERSION'), ALL_ONES, 5n, { recorderFenced: true })).toBe('recorder-fenced');
    expect(idOf(phb('PHB_VERSION'), ALL_ONES, 5n)).toBeUndefined();
    expect(idOf(nest('NFIR'), msbMask(16), 0n)).toBe('recorder-fence-bit');
    expect(idOf(nest('NFIR'), 0n, msbMask(16))).toBeUndefined();
    expect(idOf(nest('IRSN_COMPARE'), 0n, 1n)).toBeUndefined();
    expect(idOf(phb('PHB_LEM_WOF'), msbMask(50), 0n)).toBe('recorder-latches-masked-wof');
  });

  it('nothing of SCOM windows without a model in the recorder, nor of undeclared places', () => {
    expect(idOf({ kind: 'register', window: 'pci', register: 'ASB_BAR' }, 0n, 1n)).toBeUndefined();
    expect(idOf({ kind: 'undeclared', window: 'phb', offset: 0xff8 }, 0n, 1n)).toBeUndefined();
  });
});

describe('firmware rejects', () => {
  const reading = (
    target: ReadTarget,
    answered: bigint,
    recorded: bigint,
    perst: Reading['perst'] = 'released',
  ): Reading => ({
    target,
    recorded,
    answered,
    perst,
  });

  it.each([
    [reading(phb('PHB_VERSION'), 0n, 5n), 'broken PHB'],
    [reading(phb('PHB_VERSION'), ALL_ONES, 5n), 'broken PHB'],
    [reading(phb('PHB_ETU_ERR_SUMMARY'), ALL_ONES, 0n), 'fenced'],
    [reading(phb('PHB_PCIE_DLP_TRAIN_CTL'), msbMask(22), 0n), 'core stays in reset'],
    [reading(phb('PHB_PCIE_DLP_TRAIN_CTL'), 0n, msbMask(23)), 'link does not come up'],
    [reading(phb('PHB_PCIE_DLP_TRAIN_CTL'), 0n, msbMask(19)), 'no card'],
    [reading(phb('PHB_FFI_LOCK'), msbMask(0), 0n), 'poll without end'],
    [reading(nest('CQ_STATUS'), msbMask(0), 0n), 'outstanding'],
    [reading(nest('NFIR'), ALL_ONES, 0n), 'dead SCOM path'],
  ])('%o', (input, why) => {
    expect(firmwareRejects(input)).toContain(why);
  });

  it.each([
    reading(phb('PHB_VERSION'), 0xa3_0000_0005n, 0n),
    reading(phb('PHB_ETU_ERR_SUMMARY'), msbMask(2), 0n),
    reading(phb('PHB_PCIE_DLP_TRAIN_CTL'), 0n, msbMask(23), 'asserted'),
    reading(phb('PHB_FFI_LOCK'), ALL_ONES, ALL_ONES),
    reading(phb('PHB_RTT_BAR'), 1n, 2n),
    reading({ kind: 'table', table: 'PEEV', index: 0 }, 1n, 0n),
    reading({ kind: 'register', window: 'spci', register: 'ASB_STATUS' }, 1n, 0n),
  ])('nothing in %o', (input) => {
    expect(firmwareRejects(input)).toBeUndefined();
  });

  it('polled registers only after it has polled them', () => {
    expect(pollOf(phb('PHB_PCIE_DLP_TRAIN_CTL'))?.forNs).toBeGreaterThanOrEqual(400e6);
    expect(pollOf(phb('PHB_VERSION'))).toBeUndefined();
  });
});

describe('a write that firmware computed from a read', () => {
  it('follows what the chip answered', () => {
    const derived = new DerivedWrites();
    derived.noteRead(nest('NFIR'), 0n, 0x80f0_0000_0000n);
    expect(derived.valueFor(nest('NFIR_AND'), ALL_ONES)).toBe(ALL_ONES ^ 0x80f0_0000_0000n);
    derived.noteRead(phb('PHB_INA_ERR_STATUS'), 0n, msbMask(49));
    expect(derived.valueFor(phb('PHB_INA_ERR_STATUS'), 0n)).toBe(msbMask(49));
  });

  it('stays as recorded when it was not computed from that read', () => {
    const derived = new DerivedWrites();
    expect(derived.valueFor(nest('NFIR_AND'), 5n)).toBe(5n);
    derived.noteRead(nest('NFIR'), 0n, 1n);
    expect(derived.valueFor(nest('NFIR_AND'), 5n)).toBe(5n);
    derived.noteRead({ kind: 'table', table: 'PEEV', index: 0 }, 0n, 1n);
    expect(derived.valueFor({ kind: 'table', table: 'PEEV', index: 0 }, 7n)).toBe(7n);
  });
});

describe('the name of what was touched', () => {
  const access = (more: Partial<RecordedAccess>): RecordedAccess => ({
    ...{ kind: 'access', timeUs: 0, direction: 'read', window: 'phb', phb: 0, offset: 0, size: 8, value: 0n, line: 1 },
    ...more,
  });

  it('follows the selectors that were written', () => {
    const tracker = new SelectorTracker();
    const touch = (more: Partial<RecordedAccess>): string => formatTarget(tracker.touch(access(more)));
    expect(touch({ direction: 'write', offset: 0x220, value: 0x8009_0000_0000_01ffn })).toBe('PHB_IODA_ADDR');
    expect([touch({ offset: 0x228 }), touch({ offset: 0x228 })]).toEqual(['TVT[511]', 'TVT[0]']);
    expect(touch({ direction: 'write', offset: 0x140, value: 0x8010_0104_0005_0000n })).toBe('PHB_CONFIG_ADDRESS');
    expect(touch({ offset: 0x132, size: 2 })).toBe('config 01:00.0 +0x106');
    expect(touch({ direction: 'write', window: 'spci', offset: 0, value: 0x800n })).toBe('spci.ASB_ADDRESS');
    expect(touch({ window: 'spci', offset: 2 })).toBe('PHB_VERSION');
    expect(touch({ window: 'nest', offset: 0 })).toBe('nest.NFIR');
    expect(touch({ window: 'nest', offset: 0x3f })).toBe('nest +0x3f');
  });
});
