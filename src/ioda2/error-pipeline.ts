/**
 * Error events to records: trap, freeze, LEM, interrupt, fence, each by the enables that software programmed.
 * Facts: ioda2-phb3 7.2, 7.6, 7.7. Sources: skiboot hw/phb3.c: phb3_init_errors; linux pci_iov_resource_on_powernv.rst.
 */
import { msbMask } from '../hw/bits.js';
import { LocalErrorMacro, lemCellsOf } from '../hw/lem.js';
import type { SystemMemory } from '../hw/memory.js';
import type { RegisterFile } from '../hw/register-file.js';
import { ErrorSummary, type EventSummary } from '../ioda/error-summary.js';
import { ErrorTraps, type TrapLog } from '../ioda/error-traps.js';
import type { InjectionEffect } from '../ioda/papr-injection.js';
import type { FailingOperation } from '../ioda/pest.js';
import { traceRaised } from '../ioda/trace-kinds.js';
import type { Trace } from '../sim/trace.js';
import { TRAP_NAMES, type TrapName } from './error-bits/bit-lists.js';
import {
  ERROR_EVENT_NAMES,
  ERROR_EVENTS,
  type ErrorEventName,
  type FreezeReach,
  pestOfEvent,
} from './error-bits/events.js';
import { encodePest, type PestWords } from './error-bits/pest.js';
import { TRAP_BITS } from './error-bits/traps.js';
import { LSI_ER, LSI_INF, type LsiUnit } from './lsi.js';
import { PE_COUNT, type PeState } from './pe-state.js';
import type { PhbRegisterName } from './registers/phb.js';
import { ERROR_INJECTED, ERROR_RAISED } from './trace.js';

/** An error event with what is known of the operation that met it. */
export interface ErrorReport extends FailingOperation {
  readonly event: ErrorEventName;
  /** The PE charged; none where the requester has none. */
  readonly pe?: number;
}

export interface ErrorPipelineParts {
  readonly registers: RegisterFile<PhbRegisterName>;
  readonly memory: SystemMemory;
  readonly peState: PeState;
  readonly lsi: LsiUnit;
  readonly trace: Trace;
  readonly source: number;
  /** Fences the AIB: the PBCQ does it. */
  readonly fence: (cause: number) => void;
}

/** The operation that a test error of ERR_INJECT hits. */
export interface InjectionVictim {
  readonly pe: number | undefined;
  readonly summary: EventSummary;
}

/** What one trap bit does to PEs, whatever raised it. */
interface RaisedBit {
  readonly trap: TrapName;
  readonly bit: number;
  readonly reach: FreezeReach;
  readonly summary: EventSummary;
  readonly pe: number | undefined;
  readonly pest: PestWords;
  readonly log: TrapLog;
}

const PELTV_ROW_BYTES = PE_COUNT / 8;

export class ErrorPipeline {
  readonly traps: ErrorTraps;
  readonly lem: LocalErrorMacro;
  readonly #parts: ErrorPipelineParts;
  readonly #summary: ErrorSummary;
  #peltvBase: number | undefined;

  constructor(parts: ErrorPipelineParts) {
    this.#parts = parts;
    const { registers } = parts;
    this.traps = new ErrorTraps(registers);
    this.lem = new LocalErrorMacro(
      lemCellsOf(registers, {
        fir: 'PHB_LEM_FIR_ACCUM',
        mask: 'PHB_LEM_ERROR_MASK',
        action0: 'PHB_LEM_ACTION0',
        action1: 'PHB_LEM_ACTION1',
        wof: 'PHB_LEM_WOF',
      }),
    );
    // Bits set through the OR form show in WOF but start no freeze and no fence (M).
    registers.attach('PHB_LEM_FIR_OR_MASK', { onWrite: (_, old) => this.lem.firChanged(old) });
    this.#summary = new ErrorSummary({ registers, traps: this.traps, anyFrozen: () => parts.peState.anyFrozen() });
  }

