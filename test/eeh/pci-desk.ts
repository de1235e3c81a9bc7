/**
 * A PHB of the kernel with one bus and what is put on it, on a configuration space that keeps every access. Registers are
 * what a test stored, by device and place; else 0.
 */
import type { KernelContext } from '../../src/eeh/context.js';
import type { PhbNode } from '../../src/eeh/firmware.js';
import type { PciConfig } from '../../src/eeh/pci/config.js';
import { PciBus, PciController, PciDevice } from '../../src/eeh/pci/device.js';
import { PciExpress } from '../../src/eeh/pci/express.js';
import { PortType } from '../../src/pcie/capabilities.js';
import type { Process } from '../../src/sim/process.js';
import { Simulator } from '../../src/sim/simulator.js';

export const hex = (value: number): string => (value >>> 0).toString(16);
/** Where the PCI Express capability stands. */
export const CAP = 0x40;
export const COMMAND = 0x04;

export interface Found {
  readonly port?: 'rootPort' | 'upstream' | 'downstream' | 'endpoint';
  readonly version?: number;
  readonly slot?: true;
  readonly devfn?: number;
}

export class PciDesk {
  readonly sim = new Simulator();
  readonly log: string[] = [];
  readonly waits: number[] = [];
  /** Calls of firmware. */
  readonly calls: string[] = [];
  readonly accesses: string[] = [];
  readonly registers = new Map<string, number>();
  /** What a register answers, for ever or as a list whose last value stays. */
  readonly answers = new Map<string, number[]>();
  readonly controller: PciController;
  readonly root: PciBus;
  readonly config: PciConfig;
  readonly express: PciExpress;

  constructor(node: Partial<PhbNode> = {}) {
    const m32 = { cpuBase: 0x3fe0_8000_0000, pciBase: 0x8000_0000, sizeBytes: 0x7fff_0000 };
    this.controller = new PciController({ phbId: 0, m32, totalPes: 256, reservedPe: 255, ...node } as PhbNode, 0);
    this.root = new PciBus(this.controller, 0, undefined);
    this.controller.rootBus = this.root;
    const desk = this;
    this.config = {
      *value({ bdfn }: { bdfn: number }, at: number, size: number): Process<number> {
        desk.accesses.push(`${hex(bdfn)} R ${hex(at)}/${size}`);
        return desk.take(bdfn, at);
      },
      *write({ bdfn }: { bdfn: number }, at: number, size: number, value: number): Process<void> {
        desk.accesses.push(`${hex(bdfn)} W ${hex(at)}/${size}=${hex(value)}`);
        desk.registers.set(`${bdfn}:${at}`, value);
      },
      *findCapability(): Process<number> {
        return 0;
      },
      *findExtendedCapability(): Process<number> {
        return 0;
      },
    } as unknown as PciConfig;
    this.express = new PciExpress(this.config);
  }

  private take(bdfn: number, at: number): number {
    const list = this.answers.get(`${bdfn}:${at}`);
    if (list === undefined) return this.registers.get(`${bdfn}:${at}`) ?? 0;
    return list.length > 1 ? list.shift()! : list[0]!;
  }

  get context(): KernelContext {
    const line = (text: string): void => void this.log.push(text);
    const waits = this.waits;
    return {
      sim: this.sim,
      log: { info: line, warn: line, err: line },
      clock: {
        *msleep(ms: number): Process<void> {
          waits.push(ms);
        },
      },
      quirks: { busResetWait: 'for-child' },
      bootProcessor: 3,
      opal: this.opal,
    } as unknown as KernelContext;
  }

  private get opal() {
    const note = (call: string): void => void this.calls.push(call);
    return {
      *setXive(irq: number, server: number, priority: number): Process<number> {
        note(`SET_XIVE(${hex(irq)},${server},${priority})`);
        return 0;
      },
      *getXive(irq: number) {
        note(`GET_XIVE(${hex(irq)})`);
        return { rc: 0, server: 0, priority: 0xff };
      },
      *pciSetXivePe(phb: number, pe: number, number: number): Process<number> {
        note(`SET_XIVE_PE(${phb},${pe},${number})`);
        return 0;
      },
      *getMsi64(phb: number, mve: number, number: number, range: number) {
        note(`GET_MSI_64(${phb},${mve},${number},${range})`);
        return { rc: 0, address: 0x9005_0000_ffff_0010n, data: number };
      },
    };
  }

  device(bus: PciBus, { port = 'endpoint', version = 2, slot, devfn = 0 }: Found = {}): PciDevice {
    const headerType = port === 'endpoint' ? 0 : 1;
    const identity = { vendorId: 0x1014, deviceId: 1, headerType, classCode: 0x02_0000 };
    const node = this.controller.addNode((bus.number << 8) | devfn);
    const device = new PciDevice(this.sim, bus, devfn, { node, identity });
    const portType = PortType[port];
    const pcieFlags = version | (portType << 4) | (slot === undefined ? 0 : 0x100);
    Object.assign(device.capabilities, { pcie: CAP, portType, pcieFlags });
    bus.devices.push(device);
    return device;
  }

  /** A port with a bus of one card below. */
  pair(port: Found = { port: 'rootPort' }, card: Found = {}): { port: PciDevice; card: PciDevice; bus: PciBus } {
    const above = this.device(this.root, port);
    const bus = new PciBus(this.controller, 1, above);
    above.subordinate = bus;
    this.root.children.push(bus);
    return { port: above, bus, card: this.device(bus, card) };
  }

  set(device: PciDevice, at: number, ...values: number[]): void {
    this.answers.set(`${device.bdfn}:${at}`, values);
  }

  store(device: PciDevice, at: number, value: number): void {
    this.registers.set(`${device.bdfn}:${at}`, value);
  }

  run<T>(process: Process<T>): T {
    return this.sim.complete('call', process);
  }

  writes(): string[] {
    return this.accesses.filter((access) => access.includes(' W '));
  }
}
