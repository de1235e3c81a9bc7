/**
 * The bandwidth a device has and could have, reported where a link on its way trained lower.
 * Source: linux drivers/pci/pci.c: pcie_report_downtraining, __pcie_print_link_status, pcie_bandwidth_available.
 */
import { LNKSTA_FIELDS, PortType } from '../../pcie/capabilities.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import type { PciDevice } from './device.js';
import type { PciExpress } from './express.js';
import { LinkSpeeds, PCIE } from './regs.js';

/** By code: name, and Mb/s of a lane after encoding. */
const SPEEDS: readonly { readonly name: string; readonly megabits: number }[] = [
  { name: 'Unknown', megabits: 0 },
  { name: '2.5 GT/s PCIe', megabits: 2000 },
  { name: '5.0 GT/s PCIe', megabits: 4000 },
  { name: '8.0 GT/s PCIe', megabits: 7876 },
];

interface Bandwidth {
  readonly speed: number;
  readonly width: number;
  readonly port: PciDevice;
}

export class LinkReport {
  constructor(
    private readonly ctx: KernelContext,
    private readonly express: PciExpress,
  ) {}

  /** Looks up from a device, never down from a port: below a port there may be nobody. */
  *downtraining(device: PciDevice): Process<void> {
    const { portType } = device.capabilities;
    if (!device.isPcie || (portType !== PortType.endpoint && portType !== PortType.upstream)) return;
    if ((device.devfn & 7) !== 0) return;
    const able = yield* this.ability(device);
    const has = yield* this.available(device);
    if (has === undefined || megabits(has) >= megabits(able)) return;
    const limit = `limited by ${SPEEDS[has.speed]?.name ?? 'Unknown'} x${has.width} link at ${has.port.name}`;
    const could = `capable of ${gigabits(able)} Gb/s with ${SPEEDS[able.speed]?.name ?? 'Unknown'} x${able.width} link`;
    const text = `${gigabits(has)} Gb/s available PCIe bandwidth, ${limit} (${could})`;
    this.ctx.log.info(`pci ${device.name}: ${text}`);
  }

  private *ability(device: PciDevice): Process<Bandwidth> {
    const vector = (yield* this.express.read(device, 'LNKCAP2')) & LinkSpeeds.CAP2_MASK;
    const link = yield* this.express.read(device, 'LNKCAP');
    const speed = vector === 0 ? link & LinkSpeeds.CAP_MASK : Math.floor(Math.log2(vector));
    return { speed, width: widthOf(yield* this.express.read(device, 'LNKCAP')), port: device };
  }

  /** The narrowest link on the way to the host. */
  private *available(device: PciDevice): Process<Bandwidth | undefined> {
    let least: Bandwidth | undefined;
    for (let each: PciDevice | undefined = device; each !== undefined; each = each.bus.bridge) {
      const status = yield* this.express.read(each, 'LNKSTA');
      const link = { speed: status & LNKSTA_FIELDS.SPEED, width: widthOf(status), port: each.bus.bridge ?? each };
      if (least === undefined || megabits(link) <= megabits(least)) least = link;
    }
    return least;
  }
}

function widthOf(register: number): number {
  return (register & PCIE.LNKCAP.fields!['WIDTH']!) >> 4;
}

function megabits({ speed, width }: Bandwidth): number {
  return (SPEEDS[speed]?.megabits ?? 0) * width;
}

function gigabits(bandwidth: Bandwidth): string {
  const total = megabits(bandwidth);
  return `${Math.floor(total / 1000)}.${String(total % 1000).padStart(3, '0')}`;
}
