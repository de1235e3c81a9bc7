/**
 * What QEMU 7.2 answered when its PHB3 was measured, apart from the sequences here: the reset value and the bits kept of
 * every register, table selector and SCOM, configuration spaces of several cards, DMA, interrupts and windows. The steps
 * are built anew from what was measured, each with the answer it must have had. It needs no QEMU.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { CardKind } from '../../../src/cosim/cosim-machine.js';
import type { Answers } from './backend.js';
import type { Sequence } from './compare.js';
import { answers, type Step } from './steps.js';

type Hex = string;

export interface MeasuredCardSpace {
  /** First register, how many doublewords, value at reset, after ones, after zero. */
  readonly dwords: readonly (readonly [first: number, count: number, reset: Hex, ones: Hex, zero: Hex])[];
  readonly above: Hex;
}

type ScomRow = readonly [register: Hex, reset: Hex, ones: Hex, zero: Hex, walk: Hex];

export interface MeasuredDma {
  readonly name: string;
  readonly rte?: number;
  readonly config?: Hex;
  readonly tvt?: Readonly<Record<string, Hex>>;
  readonly mem?: Readonly<Record<Hex, Hex>>;
  /** Other registers of the page that were written before. */
  readonly regs?: Readonly<Record<Hex, Hex>>;
  /** COMMAND of the card and of the root port. */
  readonly cmd?: Hex;
  readonly rpcmd?: Hex;
  readonly peev?: Hex;
  /** What a read got by the place in the buffer, and where a write went: real address, `zeros` or `ones`. */
  readonly dma?: readonly (readonly [
    direction: 'r' | 'w',
    address: Hex,
    bytes: number,
    parts: readonly (readonly [at: number, bytes: number, what: string])[],
  ])[];
}

export interface MeasuredMessage {
  readonly name: string;
  readonly address: Hex;
  readonly data: Hex;
  readonly at: Hex;
  readonly before: Hex;
  readonly ivtBar: Hex;
  readonly stride: number;
  readonly cppr: Hex;
  readonly rte: number;
  readonly config?: Hex;
  /** Vector in memory and what the processor is offered, after each message. */
  readonly after: readonly (readonly [vector: Hex, offered: Hex])[];
  readonly accept: Hex;
}

export interface Measured {
  readonly source: string;
  readonly registers: {
    readonly reset: readonly (readonly [Hex, Hex])[];
    /** Registers that a second look finds changed. */
    readonly again: readonly (readonly [Hex, Hex])[];
    /** From 0 on: how many places, and what each reads after ones, zero and, taken together, single bits. */
    readonly keeps: readonly (readonly [count: number, ones: Hex, zero: Hex, walk: Hex])[];
    readonly parts: readonly (readonly [offset: Hex, size: 1 | 2 | 4 | 8, value: Hex])[];
    readonly beyond: readonly (readonly [Hex, Hex])[];
  };
  readonly ioda: readonly (readonly [
    selector: number,
    writePeriod: number,
    readPeriod: number,
    stores: 0 | 1,
    keepsAll: 0 | 1,
    ...addresses: [afterWrite: Hex, afterRead: Hex, withoutStep: Hex, stray: Hex],
    ...masks: [ones: Hex | null, zero: Hex | null, walk: Hex | null],
  ])[];
  readonly scom: Readonly<Record<'nest' | 'pci' | 'spci', readonly ScomRow[]>> & {
    readonly asb: readonly (readonly [written: Hex, read: Hex, data: Hex, status: Hex])[];
    readonly asbStore: readonly [offset: Hex, value: Hex];
  };
  readonly config: Readonly<Record<'root_port' | 'edu' | 'e1000e' | 'nvme', MeasuredCardSpace>> & {
    readonly address: readonly (readonly [address: Hex, data: Hex, size: 1 | 2 | 4, raw: Hex])[];
    readonly topology: readonly (readonly [
      numbers: Hex,
      ids: readonly (readonly [bus: number, id: Hex])[],
      training: Hex,
    ])[];
    /** COMMAND and BAR 0 before, identity, COMMAND and BAR 0 while the secondary bus is reset, and afterwards. */
    readonly busReset: readonly [before: readonly Hex[], during: readonly Hex[], after: readonly Hex[]];
  };
  readonly dma: readonly MeasuredDma[];
  readonly msi: {
    readonly messages: readonly MeasuredMessage[];
    readonly rejected: readonly (readonly [source: number, vector: Hex, offered: Hex, opened: Hex, vectorAfter: Hex])[];
    readonly forced: readonly (readonly [
      value: Hex,
      locks: readonly Hex[],
      lockAfter: Hex,
      vector: Hex,
      accept: Hex,
      request: Hex,
    ])[];
    readonly levels: readonly (readonly [lxivt: Hex, offered: Hex, accept: Hex])[];
    readonly stillRaised: readonly Hex[];
    readonly update: readonly [command: Hex, before: Hex, after: Hex];
  };
  readonly windows: {
    readonly m32: readonly {
      readonly name: string;
      readonly base: Hex;
      readonly mask: Hex;
      readonly start: Hex;
      readonly config: Hex;
      readonly bar: Hex;
      readonly rootWindow: Hex;
      readonly commands: readonly [rootPort: Hex, card: Hex];
      readonly reads: readonly (readonly [Hex, Hex])[];
    }[];
    readonly m64: readonly {
      readonly name: string;
      readonly upper: Hex;
      readonly entries: Readonly<Record<string, Hex>>;
      readonly bar: Hex;
      readonly reads: readonly (readonly [Hex, Hex])[];
    }[];
  };
}

export const MEASURED = JSON.parse(
  gunzipSync(readFileSync(new URL('recorded/measured.json.gz', import.meta.url))).toString(),
) as Measured;

export const big = (digits: Hex): bigint => BigInt(`0x${digits}`);
export const small = (digits: Hex): number => Number.parseInt(digits, 16);

/** A sequence with the answers that belong to it. */
export interface MeasuredSequence extends Sequence {
  readonly given: Answers;
}

/** Steps and, to those that answer, the answers. */
export class Script {
  private readonly steps: Step[] = [];
  private readonly given: string[] = [];

  constructor(
    private readonly name: string,
    private readonly card: CardKind = 'edu',
  ) {}

  do(...steps: readonly Step[]): this {
    if (steps.some(answers)) throw new Error(`${this.name}: a step answers, and nothing says what`);
    this.steps.push(...steps);
    return this;
  }

  /** The last step answers with this value, the others do not. */
  sees(steps: Step | readonly Step[], value: bigint): this {
    const all = Array.isArray(steps) ? (steps as readonly Step[]) : [steps as Step];
    this.do(...all.slice(0, -1));
    this.steps.push(all.at(-1)!);
    this.given.push(`0x${value.toString(16).padStart(16, '0')}`);
    return this;
  }

  seesBytes(step: Step, bytes: Uint8Array): this {
    this.steps.push(step);
    this.given.push(`0x${Buffer.from(bytes).toString('hex')}`);
    return this;
  }

  get sequence(): MeasuredSequence {
    return { name: `measured: ${this.name}`, card: this.card, steps: this.steps, given: this.given };
  }
}
