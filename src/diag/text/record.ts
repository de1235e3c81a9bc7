/** One record of a dump while its words arrive: on its own line, on following ones, or cut in the middle of a number. */
export interface WantedWords {
  readonly label: string;
  /** Hex digits of each word. */
  readonly digits: readonly number[];
  store(values: readonly bigint[], complete: Completeness): void;
}
export type Completeness = 'complete' | 'cut';

export type FeedResult = 'complete' | 'more' | 'refused';

const HEX = /^[0-9a-fA-F]+$/;
/** Foreign lines that may stand between the parts of one record. */
const PATIENCE = 3;

export class PendingRecord {
  readonly #wanted: WantedWords;
  #values: bigint[] = [];
  #partial = '';
  #patience = PATIENCE;

  constructor(wanted: WantedWords) {
    this.#wanted = wanted;
  }

  /** Takes the words right behind the label; what follows them on the line is not ours. */
  start(body: string): FeedResult {
    const tokens = body
      .trim()
      .split(/\s+/)
      .filter((token) => token !== '');
    const taken = this.#take(tokens, 'leading');
    return this.#settle(taken);
  }

  /** Offers a line that may continue the record: it must hold nothing but fitting words. */
  offer(lead: string): FeedResult {
    for (const text of [lead, lead.replace(/^.{0,120}?(?:kernel:|[\]>|])\s{1,8}/, '')]) {
      const tokens = text
        .trim()
        .split(/\s+/)
        .filter((token) => token !== '');
      if (tokens.length === 0 || !this.#fits(tokens)) continue;
      return this.#settle(this.#take(tokens, 'all'));
    }
    this.#patience -= 1;
    if (this.#patience > 0) return 'refused';
    this.abandon();
    return 'complete';
  }

  /** Nothing more will come: keeps what is there. */
  abandon(): void {
    if (this.#values.length > 0) this.#wanted.store(this.#values, 'cut');
  }

  #settle(result: FeedResult): FeedResult {
    if (result === 'complete') this.#wanted.store(this.#values, 'complete');
    if (result === 'refused') {
      this.abandon();
      return 'complete';
    }
    return result;
  }

  /** Whether every token is a whole word, except a first one that ends a cut word and a last one that starts one. */
  #fits(tokens: readonly string[]): boolean {
    let index = this.#values.length;
    let partial = this.#partial;
    for (const [i, token] of tokens.entries()) {
      const digits = this.#wanted.digits[index];
      if (digits === undefined || !HEX.test(token)) return false;
      const length = partial.length + token.length;
      if (length > digits || (length < digits && i !== tokens.length - 1)) return false;
      // A short number alone on a line is a word of the language or a count, unless a cut word waits for it.
      if (length < digits && partial === '' && tokens.length === 1) return false;
      partial = '';
      index += 1;
    }
    return true;
  }

  #take(tokens: readonly string[], which: 'leading' | 'all'): FeedResult {
    for (const [i, token] of tokens.entries()) {
      const digits = this.#wanted.digits[this.#values.length];
      if (digits === undefined) break;
      const text = this.#partial + token;
      const isLast = i === tokens.length - 1;
      if (!HEX.test(token) || text.length > digits || (text.length < digits && !isLast)) {
        return which === 'leading' ? 'refused' : 'more';
      }
      if (text.length < digits) {
        this.#partial = text;
        return 'more';
      }
      this.#values.push(BigInt(`0x${text}`));
      this.#partial = '';
    }
    return this.#values.length === this.#wanted.digits.length ? 'complete' : 'more';
  }
}
