/**
 * A whole machine with its software: chips and cards, firmware on one processor port, Linux on top, a driver per slot.
 * Software gets the port and nothing else; names lead from slots to devices, PEs and drivers.
 */
import type { PciDriver } from '../eeh/drivers/driver.js';
import type { NicDriver } from '../eeh/drivers/nic-driver.js';
import type { EehPe } from '../eeh/eeh-pe.js';
import { type KernelOptions, LinuxKernel } from '../eeh/kernel.js';
import type { PciDevice } from '../eeh/pci/device.js';
import type { CardTarget, DmaPages, FaultTarget, MessageWrite } from '../faults/target.js';
import type { PestWords } from '../ioda/pest.js';
import type { PhbNode } from '../opal/device-tree.js';
import type { FirmwareProfileChoice } from '../opal/firmware-profile.js';
import { Opal } from '../opal/opal.js';
import type { Simulator, SimulatorOptions } from '../sim/simulator.js';
import type { TimeNs } from '../sim/time.js';
import type { Chip } from './chip.js';
import { CHIPS, type ChipName, DEFAULT_CHIP, type MachineOfChip } from './chips.js';
import { WindowPages } from './dma-pages.js';
import { type BuiltDriver, buildDriver, type DriverLabel } from './slot-driver.js';
import {
  type Branch,
  buildBranch,
  type PlacedBridge,
  type PlacedSlot,
  type PlacedSwitch,
  phbCount,
  type SlotOptions,
  type Topology,
} from './topology.js';

/** What the kernel can be booted with; the machine knows the rest. */
export type BootOptions = Partial<Omit<KernelOptions, 'phbs' | 'drivers' | 'firmwareInterrupts' | 'maxFreezes'>>;

export interface SystemOptions<C extends ChipName = 'phb3'> extends SimulatorOptions, Topology {
  /** Its bridges, and with them the machine; default PHB3, a POWER8. */
  readonly chip?: C;
  /** Freezes an hour that a device may have before it is given up. */
  readonly maxFreezes?: number;
  readonly kernel?: BootOptions;
  /** Slips of the real firmware: repeated, mended, or some of each. */
  readonly firmware?: FirmwareProfileChoice;
}

export interface FirmwareLine {
  readonly timeNs: TimeNs;
  readonly text: string;
}

/** Firmware's memory stands above what the kernel is given. */
const FIRMWARE_HEAP = 0x3000_0000;

export class NotBootedError extends Error {
  override readonly name = 'NotBootedError';
  constructor() {
    super('the machine has no kernel yet: call boot() first');
  }
}

/** A machine of any chip. */
export type AnySystem = PowerSystem<ChipName>;

export class PowerSystem<C extends ChipName = 'phb3'> {
  readonly chipName: ChipName;
  readonly machine: MachineOfChip[C];
  readonly opal: Opal;
  readonly slots: readonly SystemSlot[];
  readonly switches: readonly PlacedSwitch[];
  readonly bridges: readonly PlacedBridge[];
  readonly firmwareLog: FirmwareLine[] = [];
  private running: LinuxKernel | undefined;
  /** Switches and bridges as they were numbered: in a reset they forget it. */
  private bridgePlaces: readonly { readonly name: string; readonly phb: number; readonly rid: number }[] = [];

  constructor(private readonly options: SystemOptions<C>) {
    this.chipName = options.chip ?? DEFAULT_CHIP;
    const branches: Branch[] = [];
    const { timing = this.chip.timing } = options;
    const machine = this.chip.build({
      ...options,
      timing,
      phbs: phbCount(options, this.chip.mostPhbs),
      slot: (sim, phb) => {
        branches[phb] = buildBranch(sim, phb, { ...options, timing });
        return branches[phb].card;
      },
    });
    this.machine = machine as MachineOfChip[C];
    this.switches = branches.flatMap((branch) => branch.switch ?? []);
    this.bridges = branches.flatMap((branch) => branch.bridges);
    this.slots = branches
      .flatMap((branch) => branch.slots)
      .sort((a, b) => a.number - b.number)
      .map((slot) => new SystemSlot(this, slot, options.slots.get(slot.number)!));
    this.opal = new Opal(this.machine.cpu(), {
      heapBase: FIRMWARE_HEAP,
      ...this.machine.firmwarePlaces(),
      ...(options.firmware === undefined ? {} : { profile: options.firmware }),
      log: (text) => this.firmwareLog.push({ timeNs: this.sim.now, text }),
    });
  }

