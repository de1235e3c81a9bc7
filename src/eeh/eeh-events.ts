/**
 * The event queue (last in, first out) and its single worker. Source: linux eeh_event.c: eeh_event_handler,
 * __eeh_send_failure_event, eeh_remove_event; facts: eeh-linux 6.
 */
import { type Process, Signal, wait } from '../sim/process.js';
import type { KernelContext } from './context.js';
import { EehLimits, PeState, PeType } from './eeh-flags.js';
import type { EehPe } from './eeh-pe.js';
import type { EehSettings } from './eeh-settings.js';
import { KernelOopsError } from './oops.js';

/** `special`: firmware has news, which PE is to be asked. */
export type EehEvent = EehPe | 'special';
export type RemovalForce = 'all' | 'keep-isolated';

export interface EventHandling {
  handleNormal(pe: EehPe): Process<void>;
  handleSpecial(): Process<void>;
}

/** Newest frame first; offsets as seen in the field. */
const SENDER_FRAME = '__eeh_send_failure_event+0x7c/0x160';

export class EehEvents {
  private readonly list: EehEvent[] = [];
  /** Counted: a removed event leaves its signal behind, and the worker wakes for nothing. */
  private signals = 0;
  private readonly wake: Signal;
  /** Events the worker has begun or skipped over since boot. */
  handled = 0;

  constructor(
    private readonly ctx: KernelContext,
    private readonly settings: EehSettings,
  ) {
    this.wake = new Signal(ctx.sim, 'EEH event');
  }

  get queued(): readonly EehEvent[] {
    return this.list;
  }

  /** Queues recovery of a PE, with the stack of who noticed, unless recovery is switched off. */
  send(event: EehEvent, stackTrace: readonly string[] = []): void {
    const kept = event === 'special' && this.ctx.quirks.droppedSpecialEvent === 'event-kept';
    if (this.settings.recovery === 'off' && !kept) {
      this.ctx.log.err('EEH: Event dropped due to no_recover setting');
      return;
    }
    this.sendAlways(event, stackTrace);
  }

  /** Also with recovery switched off: what an operator forces. */
  sendAlways(event: EehEvent, stackTrace: readonly string[] = []): void {
    if (event !== 'special') {
      event.stackTrace = [SENDER_FRAME, ...stackTrace].slice(0, EehLimits.stackTraceFrames);
      event.markState(PeState.RECOVERING);
    }
    if (this.ctx.quirks.eventOrder === 'newest-first') this.list.unshift(event);
    else this.list.push(event);
    this.signals++;
    this.wake.emit();
  }

  /** Drops events of a PE; of its whole PHB for a PHB PE; of everybody for `everything`. */
  remove(scope: EehPe | 'everything', force: RemovalForce): void {
    const kept = this.list.filter((event) => {
      if (force === 'keep-isolated' && event !== 'special' && event.in(PeState.ISOLATED)) return true;
      return !isInScope(event, scope);
    });
    this.list.splice(0, this.list.length, ...kept);
  }

  /** The thread "eehd". */
  *worker(handling: EventHandling): Process<void> {
    try {
      for (;;) yield* this.handleOne(handling);
    } catch (error) {
      if (!(error instanceof KernelOopsError)) throw error;
      this.ctx.log.err('note: eehd exited with irqs disabled');
    }
  }

  private *handleOne(handling: EventHandling): Process<void> {
    while (this.signals === 0) yield* wait(this.wake);
    this.signals--;
    const event = this.list.shift();
    if (event === undefined) return;
    this.handled++;
    if (event === 'special') yield* handling.handleSpecial();
    else yield* handling.handleNormal(event);
  }
}

function isInScope(event: EehEvent, scope: EehPe | 'everything'): boolean {
  if (scope === 'everything' || event === scope) return true;
  if (event === 'special' || !scope.is(PeType.PHB)) return false;
  return event.controller === scope.controller;
}
