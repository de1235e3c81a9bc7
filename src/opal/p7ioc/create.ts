/**
 * Brings up the P7IOCs of a machine with their PHBs. Source: skiboot p7ioc hw/p7ioc.c: p7ioc_create_hub;
 * hw/p7ioc-phb.c: p7ioc_phb_setup. Facts: ioda1-p7ioc 8.
 */
import type { HostPort } from '../../hw/host-port.js';
import type { Process } from '../../sim/process.js';
import type { FirmwareProfile } from '../firmware-profile.js';
import type { FirmwareServices } from '../firmware-services.js';
import type { Platform } from '../platform.js';
import { P7iocDriver } from './driver.js';
import { type HubPlace, P7iocHub } from './hub.js';
import { P7iocHubDriver } from './hub-driver.js';
import { initHub } from './hub-init.js';
import { P7iocPhb } from './phb.js';

export interface P7iocMachine {
  readonly port: HostPort;
  readonly hubs: readonly HubPlace[];
  readonly profile: FirmwareProfile;
  readonly services: FirmwareServices;
}

/** In order. Bridges get the lowest numbers that are free, and are known before anything is touched. */
export function* createP7iocs({ port, hubs, profile, services }: P7iocMachine, platform: Platform): Process<void> {
  for (const place of hubs) {
    const hub = new P7iocHub(port, place, { profile, services });
    const phbs: P7iocPhb[] = [];
    for (const index of place.phbs) {
      const phb = new P7iocPhb(hub, index, platform.freePhbId());
      phbs.push(phb);
      platform.add(new P7iocDriver(phb));
    }
    hub.phbs.push(...phbs);
    platform.hubs.set(hub.id, new P7iocHubDriver(hub));
    yield* initHub(hub, phbs);
    hub.log('Initialization complete');
  }
}
