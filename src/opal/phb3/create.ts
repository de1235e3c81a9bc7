/**
 * Finds the PHB3s of a chip and initialises them.
 * Source: skiboot hw/phb3.c: probe_phb3, phb3_create. Facts: ioda2-phb3 8.1, 8.2.
 */
import type { HostPort } from '../../hw/host-port.js';
import type { Process } from '../../sim/process.js';
import type { FirmwareHeap } from '../firmware-heap.js';
import type { FirmwareProfile } from '../firmware-profile.js';
import type { FirmwareServices } from '../firmware-services.js';
import { Phb3Driver } from './driver.js';
import { initPhb3 } from './init.js';
import { type BoardFacts, Phb3, phbName } from './phb3.js';
import { type PbcqPlace, type PbcqUnit, probePbcq } from './probe.js';
import { takeTables } from './tables.js';

/** Where a PHB3 is, and what the board says about it. */
export type Phb3Place = PbcqPlace & BoardFacts;

export interface Phb3Machine {
  readonly port: HostPort;
  readonly chipId: number;
  readonly heap: FirmwareHeap;
  readonly places: readonly Phb3Place[];
  readonly profile: FirmwareProfile;
  readonly services: FirmwareServices;
}

const PHBS_PER_CHIP = 4;

/** In order of probing. A PHB that does not come up stays known, as broken; `each` learns of it before it is touched. */
export function* createPhb3s(machine: Phb3Machine, each: (driver: Phb3Driver) => void): Process<void> {
  const { port, chipId, heap, profile, services } = machine;
  const found: { unit: PbcqUnit; board: BoardFacts; id: number }[] = [];
  for (const place of machine.places) {
    const id = chipId * PHBS_PER_CHIP + place.index;
    const unit = yield* probePbcq(port, place, chipId);
    if (typeof unit === 'string') services.log(`${phbName(id)}: skipped, ${unit}`);
    else found.push({ unit, board: place, id });
  }
  for (const { unit, board, id } of found) {
    const phb = new Phb3(port, unit, takeTables(heap), { id, board, profile, services });
    each(new Phb3Driver(phb));
    yield* initPhb3(phb, 'boot');
  }
}
