/**
 * Whose commands run next: clients take turns in the order in which their input arrived, one turn at a time, and a
 * command that takes long keeps all others waiting, not the sockets. The order of commands is the order of effects.
 */
import type { Client } from './client.js';

export class Turns {
  private queue: Client[] = [];
  private readonly queued = new Set<Client>();
  /** Its command is under way. */
  private working: Client | undefined;
  private running = false;
  private continuation: NodeJS.Immediate | undefined;

  /** The client may have something to do, or to send. */
  readonly wake = (client: Client): void => {
    if (this.queued.has(client)) return;
    this.queued.add(client);
    this.queue.push(client);
    // A lone command is answered at once.
    if (!this.running && this.continuation === undefined) this.run();
  };

  stop(): void {
    if (this.continuation !== undefined) clearImmediate(this.continuation);
    this.running = true;
  }

  private run(): void {
    this.continuation = undefined;
    this.running = true;
    const client = this.working ?? this.queue.shift();
    if (client !== undefined) this.giveTurn(client);
    this.running = false;
    if (this.working !== undefined || this.queue.length > 0) this.continuation = setImmediate(() => this.run());
  }

  private giveTurn(client: Client): void {
    if (this.working === undefined) this.queued.delete(client);
    if (client.isReady) client.turn();
    else client.flush();
    this.working = client.isWorking ? client : undefined;
    if (this.working !== undefined || !client.isReady || this.queued.has(client)) return;
    this.queued.add(client);
    this.queue.push(client);
  }
}
