// npm run bench:peers: the same PHOLD in phbsim, SystemC, ns-3 and SimPy, side by side in one run; prints how much faster phbsim is.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { readOptions } from './options.mjs';
import { ensureBuilt, ROOT } from './setup.mjs';

const PEERS = join(ROOT, 'bench', 'peers');
const SIZES = [1024, 65536];
const DEFAULT_EVENTS = 2_000_000;
const PYTHON = '/usr/bin/python3';

const options = await readOptions(
  'bench:peers',
  'Runs the same PHOLD in phbsim, SystemC, ns-3 and SimPy, side by side, and prints how much faster phbsim is.',
  [
    [
      '--json <file>',
      'also writes {"phold-1024": {"systemc": ratio, "ns3": ratio, "simpy": ratio}, "phold-65536": {...}}',
    ],
    ['--rounds <n>', 'rounds per peer; the fastest of each counts: it was disturbed least', '5'],
    ['--events <n>', 'events measured in a round, after a quarter as many to warm up', String(DEFAULT_EVENTS)],
  ],
  ['npm run bench:peers', 'npm run bench:peers -- --rounds 2 --events 500000'],
);
const rounds = wholeNumber('rounds');
const events = wholeNumber('events');
const warmUpEvents = Math.ceil(events / 4);

ensureBuilt();
const folder = mkdtempSync(join(tmpdir(), 'phbsim-peers-'));
try {
  compareAll(findPeers());
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function wholeNumber(option) {
  const value = Number(options[option]);
  if (Number.isInteger(value) && value >= 1) return value;
  console.error(`--${option} ${options[option]}: a whole number from 1 up`);
  process.exit(1);
}

/** Every peer that is installed; says what is not, and how to get it. A peer has one or more variants: the fastest one counts. */
function findPeers() {
  const candidates = [
    {
      name: 'systemc',
      title: 'SystemC (peq_with_get)',
      install: 'apt-get install g++ libsystemc-dev',
      find: findSystemC,
    },
    { name: 'ns3', title: 'ns-3 (default scheduler)', install: 'apt-get install g++ libns3-dev', find: findNs3 },
    { name: 'simpy', title: 'SimPy 2', install: 'apt-get install python3-simpy', find: findSimPy, mostRounds: 2 },
  ];
  const peers = [];
  for (const candidate of candidates) {
    const { variants, missing } = candidate.find();
    if (missing === undefined) peers.push({ mostRounds: rounds, ...candidate, variants });
    else console.log(`skipped ${candidate.title}: ${missing}. To install: ${candidate.install}`);
  }
  return peers;
}

function findSystemC() {
  const missing = compile('phold-systemc.cpp', 'systemc', [['-lsystemc']]);
  const program = [join(folder, 'systemc')];
  // With a queue for each process, events of one instant may run in another order, so only "shared" must give our checksum.
  return {
    missing,
    variants: [
      { label: 'one queue', command: program, extra: ['shared'] },
      { label: 'a queue each', command: program, extra: ['each'], ownOrder: true },
    ],
  };
}

function findNs3() {
  const missing = compile('phold-ns3.cc', 'ns3', [['-lns3-core'], ['-lns3.37-core'], pkgConfig('ns3-core')]);
  return { missing, variants: [{ label: '', command: [join(folder, 'ns3')], extra: [] }] };
}

function findSimPy() {
  const { error, status } = spawnSync(PYTHON, ['-c', 'import SimPy.Simulation'], { stdio: 'ignore' });
  const missing = error !== undefined ? `no ${PYTHON}` : status !== 0 ? `${PYTHON} has no module SimPy` : undefined;
  return { missing, variants: [{ label: '', command: [PYTHON, join(PEERS, 'phold-simpy.py')], extra: [] }] };
}

/** Tries the sets of flags in turn; gives the first error of the last, or undefined if one worked. */
function compile(source, program, flagSets) {
  let problem;
  for (const flags of flagSets) {
    const args = ['-O2', '-o', join(folder, program), join(PEERS, source), ...flags];
    const { error, status, stderr } = spawnSync('g++', args, { encoding: 'utf8' });
    if (error !== undefined) return 'no g++';
    if (status === 0) return undefined;
    problem ??=
      stderr.split('\n').find((line) => line.includes('error') || line.includes('cannot find')) ?? 'g++ failed';
  }
  return problem.trim();
}

function pkgConfig(library) {
  const { stdout } = spawnSync('pkg-config', ['--cflags', '--libs', library], { encoding: 'utf8' });
  return (stdout ?? '')
    .trim()
    .split(/\s+/)
    .filter((flag) => flag !== '');
}

function compareAll(peers) {
  console.log(`machine: ${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}`);
  console.log(
    `${events.toLocaleString('en-US')} events after ${warmUpEvents.toLocaleString('en-US')} to warm up; the fastest of ${rounds} rounds`,
  );
  const report = {};
  for (const size of SIZES) report[`phold-${size}`] = compare(size, peers);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
}

function compare(size, peers) {
  const ours = [];
  const runs = peers.flatMap((peer) => peer.variants.map((variant) => ({ peer, variant, seconds: [] })));
  for (let round = 0; round < rounds; round++) {
    const own = measure([process.execPath, join(PEERS, 'phold-phbsim.mjs')], size, []);
    ours.push(own.seconds);
    for (const run of runs) {
      if (round >= run.peer.mostRounds) continue;
      const { command, extra, ownOrder } = run.variant;
      const theirs = measure(command, size, extra);
      if (ownOrder !== true && theirs.checksum !== own.checksum) {
        throw new Error(
          `${run.peer.title} did other work than phbsim: checksum ${theirs.checksum}, not ${own.checksum}`,
        );
      }
      run.seconds.push(theirs.seconds);
    }
  }
  console.log(`\nphold-${size}`);
  console.log(`  ${'phbsim (trace and digest on)'.padEnd(40)} ${rate(Math.min(...ours))}`);
  const ratio = ({ seconds }) => Math.min(...seconds) / Math.min(...ours);
  for (const run of runs) {
    const { peer, variant, seconds } = run;
    const title = variant.label === '' ? peer.title : `${peer.title}, ${variant.label}`;
    console.log(`  ${title.padEnd(40)} ${rate(Math.min(...seconds))}   phbsim is ${ratio(run).toFixed(2)}x as fast`);
  }
  const best = (peer) => Math.min(...runs.filter((run) => run.peer === peer).map(ratio));
  return Object.fromEntries(peers.map((peer) => [peer.name, best(peer)]));
}

function measure([program, ...args], size, extra) {
  const all = [...args, size, warmUpEvents, events, ...extra].map(String);
  const { error, status, stdout, stderr } = spawnSync(program, all, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ended with status ${status}:\n${stderr}`);
  return JSON.parse(stdout.slice(stdout.indexOf('{')));
}

function rate(seconds) {
  return `${Math.round(events / seconds)
    .toLocaleString('en-US')
    .padStart(11)} events/s`;
}
