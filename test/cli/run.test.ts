import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Streams } from '../../src/cli/host-streams.js';
import { listActions, listFaults, type RunOptions, runCommand, runRun } from '../../src/cli/run.js';
import { progressOf } from '../../src/cli/run-progress.js';
import { FAULT_KINDS } from '../../src/faults/catalogue.js';
import { ACTION_KINDS } from '../../src/scenario/action.js';
import { readScenario } from '../../src/scenario/read-scenario.js';
import { type RunProgress, runScenario } from '../../src/scenario/runner.js';

const MAIN = join(import.meta.dirname, '../../scenarios/dma-write-to-unmapped-page.yaml');
const SHORT = [
  'name: short',
  'about: A card writes where it has no business.',
  'machine: { slots: { 1: { device: nic, driver: recovering }, 2: { device: nic, driver: recovering } } }',
  'faults: [{ at: 5 ms, kind: dma-write-unmapped, device: slot1 }]',
  'expect: [{ freeze: slot1, within: 10 us }]',
  'settle: 5 ms',
].join('\n');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
  readonly files: ReadonlyMap<string, string>;
}

function run(path: string | readonly string[], options: RunOptions = {}): Outcome {
  const texts = { out: '', err: '' };
  const files = new Map<string, string>();
  const streams: Streams = {
    readFile: (name) => (name === '-' ? new TextEncoder().encode(SHORT) : readFileSync(name)),
    writeFile: (name, data) => {
      if (name.includes('nowhere')) throw Object.assign(new Error('no'), { code: 'ENOENT' });
      files.set(name, new TextDecoder().decode(data));
    },
    out: (text) => {
      texts.out += `${text}\n`;
    },
    err: (text) => {
      texts.err += `${text}\n`;
    },
    interactive: false,
  };
  const status = runRun(typeof path === 'string' ? [path] : path, options, streams);
  return { status, ...texts, files };
}

