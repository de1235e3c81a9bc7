/**
 * Error events to records: trap, freeze, LEM, interrupt, fence, each by the enables that software programmed.
 * Facts: ioda1-p7ioc 7.1, 7.2, 7.5, 7.8. Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_init_errors.
 */
import { msbMask, setField } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import { TRAP_NAMES, type TrapName } from '../ioda/bit-lists.js';
import { ErrorSummary, type EventSummary } from '../ioda/error-summary.js';
import { ErrorTraps, type TrapLog } from '../ioda/error-traps.js';
import type { InjectionEffect } from '../ioda/papr-injection.js';
import { type FailingOperation, type PestWords, TRANSACTION_TYPE } from '../ioda/pest.js';
import { traceRaised } from '../ioda/trace-kinds.js';
import { trapRegisterName } from '../ioda/trap-registers.js';
import type { Trace } from '../sim/trace.js';
import {
  ERROR_EVENT_NAMES,
  ERROR_EVENTS,
  type ErrorEventDeclaration,
  type ErrorEventName,
  pestOfEvent,
} from './error-bits/events.js';
import { PEST_FORMAT } from './error-bits/pest.js';
import { TRAP_BITS } from './error-bits/traps.js';
import { ErrorMacro, type LemListener } from './error-macro.js';
import type { InterruptSources } from './interrupt-sources.js';
import type { PairStore } from './pair-store.js';
import type { PeState } from './pe-state.js';
import { LOG_FIELDS } from './registers/errors.js';
import type { PhbRegisterName } from './registers/phb.js';
import { PE_COUNT } from './tables.js';
import { ERROR_INJECTED, ERROR_RAISED } from './trace.js';

/** Level of the interrupt that errors raise; firmware owns it. Source: skiboot include/p7ioc.h: PHB_LSI_PCIE_ERROR. */
export const LSI_ERROR = 7;

/** An error event with what is known of the operation that met it. */
export interface ErrorReport extends FailingOperation {
  readonly event: ErrorEventName;
  /** The PE charged; none for errors of the core. */
  readonly pe?: number;
}

export interface ErrorPipelineParts {
  readonly registers: RegisterFile<PhbRegisterName>;
  readonly peState: PeState;
  readonly peltv: PairStore;
  readonly lsi: InterruptSources;
  readonly trace: Trace;
  readonly source: number;
  /** What the hub hears of the bridge's error macro. */
  readonly lem: LemListener;
  readonly fence: (cause: number) => void;
}

/** What one trap bit does to PEs, whatever raised it. */
interface RaisedBit {
  readonly trap: TrapName;
  readonly bit: number;
  readonly reach: 'pe' | 'all';
  readonly summary: EventSummary;
  readonly pe: number | undefined;
  readonly pest: PestWords;
  readonly log: TrapLog;
}

const NO_LOG: TrapLog = { log0: 0n, log1: 0n };

export class ErrorPipeline {
  readonly traps: ErrorTraps;
  readonly lem: ErrorMacro<'PHB'>;
  readonly #parts: ErrorPipelineParts;
  readonly #summary: ErrorSummary;
  /** Enabled status bits of each trap that stand. */
  #interrupting: readonly bigint[] = TRAP_NAMES.map(() => 0n);

