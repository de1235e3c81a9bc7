/**
 * Freeze state of the 256 PEs: PESTA and PESTB on the chip, PEEV above them, the PEST in memory behind them.
 * Sources: skiboot hw/phb3.c: phb3_eeh_freeze_status, phb3_eeh_freeze_clear; ioda2 (PE state table entry).
 */
import { msbMask } from '../hw/bits.js';
import type { SystemMemory } from '../hw/memory.js';
import { FreezeStates, type PeHalf } from '../ioda/freeze-states.js';
import type { IodaTable } from '../ioda/ioda-access.js';
import { IODA_TABLES } from './tables.js';

export const PE_COUNT = IODA_TABLES.PESTA.entries;
const PEEV_WORDS = IODA_TABLES.PEEV.entries;
const PES_PER_WORD = 64;
const PEST_ENTRY_BYTES = 16;

/** In PEST A: MMIO of the PE is frozen. In PEST B: its DMA is stopped. */
const FROZEN_MASK = msbMask(0);

export type PestWrite = 'written' | 'kept' | 'bar-disabled' | 'memory-error';

export class PeState extends FreezeStates {
  readonly #peev = new BigUint64Array(PEEV_WORDS);
  readonly #memory: SystemMemory;
  #pestBase: number | undefined;

  constructor(memory: SystemMemory) {
    super(PE_COUNT);
    this.#memory = memory;
  }

  /** PHB_PEST_BAR: base of the in-memory PEST, `undefined` while the BAR is disabled. */
  setPestBase(address: number | undefined): void {
    this.#pestBase = address;
  }

  /**
   * An error freezes a PE: both halves together, and the cause goes to the PEST in memory.
   * The first error wins: the entry is written only when the PE goes from unfrozen to frozen (M).
   */
  freeze(pe: number, pestA: bigint, pestB: bigint): PestWrite {
    const result = this.isFrozen(pe) ? 'kept' : this.#writePest(pe, pestA, pestB);
    this.#set(pe, 'mmio', 1);
    this.#set(pe, 'dma', 1);
    return result;
  }

  /** Memory keeps bit 0 clear in both doublewords: the chip's copy of it is the authority (M). */
  #writePest(pe: number, pestA: bigint, pestB: bigint): PestWrite {
    if (this.#pestBase === undefined) return 'bar-disabled';
    const entry = this.#pestBase + pe * PEST_ENTRY_BYTES;
    if (!this.#memory.contains(entry, PEST_ENTRY_BYTES)) return 'memory-error';
    this.#memory.write64(entry, pestA & ~FROZEN_MASK);
    this.#memory.write64(entry + 8, pestB & ~FROZEN_MASK);
    return 'written';
  }

  #set(pe: number, half: PeHalf, value: 0 | 1): void {
    const changed = this.mark(pe, half, value);
    this.#updatePeev(pe);
    if (changed) this.tell(pe, half, value);
  }

  /** PEEV follows PESTA and PESTB: firmware re-reads it after a clear to learn what is still frozen. */
  #updatePeev(pe: number): void {
    const word = Math.floor(pe / PES_PER_WORD);
    const mask = msbMask(pe % PES_PER_WORD);
    const old = this.#peev[word] ?? 0n;
    this.#peev[word] = this.isFrozen(pe) ? old | mask : old & ~mask;
  }

  reset(): void {
    for (let pe = 0; pe < PE_COUNT; pe++) {
      this.#set(pe, 'mmio', 0);
      this.#set(pe, 'dma', 0);
    }
    this.#pestBase = undefined;
  }

  /** PESTA as firmware sees it through IODA_DATA0: only bit 0 exists on the chip (M). */
  get pesta(): IodaTable {
    return this.#half('mmio', this.mmioFrozen);
  }

  get pestb(): IodaTable {
    return this.#half('dma', this.dmaStopped);
  }

  #half(half: PeHalf, bits: Uint8Array): IodaTable {
    return {
      entries: PE_COUNT,
      read: (pe) => (bits[pe] === 1 ? FROZEN_MASK : 0n),
      write: (pe, value) => this.#set(pe, half, (value & FROZEN_MASK) === 0n ? 0 : 1),
    };
  }

  /** A direct write stands, PE by PE, until PESTA or PESTB of that PE is written (M): firmware zeroes the words in its table reset. */
  get peev(): IodaTable {
    return {
      entries: PEEV_WORDS,
      read: (word) => this.#peev[word] ?? 0n,
      write: (word, value) => {
        this.#peev[word] = value;
      },
    };
  }
}
