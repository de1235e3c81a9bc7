import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BusCompare, MmioEnable, OpalStatus, PeAction, ResetScope, WindowType } from '../../src/opal/opal-api.js';
import { msiIrq, PAGE_AT, RID } from '../ioda1/layout.js';
import { P7iocFirmware } from './p7ioc-firmware.js';

const { SUCCESS, PARAMETER, UNSUPPORTED, PARTIAL } = OpalStatus;
const M64_BASE = 0x3d8_0000_0000n;
const MIB_16 = 0x100_0000n;
const { MAP, UNMAP } = PeAction;
const IDLE = 0x0001_f800_0000_0000n;

const setPe = (firmware: P7iocFirmware, pe: number, rid = RID, bus: number = BusCompare.ALL, action: number = MAP) =>
  firmware.run(firmware.opal.pciSetPe(0, { pe, rid, match: { bus, device: 0, function: 0 }, action }));

/** A PE of the card's bus with a DMA window, two pages of which are mapped. */
function withWindow(firmware: P7iocFirmware, tableBytes = 0x8_0000n): P7iocFirmware {
  setPe(firmware, 5);
  const { memory } = firmware.machine;
  memory.write64(0x50_0000 + 8, BigInt(PAGE_AT(1)) | 3n);
  const window = { pe: 5, window: 0, levels: 1, tableAddress: 0x50_0000n, tableBytes, pageBytes: 0x1000n };
  expect(firmware.run(firmware.opal.pciMapPeDmaWindow(0, window))).toBe(SUCCESS);
  return firmware;
}

describe('a PE', () => {
  it.each([
    [BusCompare.BITS_3, 32],
    [BusCompare.BITS_4, 16],
    [BusCompare.BITS_5, 8],
    [BusCompare.BITS_6, 4],
    [BusCompare.BITS_7, 2],
    [BusCompare.ALL, 1],
  ])('with bus compare code %i has %i buses', (code, buses) => {
    const firmware = P7iocFirmware.booted();
    setPe(firmware, 5, 0x4000, code);
    const edges = [0x3f, 0x40, 0x3f + buses, 0x40 + buses];
    expect(edges.map((bus) => firmware.peOf(bus << 8))).toEqual([127, 5, 5, 127]);
  });

  it('may be one function, or all devices of a function number', () => {
    const firmware = P7iocFirmware.booted();
    const map = (pe: number, device: number, fn: number) =>
      firmware.run(
        firmware.opal.pciSetPe(0, { pe, rid: 0x010b, match: { bus: 0, device, function: fn }, action: MAP }),
      );
    map(5, 1, 1);
    expect(firmware.table('PELTM', 5)).toBe(0x010b_1800_0000_0000n);
    map(5, 0, 7);
    expect(firmware.table('PELTM', 5)).toBe(0x010b_0800_0000_0000n);
  });

  it.each([
    ['a PE that does not exist', { pe: 128 }],
    ['a requester beyond 16 bits', { rid: 0x1_0000 }],
    ['an action that does not exist', { action: 2 }],
    ['a bus compare code beyond 7', { match: { bus: 8, device: 0, function: 0 } }],
    ['a bus compare code below 0', { match: { bus: -1, device: 0, function: 0 } }],
    ['a negative requester', { rid: -1 }],
  ])('is refused: %s', (_name, wrong) => {
    const firmware = P7iocFirmware.booted();
    const request = { pe: 5, rid: RID, match: { bus: 7, device: 0, function: 0 }, action: MAP, ...wrong };
    expect(firmware.accessesOf(firmware.opal.pciSetPe(0, request))).toEqual([]);
    expect(firmware.run(firmware.opal.pciSetPe(0, request))).toBe(PARAMETER);
  });

  it('that is unmapped takes the requesters of higher PEs, unless that is corrected', () => {
    const owner = (profile: 'skiboot' | 'corrected') => {
      const firmware = P7iocFirmware.booted({ profile });
      setPe(firmware, 9);
      setPe(firmware, 5);
      setPe(firmware, 5, RID, BusCompare.ALL, UNMAP);
      return [firmware.peOf(RID), firmware.table('PELTM', 5)];
    };
    expect(owner('skiboot')).toEqual([5, 0n]);
    expect(owner('corrected')).toEqual([9, IDLE]);
  });

  it('of the unassigned bus compare code is made, unless that is corrected', () => {
    expect(setPe(P7iocFirmware.booted(), 5, RID, 1)).toBe(SUCCESS);
    expect(setPe(P7iocFirmware.booted({ profile: { unassignedBusCompare: 'corrected' } }), 5, RID, 1)).toBe(PARAMETER);
  });
});

