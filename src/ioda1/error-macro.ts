/**
 * A local error macro of P7IOC over its nine registers. Unlike the macro of later chips, what came first is kept whether
 * masked or not, and only while nothing else was set. Facts: ioda1-p7ioc 3.1, 7.2.
 * Source: skiboot p7ioc hw/p7ioc.c: p7ioc_check_LEM.
 */
import type { RegisterStore } from '../ioda/register-store.js';
import { type LemRegisterName, type LemSuffix, lemRegisterName } from './registers/lem.js';

/** What the two action bits of an error make of it. */
export type LemSeverity = 'fatal' | 'recoverable';

export interface LemListener {
  /** Error bits that were not set before, however they came in. */
  reported(bits: bigint): void;
  /** FIR, mask or actions changed: what the macro drives may have changed. */
  changed(): void;
}

export class ErrorMacro<P extends string> {
  readonly #registers: RegisterStore<LemRegisterName<P>>;
  readonly #prefix: P;
  readonly #listener: LemListener;

  constructor(registers: RegisterStore<LemRegisterName<P>>, prefix: P, listener: LemListener) {
    this.#registers = registers;
    this.#prefix = prefix;
    this.#listener = listener;
    const changed = { onWrite: () => listener.changed() };
    const readFir = () => this.fir;
    const readMask = () => this.mask;
    registers.attach(this.#name('FIR_ACCUM'), changed);
    registers.attach(this.#name('FIR_AND_MASK'), { onRead: readFir, onWrite: () => listener.changed() });
    registers.attach(this.#name('FIR_OR_MASK'), { onRead: readFir, onWrite: (_, old) => this.#added(old) });
    registers.attach(this.#name('ERROR_MASK'), changed);
    registers.attach(this.#name('ERROR_AND_MASK'), { onRead: readMask, onWrite: () => listener.changed() });
    registers.attach(this.#name('ERROR_OR_MASK'), { onRead: readMask, onWrite: () => listener.changed() });
    registers.attach(this.#name('ACTION0'), changed);
    registers.attach(this.#name('ACTION1'), changed);
  }

  get fir(): bigint {
    return this.#registers.get(this.#name('FIR_ACCUM'));
  }

  get mask(): bigint {
    return this.#registers.get(this.#name('ERROR_MASK'));
  }

  /** Unmasked error bits whose actions make them so: both zero is fatal, one of them set is recoverable. */
  driven(severity: LemSeverity): bigint {
    const actions = this.#registers.get(this.#name('ACTION0')) | this.#registers.get(this.#name('ACTION1'));
    const unmasked = this.fir & ~this.mask;
    return severity === 'fatal' ? unmasked & ~actions : unmasked & actions;
  }

  /** Hardware reports errors. */
  report(bits: bigint): void {
    const before = this.fir;
    this.#registers.set(this.#name('FIR_ACCUM'), before | bits);
    this.#added(before);
  }

  /** Bits that come together are all first. */
  #added(before: bigint): void {
    const news = this.fir & ~before;
    if (news === 0n) return;
    if (before === 0n) this.#registers.or(this.#name('WOF'), news);
    this.#listener.reported(news);
    this.#listener.changed();
  }

  #name(suffix: LemSuffix): LemRegisterName<P> {
    return lemRegisterName(this.#prefix, suffix);
  }
}
