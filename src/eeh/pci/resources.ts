/**
 * Address assignment in the 32-bit window: BARs packed by size, bridge windows aligned to the segments of the PHB, the root
 * port's window opened over the whole space so that a later rescan finds room.
 * Source: linux drivers/pci/setup-bus.c; powernv/pci-ioda.c: pnv_pci_window_alignment, pnv_pci_fixup_bridge_resources.
 */
import { COMMAND_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import type { PhbNode } from '../firmware.js';
import { configTarget, type PciConfig } from './config.js';
import { hex, type PciBus, type PciDevice, type PciResource, ROM_INDEX } from './device.js';
import { BRIDGE, DWORD, HEADER } from './regs.js';
import { describeResource, range, resourceName } from './scan.js';

const MEGABYTE = 0x10_0000;
/** BARs get pages of their own, as wide as a page of the kernel. */
const KERNEL_PAGE = 0x1_0000;
/** Base above limit: a window that passes nothing. */
const CLOSED_IO = { base: 0xf0, limit: 0x00 };
const CLOSED_PREFETCHABLE = { base: 0xfff0, limit: 0x0000 };

/** What one segment of the 32-bit window covers; firmware keeps the top 64 KiB of it for messages. */
export function segmentBytes(node: PhbNode): number {
  return 2 ** Math.ceil(Math.log2(node.m32.sizeBytes)) / node.totalPes;
}

type Item = { readonly size: number; readonly align: number } & (
  | { readonly resource: PciResource; readonly device: PciDevice }
  | { readonly bridge: PciDevice }
);

export class PciResources {
  constructor(
    private readonly ctx: KernelContext,
    private readonly config: PciConfig,
  ) {}

  /** Places everything on `bus` and below, and programs it. A bus that has a window already keeps it. */
  *assign(bus: PciBus): Process<void> {
    if (bus.isRoot) {
      const { pciBase, sizeBytes } = bus.controller.node.m32;
      bus.window = { base: pciBase, limit: pciBase + sizeBytes - 1 };
    }
    if (bus.window === undefined) return;
    let next = bus.window.base;
    for (const item of this.items(bus)) {
      const start = Math.ceil(next / item.align) * item.align;
      if (start + item.size - 1 > bus.window.limit) {
        this.refuse(item);
        continue;
      }
      next = start + item.size;
      if ('bridge' in item) yield* this.openBridge(item.bridge, start, item.size);
      else yield* this.program(item.device, item.resource, start);
    }
  }

  private items(bus: PciBus): Item[] {
    const items: Item[] = bus.devices.flatMap((device) => [
      ...device.resources.map((resource): Item => {
        return { device, resource, size: resource.sizeBytes, align: Math.max(resource.sizeBytes, KERNEL_PAGE) };
      }),
      ...(device.subordinate === undefined ? [] : [this.bridgeItem(device, device.subordinate)]),
    ]);
    return items.sort((a, b) => b.align - a.align);
  }

  private bridgeItem(bridge: PciDevice, below: PciBus): Item {
    const segment = segmentBytes(below.controller.node);
    return { bridge, size: this.bytesNeeded(below), align: segment };
  }

  private bytesNeeded(bus: PciBus): number {
    const segment = segmentBytes(bus.controller.node);
    let end = 0;
    for (const item of this.items(bus)) end = Math.ceil(end / item.align) * item.align + item.size;
    return Math.max(1, Math.ceil(end / segment)) * segment;
  }

  private *program(device: PciDevice, resource: PciResource, start: number): Process<void> {
    const target = configTarget(device);
    resource.pciAddress = start;
    const at = resource.index === ROM_INDEX ? 4 * DWORD.ROM : HEADER.BAR0.at + 4 * resource.index;
    yield* this.config.write(target, at, 4, start);
    if (resource.width === 64) yield* this.config.write(target, at + 4, 4, 0);
    const cpuAddress = resource.index === ROM_INDEX ? this.toCpu(device, start) : device.cpuAddress(resource.index);
    this.ctx.log.info(`pci ${device.name}: ${describeResource(resource, cpuAddress ?? start)}: assigned`);
  }

  private *openBridge(bridge: PciDevice, start: number, size: number): Process<void> {
    const { bus, subordinate } = bridge;
    if (subordinate === undefined) return;
    const whole = bus.isRoot && bus.window !== undefined;
    const end = whole ? Math.floor((bus.window!.limit + 1) / MEGABYTE) * MEGABYTE : start + size;
    this.ctx.log.info(`pci ${bridge.name}: bridge window [mem ${range(this.toCpu(bridge, start), size)}]: assigned`);
    subordinate.window = { base: start, limit: end - 1 };
    yield* this.assign(subordinate);
    yield* this.programBridge(bridge, subordinate);
  }

  /** Memory window open, I/O and prefetchable windows closed; forwarding and bus mastering on. */
  private *programBridge(bridge: PciDevice, below: PciBus): Process<void> {
    const { base, limit } = below.window ?? { base: 0, limit: 0 };
    const target = configTarget(bridge);
    const field = (address: number): number => Math.floor(address / MEGABYTE) << 4;
    yield* this.config.write(target, BRIDGE.MEMORY_BASE.at, 4, ((field(limit) << 16) | field(base)) >>> 0);
    yield* this.config.write(target, BRIDGE.IO_BASE.at, 2, (CLOSED_IO.limit << 8) | CLOSED_IO.base);
    const closed = ((CLOSED_PREFETCHABLE.limit << 16) | CLOSED_PREFETCHABLE.base) >>> 0;
    yield* this.config.write(target, BRIDGE.PREFETCHABLE_BASE.at, 4, closed);
    const command = yield* this.config.value(target, HEADER.COMMAND.at, 2);
    const wanted = command | COMMAND_FIELDS.MEMORY | COMMAND_FIELDS.BUS_MASTER;
    yield* this.config.write(target, HEADER.COMMAND.at, 2, wanted);
    this.ctx.log.info(`pci ${bridge.name}: PCI bridge to [bus ${hex(below.number, 2)}]`);
    const window = range(this.toCpu(bridge, base), limit - base + 1);
    this.ctx.log.info(`pci ${bridge.name}:   bridge window [mem ${window}]`);
  }

  private refuse(item: Item): void {
    const [name, what] =
      'bridge' in item ? [item.bridge.name, 'bridge window'] : [item.device.name, resourceName(item.resource)];
    this.ctx.log.info(`pci ${name}: ${what} [mem size 0x${hex(item.size, 8)}]: can't assign; no space`);
  }

  private toCpu(device: PciDevice, pciAddress: number): number {
    const { pciBase, cpuBase } = device.bus.controller.node.m32;
    return pciAddress - pciBase + cpuBase;
  }
}
