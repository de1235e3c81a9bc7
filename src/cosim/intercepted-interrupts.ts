/**
 * Interrupt presentation whose sources a client can watch in the place of the processor.
 *
 * While somebody listens, the client stands for the processor: a message is one pulse (raise, lower) and counts as
 * delivered, a level is told when it changes. While nobody does, the presentation controller of the thread has them.
 * (M) QEMU's own PHB3 has no lines that its qtest could intercept; the line to the thread it has.
 */
import { INTERRUPT_PRESENTED, type InterruptLevel, MASKED_PRIORITY } from '../hw/interrupts.js';
import type { Simulator } from '../sim/simulator.js';
import type { Trace } from '../sim/trace.js';
import { InterruptPresenter } from './interrupt-presenter.js';
import type { LineListener } from './qtest-protocol.js';

export class InterceptedInterrupts extends InterruptPresenter {
  private readonly listeners = new Set<LineListener>();
  private readonly asserted = new Set<number>();
  private readonly pulses: Trace;
  private readonly pulseSource: number;

  constructor(sim: Simulator) {
    super(sim);
    this.pulses = sim.trace;
    this.pulseSource = sim.trace.source('interrupt interception');
  }

  /** Listeners are told in the order in which they came. */
  listen(listener: LineListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  override present(irq: number, server: number, priority: number): boolean {
    if (!this.isWatched(priority)) return super.present(irq, server, priority);
    this.pulse(irq, server, priority);
    return true;
  }

  override signal(irq: number, server: number, priority: number): void {
    if (this.isWatched(priority)) this.pulse(irq, server, priority);
    else super.signal(irq, server, priority);
  }

  override setLevel(irq: number, server: number, priority: number, level: InterruptLevel): void {
    super.setLevel(irq, server, priority, level);
    const isHigh = level === 'asserted' && priority < MASKED_PRIORITY;
    if (isHigh === this.asserted.has(irq)) return;
    if (isHigh) this.asserted.add(irq);
    else this.asserted.delete(irq);
    this.tell(irq, isHigh ? 'raise' : 'lower');
  }

  private isWatched(priority: number): boolean {
    return this.listeners.size > 0 && priority < MASKED_PRIORITY;
  }

  private pulse(irq: number, server: number, priority: number): void {
    this.pulses.emit(INTERRUPT_PRESENTED, this.pulseSource, irq, server, priority);
    this.tell(irq, 'raise');
    this.tell(irq, 'lower');
  }

  private tell(irq: number, level: 'raise' | 'lower'): void {
    for (const listener of this.listeners) listener(irq, level);
  }
}
