/**
 * Local error macro: the error collector that IBM's chips share. A fault isolation register (FIR) with mask and two
 * action registers, and WOF ("who's on first"), which keeps the bits that first stood out.
 * Its AND and OR forms are registers of the chip. Facts: ioda2-phb3 7.2 step 4, 3.2.5, 3.3.1.
 */
import { ALL_ONES } from './bits.js';
import type { RegisterFile } from './register-file.js';

export type LemPart = 'fir' | 'mask' | 'action0' | 'action1' | 'wof';

/** Where the five registers are kept. */
export interface LemCells {
  get(part: LemPart): bigint;
  set(part: LemPart, value: bigint): void;
}

/** Cells that are registers of a file, so that software's doors and the macro see one value. */
export function lemCellsOf<N extends string>(file: RegisterFile<N>, names: Readonly<Record<LemPart, N>>): LemCells {
  return {
    get: (part) => file.get(names[part]),
    set: (part, value) => file.set(names[part], value),
  };
}

/** Cells of their own, all zero but for a mask that hides everything until software opens it (M). */
export function standaloneLemCells(): LemCells {
  const values: Record<LemPart, bigint> = { fir: 0n, mask: ALL_ONES, action0: 0n, action1: 0n, wof: 0n };
  return {
    get: (part) => values[part],
    set: (part, value) => {
      values[part] = BigInt.asUintN(64, value);
    },
  };
}

export class LocalErrorMacro {
  constructor(private readonly cells: LemCells = standaloneLemCells()) {}

  get fir(): bigint {
    return this.cells.get('fir');
  }
  set fir(value: bigint) {
    this.cells.set('fir', value);
  }

  /** 1 = masked: the bit sets in the FIR but never reaches WOF. */
  get mask(): bigint {
    return this.cells.get('mask');
  }
  set mask(value: bigint) {
    this.cells.set('mask', value);
  }

  get action0(): bigint {
    return this.cells.get('action0');
  }
  set action0(value: bigint) {
    this.cells.set('action0', value);
  }

  get action1(): bigint {
    return this.cells.get('action1');
  }
  set action1(value: bigint) {
    this.cells.set('action1', value);
  }

  get wof(): bigint {
    return this.cells.get('wof');
  }
  set wof(value: bigint) {
    this.cells.set('wof', value);
  }

  /** FIR bits that the mask lets through. */
  get unmasked(): bigint {
    return this.fir & ~this.mask;
  }

  /** Hardware reports errors: they accumulate in the FIR, and the first unmasked ones stay in WOF. */
  report(bits: bigint): void {
    const before = this.fir;
    this.fir = before | bits;
    this.firChanged(before);
  }

  /**
   * The FIR was changed by another door (software's OR form). Bits that were set already are not news: a repeated error
   * must not enter a WOF that software has just cleared.
   */
  firChanged(before: bigint): void {
    const news = this.fir & ~before & ~this.mask;
    if (news !== 0n && this.wof === 0n) this.wof = news;
  }

  /** What the two action bits of a FIR bit ask for, as a number: action0 * 2 + action1. */
  action(mask: bigint): 0 | 1 | 2 | 3 {
    const high = (this.action0 & mask) !== 0n;
    const low = (this.action1 & mask) !== 0n;
    if (high) return low ? 3 : 2;
    return low ? 1 : 0;
  }
}
