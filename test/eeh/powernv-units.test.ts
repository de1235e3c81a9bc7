/** Blocks of the powernv code one by one: numbers, ranges, TCE tables, kill registers, weights; first and last of each. */
import { describe, expect, it } from 'vitest';
import type { PhbNode } from '../../src/eeh/firmware.js';
import { ioda2PeLines } from '../../src/eeh/interfaces/pe-lines.js';
import { UserConfig } from '../../src/eeh/interfaces/user-config.js';
import type { PciConfig } from '../../src/eeh/pci/config.js';
import { PciBus, PciController, PciDevice } from '../../src/eeh/pci/device.js';
import { dmaWeight } from '../../src/eeh/powernv/ioda1-dma.js';
import { DEFAULT_DMA, IommuGroups, PERMISSION } from '../../src/eeh/powernv/iommu.js';
import { PeNumbers, type PowernvPe } from '../../src/eeh/powernv/pe-numbers.js';
import { OutOfRangeSpaceError, RangeAllocator } from '../../src/eeh/powernv/range-allocator.js';
import { Ioda1TceKill, Ioda2TceKill } from '../../src/eeh/powernv/tce-kill.js';
import { TceTable } from '../../src/eeh/powernv/tce-table.js';
import type { HostPort } from '../../src/hw/host-port.js';
import { SystemMemory } from '../../src/hw/memory.js';
import { PortType } from '../../src/pcie/capabilities.js';
import type { Process } from '../../src/sim/process.js';
import { Simulator } from '../../src/sim/simulator.js';
import { Permission } from '../../src/tce/tce.js';

const run = <T>(process: Process<T>): T => new Simulator().complete('call', process);

describe('the range allocator', () => {
  it('gives out the last unit there is, and no more; the error names range and size', () => {
    const range = new RangeAllocator('window', 10, 4);
    expect([range.allocate(4), range.freeSize]).toEqual([10, 0]);
    expect(() => range.allocate(1)).toThrow(OutOfRangeSpaceError);
    expect(() => range.allocate(1)).toThrow(
      'window: no room left for 1; give the kernel a larger range or free what is not used',
    );
  });

  it('leaves what stands before an aligned start to others, and takes the first gap that fits', () => {
    const range = new RangeAllocator('window', 1, 15);
    expect(range.allocate(4, 8)).toBe(8);
    expect(range.allocate(4)).toBe(1);
    expect(range.allocate(4)).toBe(12);
    expect(range.freeSize).toBe(3);
    expect(() => range.allocate(4)).toThrow(OutOfRangeSpaceError);
    expect(range.allocate(3)).toBe(5);
  });

  it('fits where the alignment leaves exactly enough, and not where it leaves one less', () => {
    expect(new RangeAllocator('window', 3, 9).allocate(4, 8)).toBe(8);
    expect(() => new RangeAllocator('window', 3, 8).allocate(4, 8)).toThrow(OutOfRangeSpaceError);
  });

  it('joins what comes back with both neighbours, with one, and with none', () => {
    const range = new RangeAllocator('window', 0, 50);
    for (let at = 0; at < 50; at += 10) expect(range.allocate(10)).toBe(at);
    range.release(10, 10);
    range.release(30, 10);
    expect(() => range.allocate(11)).toThrow(OutOfRangeSpaceError);
    range.release(20, 10);
    expect(range.allocate(30)).toBe(10);
    range.release(10, 30);
    range.release(0, 10);
    range.release(40, 10);
    expect(range.allocate(50)).toBe(0);
  });

  it('refuses what overlaps free units before, behind and whole', () => {
    const range = new RangeAllocator('window', 0, 30);
    range.allocate(20);
    range.release(0, 5);
    const twice = (start: number, size: number) => () => range.release(start, size);
    expect(twice(4, 2)).toThrow('window: 2 at 4 is released twice');
    expect(twice(15, 6)).toThrow(RangeError);
    expect(twice(0, 5)).toThrow(RangeError);
    expect(twice(22, 1)).toThrow(RangeError);
    range.release(5, 15);
    expect(range.freeSize).toBe(30);
  });
});

function controllerOf(node: Partial<PhbNode> = {}): PciController {
  return new PciController({ phbId: 0, totalPes: 8, reservedPe: 7, ...node } as PhbNode, 0);
}