describe('the vector of PEs that freeze together', () => {
  const bitsOf = (firmware: P7iocFirmware, pe: number): number[] => {
    const [first, second] = firmware.pair('PELTV', pe);
    const row = ((first << 64n) | second).toString(2).padStart(128, '0');
    return [...row].flatMap((bit, index) => (bit === '1' ? [index] : []));
  };

  it('loses bit 4 of a child, as the real firmware does', () => {
    const firmware = P7iocFirmware.booted();
    for (const child of [0, 16, 31, 48, 63, 64, 80, 127])
      expect(firmware.run(firmware.opal.pciSetPeltv(0, 3, child, 1))).toBe(SUCCESS);
    expect(bitsOf(firmware, 3)).toEqual([0, 15, 32, 47, 64, 111]);
  });

  it('has the child that was named, when that is corrected', () => {
    const firmware = P7iocFirmware.booted({ profile: 'corrected' });
    fc.assert(
      fc.property(fc.nat(127), fc.uniqueArray(fc.nat(127), { maxLength: 8 }), (parent, children) => {
        for (const child of children) firmware.run(firmware.opal.pciSetPeltv(0, parent, child, 1));
        expect(bitsOf(firmware, parent)).toEqual([...children].sort((a, b) => a - b));
        for (const child of children) firmware.run(firmware.opal.pciSetPeltv(0, parent, child, 0));
        expect(bitsOf(firmware, parent)).toEqual([]);
      }),
      { seed: 1, numRuns: 20 },
    );
  });

  it('has rows and children for PEs that exist only', () => {
    const firmware = P7iocFirmware.booted();
    expect(firmware.run(firmware.opal.pciSetPeltv(0, 128, 0, 1))).toBe(PARAMETER);
    expect(firmware.run(firmware.opal.pciSetPeltv(0, 0, 128, 1))).toBe(PARAMETER);
  });
});

