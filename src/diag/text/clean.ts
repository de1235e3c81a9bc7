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

/** Splits into lines and joins what quoted-printable cut, even inside a number. */
export function cleanLines(text: string): TextLine[] {
  const quoted = isQuotedPrintable(text);
  const lines: TextLine[] = [];
  let open: { number: number; text: string } | undefined;
  const rawLines = text.split('\n');
  // The last line end ends a line, it does not start one.
  if (rawLines.at(-1) === '') rawLines.pop();
  rawLines.forEach((raw, index) => {
    const line = plain(raw);
    const soft = endsInSoftBreak(line);
    const body = soft ? line.replace(SOFT_BREAK, '') : line;
    open = open === undefined ? { number: index + 1, text: body } : { number: open.number, text: open.text + body };
    if (soft) return;
    lines.push({ number: open.number, text: quoted ? decodeQuoted(open.text) : open.text });
    open = undefined;
  });
  if (open !== undefined) lines.push(open);
  return lines;
}
