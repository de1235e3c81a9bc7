/**
 * A PowerNV machine for software outside, and virtual time in the client's hand: a POWER8 with the address map of QEMU's
 * powernv8, or a POWER7 with a P7IOC.
 *
 * The bus takes no time, so memory, registers, tables and SCOMs answer with the clock standing still. What hangs below a
 * root port cannot: a load or a configuration request to a device lets time pass up to its completion (about a
 * microsecond; 16 ms if it times out). Stores to devices, and all that devices do of themselves, wait for the clock.
 * A queue of stores that no clock_step lets go is cut short: beyond a limit the next access lets them drain first, as a
 * full posted-write buffer would.
 */
import type { Figure } from '../hw/figure.js';
import type { AccessSize } from '../hw/host-port.js';
import type { SystemMemory, SystemMemoryOptions } from '../hw/memory.js';
import { SyncHost } from '../hw/sync-host.js';
import type { BusTiming } from '../hw/system-bus.js';
import { CHIPS, type ChipName, DEFAULT_CHIP } from '../machine/chips.js';
import { QEMU_POWERNV8 } from '../machine/hostboot.js';
import type { Card, MachineOptions, MachinePhb, PowerMachine } from '../machine/machine.js';
import { PowerNv7 } from '../machine/powernv7.js';
import { PowerNv8 } from '../machine/powernv8.js';
import { POWER8_TIMING, type TimingProfile } from '../machine/timing-profile.js';
import { Edu } from '../pcie/edu.js';
import { Nic } from '../pcie/nic.js';
import { peerCard } from '../pcie/peer-cards.js';
import type { Simulator } from '../sim/simulator.js';
import { MAX_TIME_NS } from '../sim/time.js';
import { AddressSpace } from './address-space.js';
import { Firmware, type FirmwareKind } from './firmware.js';
import { InterceptedInterrupts } from './intercepted-interrupts.js';
import { PresenterPage } from './presenter-page.js';
import { type DeviceLines, linesOfDevice } from './qom-devices.js';
import type { LineLevel, LineListener, Pins, QtestTarget, Work } from './qtest-protocol.js';
import { CommandError } from './qtest-words.js';
import { runInSlices } from './slices.js';

export const CARD_KINDS = ['empty', 'nic', 'nvme', 'e1000e', 'edu'] as const;
export type CardKind = (typeof CARD_KINDS)[number];

export interface CosimMachineOptions {
  /** Default PHB3. */
  readonly chip?: ChipName;
  /** What is in the slot of each PHB; its length is the number of PHBs. */
  readonly slots: readonly CardKind[];
  readonly memory: SystemMemoryOptions;
  /** Address bits that DMA of the `edu` devices has; without it those of QEMU's default, 28. */
  readonly dmaMask?: bigint;
  /** skiboot: OPAL has booted when the first command comes. Else a client says `opal boot`, or does without. */
  readonly firmware?: FirmwareKind;
  /** All but the bus, which takes no time here. */
  readonly timing?: TimingProfile;
  readonly seed?: string;
}

/** Three bridges and QEMU's test device below the first, with the memory of `-m 2G`. */
export const DEFAULT_COSIM_MACHINE: CosimMachineOptions = {
  slots: ['edu', 'empty', 'empty'],
  memory: { sizeBytes: 2 ** 31 },
};

/** The only line of the thread that this machine has: external interrupts. */
const THREAD_LINE = 0;

const AT_ONCE: Figure = { value: 0, known: 'assumed', source: '(M) the clock is in the hand of the client' };
const INSTANT_BUS: BusTiming = { mmioLoadNs: AT_ONCE, mmioStoreNs: AT_ONCE, scomNs: AT_ONCE, memoryNs: AT_ONCE };
const MOST_PENDING_EVENTS = 4096;
/** Longer than a device's longest silence. */
const DRAIN_NS = 100e6;

export class CosimMachine implements QtestTarget {
  readonly sim: Simulator;
  readonly memory: SystemMemory;
  readonly interrupts: InterceptedInterrupts;
  readonly phbs: readonly MachinePhb[];
  private readonly space: AddressSpace;
  private readonly firmware: Firmware;

