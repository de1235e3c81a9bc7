/**
 * From power-on to scanned buses: finds the bridges, initialises them, trains their links, scans below them.
 * Source: skiboot core/pci.c: pci_init_slots, pci_reset_phb. Facts: ioda2-phb3 7.11.2, 8.1.
 */
import type { HostPort } from '../hw/host-port.js';
import { delay, type Process } from '../sim/process.js';
import { ms } from '../sim/time.js';
import { readDeviceNodes } from './device-tree.js';
import type { FirmwareHeap } from './firmware-heap.js';
import type { FirmwareProfile, FirmwareProfileChoice } from './firmware-profile.js';
import type { FirmwareServices } from './firmware-services.js';
import { createP7iocs } from './p7ioc/create.js';
import type { HubPlace } from './p7ioc/hub.js';
import { createPhb3s, type Phb3Place } from './phb3/create.js';
import type { Platform } from './platform.js';
import { scanPhb } from './scan.js';
import type { Slot } from './slot.js';

/** The bridges, as the service firmware knows them. */
export interface FirmwarePlaces {
  /** PHB3s of the chip. */
  readonly phbs?: readonly Phb3Place[];
  /** P7IOCs on the GX buses of the chip. */
  readonly hubs?: readonly HubPlace[];
}

export interface OpalOptions extends FirmwarePlaces {
  /** Where firmware's memory for tables begins. */
  readonly heapBase: number;
  /** Location codes of slots begin with it, where the board has one. */
  readonly baseLocationCode?: string;
  /** Number of the chip; default 0. */
  readonly chipId?: number;
  /** Receives the firmware's log lines. */
  readonly log?: (line: string) => void;
  /** Slips of the real firmware: repeated (`skiboot`, the default), mended, or some of each. */
  readonly profile?: FirmwareProfileChoice;
}

/** What the machine gives firmware to begin with. */
export interface BootMachine {
  readonly port: HostPort;
  readonly chipId: number;
  readonly heap: FirmwareHeap;
  readonly places: readonly Phb3Place[];
  readonly hubs: readonly HubPlace[];
  readonly profile: FirmwareProfile;
  readonly services: FirmwareServices;
}

/** Presence signals bounce after power-on. */
const PRESENCE_DEBOUNCE_MS = 20;

export function* bootPlatform(machine: BootMachine, platform: Platform): Process<void> {
  yield* createP7iocs(machine, platform);
  yield* createPhb3s(machine, (phb) => platform.add(phb));
  const usable = [...platform.phbs.values()].filter((phb) => !phb.broken);
  for (const phb of usable) yield* trainLink(phb.slot);
  for (const phb of usable) yield* scanPhb(phb);
  for (const phb of usable) yield* readDeviceNodes(phb, phb.devices);
}

/** The reset of a slot that firmware itself runs to its end. */
function* trainLink(slot: Slot): Process<void> {
  yield* delay(ms(PRESENCE_DEBOUNCE_MS));
  let waitMs = yield* slot.bootReset();
  while (waitMs > 0) {
    yield* delay(ms(waitMs));
    waitMs = yield* slot.poll();
  }
}
