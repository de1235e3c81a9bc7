/**
 * What firmware remembers of one PHB3 between calls: addresses, table caches, the error it has seen, the state of its link.
 * Source: skiboot include/phb3.h: struct phb3.
 */
import { getField } from '../../hw/bits.js';
import type { HostPort } from '../../hw/host-port.js';
import { PBCQ_NEST_REGISTERS } from '../../ioda2/registers/pbcq.js';
import { Mutex } from '../../sim/mutex.js';
import type { Process } from '../../sim/process.js';
import type { FirmwareProfile } from '../firmware-profile.js';
import type { FirmwareServices } from '../firmware-services.js';
import type { PciDevice } from '../pci-device.js';
import type { RootCapabilities } from '../root-port.js';
import type { Phb3Access } from './access.js';
import type { PbcqUnit } from './probe.js';
import { Phb3Tables, type TableAddresses } from './tables.js';

/** The class firmware sorts an error into. `none`: pending, but nobody has looked yet. */
export type Phb3ErrorClass = 'none' | 'dead' | 'fenced' | 'er' | 'inf';

/** Why the last link-state change happened; `er` and `inf` come from the LEM, `dead` and `fenced` from there or the PBCQ. */
export interface PendingError {
  pending: boolean;
  class: Phb3ErrorClass;
  /** The most significant set bit that decided the class, -1 if none did. */
  bit: number;
}

/** What the board's device tree says about one PHB. */
export interface BoardFacts {
  readonly maxLinkSpeed?: 1 | 2 | 3;
  /** Presets of the lanes, four words. */
  readonly laneEqualisation?: readonly [bigint, bigint, bigint, bigint];
  /** Of the PHB's chip, and the one that location codes of slots begin with. */
  readonly locationCode?: string;
  readonly baseLocationCode?: string;
}

/** What the firmware around it gives a PHB. */
export interface Phb3Frame {
  readonly id: number;
  readonly board: BoardFacts;
  readonly profile: FirmwareProfile;
  readonly services: FirmwareServices;
}

export const phbName = (id: number): string => `PHB#${id.toString(16).padStart(4, '0')}`;

const AIB_FENCE = PBCQ_NEST_REGISTERS.field('NFIR', 'AIB_FENCE').at;

export class Phb3 {
  readonly access: Phb3Access;
  readonly tables: Phb3Tables;
  /** Calls on one PHB run one after the other: they share its table door and its memory of errors. Source: skiboot phb_lock. */
  readonly lock: Mutex;
  /** Initialisation failed: only a complete reset is of any use. */
  broken = false;
  /** As fresh as the last `checkFence`; config accesses trust it. */
  aibFenced = false;
  /** Config accesses below the root port are refused while the link is known to be down. */
  configBlocked = false;
  /** The last planned link change, not the state of the hardware. */
  hasLink = false;
  /** The first assertion of PERST after power-on would only repeat what the chip does by itself. */
  skipPerst = true;
  revision = 0;
  /** Found once and remembered over complete resets. */
  rootCapabilities: RootCapabilities | undefined;
  readonly error: PendingError = { pending: false, class: 'none', bit: -1 };

  /** Devices on bus 0: the root port, if the scan found it. */
  devices: readonly PciDevice[] = [];
  /** Largest payload every device takes, as the PCI Express code; unknown before the scan. */
  maxPayload: number | undefined;
  /** Stand-in for upper prefetchable window registers that this root port lacks, 12 bytes from 0x28. */
  prefetchableCache: Uint8Array | undefined;
  /** Switches on this PHB that cannot stand end-to-end CRC, by bdfn. */
  readonly ecrcHaters = new Set<number>();
  /** Configuration cycles that firmware's own checks refused so far. */
  refusedCycles = 0;

  constructor(
    readonly port: HostPort,
    readonly unit: PbcqUnit,
    tableAddresses: TableAddresses,
    private readonly frame: Phb3Frame,
  ) {
    this.access = unit.access;
    this.lock = new Mutex(port.interrupts.raised.sim, `${port.name} PHB${frame.id}`);
    this.tables = new Phb3Tables(port.memory, tableAddresses);
  }

  /** Number by which calls name it. */
  get id(): number {
    return this.frame.id;
  }

  get board(): BoardFacts {
    return this.frame.board;
  }

  get profile(): FirmwareProfile {
    return this.frame.profile;
  }

  get services(): FirmwareServices {
    return this.frame.services;
  }

  /** `PHB#0001`, as the log has it. */
  get name(): string {
    return phbName(this.id);
  }

  log(line: string): void {
    this.frame.services.log(`${this.name}: ${line}`);
  }

  get index(): number {
    return this.unit.index;
  }

  /** First global interrupt number of this PHB. */
  get irqBase(): number {
    return this.unit.irqBase;
  }

  /** Asks the hardware, and remembers a fence for those who do not ask. Source: skiboot hw/phb3.c: phb3_fenced. */
  *checkFence(): Process<boolean> {
    const nfir = yield* this.access.readNest('NFIR');
    if (getField(nfir, AIB_FENCE) === 1n) {
      this.aibFenced = true;
      return true;
    }
    return false;
  }

  setError(errorClass: Phb3ErrorClass, bit: number): void {
    this.error.pending = true;
    this.error.class = errorClass;
    this.error.bit = bit;
  }

  clearError(): void {
    this.error.pending = false;
    this.error.class = 'none';
    this.error.bit = -1;
  }
}
