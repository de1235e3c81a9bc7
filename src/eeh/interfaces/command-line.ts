/** A line of a shell script, as far as this one reads it: words, quotes, `> FILE`, `;`, `&&` and comments. */
import { UsageError } from './usage-error.js';

export interface Word {
  readonly text: string;
  /** A quoted star is a star. */
  readonly quoted: 'yes' | 'no';
}

export interface Command {
  readonly words: readonly Word[];
  /** Where the output goes. */
  readonly into: Word | undefined;
  /** `and`: only if the command before did not fail. */
  readonly after: 'start' | 'and' | 'then';
}

const TOKEN = /\s*(?:(#.*$)|(&&|;|>>?|\||<|&|`|\$)|((?:'[^']*'|"[^"]*"|[^\s'"#;&|<>`$]|(?<=\S)#)+)|(['"]))/gy;
const NOT_UNDERSTOOD: Readonly<Record<string, string>> = {
  '|': 'pipes are not understood: pipe the output of phbsim instead',
  '>>': 'files of the kernel cannot be appended to: use >',
  '<': 'input is not redirected: name the file',
  '&': 'nothing runs in the background: use a scenario for what goes on meanwhile',
  '`': 'commands in commands are not understood',
  $: 'there are no variables',
};

export function parseLine(line: string): Command[] {
  const commands: Command[] = [];
  let words: Word[] = [];
  let into: Word | undefined;
  let after: Command['after'] = 'start';
  let redirecting = false;
  const finish = (separator: string): void => {
    if (redirecting) throw new UsageError(`${line}: > needs a file`);
    if (words.length === 0 && (separator === '&&' || into !== undefined || after === 'and')) {
      throw new UsageError(`${line}: a command is missing`);
    }
    if (words.length > 0) commands.push({ words, into, after });
    words = [];
    into = undefined;
    after = separator === '&&' ? 'and' : 'then';
  };
  for (const { sign, word } of tokens(line)) {
    if (word !== undefined) {
      if (redirecting) into = word;
      else words.push(word);
      redirecting = false;
    } else if (sign === '>') {
      if (redirecting || into !== undefined) throw new UsageError(`${line}: one file takes the output, not two`);
      redirecting = true;
    } else {
      finish(sign ?? '');
    }
  }
  finish('');
  return commands;
}

interface Token {
  readonly sign?: string;
  readonly word?: Word;
}

function tokens(line: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(line); match !== null; match = TOKEN.exec(line)) {
    const [, comment, sign, word, quote] = match;
    if (comment !== undefined) break;
    if (quote !== undefined) throw new UsageError(`${line}: the quote ${quote} is not closed`);
    if (sign !== undefined) {
      const why = NOT_UNDERSTOOD[sign];
      if (why !== undefined) throw new UsageError(`${line}: ${why}`);
      found.push({ sign });
    } else if (word !== undefined) {
      found.push({ word: { text: unquote(word), quoted: /['"]/.test(word) ? 'yes' : 'no' } });
    }
  }
  return found;
}

function unquote(word: string): string {
  return word.replace(/'([^']*)'|"([^"]*)"/g, (_, single?: string, double?: string) => single ?? double ?? '');
}
