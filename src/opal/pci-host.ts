/**
 * A bridge as the PCI core of firmware sees it: configuration cycles, and the few questions that each chip answers in its
 * own way. Source: skiboot include/pci.h: struct phb, struct phb_ops.
 */
import type { HostPort } from '../hw/host-port.js';
import type { Mutex } from '../sim/mutex.js';
import type { Process } from '../sim/process.js';
import type { FirmwareProfile } from './firmware-profile.js';
import type { FreezeStatus } from './opal-results.js';
import type { ConfigAccess } from './pci-config.js';
import type { PciDevice } from './pci-device.js';
import type { Slot } from './slot.js';

export interface PciHost extends ConfigAccess {
  /** Number by which calls name it. */
  readonly id: number;
  readonly port: HostPort;
  readonly profile: FirmwareProfile;
  /** Calls on one PHB run one after the other: they share its table door and its memory of errors. */
  readonly lock: Mutex;
  log(line: string): void;

  /** Devices on bus 0, as the scan found them. */
  devices: readonly PciDevice[];
  /** Largest payload every device takes, as the PCI Express code; unknown before the scan. */
  maxPayload: number | undefined;
  /** Slots below bridges, by the bdfn of the bridge. */
  readonly portSlots: Map<number, Slot>;

  /** Width of the link below the root port, 0 without one. */
  rootLinkWidth(): Process<number>;
  /** What the chip wants set in a device, after each scan and each reset. */
  initDevice(device: PciDevice): Process<void>;
  /** Undoes what a device made the chip do, before firmware forgets it. */
  removeDevice?(device: PciDevice): Process<void>;
  /** Bus numbers of a bridge, out of the first and last that are free; undefined if they do not suffice. */
  chooseBus(bridge: PciDevice, free: BusRange): BusChoice | undefined;
  /** The root port's own slot shares the PHB's link, and its handling, where the chip has some. */
  prepareRootLink?(direction: LinkDirection, port: PciDevice): Process<void>;
  /** Its wait for the link has ended without one. */
  unblockRootLink?(port: PciDevice): void;

  /**
   * The last firmware with a driver for the bridge, if it is not the newest. The PCI core of 6.2 looks for virtual functions,
   * trusts every PCI Express capability to have its second part, and asks a device for its names once more to publish them.
   */
  readonly generation?: '6.2';

  /** PE of requesters that nobody mapped, and what probes of empty places leave there. */
  readonly reservedPe?: number;
  freezeStatus?(pe: number): Process<FreezeStatus>;
  freezeClear?(pe: number, action: number): Process<number>;
}

export type LinkDirection = 'up' | 'down';

export interface BusRange {
  readonly first: number;
  readonly last: number;
}

export interface BusChoice {
  readonly secondary: number;
  readonly subordinate: number;
  /** The subordinate number stays, whatever the scan finds: bridges that map whole ranges of buses want that. */
  readonly subordinateIs: 'fixed' | 'as-found';
}
