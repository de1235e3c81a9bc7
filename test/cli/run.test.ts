import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Streams } from '../../src/cli/host-streams.js';
import { listFaults, type RunOptions, runCommand, runRun } from '../../src/cli/run.js';
import { FAULT_KINDS } from '../../src/faults/catalogue.js';

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

function run(path: string, options: RunOptions = {}): { status: number; out: string; err: string } {
  const texts = { out: '', err: '' };
  const streams: Streams = {
    readFile: (name) => (name === '-' ? new TextEncoder().encode(SHORT) : readFileSync(name)),
    writeFile: () => {},
    out: (text) => {
      texts.out += `${text}\n`;
    },
    err: (text) => {
      texts.err += `${text}\n`;
    },
    interactive: false,
  };
  return { status: runRun(path, options, streams), ...texts };
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
    expect(out).toContain("again: phbsim run - --seed 'it'\\''s me'");
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
