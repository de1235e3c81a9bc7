/**
 * A POWER8 machine of one chip: memory, bus, interrupt presentation, up to three PHB3s, and what is plugged into them.
 * Facts: ioda2-phb3 1.1, 1.4.
 */
import type { FaultTarget } from '../faults/target.js';
import { fieldMask } from '../hw/bits.js';
import { CpuPort } from '../hw/cpu-port.js';
import { InterruptController } from '../hw/interrupts.js';
import { SystemMemory } from '../hw/memory.js';
import { SystemBus } from '../hw/system-bus.js';
import type { PestWords } from '../ioda/pest.js';
import { Phb3 } from '../ioda2/phb3.js';
import type { Phb3Profile } from '../ioda2/profile.js';
import { PBCQ_SCOM_RANGES } from '../ioda2/registers/pbcq.js';
import { PHB_REGISTERS } from '../ioda2/registers/phb.js';
import type { FirmwarePlaces } from '../opal/boot.js';
import { Link } from '../pcie/link.js';
import type { RootPortLayout } from '../pcie/root-port.js';
import { Simulator } from '../sim/simulator.js';
import { type AddressMap, programPbcq, REAL_MACHINE } from './hostboot.js';
import { checkPhbCount, DEFAULT_MEMORY_BYTES, type MachineOptions, type PowerMachine } from './machine.js';
import { phb3FaultTarget } from './phb3-faults.js';
import { POWER8_TIMING, type TimingProfile } from './timing-profile.js';

export type { Card, SlotBuilder } from './machine.js';

export interface PowerNv8Options extends MachineOptions {
  readonly addressMap?: AddressMap;
  /** Another root port than the chip's own. */
  readonly rootPort?: RootPortLayout;
  /** Choices for the PHBs other than the recommended ones. */
  readonly phbProfile?: Partial<Phb3Profile>;
}

export const PHBS_PER_CHIP = 3;

const PEST_BASE = fieldMask(PHB_REGISTERS.field('PHB_PEST_BAR', 'BASE').at);
const PEST_ENTRY_BYTES = 16;

export class PowerNv8 implements PowerMachine {
  readonly sim: Simulator;
  readonly memory: SystemMemory;
  readonly bus: SystemBus;
  readonly interrupts: InterruptController;
  readonly phbs: readonly Phb3[];
  readonly addressMap: AddressMap;
  readonly timing: TimingProfile;

  constructor(options: PowerNv8Options = {}) {
    const count = options.phbs ?? 1;
    checkPhbCount(count, PHBS_PER_CHIP);
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

  firmwarePlaces(): FirmwarePlaces {
    return { phbs: this.phbs.map((_, index) => ({ index, ...scomPlace(index) })) };
  }

  /** The entry stands in memory, but for the freeze bits. */
  peekPest(phb: number, pe: number): PestWords {
    const chip = this.phbs[phb]!;
    const entry = Number(chip.registers.get('PHB_PEST_BAR') & PEST_BASE) + pe * PEST_ENTRY_BYTES;
    return {
      a: this.memory.read64(entry) | chip.peekTable('PESTA', pe),
      b: this.memory.read64(entry + PEST_ENTRY_BYTES / 2) | chip.peekTable('PESTB', pe),
    };
  }

  faultTargets(): readonly FaultTarget[] {
    return this.phbs.map(phb3FaultTarget);
  }
}

/** Where firmware finds the SCOM registers of a PHB. */
export function scomPlace(index: number): { nest: number; pci: number; spci: number } {
  const at = (group: keyof typeof PBCQ_SCOM_RANGES): number =>
    PBCQ_SCOM_RANGES[group].base + PBCQ_SCOM_RANGES[group].strideOfPhb * index;
  return { nest: at('nest'), pci: at('pci'), spci: at('spci') };
}
