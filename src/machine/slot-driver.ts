/** The driver of a slot's device, from what the topology asks for. It never binds to a device of another slot. */
import type { PciDriver } from '../eeh/drivers/driver.js';
import { type DriverPlan, scriptOf } from '../eeh/drivers/driver-plan.js';
import { NicDriver, type NicDriverOptions, type NicFlavour } from '../eeh/drivers/nic-driver.js';
import { ScriptedDriver } from '../eeh/drivers/scripted-driver.js';
import type { DriverServices } from '../eeh/drivers/services.js';
import type { PciDevice, PciErrorHandlers } from '../eeh/pci/device.js';
import type { Process } from '../sim/process.js';
import { ms } from '../sim/time.js';
import { DRIVEN_MODEL, type DriverKind, type PlacedSlot, type SlotOptions } from './topology.js';

/** How reports name the driver. */
export type DriverLabel = DriverKind | 'scripted' | 'own';

export interface BuiltDriver {
  readonly label: DriverLabel;
  readonly driver?: PciDriver;
  /** What the kernel binds. */
  readonly bound?: PciDriver;
  readonly nic?: NicDriver;
}

type Wants = (device: PciDevice) => 'yes' | 'no';

/** Drivers send a frame this often, so that cards read memory too. */
const SEND_PERIOD_NS = ms(10);

/** Drivers look for frames about as often as frames come, but for those that come very often or hardly ever. */
const FASTEST_POLL_NS = ms(1);
const SLOWEST_POLL_NS = ms(20);

export function buildDriver(options: SlotOptions, place: PlacedSlot, wants: Wants): BuiltDriver {
  const { driver: wanted, framePeriodNs = 0 } = options;
  const pollPeriodNs = Math.min(Math.max(framePeriodNs, FASTEST_POLL_NS), SLOWEST_POLL_NS);
  if (typeof wanted === 'function') return own(wanted(place), wants);
  if (isDriver(wanted)) return own(wanted, wants);
  if (wanted === 'none' || place.model !== DRIVEN_MODEL) return { label: 'none' };
  if (typeof wanted === 'string') {
    const nic = nicDriver(wanted, { wants, pollPeriodNs });
    return { label: wanted, driver: nic, bound: nic, nic };
  }
  const nic = nicDriver(wanted.like ?? 'recovering', { wants, pollPeriodNs });
  const driver = new ScriptedDriver(nic, scriptOf(wanted));
  return { label: 'scripted', driver, bound: driver, nic };
}

function own(driver: PciDriver, wants: Wants): BuiltDriver {
  return { label: 'own', driver, bound: new BoundToSlot(driver, wants) };
}

const isDriver = (wanted: DriverKind | DriverPlan | PciDriver): wanted is PciDriver =>
  typeof wanted === 'object' && 'probe' in wanted;

const nicDriver = (flavour: NicFlavour, options: Pick<NicDriverOptions, 'wants' | 'pollPeriodNs'>): NicDriver =>
  new NicDriver({ flavour, sendPeriodNs: SEND_PERIOD_NS, ...options });

/** A driver that is offered the devices of one slot only. */
class BoundToSlot implements PciDriver {
  readonly name: string;
  readonly errorHandlers?: PciErrorHandlers;

  constructor(
    private readonly driver: PciDriver,
    private readonly wants: Wants,
  ) {
    this.name = driver.name;
    if (driver.errorHandlers !== undefined) this.errorHandlers = driver.errorHandlers;
  }

  matches(device: PciDevice): 'yes' | 'no' {
    return this.wants(device) === 'yes' ? this.driver.matches(device) : 'no';
  }

  *probe(device: PciDevice, services: DriverServices): Process<number> {
    return yield* this.driver.probe(device, services);
  }

  *remove(device: PciDevice): Process<void> {
    yield* this.driver.remove(device);
  }
}