  constructor(options: CosimMachineOptions = DEFAULT_COSIM_MACHINE) {
    const { slots } = options;
    const { chip = DEFAULT_CHIP } = options;
    const machine = BUILDERS[chip]({
      ...{ phbs: slots.length, memory: options.memory },
      timing: { ...(options.timing ?? CHIPS[chip].timing), bus: INSTANT_BUS },
      // Any number of accesses may come at one instant; what runs in circles is found by StandstillError.
      instantBudget: Number.POSITIVE_INFINITY,
      ...(options.seed === undefined ? {} : { seed: options.seed }),
      interrupts: (sim) => new InterceptedInterrupts(sim),
      slot: (sim, phb) => cardOf(sim, phb, options),
    });
    this.sim = machine.sim;
    this.memory = machine.memory;
    this.phbs = machine.phbs;
    this.interrupts = machine.interrupts as InterceptedInterrupts;
    machine.bus.attachMmio(new PresenterPage(machine.bus, this.interrupts));
    this.space = new AddressSpace(new SyncHost(machine.bus), this.memory);
    this.firmware = new Firmware(this.sim, machine.cpu('firmware'), machine.firmwarePlaces());
    if (options.firmware === 'skiboot') this.start();
  }

  /** Firmware that a machine comes with has booted before the first command. */
  private start(): void {
    for (const work = this.firmware.boot(); work.next().done !== true; );
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
    // Up: who steps by the delay that a call asked for must not come a fraction too early.
    return Math.ceil(this.sim.now);
  }

  *advanceTo(timeNs: number): Work<void> {
    if (timeNs > MAX_TIME_NS) throw new CommandError(`the clock ends at ${Math.floor(MAX_TIME_NS)} ns`);
    yield* runInSlices(this.sim, { untilNs: Math.max(timeNs, this.sim.now) });
  }

  *advanceToNextEvent(): Work<void> {
    yield* this.advanceTo(this.sim.now);
    if (this.sim.step()) yield* this.advanceTo(this.sim.now);
  }

  // ---- interrupts -------------------------------------------------------------------------------------------------

  intercept(device: string, pins: Pins, listener: LineListener): (() => void) | undefined {
    const lines = linesOfDevice(device);
    if (lines === undefined) return undefined;
    if (lines === 'sources') return this.interrupts.listen(listener);
    if (lines === 'thread' && pins === 'in') {
      return this.interrupts.listenToOutput((level) => listener(THREAD_LINE, level));
    }
    return () => {};
  }

  setLine(device: string, line: number, level: LineLevel): 'done' | 'no device' | 'no line' {
    const lines: DeviceLines | undefined = linesOfDevice(device);
    if (lines === undefined) return 'no device';
    if (lines !== 'thread' || line !== THREAD_LINE) return 'no line';
    this.interrupts.setOutput(level);
    return 'done';
  }

  // ---- firmware ---------------------------------------------------------------------------------------------------

  *callFirmware(call: string, words: readonly string[]): Work<bigint> {
    return yield* this.firmware.call(call, words);
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

const BUILDERS: Readonly<Record<ChipName, (options: MachineOptions) => PowerMachine>> = {
  phb3: (options) => new PowerNv8({ ...options, addressMap: QEMU_POWERNV8 }),
  p7ioc: (options) => new PowerNv7(options),
};

function cardOf(sim: Simulator, phb: number, options: CosimMachineOptions): Card | undefined {
  const { slots, dmaMask, timing = POWER8_TIMING } = options;
  const kind = slots[phb]!;
  switch (kind) {
    case 'empty':
      return undefined;
    case 'nic':
      return new Nic(sim, `slot${phb}`, { timing: timing.endpoint });
    case 'edu':
      // QEMU 7.2 gives this device the byte order of the processor it is built for.
      return new Edu(sim, `slot${phb} edu`, {
        byteOrder: 'big',
        timing: { ...timing.endpoint, ...timing.edu },
        ...(dmaMask === undefined ? {} : { dmaMask }),
      });
    default:
      return peerCard(sim, `slot${phb} ${kind}`, kind, timing);
  }
}
