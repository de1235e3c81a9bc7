/**
 * What firmware remembers of one PHB of a P7IOC between calls: numbers, addresses, table caches, the error it has seen,
 * the state of its slot. Source: skiboot include/p7ioc.h: struct p7ioc_phb. Facts: ioda1-p7ioc 1.3, 1.5, 7.7.
 */
import type { HostPort } from '../../hw/host-port.js';
import { BUID, IO_WINDOW, interruptNumber, M32_WINDOW, M64_WINDOW } from '../../ioda1/address-map.js';
import { fenceShadowMask } from '../../ioda1/registers/hub-rgc.js';
import { Mutex } from '../../sim/mutex.js';
import type { Process } from '../../sim/process.js';
import type { FirmwareProfile } from '../firmware-profile.js';
import type { FirmwareServices } from '../firmware-services.js';
import type { PciDevice } from '../pci-device.js';
import type { RootCapabilities } from '../root-port.js';
import { P7iocPhbAccess } from './access.js';
import { type P7iocHub, PendingError, type PhbUnit } from './hub.js';
import { P7iocTables } from './tables.js';

export interface MmioWindow {
  /** Real address. */
  readonly base: number;
  readonly bytes: number;
}

/** Where the M32 window begins on the PCI side; below it is DMA. */
export const M32_PCI_START = M32_WINDOW.pciStart;

export const phbName = (id: number): string => `PHB#${id.toString(16).padStart(4, '0')}`;

export class P7iocPhb {
  readonly access: P7iocPhbAccess;
  readonly tables = new P7iocTables();
  /** Calls on one PHB run one after the other: they share its table door and its memory of errors. */
  readonly lock: Mutex;
  /** Initialisation failed: only a complete reset is of any use. */
  broken = false;
  /** As read from the version register; real firmware masks it so that no known level is ever recognised. */
  revision = 0;
  /** Config accesses below the root port are refused from a reset on, until the link is up again. */
  configBlocked = false;
  rootCapabilities: RootCapabilities | undefined;
  readonly error = new PendingError();

  /** Devices on bus 0: the root port, if the scan found it. */
  devices: readonly PciDevice[] = [];
  /** Largest payload every device takes, as the PCI Express code; unknown before the scan. */
  maxPayload: number | undefined;
  /** Configuration cycles that firmware's own checks refused so far. */
  refusedCycles = 0;

  constructor(
    readonly hub: P7iocHub,
    /** Place on the hub, 0 to 5. */
    readonly index: number,
    /** Number by which calls name it. */
    readonly id: number,
  ) {
    this.access = new P7iocPhbAccess(hub.port, hub.place.mwin1, index);
    this.lock = new Mutex(hub.port.interrupts.raised.sim, `${hub.port.name} PHB${id}`);
  }

  get port(): HostPort {
    return this.hub.port;
  }

  get profile(): FirmwareProfile {
    return this.hub.profile;
  }

  get services(): FirmwareServices {
    return this.hub.services;
  }

  /** `PHB#0001`, as the log has it. */
  get name(): string {
    return phbName(this.id);
  }

  /** The unit of the hub that it is, as errors name it. */
  get unit(): PhbUnit {
    return `PHB${this.index}` as PhbUnit;
  }

  log(line: string): void {
    this.services.log(`${this.name}: ${line}`);
  }

  // ---- addresses and numbers --------------------------------------------------------------------------------------

  get ioWindow(): MmioWindow {
    return { base: this.hub.place.mwin1 + IO_WINDOW.offset(this.index), bytes: IO_WINDOW.bytes };
  }

  get m32Window(): MmioWindow {
    return { base: this.hub.place.mwin2 + M32_WINDOW.offset(this.index), bytes: M32_WINDOW.bytes };
  }

  get m64Window(): MmioWindow {
    return { base: this.hub.place.mwin2 + M64_WINDOW.offset(this.index), bytes: M64_WINDOW.bytes };
  }

  /** Bus unit ids, nine bits without the number of the hub. */
  get lsiBuid(): number {
    return BUID.lsi(this.index);
  }

  get msiBuid(): number {
    return BUID.msi(this.index);
  }

  /** Global number of its first level-signalled interrupt. */
  get lsiBase(): number {
    return interruptNumber(this.hub.id, this.lsiBuid, 0);
  }

  /** Global number of its first message interrupt. */
  get msiBase(): number {
    return interruptNumber(this.hub.id, this.msiBuid, 0);
  }

  /** Asks the hardware; any of the two fence bits counts. Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_fenced. */
  *isFenced(): Process<boolean> {
    return ((yield* this.hub.access.read('CHIP_FENCE_SHADOW')) & fenceShadowMask(this.index)) !== 0n;
  }
}
