// Accesses a second over the socket: `phbsim serve` as a process of its own, and QEMU's powernv8, with the same client in turns.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { QtestLoad } from './qtest-client.mjs';
import { suite } from './suite.mjs';

const MAIN = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist', 'cli', 'main.js');
const QEMU = 'qemu-system-ppc64';
const ROUNDS = 7;
const ROUND_SECONDS = 0.3;
const WARM_UP_SECONDS = 0.5;
const PATIENCE_MS = 20_000;
const RETRY_MS = 20;

const ours = (path) => [process.execPath, [MAIN, 'serve', '--qtest', `unix:${path}`]];
/** Its processor stopped and its log off, so that all it does is answer. */
const qemu = (path) => [
  QEMU,
  [
    ...['-M', 'powernv8', '-m', '2G', '-accel', 'tcg', '-S', '-display', 'none', '-serial', 'none', '-monitor', 'none'],
    ...['-qtest', `unix:${path},server=on,wait=off`, '-qtest-log', 'none'],
  ],
];

suite('qtest-socket', { unit: 'accesses/s', measure: () => compare(1) });
suite('qtest-socket-32', { unit: 'accesses/s', measure: () => compare(32) });

/** @param {number} perRequest commands that the client sends at once */
async function compare(perRequest) {
  const folder = mkdtempSync(join(tmpdir(), 'phbsim-qtest-'));
  const servers = [];
  const start = async (name, command) => {
    const path = join(folder, `${name}.sock`);
    const server = await Server.start(command(path), path, perRequest);
    servers.push(server);
    return server;
  };
  try {
    const phbsim = await start('phbsim', ours);
    const hasPeer = spawnSync(QEMU, ['--version'], { stdio: 'ignore' }).status === 0;
    const peer = hasPeer ? await start('qemu', qemu) : undefined;
    const checksum = await sameAnswers(phbsim, peer);
    for (const server of servers) await server.load.rate(WARM_UP_SECONDS);
    for (let round = 0; round < ROUNDS; round++) for (const server of servers) await server.measure();
    return { ...statistics(phbsim.rates), checksum, notes: [beside(phbsim, peer)] };
  } finally {
    for (const server of servers) server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function sameAnswers(phbsim, peer) {
  const checksum = await phbsim.load.round();
  const theirs = await peer?.load.round();
  if (theirs !== undefined && theirs !== checksum) throw new Error(`QEMU's answers differ: ${theirs}, not ${checksum}`);
  return checksum;
}

function beside(phbsim, peer) {
  if (peer === undefined) return `QEMU: not installed, so nothing to compare with (apt-get install qemu-system-ppc)`;
  const theirs = median(peer.rates);
  const ratio = median(phbsim.rates.map((rate, round) => rate / peer.rates[round]));
  return `QEMU: ${Math.round(theirs).toLocaleString('en-US')} accesses/s; phbsim is ${ratio.toFixed(2)}x as fast (wanted: at least 1)`;
}

class Server {
  rates = [];

  constructor(child, load) {
    this.child = child;
    this.load = load;
  }

  static async start([program, args], path, perRequest) {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors = `${errors}${chunk}`.slice(-2000);
    });
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return new Server(child, await QtestLoad.to(path, perRequest));
      } catch {
        if (child.exitCode !== null || performance.now() > deadline) {
          child.kill('SIGKILL');
          throw new Error(`${program} did not start: ${errors}`);
        }
        await new Promise((done) => setTimeout(done, RETRY_MS));
      }
    }
  }

  async measure() {
    this.rates.push(await this.load.rate(ROUND_SECONDS));
  }

  stop() {
    this.load.close();
    this.child.kill('SIGKILL');
  }
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

function statistics(rates) {
  const middle = median(rates);
  const spread = Math.max(...rates.map((rate) => Math.abs(rate - middle)));
  return { median: middle, samples: rates.length, rme: (100 * spread) / middle };
}
