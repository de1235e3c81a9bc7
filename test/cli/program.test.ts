import { describe, expect, it } from 'vitest';
import { program } from '../../src/cli/program.js';

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
