/**
 * Makes pasted log text plain again: line ends, colour codes, HTML entities, quote marks, quoted-printable.
 * Line numbers always stay those of the text as given. Facts: phb4-diag 2.3.
 */
export interface TextLine {
  /** Number of the physical line where this text starts, from 1. */
  readonly number: number;
  readonly text: string;
}

// The escape character starts a colour code; a log viewer wrote it, so it cannot be avoided here.
// biome-ignore lint/suspicious/noControlCharactersInRegex: see above
const COLOUR = /\u001b\[[0-9;]{0,20}[A-Za-z]/g;
const ENTITIES: Readonly<Record<string, string>> = {
  '&gt;': '>',
  '&lt;': '<',
  '&amp;': '&',
  '&quot;': '"',
  '&#39;': "'",
  '&nbsp;': ' ',
};
/** "> > ", "JD> ", "| ": at most a few marks, so that a long line costs nothing. */
const QUOTE = /^(?:\s{0,8}[A-Za-z]{0,3}[>|]){1,12}\s?/;
const SOFT_BREAK = /=[ \t]{0,200}$/;
/** A soft break cuts a line of at most 76 characters; shorter than this it is no mailer's work. */
const SOFT_BREAK_LINE = { shortest: 40, longest: 120 } as const;

/** A register's name and its equals sign: no word of a dump has a letter beyond f. */
const NAME_AND_EQUALS = /[g-zG-Z]\w{0,30} {1,24}=$/;

function unquote(text: string): string {
  return text.replace(QUOTE, '');
}

function plain(text: string): string {
  let line = text.replaceAll('\r', '').replaceAll('\u00a0', ' ');
  if (line.includes('\u001b')) line = line.replace(COLOUR, '');
  if (line.includes('&')) line = line.replace(/&(?:gt|lt|amp|quot|#39|nbsp);/g, (entity) => ENTITIES[entity] ?? entity);
  return unquote(line).trimEnd();
}

/** True when the mail was stored quoted-printable, so that `=3D` and `=20` are characters. */
function isQuotedPrintable(text: string): boolean {
  return /=3D|quoted-printable/.test(text);
}

function decodeQuoted(line: string): string {
  return line.replace(/=(3D|20|09|C2=A0)/g, (_, code: string) => (code === '3D' ? '=' : ' '));
}

function endsInSoftBreak(line: string): boolean {
  return line.length >= SOFT_BREAK_LINE.shortest && line.length <= SOFT_BREAK_LINE.longest && SOFT_BREAK.test(line);
}

/** Takes raw lines one by one and joins what quoted-printable cut, even inside a number. */
export class LineCleaner {
  readonly #give: (line: TextLine) => void;
  #quoted: boolean;
  #open: TextLine | undefined;

  constructor(give: (line: TextLine) => void, isQuoted = false) {
    this.#give = give;
    this.#quoted = isQuoted;
  }

  push(number: number, raw: string): void {
    const line = plain(raw);
    this.#quoted ||= line.includes('=') && isQuotedPrintable(line);
    // "name =" with its value on the next line was cut by a mailer of another kind.
    const soft = line.endsWith('=') && (this.#quoted || !NAME_AND_EQUALS.test(line)) && endsInSoftBreak(line);
    const body = soft ? line.replace(SOFT_BREAK, '') : line;
    const open = this.#open;
    // A line that is cut again and again is no mail; it must not grow for ever.
    if (open !== undefined && open.text.length > LONGEST_JOINED) this.finish();
    const joined =
      this.#open === undefined ? { number, text: body } : { number: this.#open.number, text: this.#open.text + body };
    if (soft) {
      this.#open = joined;
      return;
    }
    this.#open = undefined;
    this.#give({ number: joined.number, text: this.#quoted ? decodeQuoted(joined.text) : joined.text });
  }

  finish(): void {
    if (this.#open !== undefined) this.#give(this.#open);
    this.#open = undefined;
  }
}

const LONGEST_JOINED = 4096;

/** Splits into lines and joins what quoted-printable cut. */
export function cleanLines(text: string): TextLine[] {
  const lines: TextLine[] = [];
  const cleaner = new LineCleaner((line) => lines.push(line), isQuotedPrintable(text));
  const rawLines = text.split('\n');
  // The last line end ends a line, it does not start one.
  if (rawLines.at(-1) === '') rawLines.pop();
  rawLines.forEach((raw, index) => {
    cleaner.push(index + 1, raw);
  });
  cleaner.finish();
  return lines;
}
