/** QEMU's powernv8 behind a qtest socket: its processor is stopped, so nothing happens but what the client does. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { parseListenAddress } from '../../src/cosim/listen-address.js';
import { type Scratch, TestClient } from './support.js';

const PROGRAM = 'qemu-system-ppc64';
const PATIENCE_MS = 20_000;
const RETRY_MS = 10;

export const HOW_TO_INSTALL = `${PROGRAM} is not installed: apt-get install qemu-system-ppc`;

/** The version line, or undefined where QEMU is not installed. */
export function qemuVersion(): string | undefined {
  const { status, stdout } = spawnSync(PROGRAM, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n')[0] : undefined;
}

let started = 0;

export class Qemu {
  private constructor(
    private readonly child: ChildProcess,
    readonly client: TestClient,
  ) {}

  static async start(scratch: Scratch): Promise<Qemu> {
    const path = scratch.path(`qemu${started++}.sock`);
    const child = spawn(
      PROGRAM,
      [
        ...['-M', 'powernv8', '-m', '2G', '-accel', 'tcg', '-S', '-display', 'none', '-serial', 'none'],
        ...['-monitor', 'none', '-qtest', `unix:${path},server=on,wait=off`, '-qtest-log', 'none'],
        ...['-device', 'edu,bus=pcie.0,dma_mask=0xffffffffffffffff'],
      ],
      { stdio: 'ignore' },
    );
    child.on('error', () => {});
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return new Qemu(child, await TestClient.to(parseListenAddress(`unix:${path}`)));
      } catch (error) {
        if (child.exitCode !== null || performance.now() > deadline) throw error;
        await new Promise((done) => setTimeout(done, RETRY_MS));
      }
    }
  }

  async stop(): Promise<void> {
    this.client.socket.destroy();
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }
}