  constructor(parts: ErrorPipelineParts) {
    this.#parts = parts;
    const { registers } = parts;
    this.traps = new ErrorTraps(registers);
    this.lem = new ErrorMacro(registers, 'PHB', parts.lem);
    for (const trap of TRAP_NAMES) {
      registers.attach(trapRegisterName(trap, 'ERR_INJECT'), { onWrite: () => this.#injectBits(trap) });
      // The error interrupt comes once for each enabled status bit that comes up (M): firmware clears none in its handler.
      const level = { onWrite: () => this.#followLevel() };
      registers.attach(trapRegisterName(trap, 'ERR_STATUS'), level);
      registers.attach(trapRegisterName(trap, 'ERR_IRQ_ENABLE'), level);
    }
    this.#summary = new ErrorSummary({ registers, traps: this.traps, anyFrozen: () => parts.peState.anyFrozen() });
  }

  /** After a reset of the registers nothing interrupts any more. */
  reset(): void {
    this.#interrupting = TRAP_NAMES.map(() => 0n);
  }

  raise(report: ErrorReport): void {
    traceRaised(this.#parts, ERROR_RAISED, ERROR_EVENT_NAMES.indexOf(report.event), report);
    this.#raiseBit(raisedBy(report));
  }

  /** An injection fired: as an error, or so that its PE freezes and no trap tells why (M). */
  inject(effect: InjectionEffect, report: ErrorReport): void {
    if (effect === 'error') this.raise(report);
    else this.#freeze(raisedBy(report));
  }

  /** ERR_INJECT: each bit written goes through the whole reporting path at once; no PE is known to pay (M). */
  #injectBits(trap: TrapName): void {
    const { trace, source } = this.#parts;
    for (const bit of this.traps.takeInjected(trap)) {
      trace.emit(ERROR_INJECTED, source, TRAP_NAMES.indexOf(trap), bit);
      const pest = PEST_FORMAT.encode({ transactionType: 'other', lemBit: TRAP_BITS[trap][bit]!.lem });
      this.#raiseBit({ trap, bit, reach: 'all', summary: 'both', pe: undefined, pest, log: NO_LOG });
    }
  }

  #raiseBit(raised: RaisedBit): void {
    const { trap, bit } = raised;
    this.#summary.refresh();
    this.traps.latch(trap, bit, raised.log);
    // The freeze comes before the LEM: firmware that reads a LEM bit must find the PE frozen.
    if (this.traps.routes(trap, bit, 'FREEZE')) this.#freeze(raised);
    this.#summary.latch(raised.summary);
    if (this.traps.routes(trap, bit, 'LEM')) this.lem.report(msbMask(TRAP_BITS[trap][bit]!.lem));
    this.#followLevel();
    if (this.traps.routes(trap, bit, 'AIB_FENCE')) this.#parts.fence(bit);
  }

  /** The PE itself freezes even if its PELT-V is empty; those it lists fall with it, without details. */
  #freeze({ reach, pe, pest }: RaisedBit): void {
    const { peState } = this.#parts;
    if (reach === 'all') {
      for (let each = 0; each < PE_COUNT; each++) peState.freeze(each, pest);
      return;
    }
    if (pe === undefined) return;
    peState.freeze(pe, pest);
    for (const other of this.#collateral(pe)) peState.freezeWith(other);
  }

  #collateral(pe: number): number[] {
    const row = this.#parts.peltv.entry(pe);
    const pes = Array.from({ length: PE_COUNT }, (_, other) => other);
    return pes.filter((other) => ((row >> BigInt(PE_COUNT - 1 - other)) & 1n) === 1n);
  }

  #followLevel(): void {
    const { registers, lsi } = this.#parts;
    const now = TRAP_NAMES.map(
      (trap) => this.traps.status(trap) & registers.get(trapRegisterName(trap, 'ERR_IRQ_ENABLE')),
    );
    const gained = now.some((bits, trap) => (bits & ~this.#interrupting[trap]!) !== 0n);
    this.#interrupting = now;
    if (gained) lsi.raise(LSI_ERROR);
    else if (now.every((bits) => bits === 0n)) lsi.lower(LSI_ERROR);
  }
}

function raisedBy(report: ErrorReport): RaisedBit {
  const { trap, bit, reach, summary }: ErrorEventDeclaration = ERROR_EVENTS[report.event];
  return { trap, bit, reach, summary, pe: report.pe, pest: pestOfEvent(report.event, report), log: logOf(report) };
}

function logOf(report: ErrorReport): TrapLog {
  const { trap, bit, types }: ErrorEventDeclaration = ERROR_EVENTS[report.event];
  const { LOG_0, LOG_1 } = LOG_FIELDS;
  let log0 = setField(0n, LOG_0.REQUESTER_ID.at, BigInt(report.requesterId ?? 0));
  log0 = setField(log0, LOG_0.TRANSACTION_TYPE.at, BigInt(TRANSACTION_TYPE[report.type ?? types[0]!]));
  log0 = setField(log0, LOG_0.LEM_BIT.at, BigInt(TRAP_BITS[trap][bit]!.lem));
  log0 = setField(log0, LOG_0.PE.at, BigInt(report.pe ?? 0));
  return { log0, log1: setField(0n, LOG_1.ADDRESS.at, report.address ?? 0n) };
}
