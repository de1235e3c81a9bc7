/**
 * A POWER8 machine of one chip: memory, bus, interrupt presentation, up to three PHB3s, and what is plugged into them.
 * Facts: ioda2-phb3 1.1, 1.4.
 */
import { CpuPort } from '../hw/cpu-port.js';
import { InterruptController } from '../hw/interrupts.js';
import { SystemMemory, type SystemMemoryOptions } from '../hw/memory.js';
import { SystemBus } from '../hw/system-bus.js';
import { Phb3 } from '../ioda2/phb3.js';
import type { Phb3Profile } from '../ioda2/profile.js';
import { Link } from '../pcie/link.js';
import type { RootPortLayout } from '../pcie/root-port.js';
import { Simulator, type SimulatorOptions } from '../sim/simulator.js';
import { type AddressMap, programPbcq, REAL_MACHINE } from './hostboot.js';
import { POWER8_TIMING, type TimingProfile } from './timing-profile.js';

/** Anything that goes into a slot. */
export interface Card {
  plugInto(link: Link): void;
}

/** Builds the card of a PHB's slot, or leaves it empty. */
export type SlotBuilder = (sim: Simulator, phb: number) => Card | undefined;

export interface PowerNv8Options extends SimulatorOptions {
  readonly phbs?: number;
  readonly memory?: SystemMemoryOptions;
  readonly timing?: TimingProfile;
  /** Another presentation of interrupts than the plain one. */
  readonly interrupts?: (sim: Simulator) => InterruptController;
  readonly addressMap?: AddressMap;
  readonly slot?: SlotBuilder;
  /** Another root port than the chip's own. */
  readonly rootPort?: RootPortLayout;
  /** Choices for the PHBs other than the recommended ones. */
  readonly phbProfile?: Partial<Phb3Profile>;
}

const DEFAULT_MEMORY_BYTES = 64 * 2 ** 30;
export const PHBS_PER_CHIP = 3;

export class PowerNv8 {
  readonly sim: Simulator;
  readonly memory: SystemMemory;
  readonly bus: SystemBus;
  readonly interrupts: InterruptController;
  readonly phbs: readonly Phb3[];
  readonly addressMap: AddressMap;
  readonly timing: TimingProfile;

  constructor(options: PowerNv8Options = {}) {
    const count = options.phbs ?? 1;
    if (!Number.isInteger(count) || count < 1 || count > PHBS_PER_CHIP) {
      throw new RangeError(`a chip has 1 to ${PHBS_PER_CHIP} PHBs, not ${count}`);
    }
    this.sim = new Simulator(options);
    this.timing = options.timing ?? POWER8_TIMING;
    this.memory = new SystemMemory(options.memory ?? { sizeBytes: DEFAULT_MEMORY_BYTES });
    this.bus = new SystemBus(this.sim, this.memory, this.timing.bus);
    this.interrupts = options.interrupts?.(this.sim) ?? new InterruptController(this.sim);
    this.addressMap = options.addressMap ?? REAL_MACHINE;
    this.phbs = Array.from({ length: count }, (_, index) => this.#buildPhb(index, options));
  }

  #buildPhb(index: number, options: PowerNv8Options): Phb3 {
    const link = new Link(this.sim, `PHB${index} link`, { maxSpeed: 3, maxWidth: 16, profile: this.timing.link });
    const phb = new Phb3({
      ...{ link, index, bus: this.bus, interrupts: this.interrupts, timing: this.timing.phb3 },
      ...(options.phbProfile ? { profile: options.phbProfile } : {}),
      ...(options.rootPort ? { rootPort: options.rootPort } : {}),
    });
    programPbcq(phb, index, this.addressMap);
    options.slot?.(this.sim, index)?.plugInto(link);
    return phb;
  }

  /** A processor's port: all that software may hold of this machine. */
  cpu(name = 'cpu0'): CpuPort {
    return new CpuPort(name, this.bus, this.interrupts);
  }
}