  get sim(): Simulator {
    return this.machine.sim;
  }

  /** What there is to know about the chip. */
  get chip(): Chip {
    return CHIPS[this.chipName];
  }

  /** Everything that a fault can hit, by name. */
  faultTargets(): FaultTarget[] {
    const cards = this.slots.map((slot) => slot.faultTarget());
    const switches = this.switches.map(({ name, switch: fan }): FaultTarget => {
      return { kind: 'switch', name, sendErrorMessage: (message) => fan.report(fan.rid, message) };
    });
    return [...cards, ...switches, ...this.machine.faultTargets()];
  }

  /** Firmware, then the kernel with its drivers; returns when the drivers are bound. */
  boot(): void {
    this.sim.complete('firmware boot', this.opal.boot());
    const { maxFreezes, kernel } = this.options;
    this.running = new LinuxKernel(this.sim, this.machine.cpu('cpu1'), this.opal, {
      ...kernel,
      phbs: this.opal.deviceTree(),
      firmwareInterrupts: this.opal.firmwareInterrupts(),
      drivers: this.slots.flatMap((slot) => slot.toBind),
      ...(maxFreezes === undefined ? {} : { maxFreezes }),
    });
    this.sim.complete('kernel boot', this.running.boot());
    for (const slot of this.slots) slot.lookUp();
    this.bridgePlaces = [
      ...this.switches.map(({ name, phb, switch: { rid } }) => ({ name, phb, rid })),
      ...this.bridges.map(({ name, phb, bridge: { id: rid } }) => ({ name, phb, rid })),
    ];
  }

  get kernel(): LinuxKernel {
    if (this.running === undefined) throw new NotBootedError();
    return this.running;
  }

  slot(name: string): SystemSlot | undefined {
    return this.slots.find((slot) => slot.name === name);
  }

  /** The kernel's PE of a device, switch, bridge or PHB by its name, if it has one now. */
  peOf(name: string): EehPe | undefined {
    const [, phb] = /^phb(\d+)$/.exec(name) ?? [];
    if (phb !== undefined) return this.kernelPe(Number(phb), 'phb');
    const slot = this.slot(name);
    if (slot !== undefined) return slot.pe === undefined ? undefined : this.kernelPe(slot.phb, slot.pe);
    const found = this.bridgePlaces.find((each) => each.name === name);
    const number = found === undefined ? undefined : this.peOfRid(found.phb, found.rid);
    return found === undefined || number === undefined ? undefined : this.kernelPe(found.phb, number);
  }

  private kernelPe(phb: number, number: number | 'phb'): EehPe | undefined {
    const controller = this.kernel.controllers.find((each) => each.phbId === phb);
    return controller === undefined ? undefined : this.kernel.pe(controller.domain, number);
  }

  /** The PE that the kernel gave a bus and device. */
  peOfRid(phb: number, rid: number): number | undefined {
    const controller = this.kernel.controllers.find((each) => each.phbId === phb);
    return controller === undefined ? undefined : this.kernel.peSetup.numbers(controller).ofBus(rid >> 8)?.number;
  }

  /** Devices, switches and bridges whose bus has this PE now. */
  namesOfPe(phb: number, pe: number): string[] {
    const slots = this.slots.filter((slot) => slot.phb === phb && slot.pe === pe).map((slot) => slot.name);
    const switches = this.switches.filter((each) => each.phb === phb && this.peOfRid(phb, each.switch.rid) === pe);
    const bridges = this.bridges.filter((each) => each.phb === phb && this.peOfRid(phb, each.bridge.id) === pe);
    return [...slots, ...switches.map((each) => each.name), ...bridges.map((each) => each.name)];
  }

