/**
 * Interrupt presentation whose lines a client can have instead of the processors.
 *
 * While somebody listens, the client stands for the processors: a message is one pulse (raise, lower) and counts as
 * delivered, a level is told when it changes. While nobody does, interrupts stay pending as on a machine whose
 * processors do not answer. (M) QEMU's own PHB3 has no line that its qtest could intercept.
 */
import { INTERRUPT_PRESENTED, InterruptController, MASKED_PRIORITY } from '../hw/interrupts.js';
import type { Simulator } from '../sim/simulator.js';
import type { Trace } from '../sim/trace.js';
import type { LineListener } from './qtest-protocol.js';

export class InterceptedInterrupts extends InterruptController {
  private readonly listeners = new Set<LineListener>();
  private readonly asserted = new Set<number>();
  private readonly trace: Trace;
  private readonly source: number;

  constructor(sim: Simulator) {
    super(sim);
    this.trace = sim.trace;
    this.source = sim.trace.source('interrupt interception');
  }

  /** Listeners are told in the order in which they came. */
  listen(listener: LineListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  override present(irq: number, server: number, priority: number): boolean {
    if (this.listeners.size === 0 || priority >= MASKED_PRIORITY) return super.present(irq, server, priority);
    this.trace.emit(INTERRUPT_PRESENTED, this.source, irq, server, priority);
    this.tell(irq, 'raise');
    this.tell(irq, 'lower');
    return true;
  }

  override setLevel(irq: number, server: number, priority: number, asserted: boolean): void {
    super.setLevel(irq, server, priority, asserted);
    const isHigh = asserted && priority < MASKED_PRIORITY;
    if (isHigh === this.asserted.has(irq)) return;
    if (isHigh) this.asserted.add(irq);
    else this.asserted.delete(irq);
    this.tell(irq, isHigh ? 'raise' : 'lower');
  }

  private tell(irq: number, level: 'raise' | 'lower'): void {
    for (const listener of this.listeners) listener(irq, level);
  }
}
