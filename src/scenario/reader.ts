/** Reads typed values from YAML nodes and gathers every problem instead of stopping at the first. */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseDocument,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { type FigureRange, formatFigure } from '../machine/timing-profile.js';
import { quantize, type TimeNs } from '../sim/time.js';
import { closest, type Problem, quoted, ScenarioError, type Span } from './problems.js';

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, min: 60e9 };
const DURATION = /^(\d+(?:\.\d+)?)\s*([a-zµ]+)$/;
export const LONGEST_NS = 24 * 3600e9;

export const DURATION_REMEDY = `A duration is a number with a unit (${Object.keys(UNITS).join(', ')}), such as 5 ms.`;

/** `5 ms`, from a command line; undefined if it is none, or longer than a day. */
export function parseDuration(text: string): TimeNs | undefined {
  const [, digits, unit] = DURATION.exec(text.trim()) ?? [];
  const factor = UNITS[unit ?? ''];
  if (digits === undefined || factor === undefined) return undefined;
  const ns = quantize(Number(digits) * factor);
  return ns > LONGEST_NS ? undefined : ns;
}

const EIGHTHS = 8;
const GRID_REMEDY = 'The grid is 1/8 ns: a time in ns ends in .0, .125, .25, .375, .5, .625, .75 or .875.';

/** Eighths of a nanosecond, in decimal: 1.1 us is on the grid, and no binary fraction. */
function onGrid(digits: string, factor: number): number | undefined {
  const [whole = '', decimals = ''] = digits.replace(/(\.\d*?)0+$/, '$1').split('.');
  if (decimals.length > MOST_DECIMALS) return undefined;
  const eighths = BigInt(whole + decimals) * BigInt(factor * EIGHTHS);
  const divisor = 10n ** BigInt(decimals.length);
  return eighths % divisor === 0n ? Number(eighths / divisor) : undefined;
}

/** 1/8 ns in seconds. */
const MOST_DECIMALS = 12;

export class Reader {
  readonly problems: Problem[] = [];

  constructor(
    readonly file: string,
    readonly text: string,
  ) {}

  /** The document's map. Throws at once if the text is no YAML. `kind`: what the file is, such as `scenario`. */
  root(kind = 'scenario'): MapReader {
    const document = parseDocument(this.text, { uniqueKeys: true });
    const tooDeep = document.errors.find(isTooDeep);
    for (const error of tooDeep === undefined ? document.errors : [tooDeep]) {
      const [start, end] = error.pos;
      this.add({ at: { start, end }, ...yamlProblem(error, kind) });
    }
    this.finish(MOST_SYNTAX_SHOWN);
    if (!isMap(document.contents)) {
      const message = `a ${kind} is a map${document.contents === null ? ', and the file is empty' : ''}`;
      this.add({ at: spanOf(document.contents), message, remedy: 'Begin with "name: ...".' });
      this.finish();
    }
    return new MapReader(this, document.contents as YAMLMap, `the ${kind}`);
  }

  add(problem: Problem): void {
    this.problems.push(problem);
  }

  /** Throws what has been gathered, if anything. */
  finish(mostShown?: number): void {
    if (this.problems.length > 0) throw new ScenarioError(this.file, this.problems, this.text, mostShown);
  }
}

/** Where a text stops being YAML, what follows is misread, too: of its echoes nobody needs to know. */
const MOST_SYNTAX_SHOWN = 1;

/** What the YAML library says, in our words where its own speak of its functions. */
function yamlProblem(error: YAMLError, kind: string): Pick<Problem, 'message' | 'remedy'> {
  const { code, message } = error;
  if (code === 'MULTIPLE_DOCS') return { message: 'a second document begins here', remedy: `One ${kind} a file.` };
  if (isTooDeep(error)) return { message: 'nested too deeply' };
  // The message ends in an excerpt of its own.
  return {
    message: message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, ''),
    remedy: `No YAML from here on. Mend this first, or give another file: a ${kind} is a YAML map that begins with "name: ...".`,
  };
}

/** The parser calls itself for each level, and gives up when the stack is full; all that it says after that is echo. */
function isTooDeep({ message }: YAMLError): boolean {
  return message.startsWith('Maximum call stack');
}