describe('MMIO windows', () => {
  it('of 64 bits reach the chip when they are enabled, and then with every change', () => {
    const firmware = P7iocFirmware.booted();
    const { opal } = firmware;
    const set = (address: bigint, size: bigint, window = 2) =>
      firmware.run(opal.pciSetPhbMemWindow(0, { type: WindowType.M64, window, address, size }));
    const enable = (state: number, window = 2) => firmware.run(opal.pciPhbMmioEnable(0, WindowType.M64, window, state));
    expect(enable(MmioEnable.SPLIT)).toBe(PARTIAL);
    expect(set(M64_BASE, 8n * MIB_16)).toBe(SUCCESS);
    expect(firmware.table('M64BT', 2)).toBe(0n);
    expect(enable(MmioEnable.SPLIT)).toBe(SUCCESS);
    expect(firmware.table('M64BT', 2)).toBe(0x8003_d800_00ff_fff8n);
    set(M64_BASE + 8n * MIB_16, 4n * MIB_16);
    expect(firmware.table('M64BT', 2)).toBe(0x8003_d808_00ff_fffcn);
    expect(enable(MmioEnable.DISABLE)).toBe(SUCCESS);
    expect(firmware.table('M64BT', 2)).toBe(0x0003_d808_00ff_fffcn);
    set(M64_BASE - MIB_16, MIB_16);
    expect(enable(MmioEnable.SPLIT)).toBe(PARTIAL);
    expect([enable(MmioEnable.NON_SPLIT), enable(MmioEnable.SPLIT, 16), enable(-1)]).toEqual([
      PARAMETER,
      PARAMETER,
      PARAMETER,
    ]);
    expect([set(M64_BASE + 1n, MIB_16), set(M64_BASE, MIB_16 / 2n), set(M64_BASE, MIB_16, 16)]).toEqual([
      PARAMETER,
      PARAMETER,
      PARAMETER,
    ]);
  });

  it.each([
    [WindowType.IO, UNSUPPORTED],
    [WindowType.M32, UNSUPPORTED],
    [4, PARAMETER],
  ])('of type %i are neither set nor enabled', (type, code) => {
    const firmware = P7iocFirmware.booted();
    const window = { type, window: 0, address: M64_BASE, size: MIB_16 };
    expect(firmware.run(firmware.opal.pciSetPhbMemWindow(0, window))).toBe(code);
    expect(firmware.run(firmware.opal.pciPhbMmioEnable(0, type, 0, MmioEnable.SPLIT))).toBe(code);
  });

  it('have one PE a segment', () => {
    const firmware = P7iocFirmware.booted();
    const map = (type: number, window: number, segment: number, pe = 5) =>
      firmware.run(firmware.opal.pciMapPeMmioWindow(0, { pe, type, window, segment }));
    expect([map(WindowType.IO, 0, 127), map(WindowType.M32, 0, 126), map(WindowType.M64, 15, 7)]).toEqual([0, 0, 0]);
    const five = 0x0a00_0000_0000_0000n;
    const entries = [firmware.table('IODT', 127), firmware.table('M32DT', 126), firmware.table('M64DT', 127)];
    expect(entries).toEqual([five, five, five]);
    const refused = [
      map(WindowType.IO, 1, 0),
      map(WindowType.IO, 0, 128),
      map(WindowType.M32, 1, 0),
      map(WindowType.M64, 16, 0),
      map(WindowType.M64, 0, 8),
      map(4, 0, 0),
      map(WindowType.IO, 0, 0, 128),
      map(WindowType.IO, 0, 0.5),
    ];
    expect(new Set(refused)).toEqual(new Set([PARAMETER]));
  });
});

describe('a DMA window', () => {
  it('lets the requesters of its PE through to memory', () => {
    const firmware = withWindow(P7iocFirmware.booted());
    firmware.dmaWrite(0x1004n, [1, 2, 3, 4]);
    expect(firmware.machine.memory.read32(PAGE_AT(1) + 4)).toBe(0x0102_0304);
    expect(firmware.table('PEEV', 0)).toBe(0n);
  });

  it.each([
    ['4 KiB', 0x1000n, 1n],
    ['64 KiB', 0x1_0000n, 5n],
    ['16 MiB', 0x100_0000n, 13n],
    ['16 GiB', 0x4_0000_0000n, 23n],
  ])('may have pages of %s', (_name, pageBytes, code) => {
    const firmware = P7iocFirmware.booted();
    const request = { pe: 5, window: 3, levels: 1, tableAddress: 0x50_0000n, tableBytes: 0x8_0000n, pageBytes };
    expect(firmware.run(firmware.opal.pciMapPeDmaWindow(0, request))).toBe(SUCCESS);
    const [first, second] = firmware.pair('TVT', 3);
    expect([first >> 16n, (second >> 40n) & 0x1fn, second & 0x7fn]).toEqual([0x500n, code, 5n]);
    const bytes = 1n << (((first >> 8n) & 0x1fn) + 26n);
    expect(bytes).toBe(pageBytes * 0x1_0000n);
  });

  it.each([
    ['a PE that does not exist', { pe: 128 }],
    ['a window that does not exist', { window: 128 }],
    ['two levels', { levels: 2 }],
    ['a page size that the chip does not know', { pageBytes: 0x2000n }],
    ['fewer than 128 MiB', { tableBytes: 0x3_fff8n }],
    ['no table', { tableBytes: 0n }],
    ['nothing at all, as kernels take windows away', { levels: 0, tableAddress: 0n, tableBytes: 0n, pageBytes: 0n }],
  ])('is refused: %s', (_name, wrong) => {
    const firmware = P7iocFirmware.booted();
    const right = { pe: 5, window: 0, levels: 1, tableAddress: 0n, tableBytes: 0x8_0000n, pageBytes: 0x1000n };
    expect(firmware.run(firmware.opal.pciMapPeDmaWindow(0, { ...right, ...wrong }))).toBe(PARAMETER);
    expect(firmware.pair('TVT', 0)).toEqual([0n, 0n]);
  });

  it('is taken away by no table, when that is corrected', () => {
    const firmware = withWindow(P7iocFirmware.booted({ profile: { dmaWindowRemoval: 'corrected' } }));
    const none = { pe: 5, window: 0, levels: 0, tableAddress: 0n, tableBytes: 0n, pageBytes: 0n };
    expect(firmware.run(firmware.opal.pciMapPeDmaWindow(0, none))).toBe(SUCCESS);
    expect(firmware.pair('TVT', 0)).toEqual([0n, 0n]);
  });
});

