/** Lines that a mailer broke inside a mark are one line again. Facts: phb4-diag 2.3. */
import { endsInsideMark } from './anchors.js';
import type { TextLine } from './clean.js';

/** A line that starts a message of its own continues nothing. */
const OWN_START =
  /^\s{0,8}(?:\[ {0,8}\d{1,9}\.\d{6,9}|<\d>|[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:|\d{4}-\d\d-\d\d)|EEH:|PHB#[0-9a-fA-F]{4}\[/;

export class LineJoiner {
  readonly #give: (line: TextLine) => void;
  #open: TextLine | undefined;

  constructor(give: (line: TextLine) => void) {
    this.#give = give;
  }

  push(line: TextLine): void {
    const open = this.#open;
    this.#open = undefined;
    if (open !== undefined && !OWN_START.test(line.text)) {
      this.#give({ number: open.number, text: `${open.text} ${line.text.trimStart()}` });
      return;
    }
    if (open !== undefined) this.#give(open);
    if (endsInsideMark(line.text)) this.#open = line;
    else this.#give(line);
  }

  finish(): void {
    if (this.#open !== undefined) this.#give(this.#open);
    this.#open = undefined;
  }
}
