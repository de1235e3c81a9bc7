/**
 * The interrupt presentation controller (ICP) of the one processor thread of QEMU's powernv8: what the thread is
 * interrupted by, at which priority it runs, and its page of registers.
 * Sources: qemu hw/intc/xics.c: icp_irq, icp_accept, icp_eoi, icp_set_cppr, icp_check_ipi; xics_pnv.c: pnv_icp_read.
 *
 * Out of reset the thread's priority (CPPR) is 0, so every message bounces to its source, which presents it again later.
 * (M) A message that a more favoured one pushes out waits here, not at its source; a server that does not exist bounces.
 */
import {
  INTERRUPT_ENDED,
  INTERRUPT_PRESENTED,
  INTERRUPT_REJECTED,
  INTERRUPT_TAKEN,
  InterruptController,
  type InterruptLevel,
  MASKED_PRIORITY,
  type PresentedInterrupt,
} from '../hw/interrupts.js';
import type { Simulator } from '../sim/simulator.js';
import type { Trace } from '../sim/trace.js';

/** Core 1, thread 0: the first core that the machine has. */
export const THREAD_SERVER = 8;
/** The interrupt number of what threads send each other. */
const IPI = 2;

export type OutputListener = (level: 'raise' | 'lower') => void;

export class InterruptPresenter extends InterruptController {
  private readonly trace: Trace;
  private readonly source: number;
  /** Told when the thread's interrupt line changes. */
  private readonly outputListeners = new Set<OutputListener>();
  private output: 'raise' | 'lower' = 'lower';
  private currentPriority = 0;
  private ipiPriority = MASKED_PRIORITY;
  /** What XISR shows. */
  private shown: PresentedInterrupt | undefined;
  /** Pushed out by a more favoured one, or edges that came too early; in the order of arrival. */
  private waiting: PresentedInterrupt[] = [];
  private readonly assertedLevels = new Map<number, PresentedInterrupt>();
  /** Levels that were presented and have not been ended. */
  private readonly sentLevels = new Set<number>();

  constructor(sim: Simulator) {
    super(sim);
    this.trace = sim.trace;
    this.source = sim.trace.source('interrupt presenter');
  }

  // ---- from the sources -------------------------------------------------------------------------------------------

  override present(irq: number, server: number, priority: number): boolean {
    const entry = { irq, server, priority };
    if (this.admits(entry)) {
      this.show(entry);
      return true;
    }
    this.trace.emit(INTERRUPT_REJECTED, this.source, irq, server, priority);
    return false;
  }

  /** The source does not keep an edge, so it waits here. */
  override signal(irq: number, server: number, priority: number): void {
    const entry = { irq, server, priority };
    if (this.admits(entry)) this.show(entry);
    else this.waiting.push(entry);
  }

  /** As in QEMU a level that goes away does not take back what XISR shows. */
  override setLevel(irq: number, server: number, priority: number, level: InterruptLevel): void {
    if (level === 'released') {
      this.assertedLevels.delete(irq);
      return;
    }
    const entry = { irq, server, priority };
    this.assertedLevels.set(irq, entry);
    if (!this.sentLevels.has(irq) && this.admits(entry)) this.showLevel(entry);
  }

  // ---- to the thread ----------------------------------------------------------------------------------------------

  /** CPPR and XISR without taking anything. */
  get xirr(): number {
    return ((this.currentPriority << 24) | (this.shown?.irq ?? 0)) >>> 0;
  }

  /** Takes what XISR shows: from then on the thread runs at its priority. */
  takeShown(): number {
    const { xirr, shown } = this;
    this.shown = undefined;
    this.currentPriority = shown?.priority ?? MASKED_PRIORITY;
    if (shown !== undefined) {
      this.trace.emit(INTERRUPT_TAKEN, this.source, shown.irq, shown.server, shown.priority);
    }
    this.setOutput('lower');
    return xirr;
  }