/** A root bus, and buses 1 and further, each below a bridge of its own. */
function buses(controller: PciController, count: number): PciBus[] {
  const sim = new Simulator();
  const root = new PciBus(controller, 0, undefined);
  const identity = { vendorId: 0, deviceId: 0, headerType: 1, classCode: 0x06_0400 };
  const below = Array.from({ length: count }, (_, index) => {
    const node = controller.addNode(8 * index);
    const bridge = new PciDevice(sim, root, 8 * index, { node, identity });
    return new PciBus(controller, index + 1, bridge);
  });
  return [root, ...below];
}

describe('the PE numbers of a PHB', () => {
  it('give the root bus the one below the reserved PE, or 1 where that is 0', () => {
    const root = (reservedPe: number) => new PeNumbers(controllerOf({ reservedPe })).rootNumber;
    expect([root(7), root(255), root(1), root(0)]).toEqual([6, 254, 0, 1]);
  });

  it('go from the top, without the reserved one and that of the root, down to 0, and run out', () => {
    for (const [reservedPe, expected] of [
      [7, [6, 5, 4, 3, 2, 1, 0, undefined]],
      [0, [1, 7, 6, 5, 4, 3, 2, undefined]],
    ] as const) {
      const controller = controllerOf({ reservedPe });
      const numbers = new PeNumbers(controller);
      const all = buses(controller, 7).map((bus) => numbers.allocate(bus)?.number);
      expect(all).toEqual(expected);
    }
  });

  it('come back, and the highest is given out again', () => {
    const controller = controllerOf();
    const numbers = new PeNumbers(controller);
    const [root, first, second, third] = buses(controller, 3);
    numbers.allocate(root!);
    const pe = numbers.allocate(first!)!;
    numbers.allocate(second!);
    expect(pe).toMatchObject({ number: 5, bus: first, deviceCount: 0, mve: 0, dma: undefined });
    expect([numbers.ofBus(1), numbers.ofBus(9)]).toEqual([pe, undefined]);
    expect(numbers.all().map(({ number }) => number)).toEqual([4, 5, 6]);
    numbers.release(pe);
    expect([numbers.ofBus(1), numbers.all().map(({ number }) => number)]).toEqual([undefined, [4, 6]]);
    expect(numbers.allocate(third!)!.number).toBe(5);
  });

  it('are listed ascending with bus, devices and flags, the reserved one among them', () => {
    const controller = controllerOf({ reservedPe: 5, totalPes: 300 });
    const numbers = new PeNumbers(controller);
    const [root, first, second] = buses(controller, 2);
    numbers.allocate(root!);
    numbers.allocate(first!)!.deviceCount = 12;
    Object.assign(second!.bridge!.capabilities, { pcie: 0x40, portType: PortType.pciBridge });
    numbers.allocate(second!);
    expect(ioda2PeLines(numbers)).toEqual([
      'pci 0000:00     : [PE# 04] rid: 0000 dev count:  0 flags: bus ',
      'pci : [PE# 05] rid: 0000 dev count:  0 flags: ',
      'pci 0000:02     : [PE# 12a] rid: 0200 dev count:  0 flags: all ',
      'pci 0000:01     : [PE# 12b] rid: 0100 dev count: 12 flags: bus ',
    ]);
  });
});

describe('the groups of PEs', () => {
  const pe = (domain: number, number: number) => ({ number, bus: { controller: { domain } } }) as unknown as PowernvPe;

  it('count from 0 over all PHBs, and a PE keeps its own', () => {
    const groups = new IommuGroups();
    expect(
      [pe(0, 1), pe(0, 2), pe(1, 1), pe(0, 1), pe(1, 1), pe(0, 11), pe(0, 3)].map((each) => groups.of(each)),
    ).toEqual([...[0, 1, 2, 0, 2, 3, 4]]);
  });

  it('map by pages of 4 KiB with two levels and bypass, and buffers by the direction of their data', () => {
    expect(DEFAULT_DMA).toEqual({ pageShift: 12, levels: 2, bypass: 'on' });
    expect(PERMISSION).toEqual({
      'to-device': Permission.READ,
      'from-device': Permission.WRITE,
      both: Permission.READ_WRITE,
    });
  });
});

