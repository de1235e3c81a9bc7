/**
 * How DMA of the edu device is set up, started and seen.
 *
 * The device moves bytes between an address and a buffer that only DMA can see. So each test fills the buffer or an
 * arena with known bytes, lets one DMA run as the tables say, then carries the buffer to memory through a window known
 * to be good, and reads what arrived.
 */
import { EDU_BUFFER_AT, EDU_COMMAND, type EduRegister } from '../../../../src/pcie/edu-registers.js';
import { encodeUntranslatedTve } from '../../../../src/tce/tve.js';
import type { Sequence } from '../compare.js';
import { CARD, config, fill, ioda, pass, phb, ROOT_PORT, readBlock, type Step, write, writeBlock } from '../steps.js';
import { NUMBERED } from './opening.js';
import { ALL_DECODERS, EDU, openM32 } from './windows.js';

export const ARENA = 0x400_0000;
const PRIME = 0x600_0000;
const RESULT = 0x610_0000;
export const RTT = 0x100_0000;
export const TABLES = 0x200_0000;
const MEMORY_BYTES = 2 ** 31;
export const ENABLE = 1n << 63n;
export const SECOND_WINDOW = 1n << 59n;
export const BYPASS_TVE = encodeUntranslatedTve(0, MEMORY_BYTES);
export const BYTES = 64;
export const PE = 1;
export const COMMAND = 0x04;
const MEMORY_AND_MASTER = 6;

/** Bytes that tell where they come from. */
export function pattern(seed: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (seed * 37 + at * 7 + (at >> 3) * 13 + 1) & 0xff);
}

const set = (register: EduRegister, value: bigint): Step => write(EDU.at(register), 8, value);
export const run = (source: bigint, destination: bigint, command: number, length: number): Step[] => [
  set('DMA_SOURCE', source),
  set('DMA_DESTINATION', destination),
  set('DMA_COUNT', BigInt(length)),
  set('DMA_COMMAND', BigInt(EDU_COMMAND.START | command)),
  { do: 'await', at: EDU.at('DMA_COMMAND'), size: 8, mask: BigInt(EDU_COMMAND.START), equals: 0n },
];
/** What the device sent last is still on its way when it says that it is done. */
export const ARRIVAL_NS = 1_000_000;
export const deviceReads = (address: bigint, length = BYTES): Step[] => run(address, BigInt(EDU_BUFFER_AT), 0, length);
export const deviceWrites = (address: bigint, length = BYTES): Step[] => [
  ...run(BigInt(EDU_BUFFER_AT), address, EDU_COMMAND.TO_HOST, length),
  pass(ARRIVAL_NS),
];

export const rttEntry = (pe: number, rid = CARD): Step => write(RTT + 2 * rid, 2, BigInt(pe));
export const RTC_ALL = phb.write('PHB_RTC_INVALIDATE', ENABLE);
export const TCE_ALL = phb.write('PHB_TCE_KILL', ENABLE);

/** The card is PE 1, whose second window shows memory as it is. Nothing is left in any cache. */
export const MAPPED: readonly Step[] = [
  rttEntry(PE),
  phb.write('PHB_RTT_BAR', ENABLE | BigInt(RTT)),
  ...ioda.write('TVT', 2 * PE + 1, BYPASS_TVE),
  ...[RTC_ALL, TCE_ALL],
];

/** A PE that froze must not keep the buffer from being seen. */
export const THAWED: readonly Step[] = [...ioda.write('PESTA', PE, 0n), ...ioda.write('PESTB', PE, 0n)];
/** What a test of DMA may have changed is as it was. */
export const GOOD_AGAIN: readonly Step[] = [
  ...config.write({ id: ROOT_PORT, register: COMMAND }, 2, MEMORY_AND_MASTER),
  ...config.write({ id: CARD, register: COMMAND }, 2, MEMORY_AND_MASTER),
  phb.write('PHB_QUIESCE_DMA_G', 0n),
  phb.write('PHB_PHB3_CONFIG', ALL_DECODERS),
  ...[...MAPPED, ...THAWED],
];

export const DMA_READY: readonly Step[] = [...NUMBERED, ...openM32(), ...MAPPED];

