import { describe, expect, it } from 'vitest';
import { NoDmaWindowError } from '../../src/eeh/drivers/services.js';
import { EIO } from '../../src/eeh/errno.js';
import { dmaWeight, Ioda1Dma } from '../../src/eeh/powernv/ioda1-dma.js';
import { IommuGroups } from '../../src/eeh/powernv/iommu.js';
import type { PowernvPe } from '../../src/eeh/powernv/pe-numbers.js';
import { RangeAllocator } from '../../src/eeh/powernv/range-allocator.js';
import { OpalStatus } from '../../src/opal/opal-api.js';
import { decodeTce, Permission } from '../../src/tce/tce.js';
import { FakeMachine, type FakeMachineOptions, type FakePhbOptions } from './fake-machine.js';

const P7IOC = { compatible: ['ibm,p7ioc-pciex', 'ibm,ioda-phb'] } as const satisfies FakePhbOptions;

function booted(options: FakeMachineOptions = {}): FakeMachine {
  const machine = new FakeMachine({ phbs: [P7IOC], ...options });
  machine.sim.run({ process: machine.sim.spawn('boot', machine.kernel.boot()) });
  return machine;
}

/** Of one PHB and one weight, whose devices weigh 30 of 80: three segments each. */
function threePes({ kernel }: FakeMachine): PowernvPe[] {
  const { node, phbId, domain } = kernel.controllers[0]!;
  const device = { isBridge: false, identity: { classCode: 0x02_0000 } };
  const devices = [device, device, device];
  const controller = { node, phbId, domain, buses: () => [{ devices }, { devices }, { devices: [device, device] }] };
  const bus = { controller, devices } as unknown as PowernvPe['bus'];
  return [1, 2, 3].map((number) => {
    return { number, bus, lastBus: number, deviceCount: 0, segments: new Set<number>(), mve: 0, dma: undefined };
  });
}

const callsOf = ({ opal }: FakeMachine, name: string): string[] =>
  opal.calls.filter((call) => call.startsWith(`${name}(`));

const logged = ({ kernel }: FakeMachine, pattern: RegExp): string[] =>
  kernel.log.texts().filter((text) => pattern.test(text));

