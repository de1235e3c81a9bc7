/** The socket on which foreign software drives a machine with the qtest protocol. */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Client } from './client.js';
import type { ListenAddress } from './listen-address.js';
import type { QtestTarget } from './qtest-protocol.js';
import { Turns } from './turns.js';

export const MAX_CLIENTS = 64;

/** The server cannot listen where it was told to. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'not allowed there: choose another place',
  ENOENT: 'its folder does not exist: create it first',
  ENOTDIR: 'part of the path is no folder',
  EADDRINUSE: 'the port is taken: choose another, or 0 for any that is free',
  EADDRNOTAVAIL: 'this host has no such address: use 127.0.0.1',
};

export class QtestServer {
  private readonly server: Server;
  private readonly turns = new Turns();
  private readonly clients = new Set<Client>();
  private where: ListenAddress;

  constructor(
    private readonly target: QtestTarget,
    address: ListenAddress,
  ) {
    this.where = address;
    // Half open: a client that has sent its last command still gets the reply.
    this.server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.accept(socket));
    // Beyond it connections are dropped without a word.
    this.server.maxConnections = 2 * MAX_CLIENTS;
  }

  /** Where it listens; after `listen` with the port that the system chose for 0. */
  get address(): ListenAddress {
    return this.where;
  }

  get clientCount(): number {
    return this.clients.size;
  }

  async listen(): Promise<void> {
    const { where } = this;
    if (where.kind === 'unix') await removeStaleSocket(where.path);
    try {
      await this.bind();
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException;
      throw new ListenError(`cannot listen on ${placeOf(where)}: ${REASONS[code] ?? message}`);
    }
    // Whoever may connect has the machine, and the memory file with it.
    if (where.kind === 'unix') chmodSync(where.path, 0o600);
    else this.where = { ...where, port: (this.server.address() as AddressInfo).port };
  }

  /** Ends every connection and removes the socket file. */
  async close(): Promise<void> {
    this.turns.stop();
    const closed = new Promise<void>((done) => this.server.close(() => done()));
    for (const client of this.clients) client.destroy();
    await closed;
  }

  private bind(): Promise<void> {
    const { server, where } = this;
    return new Promise((done, failed) => {
      server.once('error', failed);
      server.listen(where.kind === 'unix' ? { path: where.path } : { host: where.host, port: where.port }, () => {
        server.off('error', failed);
        // Out of descriptors: the one connection is lost, the others go on.
        server.on('error', () => {});
        done();
      });
    });
  }

  private accept(socket: Socket): void {
    const client = new Client(socket, this.target, this.turns.wake);
    const isWelcome = this.clients.size < MAX_CLIENTS;
    this.clients.add(client);
    socket.on('close', () => this.clients.delete(client));
    if (!isWelcome) client.end(`ERR ${MAX_CLIENTS} clients are connected, and that is the most`);
  }
}

function placeOf(address: ListenAddress): string {
  return address.kind === 'unix' ? address.path : `${address.host} port ${address.port}`;
}

/** A server that was killed leaves its socket file behind. One that lives, or a file of another kind, is left alone. */
async function removeStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new ListenError(`cannot listen on ${path}: a file that is no socket is in the way`);
  if (await answers(path)) throw new ListenError(`cannot listen on ${path}: another server listens there`);
  unlinkSync(path);
}

/** Only a refused connection says that nobody listens; any other failure leaves that open. */
function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const probe = connect({ path });
    probe.on('connect', () => {
      probe.destroy();
      done(true);
    });
    probe.on('error', (error: NodeJS.ErrnoException) => done(error.code !== 'ECONNREFUSED'));
  });
}
