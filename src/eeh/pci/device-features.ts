/**
 * What the kernel sets up in a function once it knows its BARs: payload sizes, capabilities and their save buffers, error
 * reporting, ways to reset it. Source: linux drivers/pci/probe.c: pci_device_add, pci_configure_device,
 * pci_init_capabilities; pci.c: pci_pm_init, pci_configure_ari, pci_init_reset_methods.
 */
import { DEVCTL_FIELDS, decodeSize, LNKCTL_FIELDS, PortType } from '../../pcie/capabilities.js';
import { BRIDGE_CONTROL_FIELDS, COMMAND_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { configTarget, type PciConfig } from './config.js';
import { type PciDevice, ROM_INDEX } from './device.js';
import type { PciExpress } from './express.js';
import { LinkReport } from './link-report.js';
import { AER, BRIDGE, Capability, ExtendedCapability, HEADER, PCIE, PowerManagement } from './regs.js';
import { describeUnplaced } from './resource-text.js';

/** Reporting of correctable, non-fatal and fatal errors and of unsupported requests. */
const ERROR_REPORTING =
  DEVCTL_FIELDS.CORRECTABLE | DEVCTL_FIELDS.NONFATAL | DEVCTL_FIELDS.FATAL | DEVCTL_FIELDS.UNSUPPORTED_REQUEST;
/** BARs are placed by whole pages of the kernel, so that each page can be given away alone. */
const KERNEL_PAGE = 0x1_0000;
/** A window whose base is above its limit passes nothing. */
const CLOSED_WINDOW = 0x0000_fff0;
const RESIZABLE_BAR_FILES = 6;

export class DeviceFeatures {
  private readonly linkReport: LinkReport;

  constructor(
    private readonly ctx: KernelContext,
    private readonly config: PciConfig,
    private readonly express: PciExpress,
  ) {
    this.linkReport = new LinkReport(ctx, express);
  }

  *setUp(device: PciDevice): Process<void> {
    yield* this.configure(device);
    yield* this.realign(device);
    yield* this.findCapabilities(device);
    yield* this.findResetMethods(device);
    // The device becomes visible in sysfs: each of its resize files asks whether it is wanted.
    for (let file = 0; file < RESIZABLE_BAR_FILES; file++) yield* this.extended(device, 'RESIZABLE_BAR');
  }

  private *configure(device: PciDevice): Process<void> {
    yield* this.matchPayload(device);
    if (device.isPcie) yield* this.allowExtendedTags(device);
    yield* this.express.read(device, 'DEVCTL');
    if (device.isPcie) yield* this.configureLink(device);
    if (device.isBridge) yield* this.forwardSystemErrors(device);
  }

  /** The device takes what its port takes. */
  private *matchPayload(device: PciDevice): Process<void> {
    const { bridge } = device.bus;
    if (!device.isPcie || bridge === undefined || !bridge.isPcie) return;
    const mine = yield* this.express.read(device, 'DEVCTL');
    const ports = (yield* this.express.read(bridge, 'DEVCTL')) & DEVCTL_FIELDS.MAX_PAYLOAD;
    if ((mine & DEVCTL_FIELDS.MAX_PAYLOAD) === ports) return;
    const most = decodeSize(device.capabilities.deviceCapabilities & PCIE.DEVCAP.fields!['MAX_PAYLOAD']!);
    if (most < decodeSize(ports >> 5)) return;
    yield* this.express.change(device, 'DEVCTL', { clear: DEVCTL_FIELDS.MAX_PAYLOAD, set: ports });
  }

  private *allowExtendedTags(device: PciDevice): Process<void> {
    const able = yield* this.express.read(device, 'DEVCAP');
    if ((able & PCIE.DEVCAP.fields!['EXTENDED_TAG']!) === 0) return;
    const control = yield* this.express.read(device, 'DEVCTL');
    if ((control & DEVCTL_FIELDS.EXTENDED_TAG) !== 0) return;
    yield* this.express.change(device, 'DEVCTL', { set: DEVCTL_FIELDS.EXTENDED_TAG });
  }

  /** L1 substates and latency tolerance, which nobody here has; the completion boundary of the root port. */
  private *configureLink(device: PciDevice): Process<void> {
    yield* this.extended(device, 'L1_SUBSTATES');
    yield* this.express.read(device, 'DEVCAP2');
    const root = rootPortOf(device);
    if (root === undefined || root === device) return;
    const boundary = (yield* this.express.read(root, 'LNKCTL')) & LNKCTL_FIELDS.READ_COMPLETION_128;
    yield* this.express.change(device, 'LNKCTL', { clear: LNKCTL_FIELDS.READ_COMPLETION_128, set: boundary });
  }

  private *forwardSystemErrors(bridge: PciDevice): Process<void> {
    const target = configTarget(bridge);
    const control = yield* this.config.value(target, BRIDGE.BRIDGE_CONTROL.at, 2);
    if ((control & BRIDGE_CONTROL_FIELDS.SERR) !== 0) return;
    yield* this.config.write(target, BRIDGE.BRIDGE_CONTROL.at, 2, control | BRIDGE_CONTROL_FIELDS.SERR);
  }

  /**
   * Memory decoding off until BARs have their places; windows of bridges closed.
   * Source: linux pci.c: pci_reassigndev_resource_alignment, pci_disable_bridge_window.
   */
  private *realign(device: PciDevice): Process<void> {
    const target = configTarget(device);
    const command = yield* this.config.value(target, HEADER.COMMAND.at, 2);
    yield* this.config.write(target, HEADER.COMMAND.at, 2, command & ~COMMAND_FIELDS.MEMORY);
    for (const resource of device.resources) {
      if (resource.space === 'io' || resource.index === ROM_INDEX || resource.sizeBytes >= KERNEL_PAGE) continue;
      const wanted = `requesting alignment to 0x${KERNEL_PAGE.toString(16)}`;
      this.ctx.log.info(`pci ${device.name}: ${describeUnplaced(resource)}: ${wanted}`);
    }
    if (!device.isBridge) return;
    yield* this.config.write(target, BRIDGE.MEMORY_BASE.at, 4, CLOSED_WINDOW);
    yield* this.config.write(target, BRIDGE.PREFETCHABLE_LIMIT_UPPER.at, 4, 0);
    yield* this.config.write(target, BRIDGE.PREFETCHABLE_BASE.at, 4, CLOSED_WINDOW);
    yield* this.config.write(target, BRIDGE.PREFETCHABLE_BASE_UPPER.at, 4, 0xffff_ffff);
  }

  private *findCapabilities(device: PciDevice): Process<void> {
    const target = configTarget(device);
    const { capabilities } = device;
    yield* this.config.findCapability(target, Capability.ENHANCED_ALLOCATION);
    yield* this.disableMessages(device);
    // Buffers for what pci_save_state keeps.
    yield* this.config.findCapability(target, Capability.PCI_EXPRESS);
    capabilities.pcix = yield* this.config.findCapability(target, Capability.PCIX);
    for (const kept of SAVED_EXTENDED) yield* this.extended(device, kept);
    yield* this.initPowerManagement(device);
    yield* this.config.findCapability(target, Capability.VPD);
    yield* this.configureAri(device);
    if (device.isPcie) yield* this.extended(device, 'SRIOV');
    yield* this.extended(device, 'ATS');
    yield* this.extended(device, 'ACS');
    if (device.isPcie) yield* this.extended(device, 'PTM');
    yield* this.initErrorReporting(device);
    yield* this.extended(device, 'DPC');
    yield* this.linkReport.downtraining(device);
  }

  /** Interrupts by message are off until a driver asks for them. */
  private *disableMessages(device: PciDevice): Process<void> {
    const target = configTarget(device);
    const { MSI, MSIX } = Capability;
    for (const id of [MSI, MSIX]) {
      const at = yield* this.config.findCapability(target, id);
      device.capabilities[id === MSIX ? 'msix' : 'msi'] = at;
      if (at === 0) continue;
      const control = yield* this.config.value(target, at + 2, 2);
      const enable = id === MSIX ? MSIX_ENABLE : MSI_ENABLE;
      if ((control & enable) !== 0) yield* this.config.write(target, at + 2, 2, control & ~enable);
    }
  }

  private *initPowerManagement(device: PciDevice): Process<void> {
    const target = configTarget(device);
    const at = yield* this.config.findCapability(target, Capability.POWER_MANAGEMENT);
    if (at === 0) return;
    device.capabilities.powerManagement = at;
    const abilities = yield* this.config.value(target, at + PowerManagement.CAPABILITIES, 2);
    const states = (abilities & PowerManagement.PME_MASK) >> PowerManagement.PME_SHIFT;
    if (states !== 0) {
      const names = PME_STATES.filter((_, bit) => (states & (1 << bit)) !== 0).map((name) => ` ${name}`);
      this.ctx.log.info(`pci ${device.name}: PME# supported from${names.join('')}`);
      const control = yield* this.config.value(target, at + PowerManagement.CONTROL, 2);
      const quiet = (control | PowerManagement.PME_STATUS) & ~PowerManagement.PME_ENABLE;
      yield* this.config.write(target, at + PowerManagement.CONTROL, 2, quiet);
    }
    yield* this.config.value(target, HEADER.STATUS.at, 2);
  }

  /** The port above forwards to eight functions more only if the device can tell them apart. */
  private *configureAri(device: PciDevice): Process<void> {
    const { bridge } = device.bus;
    if (!device.isPcie || device.devfn !== 0 || bridge === undefined) return;
    const able = yield* this.express.read(bridge, 'DEVCAP2');
    if ((able & PCIE.DEVCAP2.fields!['ARI_FORWARDING']!) === 0) return;
    const bit = PCIE.DEVCTL2.fields!['ARI_FORWARDING']!;
    const wanted = (yield* this.extended(device, 'ARI')) !== 0;
    yield* this.express.change(bridge, 'DEVCTL2', wanted ? { set: bit } : { clear: bit });
  }

  private *initErrorReporting(device: PciDevice): Process<void> {
    const at = yield* this.extended(device, 'AER');
    device.capabilities.aer = at;
    if (at === 0) return;
    yield* this.extended(device, 'AER');
    const target = configTarget(device);
    const root = device.capabilities.portType === PortType.rootPort ? [ROOT_ERROR_STATUS] : [];
    for (const status of [...root, AER.CE_STATUS.at, AER.UE_STATUS.at]) {
      const value = yield* this.config.value(target, at + status, 4);
      yield* this.config.write(target, at + status, 4, value);
    }
    yield* this.express.change(device, 'DEVCTL', { set: ERROR_REPORTING });
  }

  private *findResetMethods(device: PciDevice): Process<void> {
    const target = configTarget(device);
    device.capabilities.advancedFeatures = yield* this.config.findCapability(target, Capability.ADVANCED_FEATURES);
    const { powerManagement } = device.capabilities;
    if (powerManagement !== 0) yield* this.config.value(target, powerManagement + PowerManagement.CONTROL, 2);
  }

  private extended(device: PciDevice, name: keyof typeof ExtendedCapability): Process<number> {
    return this.config.findExtendedCapability(device, ExtendedCapability[name]);
  }
}

const SAVED_EXTENDED = ['LTR', 'MULTIFUNCTION_VC', 'VIRTUAL_CHANNEL', 'VIRTUAL_CHANNEL_9'] as const;
const MSI_ENABLE = 0x0001;
const MSIX_ENABLE = 0x8000;
const PME_STATES = ['D0', 'D1', 'D2', 'D3hot', 'D3cold'];
/** Offset in the AER capability of a root port. */
const ROOT_ERROR_STATUS = 0x30;

export function rootPortOf(device: PciDevice): PciDevice | undefined {
  let found: PciDevice | undefined;
  for (let each: PciDevice | undefined = device; each !== undefined; each = each.bus.bridge) {
    if (each.isPcie && each.capabilities.portType === PortType.rootPort) found = each;
  }
  return found;
}
