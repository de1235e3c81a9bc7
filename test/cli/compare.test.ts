import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { compareCommand, runCompareFirmware } from '../../src/cli/compare.js';
import type { Streams } from '../../src/cli/host-streams.js';
import { program, runCommandLine } from '../../src/cli/program.js';

const SHIPPED = 'scenarios/recordings/skiboot-calls-phb3.calls.gz';

class Captured implements Streams {
  readonly interactive = false;
  stdout = '';
  stderr = '';
  constructor(private readonly files: Readonly<Record<string, string>> = {}) {}
  readFile = (path: string): Uint8Array =>
    this.files[path] === undefined ? readFileSync(path) : new TextEncoder().encode(this.files[path]);
  writeFile = (): void => {};
  out = (text: string): void => {
    this.stdout += `${text}\n`;
  };
  err = (text: string): void => {
    this.stderr += `${text}\n`;
  };
}

/** The recording with one line of the boot changed. */
function deviating(): Captured {
  const text = gunzipSync(readFileSync(SHIPPED)).toString();
  const wrong = text.replace('\nW nest 1a 8 100000000000000\n', '\nW nest 1a 8 200000000000000\n');
  expect(wrong).not.toBe(text);
  return new Captured({ 'wrong.calls': wrong });
}

describe('phbsim compare firmware', () => {
  it('compares the shipped recording of each chip, by itself or after the other', () => {
    const both = new Captured();
    const one = new Captured();
    expect(runCompareFirmware(undefined, {}, both)).toBe(0);
    expect(runCompareFirmware('p7ioc', {}, one)).toBe(0);
    expect(both.stdout.match(/^Recording {2}\S+:/gm)).toEqual([
      'Recording  skiboot-calls-phb3:',
      'Recording  skiboot-calls-p7ioc:',
    ]);
    expect(one.stdout).toContain('93 of 93 phases are the same');
    expect(both.stdout).toContain(one.stdout);
  });

  it('shows a phase of whichever recording has it, and all of them as a list', () => {
    const phase = new Captured();
    expect(runCompareFirmware(undefined, { phase: '77-hub_diag' }, phase)).toBe(0);
    expect(phase.stdout).toMatch(/^OPAL_PCI_GET_HUB_DIAG_DATA\(1, 200000000, 8000\)$/m);
    const json = new Captured();
    runCompareFirmware(undefined, { json: true, phase: '01-probe_init_hw' }, json);
    expect((JSON.parse(json.stdout) as { recording: string }[]).map(({ recording }) => recording)).toEqual([
      'skiboot-calls-phb3',
      'skiboot-calls-p7ioc',
    ]);
  });

  it('compares the shipped recording, a row a phase, and exits with 0', () => {
    const streams = new Captured();
    expect(runCompareFirmware(undefined, {}, streams)).toBe(0);
    const lines = streams.stdout.split('\n');
    expect(lines.find((line) => line.startsWith('phase'))).toMatch(
      /calls +accesses +same +different +missing +extra +reason$/,
    );
    expect(lines.find((line) => line.startsWith('79-reset_complete '))).toMatch(/ 8 +2,666 +2,666 +0 +0 +0$/);
    expect(streams.stdout).toContain('89 of 89 phases are the same');
    expect(streams.stdout).toContain('Profile    skiboot');
  });

  it('shows the accesses of one phase side by side', () => {
    const streams = new Captured();
    expect(runCompareFirmware(SHIPPED, { phase: '20-lsi_set_xive' }, streams)).toBe(0);
    expect(streams.stdout).toContain('OPAL_SET_XIVE(ff8, 20, 5)');
    expect(streams.stdout).toMatch(/^ {2}W PHB_IODA_ADDR (\w+) +W PHB_IODA_ADDR \1$/m);
    expect(streams.stdout).toMatch(/^ {2}returns 0 +returns 0$/m);
    expect(streams.stdout).not.toContain('OPAL_PCI_RESET');
  });

  it('exits with 1 where something is unexplained, and says where', () => {
    const streams = deviating();
    expect(runCompareFirmware('wrong.calls', {}, streams)).toBe(1);
    expect(streams.stdout).toMatch(/^01-probe_init_hw .* 1 +0 +0 {2}1 UNEXPLAINED$/m);
    expect(streams.stdout).toContain('1 difference is unexplained; --phase NAME shows more.');
    const detail = deviating();
    expect(runCompareFirmware('wrong.calls', { phase: '01-probe_init_hw' }, detail)).toBe(1);
    expect(detail.stdout).toMatch(
      /^\* W IRSN_COMPARE 0200000000000000 +W IRSN_COMPARE 0100000000000000 {2}\[UNEXPLAINED\]$/m,
    );
  });

  it('prints JSON', () => {
    const streams = deviating();
    expect(runCompareFirmware('wrong.calls', { json: true }, streams)).toBe(1);
    const json = JSON.parse(streams.stdout) as { explained: boolean; phases: { name: string; differences: number }[] };
    expect(json.explained).toBe(false);
    expect(json.phases.filter((phase) => phase.differences > 0).map((phase) => phase.name)).toEqual([
      '01-probe_init_hw',
    ]);
    const one = new Captured();
    runCompareFirmware(SHIPPED, { json: true, phase: '06-set_pe' }, one);
    expect((JSON.parse(one.stdout) as { phases: unknown[] }).phases).toHaveLength(1);
  });

  it('has the mended firmware differ only for reasons that are declared', () => {
    const streams = new Captured();
    expect(runCompareFirmware(SHIPPED, { profile: 'corrected' }, streams)).toBe(0);
    expect(streams.stdout).toContain('Profile    corrected');
    expect(streams.stdout).not.toContain('UNEXPLAINED');
  });

  it('exits with 2 where the recording or the phase cannot be found, and helps', () => {
    const missing = new Captured();
    expect(runCompareFirmware('nowhere.calls', {}, missing)).toBe(2);
    expect(missing.stderr).toContain('phbsim compare firmware: nowhere.calls: no such file');
    expect(missing.stderr).not.toContain('come with phbsim');
    const chip = new Captured();
    expect(runCompareFirmware('phb4', {}, chip)).toBe(2);
    expect(chip.stderr).toContain('phb4: no such file');
    expect(chip.stderr).toContain('the recordings that come with phbsim are phb3 and p7ioc');
    const other = new Captured();
    expect(runCompareFirmware('scenarios/link-lost.yaml', {}, other)).toBe(2);
    expect(other.stderr).toContain('scenarios/link-lost.yaml:1  this is no recording of firmware calls');
    const phase = new Captured();
    expect(runCompareFirmware(SHIPPED, { phase: '99' }, phase)).toBe(2);
    expect(phase.stderr).toContain('no phase "99"; the phases are 01-probe_init_hw, ');
  });
});

describe('the command line of phbsim compare', () => {
  const before = process.exitCode;
  afterEach(() => {
    process.exitCode = before;
  });

  it('has help with examples for the command and what it compares', () => {
    const command = compareCommand();
    for (const each of [command, ...command.commands]) {
      let help = '';
      each.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      expect(help).toContain('Examples:');
    }
  });

  it('refuses a profile that does not exist, with status 2', async () => {
    let err = '';
    const root = program();
    const compare = root.commands.find((command) => command.name() === 'compare')!;
    for (const command of [root, compare, ...compare.commands]) {
      command.configureOutput({ writeErr: (text) => (err += text), writeOut: () => {} });
    }
    await runCommandLine(['node', 'phbsim', 'compare', 'firmware', '--profile', 'perfect'], root);
    expect(process.exitCode).toBe(2);
    expect(err).toContain('Allowed choices are skiboot, corrected');
  });
});
