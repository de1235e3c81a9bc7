/**
 * Windows of bridges: what a PHB offers, and how a bridge is programmed to pass it on.
 * Source: linux drivers/pci/setup-bus.c: pci_setup_bridge_io, _mmio, _mmio_pref; powernv/pci-ioda.c:
 * pnv_pci_fixup_bridge_resources, pnv_ioda2_init_m64.
 */
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import type { PhbNode } from '../firmware.js';
import { configTarget, type PciConfig } from './config.js';
import { type BridgeWindow, hex, type PciBus, type PciDevice } from './device.js';
import { BRIDGE } from './regs.js';
import { range } from './resource-text.js';

const MEGABYTE = 0x10_0000;
const MSI_REGION = 0x1_0000;
const CLOSED = 0x0000_fff0;
const CLOSED_IO = 0x00f0;
const DISABLED_IO_UPPER = 0x0000_ffff;

/** What one segment of the 32-bit window covers; firmware keeps the top 64 KiB of it for messages. */
export function segmentBytes(node: PhbNode): number {
  return 2 ** Math.ceil(Math.log2(node.m32.sizeBytes)) / node.totalPes;
}

/** The 64-bit window without the segments of the reserved PE and that of the root bus. */
export function prefetchableSpace(node: PhbNode): BridgeWindow | undefined {
  const { m64, totalPes, reservedPe } = node;
  if (m64 === undefined) return undefined;
  const kept = 2 * (m64.sizeBytes / totalPes);
  const base = m64.pciBase + (reservedPe === 0 ? kept : 0);
  return { base, limit: base + m64.sizeBytes - kept - 1 };
}

/** The root port passes all of its PHB, so that a later card finds room; not the top, which firmware keeps for messages. */
export function wholeWindow({ base, limit }: BridgeWindow): BridgeWindow {
  return { base, limit: limit + MSI_REGION - MEGABYTE };
}

export class BridgeWindows {
  constructor(
    private readonly ctx: KernelContext,
    private readonly config: PciConfig,
  ) {}

  /** Writes the windows of the bridge above `bus` as they are now. */
  *program(bridge: PciDevice, bus: PciBus): Process<void> {
    this.line(bridge, `PCI bridge to [bus ${hex(bus.number, 2)}]`);
    const target = configTarget(bridge);
    const { io, prefetchable } = bridge.bridgeAbilities;
    const write = (at: number, size: 2 | 4, value: number): Process<unknown> =>
      this.config.write(target, at, size, value >>> 0);
    if (io === 'yes') {
      yield* write(BRIDGE.IO_BASE_UPPER.at, 4, DISABLED_IO_UPPER);
      yield* write(BRIDGE.IO_BASE.at, 2, CLOSED_IO);
      yield* write(BRIDGE.IO_BASE_UPPER.at, 4, 0);
    }
    yield* write(BRIDGE.MEMORY_BASE.at, 4, this.memoryWindow(bridge, bus));
    if (prefetchable !== 'none') yield* this.programPrefetchable(bridge, bus);
    yield* write(BRIDGE.BRIDGE_CONTROL.at, 2, bus.bridgeControl);
  }

  private memoryWindow(bridge: PciDevice, { window }: PciBus): number {
    if (window === undefined) return CLOSED;
    const { pciBase, cpuBase } = bridge.bus.controller.node.m32;
    const size = window.limit - window.base + 1;
    this.line(bridge, `  bridge window [mem ${range(window.base - pciBase + cpuBase, size)}]`);
    return field(window);
  }

  private *programPrefetchable(bridge: PciDevice, bus: PciBus): Process<void> {
    const target = configTarget(bridge);
    const window = bus.prefetchableWindow;
    yield* this.config.write(target, BRIDGE.PREFETCHABLE_LIMIT_UPPER.at, 4, 0);
    if (window !== undefined) {
      this.line(bridge, `  bridge window [mem ${range(window.base, window.limit - window.base + 1)} 64bit pref]`);
    }
    const low = window === undefined ? CLOSED : field(window);
    yield* this.config.write(target, BRIDGE.PREFETCHABLE_BASE.at, 4, low);
    if (bridge.bridgeAbilities.prefetchable !== '64-bit') return;
    const upper = (address: number): number => Math.floor(address / 2 ** 32);
    yield* this.config.write(target, BRIDGE.PREFETCHABLE_BASE_UPPER.at, 4, upper(window?.base ?? 0));
    yield* this.config.write(target, BRIDGE.PREFETCHABLE_LIMIT_UPPER.at, 4, upper(window?.limit ?? 0));
  }

  private line(bridge: PciDevice, text: string): void {
    this.ctx.log.info(`pci ${bridge.name}: ${text}`);
  }
}

/** Base and limit of a window in whole megabytes, limit in the upper half. */
function field({ base, limit }: BridgeWindow): number {
  const megabytes = (address: number): number => Math.floor((address % 2 ** 32) / MEGABYTE) << 4;
  return ((megabytes(limit) << 16) | megabytes(base)) >>> 0;
}
