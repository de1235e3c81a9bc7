/** A machine of one chip of bridges as everything around it sees it, whatever the chip. */
import type { FaultTarget } from '../faults/target.js';
import type { CpuPort } from '../hw/cpu-port.js';
import type { InterruptController } from '../hw/interrupts.js';
import type { SystemMemory, SystemMemoryOptions } from '../hw/memory.js';
import type { SystemBus } from '../hw/system-bus.js';
import type { PestWords } from '../ioda/pest.js';
import type { FirmwarePlaces } from '../opal/boot.js';
import type { Link } from '../pcie/link.js';
import type { RootPort } from '../pcie/root-port.js';
import type { Simulator, SimulatorOptions } from '../sim/simulator.js';
import type { TimingProfile } from './timing-profile.js';

/** Anything that goes into a slot. */
export interface Card {
  plugInto(link: Link): void;
}

/** Builds the card of a PHB's slot, or leaves it empty. */
export type SlotBuilder = (sim: Simulator, phb: number) => Card | undefined;

export interface MachineOptions extends SimulatorOptions {
  /** PHBs with something below them, counted from 0; default 1. */
  readonly phbs?: number;
  readonly memory?: SystemMemoryOptions;
  readonly timing?: TimingProfile;
  /** Another presentation of interrupts than the plain one. */
  readonly interrupts?: (sim: Simulator) => InterruptController;
  readonly slot?: SlotBuilder;
}

/** What tools may ask of a bridge. */
export interface MachinePhb {
  /** Name in the trace. */
  readonly name: string;
  readonly link: Link;
  readonly rootPort: RootPort;
  readonly peState: { isFrozen(pe: number): boolean };
}

export interface PowerMachine {
  readonly sim: Simulator;
  readonly memory: SystemMemory;
  readonly bus: SystemBus;
  readonly interrupts: InterruptController;
  readonly timing: TimingProfile;
  readonly phbs: readonly MachinePhb[];
  /** A processor's port: all that software may hold of this machine. */
  cpu(name?: string): CpuPort;
  /** Where the service firmware tells OPAL to look for bridges. */
  firmwarePlaces(): FirmwarePlaces;
  /** What the chip kept about a PE's freeze, with the freeze bits as the chip has them. For tools. */
  peekPest(phb: number, pe: number): PestWords;
  /** What faults of the bridges themselves may hold. */
  faultTargets(): readonly FaultTarget[];
}

export const DEFAULT_MEMORY_BYTES = 64 * 2 ** 30;

/** Throws unless a chip can have so many PHBs. */
export function checkPhbCount(count: number, most: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= most) return;
  throw new RangeError(`a chip has 1 to ${most} PHBs, not ${count}`);
}
