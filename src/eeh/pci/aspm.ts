/**
 * Power management of a link, as far as the kernel sets it up on its own: common clock, latencies, and ASPM left as it is.
 * Source: linux drivers/pci/pcie/aspm.c: pcie_aspm_init_link_state, pcie_aspm_cap_init, pcie_aspm_configure_common_clock;
 * pci.c: pcie_retrain_link. The policy is the default one, which changes nothing.
 */
import { LNKCTL_FIELDS, LNKSTA_FIELDS, PortType } from '../../pcie/capabilities.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import type { PciDevice } from './device.js';
import type { PciExpress } from './express.js';
import { PCIE } from './regs.js';

const ASPM = 0x3;
const ASPM_SUPPORT = 0x0c00;
const CLOCK_POWER = 0x0004_0000;
const COMMON_CLOCK = 0x0040;
const RETRAIN_TIMEOUT_MS = 1000;
const EVERY_STATE = 0x7f;

export class LinkPower {
  constructor(
    private readonly ctx: KernelContext,
    private readonly express: PciExpress,
  ) {}

  /** Once for a link that has devices below it. */
  *setUp(port: PciDevice): Process<void> {
    const devices = port.subordinate?.devices ?? [];
    const first = devices[0];
    if (port.linkState !== undefined || !port.isDownstreamPort || first === undefined) return;
    port.linkState = { aspmEnabled: 0 };
    if (yield* this.isSane(devices)) yield* this.learn(port, devices);
    else yield* this.forgo(port, devices);
    for (const device of devices) {
      if (((yield* this.express.read(device, 'LNKCAP')) & CLOCK_POWER) === 0) break;
      yield* this.express.read(device, 'LNKCTL');
    }
  }

  /** Devices older than PCI Express 1.1 did it wrong. */
  private *isSane(devices: readonly PciDevice[]): Process<boolean> {
    for (const device of devices) {
      if (!device.isPcie) return false;
      const able = yield* this.express.read(device, 'DEVCAP');
      if ((able & PCIE.DEVCAP.fields!['ROLE_BASED_ERRORS']!) !== 0) continue;
      const remedy = "You can enable it with 'pcie_aspm=force'";
      this.ctx.log.info(`pci ${device.name}: disabling ASPM on pre-1.1 PCIe device.  ${remedy}`);
      return false;
    }
    return true;
  }

  /** Everything off on both ends. */
  private *forgo(port: PciDevice, devices: readonly PciDevice[]): Process<void> {
    for (const device of devices) yield* this.express.change(device, 'LNKCTL', { clear: ASPM });
    yield* this.express.change(port, 'LNKCTL', { clear: ASPM });
  }

  private *learn(port: PciDevice, devices: readonly PciDevice[]): Process<void> {
    const first = devices[0]!;
    const above = yield* this.express.read(port, 'LNKCAP');
    const below = yield* this.express.read(first, 'LNKCAP');
    if ((above & below & ASPM_SUPPORT) === 0) {
      port.linkState = { aspmEnabled: EVERY_STATE };
      return;
    }
    yield* this.commonClock(port, devices);
    for (const each of [port, first]) yield* this.express.read(each, 'LNKCAP');
    for (const each of [port, first]) yield* this.express.read(each, 'LNKCTL');
    for (const device of devices) yield* this.checkLatency(device);
  }

  /** Both ends say whether they run on the slot's clock; then the link trains anew. */
  private *commonClock(port: PciDevice, devices: readonly PciDevice[]): Process<void> {
    let same = true;
    for (const each of [devices[0]!, port]) {
      if (((yield* this.express.read(each, 'LNKSTA')) & LNKSTA_FIELDS.SLOT_CLOCK) === 0) same = false;
    }
    const control = yield* this.express.read(port, 'LNKCTL');
    if (same && (control & COMMON_CLOCK) !== 0 && (yield* this.isCommon(devices))) return;
    const bits = same ? { set: COMMON_CLOCK } : { clear: COMMON_CLOCK };
    for (const device of devices) {
      yield* this.express.read(device, 'LNKCTL');
      yield* this.express.change(device, 'LNKCTL', bits);
    }
    yield* this.express.change(port, 'LNKCTL', bits);
    yield* this.retrain(port);
  }

  private *isCommon(devices: readonly PciDevice[]): Process<boolean> {
    for (const device of devices) {
      if (((yield* this.express.read(device, 'LNKCTL')) & COMMON_CLOCK) === 0) return false;
    }
    return true;
  }

  private *retrain(port: PciDevice): Process<void> {
    yield* this.trainingEnds(port);
    yield* this.express.change(port, 'LNKCTL', { set: LNKCTL_FIELDS.RETRAIN });
    yield* this.trainingEnds(port);
  }

  private *trainingEnds(port: PciDevice): Process<void> {
    for (let waited = 0; waited <= RETRAIN_TIMEOUT_MS; waited++) {
      if (((yield* this.express.read(port, 'LNKSTA')) & LNKSTA_FIELDS.TRAINING) === 0) return;
      yield* this.ctx.clock.msleep(1);
    }
  }

  /** Every link on the way to the host is asked how long it takes to wake. */
  private *checkLatency(device: PciDevice): Process<void> {
    if (!device.isPcie || device.capabilities.portType !== PortType.endpoint) return;
    for (let port = device.bus.bridge; port?.linkState !== undefined; port = port.bus.bridge) {
      yield* this.express.read(port, 'LNKCAP');
      const below = port.subordinate?.devices[0];
      if (below !== undefined) yield* this.express.read(below, 'LNKCAP');
    }
  }
}
