/**
 * What the kernel asks a function it has just found, up to its BARs: access for access as recorded.
 * Source: linux drivers/pci/probe.c: pci_setup_device, set_pcie_port_type, pci_cfg_space_size, __pci_read_base,
 * pci_read_bridge_windows, set_pcie_hotplug_bridge.
 */
import { PortType } from '../../pcie/capabilities.js';
import { BAR_64BIT, BAR_IO, BAR_PREFETCHABLE, COMMAND_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { type ConfigSize, type ConfigTarget, configTarget, type PciConfig } from './config.js';
import { hex, type PciBus, PciDevice, type PciResource, ROM_INDEX } from './device.js';
import type { PciExpress } from './express.js';
import { allOnes, BRIDGE, Capability, ClassCode, DWORD, EXTENDED_START, HEADER, HeaderType, PCIE } from './regs.js';
import { describeResource } from './resource-text.js';

const CONFIG_BYTES = { CONVENTIONAL: 0x100, EXPRESS: 0x1000 } as const;
const DEVICE_BARS = 6;
const BRIDGE_BARS = 2;
const MEMORY_FLAGS = 0xf;
const IO_FLAGS = 0x3;
const IO_SPACE_BITS = 0xffff;
const ROM_ADDRESS_MASK = 0xffff_f800;
const PREFETCHABLE_TYPE = { MASK: 0xf, BITS_64: 0x1 } as const;
const SUBSYSTEM_VENDOR_IN_CAPABILITY = 4;
const DECODE = COMMAND_FIELDS.IO | COMMAND_FIELDS.MEMORY;

interface BarProbe {
  readonly original: number;
  readonly sized: number;
}

/** Its class register says something else. Source: linux powernv/pci-ioda.c: pnv_p7ioc_rc_quirk. */
function isP7iocRootPort({ vendorId, deviceId }: { vendorId: number; deviceId: number }): boolean {
  return vendorId === 0x1014 && deviceId === 0x03b9;
}

export class DeviceSetup {
  constructor(
    private readonly ctx: KernelContext,
    private readonly config: PciConfig,
    private readonly express: PciExpress,
  ) {}

  /** `ids` is the first dword of a function that answered. */
  *create(bus: PciBus, devfn: number, ids: number): Process<PciDevice> {
    const { controller } = bus;
    const bdfn = (bus.number << 8) | devfn;
    const node = controller.addNode(bdfn);
    const headerType = yield* this.config.value({ controller, bdfn, node }, HEADER.HEADER_TYPE.at, 1);
    const identity = { vendorId: ids & 0xffff, deviceId: ids >>> 16, headerType, classCode: 0 };
    const device = new PciDevice(this.ctx.sim, bus, devfn, { node, identity });
    const target = configTarget(device);
    yield* this.findExpress(device, target);
    identity.classCode = (yield* this.config.value(target, HEADER.REVISION.at, 4)) >>> 8;
    if (isP7iocRootPort(identity)) identity.classCode = ClassCode.PCI_BRIDGE << 8;
    yield* this.measureConfigSpace(device, target);
    this.ctx.log.info(
      `pci ${device.name}: [${hex(identity.vendorId, 4)}:${hex(identity.deviceId, 4)}] ` +
        `type ${hex(headerType & HeaderType.MASK, 2)} class 0x${hex(identity.classCode, 6)}`,
    );
    yield* this.tryInterruptMask(target);
    yield* this.readInterrupt(device, target);
    yield* this.sizeBars(device);
    if (device.isBridge) yield* this.readBridge(device, target);
    else yield* this.readSubsystem(target);
    return device;
  }

  private *findExpress(device: PciDevice, target: ConfigTarget): Process<void> {
    const { capabilities } = device;
    capabilities.pcie = yield* this.config.findCapability(target, Capability.PCI_EXPRESS);
    if (capabilities.pcie === 0) return;
    capabilities.pcieFlags = yield* this.config.value(target, capabilities.pcie + PCIE.PCIE_FLAGS.at, 2);
    capabilities.portType = (capabilities.pcieFlags & PCIE.PCIE_FLAGS.fields!['PORT_TYPE']!) >> 4;
    capabilities.deviceCapabilities = yield* this.config.value(target, capabilities.pcie + PCIE.DEVCAP.at, 4);
  }

  /** Extended space may answer with ones, or as a copy of the first 256 bytes. */
  private *measureConfigSpace(device: PciDevice, target: ConfigTarget): Process<void> {
    const { capabilities } = device;
    if (!device.isPcie) {
      capabilities.pcix = yield* this.config.findCapability(target, Capability.PCIX);
      return;
    }
    if (!isReachedExtended(device.bus.bridge)) return;
    const first = yield* this.config.value(target, EXTENDED_START, 4);
    if (first === allOnes(4) || (yield* this.isAliased(target))) return;
    capabilities.configBytes = CONFIG_BYTES.EXPRESS;
  }

  private *isAliased(target: ConfigTarget): Process<boolean> {
    const ids = yield* this.config.value(target, HEADER.VENDOR_ID.at, 4);
    for (let at: number = EXTENDED_START; at < CONFIG_BYTES.EXPRESS; at += CONFIG_BYTES.CONVENTIONAL) {
      if ((yield* this.config.value(target, at, 4)) !== ids) return false;
    }
    return true;
  }

  /** Whether INTx can be switched off is found out by doing it. Source: linux pci_intx_mask_broken. */
  private *tryInterruptMask(target: ConfigTarget): Process<void> {
    const original = yield* this.read(target, HEADER.COMMAND.at, 2);
    const toggled = original ^ COMMAND_FIELDS.INTX_DISABLE;
    yield* this.config.write(target, HEADER.COMMAND.at, 2, toggled);
    const seen = yield* this.read(target, HEADER.COMMAND.at, 2);
    if (seen !== original) yield* this.config.write(target, HEADER.COMMAND.at, 2, original);
  }

  private *readInterrupt(device: PciDevice, target: ConfigTarget): Process<void> {
    device.interruptPin = yield* this.read(target, HEADER.INTERRUPT_PIN.at, 1);
    if (device.interruptPin !== 0) yield* this.read(target, HEADER.INTERRUPT_LINE.at, 1);
  }

  private *sizeBars(device: PciDevice): Process<void> {
    const bars = device.isBridge ? BRIDGE_BARS : DEVICE_BARS;
    for (let index = 0; index < bars; index++) {
      const found = yield* this.bar(device, index);
      if (found?.width === 64) index++;
    }
    yield* this.rom(device);
  }

  /** Decoding is off meanwhile: a BAR full of ones must not answer anybody. */
  private *undecoded<T>(target: ConfigTarget, probe: Process<T>): Process<T> {
    const command = yield* this.read(target, HEADER.COMMAND.at, 2);
    const decodes = (command & DECODE) !== 0;
    if (decodes) yield* this.config.write(target, HEADER.COMMAND.at, 2, command & ~DECODE);
    const result = yield* probe;
    if (decodes) yield* this.config.write(target, HEADER.COMMAND.at, 2, command);
    return result;
  }

  private *bar(device: PciDevice, index: number): Process<PciResource | undefined> {
    const target = configTarget(device);
    const at = HEADER.BAR0.at + 4 * index;
    const probes = yield* this.undecoded(target, this.probeBar(target, at));
    const resource = barResource(index, probes);
    if (resource === undefined) return undefined;
    const low = probes[0]!.original;
    const address = low - (low & (resource.space === 'io' ? IO_FLAGS : MEMORY_FLAGS));
    return this.addResource(device, resource, address + (probes[1]?.original ?? 0) * 2 ** 32);
  }

  private *probeBar(target: ConfigTarget, at: number): Process<BarProbe[]> {
    const low = yield* this.probeDword(target, at, allOnes(4));
    const wide = (low.sized & BAR_IO) === 0 && (low.sized & BAR_64BIT) !== 0 && low.sized !== allOnes(4);
    return wide ? [low, yield* this.probeDword(target, at + 4, allOnes(4))] : [low];
  }

  private *rom(device: PciDevice): Process<void> {
    const target = configTarget(device);
    const at = 4 * (device.isBridge ? DWORD.BRIDGE_ROM : DWORD.ROM);
    const { original, sized } = yield* this.undecoded(target, this.probeDword(target, at, ROM_ADDRESS_MASK));
    const mask = (sized & ROM_ADDRESS_MASK) >>> 0;
    if (mask === 0 || sized === allOnes(4)) return;
    const rom: PciResource = {
      ...{ index: ROM_INDEX, space: 'memory', width: 32, prefetchable: 'yes', pciAddress: undefined },
      sizeBytes: 2 ** 32 - mask,
    };
    this.addResource(device, rom, (original & ROM_ADDRESS_MASK) >>> 0);
  }

  private addResource(device: PciDevice, resource: PciResource, address: number): PciResource {
    device.resources.push(resource);
    const { m32 } = device.bus.controller.node;
    const inWindow = resource.space === 'memory' && address >= m32.pciBase;
    const shown = inWindow ? address - m32.pciBase + m32.cpuBase : address;
    this.ctx.log.info(`pci ${device.name}: ${describeResource(resource, shown)}`);
    return resource;
  }

  private *probeDword(target: ConfigTarget, at: number, ones: number): Process<BarProbe> {
    const original = yield* this.read(target, at, 4);
    yield* this.config.write(target, at, 4, (original | ones) >>> 0);
    const sized = yield* this.read(target, at, 4);
    yield* this.config.write(target, at, 4, original);
    return { original, sized };
  }

  private *readSubsystem(target: ConfigTarget): Process<void> {
    yield* this.read(target, HEADER.SUBSYSTEM_VENDOR.at, 2);
    yield* this.read(target, HEADER.SUBSYSTEM.at, 2);
  }

  private *readBridge(bridge: PciDevice, target: ConfigTarget): Process<void> {
    yield* this.findWindows(bridge, target);
    const slot = yield* this.express.read(bridge, 'SLTCAP');
    if ((slot & PCIE.SLTCAP.fields!['HOT_PLUG']!) !== 0) bridge.bridgeAbilities.hotplug = 'yes';
    const subsystem = yield* this.config.findCapability(target, Capability.SUBSYSTEM);
    if (subsystem === 0) return;
    yield* this.read(target, subsystem + SUBSYSTEM_VENDOR_IN_CAPABILITY, 2);
    yield* this.read(target, subsystem + SUBSYSTEM_VENDOR_IN_CAPABILITY + 2, 2);
  }

  /** A window that reads 0 may be missing or closed at 0; writing tells. */
  private *findWindows(bridge: PciDevice, target: ConfigTarget): Process<void> {
    const { bridgeAbilities } = bridge;
    const io = yield* this.presentOrProbed(target, { at: BRIDGE.IO_BASE.at, size: 2, probe: IO_PROBE });
    if (io !== 0) bridgeAbilities.io = 'yes';
    const prefetchable = { at: BRIDGE.PREFETCHABLE_BASE.at, size: 4, probe: PREFETCHABLE_PROBE } as const;
    const window = yield* this.presentOrProbed(target, prefetchable);
    if (window === 0) return;
    bridgeAbilities.prefetchable = '32-bit';
    if ((window & PREFETCHABLE_TYPE.MASK) !== PREFETCHABLE_TYPE.BITS_64) return;
    const upper = yield* this.probeDword(target, BRIDGE.PREFETCHABLE_BASE_UPPER.at, allOnes(4));
    if (upper.sized !== 0) bridgeAbilities.prefetchable = '64-bit';
  }

  private *presentOrProbed(
    target: ConfigTarget,
    { at, size, probe }: { at: number; size: ConfigSize; probe: number },
  ): Process<number> {
    const value = yield* this.read(target, at, size);
    if (value !== 0) return value;
    yield* this.config.write(target, at, size, probe);
    const probed = yield* this.read(target, at, size);
    yield* this.config.write(target, at, size, 0);
    return probed;
  }

  private *read(target: ConfigTarget, at: number, size: ConfigSize): Process<number> {
    return yield* this.config.value(target, at, size);
  }
}

const IO_PROBE = 0xe0f0;
const PREFETCHABLE_PROBE = 0xffe0_fff0;

function barResource(index: number, [low, high]: readonly BarProbe[]): PciResource | undefined {
  if (low === undefined || low.sized === 0 || low.sized === allOnes(4)) return undefined;
  const common = { index, prefetchable: 'no', pciAddress: undefined } as const;
  if ((low.sized & BAR_IO) !== 0) {
    const sizeBytes = ((~(low.sized & ~IO_FLAGS) & IO_SPACE_BITS) >>> 0) + 1;
    return { ...common, space: 'io', sizeBytes, width: 32 };
  }
  const upper = high === undefined ? allOnes(4) : high.sized;
  const mask = (BigInt(upper) << 32n) | BigInt((low.sized & ~MEMORY_FLAGS) >>> 0);
  return {
    ...common,
    space: 'memory',
    sizeBytes: Number(BigInt.asUintN(64, ~mask + 1n)),
    width: high === undefined ? 32 : 64,
    prefetchable: (low.sized & BAR_PREFETCHABLE) !== 0 ? 'yes' : 'no',
  };
}

/** Behind a bridge to conventional PCI only the first 256 bytes can be named. Source: linux probe.c: pci_bridge_child_ext_cfg_accessible. */
function isReachedExtended(bridge: PciDevice | undefined): boolean {
  if (bridge === undefined) return true;
  const { portType, pcie } = bridge.capabilities;
  const isPort = pcie !== 0 && EXPRESS_PORTS.includes(portType);
  return isPort && isReachedExtended(bridge.bus.bridge);
}

const EXPRESS_PORTS: readonly number[] = [PortType.rootPort, PortType.upstream, PortType.downstream];
