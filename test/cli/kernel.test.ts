import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import type { Streams } from '../../src/cli/host-streams.js';
import { type KernelCommandOptions, kernelCommand, runKernel } from '../../src/cli/kernel.js';

const SCENARIO = [
  'name: cli',
  'about: Nothing happens.',
  'machine: { slots: { 1: { device: nic, driver: unaware, frame-every: 10 ms } } }',
  'faults: []',
  'expect: [{ untouched: slot1 }]',
].join('\n');
const FREEZES = '/sys/kernel/debug/powerpc/eeh_max_freezes';

interface Given {
  readonly file?: string;
  readonly words?: readonly string[];
  readonly input?: string;
  readonly interactive?: boolean;
}

function run(options: KernelCommandOptions, given: Given = {}): { status: number; out: string; err: string } {
  const texts = { out: '', err: '' };
  const files: Readonly<Record<string, string>> = {
    'cli.yaml': SCENARIO,
    'bad.yaml': SCENARIO.replace('nic', 'nik'),
    'commands.txt': `# a script\n\necho 7 > ${FREEZES}\ncat ${FREEZES}\n`,
    '-': given.input ?? `cat ${FREEZES}\n`,
  };
  const streams: Streams = {
    readFile: (name) => {
      const text = files[name];
      return text === undefined ? readFileSync(name) : new TextEncoder().encode(text);
    },
    writeFile: () => {},
    out: (text) => {
      texts.out += `${text}\n`;
    },
    err: (text) => {
      texts.err += `${text}\n`;
    },
    interactive: given.interactive ?? false,
  };
  const status = runKernel(given.file ?? 'cli.yaml', given.words ?? [], options, streams);
  return { status, ...texts };
}

describe('phbsim kernel', () => {
  it('runs the commands given, and prints each with the virtual time', () => {
    const { status, out, err } = run({ command: [`echo 9 > ${FREEZES}`, `cat ${FREEZES}`], at: 5e6 });
    expect([status, err]).toEqual([0, '']);
    expect(out.split('\n').slice(0, 4)).toEqual([
      '        0.000 000 ms  $ at 5000000 ns',
      `        5.000 000 ms  $ echo 9 > ${FREEZES}`,
      `        5.000 000 ms  $ cat ${FREEZES}`,
      '9',
    ]);
  });

  it('takes one command behind --, a script, or standard input', () => {
    expect(run({}, { words: ['cat', FREEZES] }).out).toContain(`$ cat ${FREEZES}\n5\n`);
    expect(run({ script: 'commands.txt' }).out).toContain(`$ cat ${FREEZES}\n7\n`);
    expect(run({}).out).toContain(`$ cat ${FREEZES}\n5\n`);
    expect(run({ script: '-' }).out).toContain(`$ cat ${FREEZES}\n5\n`);
  });

  it('has exit status 1 when a command failed, and prints what a shell would', () => {
    const { status, out } = run({ command: ['cat /none', 'echo still here'] });
    expect(status).toBe(1);
    expect(out).toContain('cat: /none: No such file or directory\n');
    expect(out).toContain('still here\n');
  });

  it('gives the same as JSON', () => {
    const value: unknown = JSON.parse(run({ command: [`cat ${FREEZES}`], json: true, seed: 'mine' }).out);
    expect(value).toMatchObject({
      seed: 'mine',
      results: [{ command: `cat ${FREEZES}`, startNs: 0, endNs: 0, text: '5\n', errors: [], status: 0 }],
    });
  });

  it('runs a procedure, as text and as JSON', () => {
    const { status, out } = run({ procedure: 'selftest', at: 5e6 });
    expect(status).toBe(0);
    expect(out).toContain('0 devices failed to recover (1 tested)\nexit status 0; digest ');
  });

  it('says that a procedure tested nothing, and fails, though the real one is content', () => {
    const nothing = { procedure: 'op-test-basic-fenced-phb', skipPhb: ['PCI0000'] } as const;
    const { status, out } = run(nothing);
    expect(status).toBe(1);
    expect(out).toMatch(/OK\nnothing was tested: .*\nexit status 0; digest /);
    const [first] = JSON.parse(run({ ...nothing, json: true }).out);
    expect(first).toMatchObject({ name: 'op-test-basic-fenced-phb', status: 0, tested: 0, result: { rounds: [] } });
  });

  it('takes another timing profile', () => {
    expect(run({ command: ['echo'], profile: 'nope' })).toMatchObject({ status: 2, out: '' });
    expect(run({ command: ['echo'], profile: 'power8' }).status).toBe(0);
  });

  it.each<[string, KernelCommandOptions, Given, string]>([
    ['a command there is not', { command: ['reboot'] }, {}, '"reboot": reboot: no such command'],
    ['a wrong line of a script', {}, { input: 'ls\ncat\n' }, 'standard input:2: cat: name a file'],
    ['commands twice', { command: ['ls'], script: 'commands.txt' }, {}, 'give commands or --script, not both'],
    ['commands for a procedure', { command: ['ls'], procedure: 'selftest' }, {}, 'a procedure takes no commands'],
    ['a script for a procedure', { script: 'x', procedure: 'selftest' }, {}, 'a procedure takes no commands'],
    ['words for a procedure', { procedure: 'selftest' }, { words: ['ls'] }, 'a procedure takes no commands'],
    ['a PHB to skip without a procedure', { command: ['ls'], skipPhb: ['PCI0000'] }, {}, 'no procedure is asked for'],
    ['a PHB to skip for the selftest', { procedure: 'selftest', skipPhb: ['PCI0000'] }, {}, 'does not look at PHBs'],
    ['no commands at a terminal', {}, { interactive: true }, 'no commands: give some with -c'],
    ['scenario and script from one input', {}, { file: '-', input: SCENARIO }, 'no commands: give some with -c'],
    ['a script that is not there', { script: 'none.txt' }, {}, 'none.txt: no such file'],
    ['a script of bytes', {}, { input: '\0\0' }, 'binary data, no script'],
    ['a scenario that is not there', { command: ['ls'] }, { file: 'none.yaml' }, 'none.yaml: no such file'],
  ])('has exit status 2 for %s', (_, options, given, message) => {
    const { status, out, err } = run(options, given);
    expect([status, out]).toEqual([2, '']);
    expect(err).toContain(message);
    expect(err).toMatch(/^phbsim kernel: /);
  });

  it('has exit status 2 for a wrong scenario, and shows where it is wrong', () => {
    const { status, err } = run({ command: ['ls'] }, { file: 'bad.yaml' });
    expect(status).toBe(2);
    expect(err).toContain('bad.yaml:3:');
  });
});