/** Marks the buffer of the device. */
export const primed = (seed: number, length = BYTES): Step[] => [
  writeBlock(PRIME, pattern(seed, length)),
  ...deviceReads(SECOND_WINDOW | BigInt(PRIME), length),
];
/** What the buffer holds, by way of memory. */
export const bufferShown = (length = BYTES): Step[] => [
  fill(RESULT, length, 0xee),
  ...deviceWrites(SECOND_WINDOW | BigInt(RESULT), length),
  readBlock(RESULT, length),
];

export interface DmaTest {
  readonly name: string;
  readonly tables: readonly Step[];
  readonly address: bigint;
  /** Where the bytes would come from or go to, if anywhere. */
  readonly target?: number;
  readonly length?: number;
  readonly direction?: 'read' | 'write';
}

function dmaSteps({ tables, address, target = ARENA, length = BYTES, direction }: DmaTest): Step[] {
  const ours: Step[] = [];
  if (direction !== 'write') {
    ours.push(...primed(1, length), writeBlock(target, pattern(2, length)), ...tables, ...deviceReads(address, length));
    ours.push(...GOOD_AGAIN, ...bufferShown(length));
  }
  if (direction !== 'read') {
    ours.push(
      ...primed(3, length),
      writeBlock(target, pattern(4, length)),
      ...tables,
      ...deviceWrites(address, length),
    );
    ours.push(readBlock(target, length), ...GOOD_AGAIN);
  }
  return ours;
}

export const dma = (test: DmaTest): Sequence => ({
  name: `DMA: ${test.name}`,
  steps: [...DMA_READY, ...dmaSteps(test)],
});

// ---- tables ---------------------------------------------------------------------------------------------------------

export const PAGE_FIELDS = { '4 KiB': 1, '64 KiB': 5, '16 MiB': 13, '256 MiB': 17 } as const;
export const PERMISSIONS = { none: 0n, read: 1n, write: 2n, both: 3n } as const;
export type Permission = keyof typeof PERMISSIONS;
export const INDEX_BITS = (size: number): number => size + 8;

export interface Walk {
  /** Field of the TVE: log2 of the page bytes, less 11. */
  readonly page: number;
  readonly levels: number;
  /** Field of the TVE: log2 of the table bytes, less 11. */
  readonly size?: number;
  readonly leaf?: bigint;
  /** Permission of an entry above the leaf, by its depth from the top. */
  readonly above?: Readonly<Record<number, bigint>>;
}

export const tve = ({ page, levels, size = 1 }: Walk): bigint =>
  ((BigInt(TABLES) >> 12n) << 16n) | (BigInt(levels - 1) << 13n) | (BigInt(size) << 8n) | BigInt(page);

/** One entry on each level, so that `address` reaches `real`. */
export function walkTo(walk: Walk, address: bigint, real: number): Step[] {
  const { page, levels, size = 1, leaf = PERMISSIONS.both, above = {} } = walk;
  const steps: Step[] = [...ioda.write('TVT', 2 * PE, tve(walk))];
  const bytes = 2 ** (size + 11);
  for (let depth = 0; depth < levels; depth++) {
    const shift = BigInt(page + 11 + INDEX_BITS(size) * (levels - 1 - depth));
    const index = Number((address >> shift) & (2n ** BigInt(INDEX_BITS(size)) - 1n));
    const isLeaf = depth === levels - 1;
    const entry = isLeaf
      ? BigInt(real) | leaf
      : BigInt(TABLES + bytes * (depth + 1)) | (above[depth] ?? PERMISSIONS.both);
    steps.push(write(TABLES + bytes * depth + 8 * index, 8, entry));
  }
  return [...steps, TCE_ALL];
}

/** An address with a small index on every level. */
export function addressOn({ page, levels, size = 1 }: Walk, inPage: number): bigint {
  let address = BigInt(inPage);
  for (let level = 0; level < levels; level++)
    address |= BigInt(level + 2) << BigInt(page + 11 + INDEX_BITS(size) * level);
  return address;
}

/** 256 MiB pages start at 0: the arena lies in the first. */
export const pageStart = (page: number): number => ARENA - (ARENA % 2 ** (page + 11));
export const reaches = (walk: Walk): bigint => BigInt(walk.page + 11 + INDEX_BITS(walk.size ?? 1) * walk.levels);
