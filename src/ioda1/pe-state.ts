/**
 * State of the 128 PEs: PESTA, PESTB and the PEEV above them, all on the chip. Facts: ioda1-p7ioc 4.10, 7.8.
 * Sources: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_eeh_freeze_status, p7ioc_eeh_freeze_clear, p7ioc_eeh_freeze_set.
 */
import { msbMask } from '../hw/bits.js';
import { TableStore } from '../hw/table.js';
import { FreezeStates, type PeHalf } from '../ioda/freeze-states.js';
import type { IodaTable } from '../ioda/ioda-access.js';
import type { PestWords } from '../ioda/pest.js';
import { IODA_TABLES, PE_COUNT } from './tables.js';

const PES_PER_WORD = 64;
/** In PESTA: MMIO of the PE is frozen. In PESTB: its DMA is stopped. */
const FROZEN = msbMask(0);
const FROZEN_HI = 0x8000_0000;
const ONLY_FROZEN: PestWords = { a: FROZEN, b: FROZEN };

export class PeState extends FreezeStates {
  readonly pesta = new TableStore(IODA_TABLES.PESTA, { onWrite: (pe, hi) => this.#follow(pe, 'mmio', hi) });
  readonly pestb = new TableStore(IODA_TABLES.PESTB, { onWrite: (pe, hi) => this.#follow(pe, 'dma', hi) });

  constructor() {
    super(PE_COUNT);
  }

  /** An error freezes a PE, both halves together. The first error's details stay until software clears them (M). */
  freeze(pe: number, words: PestWords): void {
    if (this.isFrozen(pe)) this.freezeWith(pe);
    else {
      this.pesta.write(pe, words.a | FROZEN);
      this.pestb.write(pe, words.b | FROZEN);
    }
  }

  /** A PE falls with another one: frozen, without details. */
  freezeWith(pe: number): void {
    this.pesta.write(pe, this.pesta.read(pe) | ONLY_FROZEN.a);
    this.pestb.write(pe, this.pestb.read(pe) | ONLY_FROZEN.b);
  }

  #follow(pe: number, half: PeHalf, hi: number): void {
    const frozen = hi >= FROZEN_HI ? 1 : 0;
    if (this.mark(pe, half, frozen)) this.tell(pe, half, frozen);
  }

  /** A direct write has no lasting effect: the words follow the PE states (M). Firmware zeroes them in its table reset. */
  get peev(): IodaTable {
    return {
      entries: IODA_TABLES.PEEV.entries,
      read: (word) => this.#peevWord(word),
      write: () => {},
    };
  }

  #peevWord(word: number): bigint {
    let value = 0n;
    for (let bit = 0; bit < PES_PER_WORD; bit++) {
      if (this.isFrozen(word * PES_PER_WORD + bit)) value |= msbMask(bit);
    }
    return value;
  }

  reset(): void {
    this.pesta.resetAll();
    this.pestb.resetAll();
  }
}
