/**
 * Which PEs are frozen, in two halves, and who hears of it. What freezes a PE, and where its details go, is the chip's own.
 * Facts: ioda2-phb3 5.3, ioda1-p7ioc 4.10.
 */

export type PeHalf = 'mmio' | 'dma';

/** Listener for changes of one half of one PE. */
export type FreezeListener = (pe: number, half: PeHalf, frozen: boolean) => void;

export class FreezeStates {
  /** PESTA bit 0 per PE. The outbound path reads it for every load and store. */
  readonly mmioFrozen: Uint8Array;
  /** PESTB bit 0 per PE. The inbound path reads it for every request. */
  readonly dmaStopped: Uint8Array;
  readonly #listeners: FreezeListener[] = [];

  constructor(peCount: number) {
    this.mmioFrozen = new Uint8Array(peCount);
    this.dmaStopped = new Uint8Array(peCount);
  }

  onChange(listener: FreezeListener): void {
    this.#listeners.push(listener);
  }

  isFrozen(pe: number): boolean {
    return this.mmioFrozen[pe] === 1 || this.dmaStopped[pe] === 1;
  }

  anyFrozen(): boolean {
    return this.mmioFrozen.includes(1) || this.dmaStopped.includes(1);
  }

  /** False if it was so before. */
  protected mark(pe: number, half: PeHalf, frozen: 0 | 1): boolean {
    const bits = half === 'mmio' ? this.mmioFrozen : this.dmaStopped;
    if (bits[pe] === frozen) return false;
    bits[pe] = frozen;
    return true;
  }

  protected tell(pe: number, half: PeHalf, frozen: 0 | 1): void {
    for (const listener of this.#listeners) listener(pe, half, frozen === 1);
  }
}
