// How fast `phbsim explain` reads a large log: ordinary system messages, an EEH event with its dump here and there.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LogStream } from '../dist/diag/explain.js';
import { suite } from './suite.mjs';

const ROUNDS = 7;
const MEGABYTES = 160;
const PIECE_LINES = 8_000;
/** So many pieces of ordinary lines for each event. */
const QUIET_PIECES = 16;
const LOGS = join(import.meta.dirname, '..', 'scenarios', 'logs');

const SENTENCES = [
  'systemd[1]: Started Session 4711 of user root.',
  'kernel: usb 1-1: new high-speed USB device number 3 using xhci_hcd',
  'sshd[22793]: Accepted publickey for root from 192.0.2.7 port 51122 ssh2: RSA SHA256:Qm9ndXM',
  'kernel: EXT4-fs (nvme0n1p2): mounted filesystem with ordered data mode. Opts: (null)',
  'CRON[990]: (root) CMD (run-parts --report /etc/cron.hourly)',
  'kernel: IPv6: ADDRCONF(NETDEV_CHANGE): enP4p1s0f0: link becomes ready',
];

/** @param {number} from number of the first line */
function quietPiece(from) {
  const lines = [];
  for (let i = from; i < from + PIECE_LINES; i++) {
    const seconds = String(i % 60).padStart(2, '0');
    lines.push(`Dec 20 21:11:${seconds} host ${SENTENCES[i % SENTENCES.length]}`);
  }
  return Buffer.from(`${lines.join('\n')}\n`);
}

function measure() {
  const quiet = quietPiece(0);
  const events = readdirSync(LOGS)
    .filter((name) => name.endsWith('.txt'))
    .sort()
    .map((name) => readFileSync(join(LOGS, name)));
  const rates = [];
  let checksum = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    const { bytes, found } = readAll(quiet, events);
    rates.push(bytes / 1e6 / (Number(process.hrtime.bigint() - start) / 1e9));
    checksum = found;
  }
  rates.sort((a, b) => a - b);
  const median = rates[rates.length >> 1];
  const rme = (100 * (rates.at(-1) - rates[0])) / 2 / median;
  const memory = Math.round(process.memoryUsage().rss / 1e6);
  return { median, samples: rates.length, rme, checksum, notes: [`${MEGABYTES} MB a round, ${memory} MB of memory`] };
}

function readAll(quiet, events) {
  const stream = new LogStream();
  let bytes = 0;
  for (let piece = 0; bytes < MEGABYTES * 1e6; piece++) {
    const next = piece % QUIET_PIECES === 0 ? events[(piece / QUIET_PIECES) % events.length] : quiet;
    stream.push(next);
    bytes += next.length;
  }
  const { events: found, lineCount } = stream.finish();
  return { bytes, found: found.length * 1_000_000 + (lineCount % 1_000_000) };
}

suite('explain-throughput', { unit: 'MB/s', measure: async () => measure() });
