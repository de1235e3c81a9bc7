/**
 * The two summaries of errors, of loads and stores and of DMA: any error, any first error, any freeze. Each bit lives as
 * long as what it sums up (M). Facts: ioda2-phb3 3.2.1, ioda1-p7ioc 3.9.
 */
import { bit, fieldMask } from '../hw/bits.js';
import type { ErrorTraps } from './error-traps.js';
import type { RegisterStore } from './register-store.js';

/** Summary register that shows an event. */
export type EventSummary = 'load-store' | 'dma' | 'both' | 'none';

const FIELDS = {
  ANY_ERROR: { at: bit(27), about: 'an error is latched in some trap' },
  FIRST_ERROR: { at: bit(28), about: 'a first-error status is latched' },
} as const;

/** Fields of both registers; what the freeze bit tells, a chip words itself. */
export const summaryFields = (freeze: string) => ({ ...FIELDS, FREEZE: { at: bit(29), about: freeze } }) as const;

const ANY_ERROR = fieldMask(FIELDS.ANY_ERROR.at);
const FIRST_ERROR = fieldMask(FIELDS.FIRST_ERROR.at);
const FREEZE = fieldMask(summaryFields('').FREEZE.at);

const REGISTERS = {
  'load-store': ['PHB_CPU_LOADSTORE_STATUS'],
  dma: ['PHB_DMA_CHAN_STATUS'],
  both: ['PHB_CPU_LOADSTORE_STATUS', 'PHB_DMA_CHAN_STATUS'],
  none: [],
} as const satisfies Record<EventSummary, readonly string[]>;
export type SummaryRegister = (typeof REGISTERS)['both'][number];

export interface ErrorSummaryParts {
  readonly registers: RegisterStore<SummaryRegister>;
  readonly traps: ErrorTraps;
  readonly anyFrozen: () => boolean;
}

export class ErrorSummary {
  readonly #parts: ErrorSummaryParts;

  constructor(parts: ErrorSummaryParts) {
    this.#parts = parts;
    for (const name of REGISTERS.both)
      parts.registers.attach(name, { onRead: (stored) => this.#refresh(name, stored) });
  }

  /** What software has cleared since must not come back with the news: before each latch. */
  refresh(): void {
    for (const name of REGISTERS.both) this.#refresh(name, this.#parts.registers.get(name));
  }

  latch(summary: EventSummary): void {
    const { registers, anyFrozen } = this.#parts;
    for (const name of REGISTERS[summary]) registers.or(name, ANY_ERROR | FIRST_ERROR | (anyFrozen() ? FREEZE : 0n));
  }

  #refresh(name: SummaryRegister, stored: bigint): bigint {
    const { registers, traps, anyFrozen } = this.#parts;
    const keep =
      (traps.anyStatus() ? ANY_ERROR : 0n) | (traps.anyFirstError() ? FIRST_ERROR : 0n) | (anyFrozen() ? FREEZE : 0n);
    const live = stored & keep;
    registers.set(name, live);
    return live;
  }
}