  /** A store to XIRR: the end of an interrupt, and the priority to go on with. */
  end(xirr: number): void {
    this.currentPriority = xirr >>> 24;
    this.endOf(xirr & 0xff_ffff);
    if (this.shown === undefined) this.showNext();
  }

  /** CPPR. Less favoured than before, it lets in what waits; more favoured, it takes XISR back. */
  setPriority(priority: number): void {
    const before = this.currentPriority;
    this.currentPriority = priority;
    if (priority >= before) {
      if (this.shown === undefined) this.showNext();
    } else if (this.shown !== undefined && priority <= this.shown.priority) {
      this.putBack(this.shown);
      this.shown = undefined;
      this.setOutput('lower');
    }
  }

  /** MFRR: below the priority of the thread it is an interrupt from another thread. */
  get mfrr(): number {
    return this.ipiPriority;
  }

  set mfrr(priority: number) {
    this.ipiPriority = priority;
    const ipi = this.ipi();
    if (this.admits(ipi)) this.show(ipi);
  }

  /** Reports the thread's interrupt line until the returned function is called. */
  listenToOutput(listener: OutputListener): () => void {
    this.outputListeners.add(listener);
    return () => this.outputListeners.delete(listener);
  }

  /** Drives the line by force, whatever is pending. */
  setOutput(level: 'raise' | 'lower'): void {
    if (level === this.output) return;
    this.output = level;
    for (const listener of this.outputListeners) listener(level);
  }

  // ---- the plain controller's doors -------------------------------------------------------------------------------

  override pending(): readonly number[] {
    return [...(this.shown === undefined ? [] : [this.shown.irq]), ...this.waiting.map((entry) => entry.irq)];
  }

  override take(server?: number): PresentedInterrupt | undefined {
    const { shown } = this;
    if (shown === undefined || (server !== undefined && server !== shown.server)) return undefined;
    this.takeShown();
    return shown;
  }

  override eoi(irq: number): void {
    this.end(((MASKED_PRIORITY << 24) | irq) >>> 0);
  }

  // ---- inside -----------------------------------------------------------------------------------------------------

  private admits({ server, priority }: PresentedInterrupt): boolean {
    if (server !== THREAD_SERVER || priority >= this.currentPriority) return false;
    return this.shown === undefined || priority < this.shown.priority;
  }

  private show(entry: PresentedInterrupt): void {
    if (this.shown !== undefined) this.putBack(this.shown);
    this.shown = entry;
    this.trace.emit(INTERRUPT_PRESENTED, this.source, entry.irq, entry.server, entry.priority);
    this.raised.emit(entry.irq);
    this.setOutput('raise');
  }

  private showLevel(entry: PresentedInterrupt): void {
    this.sentLevels.add(entry.irq);
    this.show(entry);
  }

  /** Levels and threads still ask by themselves; a message would be lost. */
  private putBack(entry: PresentedInterrupt): void {
    if (this.sentLevels.delete(entry.irq) || entry.irq === IPI) return;
    this.waiting.push(entry);
  }

  private endOf(irq: number): void {
    this.trace.emit(INTERRUPT_ENDED, this.source, irq, this.sentLevels.delete(irq) ? 1 : 0);
  }

  private showNext(): void {
    const asserted = [...this.assertedLevels.values()].filter(({ irq }) => !this.sentLevels.has(irq));
    const candidates = [this.ipi(), ...this.waiting, ...asserted].filter((entry) => this.admits(entry));
    const [first] = candidates.sort((a, b) => a.priority - b.priority);
    if (first === undefined) return;
    if (this.assertedLevels.get(first.irq) === first) this.showLevel(first);
    else {
      this.waiting = this.waiting.filter((entry) => entry !== first);
      this.show(first);
    }
  }

  private ipi(): PresentedInterrupt {
    return { irq: IPI, server: THREAD_SERVER, priority: this.ipiPriority };
  }
}
