/**
 * The four error traps: what latches, what logs the first error, what the enables route. Facts: ioda2-phb3 7.2,
 * ioda1-p7ioc 7.2.
 * Sources: skiboot hw/phb3.c: phb3_init_errors, phb3_err_ER_clear; the sticky write-1-to-clear form from PHB4.
 */
import { msbMask } from '../hw/bits.js';
import { TRAP_NAMES, type TrapName } from './bit-lists.js';
import type { RegisterStore } from './register-store.js';
import { type TrapRegisterName, type TrapSuffix, trapRegisterName } from './trap-registers.js';

export type TrapRoute = 'LEM' | 'IRQ' | 'FREEZE' | 'AIB_FENCE';

/** What the first error leaves in LOG_0 and LOG_1. */
export interface TrapLog {
  readonly log0: bigint;
  readonly log1: bigint;
}

const ROUTE_REGISTER: Readonly<Record<TrapRoute, TrapSuffix>> = {
  LEM: 'ERR_LEM_ENABLE',
  IRQ: 'ERR_IRQ_ENABLE',
  FREEZE: 'ERR_FREEZE_ENABLE',
  AIB_FENCE: 'ERR_AIB_FENCE_ENABLE',
};

type TrapStore = RegisterStore<TrapRegisterName | 'PHB_ETU_ERR_SUMMARY'>;

export class ErrorTraps {
  readonly #registers: TrapStore;

  constructor(registers: TrapStore) {
    this.#registers = registers;
    registers.attach('PHB_ETU_ERR_SUMMARY', { onRead: () => this.summary() });
  }

  /**
   * Latches a bit. The first error stays in ERR1 and the logs until software writes zero there; later ones only
   * accumulate. True if the status bit went from 0 to 1.
   */
  latch(trap: TrapName, bit: number, log: TrapLog): boolean {
    const mask = msbMask(bit);
    const latches = (this.#get(trap, 'ERR_STATUS_MASK') & mask) === 0n;
    const rises = latches && (this.status(trap) & mask) === 0n;
    if (latches) this.#registers.or(trapRegisterName(trap, 'ERR_STATUS'), mask);
    const first = trapRegisterName(trap, 'ERR1_STATUS');
    if (this.#registers.get(first) === 0n && (this.#get(trap, 'ERR1_STATUS_MASK') & mask) === 0n) {
      this.#registers.set(first, mask);
      this.#registers.set(trapRegisterName(trap, 'ERR_LOG_0'), log.log0);
      this.#registers.set(trapRegisterName(trap, 'ERR_LOG_1'), log.log1);
    }
    return rises;
  }

  routes(trap: TrapName, bit: number, route: TrapRoute): boolean {
    return (this.#get(trap, ROUTE_REGISTER[route]) & msbMask(bit)) !== 0n;
  }

  status(trap: TrapName): bigint {
    return this.#get(trap, 'ERR_STATUS');
  }

  anyStatus(): boolean {
    return TRAP_NAMES.some((trap) => this.status(trap) !== 0n);
  }

  anyFirstError(): boolean {
    return TRAP_NAMES.some((trap) => this.#get(trap, 'ERR1_STATUS') !== 0n);
  }

  /** PHB_ETU_ERR_SUMMARY: not zero while any trap holds an error; one bit a trap, in trap order (M). */
  summary(): bigint {
    return TRAP_NAMES.reduce((value, trap, index) => (this.status(trap) === 0n ? value : value | msbMask(index)), 0n);
  }

  /** Test errors armed in ERR_INJECT, taken and disarmed. */
  takeInjected(trap: TrapName): number[] {
    const name = trapRegisterName(trap, 'ERR_INJECT');
    const armed = this.#registers.get(name);
    if (armed === 0n) return [];
    this.#registers.set(name, 0n);
    return Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => (armed & msbMask(bit)) !== 0n);
  }

  #get(trap: TrapName, suffix: TrapSuffix): bigint {
    return this.#registers.get(trapRegisterName(trap, suffix));
  }
}
