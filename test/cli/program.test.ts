import { afterEach, describe, expect, it } from 'vitest';
import { program, runCommandLine } from '../../src/cli/program.js';

describe('phbsim', () => {
  it('names every command and shows examples in its help', () => {
    let help = '';
    program()
      .configureOutput({ writeOut: (text) => (help += text) })
      .outputHelp();
    for (const command of ['replay', 'run', 'explain', 'regs', 'tour'])
      expect(help).toMatch(new RegExp(`^ {2}${command}\\b`, 'm'));
    expect(help).toContain('dmesg | phbsim explain -');
  });

  it('knows its version', () => {
    expect(program().version()).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it('gives every command a description and an example', () => {
    for (const command of program().commands) {
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      expect(command.description()).not.toBe('');
      expect(help).toContain('Examples:');
    }
  });
});

describe('a command line', () => {
  const before = process.exitCode;
  afterEach(() => {
    process.exitCode = before;
  });

  /** What was written to standard error, and the exit status. */
  async function given(...args: string[]): Promise<{ err: string; status: typeof process.exitCode }> {
    let err = '';
    const root = program();
    for (const command of [root, ...root.commands]) {
      command.configureOutput({ writeErr: (text) => (err += text), writeOut: () => {} });
    }
    await runCommandLine(['node', 'phbsim', ...args], root);
    return { err, status: process.exitCode };
  }

  it.each([
    ['that is empty', [], 'Usage: phbsim'],
    ['with an unknown command', ['runn'], 'Did you mean run?'],
    ['with an unknown option', ['replay', '--lst', 'x'], 'Did you mean --list?'],
    ['without the file', ['replay'], "missing required argument 'recording'"],
    ['without the scenario', ['run', '--json'], 'name a scenario file'],
    [
      'for JSON and a timeline',
      ['run', 'x', '--json', '--timeline'],
      "option '--json' cannot be used with option '--timeline'",
    ],
    [
      'for JSON and records',
      ['run', 'x', '--json', '--trace', '5'],
      "option '--json' cannot be used with option '--trace",
    ],
    [
      'for a log in a timeline',
      ['run', 'x', '--timeline', '--log'],
      "option '--timeline' cannot be used with option '--log'",
    ],
    ['for two lists', ['run', '--faults', '--actions'], "option '--faults' cannot be used with option '--actions'"],
    ['for two outputs in one', ['run', 'x', '--json', '--junit', '-'], 'give --junit a file'],
    [
      'for a blob as JSON',
      ['devicetree', '--blob', '-', '--json'],
      "option '--blob <file>' cannot be used with option '--json'",
    ],
    ['with too many files', ['explain', 'a', 'b'], 'too many arguments'],
  ])('%s has status 2, says why, and leads to help', async (_, args, message) => {
    const { err, status } = await given(...args);
    expect(status).toBe(2);
    expect(err).toContain(message);
    expect(err).toMatch(/--help|help for command/);
  });

  it('that asks for help has status 0', async () => {
    expect(await given('run', '--help')).toEqual({ err: '', status: 0 });
  });
});
