/**
 * The recorded accesses of real firmware, and a port that lets our firmware repeat them: every access must be the next
 * one of the recording, with the same value and at the same time; reads answer what the recording read.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { AccessSize, HostPort } from '../../src/hw/host-port.js';
import { InterruptController } from '../../src/hw/interrupts.js';
import { SystemMemory } from '../../src/hw/memory.js';
import type { Process } from '../../src/sim/process.js';
import type { Simulator } from '../../src/sim/simulator.js';

export interface TraceAccess {
  readonly kind: 'access';
  readonly direction: 'R' | 'W';
  readonly window: string;
  readonly register: number;
  readonly size: number;
  readonly value: bigint;
  /** Microseconds waited since the phase or call began. */
  readonly timeUs: number;
}

export interface TraceCall {
  readonly name: string;
  readonly args: readonly bigint[];
  readonly accesses: TraceAccess[];
  rc: number;
  /** Microseconds the caller slept after the call. */
  sleepUs: number;
}

export interface TraceMemory {
  readonly address: number;
  readonly value: bigint;
}

export interface TracePhase {
  readonly name: string;
  /** Accesses outside calls. */
  readonly accesses: TraceAccess[];
  readonly calls: TraceCall[];
  /** Table memory as it was when the phase had ended. */
  readonly memory: TraceMemory[];
}

const FIXTURE = new URL('./firmware-trace/phb3.txt.gz', import.meta.url);

export function readTrace(): readonly TracePhase[] {
  const reader = new TraceReader();
  for (const line of gunzipSync(readFileSync(FIXTURE)).toString('utf8').split('\n')) reader.take(line);
  return reader.phases;
}

class TraceReader {
  readonly phases: TracePhase[] = [];
  private phase: TracePhase = { name: '', accesses: [], calls: [], memory: [] };
  private call: TraceCall | undefined;
  private insideCall = false;
  private timeUs = 0;

  take(line: string): void {
    if (line === '' || line.startsWith('#')) return;
    const [kind, ...words] = line.split(' ') as [string, ...string[]];
    if (line.startsWith('=')) this.begin(line.slice(1));
    else if (kind === 'C') this.beginCall(words);
    else if (kind === 'Z') this.endCall(Number(words[0]));
    else if (kind === 'T') this.wait(Number(words[0]));
    else if (kind === 'M') this.takeMemory(words);
    else this.takeAccess(kind as 'R' | 'W', words);
  }

  private begin(name: string): void {
    this.phase = { name, accesses: [], calls: [], memory: [] };
    this.call = undefined;
    this.timeUs = 0;
    this.phases.push(this.phase);
  }

  private beginCall([name, ...args]: string[]): void {
    this.call = { name: name!, args: args.map(BigInt), accesses: [], rc: Number.NaN, sleepUs: 0 };
    this.phase.calls.push(this.call);
    this.insideCall = true;
    this.timeUs = 0;
  }

  private endCall(rc: number): void {
    this.call!.rc = rc;
    this.insideCall = false;
  }

  private wait(us: number): void {
    if (this.insideCall || this.call === undefined) this.timeUs += us;
    else this.call.sleepUs += us;
  }

  private takeMemory(words: string[]): void {
    const [start, stride, count, value] = words as [string, string, string, string];
    for (let i = 0; i < Number(count); i++) {
      const address = Number.parseInt(start, 16) + i * Number.parseInt(stride, 16);
      this.phase.memory.push({ address, value: BigInt(`0x${value}`) });
    }
  }

  private takeAccess(direction: 'R' | 'W', words: string[]): void {
    const [window, register, size, value, repeat] = words as [string, string, string, string, string?];
    const access: TraceAccess = {
      ...{ kind: 'access', direction, window, register: Number.parseInt(register, 16) },
      ...{ size: Number(size), value: BigInt(`0x${value}`), timeUs: this.timeUs },
    };
    const list = this.insideCall ? this.call!.accesses : this.phase.accesses;
    for (let i = 0; i < Number(repeat?.slice(1) ?? 1); i++) list.push(access);
  }
}

const REGISTERS = 0x3_fffe_4000_0000;
const SCOM_WINDOWS = [
  ['nest', 0x0201_2000],
  ['pci', 0x0901_2000],
  ['spci', 0x0901_3c00],
] as const;

/** What firmware knows of the recorded machine before it begins. */
export const TRACED_MACHINE = {
  phbs: [{ nest: 0x0201_2000, pci: 0x0901_2000, spci: 0x0901_3c00, index: 0 }],
  // The first table of the recording stands at 0x2_0002_0000.
  heapBase: 0x2_0001_0000,
} as const;

export class TracePort implements HostPort {
  readonly name = 'trace';
  readonly memory = new SystemMemory({ sizeBytes: 2 ** 24, baseAddress: 0x2_0000_0000 });
  readonly interrupts: InterruptController;
  private expected: readonly TraceAccess[] = [];
  private next = 0;
  private where = '';
  private startNs = 0;

  constructor(private readonly sim: Simulator) {
    this.interrupts = new InterruptController(sim);
  }

  get now(): number {
    return this.sim.now;
  }

  expect(where: string, accesses: readonly TraceAccess[]): void {
    this.where = where;
    this.expected = accesses;
    this.next = 0;
    this.startNs = this.sim.now;
  }

  /** Accesses of the recording that did not come. */
  get missing(): readonly string[] {
    return this.expected.slice(this.next).map(format);
  }

  *load(address: number, size: AccessSize): Process<bigint> {
    return this.take({ direction: 'R', window: 'phb', register: address - REGISTERS, size });
  }

  *store(address: number, size: AccessSize, value: bigint): Process<void> {
    this.take({ direction: 'W', window: 'phb', register: address - REGISTERS, size, value });
  }

  *scomRead(address: number): Process<bigint> {
    return this.take({ direction: 'R', ...scomPlace(address), size: 8 });
  }

  *scomWrite(address: number, value: bigint): Process<void> {
    this.take({ direction: 'W', ...scomPlace(address), size: 8, value });
  }

  private take(access: Omit<TraceAccess, 'kind' | 'value' | 'timeUs'> & { readonly value?: bigint }): bigint {
    const expected = this.expected[this.next];
    const timeUs = (this.sim.now - this.startNs) / 1000;
    const got = format({ ...access, value: access.value ?? expected?.value ?? 0n, timeUs });
    const wanted = expected === undefined ? 'nothing more' : format(expected);
    if (got !== wanted) throw new Error(`${this.where}, access ${this.next}: firmware did ${wanted}, ours ${got}`);
    this.next++;
    return expected!.value;
  }
}

function scomPlace(address: number): { window: string; register: number } {
  for (const [window, base] of SCOM_WINDOWS) {
    if (address >= base && address < base + 0x40 * 4) return { window, register: address - base };
  }
  throw new Error(`SCOM ${address.toString(16)} belongs to no PBCQ of the recording`);
}

function format(access: Omit<TraceAccess, 'kind'>): string {
  const { direction, window, register, size, value, timeUs } = access;
  return `${direction} ${window}+${register.toString(16)} ${size} ${value.toString(16)} at ${timeUs} us`;
}
