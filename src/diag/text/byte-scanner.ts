/**
 * Finds the few lines of a large log that can matter, on bytes, before any of them becomes text. A line with a trigger makes
 * its surroundings hot: some lines before it, many after it, so that wrapped, shuffled and unmarked lines come along.
 */

/** Lines behind a trigger that are read too: device dumps, wrapped words, complaints of drivers. */
const HOT_LINES = 160;
/** Lines in front of a trigger that are read too. */
const LOOK_BACK = 8;
/** A line longer than this is no message: its rest is dropped. */
const LONGEST_LINE = 65_536;
/** So much at the start is read whole: a pasted log may have its boot lines and its lspci anywhere. */
const READ_WHOLE_BYTES = 1024 * 1024;

/** The bit of lower case, digits, blanks and marks, in each of four bytes. */
const DULL = 0x20202020;
const LINE_FEED = 0x0a;
const SKIP = 0;
const NEW_LINE = 1;
const CANDIDATE = 2;

/**
 * What a line has to hold to matter; a text here may stand anywhere in the line. Each starts with a capital or a bracket:
 * those, and line ends, lack a bit that most bytes of a log have, so that four bytes at a time are passed over.
 */
const TRIGGERS = [
  'EEH',
  'Bus Error: sev',
  'Err:',
  'ErrSts',
  'PHB',
  'P7IOC',
  'PE#',
  'PE[',
  'PEST',
  'PE assigned',
  'RTAS',
  'RootSts',
  'Reference Code',
  'Lem:',
  'IOMMU bypass',
  'IOMMU dma',
  'Malfunction Alert',
  '] type 0',
  'Content-Transfer-Encoding',
] as const;

const encode = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** By first byte. */
const TRIGGERS_AT: (readonly Uint8Array[] | undefined)[] = [];
const KIND = new Uint8Array(256);
/** First two bytes of any trigger, so that most candidates fall out by one look. */
const PAIRS = new Uint8Array(65_536);
KIND[LINE_FEED] = NEW_LINE;
for (const trigger of TRIGGERS) {
  const bytes = encode(trigger);
  const first = bytes[0]!;
  if ((first & DULL) !== 0) throw new Error(`"${trigger}" must start with a capital`);
  TRIGGERS_AT[first] = [...(TRIGGERS_AT[first] ?? []), bytes];
  KIND[first] = CANDIDATE;
  PAIRS[(first << 8) | bytes[1]!] = 1;
}

function isTrigger(bytes: Uint8Array, at: number): boolean {
  const candidates = TRIGGERS_AT[bytes[at]!]!;
  for (let i = 0; i < candidates.length; i++) {
    const wanted = candidates[i]!;
    let k = 1;
    while (k < wanted.length && bytes[at + k] === wanted[k]) k++;
    if (k === wanted.length) return true;
  }
  return false;
}

export interface ScannedLines {
  /** Number of the first line. */
  readonly first: number;
  readonly lines: readonly string[];
}

export class ByteScanner {
  readonly #give: (block: ScannedLines) => void;
  readonly #decoder = new TextDecoder('utf-8');
  #carry = new Uint8Array(0);
  /** Number of the line that starts the carry. */
  #line = 1;
  #hot = 0;
  #bytes = 0;
  #countOnly = false;

  constructor(give: (block: ScannedLines) => void) {
    this.#give = give;
  }

  /** From here on no line matters: they are only counted. */
  countOnly(): void {
    this.#countOnly = true;
  }

  /** Lines seen so far. */
  get lineCount(): number {
    return this.#line - 1;
  }

  push(chunk: Uint8Array): void {
    const bytes = this.#withCarry(chunk);
    this.#bytes += chunk.length;
    const end = bytes.lastIndexOf(LINE_FEED) + 1;
    const rest = this.#scan(bytes, end);
    this.#carry = bytes.slice(rest, Math.min(bytes.length, Math.max(end, rest) + LONGEST_LINE));
  }

