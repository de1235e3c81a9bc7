/**
 * Work on the tables of a bridge behind the door that IODA1 and IODA2 share: select, read, write.
 * Source: skiboot hw/phb3.c: phb3_ioda_sel; skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_ioda_sel. Facts: ioda1-p7ioc 4.1, 7.8.
 */
import { msbMask } from '../hw/bits.js';
import type { Process } from '../sim/process.js';
import { FreezeAction, FreezeState } from './opal-api.js';

export interface IodaDoor<T extends string> {
  /** Selects one entry; any number of reads and writes of it may follow. */
  selectEntry(table: T, index: number): Process<void>;
  /** Selects `table` from its first entry on; every access steps to the next. */
  walkTable(table: T): Process<void>;
  readEntry(): Process<bigint>;
  writeEntry(value: bigint): Process<void>;
}

/** The halves of a PE's state: `PESTA` for MMIO, `PESTB` for DMA. Bit 0 of each is the freeze itself. */
export type FreezeHalf = 'PESTA' | 'PESTB';
const FREEZE_HALVES: readonly FreezeHalf[] = ['PESTA', 'PESTB'];
const FROZEN = msbMask(0);
const PES_PER_WORD = 64;

export function* fillTable<T extends string>(door: IodaDoor<T>, table: T, entries: readonly bigint[]): Process<void> {
  yield* door.walkTable(table);
  for (const value of entries) yield* door.writeEntry(value);
}

export function* readEntryOf<T extends string>(door: IodaDoor<T>, table: T, index: number): Process<bigint> {
  yield* door.selectEntry(table, index);
  return yield* door.readEntry();
}

/** What two halves of a PE say together. */
export function freezeStateOf(pesta: bigint, pestb: bigint): FreezeState {
  const mmio = (pesta & FROZEN) === 0n ? 0 : FreezeState.MMIO_FREEZE;
  const dma = (pestb & FROZEN) === 0n ? 0 : FreezeState.DMA_FREEZE;
  return (mmio | dma) as FreezeState;
}

/** Of the actions of the freeze calls, those that exist. */
export const isFreezeAction = (action: number): boolean => Object.values<number>(FreezeAction).includes(action);

/** The halves that an action means; its other bits do not count. */
export function freezeHalves(action: number): readonly FreezeHalf[] {
  return FREEZE_HALVES.filter((_, half) => (action & [FreezeAction.MMIO, FreezeAction.DMA][half]!) !== 0);
}

/** Freezes halves of a PE; what they say about an error stays. */
export function* freezeHalvesOf(door: IodaDoor<FreezeHalf>, pe: number, action: number): Process<void> {
  for (const half of freezeHalves(action)) {
    const state = yield* readEntryOf(door, half, pe);
    yield* door.writeEntry(state | FROZEN);
  }
}

/** Empties halves of a PE. */
export function* thawHalvesOf(door: IodaDoor<FreezeHalf>, pe: number, action: number): Process<void> {
  for (const half of freezeHalves(action)) {
    yield* door.selectEntry(half, pe);
    yield* door.writeEntry(0n);
  }
}

/** Forgets the state of every PE; firmware looks at each before. */
export function* clearFreezes(door: IodaDoor<FreezeHalf>, pes: number): Process<void> {
  for (let pe = 0; pe < pes; pe++) {
    for (const half of FREEZE_HALVES) {
      yield* readEntryOf(door, half, pe);
      yield* door.writeEntry(0n);
    }
  }
}

/** Of the words of an event vector the highest with an event, and in it the lowest PE. */
export function firstFrozen(events: readonly bigint[]): number | undefined {
  const index = events.findLastIndex((word) => word !== 0n);
  return index < 0 ? undefined : index * PES_PER_WORD + (PES_PER_WORD - events[index]!.toString(2).length);
}