describe('the DMA weight of a device', () => {
  const weight = (classCode: number, isBridge = false) => dmaWeight({ isBridge, identity: { classCode } as never });

  it('is 10, 3 for the three slow kinds of USB, 15 for RAID, 0 for a bridge', () => {
    expect([weight(0x02_0000), weight(0x01_0802)]).toEqual([10, 10]);
    expect([0x0c_0300, 0x0c_0310, 0x0c_0320].map((code) => weight(code))).toEqual([3, 3, 3]);
    expect([0x0c_0330, 0x0c_0340, 0x0c_0380].map((code) => weight(code))).toEqual([10, 10, 10]);
    expect([weight(0x01_0400), weight(0x01_04ff), weight(0x01_0500), weight(0x01_0300)]).toEqual([15, 15, 10, 10]);
    expect([weight(0x06_0400, true), weight(0x01_0400, true)]).toEqual([0, 0]);
  });
});

describe('the kill register', () => {
  const AT = 0x3fff_e400_0210;

  function stored(made: (register: { port: HostPort; address: number }) => Process<void>): string[] {
    const stores: string[] = [];
    const port = {
      *store(address: number, size: number, value: bigint): Process<void> {
        expect([address, size]).toEqual([AT, 8]);
        stores.push(value.toString(16).padStart(16, '0'));
      },
    } as unknown as HostPort;
    run(made({ port, address: AT }));
    return stores;
  }

  it('of the second kind takes a whole PE, or page by page in units of 4 KiB', () => {
    expect(stored((register) => new Ioda2TceKill(register, { pe: 0xfd, pageShift: 12 }).all())).toEqual([
      '40000000000000fd',
    ]);
    const pages = (pageShift: number) =>
      stored((register) => new Ioda2TceKill(register, { pe: 1, pageShift }).entries(3, 2));
    expect(pages(12)).toEqual(['2000000000003001', '2000000000004001']);
    expect(pages(16)).toEqual(['2000000000030001', '2000000000040001']);
    expect(pages(24)).toEqual(['2000000003000001', '2000000004000001']);
    expect(stored((register) => new Ioda2TceKill(register, { pe: 1, pageShift: 12 }).entries(3, 0))).toEqual([]);
  });

  it.each([
    [0x1000, 1, [0x1000]],
    [0x1008, 1, [0x1000]],
    [0x1000, 2, [0x1000]],
    [0x1008, 2, [0x1000, 0x1010]],
    [0x1000, 3, [0x1000, 0x1010]],
    [0x1008, 3, [0x1000, 0x1010]],
    [0x1008, 4, [0x1000, 0x1010, 0x1020]],
  ])('of the first kind takes pairs of entries: from %i, %i of them', (entry, count, pairs) => {
    const stores = stored((register) => new Ioda1TceKill(register).entries(99, count, entry));
    const bare = stores.map((value) => BigInt(`0x${value}`));
    const flag = bare[0]! - BigInt(pairs[0]!);
    expect(bare).toEqual(pairs.map((pair) => flag | BigInt(pair)));
    expect(flag).toBe(1n << 63n);
  });
});