describe('phbsim run', () => {
  it('tells what happened, the traffic, the log, what was expected, digest and how to run it again', () => {
    const { status, out, err } = run(MAIN);
    expect([status, err]).toEqual([0, '']);
    const places = [
      'dma-write-to-unmapped-page\n',
      'slot1  nic  0000:03:00.0, PHB0 PE fb  driver: recovering',
      'What happened',
      'fault: dma-write-unmapped',
      'tce-page-fault',
      'FROZEN  PESTA 8000b03a03000000',
      'reads PEEV[3] -> 0000000000000010',
      'EEH: Frozen PE#fb on PHB#0 detected',
      'EEH: Recovery successful.',
      'the driver receives again',
      'Packets the drivers received',
      "The kernel's log since the fault",
      'PE[0fb] A/B: 8000b03a03000000',
      'Expected',
      '5 of 5 expectations met',
      `again: phbsim run ${MAIN} --seed dma-write-to-unmapped-page`,
    ].map((text) => out.indexOf(text));
    expect(places.every((place, i) => place > (places[i - 1] ?? -1))).toBe(true);
    expect(out).toMatch(/^digest [0-9a-f]{16} /m);
  });

  it('gives the same facts as JSON', () => {
    const { status, out } = run(file('short.yaml', SHORT), { json: true });
    const value = JSON.parse(out);
    expect(status).toBe(0);
    expect(value).toMatchObject({
      ...{
        name: 'short',
        seed: 'short',
        met: true,
        phases: [{ name: 'before' }, { name: 'during' }, { name: 'after' }],
      },
      expectations: [{ kind: 'freeze', state: 'met', timeNs: 5_000_414.75, text: 'freeze: slot1, within: 10 us' }],
      slots: [
        { name: 'slot1', phb: 0, pe: 0xfb, device: '0000:03:00.0', driver: 'recovering' },
        { name: 'slot2', phb: 0, pe: 0xfa, device: '0000:04:00.0', driver: 'recovering' },
      ],
      freezes: [
        { timeNs: 5_000_414.75, phb: 0, pe: 0xfb, who: ['slot1'], cause: 'tce-page-fault', pestA: '8000b03a03000000' },
      ],
    });
    expect(value.timeline[0]).toMatchObject({ timeNs: 5_000_000, who: 'slot1' });
    expect(value.digest).toMatch(/^[0-9a-f]{16}$/);
  });

  it('has exit status 1 when something was not as expected, and says what', () => {
    const { status, out } = run(file('other.yaml', SHORT.replace('freeze: slot1', 'freeze: slot2')));
    expect(status).toBe(1);
    expect(out).toContain('NOT MET  freeze: slot2, within: 10 us  its PE never froze');
    expect(out).toContain('0 of 1 expectations met');
  });

  it('has exit status 2 for a file that is no scenario, or none at all', () => {
    const bad = run(file('bad.yaml', SHORT.replace('dma-write-unmapped', 'dma-unmaped')));
    expect([bad.status, bad.out]).toEqual([2, '']);
    expect(bad.err).toContain('bad.yaml:4:28  unknown fault kind "dma-unmaped"');
    expect(bad.err).toContain('^ did you mean dma-write-unmapped?');
    const none = run(join(folder, 'none.yaml'));
    expect(none.status).toBe(2);
    expect(none.err).toContain('none.yaml: no such file: check the path');
  });

  it('has exit status 2 for binary data, and prints none of it', () => {
    const path = join(folder, 'binary.yaml');
    writeFileSync(path, Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 0x1b, 0x5b]));
    const { status, err } = run(path);
    expect(status).toBe(2);
    expect(err).toMatch(/^phbsim run: \S+binary\.yaml: binary data, no scenario: give a YAML text/);
    expect(run(file('zero.yaml', `${SHORT}\n# \u0000`)).err).toContain('zero.yaml: binary data');
  });

  it('reads a scenario that an editor saved as UTF-16', () => {
    const path = join(folder, 'utf16.yaml');
    writeFileSync(path, Buffer.from(`\ufeff${SHORT}`, 'utf16le'));
    expect(run(path, { timeline: true }).out).toContain('FROZEN');
  });

  it('reads standard input, takes another seed, and quotes it where a shell would not', () => {
    const { out } = run('-', { seed: "it's me" });
    expect(out).toContain('seed "it\'s me"');
    expect(out).toContain("again: phbsim run - --seed 'it'\\''s me' < FILE  # FILE: what came on standard input");
  });

  it('shows the timeline alone, the whole logs, and the last records, as asked', () => {
    const path = file('short.yaml', SHORT);
    const { out: timeline } = run(path, { timeline: true });
    expect(timeline.split('\n')[0]).toMatch(/^ +5\.000 000 ms {2}slot1 +fault: dma-write-unmapped {2}[0-9a-f]{16}$/);
    expect(timeline).not.toContain('digest');
    const { out: log } = run(path, { log: true });
    expect(log).toContain('EEH: PowerNV platform initialized');
    expect(run(path).out).not.toContain('EEH: PowerNV platform initialized');
    const { out: trace } = run(path, { trace: 7 });
    const tail = trace.split('The last 7 trace records')[1]!.split('\n').slice(1, 8);
    expect(tail.every((line) => /^ *\d+\.\d{3} \d{3} ms {2}\S/.test(line))).toBe(true);
  });

  it('lists every kind of fault with its parameters', () => {
    const text = listFaults();
    for (const kind of FAULT_KINDS) expect(text).toContain(`${kind}  (`);
    expect(text).toContain('    bytes: length of the access, 1 to 4096, default 64');
    expect(text).toContain('err-fatal  (card, switch)');
  });
});

describe('several scenarios', () => {
  function folderOf(name: string, texts: Readonly<Record<string, string>>): string {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true });
    for (const [each, text] of Object.entries(texts)) writeFileSync(join(path, each), text);
    return path;
  }
  const WRONG = SHORT.replace('name: short', 'name: wrong').replace('freeze: slot1', 'freeze: slot2');

  it('of a folder run in the order of their names, each with a line, and what was wrong', () => {
    const path = folderOf('mixed', { 'b.yaml': WRONG, 'a.yml': SHORT, 'notes.txt': 'no scenario' });
    mkdirSync(join(path, 'sub.yaml'), { recursive: true });
    const { status, out, err } = run(path);
    expect([status, err]).toEqual([1, '']);
    const lines = out.split('\n');
    expect(lines[0]).toMatch(/^met {6}short {2,}1 of 1 {2}digest [0-9a-f]{16} {2}\d+\.\d{3} \d{3} ms$/);
    expect(lines[1]).toMatch(/^NOT MET {2}wrong {2,}0 of 1 {2}digest /);
    expect(lines.slice(2)).toEqual([
      '         expected: freeze: slot2, within: 10 us',
      '         seen:     its PE never froze',
      `         again:    phbsim run ${join(path, 'b.yaml')} --seed wrong`,
      '',
      '1 of 2 scenarios went as they say',
      '',
    ]);
  });

  it('go on after one that cannot be read, and the status says so', () => {
    const path = file('short.yaml', SHORT);
    const { status, out, err } = run([file('bad.yaml', 'name: 7'), path, join(folder, 'gone.yaml')]);
    expect(status).toBe(2);
    expect(err).toContain('bad.yaml:1:1');
    expect(err).toContain('phbsim run: ');
    expect(out).toContain('1 of 3 scenarios went as they say, 2 could not be read');
  });

  it('are a list in JSON, with those that cannot be read', () => {
    const { status, out } = run([file('bad.yaml', 'name: 7'), file('short.yaml', SHORT)], { json: true });
    const value = JSON.parse(out) as { name?: string; file?: string; error?: string }[];
    expect(status).toBe(2);
    expect(value.map(({ name }) => name)).toEqual([undefined, 'short']);
    expect(value[0]!.error).toContain('bad.yaml:1:1');
    expect(JSON.parse(run(folderOf('one', { 'a.yaml': SHORT }), { json: true }).out)).toHaveLength(1);
  });

  it('are shown in full where a part of the report is asked for', () => {
    const path = file('short.yaml', SHORT);
    const { out } = run([path, path], { timeline: true });
    expect(out.match(/fault: dma-write-unmapped/g)).toHaveLength(2);
    expect(run([path, path], { log: true }).out).toContain('EEH: PowerNV platform initialized');
  });

  it('of a folder without any are a mistake', () => {
    const { status, err } = run(folderOf('empty', {}));
    expect(status).toBe(2);
    expect(err).toMatch(/^phbsim run: \S+empty: no scenario in it: no file ends in \.yaml$/m);
  });
});

