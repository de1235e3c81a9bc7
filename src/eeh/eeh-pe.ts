/** EEH's two records: PEs with their state word, tree and traversals, and the devices in them. Facts: eeh-linux 2.1, 2.2, 2.4. */
import { DevMode, type PassedPes, PeState, PeType } from './eeh-flags.js';
import { bdfnName, type EehRecord, hex, type PciBus, type PciController, type PciDevice } from './pci/device.js';
import { HEADER_DWORDS } from './pci/regs.js';

export class EehPe {
  type: number;
  state = 0;
  bus: PciBus | undefined;
  checkCount = 0;
  freezeCount = 0;
  /** Start of the freeze-count window. */
  timestampSeconds = 0;
  falsePositives = 0;
  passedDevices = 0;
  parent: EehPe | undefined;
  readonly children: EehPe[] = [];
  readonly edevs: EehDev[] = [];
  /** Diag data captured when it was isolated; all zero until something was. */
  diagData: Uint8Array;
  stackTrace: readonly string[] = [];

  constructor(
    readonly controller: PciController,
    type: number,
    readonly address: number,
  ) {
    this.type = type;
    this.diagData = new Uint8Array(controller.node.diagDataBytes);
  }

  is(type: number): boolean {
    return (this.type & type) !== 0;
  }

  in(state: number): boolean {
    return (this.state & state) !== 0;
  }

  get isPassed(): boolean {
    return this.passedDevices > 0;
  }

  /** `PHB#%x-PE#%x`, as most log lines name it. */
  get label(): string {
    return `PHB#${this.controller.domain.toString(16)}-PE#${this.address.toString(16)}`;
  }

  /** This PE and all below it, parents first, children in order of insertion. */
  subtree(): EehPe[] {
    return [this, ...this.children.flatMap((child) => child.subtree())];
  }

  /** The devices of the subtree in that order; a snapshot, so the walk survives removals. */
  devicesBelow(): EehDev[] {
    return this.subtree().flatMap((pe) => [...pe.edevs]);
  }

  /** PEs between this one and the PHB PE, nearest first. */
  ancestors(): EehPe[] {
    const found: EehPe[] = [];
    for (let pe = this.parent; pe !== undefined && !pe.is(PeType.PHB); pe = pe.parent) found.push(pe);
    return found;
  }

  markState(state: number): void {
    for (const pe of this.subtree()) {
      if (!pe.in(PeState.REMOVED)) pe.state |= state;
    }
  }

  clearState(state: number, passed: PassedPes = 'include-passed'): void {
    for (const pe of this.subtree()) {
      if (pe.in(PeState.REMOVED) || (passed === 'skip-passed' && pe.isPassed)) continue;
      pe.state &= ~state;
      if ((state & PeState.ISOLATED) !== 0) pe.leaveIsolation();
    }
  }

  /** Records that hardware cut the subtree off. Queues no event and logs nothing. */
  markIsolated(): void {
    this.markState(PeState.ISOLATED);
    for (const pe of this.subtree()) {
      for (const edev of pe.edevs) {
        if (edev.device !== undefined) edev.device.channel = 'frozen';
      }
      if (pe.in(PeState.CFG_RESTRICTED)) pe.state |= PeState.CFG_BLOCKED;
    }
  }

  markDevices(mode: number): void {
    for (const edev of this.devicesBelow()) edev.mode |= mode;
  }

  private leaveIsolation(): void {
    this.checkCount = 0;
    for (const edev of this.edevs) {
      if (edev.device !== undefined) edev.device.channel = 'normal';
    }
    if (this.in(PeState.CFG_RESTRICTED)) this.state &= ~PeState.CFG_BLOCKED;
  }
}

/** EEH's record of one device node. It outlives the device through the unplug that recovery does. Facts: eeh-linux 2.1. */
export class EehDev implements EehRecord {
  mode = 0;
  /** PE number, fixed when probed. */
  peConfigAddress = 0;
  readonly configSpace: number[] = new Array<number>(HEADER_DWORDS).fill(0);
  pcixCapability = 0;
  pcieCapability = 0;
  aerCapability = 0;
  advancedFeatures = 0;
  /** The kernel asks the device; its record keeps the answer for the time it is unplugged (M). */
  linkReporting: 'yes' | 'no' = 'no';
  pe: EehPe | undefined;
  /** Undefined while unplugged. */
  device: PciDevice | undefined;
  inError: 'yes' | 'no' = 'no';
  /** Of a virtual function: the function it belongs to. */
  physicalFunction: PciDevice | undefined;

  constructor(
    readonly controller: PciController,
    readonly bdfn: number,
  ) {}

  get refusesConfig(): boolean {
    return this.pe?.in(PeState.CFG_BLOCKED) === true || this.has(DevMode.REMOVED);
  }

  has(mode: number): boolean {
    return (this.mode & mode) !== 0;
  }

  /** Prefix of its log lines: bus id and PE number, ffff without a PE. */
  get logPrefix(): string {
    const pe = this.pe === undefined ? 0xffff : this.peConfigAddress;
    return `PCI ${hex(this.controller.domain, 4)}:${bdfnName(this.bdfn)}#${hex(pe, 4)}: EEH: `;
  }
}

/** The record of a device's node, once it was probed. */
export function edevOf(device: PciDevice): EehDev | undefined {
  const record = device.node.edev;
  return record instanceof EehDev ? record : undefined;
}

/** A device recovery may deal with: there, not given up, and not a guest's. Source: linux eeh_driver.c: eeh_edev_actionable. */
export function isActionable(edev: EehDev): boolean {
  const { device, pe } = edev;
  if (device === undefined || device.channel === 'perm-failure') return false;
  return !edev.has(DevMode.REMOVED) && pe?.isPassed !== true;
}
