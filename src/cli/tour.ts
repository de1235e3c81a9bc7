/** `phbsim tour`: the main job on the shipped inputs, as `npm start` runs it. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { runExplain } from './explain.js';
import { HOST_STREAMS, type Streams } from './host-streams.js';
import { runReplay } from './replay.js';
import { runRun } from './run.js';

interface Stop {
  readonly title: string;
  readonly about: string;
  readonly command: string;
  /** Path below the project's folder. */
  readonly input: string;
  readonly run: (path: string, streams: Streams) => number;
}

const STOPS: readonly Stop[] = [
  {
    title: 'Real firmware boots on the simulated chips',
    about:
      'Every register access of a recorded OPAL boot goes to three simulated PHB3s. Each value read is compared with the recording.',
    command: 'replay',
    input: 'scenarios/recordings/skiboot-boot-phb3.rec.gz',
    run: (path, streams) => runReplay(path, {}, streams),
  },
  {
    title: 'A network card writes past its mapping',
    about:
      'The bridge freezes the card and nothing else. Firmware finds it through registers, Linux recovers it, the neighbour never notices.',
    command: 'run',
    input: 'scenarios/dma-write-to-unmapped-page.yaml',
    run: (path, streams) => runRun([path], {}, streams),
  },
  {
    title: 'The error log of a real machine, explained',
    about: 'A register dump from a public kernel log, decoded bit by bit.',
    command: 'explain',
    input: 'scenarios/logs/110-phb4-nvme-6.15rc2-event1-pe1fa-1fb.txt',
    run: (path, streams) => runExplain(path, {}, streams),
  },
];

const PROJECT = new URL('../../', import.meta.url);
const RULE_WIDTH = 100;

/** As a person would type it from where they are. */
function pathOf(input: string): string {
  const path = fileURLToPath(new URL(input, PROJECT));
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') ? path : fromHere;
}

/** Runs every stop and returns the worst exit status. */
export function runTour(streams: Streams = HOST_STREAMS): number {
  let worst = 0;
  STOPS.forEach((stop, index) => {
    streams.out(
      [
        '='.repeat(RULE_WIDTH),
        `${index + 1}. ${stop.title}`,
        `   ${stop.about}`,
        `   $ phbsim ${stop.command} ${stop.input}`,
        '-'.repeat(RULE_WIDTH),
      ].join('\n'),
    );
    worst = Math.max(worst, stop.run(pathOf(stop.input), streams));
    streams.out('');
  });
  streams.out(
    worst === 0
      ? 'All three did what they should. Try your own: npx phbsim --help, and the five-minute tour in README.md.'
      : `Something is not as it should be (exit status ${worst}): the lines above say what.`,
  );
  return worst;
}

export function tourCommand(): Command {
  return new Command('tour')
    .description('run replay, run and explain on the shipped inputs')
    .addHelpText('after', ['', 'Examples:', '  phbsim tour', '  npm start'].join('\n'))
    .action(() => {
      process.exitCode = runTour();
    });
}
