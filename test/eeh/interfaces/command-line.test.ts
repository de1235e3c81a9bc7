import { describe, expect, it } from 'vitest';
import { parseLine } from '../../../src/eeh/interfaces/command-line.js';
import { UsageError } from '../../../src/eeh/interfaces/usage-error.js';

const shown = (line: string): unknown[] =>
  parseLine(line).map(({ words, into, after }) => [after, words.map(({ text }) => text), into?.text]);

describe('a line', () => {
  it('has words, a file for the output, and commands one after the other', () => {
    expect(shown('cat /a /b')).toEqual([['start', ['cat', '/a', '/b'], undefined]]);
    expect(shown('  echo 1>/x ; lspci -n&&dmesg ')).toEqual([
      ['start', ['echo', '1'], '/x'],
      ['then', ['lspci', '-n'], undefined],
      ['and', ['dmesg'], undefined],
    ]);
    expect(shown('a;;b;')).toEqual([
      ['start', ['a'], undefined],
      ['then', ['b'], undefined],
    ]);
  });

  it('may be empty, or a comment', () => {
    expect([shown(''), shown('   '), shown('# nothing'), shown(';')]).toEqual([[], [], [], []]);
    expect(shown('echo a#b # rest; more')).toEqual([['start', ['echo', 'a#b'], undefined]]);
  });

  it('keeps what stands in quotes together, and remembers that it did', () => {
    const [command] = parseLine(`echo 'a  b' "c;d > e" x"y"'z' "it's" '' *`);
    expect(command!.words).toEqual([
      { text: 'echo', quoted: 'no' },
      ...['a  b', 'c;d > e', 'xyz', "it's", ''].map((text) => ({ text, quoted: 'yes' })),
      { text: '*', quoted: 'no' },
    ]);
  });

  it.each([
    ['cat /a | grep b', 'pipes are not understood'],
    ['echo 1 >> /a', 'cannot be appended to'],
    ['cat < /a', 'input is not redirected'],
    ['sleep 1 &', 'nothing runs in the background'],
    ['echo `date`', 'commands in commands'],
    ['echo $HOME', 'there are no variables'],
    ['echo > ', '> needs a file'],
    ['echo > ; cat', '> needs a file'],
    ['echo > /a > /b', 'one file takes the output, not two'],
    ['echo > > /b', 'one file takes the output, not two'],
    ['&& cat', 'a command is missing'],
    ['cat /a &&', 'a command is missing'],
    ['> /a', 'a command is missing'],
    [`echo 'a`, "the quote ' is not closed"],
    [`echo "a`, 'the quote " is not closed'],
  ])('refuses %s', (line, why) => {
    expect(() => parseLine(line)).toThrow(UsageError);
    expect(() => parseLine(line)).toThrow(why);
  });
});
