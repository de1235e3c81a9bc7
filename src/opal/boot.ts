/**
 * From power-on to scanned buses: finds the PHBs of a chip, initialises them, trains their links, scans below them.
 * Source: skiboot hw/phb3.c: probe_phb3; core/pci.c: pci_init_slots, pci_reset_phb. Facts: ioda2-phb3 7.11.2, 8.1.
 */
import type { HostPort } from '../hw/host-port.js';
import { delay, type Process } from '../sim/process.js';
import { ms } from '../sim/time.js';
import { readDeviceNodes } from './device-tree.js';
import { slotId } from './opal-api.js';
import { deviceTree } from './pci-device.js';
import { PcieSlot } from './pcie-slot.js';
import { type BoardFacts, Phb3 } from './phb3.js';
import { initPhb3 } from './phb3-init.js';
import { type PbcqPlace, type PbcqUnit, probePbcq } from './phb3-probe.js';
import { Phb3Slot } from './phb3-slot.js';
import { FirmwareHeap } from './phb3-tables.js';
import { scanPhb } from './scan.js';
import type { Slot } from './slot.js';

export interface OpalOptions {
  /** Where firmware's memory for tables begins. */
  readonly heapBase: number;
  readonly phbs: readonly (PbcqPlace & BoardFacts)[];
  /** Number of the chip; default 0. */
  readonly chipId?: number;
  /** Receives the firmware's log lines. */
  readonly log?: (line: string) => void;
}

/** What firmware knows of the machine once it has booted. */
export interface Platform {
  readonly chipId: number;
  /** By the number calls use, in order of probing. */
  readonly phbs: Map<number, Phb3>;
  /** By slot id. */
  readonly slots: Map<bigint, Slot>;
}

const PHBS_PER_CHIP = 4;
/** Presence signals bounce after power-on. */
const PRESENCE_DEBOUNCE_MS = 20;

export function* bootPlatform(port: HostPort, options: OpalOptions, platform: Platform): Process<void> {
  yield* createPhbs(port, options, platform);
  const usable = [...platform.phbs.values()].filter((phb) => !phb.broken);
  for (const phb of usable) yield* trainLink(platform.slots.get(BigInt(phb.id)) as Phb3Slot);
  for (const phb of usable) {
    yield* scanPhb(phb);
    for (const device of deviceTree(phb.devices)) {
      if (device.slot !== undefined) platform.slots.set(slotId(phb.id, device.bdfn), new PcieSlot(phb, device));
    }
  }
  for (const phb of usable) yield* readDeviceNodes(phb);
}

/** A PHB that does not come up stays known, as broken. */
function* createPhbs(port: HostPort, options: OpalOptions, platform: Platform): Process<void> {
  const log = (line: string): void => options.log?.(line);
  const heap = new FirmwareHeap(options.heapBase);
  const found: { unit: PbcqUnit; board: BoardFacts; id: number }[] = [];
  for (const place of options.phbs) {
    const id = platform.chipId * PHBS_PER_CHIP + place.index;
    const unit = yield* probePbcq(port, place, platform.chipId);
    if (typeof unit === 'string') log(`PHB#${id.toString(16).padStart(4, '0')}: skipped, ${unit}`);
    else found.push({ unit, board: place, id });
  }
  for (const { unit, board, id } of found) {
    const phb = new Phb3(port, unit, heap.takeTables(), { id, board, log });
    platform.phbs.set(id, phb);
    platform.slots.set(BigInt(id), new Phb3Slot(phb));
    yield* initPhb3(phb, 'boot');
  }
}

/** The reset of a slot that firmware itself runs to its end. */
function* trainLink(slot: Phb3Slot): Process<void> {
  yield* delay(ms(PRESENCE_DEBOUNCE_MS));
  let waitMs = yield* slot.bootReset();
  while (waitMs > 0) {
    yield* delay(ms(waitMs));
    waitMs = yield* slot.poll();
  }
}
