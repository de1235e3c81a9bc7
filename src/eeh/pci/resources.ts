/**
 * Address assignment: BARs packed by size in the 32-bit window, bridge windows aligned to the segments of the PHB, the root
 * port's windows opened over all of its PHB. What has its place keeps it.
 * Source: linux drivers/pci/setup-bus.c: __pci_bus_assign_resources, pbus_size_mem; setup-res.c: pci_std_update_resource;
 * powernv/pci-ioda.c: pnv_pci_window_alignment.
 */
import { COMMAND_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { configTarget, type PciConfig } from './config.js';
import { type BridgeWindow, hex, type PciBus, type PciDevice, type PciResource, ROM_INDEX } from './device.js';
import { HEADER } from './regs.js';
import { describeResource, describeUnplaced, range } from './resource-text.js';
import { BridgeWindows, prefetchableSpace, segmentBytes, wholeWindow } from './windows.js';

/** BARs get pages of their own, as wide as a page of the kernel. */
const KERNEL_PAGE = 0x1_0000;
const IO_WINDOW_BYTES = 0x1000;
/** Numbers under which the kernel keeps the memory windows of a bus. */
const ROOT_RESOURCE = 4;
const CHILD_RESOURCE = 1;

type Item = { readonly size: number; readonly align: number } & (
  | { readonly resource: PciResource; readonly device: PciDevice }
  | { readonly bridge: PciDevice }
);

export class PciResources {
  readonly windows: BridgeWindows;

  constructor(
    private readonly ctx: KernelContext,
    private readonly config: PciConfig,
  ) {
    this.windows = new BridgeWindows(ctx, config);
  }

  /** Places what has no place yet on `bus` and below, and programs it. */
  *assign(bus: PciBus): Process<void> {
    if (bus.isRoot) this.openRoot(bus);
    if (bus.window === undefined) return;
    this.announce(bus);
    this.openWide(bus);
    const opened: PciDevice[] = [];
    for (const item of this.items(bus).filter(isUnplaced)) {
      const start = this.firstFit(bus, item);
      if (start === undefined) this.refuse(item);
      else if ('bridge' in item) {
        this.open(item.bridge, start, item.size);
        opened.push(item.bridge);
      } else yield* this.program(item.device, item.resource, start);
    }
    this.refuseIo(bus, opened);
    for (const bridge of bus.devices) {
      const below = bridge.subordinate;
      if (below === undefined) continue;
      yield* this.assign(below);
      if (opened.includes(bridge)) yield* this.windows.program(bridge, below);
    }
  }

  /** The bus below a bridge got new devices: its windows are tried and written anew. Source: pci_assign_unassigned_bridge_resources. */
  *assignBelow(bridge: PciDevice, bus: PciBus): Process<void> {
    this.announceFor(bridge, bus);
    this.refuseIoWindow(bridge, 'tried-before');
    yield* this.assign(bus);
    yield* this.windows.program(bridge, bus);
  }

  /** What the buses can reach in the end, as the boot prints it. */
  describe(root: PciBus): void {
    const { m32 } = root.controller.node;
    const left = root
      .withChildren()
      .some(({ devices }) =>
        devices.some(({ resources }) => resources.some(({ pciAddress }) => pciAddress === undefined)),
      );
    if (left) {
      const advice = 'try booting with pci=realloc';
      this.ctx.log.info(`pci_bus ${root.name}: Some PCI device resources are unassigned, ${advice}`);
    }
    for (const bus of root.withChildren()) {
      const first = bus.isRoot ? ROOT_RESOURCE : CHILD_RESOURCE;
      const { window, prefetchableWindow } = bus;
      const line = (text: string): void => this.ctx.log.info(`pci_bus ${bus.name}: resource ${text}`);
      const text = ({ base, limit }: BridgeWindow): string => range(base, limit - base + 1);
      const seen = (address: number): number => address - m32.pciBase + m32.cpuBase;
      if (window !== undefined) {
        line(`${first} [mem ${text({ base: seen(window.base), limit: seen(window.limit) })}]`);
      }
      if (prefetchableWindow !== undefined) line(`${first + 1} [mem ${text(prefetchableWindow)} 64bit pref]`);
    }
  }

  private openRoot(bus: PciBus): void {
    const { node } = bus.controller;
    const { pciBase, sizeBytes } = node.m32;
    bus.window = { base: pciBase, limit: pciBase + sizeBytes - 1 };
    bus.prefetchableWindow = prefetchableSpace(node);
  }

  private announce(bus: PciBus): void {
    for (const bridge of bus.devices) {
      if (bridge.subordinate !== undefined) this.announceFor(bridge, bridge.subordinate);
    }
  }

  /** Room that is wanted only for cards to come. Source: linux setup-bus.c: pbus_size_io, pbus_size_mem. */
  private announceFor(bridge: PciDevice, below: PciBus): void {
    if (bridge.bridgeAbilities.hotplug === 'no') return;
    const to = `to [bus ${hex(below.number, 2)}] add_size`;
    if (hasIoWindow(bridge) && !needsIo(below)) {
      const none = range(IO_WINDOW_BYTES, 0, 4);
      this.line(bridge, `bridge window [io  ${none}] ${to} ${IO_WINDOW_BYTES.toString(16)}`);
    }
    const wide = wideSegment(below);
    if (wide === undefined || below.prefetchableWindow !== undefined) return;
    const size = wide.toString(16);
    this.line(bridge, `bridge window [mem ${range(wide, 0)} 64bit pref] ${to} ${size} add_align ${size}`);
  }

  /** A hotplug port gets a segment of the 64-bit window for cards to come, which the root port then opens wholly. */
  private openWide(bus: PciBus): void {
    const space = bus.prefetchableWindow;
    for (const bridge of bus.devices) {
      const below = bridge.subordinate;
      if (space === undefined || below === undefined || below.prefetchableWindow !== undefined) continue;
      const size = wideSegment(below);
      if (size === undefined || bridge.bridgeAbilities.hotplug === 'no') continue;
      this.line(bridge, `bridge window [mem ${range(space.base, size)} 64bit pref]: assigned`);
      below.prefetchableWindow = bus.isRoot ? wholeWindow(space) : { base: space.base, limit: space.base + size - 1 };
    }
  }

  /** By falling alignment, so that no gaps are left. */
  private items(bus: PciBus): Item[] {
    const items: Item[] = bus.devices.flatMap((device) => [
      ...device.resources
        .filter(({ space }) => space === 'memory')
        .map((resource): Item => {
          return { device, resource, size: resource.sizeBytes, align: Math.max(resource.sizeBytes, KERNEL_PAGE) };
        }),
      ...(device.subordinate === undefined ? [] : [this.bridgeItem(device, device.subordinate)]),
    ]);
    return items.sort((a, b) => b.align - a.align || romFirst(a) - romFirst(b));
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

  private firstFit({ window, devices }: PciBus, { size, align }: Item): number | undefined {
    const { base, limit } = window!;
    const taken = devices.flatMap(placesOf).sort((a, b) => a.base - b.base);
    let start = Math.ceil(base / align) * align;
    for (const place of taken) {
      if (start + size <= place.base) break;
      start = Math.max(start, Math.ceil((place.limit + 1) / align) * align);
    }
    return start + size - 1 <= limit ? start : undefined;
  }

  private *program(device: PciDevice, resource: PciResource, start: number): Process<void> {
    resource.pciAddress = start;
    const { m32 } = device.bus.controller.node;
    const shown = describeResource(resource, start - m32.pciBase + m32.cpuBase);
    this.ctx.log.info(`pci ${device.name}: ${shown}: assigned`);
    // A ROM is placed in the books only; whoever wants it switches it on.
    if (resource.index === ROM_INDEX) return;
    const target = configTarget(device);
    const at = HEADER.BAR0.at + 4 * resource.index;
    const wide = resource.width === 64;
    const command = wide ? yield* this.config.value(target, HEADER.COMMAND.at, 2) : 0;
    if (wide) yield* this.config.write(target, HEADER.COMMAND.at, 2, command & ~COMMAND_FIELDS.MEMORY);
    yield* this.config.write(target, at, 4, start + (wide ? BAR_TYPE_64 : 0));
    yield* this.config.value(target, at, 4);
    if (!wide) return;
    yield* this.config.write(target, at + 4, 4, 0);
    yield* this.config.value(target, at + 4, 4);
    yield* this.config.write(target, HEADER.COMMAND.at, 2, command);
  }

  private open(bridge: PciDevice, start: number, size: number): void {
    const { bus, subordinate } = bridge;
    this.line(bridge, `bridge window [mem ${range(this.toCpu(bridge, start), size)}]: assigned`);
    subordinate!.window = bus.isRoot ? wholeWindow(bus.window!) : { base: start, limit: start + size - 1 };
  }

  private refuse(item: Item): void {
    if ('bridge' in item) {
      this.line(item.bridge, `bridge window [mem size 0x${hex(item.size, 8)}]: can't assign; no space`);
      this.line(item.bridge, `bridge window [mem size 0x${hex(item.size, 8)}]: failed to assign`);
      return;
    }
    this.refuseResource(item.device, item.resource);
  }

  /** There is no I/O space, or none that is used. A window is tried again without room for cards to come, a new one in any case. */
  private refuseIo(bus: PciBus, opened: readonly PciDevice[]): void {
    for (const device of bus.devices) {
      for (const resource of device.resources) {
        if (resource.space === 'io') this.refuseResource(device, resource);
      }
      if (device.subordinate !== undefined)
        this.refuseIoWindow(device, opened.includes(device) ? 'new' : 'tried-before');
    }
  }

  private refuseIoWindow(bridge: PciDevice, window: 'new' | 'tried-before'): void {
    const needed = needsIo(bridge.subordinate!);
    if (!hasIoWindow(bridge) || (bridge.bridgeAbilities.hotplug === 'no' && !needed)) return;
    for (let tries = window === 'new' || !needed ? 2 : 1; tries > 0; tries--) {
      const what = `bridge window [io  size 0x${IO_WINDOW_BYTES.toString(16)}]`;
      this.line(bridge, `${what}: can't assign; no space`);
      this.line(bridge, `${what}: failed to assign`);
    }
  }

  private refuseResource(device: PciDevice, resource: PciResource): void {
    const what = describeUnplaced(resource);
    this.line(device, `${what}: can't assign; no space`);
    this.line(device, `${what}: failed to assign`);
  }

  private line(device: PciDevice, text: string): void {
    this.ctx.log.info(`pci ${device.name}: ${text}`);
  }

  private toCpu(device: PciDevice, pciAddress: number): number {
    const { pciBase, cpuBase } = device.bus.controller.node.m32;
    return pciAddress - pciBase + cpuBase;
  }
}

const BAR_TYPE_64 = 0x4;

function isUnplaced(item: Item): boolean {
  return 'bridge' in item ? item.bridge.subordinate!.window === undefined : item.resource.pciAddress === undefined;
}

function placesOf(device: PciDevice): BridgeWindow[] {
  const bars = device.resources.flatMap(({ pciAddress, sizeBytes }) =>
    pciAddress === undefined ? [] : [{ base: pciAddress, limit: pciAddress + sizeBytes - 1 }],
  );
  const below = device.subordinate?.window;
  return below === undefined ? bars : [...bars, below];
}

function romFirst(item: Item): number {
  return 'resource' in item && item.resource.index === ROM_INDEX ? 0 : 1;
}

function hasIoWindow(bridge: PciDevice): boolean {
  return bridge.bridgeAbilities.io === 'yes';
}

function needsIo(bus: PciBus): boolean {
  return bus
    .withChildren()
    .some(({ devices }) => devices.some(({ resources }) => resources.some(({ space }) => space === 'io')));
}

/** Bytes of a segment of the 64-bit window. */
function wideSegment(bus: PciBus): number | undefined {
  const { m64, totalPes } = bus.controller.node;
  return m64 === undefined ? undefined : m64.sizeBytes / totalPes;
}
