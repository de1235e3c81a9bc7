/**
 * A POWER7 machine: memory, bus, interrupt presentation, and one P7IOC on the GX bus with what is plugged into its six PHBs.
 * The service firmware sets the windows of the GX controller and the number of the hub, and leaves the hub alone.
 * Facts: ioda1-p7ioc 1.3, 1.5, 8.
 */
import type { FaultTarget } from '../faults/target.js';
import { CpuPort } from '../hw/cpu-port.js';
import { InterruptController } from '../hw/interrupts.js';
import { SystemMemory } from '../hw/memory.js';
import { SystemBus } from '../hw/system-bus.js';
import type { PestWords } from '../ioda/pest.js';
import { PHBS_PER_HUB } from '../ioda1/error-bits/units.js';
import { P7ioc } from '../ioda1/p7ioc.js';
import type { Ioda1Phb } from '../ioda1/phb.js';
import type { P7iocProfile } from '../ioda1/profile.js';
import type { FirmwarePlaces } from '../opal/boot.js';
import { Link } from '../pcie/link.js';
import { Simulator } from '../sim/simulator.js';
import { checkPhbCount, DEFAULT_MEMORY_BYTES, type MachineOptions, type PowerMachine } from './machine.js';
import { p7iocFaultTargets } from './p7ioc-faults.js';
import { POWER7_TIMING, type TimingProfile } from './timing-profile.js';

/** What the service firmware chooses for the hub. */
export interface GxPlace {
  /** Upper bits of the hub's interrupt numbers. */
  readonly hubId: number;
  /** GX BAR 1: 8 GiB of registers and IO windows. */
  readonly mwin1: number;
  /** GX BARs 2 to 4: 384 GiB of M32 and M64 windows. */
  readonly mwin2: number;
}

/** (M) No public source has a real machine's; the two windows must not overlap. */
export const POWER7_GX: GxPlace = { hubId: 1, mwin1: 0x3ef_0000_0000, mwin2: 0x380_0000_0000 };

export interface PowerNv7Options extends MachineOptions {
  readonly gx?: GxPlace;
  /** Slot power as the service firmware leaves it. */
  readonly slotPower?: 'on' | 'off';
  /** Choices for the hub and its PHBs other than the recommended ones. */
  readonly hubProfile?: Partial<P7iocProfile>;
}

export { PHBS_PER_HUB } from '../ioda1/error-bits/units.js';

export class PowerNv7 implements PowerMachine {
  readonly sim: Simulator;
  readonly memory: SystemMemory;
  readonly bus: SystemBus;
  readonly interrupts: InterruptController;
  readonly hub: P7ioc;
  /** Those that are wired; the hub has all six. */
  readonly phbs: readonly Ioda1Phb[];
  readonly gx: GxPlace;
  readonly timing: TimingProfile;

  constructor(options: PowerNv7Options = {}) {
    const { phbs: count = 1, timing = POWER7_TIMING, gx = POWER7_GX } = options;
    checkPhbCount(count, PHBS_PER_HUB);
    this.sim = new Simulator(options);
    this.timing = timing;
    this.gx = gx;
    this.memory = new SystemMemory(options.memory ?? { sizeBytes: DEFAULT_MEMORY_BYTES });
    this.bus = new SystemBus(this.sim, this.memory, timing.bus);
    this.interrupts = options.interrupts?.(this.sim) ?? new InterruptController(this.sim);
    const links = Array.from(
      { length: PHBS_PER_HUB },
      (_, phb) => new Link(this.sim, `PHB${phb} link`, { maxSpeed: 2, maxWidth: 8, profile: timing.link }),
    );
    this.hub = new P7ioc({
      ...{ bus: this.bus, interrupts: this.interrupts, link: (phb) => links[phb]!, timing: timing.p7ioc },
      ...gx,
      ...(options.slotPower === undefined ? {} : { slotPower: options.slotPower }),
      ...(options.hubProfile === undefined ? {} : { profile: options.hubProfile }),
    });
    this.phbs = this.hub.phbs.slice(0, count);
    for (const { index, link } of this.phbs) options.slot?.(this.sim, index)?.plugInto(link);
  }

  cpu(name = 'cpu0'): CpuPort {
    return new CpuPort(name, this.bus, this.interrupts);
  }

  firmwarePlaces(): FirmwarePlaces {
    return { hubs: [{ ...this.gx, phbs: this.phbs.map(({ index }) => index) }] };
  }

  peekPest(phb: number, pe: number): PestWords {
    const chip = this.phbs[phb]!;
    return { a: chip.peekTable('PESTA', pe), b: chip.peekTable('PESTB', pe) };
  }

  faultTargets(): readonly FaultTarget[] {
    return p7iocFaultTargets(this.hub, this.phbs);
  }
}
