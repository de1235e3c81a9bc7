import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Streams } from '../../src/cli/host-streams.js';
import { type ProfileOptions, profileCommand, runProfile } from '../../src/cli/profile.js';
import { runRun } from '../../src/cli/run.js';
import { runServe } from '../../src/cli/serve.js';
import { figuresOf, POWER8_TIMING, TIMING_GROUPS } from '../../src/machine/timing-profile.js';

const SLOW = 'name: slow\nphb3: { inbound-pipeline: { value: 1.5 us, known: derived, source: a scope } }\n';
const SCENARIO = [
  'name: short',
  'about: A card writes where it has no business.',
  'machine: { slots: { 1: { device: nic } }, profile: PROFILE }',
  'faults: []',
  'expect: [{ not-fenced: phb0 }]',
  'settle: 1 ms',
].join('\n');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'profile-'));
  mkdirSync(join(folder, 'below'));
  writeFileSync(join(folder, 'slow.yaml'), SLOW);
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function capture(): { streams: Streams; texts: { out: string; err: string } } {
  const texts = { out: '', err: '' };
  const streams: Streams = {
    readFile: (name) => (name === '-' ? new TextEncoder().encode(SLOW) : readFileSync(name)),
    writeFile: () => {},
    out: (text) => {
      texts.out += `${text}\n`;
    },
    err: (text) => {
      texts.err += `${text}\n`;
    },
    interactive: false,
  };
  return { streams, texts };
}

function profile(written?: string, options: ProfileOptions = {}): { status: number; out: string; err: string } {
  const { streams, texts } = capture();
  return { status: runProfile(written, options, streams), ...texts };
}

function scenario(named: string, options: { profile?: string } = {}): { status: number; out: string; err: string } {
  const { streams, texts } = capture();
  const path = file(join('below', 'short.yaml'), SCENARIO.replace('PROFILE', named));
  return { status: runRun([path], options, streams), ...texts };
}

describe('phbsim profile', () => {
  it('shows every figure of the default profile with value, grade and source', () => {
    const { status, out, err } = profile();
    expect([status, err]).toEqual([0, '']);
    expect(out).toMatch(/^profile power8: 59 figures\n/);
    expect(out).toContain('\nphb3: inside the bridge\n');
    expect(out).toMatch(/^ {2}outbound-timeout +16 ms {2}stated {3}skiboot hw\/phb3\.c: phb3_init_utl/m);
    expect(out).toMatch(/^ {2}replay-buffer +16384 bytes {2}assumed/m);
    expect(out.split('\n').filter((line) => line.startsWith('  '))).toHaveLength(59);
    expect(profile('power8').out).toBe(out);
  });

  it('marks what is other than by default, from a file or standard input', () => {
    const { out } = profile(join(folder, 'slow.yaml'));
    expect(out).toContain('profile slow: 59 figures, 1 of them (*) other than by default');
    expect(out).toMatch(/^\* inbound-pipeline +1\.5 us {2}derived {2}a scope$/m);
    expect(profile('-').out).toBe(out);
  });

  it('prints JSON with numbers', () => {
    const value = JSON.parse(profile(join(folder, 'slow.yaml'), { json: true }).out) as { figures: { hop: string }[] };
    const all = TIMING_GROUPS.flatMap((group) => Object.keys(figuresOf(POWER8_TIMING, group)));
    expect(value.figures).toHaveLength(all.length);
    expect(value.figures.find(({ hop }) => hop === 'phb3')).toEqual({
      ...{ hop: 'phb3', figure: 'inbound-pipeline', value: '1.5 us', number: 1500 },
      ...{ known: 'derived', source: 'a scope', differs: true },
    });
  });

  it('says what is wrong with a name, a path, and what is in the file', () => {
    expect(profile('powr8')).toEqual({
      ...{ status: 2, out: '' },
      err: 'phbsim profile: no profile is called "powr8". Did you mean power8? Shipped: power7, power8. A file of your own needs its path, such as ./powr8.yaml.\n',
    });
    expect(profile('./none.yaml').err).toContain('none.yaml: no such file');
    expect(profile(folder).err).toContain('is a directory: name one file');
    expect(profile(file('big.yaml', `name: ${'x'.repeat(300_000)}`)).err).toContain('a profile is a page of YAML');
    expect(profile(file('wrong.yaml', 'name: x\nphb3: { scom: 1 ns }')).err).toContain(
      'wrong.yaml:2:9  phb3 has no "scom"',
    );
  });

  it('has examples in its help', () => {
    let help = '';
    profileCommand()
      .configureOutput({
        writeOut: (text) => {
          help += text;
        },
      })
      .outputHelp();
    expect(help).toContain('Examples:\n  phbsim profile\n');
  });
});

describe('phbsim run', () => {
  it('finds the profile of a scenario from its folder, and names it', () => {
    expect(scenario('../slow.yaml').out).toContain('; timing profile "slow"');
    expect(scenario('power8').status).toBe(0);
  });

  it('takes another one from the command line, and says how to run the same again', () => {
    const own = scenario('../slow.yaml');
    const path = join(folder, 'slow.yaml');
    const other = scenario('power8', { profile: path });
    expect(other.out).toContain(
      `again: phbsim run ${join(folder, 'below', 'short.yaml')} --profile ${path} --seed short`,
    );
    expect(other.out).toContain(/digest \w+/.exec(own.out)![0]);
  });

  it('refuses a scenario whose profile is not there', () => {
    expect(scenario('./slow.yaml').err).toContain('short.yaml:3:52');
    expect(scenario('./slow.yaml').err).toContain('slow.yaml: no such file');
    expect(scenario('fast').err).toContain('no profile is called "fast"');
    expect(scenario('power8', { profile: 'fast' })).toEqual(expect.objectContaining({ status: 2, out: '' }));
  });
});

describe('phbsim serve', () => {
  const serve = async (machine: string): Promise<{ status: number; err: string }> => {
    const { streams, texts } = capture();
    const path = file('machine.yaml', machine);
    const options = { qtest: `unix:${join(folder, 'socket')}`, machine: path };
    const status = await runServe(options, streams, () => Promise.resolve('stopped'));
    return { status, err: texts.err };
  };

  it('takes a profile from the machine file', async () => {
    expect((await serve('{ phbs: 1, profile: ./slow.yaml }')).status).toBe(0);
    expect(await serve('{ phbs: 1, profile: slow }')).toEqual({
      status: 2,
      err: expect.stringContaining('machine.yaml:1:21  no profile is called "slow"') as string,
    });
  });
});
