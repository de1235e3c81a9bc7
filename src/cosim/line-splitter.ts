/** Cuts a byte stream into lines, and holds no more of an unfinished line than a limit. */

export const LINE_TOO_LONG = Symbol('line too long');

const NEWLINE = 0x0a;

export class LineSplitter {
  /** What has come of the line that is not finished yet. */
  private parts: Uint8Array[] = [];
  private partBytes = 0;
  /** The rest of a line that was given up goes unread. */
  private skipping = false;
  /** The chunk being cut, and how far it is. */
  private chunk: Uint8Array = new Uint8Array(0);
  private at = 0;

  constructor(private readonly limitBytes: number) {}

  /** Only when `next` has nothing left. */
  push(chunk: Uint8Array): void {
    if (this.at < this.chunk.length) throw new Error('the last chunk has not been read to its end');
    this.chunk = chunk;
    this.at = 0;
  }

  /** The next line without its end, LINE_TOO_LONG once for each line given up, or undefined: more input is needed. */
  next(): string | typeof LINE_TOO_LONG | undefined {
    while (this.at < this.chunk.length) {
      const end = this.chunk.indexOf(NEWLINE, this.at);
      const part = this.chunk.subarray(this.at, end === -1 ? this.chunk.length : end);
      this.at = end === -1 ? this.chunk.length : end + 1;
      const outcome = this.take(part, end === -1 ? 'open' : 'ended');
      if (outcome !== undefined) return outcome;
    }
    return undefined;
  }

  /** A line has begun and not ended. */
  get isMidLine(): boolean {
    return this.partBytes > 0 || this.skipping;
  }

  private take(part: Uint8Array, state: 'open' | 'ended'): string | typeof LINE_TOO_LONG | undefined {
    if (this.skipping) {
      this.skipping = state === 'open';
      return undefined;
    }
    if (this.partBytes + part.length > this.limitBytes) {
      this.parts = [];
      this.partBytes = 0;
      this.skipping = state === 'open';
      return LINE_TOO_LONG;
    }
    if (state === 'open') {
      // A copy: the view would keep the whole chunk it came in.
      this.parts.push(Uint8Array.from(part));
      this.partBytes += part.length;
      return undefined;
    }
    const bytes = this.parts.length === 0 ? part : Buffer.concat([...this.parts, part]);
    this.parts = [];
    this.partBytes = 0;
    return textOf(bytes);
  }
}

/** Byte for character, so that no input is ill-formed. A carriage return before the end of line is a terminal's. */
function textOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  return text.endsWith('\r') ? text.slice(0, -1) : text;
}