describe('the command line', () => {
  function parse(...args: string[]): string {
    let text = '';
    const command = kernelCommand()
      .exitOverride()
      .configureOutput({
        writeErr: (message) => {
          text += message;
        },
        writeOut: (message) => {
          text += message;
        },
      });
    const out = vi.spyOn(process.stdout, 'write').mockImplementation((message) => {
      text += String(message);
      return true;
    });
    try {
      command.parse(['node', 'phbsim', ...args]);
    } catch (error) {
      text += (error as Error).message;
    } finally {
      out.mockRestore();
    }
    return text;
  }

  it('has help with examples', () => {
    const help = parse('--help');
    expect(help).toContain(
      'Exit status: 0 all well; 1 a command or the procedure failed, or the procedure tested nothing; 2',
    );
    expect(help).toContain('--procedure selftest --at "10 s"');
  });

  it('refuses moments, procedures and PHBs that are none', () => {
    expect(parse('x.yaml', '--at', 'noon')).toContain('A duration is a number with a unit');
    expect(parse('x.yaml', '--procedure', 'nap')).toContain('there are selftest, op-test, op-test-basic-fenced-phb');
    expect(parse('x.yaml', '--skip-phb', '0')).toContain('a PHB is called PCI0000');
    expect(parse()).toContain("missing required argument 'scenario'");
  });

  it('runs commands and sets the exit status', () => {
    const before = process.exitCode;
    const file = new URL('../../scenarios/driver-unaware-of-errors.yaml', import.meta.url).pathname;
    const text = parse(file, '-c', 'cat /none', '-c', 'echo a', '--at', '1 ms', '--', 'echo', 'b');
    expect(text).toMatch(/\$ cat \/none\n.*\n.*\$ echo a\na\n.*\$ echo b\nb\n/);
    expect(process.exitCode).toBe(1);
    process.exitCode = before;
  });
});
