/**
 * The presentation side of the interrupt system, as far as a PCI bridge and its drivers see it: what is pending, in
 * order of priority, and what is in service until its end is signalled.
 * Source: linux xics-common, icp-native: priority 0 is most favoured, 0xff masks; (M) one queue for all servers, and an
 * interrupt in service does not keep others from being taken.
 */
import { Signal } from '../sim/process.js';
import type { Simulator } from '../sim/simulator.js';
import { defineTraceKind } from '../sim/trace.js';

/** Of an interrupt that is a level. */
export type InterruptLevel = 'asserted' | 'released';

export interface PresentedInterrupt {
  readonly irq: number;
  readonly server: number;
  readonly priority: number;
}

export const MASKED_PRIORITY = 0xff;

export const INTERRUPT_PRESENTED = defineTraceKind('interrupt-presented', 'irq:hex', 'server', 'priority');
/** Masked, pending or in service already: the source keeps it and presents it again. */
export const INTERRUPT_REJECTED = defineTraceKind('interrupt-rejected', 'irq:hex', 'server', 'priority');
export const INTERRUPT_TAKEN = defineTraceKind('interrupt-taken', 'irq:hex', 'server', 'priority');
export const INTERRUPT_ENDED = defineTraceKind('interrupt-ended', 'irq:hex', 'inService');

export class InterruptController {
  /** Emits the number of each interrupt as it becomes pending. */
  readonly raised: Signal<number>;

  /** Ordered by priority; among equals, by arrival. */
  private queue: PresentedInterrupt[] = [];
  private readonly inService = new Set<number>();
  /** Levels that are asserted now, with their latest routing. */
  private readonly levels = new Map<number, PresentedInterrupt>();
  /** Edges that came while the interrupt of that number was in service. */
  private readonly edges = new Map<number, PresentedInterrupt>();
  private readonly endListeners: ((irq: number) => void)[] = [];
  private readonly traceSource: number;

  constructor(readonly sim: Simulator) {
    this.raised = new Signal(sim, 'interrupt raised');
    this.traceSource = sim.trace.source('interrupts');
  }

  /** A message interrupt arrives. False: rejected, the source must keep it and present it again. */
  present(irq: number, server: number, priority: number): boolean {
    return this.accept({ irq, server, priority });
  }

  /** An edge: presented once. One that comes while its like is in service waits for the end of that (M). */
  signal(irq: number, server: number, priority: number): void {
    if (this.inService.has(irq)) this.edges.set(irq, { irq, server, priority });
    else this.present(irq, server, priority);
  }

  /**
   * The level of a level interrupt, with its routing; call again when either changes. A level that goes away takes its
   * pending interrupt with it; one in service stays in service until its end.
   */
  setLevel(irq: number, server: number, priority: number, level: InterruptLevel): void {
    const before = this.levels.get(irq);
    const now = { irq, server, priority };
    if (level === 'released') {
      this.levels.delete(irq);
      // A message interrupt of the same number is not ours to withdraw.
      if (before !== undefined) this.withdraw(irq);
      return;
    }
    this.levels.set(irq, now);
    if (before !== undefined && before.server === server && before.priority === priority) return;
    if (before !== undefined) this.withdraw(irq);
    if (!this.inService.has(irq)) this.accept(now);
  }

  /** Pending interrupts, next first. */
  pending(): readonly number[] {
    return this.queue.map((entry) => entry.irq);
  }

  /** The next interrupt, which is in service from now on; of one server if given. */
  take(server?: number): PresentedInterrupt | undefined {
    const at = this.queue.findIndex((entry) => server === undefined || entry.server === server);
    const entry = this.queue[at];
    if (entry === undefined) return undefined;
    this.queue.splice(at, 1);
    this.inService.add(entry.irq);
    this.sim.trace.emit(INTERRUPT_TAKEN, this.traceSource, entry.irq, entry.server, entry.priority);
    return entry;
  }

  /** End of interrupt: a level that is still asserted, or an edge that came meanwhile, is presented. */
  eoi(irq: number): void {
    const wasInService = this.inService.delete(irq);
    this.sim.trace.emit(INTERRUPT_ENDED, this.traceSource, irq, wasInService ? 1 : 0);
    const next = this.levels.get(irq) ?? this.edges.get(irq);
    this.edges.delete(irq);
    if (wasInService && next !== undefined) this.accept(next);
    for (const listener of this.endListeners) listener(irq);
  }

  /** A chip whose sources wait for the end of their interrupts hears of every one. */
  onEnd(listener: (irq: number) => void): void {
    this.endListeners.push(listener);
  }

  private accept(entry: PresentedInterrupt): boolean {
    const { irq, server, priority } = entry;
    const isPending = this.queue.some((other) => other.irq === irq);
    if (priority >= MASKED_PRIORITY || isPending || this.inService.has(irq)) {
      this.sim.trace.emit(INTERRUPT_REJECTED, this.traceSource, irq, server, priority);
      return false;
    }
    const before = this.queue.findIndex((other) => other.priority > priority);
    this.queue.splice(before === -1 ? this.queue.length : before, 0, entry);
    this.sim.trace.emit(INTERRUPT_PRESENTED, this.traceSource, irq, server, priority);
    this.raised.emit(irq);
    return true;
  }

  private withdraw(irq: number): void {
    this.queue = this.queue.filter((entry) => entry.irq !== irq);
  }
}
