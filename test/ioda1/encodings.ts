/** How software writes addresses, table entries and routing rules. Facts: ioda1-p7ioc 2, 3.3, 4. */
import { msbMask } from '../../src/hw/bits.js';
import { IODA_TABLES, type IodaTableName } from '../../src/ioda1/tables.js';

export function hex(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}

export function halves(address: bigint): { hi: number; lo: number } {
  return { hi: Number(address >> 32n), lo: Number(address & 0xffff_ffffn) };
}

export function configAddress(rid: number, register: number): bigint {
  return msbMask(0) | (BigInt(rid) << 44n) | (BigInt(register) << 32n);
}

export function iodaAddress(table: IodaTableName | number, index: number, increment: 'stay' | 'increment'): bigint {
  const selector = typeof table === 'number' ? table : IODA_TABLES[table].selector!;
  return (increment === 'increment' ? msbMask(0) : 0n) | (BigInt(selector) << 48n) | BigInt(index);
}

/** PELTM entry of exactly this requester. */
export const exactly = (rid: number): bigint => (BigInt(rid) << 48n) | 0x0000_f800_0000_0000n;
/** The entry firmware leaves in PEs without requesters: 00:00.1. */
export const IDLE_PELTM = 0x0001_f800_0000_0000n;

export interface Window {
  readonly table: number;
  readonly pe: number;
  /** Requester, exactly; any if left out. */
  readonly rid?: number;
  /** log2 of the window's bytes, less 26. */
  readonly sizeCode?: number;
  /** log2 of the page's bytes, less 11. */
  readonly pageCode?: number;
}

/** Both words of a TVE. */
export function tve({ table, pe, rid, sizeCode = 2, pageCode = 1 }: Window): [word0: bigint, word1: bigint] {
  const bus = rid === undefined ? 0n : 0xe000n | BigInt(rid >> 8);
  const deviceAndFunction =
    rid === undefined ? 0n : msbMask(2) | (BigInt((rid >> 3) & 31) << 56n) | msbMask(12) | (BigInt(rid & 7) << 48n);
  return [
    (BigInt(table / 4096) << 16n) | bus | (BigInt(sizeCode) << 8n),
    deviceAndFunction | (BigInt(pageCode) << 40n) | BigInt(pe),
  ];
}

/** MVE for exactly this requester. */
export function mve(rid: number, pe: number, valid: 0 | 1 = 1): bigint {
  return (
    (BigInt(valid) << 63n) |
    (7n << 40n) |
    (BigInt(rid >> 8) << 32n) |
    (BigInt(pe) << 16n) |
    msbMask(50) |
    (BigInt((rid >> 3) & 31) << 8n) |
    msbMask(60) |
    BigInt(rid & 7)
  );
}

/** Interrupt vector; server and priority as software means them. */
export function vector({ server = 0x15, priority = 5, pe = 0 }: { server?: number; priority?: number; pe?: number }) {
  if (priority === 0xff) return 0x0000_00ff_0000_0000n | (BigInt(pe) << 16n);
  const mangled = (priority >> 3) | ((server & 7) << 5);
  return (BigInt(server >> 3) << 40n) | (BigInt(mangled) << 32n) | (BigInt(pe) << 16n);
}

export function m64Window(base: number, sizeBytes: number): bigint {
  return msbMask(0) | (BigInt(base / 2 ** 24) << 32n) | BigInt(2 ** 24 - sizeBytes / 2 ** 24);
}

export type RuleKind = 'address' | 'buid' | 'type';
const KIND_BIT: Readonly<Record<RuleKind, number>> = { address: 16, buid: 17, type: 18 };
const VALUE_SHIFT: Readonly<Record<RuleKind, (value: number) => bigint>> = {
  address: (value) => BigInt(Math.floor(value / 2 ** 16)),
  buid: (value) => BigInt.asUintN(32, BigInt(value) << 20n),
  type: (value) => BigInt(value),
};

/** Match and mask register of a routing rule. */
export function rule(kind: RuleKind, port: number, value: number, mask: number): [match: bigint, mask: bigint] {
  return [msbMask(port) | msbMask(KIND_BIT[kind]) | VALUE_SHIFT[kind](value), VALUE_SHIFT[kind](mask)];
}