  phbNode(phb: number): PhbNode {
    return this.opal.deviceTree().find((node) => node.index === phb)!;
  }

  /** What the chip kept about a PE's freeze, with the freeze bits as the chip has them. For tools. */
  peekPest(phb: number, pe: number): PestWords {
    return this.machine.peekPest(phb, pe);
  }
}

/** One device of a slot by its name, and what software makes of it now. */
export class SystemSlot {
  private readonly built: BuiltDriver;
  /** PE and bus id outlive the device: a card that was given up is still asked after. */
  private lastPe: number | undefined;
  private lastBusId: string | undefined;

  constructor(
    private readonly system: AnySystem,
    readonly place: PlacedSlot,
    options: SlotOptions,
  ) {
    this.built = buildDriver(options, place, (device) => (this.isMine(device) ? 'yes' : 'no'));
  }

  /** What it was asked for by: its kind, or where it comes from. */
  get driverKind(): DriverLabel {
    return this.built.label;
  }

  /** The driver for the device, bound or not: one's own as it was given. */
  get driver(): PciDriver | undefined {
    return this.built.driver;
  }

  /** The driver of the network card, inside its script if it has one. */
  get nicDriver(): NicDriver | undefined {
    return this.built.nic;
  }

  /** What the kernel is given. */
  get toBind(): readonly PciDriver[] {
    return this.built.bound === undefined ? [] : [this.built.bound];
  }

  get name(): string {
    return this.place.name;
  }

  get phb(): number {
    return this.place.phb;
  }

  /** The device as the kernel has it now; gone after an unplug. */
  get device(): PciDevice | undefined {
    return this.deviceAmong(this.system.kernel.devices);
  }

  deviceAmong(devices: readonly PciDevice[]): PciDevice | undefined {
    return devices.find((device) => this.isMine(device));
  }

  get pe(): number | undefined {
    this.lookUp();
    return this.lastPe;
  }

  get busId(): string | undefined {
    this.lookUp();
    return this.lastBusId;
  }

  /** Pages of the device's 32-bit window; none without a PE. */
  get dmaPages(): DmaPages | undefined {
    const { device, system } = this;
    const table = device === undefined ? undefined : system.kernel.peSetup.peOf(device)?.dma?.table;
    return table === undefined ? undefined : new WindowPages(system.machine.memory, table);
  }

  /** What a fault may hold of this slot. */
  faultTarget(): CardTarget {
    const { card, socket } = this.place;
    const pages = (): DmaPages | undefined => this.dmaPages;
    return {
      ...{ kind: 'card', name: this.name, endpoint: card, link: socket.link },
      get pages() {
        return pages();
      },
      message: (vector) => this.message(vector),
    };
  }

  /** On bridges that filter messages the device writes to the entry of its own PE. */
  private message(vector: number): MessageWrite {
    const { device, system } = this;
    const mve = (device === undefined ? undefined : system.kernel.peSetup.peOf(device)?.mve) ?? 0;
    return system.chip.message(vector, mve);
  }

  /** Packets the driver took since boot, over every reset and replug; of a driver of one's own, its progress. */
  get packets(): number {
    return this.driver?.progress ?? 0;
  }

  /** Frames the card sent for its driver since it was bound. */
  get sent(): number {
    const { device } = this;
    return (device === undefined ? undefined : this.nicDriver?.card(device)?.transmitter?.sent) ?? 0;
  }

  lookUp(): void {
    const { device } = this;
    if (device === undefined) return;
    this.lastBusId = device.name;
    this.lastPe = this.system.kernel.peSetup.peOf(device)?.number ?? this.lastPe;
  }

  private isMine(device: PciDevice): boolean {
    const { path, phb } = this.place;
    if (device.bus.controller.phbId !== phb) return false;
    let here: PciDevice | undefined = device;
    for (let step = path.length - 1; step >= 0; step--) {
      if (here?.devfn !== path[step]) return false;
      here = here!.bus.bridge;
    }
    return here === undefined;
  }
}

export { scomPlace } from './powernv8.js';