  /** PHB_PELTV_BAR: base of the PELT-V, `undefined` while disabled. */
  setPeltvBase(address: number | undefined): void {
    this.#peltvBase = address;
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

  /**
   * An operation takes the test errors that are armed in ERR_INJECT of the traps on its way, and pays for them.
   * Source: op-test OpTestEEH.py. True if one fired: the operation fails with it.
   */
  takeInjected(traps: readonly TrapName[], operation: InjectionVictim): boolean {
    const fired = traps.map((trap) => this.#takeInjectedOf(trap, operation));
    return fired.includes(true);
  }

  #takeInjectedOf(trap: TrapName, { pe, summary }: InjectionVictim): boolean {
    const bits = this.traps.takeInjected(trap);
    for (const bit of bits) {
      const { trace, source } = this.#parts;
      trace.emit(ERROR_INJECTED, source, TRAP_NAMES.indexOf(trap), bit, pe ?? 0xffff);
      this.#raiseBit({
        trap,
        bit,
        reach: trap === 'PHB' ? 'all' : trap === 'INB' ? 'pelt-v' : 'single',
        summary,
        pe,
        pest: encodePest({ transactionType: 'other', lemBit: TRAP_BITS[trap][bit]?.lem ?? 0 }),
        log: { log0: 0n, log1: 0n },
      });
    }
    return bits.length > 0;
  }

  #raiseBit(raised: RaisedBit): void {
    const { trap, bit } = raised;
    this.#summary.refresh();
    const rises = this.traps.latch(trap, bit, raised.log);
    // The freeze comes before the LEM: firmware that reads a LEM bit must find the PE frozen.
    if (this.traps.routes(trap, bit, 'FREEZE')) this.#freeze(raised);
    this.#summary.latch(raised.summary);
    const lemBit = TRAP_BITS[trap][bit]?.lem;
    if (lemBit !== undefined && this.traps.routes(trap, bit, 'LEM')) this.lem.report(msbMask(lemBit));
    if (rises && this.traps.routes(trap, bit, 'IRQ')) this.#interrupt(trap, bit);
    if (this.traps.routes(trap, bit, 'AIB_FENCE')) this.#parts.fence(bit);
  }

  #freeze(raised: RaisedBit): void {
    const { peState } = this.#parts;
    const written = new Set(this.#pesOf(raised).map((pe) => peState.freeze(pe, raised.pest.a, raised.pest.b)));
    // A detail that cannot be written is fatal, and says so once: the PEs are frozen all the same.
    if (written.has('bar-disabled')) this.raise({ event: 'pest-bar-disabled' });
    if (written.has('memory-error')) this.raise({ event: 'fetch-ue' });
  }

  #pesOf({ reach, pe }: RaisedBit): number[] {
    if (reach === 'all') return Array.from({ length: PE_COUNT }, (_, index) => index);
    if (pe === undefined) return [];
    return reach === 'single' ? [pe] : this.#peltvRow(pe);
  }

  /**
   * The PEs that fall with this one: exactly those its row lists (M).
   * Byte pe * 32 + c / 8, most significant bit first. Source: skiboot hw/phb3.c: phb3_set_peltv.
   */
  #peltvRow(pe: number): number[] {
    if (this.#peltvBase === undefined) {
      this.raise({ event: 'table-bar-disabled', type: 'other' });
      return [];
    }
    const row = this.#peltvBase + pe * PELTV_ROW_BYTES;
    const { memory } = this.#parts;
    if (!memory.contains(row, PELTV_ROW_BYTES)) {
      this.raise({ event: 'fetch-ue', type: 'other' });
      return [];
    }
    const bytes = memory.readBlock(row, PELTV_ROW_BYTES);
    return Array.from({ length: PE_COUNT }, (_, other) => other).filter(
      (other) => ((bytes[other >> 3] ?? 0) & (0x80 >> (other & 7))) !== 0,
    );
  }

  /**
   * Once for each status bit that rises: firmware neither clears nor masks anything in its interrupt handler. Source:
   * skiboot commit 9b6433c29. The line is ER if the bit freezes, else INF (M).
   */
  #interrupt(trap: TrapName, bit: number): void {
    this.#parts.lsi.pulse(this.traps.routes(trap, bit, 'FREEZE') ? LSI_ER : LSI_INF);
  }

  reset(): void {
    this.#peltvBase = undefined;
  }
}

function raisedBy(report: ErrorReport): RaisedBit {
  const { trap, bit, reach, summary } = ERROR_EVENTS[report.event];
  return { trap, bit, reach, summary, pe: report.pe, pest: pestOfEvent(report.event, report), log: logOf(report) };
}

/** LOG_0 holds type and requester where the PEST has them, LOG_1 the address as PEST B does (M). */
function logOf(report: ErrorReport): TrapLog {
  const event = ERROR_EVENTS[report.event];
  const keeps: readonly string[] = event.keeps;
  const { a, b } = encodePest({
    transactionType: report.type ?? event.types[0],
    requesterId: keeps.includes('requester') ? (report.requesterId ?? 0) : 0,
    address: keeps.includes('address') ? (report.address ?? 0n) : 0n,
  });
  return { log0: a, log1: b };
}