/** One value with its place. Every getter reports what does not fit and then gives `undefined`. */
export class Value {
  constructor(
    readonly reader: Reader,
    private readonly node: unknown,
    /** How messages name it. */
    readonly what: string,
    private readonly fallback: Span,
  ) {}

  get span(): Span {
    return (this.node as Node | null)?.range ? spanOf(this.node as Node) : this.fallback;
  }

  fail(message: string, more: Pick<Problem, 'hint' | 'remedy'> = {}): undefined {
    this.reader.add({ at: this.span, message, ...more });
    return undefined;
  }

  /** The scalar as written. */
  private get scalar(): unknown {
    return isScalar(this.node) ? this.node.value : undefined;
  }

  get isText(): boolean {
    return typeof this.scalar === 'string';
  }

  get isMap(): boolean {
    return isMap(this.node);
  }

  get isList(): boolean {
    return isSeq(this.node);
  }

  string(): string | undefined {
    const { scalar } = this;
    if (typeof scalar === 'string' && scalar.trim() !== '') return scalar;
    return this.fail(`${this.what} must be text, not ${this.shown}`);
  }

  /** A scalar of any kind, as it is written. */
  text(): string | undefined {
    const { scalar } = this;
    if (scalar === undefined || scalar === null) return this.fail(`${this.what} must be text, not ${this.shown}`);
    return typeof scalar === 'string' ? scalar : (this.node as { source?: string }).source;
  }

  integer(least: number, most: number): number | undefined {
    const { scalar } = this;
    if (typeof scalar === 'number' && Number.isInteger(scalar) && scalar >= least && scalar <= most) return scalar;
    return this.fail(`${this.what} must be a whole number from ${least} to ${most}, not ${this.shown}`);
  }

  /** 64 bits, as 0x... */
  word(): bigint | undefined {
    // YAML makes a number of 0x...; the digits as written do not lose any.
    const source = isScalar(this.node) ? (this.node.source ?? '') : '';
    if (/^0x[0-9a-f]{1,16}$/i.test(source)) return BigInt(source);
    return this.fail(`${this.what} must be a 64-bit word such as 0x8000b03a00000000, not ${this.shown}`);
  }

  duration(): TimeNs | undefined {
    const amount = this.amountOfTime();
    if (amount === undefined) return undefined;
    const ns = quantize(Number(amount.digits) * amount.factor);
    if (ns > LONGEST_NS) return this.fail(`${this.what} is longer than a day`);
    return ns;
  }

  /** A duration that is not rounded: the grid has it, or it is a mistake. */
  exactDuration({ least, most }: FigureRange): TimeNs | undefined {
    const { scalar } = this;
    if (typeof scalar === 'string' && /^-\s*\d/.test(scalar)) {
      return this.fail(`${this.what} is negative: ${quoted(scalar)}`, { remedy: DURATION_REMEDY });
    }
    const amount = this.amountOfTime();
    if (amount === undefined) return undefined;
    const { digits, factor } = amount;
    const about = Number(digits) * factor;
    if (about < least || about > most) {
      const range = `${formatFigure('Ns', least)} to ${formatFigure('Ns', most)}`;
      return this.fail(`${this.what} is out of range: ${this.shown}`, { remedy: `Possible: ${range}` });
    }
    const eighths = onGrid(digits, factor);
    if (eighths !== undefined) return eighths / EIGHTHS;
    return this.fail(`${this.what} is off the grid of virtual time: ${this.shown}`, { remedy: GRID_REMEDY });
  }

  private amountOfTime(): { digits: string; factor: number } | undefined {
    const { scalar } = this;
    const [, digits, unit] = (typeof scalar === 'string' ? DURATION.exec(scalar.trim()) : undefined) ?? [];
    if (digits === undefined) {
      const hint = typeof scalar === 'number' ? `${scalar} what? such as ${scalar} ms` : undefined;
      return this.fail(`${this.what} must be a duration, not ${this.shown}`, {
        remedy: DURATION_REMEDY,
        ...(hint === undefined ? {} : { hint }),
      });
    }
    const factor = UNITS[unit === 'µs' ? 'us' : unit!];
    if (factor === undefined) return this.fail(`unknown unit ${quoted(unit!)}`, { remedy: DURATION_REMEDY });
    return { digits, factor };
  }

