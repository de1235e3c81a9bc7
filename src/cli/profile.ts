/** `phbsim profile [name-or-file]`: where the nanoseconds of a machine come from, figure by figure. */
import { Command } from 'commander';
import {
  figuresOf,
  formatFigure,
  keyOf,
  POWER8_TIMING,
  TIMING_GROUPS,
  type TimingGroup,
  type TimingProfile,
} from '../machine/timing-profile.js';
import { ScenarioError } from '../scenario/problems.js';
import { HOST_STREAMS, type TextStreams, UnreadableInputError } from './host-streams.js';
import { profileFrom } from './profile-files.js';

export interface ProfileOptions {
  readonly json?: boolean;
}

interface Row {
  readonly hop: string;
  readonly figure: string;
  readonly value: string;
  /** In ns, bytes, or a number of things. */
  readonly number: number;
  readonly known: string;
  readonly source: string;
  readonly differs: boolean;
}

const HOPS: Readonly<Record<TimingGroup, string>> = {
  bus: 'a processor to the chip',
  phb3: 'inside the bridge',
  p7ioc: 'inside the bridges of a POWER7',
  link: 'each link, with the buffers at its ends',
  endpoint: 'each card',
  switch: 'through a switch',
  pciBridge: 'through a bridge to conventional PCI',
  pciBus: 'the bus below it',
  edu: "QEMU's educational device",
  nvme: 'the disk',
};

function rowsOf(profile: TimingProfile, group: TimingGroup): Row[] {
  const defaults = figuresOf(POWER8_TIMING, group);
  return Object.entries(figuresOf(profile, group)).map(([name, { value, known, source }]) => ({
    ...{ hop: keyOf(group), figure: keyOf(name), value: formatFigure(name, value), number: value, known, source },
    differs: value !== defaults[name]!.value,
  }));
}

/** Exit status: 0 shown, 2 the profile cannot be read. */
export function runProfile(
  written: string | undefined,
  options: ProfileOptions,
  streams: TextStreams = HOST_STREAMS,
): number {
  try {
    const profile = written === undefined ? POWER8_TIMING : profileFrom(written, streams);
    streams.out(options.json === true ? toJson(profile) : formatProfile(profile));
    return 0;
  } catch (error) {
    if (error instanceof ScenarioError) streams.err(error.message);
    else if (error instanceof UnreadableInputError) streams.err(`phbsim profile: ${error.message}`);
    else throw error;
    return 2;
  }
}

function toJson(profile: TimingProfile): string {
  const figures = TIMING_GROUPS.flatMap((group) => rowsOf(profile, group));
  return JSON.stringify({ name: profile.name, figures }, undefined, 2);
}

function formatProfile(profile: TimingProfile): string {
  const groups = TIMING_GROUPS.map((group) => ({ group, rows: rowsOf(profile, group) }));
  const all = groups.flatMap(({ rows }) => rows);
  const width = (column: 'figure' | 'value' | 'known'): number => Math.max(...all.map((row) => row[column].length));
  const [figures, values, grades] = [width('figure'), width('value'), width('known')];
  const line = ({ figure, value, known, source, differs }: Row): string =>
    `${differs ? '*' : ' '} ${figure.padEnd(figures)}  ${value.padStart(values)}  ${known.padEnd(grades)}  ${source}`;
  const changed = all.filter((row) => row.differs).length;
  return [
    `profile ${profile.name}: ${all.length} figures${changed === 0 ? '' : `, ${changed} of them (*) other than by default`}`,
    ...groups.flatMap(({ group, rows }) => ['', `${keyOf(group)}: ${HOPS[group]}`, ...rows.map(line)]),
  ].join('\n');
}

export function profileCommand(): Command {
  return new Command('profile')
    .description('show a timing profile: latencies and buffers hop by hop, with grade and source')
    .argument('[name-or-file]', 'a shipped profile, or a file (YAML); - reads standard input', 'power8')
    .option('--json', 'print as JSON; numbers are in ns, bytes, or pieces')
    .addHelpText(
      'after',
      [
        '',
        'A profile of your own has a name, and the figures that differ; the others are those of power8:',
        '  name: slow-bridge',
        '  phb3: { inbound-pipeline: 120 ns, table-fetch: { value: 400 ns, known: stated, source: my measurement } }',
        'Copy profiles/power8.yaml to change many. Scenarios name one in machine: { profile: ./slow-bridge.yaml }.',
        '',
        'Exit status: 0 shown; 2 the profile cannot be read.',
        '',
        'Examples:',
        '  phbsim profile',
        '  phbsim profile ./slow-bridge.yaml',
        '  phbsim profile --json | jq \'.figures[] | select(.known == "assumed")\'',
        '  phbsim run scenarios/link-lost.yaml --profile ./slow-bridge.yaml',
      ].join('\n'),
    )
    .action((written: string | undefined, options: ProfileOptions) => {
      process.exitCode = runProfile(written, options);
    });
}
