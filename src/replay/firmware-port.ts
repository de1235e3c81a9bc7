/**
 * The door through which our firmware meets a recording: reads answer what the recording read, every access is kept for the
 * comparison. An access off the recorded path is taken for an extra one until the accesses after it are found further on.
 */
import type { AccessSize, HostPort } from '../hw/host-port.js';
import { InterruptController } from '../hw/interrupts.js';
import { SystemMemory } from '../hw/memory.js';
import { PBCQ_NEST_REGISTERS, PBCQ_SCOM_RANGES } from '../ioda2/registers/pbcq.js';
import type { Process } from '../sim/process.js';
import type { Simulator } from '../sim/simulator.js';
import { us } from '../sim/time.js';
import type { FirmwareAccess, RecordedBoard } from './firmware-phases.js';
import type { WindowName } from './recording.js';

type Place = Pick<FirmwareAccess, 'direction' | 'window' | 'register' | 'size'>;

/** Recorded accesses that ours may leave out at once and still be brought back. */
const LOOK_AHEAD = 64;
/** So many accesses in a row must be found further on: one alone may be there by chance. */
const MEETING = 2;
/** Firmware that leaves the path may poll without end. */
const EXTRA_ACCESSES = 2000;

export class EndlessFirmwareError extends Error {
  override readonly name = 'EndlessFirmwareError';
}

export function samePlace(a: Place, b: Place): boolean {
  return a.direction === b.direction && a.window === b.window && a.register === b.register && a.size === b.size;
}

export class RecordedPort implements HostPort {
  readonly name = 'recording';
  readonly memory: SystemMemory;
  readonly interrupts: InterruptController;
  private expected: readonly FirmwareAccess[] = [];
  private next = 0;
  private done: FirmwareAccess[] = [];
  private lastNs = 0;
  /** Accesses since the last that the recording has too. */
  private readonly astray: Place[] = [];
  /** What each register was last seen to hold, for reads that the recording has not. */
  private readonly held = new Map<string, bigint>();

  constructor(
    private readonly sim: Simulator,
    private readonly board: RecordedBoard,
  ) {
    this.memory = new SystemMemory({ sizeBytes: board.memory.bytes, baseAddress: board.memory.base });
    this.interrupts = new InterruptController(sim);
  }

  get now(): number {
    return this.sim.now;
  }

  /** From here on answers come from these accesses. */
  follow(expected: readonly FirmwareAccess[]): void {
    this.expected = expected;
    this.next = 0;
    this.done = [];
    this.astray.length = 0;
    this.lastNs = this.sim.now;
  }

  /** What our firmware did since `follow`. */
  get accesses(): readonly FirmwareAccess[] {
    return this.done;
  }

  *load(address: number, size: AccessSize): Process<bigint> {
    return this.take({ direction: 'read', window: 'phb', register: address - this.board.registers, size }, undefined);
  }

  *store(address: number, size: AccessSize, value: bigint): Process<void> {
    this.take({ direction: 'write', window: 'phb', register: address - this.board.registers, size }, value);
  }

  *scomRead(address: number): Process<bigint> {
    return this.take({ direction: 'read', ...this.scomPlace(address), size: 8 }, undefined);
  }

  *scomWrite(address: number, value: bigint): Process<void> {
    this.take({ direction: 'write', ...this.scomPlace(address), size: 8 }, value);
  }

  private take(place: Place, written: bigint | undefined): bigint {
    if (this.done.length >= 2 * this.expected.length + EXTRA_ACCESSES) {
      throw new EndlessFirmwareError(`our firmware goes on after ${this.done.length} accesses`);
    }
    const recorded = this.step(place);
    const value = written ?? recorded?.value ?? this.guess(place);
    this.hold(place, value);
    this.done.push({ ...place, value, afterUs: (this.sim.now - this.lastNs) / us(1) });
    this.lastNs = this.sim.now;
    return value;
  }

  /** The recorded access that this one is, if it is one. */
  private step(place: Place): FirmwareAccess | undefined {
    this.astray.push(place);
    const isNext = this.expected[this.next] !== undefined && samePlace(this.expected[this.next]!, place);
    const at = isNext ? this.next : this.meet();
    if (at === undefined) return undefined;
    for (const passed of this.expected.slice(this.next, at)) this.hold(passed, passed.value);
    this.next = at + 1;
    this.astray.length = 0;
    return this.expected[at];
  }

  /** Where the last accesses stand in the recording, further on. */
  private meet(): number | undefined {
    const last = this.astray.slice(-MEETING);
    if (last.length < MEETING) return undefined;
    const end = Math.min(this.next + LOOK_AHEAD, this.expected.length);
    for (let at = this.next + MEETING - 1; at < end; at++) {
      const isHere = last.every((place, back) => samePlace(this.expected[at - MEETING + 1 + back]!, place));
      if (isHere) return at;
    }
    return undefined;
  }

  /** Off the path: what the recording reads there next, or what was seen there last. */
  private guess(place: Place): bigint {
    const ahead = this.expected.slice(this.next, this.next + LOOK_AHEAD).find((each) => samePlace(each, place));
    return ahead?.value ?? this.held.get(nameOf(place)) ?? 0n;
  }

  private hold(place: Place, value: bigint): void {
    this.held.set(nameOf(place), value);
    if (place.window !== 'nest' || place.direction === 'read') return;
    const nfir = this.held.get(NFIR) ?? 0n;
    if (place.register === SETS) this.held.set(NFIR, nfir | value);
    if (place.register === CLEARS) this.held.set(NFIR, nfir & value);
  }

  private scomPlace(address: number): { window: WindowName; register: number } {
    for (const window of ['nest', 'pci', 'spci'] as const) {
      const register = address - this.board.scom[window];
      if (register >= 0 && register < PBCQ_SCOM_RANGES[window].registers) return { window, register };
    }
    throw new RangeError(`SCOM 0x${address.toString(16)} belongs to no PBCQ of the recording`);
  }
}

const nameOf = ({ window, register }: Pick<Place, 'window' | 'register'>): string => `${window}+${register}`;

const NFIR = nameOf({ window: 'nest', register: PBCQ_NEST_REGISTERS.get('NFIR').offset });
const SETS = PBCQ_NEST_REGISTERS.get('NFIR_OR').offset;
const CLEARS = PBCQ_NEST_REGISTERS.get('NFIR_AND').offset;