describe('a message interrupt', () => {
  const prepared = (): P7iocFirmware => {
    const firmware = P7iocFirmware.booted();
    const { opal } = firmware;
    setPe(firmware, 5);
    firmware.run(opal.pciSetMve(0, 7, 5));
    firmware.run(opal.pciSetXivePe(0, 5, 0x21));
    firmware.run(opal.setXive(msiIrq(0x21), 0x15, 5));
    return firmware;
  };

  it.each([['getMsi32'] as const, ['getMsi64'] as const])('arrives by the address and data of %s', (form) => {
    const firmware = prepared();
    firmware.run(firmware.opal.pciSetMveEnable(0, 7, 1));
    const { rc, address, data } = firmware.run(firmware.opal[form](0, 7, 0x21, 1));
    expect([rc, data]).toEqual([SUCCESS, 0x21]);
    firmware.dmaWrite(address, [data, 0, 0, 0]);
    expect(firmware.machine.interrupts.take()).toEqual({ irq: msiIrq(0x21), server: 0x15, priority: 0 });
  });

  it('freezes the PE as long as its entry is not valid', () => {
    const firmware = prepared();
    firmware.dmaWrite(firmware.run(firmware.opal.getMsi32(0, 7, 0x21, 1)).address, [0x21, 0, 0, 0]);
    expect(firmware.table('PEEV', 0)).toBe(1n << 58n);
    firmware.run(firmware.opal.pciSetMveEnable(0, 7, 4));
    expect(firmware.table('MVT', 7) >> 63n).toBe(1n);
    firmware.run(firmware.opal.pciSetMveEnable(0, 7, 0));
    expect(firmware.table('MVT', 7) >> 63n).toBe(0n);
  });

  it('has entries and vectors that exist only, and one message an address', () => {
    const { opal, run } = ((f) => ({ opal: f.opal, run: f.run.bind(f) }))(P7iocFirmware.booted());
    const codes = [
      run(opal.pciSetMve(0, 256, 5)),
      run(opal.pciSetMve(0, 0, 128)),
      run(opal.pciSetMveEnable(0, 256, 1)),
      run(opal.pciSetXivePe(0, 128, 0)),
      run(opal.pciSetXivePe(0, 0, 256)),
      run(opal.getXiveSource(0, 256)).rc,
      run(opal.getMsi32(0, 256, 0, 1)).rc,
      run(opal.getMsi64(0, 0, 256, 1)).rc,
      run(opal.getMsi32(0, 0, 0, 2)).rc,
    ];
    expect(new Set(codes)).toEqual(new Set([PARAMETER]));
    expect(run(opal.getXiveSource(0, 0x21))).toEqual({ rc: SUCCESS, isn: msiIrq(0x21) });
  });
});

