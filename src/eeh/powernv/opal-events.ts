/**
 * From a firmware-owned interrupt to the EEH worker: HANDLE_INTERRUPT, the event mask, the thread "kopald".
 * Source: linux powernv/opal-irqchip.c: opal_handle_events; facts: eeh-linux 18.
 */
import { OpalEvent } from '../../opal/opal-api.js';
import { type Process, Signal, wait, waitFor } from '../../sim/process.js';
import { ms } from '../../sim/time.js';
import type { KernelContext } from '../context.js';
import type { InterruptLines } from '../interrupt-lines.js';
import { DEFAULT_PRIORITY, SERVER_SHIFT } from '../pci/messages.js';

/** Interrupt number of the PCI error event inside the event domain: the number of its bit. */
const PCI_ERROR_IRQ = Math.log2(Number(OpalEvent.PCI_ERROR));

export interface OpalEventOptions {
  /** ibm,heartbeat-ms; none: only interrupts carry events. */
  readonly heartbeatMs?: number;
  /** opal-interrupts: what firmware wants to be called for. */
  readonly interrupts: readonly number[];
  /** Interrupts of devices, which have handlers of their own. */
  readonly lines: InterruptLines;
  /** The handler of the PCI error event. */
  readonly onPciError: () => void;
}

export class OpalEvents {
  /** Requested at boot; the first EEH device lets it in. */
  private pciError: 'masked' | 'unmasked' = 'masked';
  private lastEvents = 0n;
  private readonly wake: Signal;

  constructor(
    private readonly ctx: KernelContext,
    private readonly options: OpalEventOptions,
  ) {
    this.wake = new Signal(ctx.sim, 'OPAL event');
  }

  get masked(): boolean {
    return this.pciError === 'masked';
  }

  unmask(): void {
    if (this.pciError === 'unmasked') {
      this.ctx.log.warn(`Unbalanced enable for IRQ ${PCI_ERROR_IRQ}`);
    }
    this.pciError = 'unmasked';
    if (this.hasWork) this.wake.emit();
  }

  /** Routes firmware's interrupts to the first processor. */
  *requestInterrupts(): Process<void> {
    const { opal } = this.ctx;
    const server = this.ctx.bootProcessor << SERVER_SHIFT;
    for (const irq of this.options.interrupts) {
      yield* opal.setXive(irq, server, DEFAULT_PRIORITY);
      const { priority } = yield* opal.getXive(irq);
      yield* opal.setXive(irq, server, priority);
    }
  }

  /** Takes every interrupt; those that no driver asked for belong to firmware. */
  *interruptThread(): Process<void> {
    const { interrupts } = this.ctx.port;
    for (;;) {
      const taken = interrupts.take();
      if (taken === undefined) {
        yield* wait(interrupts.raised);
        continue;
      }
      const line = this.options.lines.find(taken.irq);
      if (line !== undefined) {
        yield* this.options.lines.handle(line);
        continue;
      }
      const { events } = yield* this.ctx.opal.handleInterrupt(taken.irq);
      this.lastEvents = events;
      interrupts.eoi(taken.irq);
      if (this.hasWork) this.wake.emit();
    }
  }

  *kopald(): Process<void> {
    for (;;) {
      yield* this.handleEvents();
      if (!this.hasWork) yield* this.sleep();
    }
  }

  /** What was noted, then what firmware still shows. An event that is masked by then is left to the unmasking. */
  private *handleEvents(): Process<void> {
    for (let events = this.lastEvents; ; ) {
      if (this.isForUs(events)) this.dispatch();
      this.lastEvents = 0n;
      events = (yield* this.ctx.opal.pollEvents()).events;
      if (!this.isForUs(events)) return;
    }
  }

  private *sleep(): Process<void> {
    const { heartbeatMs } = this.options;
    if (heartbeatMs === undefined) yield* wait(this.wake);
    else yield* waitFor(this.wake, ms(heartbeatMs));
  }

  private get hasWork(): boolean {
    return this.isForUs(this.lastEvents);
  }

  private isForUs(events: bigint): boolean {
    return !this.masked && (events & OpalEvent.PCI_ERROR) !== 0n;
  }

  /** The EEH handler masks its interrupt at once; the worker lets it in again when firmware has no more to report. */
  private dispatch(): void {
    this.pciError = 'masked';
    this.options.onPciError();
  }
}