  /** The last line may lack its end. */
  finish(): void {
    const bytes = this.#carry;
    if (bytes.length === 0) return;
    this.#carry = new Uint8Array(0);
    const whole = bytes[bytes.length - 1] === LINE_FEED ? bytes : concat(bytes, Uint8Array.of(LINE_FEED));
    const rest = this.#scan(whole, whole.length);
    this.#line += linesIn(whole, rest, whole.length);
  }

  #withCarry(chunk: Uint8Array): Uint8Array {
    return this.#carry.length === 0 ? chunk : concat(this.#carry, chunk);
  }

  /** Reads whole lines up to `end`; returns from where on the next chunk has to look again. */
  #scan(bytes: Uint8Array, end: number): number {
    let at = 0;
    while (at < end) {
      if (this.#countOnly) {
        this.#line += linesIn(bytes, at, end);
        return end;
      }
      if (this.#bytes <= READ_WHOLE_BYTES) {
        this.#read(bytes, at, end);
        return end;
      }
      if (this.#hot > 0) {
        at = this.#readHot(bytes, at, end);
        continue;
      }
      const found = this.#skipCold(bytes, at, end);
      if (this.#hot === 0) return found;
      at = found;
    }
    return at;
  }

  /** Skips lines without a trigger. Returns the place to read from, or to look again from when none was found. */
  #skipCold(bytes: Uint8Array, from: number, end: number): number {
    let line = this.#line;
    const { byteOffset } = bytes;
    const words = new Int32Array(bytes.buffer, 0, bytes.buffer.byteLength >> 2);
    const lastWord = (byteOffset + end) >> 2;
    let at = from;
    for (; at < end; at++) {
      if (((byteOffset + at) & 3) === 0) {
        let word = (byteOffset + at) >> 2;
        while (word < lastWord && (words[word]! & DULL) === DULL) word++;
        at = (word << 2) - byteOffset;
        if (at >= end) break;
      }
      const byte = bytes[at]!;
      const kind = KIND[byte]!;
      if (kind === SKIP) continue;
      if (kind === NEW_LINE) {
        line += 1;
      } else if (PAIRS[(byte << 8) | bytes[at + 1]!] === 1 && isTrigger(bytes, at)) {
        this.#hot = HOT_LINES;
        break;
      }
    }
    return this.#backFrom(bytes, { from, at, line });
  }

  /** The start of the line some lines before `at`; counts the lines before that one as skipped. */
  #backFrom(bytes: Uint8Array, { from, at, line }: { from: number; at: number; line: number }): number {
    const back = Math.min(LOOK_BACK, line - this.#line);
    let start = at;
    for (let i = 0; i <= back; i++) {
      start = start <= from ? from - 1 : bytes.lastIndexOf(LINE_FEED, start - 1);
      if (start < from) break;
    }
    this.#line = line - back;
    return Math.max(from, start + 1);
  }

  /** Reads up to `#hot` lines and looks whether they make more lines hot. */
  #readHot(bytes: Uint8Array, from: number, end: number): number {
    let stop = from;
    let lines = 0;
    let lastTrigger = -1;
    while (stop < end && lines < this.#hot) {
      const kind = KIND[bytes[stop]!]!;
      if (kind === NEW_LINE) lines += 1;
      else if (kind === CANDIDATE && isTrigger(bytes, stop)) lastTrigger = lines;
      stop += 1;
    }
    this.#hot = lastTrigger < 0 ? this.#hot - lines : HOT_LINES - (lines - lastTrigger);
    this.#read(bytes, from, stop);
    return stop;
  }

  #read(bytes: Uint8Array, from: number, to: number): void {
    const lines = this.#decoder.decode(bytes.subarray(from, to)).split('\n');
    lines.pop();
    const first = this.#line;
    this.#line += lines.length;
    this.#give({ first, lines });
  }
}

function linesIn(bytes: Uint8Array, from: number, to: number): number {
  let lines = 0;
  for (let i = from; i < to; i++) if (bytes[i] === LINE_FEED) lines += 1;
  return lines;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
