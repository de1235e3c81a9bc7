/**
 * Runs a recording of firmware's accesses against the chip: writes as recorded, reads compared. Where firmware polled for
 * the link and the recorded machine had it at once, the poll is repeated as firmware would.
 */
import { hex64, msbMask } from '../../../src/hw/bits.js';
import { ms } from '../../../src/sim/time.js';
import type { Machine } from '../machine.js';
import type { Phase } from './accesses.js';

export interface Difference {
  readonly phase: string;
  /** Register offset, or `config bus:device.function register`. */
  readonly place: string;
  readonly recorded: string;
  readonly read: string;
}

export interface ReplayResult {
  readonly reads: number;
  readonly writes: number;
  readonly differences: readonly Difference[];
  /** Phases in which firmware would have given up a poll. */
  readonly endlessPolls: readonly string[];
}

/** Where the recorded machine had its hub. */
export const RECORDED_MWIN1 = 0x3ef_0000_0000;
const MWIN1 = RECORDED_MWIN1;

const LINK_ACTIVE = msbMask(23);
const IN_CORE_RESET = msbMask(22);
const TX_DISABLE = msbMask(1);
const TRAIN_CTL = 0x640;
const AIB = { first: 0x8_0000, end: 0xe_0000 } as const;
const CONFIG_ADDRESS = 0x140;
const CONFIG_DATA = 0x130;
interface Poll {
  readonly done: (value: bigint) => boolean;
  readonly tries: number;
  readonly everyNs: number;
}

/** Firmware's own limits. Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_poll_link. */
const LINK: Poll = { done: (now) => (now & LINK_ACTIVE) !== 0n, tries: 101, everyNs: ms(10) };
/** Its wait for the core. Source: p7ioc_phb_wait_dlp_reset. */
const CORE: Poll = { done: (now) => (now & IN_CORE_RESET) === 0n, tries: 400, everyNs: ms(1) };

export class Replay {
  readonly #machine: Machine;
  readonly #differences: Difference[] = [];
  readonly #endlessPolls: string[] = [];
  #lastWrite = 0;
  #reads = 0;
  #writes = 0;
  #phase = '';
  #configAddress = 0n;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  run(phases: readonly Phase[]): this {
    for (const { name, steps } of phases) {
      this.#phase = name;
      for (const step of steps) {
        if (step.kind === 'wait') this.#machine.run(step.ns);
        else if (step.kind === 'write') this.#write(step.offset, step.size, step.value);
        else if (step.kind === 'read') this.#read(step.offset, step.size, step.value);
      }
    }
    return this;
  }

  get result(): ReplayResult {
    return {
      reads: this.#reads,
      writes: this.#writes,
      differences: this.#differences,
      endlessPolls: this.#endlessPolls,
    };
  }

  #write(offset: number, size: 1 | 2 | 4 | 8, value: bigint): void {
    this.#writes++;
    this.#lastWrite = offset;
    if (offset % 0x1_0000 === CONFIG_ADDRESS) this.#configAddress = value;
    this.#machine.store(MWIN1 + offset, value, size);
  }

  #read(offset: number, size: 1 | 2 | 4 | 8, recorded: bigint): void {
    this.#reads++;
    let value = this.#machine.load(MWIN1 + offset, size);
    if (isTrainControl(offset)) {
      // The link is polled right after the transmitter was let go, the core at any other time.
      const isLink = this.#lastWrite === offset && (recorded & TX_DISABLE) === 0n;
      value = this.#poll(offset, value, isLink ? LINK : CORE);
    }
    if (value === recorded) return;
    this.#differences.push({
      phase: this.#phase,
      place: this.#place(offset),
      recorded: hex64(recorded),
      read: hex64(value),
    });
  }

  #poll(offset: number, first: bigint, { done, tries, everyNs }: Poll): bigint {
    let value = first;
    for (let tried = 0; !done(value) && tried < tries; tried++) {
      this.#machine.run(everyNs);
      value = this.#machine.load(MWIN1 + offset);
    }
    if (!done(value)) this.#endlessPolls.push(this.#phase);
    return value;
  }

  #place(offset: number): string {
    const inPhb = offset % 0x1_0000;
    if (offset >= 0x10_0000) return `hub ${offset.toString(16)}`;
    if (inPhb < CONFIG_DATA || inPhb >= CONFIG_DATA + 4) return `phb ${inPhb.toString(16)}`;
    const id = Number((this.#configAddress >> 44n) & 0xffffn);
    const register = (Number((this.#configAddress >> 32n) & 0xffcn) + (inPhb - CONFIG_DATA)).toString(16);
    return `config ${id.toString(16).padStart(4, '0')} ${register}`;
  }
}

/** Of any PHB, through its AIB window. */
function isTrainControl(offset: number): boolean {
  return offset >= AIB.first && offset < AIB.end && offset % 0x1_0000 === TRAIN_CTL;
}
