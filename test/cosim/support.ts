/** A client of the qtest socket, and a place for sockets. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CosimMachine, type CosimMachineOptions } from '../../src/cosim/cosim-machine.js';
import { type ListenAddress, parseListenAddress } from '../../src/cosim/listen-address.js';
import type { Reply, Work } from '../../src/cosim/qtest-protocol.js';
import { QtestServer } from '../../src/cosim/server.js';
import { msbMask } from '../../src/hw/bits.js';
import { PBCQ_NEST_REGISTERS, type PbcqNestRegisterName } from '../../src/ioda2/registers/pbcq.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../src/ioda2/registers/phb.js';
import { busAddressOfScom } from '../../src/machine/xscom.js';

/** A line is complete or it is not here; the peer's end is `undefined`. */
export class TestClient {
  private text = '';
  private ended = false;
  private waiting: (() => void) | undefined;

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1');
      this.waiting?.();
    });
    const end = (): void => {
      this.ended = true;
      this.waiting?.();
    };
    socket.on('end', end);
    socket.on('close', end);
    socket.on('error', () => {});
  }

  static async to(address: ListenAddress): Promise<TestClient> {
    const socket = connect(
      address.kind === 'unix'
        ? { path: address.path, allowHalfOpen: true }
        : { host: address.host, port: address.port, allowHalfOpen: true },
    );
    await new Promise<void>((done, failed) => {
      socket.once('connect', done);
      socket.once('error', failed);
    });
    return new TestClient(socket);
  }

  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.text.indexOf('\n');
      if (end !== -1) {
        const line = this.text.slice(0, end);
        this.text = this.text.slice(end + 1);
        return line;
      }
      if (this.ended) return undefined;
      await new Promise<void>((done) => {
        this.waiting = done;
      });
    }
  }

  async lines(count: number): Promise<(string | undefined)[]> {
    const lines: (string | undefined)[] = [];
    while (lines.length < count) lines.push(await this.line());
    return lines;
  }

  send(text: string | Uint8Array): void {
    this.socket.write(text);
  }

  /** One command, one reply. */
  ask(command: string): Promise<string | undefined> {
    this.send(`${command}\n`);
    return this.line();
  }

  /** Waits until the other side has closed. */
  async closed(): Promise<void> {
    while ((await this.line()) !== undefined) {
      // Lines that came before the end do not matter.
    }
  }
}

export class Scratch {
  readonly folder = mkdtempSync(join(tmpdir(), 'phbsim-'));

  path(name: string): string {
    return join(this.folder, name);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Servers of a test, with their clients; `close` ends all. */
export class TestServers {
  readonly scratch = new Scratch();
  private readonly servers: QtestServer[] = [];
  private readonly clients: TestClient[] = [];

  async start(options?: CosimMachineOptions, where = `unix:${this.scratch.path('qtest.sock')}`): Promise<QtestServer> {
    const server = new QtestServer(new CosimMachine(options), parseListenAddress(where));
    await server.listen();
    this.servers.push(server);
    return server;
  }

  async client(server: QtestServer): Promise<TestClient> {
    const client = await TestClient.to(server.address);
    this.clients.push(client);
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.clients) client.socket.destroy();
    for (const server of this.servers) await server.close();
    this.scratch.remove();
  }
}

export function finish<T>(work: Work<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** The reply when all its work is done. */
export function settled(reply: Reply): string {
  return typeof reply === 'string' ? reply : finish(reply);
}

export const PHB0 = 0x3_fffe_4000_0000;
export const OPEN_PHB0 = 'writeq 0x3fc0020120428 0xf800000000000000';

export function writePhb0(name: PhbRegisterName, value: bigint): string {
  return `writeq ${PHB0 + PHB_REGISTERS.get(name).offset} ${value}`;
}

function writeNest(name: PbcqNestRegisterName, value: bigint): string {
  return `writeq ${busAddressOfScom(0x0201_2000 + PBCQ_NEST_REGISTERS.get(name).offset)} ${value}`;
}

/** Firmware routes the interrupts of PHB0 and forces one of them; then some time. All answer OK. */
export const FORCE_INTERRUPT_2064: readonly string[] = [
  OPEN_PHB0,
  writeNest('IRSN_COMPARE', 0x800n << 45n),
  writeNest('IRSN_MASK', 0xff00_0000_0000_0000n),
  writePhb0('PHB_IVT_BAR', msbMask(0) | 0x10_0800n),
  'writeq 0x100100 0x0000200500000000',
  writePhb0('PHB_FFI_REQUEST', 0x10n << 4n),
  'clock_step 1000000',
];