describe('--junit', () => {
  it('writes the outcome beside the report', () => {
    const { status, out, files } = run(file('short.yaml', SHORT), { junit: 'results.xml' });
    expect(status).toBe(0);
    expect(out).toContain('1 of 1 expectations met');
    expect(files.get('results.xml')).toContain('<testcase name="freeze: slot1, within: 10 us" classname="short"');
  });

  it('has exit status 2 where it cannot be written', () => {
    const { status, err } = run(file('short.yaml', SHORT), { junit: 'nowhere/results.xml' });
    expect([status, err]).toEqual([2, 'phbsim run: nowhere/results.xml: no such folder: make it first\n']);
  });
});

describe('progress', () => {
  it('is drawn while somebody watches, and goes on to the end', () => {
    const told: RunProgress[] = [];
    const scenario = readScenario('short.yaml', SHORT);
    runScenario(scenario, { onProgress: (each) => told.push(each) });
    expect(told.length).toBeGreaterThan(5);
    expect(told.every(({ nowNs, lastNs }) => nowNs <= lastNs)).toBe(true);
    expect(told.at(-1)).toMatchObject({ decided: 1, expectations: 1 });
    const bar = progressOf(2, { ...SILENT, interactive: true });
    expect(() => {
      bar.begin('a.yaml');
      bar.update(told[0]!);
      bar.end();
    }).not.toThrow();
    const nobody = progressOf(1, SILENT);
    nobody.begin('a.yaml');
    nobody.update(told[0]!);
    nobody.end();
  });
});

const SILENT: Streams = {
  readFile: () => new Uint8Array(),
  writeFile: () => {},
  out: () => {},
  err: () => {},
  interactive: false,
};

describe('the command', () => {
  function parse(...args: string[]): { out: string; err: string } {
    const texts = { out: '', err: '' };
    const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      texts.out += String(text);
      return true;
    });
    const command = runCommand()
      .exitOverride()
      .configureOutput({ writeErr: (text) => (texts.err += text) });
    try {
      command.parse(['node', 'phbsim', ...args]);
    } catch (error) {
      texts.err += (error as Error).message;
    } finally {
      out.mockRestore();
    }
    return texts;
  }

  it('runs a file and sets the exit status', () => {
    const before = process.exitCode;
    const { out } = parse(file('short.yaml', SHORT.replace('freeze: slot1', 'freeze: slot2')), '--timeline');
    expect([process.exitCode, out.includes('FROZEN')]).toEqual([1, true]);
    process.exitCode = before;
  });

  it('lists what an operator can do', () => {
    const text = listActions();
    for (const kind of ACTION_KINDS) expect(text).toMatch(new RegExp(`^${kind}(  \\(|$)`, 'm'));
    expect(text).toContain('write  (file, value)');
    expect(Object.keys(JSON.parse(parse('--actions', '--json').out) as object)).toEqual([...ACTION_KINDS]);
  });

  it('lists faults, and wants a file otherwise', () => {
    expect(parse('--faults').out).toContain('link-lost');
    expect(Object.keys(JSON.parse(parse('--faults', '--json').out) as object)).toEqual([...FAULT_KINDS]);
    expect(parse().err).toContain('phbsim run: name a scenario file');
  });

  it('refuses a count of records that is none', () => {
    expect(parse('x.yaml', '--trace', 'all').err).toContain('give a whole number from 1 to 1000000.');
    expect(parse('x.yaml', '--trace', '0').err).toContain('give a whole number from 1 to 1000000.');
  });
});
