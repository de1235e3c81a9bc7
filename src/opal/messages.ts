/**
 * Messages to the operating system, oldest first. Source: skiboot core/opal-msg.c: _opal_queue_msg, opal_get_msg,
 * opal_check_completion. Facts: opal-pci 3.4, 9.3.
 */
import { Signal } from '../sim/process.js';
import type { TaskKernel } from '../sim/task.js';
import type { PendingEvents } from './events.js';
import { MessageType, OpalEvent } from './opal-api.js';

export interface OpalMessage {
  readonly type: number;
  /** Up to eight words. */
  readonly params: readonly bigint[];
}

export const MESSAGE_BYTES = 72;
const PARAMS = 8;

/** Type, four bytes that are 0, eight words: all big-endian. */
export function encodeMessage({ type, params }: OpalMessage): Uint8Array {
  const bytes = new Uint8Array(MESSAGE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type);
  for (let index = 0; index < PARAMS; index++)
    view.setBigUint64(8 + 8 * index, BigInt.asUintN(64, params[index] ?? 0n));
  return bytes;
}

export class MessageQueue {
  private readonly waiting: OpalMessage[] = [];

  /** Emitted with every message. */
  readonly queued: Signal;

  constructor(
    private readonly events: PendingEvents,
    sim: TaskKernel,
  ) {
    this.queued = new Signal(sim, 'OPAL message');
  }

  queue(message: OpalMessage): void {
    this.waiting.push(message);
    this.events.raise(OpalEvent.MSG_PENDING);
    this.queued.emit();
  }

  /** The oldest message. */
  take(): OpalMessage | undefined {
    return this.remove(0);
  }

  /** The message that says that the asynchronous call with this token is done. */
  takeCompletion(token: bigint): OpalMessage | undefined {
    return this.remove(
      this.waiting.findIndex(({ type, params }) => type === MessageType.ASYNC_COMP && params[0] === token),
    );
  }

  private remove(index: number): OpalMessage | undefined {
    if (index < 0 || index >= this.waiting.length) return undefined;
    const [message] = this.waiting.splice(index, 1);
    if (this.waiting.length === 0) this.events.lower(OpalEvent.MSG_PENDING);
    return message;
  }
}
