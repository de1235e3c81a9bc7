/** How software writes addresses and windows into registers and tables. Facts: ioda2-phb3 2, 4.1, 4.5. */
import { msbMask } from '../../src/hw/bits.js';
import { IODA_TABLES, type IodaTableName } from '../../src/ioda2/tables.js';

export function hex(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}

export function halves(address: bigint): { hi: number; lo: number } {
  return { hi: Number(address >> 32n), lo: Number(address & 0xffff_ffffn) };
}

export function configAddress(rid: number, register: number, pe: number): bigint {
  return msbMask(0) | (BigInt(rid) << 44n) | (BigInt(register) << 32n) | (BigInt(pe) << 16n);
}

export function iodaAddress(table: IodaTableName | number, index: number, increment: 'stay' | 'increment'): bigint {
  const selector = typeof table === 'number' ? table : IODA_TABLES[table].selector!;
  return (increment === 'increment' ? msbMask(0) : 0n) | (BigInt(selector) << 48n) | BigInt(index);
}

export function sharedM64(base: number, sizeBytes: number): bigint {
  return msbMask(0) | (BigInt(base / 2 ** 20) << 32n) | BigInt(2 ** 30 - sizeBytes / 2 ** 20);
}

export function singleM64(base: number, sizeBytes: number, pe: number): bigint {
  const mask = BigInt(2 ** 25 - sizeBytes / 2 ** 25) & 0x1ff_ffffn;
  const owner = (BigInt(pe >> 5) << 32n) | BigInt(pe & 31);
  return msbMask(0) | msbMask(1) | (BigInt(base / 2 ** 25) << 37n) | (mask << 5n) | owner;
}