  oneOf<T extends string>(allowed: readonly T[], kind: string, remedy?: string): T | undefined {
    const { scalar } = this;
    const written = typeof scalar === 'string' || typeof scalar === 'number' ? String(scalar) : undefined;
    const found = allowed.find((each) => each === written);
    if (found !== undefined) return found;
    const meant = written === undefined ? undefined : closest(written, allowed);
    return this.fail(`unknown ${kind} ${written === undefined ? this.shown : quoted(written)}`, {
      ...(meant === undefined ? {} : { hint: `did you mean ${meant}?` }),
      remedy: remedy ?? `Allowed: ${allowed.join(', ') || 'nothing here'}`,
    });
  }

  map(): MapReader | undefined {
    if (isMap(this.node)) return new MapReader(this.reader, this.node, this.what);
    return this.fail(`${this.what} must be a map ({ key: value, ... }), not ${this.shown}`);
  }

  list(): Value[] | undefined {
    if (!isSeq(this.node)) return this.fail(`${this.what} must be a list (- ...), not ${this.shown}`);
    return this.node.items.map((item, i) => new Value(this.reader, item, `${this.what}, item ${i + 1},`, this.span));
  }

  private get shown(): string {
    const { node } = this;
    if (isMap(node)) return 'a map';
    if (isSeq(node)) return 'a list';
    if (isAlias(node)) return 'an alias: write out what it stands for';
    if (!isScalar(node) || node.value === null) return 'nothing';
    return quoted(node.source ?? '');
  }
}

export class MapReader {
  readonly span: Span;
  private readonly pairs: readonly { key: string; keySpan: Span; value: unknown }[];

  constructor(
    private readonly reader: Reader,
    map: YAMLMap,
    readonly what: string,
  ) {
    this.span = spanOf(map);
    this.pairs = map.items.map(({ key, value }: Pair) => ({
      key: isScalar(key) ? (key.source ?? '') : '',
      keySpan: spanOf(key as Node),
      value,
    }));
    this.refuseTwins();
  }

  /** To YAML, 1 and "1" are two keys. */
  private refuseTwins(): void {
    for (const [index, { key, keySpan }] of this.pairs.entries()) {
      const first = this.pairs.findIndex((pair) => pair.key === key);
      if (first < index) this.reader.add({ at: keySpan, message: `${this.what} has ${quoted(key)} twice` });
    }
  }

  get keys(): string[] {
    return this.pairs.map((pair) => pair.key);
  }

  /** Reports keys that are not among the allowed ones. */
  only(allowed: readonly string[]): void {
    for (const { key, keySpan } of this.pairs) {
      if (allowed.includes(key)) continue;
      const meant = closest(key, allowed);
      this.reader.add({
        at: keySpan,
        message: `${this.what} has no ${quoted(key)}`,
        ...(meant === undefined ? {} : { hint: `did you mean ${meant}?` }),
        remedy: `Allowed: ${allowed.join(', ')}`,
      });
    }
  }

  has(key: string): boolean {
    return this.pairs.some((pair) => pair.key === key);
  }

  /** `what`: how messages name the value, if not by its key. */
  get(key: string, what: string = key): Value | undefined {
    const pair = this.pairs.find((each) => each.key === key);
    return pair === undefined ? undefined : new Value(this.reader, pair.value, what, pair.keySpan);
  }

  need(key: string): Value | undefined {
    const value = this.get(key);
    if (value === undefined) this.fail(`${this.what} lacks "${key}"`);
    return value;
  }

  keySpan(key: string): Span {
    return this.pairs.find((pair) => pair.key === key)?.keySpan ?? this.span;
  }

  fail(message: string, remedy?: string): undefined {
    this.reader.add({ at: this.span, message, ...(remedy === undefined ? {} : { remedy }) });
    return undefined;
  }
}

function spanOf(node: Node | null | undefined): Span {
  const [start, end] = node?.range ?? [0, 0];
  return { start, end };
}