describe('a reset of the IODA tables', () => {
  const reset = (firmware: P7iocFirmware): number =>
    firmware.run(firmware.opal.pciReset(0, ResetScope.PCI_IODA_TABLE, 1));

  it('forgets every mapping and every freeze, and drops cached TCEs', () => {
    const firmware = withWindow(P7iocFirmware.booted());
    firmware.dmaWrite(0x1004n, [1]);
    firmware.dmaWrite(0x9000n, [1]);
    expect(firmware.table('PEEV', 0)).not.toBe(0n);
    expect(reset(firmware)).toBe(SUCCESS);
    expect([firmware.table('PEEV', 0), firmware.table('PESTA', 5), firmware.table('PELTM', 5)]).toEqual([0n, 0n, IDLE]);
    expect(firmware.peOf(RID)).toBe(127);
    firmware.machine.memory.write64(0x50_0000 + 8, BigInt(PAGE_AT(2)) | 3n);
    withWindow(firmware);
    firmware.dmaWrite(0x1004n, [9]);
    expect(firmware.machine.memory.read8(PAGE_AT(1) + 4)).toBe(9);
  });

  it('leaves the last entry of most tables, unless that is corrected', () => {
    const last = (profile: 'skiboot' | 'corrected') => {
      const firmware = P7iocFirmware.booted({ profile });
      const { opal } = firmware;
      setPe(firmware, 127, RID);
      firmware.run(opal.pciSetPeltv(0, 127, 3, 1));
      firmware.run(opal.pciMapPeMmioWindow(0, { pe: 5, type: WindowType.M32, window: 0, segment: 127 }));
      firmware.run(opal.pciMapPeMmioWindow(0, { pe: 5, type: WindowType.M64, window: 15, segment: 6 }));
      reset(firmware);
      return [
        firmware.table('PELTM', 127),
        firmware.pair('PELTV', 127)[0],
        firmware.table('M32DT', 127),
        firmware.table('M64DT', 126),
      ];
    };
    expect(last('skiboot')).toEqual([0x0100_e000_0000_0000n, 1n << 60n, 5n << 57n, 0n]);
    expect(last('corrected')).toEqual([0n, 0n, 0n, 0n]);
  });
});

describe('a complete reset', () => {
  it('brings every mapping back, but no freeze', () => {
    const firmware = withWindow(P7iocFirmware.booted());
    const { opal } = firmware;
    firmware.run(opal.pciSetMve(0, 1, 5));
    firmware.run(opal.pciSetMveEnable(0, 1, 1));
    firmware.run(opal.pciSetXivePe(0, 5, 0x21));
    firmware.run(opal.setXive(msiIrq(0x21), 0x15, 5));
    for (const child of [3, 70]) firmware.run(opal.pciSetPeltv(0, 5, child, 1));
    firmware.run(opal.pciMapPeMmioWindow(0, { pe: 5, type: WindowType.IO, window: 0, segment: 9 }));
    const state = () => [
      ...[firmware.table('PELTM', 5), firmware.table('MVT', 1), firmware.table('MXIVT', 0x21)],
      ...[firmware.table('IODT', 9), ...firmware.pair('PELTV', 5)],
      ...firmware.pair('TVT', 0),
    ];
    const before = state();
    expect(before).not.toContain(0n);
    firmware.run(opal.pciEehFreezeSet(0, 5, 3));
    expect(firmware.reset(0, ResetScope.PHB_COMPLETE).at(-1)).toBe(0);
    expect(state()).toEqual(before);
    expect(firmware.table('PEEV', 0)).toBe(0n);
  });
});
