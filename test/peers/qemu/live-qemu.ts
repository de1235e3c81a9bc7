/**
 * QEMU as a process of the test: `qemu-system-ppc64 -M powernv8` with an edu device below the first PHB, driven over the
 * qtest protocol. Debian builds it without the qtest accelerator, so it emulates its processor, and its clock cannot be
 * stepped: the processor is stopped, or runs an endless loop so that timers of devices expire.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Answers, PeerError, type QtestBackend } from './backend.js';
import { QtestSocket } from './qtest-socket.js';
import type { Step } from './steps.js';

const PROGRAM = 'qemu-system-ppc64';
export const MEMORY_BYTES = 2 ** 31;

/** stopped: nothing happens but what the client does. running: virtual time passes, a microsecond an instruction. */
export type Processor = 'stopped' | 'running';

export const HOW_TO_INSTALL = `${PROGRAM} is not installed: apt-get install qemu-system-ppc`;

/** The version line, or undefined where QEMU is not installed. On CI it must be: there no comparison may be left out. */
export function qemuVersion(): string | undefined {
  const { status, stdout } = spawnSync(PROGRAM, ['--version'], { encoding: 'utf8' });
  if (status === 0) return stdout.split('\n')[0];
  if (process.env.CI !== undefined) throw new PeerError(HOW_TO_INSTALL);
  return undefined;
}

/**
 * QEMU does not notice when its client is killed, and its processor would run for ever. So a shell stands in between:
 * it reads from a pipe that only this process holds, and when that ends, in whatever way, it ends QEMU and removes the
 * folder. In a process group of its own it also outlives a signal to the whole group of this process.
 */
export const KEEPER = `
folder=$1; shift
exec 3<&0
"$@" <&- 3<&- & qemu=$!
{ cat <&3 >/dev/null; kill -9 $qemu; } 2>/dev/null & watch=$!
exec <&- 3<&-
wait $qemu 2>/dev/null
kill $watch 2>/dev/null
rm -rf -- "$folder"
`;

/** Powerpc enters its firmware at 0x10; there it finds a branch to itself. */
const ENTRY = 0x10;
const BRANCH_TO_SELF = 0x4800_0000;
const FIRMWARE_BYTES = 4096;

function loopFirmware(): Buffer {
  const image = Buffer.alloc(FIRMWARE_BYTES);
  image.writeUInt32BE(BRANCH_TO_SELF, ENTRY);
  return image;
}

const CONNECT_PATIENCE_MS = 20_000;
const CONNECT_PAUSE_MS = 10;

/** A running QEMU and the one connection that its qtest socket takes. */
export class QemuProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly folder: string,
    readonly socket: Socket,
    readonly errors: () => string,
  ) {}

  static async start(processor: Processor): Promise<QemuProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'phbsim-qemu-'));
    const path = join(folder, 'qtest.sock');
    const firmware = join(folder, 'loop.bin');
    writeFileSync(firmware, loopFirmware());
    const run = processor === 'stopped' ? ['-S'] : ['-icount', 'shift=10', '-bios', firmware];
    const command = [
      ...[PROGRAM, '-M', 'powernv8', '-m', `${MEMORY_BYTES / 2 ** 20}M`, '-accel', 'tcg', '-display', 'none'],
      ...['-serial', 'none', '-monitor', 'none', '-qtest', `unix:${path},server=on,wait=off`, '-qtest-log', 'none'],
      ...['-device', 'edu,bus=pcie.0,dma_mask=0xffffffffffffffff', ...run],
    ];
    const keeper = spawn('/bin/sh', ['-c', KEEPER, 'qemu-keeper', folder, ...command], {
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true,
    });
    let errors = '';
    keeper.stderr.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-2000);
    });
    keeper.stdin.on('error', () => {});
    keeper.on('error', () => {});
    letGoOnDisconnect(keeper);
    try {
      const socket = await connected(path, () => keeper.exitCode === null);
      return new QemuProcess(keeper, folder, socket, () => errors);
    } catch (error) {
      await ended(keeper);
      throw new PeerError(`QEMU did not start: ${(error as Error).message}. ${errors}`);
    }
  }

  /** Number of the process between this one and QEMU. */
  get keeper(): number {
    return this.child.pid!;
  }

  async stop(): Promise<void> {
    this.socket.destroy();
    await ended(this.child);
  }
}

/** A worker that lost its test runner would finish its tests for nobody: it lets go of QEMU at once. */
const letGoOnDisconnect = (keeper: ChildProcess): void => {
  const letGo = (): void => void keeper.stdin!.destroy();
  process.once('disconnect', letGo);
  keeper.once('exit', () => process.off('disconnect', letGo));
};

/** Lets the keeper go, and waits until it has put all away. */
async function ended(keeper: ChildProcess): Promise<void> {
  if (keeper.exitCode !== null || keeper.signalCode !== null) return;
  const gone = new Promise<void>((done) => keeper.once('exit', () => done()));
  keeper.stdin!.destroy();
  await gone;
}

/** Waits for a server that is still starting, as long as `alive` says that it may come. */
async function connected(path: string, alive: () => boolean): Promise<Socket> {
  const deadline = Date.now() + CONNECT_PATIENCE_MS;
  for (;;) {
    const socket = connect({ path, allowHalfOpen: true });
    const failure = await new Promise<Error | undefined>((done) => {
      socket.once('connect', () => done(undefined));
      socket.once('error', done);
    });
    if (failure === undefined) return socket;
    if (!alive() || Date.now() > deadline) throw failure;
    await new Promise((done) => setTimeout(done, CONNECT_PAUSE_MS));
  }
}

export class LiveQemu implements QtestBackend {
  readonly name = 'QEMU';
  private readonly client: QtestSocket;

  private constructor(private readonly process: QemuProcess) {
    this.client = new QtestSocket(this.name, process.socket, 'runs-by-itself');
  }

  static async start(processor: Processor): Promise<LiveQemu> {
    return new LiveQemu(await QemuProcess.start(processor));
  }

  async run(steps: readonly Step[]): Promise<Answers> {
    try {
      return await this.client.run(steps);
    } catch (error) {
      throw new PeerError(`${(error as Error).message} ${this.process.errors()}`.trim());
    }
  }

  async close(): Promise<void> {
    await this.client.close();
    await this.process.stop();
  }
}
