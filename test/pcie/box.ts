/** A device that is nothing but storage behind two BARs, and the benches it stands on. */
import { aerCapability } from '../../src/pcie/aer-capability.js';
import { pciExpressCapability, powerManagementCapability } from '../../src/pcie/capabilities.js';
import { type BarSpec, deviceHeader } from '../../src/pcie/config-header.js';
import type { ReadResult } from '../../src/pcie/dma-requester.js';
import { type BarRead, type BarWrite, Endpoint, type EndpointOptions } from '../../src/pcie/endpoint.js';
import type { Simulator } from '../../src/sim/simulator.js';
import { BUS1, Rig } from './rig.js';

export const COMMAND = 0x04;
export const BAR0 = 0x10;
export const DEVCTL = 0x48;
export const DEVSTA = 0x4a;
export const UE_STATUS = 0x104;
export const CE_STATUS = 0x110;

export const BARS: readonly BarSpec[] = [
  { index: 0, sizeBytes: 0x1000, kind: 'memory32' },
  { index: 2, sizeBytes: 0x2000, kind: 'memory64', prefetchable: true },
  { index: 4, sizeBytes: 0x20, kind: 'io' },
];

export function layout(bars: readonly BarSpec[] = BARS): EndpointOptions['layout'] {
  return {
    ...deviceHeader({ vendorId: 0x1014, deviceId: 2, classCode: 0xff_0000, capabilityPointer: 0x40 }, bars),
    ...pciExpressCapability({
      at: 0x40,
      next: 0x80,
      port: 'endpoint',
      maxSpeed: 3,
      maxWidth: 8,
      options: ['function-level-reset'],
    }),
    ...powerManagementCapability({ at: 0x80, next: 0 }),
    ...aerCapability({ at: 0x100, next: 0 }),
  };
}

/** 4 KiB of storage in BAR0 and 8 KiB in BAR2, and a list of what its DMA reads brought. */
export class Box extends Endpoint {
  readonly storage = new Uint8Array(0x3000);
  readonly done: { context: number; result: ReadResult; at: number }[] = [];
  readonly resets: string[] = [];
  refuses = false;

  constructor(sim: Simulator, options: Partial<EndpointOptions> = {}) {
    super(sim, 'box', { layout: layout(), bars: BARS, ...options });
  }
  protected override readBar(bar: number, offset: number, lengthBytes: number): BarRead {
    return this.refuses ? 'CA' : this.storage.slice(bar * 0x800 + offset, bar * 0x800 + offset + lengthBytes);
  }
  protected override writeBar(bar: number, offset: number, data: Uint8Array): BarWrite {
    if (this.refuses) return 'CA';
    this.storage.set(data, bar * 0x800 + offset);
    return 'done';
  }
  protected override dmaDone(context: number, result: ReadResult): void {
    this.done.push({ context, result, at: this.sim.now });
  }
  protected override onReset(kind: string): void {
    this.resets.push(kind);
  }
}

export function rig(options: Partial<EndpointOptions> = {}) {
  const r = new Rig();
  const box = new Box(r.sim, options);
  box.plugInto(r.link);
  r.powerOn();
  return { r, box };
}

/** BARs placed, memory and bus master on, MPS 256, MRRS 512. */
export function ready(options: Partial<EndpointOptions> = {}) {
  const bench = rig(options);
  const { r } = bench;
  r.cfgWrite(BUS1, BAR0, 4, 0x8000_0000);
  r.cfgWrite(BUS1, 0x18, 4, 0x2000_0000);
  r.cfgWrite(BUS1, 0x1c, 4, 0x0000_0012);
  r.cfgWrite(BUS1, COMMAND, 2, 0x0006);
  r.cfgWrite(BUS1, DEVCTL, 2, 0x2020);
  r.port.config.write(0x50, 2, 0x2020);
  return bench;
}
