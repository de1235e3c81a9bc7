/**
 * Interrupt sources with a vector and a state each: LSIs, message interrupts and the hub's own.
 * Facts: ioda1-p7ioc 4.3, 4.4, 6.5. Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_lsi_set_xive, p7ioc_msi_set_xive.
 */
import { getFieldOfHalves } from '../hw/bits.js';
import { type TableDeclaration, TableStore } from '../hw/table.js';

/** How an interrupt reaches the processor; false if it does not get out now. */
export type SendInterrupt = (level: number, server: number, priority: number) => boolean;

export interface InterruptSourcesParts {
  readonly state: TableDeclaration;
  readonly vectors: TableDeclaration;
  /** A level is wanted as long as it stands, a message until it has been sent. */
  readonly kind: 'level' | 'message';
  /** Of level sources the one that tells of errors: it is sent once each time it is raised (M). */
  readonly once?: number;
  readonly send: SendInterrupt;
}

/** In the high half of a state entry. */
const PRESENTED = 0x8000_0000;
const WANTED = 0x4000_0000;
const MASKED = 0xff;
/** The low three bits of the server stand on top of five bits of priority; the others of the priority are lost. */
const SERVER_LOW_BITS = 3;
const PRIORITY_MASK = 0x1f;
const PRIORITY_LOST_BITS = 3;

export class InterruptSources {
  readonly state: TableStore;
  readonly vectors: TableStore;
  readonly #parts: InterruptSourcesParts;

  constructor(parts: InterruptSourcesParts) {
    this.#parts = parts;
    this.state = new TableStore(parts.state, { onWrite: (level) => this.#refresh(level) });
    this.vectors = new TableStore(parts.vectors, { onWrite: (level) => this.#refresh(level) });
  }

  /** The source wants attention. One that is presented already waits for its end, a masked one for a priority. */
  raise(level: number): void {
    this.state.hi[level] = (this.state.hi[level]! | WANTED) >>> 0;
    this.#refresh(level);
  }

  /** A level went away; what has been sent is not taken back. */
  lower(level: number): void {
    this.state.hi[level] = (this.state.hi[level]! & ~WANTED) >>> 0;
  }

  /** End of interrupt. */
  ended(level: number): void {
    if (level >= this.state.entries) return;
    this.state.hi[level] = (this.state.hi[level]! & ~PRESENTED) >>> 0;
    this.#refresh(level);
  }

  /** The way to the processor opened. */
  refreshAll(): void {
    for (let level = 0; level < this.state.entries; level++) this.#refresh(level);
  }

  #refresh(level: number): void {
    const state = this.state.hi[level]!;
    if ((state & WANTED) === 0 || (state & PRESENTED) !== 0) return;
    const { vectors, kind, once, send } = this.#parts;
    const field = (name: string): number =>
      getFieldOfHalves(this.vectors.hi[level]!, this.vectors.lo[level]!, vectors.field(name).at);
    const mangled = field('PRIORITY');
    if (mangled === MASKED) return;
    const server = (field('SERVER') << SERVER_LOW_BITS) | (mangled >>> (8 - SERVER_LOW_BITS));
    // Before it leaves: its end may be signalled at once.
    this.state.hi[level] = (PRESENTED | (kind === 'level' && level !== once ? WANTED : 0)) >>> 0;
    if (!send(level, server, (mangled & PRIORITY_MASK) << PRIORITY_LOST_BITS)) this.state.hi[level] = WANTED;
  }

  reset(): void {
    this.state.hi.fill(0);
    this.vectors.resetAll();
  }
}