describe('PEs of a bridge of the first kind', () => {
  it('let messages in by the entry that has their number', () => {
    const machine = booted();
    expect(callsOf(machine, 'SET_MVE')).toEqual(['SET_MVE(fe,fe)', 'SET_MVE(fd,fd)']);
    expect(callsOf(machine, 'SET_MVE_ENABLE')).toEqual(['SET_MVE_ENABLE(fe,1)', 'SET_MVE_ENABLE(fd,1)']);
  });

  it('have no message filter on a bridge of the second kind, and a window open to all of memory', () => {
    const machine = booted({ phbs: [{}] });
    expect(callsOf(machine, 'SET_MVE')).toEqual([]);
    expect(callsOf(machine, 'MAP_DMA_REAL')).not.toEqual([]);
  });

  it.each([
    ['SET_MVE', 'OPAL error -6 setting up MVE fd'],
    ['SET_MVE_ENABLE', 'OPAL error -6 enabling MVE fd'],
  ])('get no message when firmware refuses %s, and the kernel says so', (call, line) => {
    const machine = new FakeMachine({ phbs: [P7IOC] });
    machine.opal.fail.set(call, OpalStatus.HARDWARE);
    machine.sim.run({ process: machine.sim.spawn('boot', machine.kernel.boot()) });
    expect(logged(machine, /OPAL error/).at(-1)).toBe(`pci 0000:01     : [PE# fd] ${line}`);
    const device = machine.kernel.device('0000:01:00.0')!;
    machine.opal.calls.length = 0;
    machine.run(machine.kernel.services.enableMessages(device, 1));
    expect(callsOf(machine, 'GET_MSI_64')).toEqual([]);
  });

  it('share the eight DMA segments by weight, with one table entry each', () => {
    const machine = booted();
    const windows = [0, 1, 2, 3, 4, 5, 6, 7].map((window) => `MAP_DMA(fd,${window},1)`);
    expect(callsOf(machine, 'MAP_DMA')).toEqual(windows);
    expect(callsOf(machine, 'MAP_DMA_REAL')).toEqual([]);
    expect(logged(machine, /DMA weight|32-bit TCE table/)).toEqual([
      'pci 0000:01     : [PE# fd] DMA weight 10 (10), assigned (0) 8 DMA32 segments',
      'pci 0000:01     : [PE# fd]  Setting up 32-bit TCE table at 00000000..7fffffff',
    ]);
  });

  it('stay without DMA when firmware refuses a segment, and free what they took', () => {
    const machine = new FakeMachine({ phbs: [P7IOC] });
    machine.opal.fail.set('MAP_DMA', OpalStatus.PARAMETER);
    machine.sim.run({ process: machine.sim.spawn('boot', machine.kernel.boot()) });
    expect(logged(machine, /Failed to configure/)).toHaveLength(1);
    const device = machine.kernel.device('0000:01:00.0')!;
    expect(machine.kernel.peSetup.peOf(device)!.dma).toBeUndefined();
    expect(logged(machine, /iommu group/)).toEqual([]);
  });

  it('lose their segments for good when firmware refuses to take one back, and the next driver finds no DMA', () => {
    const machine = booted();
    machine.opal.fail.set('MAP_DMA', OpalStatus.PARAMETER);
    const { kernel } = machine;
    machine.run(kernel.removeDevice(kernel.device('0000:01:00.0')!));
    expect(logged(machine, /unmapping/)).toEqual(['pci 0000:01     : [PE# fd] Failure -1 unmapping DMA32 segment#0']);
    machine.run(kernel.rescan());
    expect(logged(machine, /No available DMA32 segments/)).toHaveLength(1);
    const device = kernel.device('0000:01:00.0')!;
    expect(kernel.services.setDmaMask(device, 0xffff_ffffn)).toBe(EIO);
    expect(kernel.log.texts().at(-1)).toBe(
      'pci 0000:01:00.0: Warning: IOMMU dma not supported: mask 0xffffffff, table unavailable',
    );
    expect(() => kernel.services.map(device, 0, 1, 'both').next()).toThrow(NoDmaWindowError);
  });

  it('get their segments again where firmware takes them back', () => {
    const machine = booted();
    const { kernel } = machine;
    machine.run(kernel.removeDevice(kernel.device('0000:01:00.0')!));
    expect(callsOf(machine, 'MAP_DMA').slice(8)).toHaveLength(8);
    expect(callsOf(machine, 'MAP_DMA').at(-1)).toBe('MAP_DMA(fd,7,0)');
    // All of the table's entries, two by two.
    expect(machine.port.stores.filter(({ value }) => value >> 63n === 1n)).toHaveLength((8 * 65_536) / 2);
    machine.run(kernel.rescan());
    expect(kernel.services.setDmaMask(kernel.device('0000:01:00.0')!, 0xffff_ffffn)).toBe(0);
  });

  it('have a 64-bit window of sixteen registers with a segment for each PE', () => {
    const m64 = { cpuBase: 0x3d8_0000_0000, pciBase: 0x3d8_0000_0000, sizeBytes: 2 ** 35 };
    const machine = booted({ phbs: [{ ...P7IOC, m64 }] });
    expect(callsOf(machine, 'SET_MEM_WINDOW')).toHaveLength(16);
    expect(callsOf(machine, 'MMIO_ENABLE').at(-1)).toBe('MMIO_ENABLE(2,f,1)');
    expect(callsOf(machine, 'MAP_MMIO').slice(0, 256)).toHaveLength(256);
  });

  it.each(['SET_MEM_WINDOW', 'MMIO_ENABLE'])('do without it when firmware refuses %s', (call) => {
    const m64 = { cpuBase: 0x3d8_0000_0000, pciBase: 0x3d8_0000_0000, sizeBytes: 2 ** 35 };
    const machine = new FakeMachine({ phbs: [{ ...P7IOC, m64 }] });
    machine.opal.fail.set(call, OpalStatus.PARAMETER);
    machine.sim.run({ process: machine.sim.spawn('boot', machine.kernel.boot()) });
    expect(callsOf(machine, call)).toHaveLength(1);
    expect(logged(machine, /Error -1 .* M64 PHB#0-BAR#0/)).toHaveLength(1);
  });
});

describe('the DMA window of a bridge of the first kind', () => {
  it('begins where its first segment does, and drops cached entries in pairs by where they stand', () => {
    const machine = booted();
    const memory = new RangeAllocator('memory', 0x800_0000, 0x400_0000);
    const dma = new Ioda1Dma(machine.kernel.context, memory, new IommuGroups());
    const [first, second, third] = threePes(machine);
    const half = machine.run(dma.setUp(first!, () => {}))!;
    const rest = machine.run(dma.setUp(second!, () => {}))!;
    expect([half.table.start, rest.table.start]).toEqual([0, 0x3000_0000]);
    expect([half.iommuGroup, rest.iommuGroup]).toEqual([0, 1]);
    // The third wants two segments of the two that are left, the fourth would find none.
    const last = machine.run(dma.setUp(third!, () => {}))!;
    expect(last.table.start).toBe(0x6000_0000);
    expect(machine.run(dma.setUp(third!, () => {}))).toBeUndefined();
    // Only the window that begins at 0 keeps its first page.
    expect(machine.run(half.table.map(0x10_0000, 1, Permission.READ))).toBe(0x1000);
    const mapped = machine.run(rest.table.map(0x10_0000, 1, Permission.READ));
    expect(mapped).toBe(0x3000_0000);
    expect(machine.port.stores.at(-1)!.value).toBe(2n ** 63n + BigInt(rest.table.root));
    machine.run(rest.table.unmap(mapped, 1));
    expect(machine.port.memory.read64(rest.table.root)).toBe(0n);
  });

  it('hands out addresses of its own segments', () => {
    const machine = booted({ phbs: [P7IOC] });
    const device = machine.kernel.device('0000:01:00.0')!;
    const { table } = machine.kernel.peSetup.peOf(device)!.dma!;
    machine.port.stores.length = 0;
    const address = machine.run(table.map(0x123_4800, 0x1000, Permission.WRITE));
    expect(address).toBe(0x1800);
    const entry = machine.port.memory.read64(table.root + 8);
    expect(decodeTce(entry, 12)).toEqual({ page: 0x123_4000n, read: 'refused', write: 'allowed' });
    // Entries 1 and 2 stand in two pairs.
    expect(machine.port.stores.map(({ value }) => value)).toEqual([
      2n ** 63n + BigInt(table.root),
      2n ** 63n + BigInt(table.root + 16),
    ]);
  });
});

describe('the DMA weight of a device', () => {
  const weigh = (classCode: number, isBridge = false): number =>
    dmaWeight({ isBridge, identity: { classCode } } as Parameters<typeof dmaWeight>[0]);

  it('is 10, more for a RAID controller, less for slow USB, nothing for a bridge', () => {
    expect([weigh(0x02_0000), weigh(0x01_0400), weigh(0x0c_0320), weigh(0x0c_0330)]).toEqual([10, 15, 3, 10]);
    expect(weigh(0x06_0400, true)).toBe(0);
  });
});
