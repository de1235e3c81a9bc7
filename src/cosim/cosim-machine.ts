/**
 * A PowerNV machine for software outside: QEMU's powernv8 address map, and virtual time in the client's hand.
 *
 * The bus takes no time, so memory, registers, tables and SCOMs answer with the clock standing still. What hangs below a
 * root port cannot: a load or a configuration request to a device lets time pass up to its completion (about a
 * microsecond; 16 ms if it times out). Stores to devices, and all that devices do of themselves, wait for the clock.
 * A queue of stores that no clock_step lets go is cut short: beyond a limit the next access lets them drain first, as a
 * full posted-write buffer would.
 */
import type { AccessSize } from '../hw/host-port.js';
import type { SystemMemory, SystemMemoryOptions } from '../hw/memory.js';
import { SyncHost } from '../hw/sync-host.js';
import type { Phb3 } from '../ioda2/phb3.js';
import { QEMU_POWERNV8 } from '../machine/hostboot.js';
import { type Card, PowerNv8 } from '../machine/powernv8.js';
import { Nic } from '../pcie/nic.js';
import { PEER_IMAGES, PeerDevice } from '../pcie/peer-devices.js';
import type { Simulator } from '../sim/simulator.js';
import { MAX_TIME_NS } from '../sim/time.js';
import { AddressSpace } from './address-space.js';
import { InterceptedInterrupts } from './intercepted-interrupts.js';
import type { LineListener, QtestTarget, Work } from './qtest-protocol.js';
import { CommandError } from './qtest-words.js';

export const CARD_KINDS = ['empty', 'nic', 'nvme', 'e1000e', 'edu'] as const;
export type CardKind = (typeof CARD_KINDS)[number];

export interface CosimMachineOptions {
  /** What is in the slot of each PHB; its length is the number of PHBs. */
  readonly slots: readonly CardKind[];
  readonly memory: SystemMemoryOptions;
  readonly seed?: string;
}

/** Three bridges and QEMU's test device below the first, with the memory of `-m 2G`. */
export const DEFAULT_COSIM_MACHINE: CosimMachineOptions = {
  slots: ['edu', 'empty', 'empty'],
  memory: { sizeBytes: 2 ** 31 },
};

/** The interrupt lines of all bridges, numbered as the interrupt presentation numbers them. */
export const INTERRUPT_DEVICES: readonly string[] = ['interrupts', '/machine/interrupts'];

/** Time does not pass, however much happens: something inside the simulator runs in circles. */
export class StandstillError extends Error {
  override readonly name = 'StandstillError';
  constructor(events: number, timeNs: number) {
    super(`${events} events ran at ${timeNs} ns and the clock does not get past it: please report this sequence`);
  }
}

const NO_LATENCY = { mmioLoadNs: 0, mmioStoreNs: 0, scomNs: 0, memoryNs: 0 };
/** A few milliseconds of the host's time. */
const SLICE_EVENTS = 10_000;
const MOST_EVENTS_AT_ONCE = 2_000_000;
const MOST_PENDING_EVENTS = 4096;
/** Longer than a device's longest silence. */
const DRAIN_NS = 100e6;

export class CosimMachine implements QtestTarget {
  readonly sim: Simulator;
  readonly memory: SystemMemory;
  readonly interrupts: InterceptedInterrupts;
  readonly phbs: readonly Phb3[];
  private readonly space: AddressSpace;

  constructor(options: CosimMachineOptions = DEFAULT_COSIM_MACHINE) {
    const { slots } = options;
    const machine = new PowerNv8({
      ...{ phbs: slots.length, memory: options.memory, addressMap: QEMU_POWERNV8, busLatency: NO_LATENCY },
      // Any number of accesses may come at one instant; what runs in circles is found by StandstillError.
      instantBudget: Number.POSITIVE_INFINITY,
      ...(options.seed === undefined ? {} : { seed: options.seed }),
      interrupts: (sim) => new InterceptedInterrupts(sim),
      slot: (sim, phb) => cardOf(sim, phb, slots[phb]!),
    });
    this.sim = machine.sim;
    this.memory = machine.memory;
    this.phbs = machine.phbs;
    this.interrupts = machine.interrupts as InterceptedInterrupts;
    this.space = new AddressSpace(new SyncHost(machine.bus), this.memory);
  }

  // ---- accesses ---------------------------------------------------------------------------------------------------

  load(address: number, size: AccessSize): bigint {
    this.drain();
    return this.space.load(address, size);
  }

  store(address: number, size: AccessSize, value: bigint): void {
    this.drain();
    this.space.store(address, size, value);
  }

  readBlock(address: number, length: number): Uint8Array {
    this.drain();
    return this.space.readBlock(address, length);
  }

  writeBlock(address: number, bytes: Uint8Array): void {
    this.drain();
    this.space.writeBlock(address, bytes);
  }

  fill(address: number, length: number, byte: number): void {
    this.drain();
    this.space.fill(address, length, byte);
  }

  // ---- clock ------------------------------------------------------------------------------------------------------

  get clockNs(): number {
    return Math.floor(this.sim.now);
  }

  *advanceTo(timeNs: number): Work<void> {
    if (timeNs > MAX_TIME_NS) throw new CommandError(`the clock ends at ${Math.floor(MAX_TIME_NS)} ns`);
    const target = Math.max(timeNs, this.sim.now);
    let eventsAtOnce = 0;
    for (;;) {
      const before = this.sim.now;
      if (this.sim.run({ untilNs: target, maxEvents: SLICE_EVENTS }) === 'time') return;
      eventsAtOnce = this.sim.now === before ? eventsAtOnce + SLICE_EVENTS : 0;
      if (eventsAtOnce >= MOST_EVENTS_AT_ONCE) throw new StandstillError(eventsAtOnce, this.clockNs);
      yield;
    }
  }

  *advanceToNextEvent(): Work<void> {
    yield* this.advanceTo(this.sim.now);
    if (this.sim.step()) yield* this.advanceTo(this.sim.now);
  }

  // ---- interrupts -------------------------------------------------------------------------------------------------

  intercept(device: string, listener: LineListener): (() => void) | undefined {
    return INTERRUPT_DEVICES.includes(device) ? this.interrupts.listen(listener) : undefined;
  }

  /** Lets go of a shared memory file. */
  close(): void {
    this.memory.close();
  }

  private drain(): void {
    const { sim } = this;
    if (sim.pendingEvents <= MOST_PENDING_EVENTS) return;
    sim.run({ untilNs: sim.now + DRAIN_NS, when: () => sim.pendingEvents <= MOST_PENDING_EVENTS / 2 });
  }
}

function cardOf(sim: Simulator, phb: number, kind: CardKind): Card | undefined {
  switch (kind) {
    case 'empty':
      return undefined;
    case 'nic':
      return new Nic(sim, `slot${phb}`);
    default:
      return new PeerDevice(sim, `slot${phb} ${kind}`, PEER_IMAGES[kind]);
  }
}