describe('the TCE tables of a window', () => {
  type Shape = ConstructorParameters<typeof TceTable>[0];

  function table(shape: Shape) {
    const memory = new SystemMemory({ sizeBytes: 2 ** 28 });
    const told: number[][] = [];
    const made = new TceTable(
      shape,
      new RangeAllocator('memory', 0x10_0000, 0x800_0000),
      { pe: 0xfd, memory },
      {
        *entries(...change: number[]): Process<void> {
          told.push(change);
        },
      },
    );
    return { made, memory, told };
  }
  const bytes = (shape: Omit<Shape, 'start'>) => table(shape).made.tableBytes;

  it('have the size that their levels share, and no less than a page of the kernel', () => {
    expect(bytes({ sizeBytes: 2 ** 31, pageShift: 12, levels: 1 })).toBe(2 ** 22);
    expect(bytes({ sizeBytes: 2 ** 31, pageShift: 12, levels: 2 })).toBe(2 ** 13);
    expect(bytes({ sizeBytes: 2 ** 31 - 2 ** 16, pageShift: 12, levels: 2 })).toBe(2 ** 13);
    expect(bytes({ sizeBytes: 2 ** 20, pageShift: 12, levels: 1 })).toBe(2 ** 12);
    expect(bytes({ sizeBytes: 2 ** 20, pageShift: 16, levels: 1 })).toBe(2 ** 16);
    expect(bytes({ sizeBytes: 2 ** 34, pageShift: 24, levels: 1 })).toBe(2 ** 16);
  });

  it('begin where the window begins, and keep page 0 back only if that is at 0', () => {
    const at = (start: number) => {
      const { made, told } = table({ start, sizeBytes: 0x4000, pageShift: 12, levels: 1 });
      return [run(made.map(0x5123, 1, Permission.READ)), told[0]];
    };
    const { root } = table({ sizeBytes: 0x4000, pageShift: 12, levels: 1 }).made;
    expect(at(0)).toEqual([0x1123, [1, 1, root + 8]]);
    expect(at(0x1000_0000)).toEqual([0x1000_0123, [0, 1, root]]);
  });

  it('hand out the last page, and then none; the error names the PE', () => {
    const { made } = table({ start: 0x1000_0000, sizeBytes: 0x4000, pageShift: 12, levels: 1 });
    expect(run(made.map(0, 0x4000, Permission.READ))).toBe(0x1000_0000);
    expect(() => run(made.map(0, 1, Permission.READ))).toThrow('DMA window of PE#fd: no room left for 1');
  });

  it('count the pages that a buffer touches, its first byte and its last', () => {
    const { made, told } = table({ start: 0x1000_0000, sizeBytes: 2 ** 20, pageShift: 12, levels: 1 });
    const count = (real: number, length: number) => {
      const dma = run(made.map(real, length, Permission.READ));
      run(made.unmap(dma, length));
      const [mapped, unmapped] = told.slice(-2);
      expect(unmapped).toEqual(mapped);
      return mapped![1];
    };
    expect([
      count(0x5000, 0x1000),
      count(0x5000, 0x1001),
      count(0x5fff, 1),
      count(0x5fff, 2),
      count(0x5001, 0x1000),
    ]).toEqual([...[1, 2, 1, 2, 2]]);
  });
});

describe('configuration space as user space reaches it', () => {
  function desk() {
    const controller = controllerOf();
    const [, bus] = buses(controller, 1);
    const node = controller.addNode(0x100);
    const device = new PciDevice(new Simulator(), bus!, 0, { node, identity: bus!.bridge!.identity });
    const accesses: string[] = [];
    const config = {
      *value(_: unknown, at: number, size: number): Process<number> {
        accesses.push(`R ${at.toString(16)}/${size}`);
        return 0x8765_4321 % 2 ** (8 * size);
      },
      *write(_: unknown, at: number, size: number, value: number): Process<void> {
        accesses.push(`W ${at.toString(16)}/${size}=${value.toString(16)}`);
      },
    } as unknown as PciConfig;
    return { device, accesses, user: new UserConfig(config) };
  }

  it.each([
    [0, 4, ['R 0/4']],
    [0, 0, []],
    [1, 7, ['R 1/1', 'R 2/2', 'R 4/4']],
    [2, 3, ['R 2/2', 'R 4/1']],
    [3, 6, ['R 3/1', 'R 4/4', 'R 8/1']],
    [0, 7, ['R 0/4', 'R 4/2', 'R 6/1']],
    [6, 2, ['R 6/2']],
  ])('is read from %i, %i bytes, by the widest aligned accesses', (offset, length, expected) => {
    const { device, accesses, user } = desk();
    expect(run(user.read(device, offset, length))).toHaveLength(length);
    expect(accesses).toEqual(expected);
  });

  it('gives bytes least significant first, and takes them so', () => {
    const { device, accesses, user } = desk();
    expect([...run(user.read(device, 3, 6))]).toEqual([0x21, 0x21, 0x43, 0x65, 0x87, 0x21]);
    accesses.length = 0;
    run(user.write(device, 3, Uint8Array.of(1, 2, 3, 4, 0xf5, 6, 7)));
    expect(accesses).toEqual(['W 3/1=1', 'W 4/4=f5040302', 'W 8/2=706']);
  });

  it('takes nothing beyond its end', () => {
    const { device, accesses, user } = desk();
    expect(user.size(device)).toBe(0x100);
    run(user.write(device, 0xfe, Uint8Array.of(1, 2, 3, 4)));
    run(user.write(device, 0x100, Uint8Array.of(1)));
    expect(accesses).toEqual(['W fe/2=201']);
  });
});
