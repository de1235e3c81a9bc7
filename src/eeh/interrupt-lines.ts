/**
 * Interrupts that drivers of the kernel asked for: who is called, which are off for a while, and their end.
 * Source: linux kernel/irq/manage.c: request_irq, disable_irq, enable_irq; kernel/irq/chip.c: handle_fasteoi_irq;
 * kernel/irq/resend.c: check_irq_resend; powernv/pci-ioda.c: pnv_msi_eoi.
 */
import { MASKED_PRIORITY } from '../hw/interrupts.js';
import type { Process } from '../sim/process.js';
import type { KernelContext } from './context.js';
import { DEFAULT_PRIORITY, SERVER_SHIFT } from './pci/messages.js';

export type InterruptHandler = () => Process<void>;

/** A message comes once and is ended by firmware as well; a wire stays up until its cause is gone. */
export interface InterruptSource {
  readonly kind: 'message' | 'wire';
  readonly phbId: number;
  /** The machine's number. */
  readonly irq: number;
}

export class InterruptLine {
  readonly handlers: InterruptHandler[] = [];
  /** Times disabled and not enabled since. */
  depth = 0;
  /** What came while it was disabled. */
  missed: 'nothing' | 'interrupt' = 'nothing';

  constructor(
    readonly source: InterruptSource,
    /** The kernel's own number. */
    readonly number: number,
  ) {}
}

/** Numbers of interrupts in the kernel's log (M). */
const FIRST_NUMBER = 32;

export class InterruptLines {
  private readonly lines = new Map<number, InterruptLine>();

  constructor(private readonly ctx: KernelContext) {}

  find(irq: number): InterruptLine | undefined {
    return this.lines.get(irq);
  }

  /** Wires may be shared: all who asked are called. */
  request(source: InterruptSource, handler: InterruptHandler): InterruptLine {
    const line = this.lines.get(source.irq) ?? new InterruptLine(source, FIRST_NUMBER + this.lines.size);
    this.lines.set(source.irq, line);
    line.handlers.push(handler);
    return line;
  }

  /** Only noted: the source is masked when it interrupts after all. */
  disable(line: InterruptLine): void {
    line.depth++;
  }

  /** A message that came meanwhile is handled now; a wire that is still up comes by itself. */
  *enable(line: InterruptLine): Process<void> {
    if (--line.depth > 0 || line.missed === 'nothing') return;
    line.missed = 'nothing';
    yield* this.setPriority(line, DEFAULT_PRIORITY);
    if (line.source.kind === 'message') yield* this.call(line);
  }

  /** One that was taken: to its end. */
  *handle(line: InterruptLine): Process<void> {
    if (line.depth === 0) yield* this.call(line);
    else {
      line.missed = 'interrupt';
      yield* this.setPriority(line, MASKED_PRIORITY);
    }
    const { kind, phbId, irq } = line.source;
    const { opal, port } = this.ctx;
    if (kind === 'message' && opal.pciMsiEoi !== undefined) yield* opal.pciMsiEoi(phbId, irq);
    port.interrupts.eoi(irq);
  }

  private *call(line: InterruptLine): Process<void> {
    for (const handler of line.handlers) yield* handler();
  }

  private *setPriority({ source: { irq } }: InterruptLine, priority: number): Process<void> {
    yield* this.ctx.opal.setXive(irq, this.ctx.bootProcessor << SERVER_SHIFT, priority);
  }
}
