/** The trace: typed binary records, always on, kept in a ring; subscribers see each record as it is written. */
import { type Digest, hashName } from './digest.js';
import { SimulationError } from './errors.js';
import { formatTime, TICK_NS, TICKS_PER_NS, type TimeNs } from './time.js';

export const MAX_FIELDS = 6;

/**
 * One kind of record. The id is a stable hash of the name. Values are unsigned 32-bit words; two neighbouring fields `xHi` and
 * `xLo` are one 64-bit value and print as such, a field `x:hex` prints in hexadecimal.
 */
export interface TraceKind {
  readonly id: number;
  readonly name: string;
  readonly fields: readonly string[];
}

/** One decoded record. */
export interface TraceRecord {
  readonly time: TimeNs;
  readonly kind: TraceKind;
  readonly source: string;
  readonly values: number[];
  toString(): string;
}

export type TraceListener = (record: TraceRecord) => void;

const kinds = new Map<number, TraceKind>();

/** Declares a kind of record, once, at module level. Declaring the same again gives the same object. */
export function defineTraceKind(name: string, ...fields: string[]): TraceKind {
  const id = hashName(name);
  const known = kinds.get(id);
  if (known !== undefined) {
    if (known.name === name && known.fields.join() === fields.join()) return known;
    throw new SimulationError(
      `trace kind "${name}" (${fields.join(', ')}) clashes with "${known.name}" (${known.fields.join(', ')}): choose another name`,
    );
  }
  if (fields.length > MAX_FIELDS) {
    throw new SimulationError(`trace kind "${name}" has ${fields.length} fields; ${MAX_FIELDS} is the most`);
  }
  const kind: TraceKind = Object.freeze({ id, name, fields: Object.freeze(fields) });
  kinds.set(id, kind);
  return kind;
}

// A record in words: ticks low and high, kind, source, six values. (`emit` counts them out: it is the hottest code here.)
const RECORD_WORDS = 10;
const TIME_HIGH = 1;
const KIND = 2;
const SOURCE = 3;
const VALUES = 4;
const TWO_32 = 0x1_0000_0000;
const DEFAULT_CAPACITY = 8192;

interface Subscription {
  readonly listener: TraceListener;
  readonly kinds: ReadonlySet<number> | undefined;
}

export class Trace {
  private readonly ring: Int32Array;
  private readonly mask: number;
  private count = 0;
  private ticksLow = 0;
  private ticksHigh = 0;
  private readonly sources = new Map<number, string>();
  private subscriptions: readonly Subscription[] = [];

  /** `capacity` is how many records the ring keeps, rounded up to a power of two. */
  constructor(
    private readonly digest: Digest,
    capacity: number = DEFAULT_CAPACITY,
  ) {
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > 2 ** 24) {
      throw new SimulationError(`trace capacity ${capacity} is not a whole number from 1 to 2^24`);
    }
    const size = 2 ** Math.ceil(Math.log2(capacity));
    this.ring = new Int32Array(size * RECORD_WORDS);
    this.mask = size - 1;
  }

  /** Records written since the start, also those the ring no longer holds. */
  get total(): number {
    return this.count;
  }

  get capacity(): number {
    return this.mask + 1;
  }

  /** The id of a source of records, by its name: the same name has the same id in every run. */
  source(name: string): number {
    let id = hashName(name);
    while (this.sources.has(id) && this.sources.get(id) !== name) id = (id + 1) & 0x7fff_ffff;
    this.sources.set(id, name);
    return id;
  }

  emit(kind: TraceKind, source: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): void {
    const ring = this.ring;
    const at = (this.count++ & this.mask) * RECORD_WORDS;
    ring[at] = this.ticksLow;
    ring[at + 1] = this.ticksHigh;
    ring[at + 2] = kind.id;
    ring[at + 3] = source;
    ring[at + 4] = a;
    ring[at + 5] = b;
    ring[at + 6] = c;
    ring[at + 7] = d;
    ring[at + 8] = e;
    ring[at + 9] = f;
    this.digest.words(ring, at, at + RECORD_WORDS);
    if (this.subscriptions.length !== 0) this.publish(at, kind.id);
  }

  /** Calls the listener for every record from now on, or those of the given kinds. Returns what ends it. Listeners only look. */
  subscribe(listener: TraceListener, kinds?: readonly TraceKind[]): () => void {
    const subscription: Subscription = { listener, kinds: kinds && new Set(kinds.map((k) => k.id)) };
    this.subscriptions = [...this.subscriptions, subscription];
    return () => {
      this.subscriptions = this.subscriptions.filter((s) => s !== subscription);
    };
  }

  /** The last `n` records the ring holds, oldest first. */
  tail(n: number): TraceRecord[] {
    const held = Math.min(this.count, this.capacity);
    const wanted = Math.max(0, Math.min(Math.floor(n), held));
    const records: TraceRecord[] = [];
    for (let i = this.count - wanted; i < this.count; i++) records.push(this.decode((i & this.mask) * RECORD_WORDS));
    return records;
  }

  /** The kernel tells the time of the records to come. */
  setTime(now: TimeNs): void {
    const ticks = now * TICKS_PER_NS;
    this.ticksLow = ticks | 0;
    this.ticksHigh = (ticks / TWO_32) | 0;
  }

  private publish(at: number, kindId: number): void {
    const record = this.decode(at);
    for (const { listener, kinds } of this.subscriptions) {
      if (kinds === undefined || kinds.has(kindId)) listener(record);
    }
  }

  private decode(at: number): TraceRecord {
    const word = (i: number): number => this.ring[at + i]! >>> 0;
    const kind = kinds.get(word(KIND))!;
    const values = kind.fields.map((_, i) => word(VALUES + i));
    const time = (word(TIME_HIGH) * TWO_32 + word(0)) * TICK_NS;
    return new DecodedRecord(time, kind, this.sources.get(word(SOURCE)) ?? `source ${word(SOURCE)}`, values);
  }
}

class DecodedRecord implements TraceRecord {
  constructor(
    readonly time: TimeNs,
    readonly kind: TraceKind,
    readonly source: string,
    readonly values: number[],
  ) {}

  toString(): string {
    const fields = formatFields(this.kind.fields, this.values);
    return `${formatTime(this.time).padStart(18)}  ${this.source}  ${[this.kind.name, ...fields].join(' ')}`;
  }
}

function formatFields(fields: readonly string[], values: readonly number[]): string[] {
  const out: string[] = [];
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i]!;
    const value = values[i]!;
    const stem = field.endsWith('Hi') ? field.slice(0, -2) : undefined;
    if (stem !== undefined && fields[i + 1] === `${stem}Lo`) {
      out.push(`${stem}=${hex32(value)}${hex32(values[++i]!)}`);
    } else if (field.endsWith(':hex')) {
      out.push(`${field.slice(0, -4)}=${hex32(value)}`);
    } else {
      out.push(`${field}=${value}`);
    }
  }
  return out;
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}
