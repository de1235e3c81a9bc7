/**
 * The door through which our firmware meets a recording: reads answer what the recording read, every access is kept for the
 * comparison. An access off the recorded path is taken for an extra one until the accesses after it are found further on.
 */
import type { AccessSize, HostPort } from '../hw/host-port.js';
import { InterruptController } from '../hw/interrupts.js';
import { SystemMemory } from '../hw/memory.js';
import type { Process } from '../sim/process.js';
import type { Simulator } from '../sim/simulator.js';
import { us } from '../sim/time.js';
import { type BoardMap, boardMap, type RecordedBoard } from './firmware-board.js';
import type { FirmwareAccess } from './firmware-phases.js';
import type { RegisterPlace } from './firmware-windows.js';

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
  private readonly map: BoardMap;
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
    board: RecordedBoard,
  ) {
    this.map = boardMap(board);
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
    return this.take({ direction: 'read', ...this.mmioPlace(address), size }, undefined);
  }

  *store(address: number, size: AccessSize, value: bigint): Process<void> {
    this.take({ direction: 'write', ...this.mmioPlace(address), size }, value);
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
    const effect = place.direction === 'write' ? this.map.effect(place, value) : undefined;
    if (effect === undefined) return;
    const on = nameOf(effect.on);
    this.held.set(on, effect.becomes(this.held.get(on) ?? 0n));
  }

  private mmioPlace(address: number): RegisterPlace {
    return this.map.mmio(address) ?? this.nowhere(`address 0x${address.toString(16)} has no register`);
  }

  private scomPlace(address: number): RegisterPlace {
    return this.map.scom(address) ?? this.nowhere(`SCOM 0x${address.toString(16)} has no register`);
  }

  private nowhere(problem: string): never {
    throw new RangeError(`${problem} of the recorded bridges`);
  }
}

const nameOf = ({ window, register }: RegisterPlace): string => `${window}+${register}`;
