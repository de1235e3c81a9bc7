/** What a driver may use of the kernel: MMIO, DMA mappings, config space, enabling, processes of its own, the log. */
import type { SystemMemory } from '../../hw/memory.js';
import type { Process, ProcessHandle } from '../../sim/process.js';
import type { Simulator } from '../../sim/simulator.js';
import type { KernelContext } from '../context.js';
import type { EehIo } from '../eeh-io.js';
import { EIO } from '../errno.js';
import { type ConfigSize, configTarget, type PciConfig } from '../pci/config.js';
import type { PciDevice } from '../pci/device.js';
import type { DeviceEnable } from '../pci/enable.js';
import type { ExpressRegister, PciExpress } from '../pci/express.js';
import type { Affinity, PciMessages } from '../pci/messages.js';
import type { PciSavedState, SavedState } from '../pci/saved-state.js';
import { type DmaDirection, PERMISSION } from '../powernv/iommu.js';
import type { PeSetup } from '../powernv/pe-setup.js';
import type { RangeAllocator } from '../powernv/range-allocator.js';
import type { TceTable } from '../powernv/tce-table.js';

export interface DmaBuffer {
  readonly realAddress: number;
  readonly dmaAddress: number;
  readonly bytes: number;
}

export class NoDmaWindowError extends Error {
  override readonly name = 'NoDmaWindowError';
  constructor(device: PciDevice) {
    super(`${device.name} has no DMA window: its bus has no PE, or it is a bridge`);
  }
}

export interface ServiceParts {
  readonly io: EehIo;
  readonly config: PciConfig;
  readonly enable: DeviceEnable;
  readonly peSetup: PeSetup;
  readonly memory: RangeAllocator;
  readonly express: PciExpress;
  readonly state: PciSavedState;
  readonly messages: PciMessages;
}

const BUFFER_ALIGNMENT = 4096;

export class DriverServices {
  constructor(
    private readonly ctx: KernelContext,
    private readonly parts: ServiceParts,
  ) {}

  get io(): EehIo {
    return this.parts.io;
  }

  get memory(): SystemMemory {
    return this.ctx.port.memory;
  }

  get sim(): Simulator {
    return this.ctx.sim;
  }

  get nowNs(): number {
    return this.ctx.sim.now;
  }

  info(device: PciDevice, text: string): void {
    this.ctx.log.info(`${device.logPrefix}: ${text}`);
  }

  /** A message that names its device itself. */
  print(text: string): void {
    this.ctx.log.info(text);
  }

  /** A thread of the driver; it may wait for ever. */
  spawn(name: string, body: Process<void>): ProcessHandle<void> {
    return this.ctx.sim.spawn(name, body, { daemon: true });
  }

  *enableDevice(device: PciDevice): Process<number> {
    return yield* this.parts.enable.enable(device);
  }

  *disableDevice(device: PciDevice): Process<void> {
    yield* this.parts.enable.disable(device);
  }

  *setMaster(device: PciDevice): Process<void> {
    yield* this.parts.enable.setMaster(device, 'on');
  }

  *readConfig(device: PciDevice, offset: number, size: ConfigSize): Process<number> {
    return yield* this.parts.config.value(configTarget(device), offset, size);
  }

  *writeConfig(device: PciDevice, offset: number, size: ConfigSize, value: number): Process<void> {
    yield* this.parts.config.write(configTarget(device), offset, size, value);
  }

  /** The configuration as it is now, for `restoreState`. */
  *saveState(device: PciDevice): Process<SavedState> {
    return yield* this.parts.state.save(device);
  }

  /** Writes back what differs, the command register last. */
  *restoreState(device: PciDevice, saved: SavedState): Process<void> {
    yield* this.parts.state.restore(device, saved);
  }

  /** A register of the PCI Express capability; 0 where the device lacks it. */
  *readExpress(device: PciDevice, register: ExpressRegister): Process<number> {
    return yield* this.parts.express.read(device, register);
  }

  /** What a driver must ask before it maps anything; an errno below 0 where the device has no DMA window. */
  setDmaMask(device: PciDevice, mask: bigint): number {
    if (this.parts.peSetup.peOf(device)?.dma !== undefined) return 0;
    const shown = `0x${mask.toString(16).padStart(8, '0')}`;
    this.ctx.log.err(`${device.logPrefix}: Warning: IOMMU dma not supported: mask ${shown}, table unavailable`);
    return EIO;
  }

  /** Message interrupts: how many there are now, or an errno below 0. */
  *enableMessages(device: PciDevice, wanted: number): Process<number> {
    return yield* this.parts.messages.enable(device, wanted);
  }

  *disableMessages(device: PciDevice): Process<void> {
    yield* this.parts.messages.disable(device);
  }

  /** Switches message `index` of the device on. */
  *requestMessage(device: PciDevice, index: number, affinity: Affinity = 'plain'): Process<void> {
    const vector = this.parts.messages.vectors(device)[index];
    if (vector !== undefined) yield* this.parts.messages.request(vector, affinity);
  }

  /** Memory for the device, mapped in its DMA window. */
  *allocate(device: PciDevice, bytes: number, direction: DmaDirection): Process<DmaBuffer> {
    const realAddress = this.parts.memory.allocate(bytes, BUFFER_ALIGNMENT);
    this.memory.fill(realAddress, bytes, 0);
    return { realAddress, bytes, dmaAddress: yield* this.map(device, realAddress, bytes, direction) };
  }

  *free(device: PciDevice, buffer: DmaBuffer): Process<void> {
    yield* this.unmap(device, buffer.dmaAddress, buffer.bytes);
    this.parts.memory.release(buffer.realAddress, buffer.bytes);
  }

  *map(device: PciDevice, realAddress: number, bytes: number, direction: DmaDirection): Process<number> {
    return yield* this.dmaWindow(device).map(realAddress, bytes, PERMISSION[direction]);
  }

  *unmap(device: PciDevice, dmaAddress: number, bytes: number): Process<void> {
    yield* this.dmaWindow(device).unmap(dmaAddress, bytes);
  }

  /** CPU address of a register in a BAR. */
  registerAddress(device: PciDevice, bar: number, offset: number): number {
    const base = device.cpuAddress(bar);
    if (base === undefined) throw new RangeError(`${device.name} has no BAR ${bar} with an address`);
    return base + offset;
  }

  *read32(device: PciDevice, bar: number, offset: number, callers: readonly string[] = []): Process<number> {
    return yield* this.io.read32(this.registerAddress(device, bar, offset), callers);
  }

  *write32(device: PciDevice, bar: number, offset: number, value: number): Process<void> {
    yield* this.io.write32(this.registerAddress(device, bar, offset), value);
  }

  private dmaWindow(device: PciDevice): TceTable {
    const dma = this.parts.peSetup.peOf(device)?.dma;
    if (dma === undefined) throw new NoDmaWindowError(device);
    return dma.table;
  }
}
