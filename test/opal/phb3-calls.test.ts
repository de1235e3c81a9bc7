import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeSlotId, OpalStatus, opalStatusName, slotId } from '../../src/opal/opal-api.js';
import { CARD, FirmwareRig, FlatChip, rigWithCard } from './flat-chip.js';

const { SUCCESS, PARAMETER, PARTIAL, UNSUPPORTED, HARDWARE } = OpalStatus;
const ONES = 0xffff_ffff_ffff_ffffn;
const M64_BASE = 0x3b00_0000_0000n;
const MIB = 1n << 20n;
const M32 = 1;
const M64 = 2;
const IO = 3;
const NON_SPLIT = 2;

describe('names and ids', () => {
  it('slot ids carry the bridge and the PHB', () => {
    expect(slotId(2, 0x208)).toBe(0x8000_0000_0208_0002n);
    expect(decodeSlotId(slotId(2, 0x208))).toEqual({ phbId: 2, bdfn: 0x208 });
    expect(decodeSlotId(3)).toEqual({ phbId: 3 });
  });

  it('return codes have names', () => {
    expect(opalStatusName(-6)).toBe('OPAL_HARDWARE');
    expect(opalStatusName(100)).toBe('100');
  });

  it('every call on a PHB that does not exist is refused', () => {
    const { opal, ...rig } = rigWithCard();
    const run = FirmwareRig.prototype.run.bind(rig);
    const request = { pe: 0, type: M32, window: 0, segment: 0 };
    expect(run(opal.pciConfigRead(9, 0, 0, 2))).toEqual({ rc: PARAMETER, value: 0xffff });
    expect(run(opal.pciMapPeMmioWindow(9, request))).toBe(PARAMETER);
    expect(run(opal.pciEehFreezeStatus(9, 0)).rc).toBe(PARAMETER);
    expect(run(opal.pciNextError(9)).rc).toBe(PARAMETER);
    expect(run(opal.pciGetPhbDiagData2(9)).rc).toBe(PARAMETER);
    expect(run(opal.pciTceKill(9))).toBe(PARAMETER);
    expect(run(opal.pciTceKill(0))).toBe(UNSUPPORTED);
    expect(run(opal.getMsi32(9, 0, 0, 1)).rc).toBe(PARAMETER);
    expect(run(opal.getMsi64(9, 0, 0, 1)).rc).toBe(PARAMETER);
  });
});

describe('configuration space', () => {
  it.each([
    ['beyond the space', 0, 0x1000, PARAMETER],
    ['beyond all buses', 0x1_0000, 0, PARAMETER],
    ['misaligned', 0, 2, PARAMETER],
    ['another device on bus 0', 0x08, 0, HARDWARE],
  ])('refuses what is %s, with ones', (_, bdfn, offset, rc) => {
    const rig = rigWithCard();
    expect(rig.run(rig.opal.pciConfigRead(0, bdfn, offset, 4))).toEqual({ rc, value: 0xffff_ffff });
    expect(rig.run(rig.opal.pciConfigWrite(0, { bdfn, offset, size: 4 }, 0))).toBe(rc);
    expect(rig.chip.writes).toEqual([]);
  });

  it('reads every size in processor order', () => {
    const rig = rigWithCard();
    const read = (offset: number, size: 1 | 2 | 4) => rig.run(rig.opal.pciConfigRead(0, CARD, offset, size)).value;
    expect([read(0, 4), read(2, 2), read(3, 1), read(0, 1)]).toEqual([0x1003_15b3, 0x1003, 0x10, 0xb3]);
    rig.run(rig.opal.pciConfigWrite(0, { bdfn: CARD, offset: 0x3c, size: 1 }, 0x5a));
    expect(read(0x3c, 1)).toBe(0x5a);
  });

  it('tags cycles with the PE of the requester', () => {
    const rig = rigWithCard();
    const match = { bus: 7, device: 1, function: 1 };
    rig.run(rig.opal.pciSetPe(0, { pe: 5, rid: CARD, match, action: 1 }));
    rig.run(rig.opal.pciConfigRead(0, CARD, 0x104, 4));
    expect(rig.chip.written('PHB_CONFIG_ADDRESS')).toEqual([0x8010_0104_0005_0000n]);
  });

  it('turns writes to link control of the root port into a width and a speed change', () => {
    const rig = rigWithCard();
    const { chip } = rig;
    let polls = 0;
    chip.answer('PHB_PCIE_LINK_MANAGEMENT', () => (++polls === 3 ? 0x0040_0000_0000_0000n : 0x0000_1000_0000_0000n));
    chip.functions.get(0)!.write(0x78, 2, 0x23);
    expect(rig.run(rig.opal.pciConfigWrite(0, { bdfn: 0, offset: 0x5a, size: 2 }, 0x0ff7))).toBe(SUCCESS);
    const [width, speed] = chip.written('PHB_PCIE_LINK_MANAGEMENT');
    expect(width).toBe(0x9000_1000_0000_0000n);
    expect(speed).toBe(0x0013_1000_0000_0000n);
    expect(chip.functions.get(0)!.read(0x78, 2)).toBe(0x03);
    chip.answer('PHB_PCIE_LINK_MANAGEMENT', 0n);
    chip.writes.length = 0;
    rig.run(rig.opal.pciConfigWrite(0, { bdfn: 0, offset: 0x58, size: 4 }, 0x0011_0000));
    expect(chip.written('PHB_PCIE_LINK_MANAGEMENT')).toEqual([0x8100_0000_0000_0000n, 0x0011_0000_0000_0000n]);
    chip.answer('PHB_PCIE_LINK_MANAGEMENT', ONES);
    expect(rig.run(rig.opal.pciConfigWrite(0, { bdfn: 0, offset: 0x5a, size: 2 }, 0x11))).toBe(SUCCESS);
    expect(rig.run(rig.opal.pciConfigWrite(0, { bdfn: 0, offset: 0x58, size: 2 }, 0))).toBe(SUCCESS);
  });

  it('stands in for upper prefetchable registers that do not exist', () => {
    const chip = new FlatChip();
    const root = chip.functions.get(0)!;
    root.hook('PREFETCHABLE_BASE_UPPER', { onRead: () => 0 });
    const rig = FirmwareRig.booted(chip);
    const write = (offset: number, size: 1 | 2 | 4, value: number) =>
      rig.run(rig.opal.pciConfigWrite(0, { bdfn: 0, offset, size }, value));
    const read = (offset: number, size: 1 | 2 | 4) => rig.run(rig.opal.pciConfigRead(0, 0, offset, size)).value;
    write(0x28, 4, 0x1234_5670);
    write(0x2e, 2, 0xabcd);
    expect(read(0x28, 4)).toBe(0x1234_5671);
    expect(read(0x2c, 4)).toBe(0xabcd_0000);
    expect(read(0x29, 1)).toBe(0x56);
    expect(rig.reset(0, 4).at(-1)).toBe(0);
    expect(read(0x2c, 4)).toBe(0xabcd_0000);
  });
});

describe('mapping PEs', () => {
  const all = { bus: 7, device: 1, function: 1 };
  const base = { pe: 5, rid: CARD, match: all, action: 1 };

  it.each([
    [{ ...base, action: 2 }],
    [{ ...base, pe: 256 }],
    [{ ...base, rid: 0x1_0000 }],
    [{ ...base, match: { ...all, bus: 8 } }],
    [{ ...base, match: { ...all, device: 2 } }],
    [{ ...base, match: { ...all, function: 2 } }],
  ])('refuses %j', (request) => {
    const rig = rigWithCard();
    expect(rig.run(rig.opal.pciSetPe(0, request))).toBe(PARAMETER);
    expect(rig.chip.writes).toEqual([]);
  });

  it('maps exactly the requesters that agree in the compared bits', () => {
    const rig = rigWithCard();
    const rtt = rig.opal.deviceTree()[0]!.tables!.rtt.address;
    const busBits = [0, 2, 3, 4, 5, 6, 7, 8];
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffff }),
        fc.integer({ min: 0, max: 7 }),
        fc.tuple(fc.constantFrom(0, 1), fc.constantFrom(0, 1)),
        fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 20, maxLength: 20 }),
        (rid, bus, [device, fn], probes) => {
          rig.reset(0, 6);
          rig.run(rig.opal.pciSetPe(0, { pe: 9, rid, match: { bus, device, function: fn }, action: 1 }));
          for (const probe of [rid, ...probes]) {
            const sameBus = probe >> (16 - busBits[bus]!) === rid >> (16 - busBits[bus]!);
            const sameDevice = device === 0 || ((probe ^ rid) & 0xf8) === 0;
            const sameFunction = fn === 0 || ((probe ^ rid) & 7) === 0;
            const expected = sameBus && sameDevice && sameFunction ? 9 : 255;
            expect(rig.chip.memory.read16(rtt + 2 * probe)).toBe(expected);
          }
        },
      ),
      { seed: 3, numRuns: 12 },
    );
  });

  it('adds and removes PEs that freeze together', () => {
    const rig = rigWithCard();
    const peltv = rig.opal.deviceTree()[0]!.tables!.peltv.address;
    expect(rig.run(rig.opal.pciSetPeltv(0, 2, 19, 1))).toBe(SUCCESS);
    expect(rig.chip.memory.read8(peltv + 2 * 32 + 2)).toBe(0x10);
    rig.run(rig.opal.pciSetPeltv(0, 2, 16, 1));
    rig.run(rig.opal.pciSetPeltv(0, 2, 19, 0));
    expect(rig.chip.memory.read8(peltv + 2 * 32 + 2)).toBe(0x80);
    expect(rig.run(rig.opal.pciSetPeltv(0, 256, 0, 1))).toBe(PARAMETER);
    expect(rig.run(rig.opal.pciSetPeltv(0, 0, 256, 1))).toBe(PARAMETER);
  });
});

describe('MMIO windows', () => {
  it.each([
    [IO, 0, UNSUPPORTED],
    [M32, 0, UNSUPPORTED],
    [4, 0, PARAMETER],
    [M64, 16, PARAMETER],
    [M64, -1, PARAMETER],
  ])('of type %i, number %i cannot be set or enabled', (type, window, rc) => {
    const rig = rigWithCard();
    const request = { type, window, address: M64_BASE, size: MIB };
    expect(rig.run(rig.opal.pciSetPhbMemWindow(0, request))).toBe(rc);
    expect(rig.run(rig.opal.pciPhbMmioEnable(0, type, window, 1))).toBe(rc);
  });

  it.each([
    [M64_BASE + 1n, MIB],
    [M64_BASE, MIB + 1n],
    [M64_BASE, 3n * MIB],
    [M64_BASE + MIB, 2n * MIB],
    [M64_BASE, 0n],
  ])('at %s of %s bytes does not exist', (address, size) => {
    const rig = rigWithCard();
    expect(rig.run(rig.opal.pciSetPhbMemWindow(0, { type: M64, window: 0, address, size }))).toBe(PARAMETER);
  });

  it('of one PE come in steps of 32 MiB and are enabled as such only', () => {
    const rig = rigWithCard();
    const { opal, chip } = rig;
    const map = { pe: 0x45, type: M64, window: 3, segment: 0 };
    expect(rig.run(opal.pciMapPeMmioWindow(0, map))).toBe(SUCCESS);
    const window = { type: M64, window: 3, address: M64_BASE + 32n * MIB, size: 32n * MIB };
    expect(rig.run(opal.pciSetPhbMemWindow(0, { ...window, size: MIB }))).toBe(PARAMETER);
    expect(rig.run(opal.pciPhbMmioEnable(0, M64, 3, NON_SPLIT))).toBe(PARTIAL);
    expect(rig.run(opal.pciSetPhbMemWindow(0, window))).toBe(SUCCESS);
    expect(rig.run(opal.pciPhbMmioEnable(0, M64, 3, 1))).toBe(PARAMETER);
    expect(rig.run(opal.pciPhbMmioEnable(0, M64, 3, 3))).toBe(PARAMETER);
    expect(chip.writes).toEqual([]);
    expect(rig.run(opal.pciPhbMmioEnable(0, M64, 3, NON_SPLIT))).toBe(SUCCESS);
    expect(chip.entry('M64BT', 3)).toBe(0xc3b0_0022_3fff_ffe5n);
    expect(rig.run(opal.pciMapPeMmioWindow(0, map))).toBe(PARTIAL);
    expect(rig.run(opal.pciPhbMmioEnable(0, M64, 3, 0))).toBe(SUCCESS);
    expect(chip.entry('M64BT', 3) >> 62n).toBe(0n);
  });

  it('below the M64 range are not enabled', () => {
    const rig = rigWithCard();
    rig.run(rig.opal.pciSetPhbMemWindow(0, { type: M64, window: 1, address: MIB, size: MIB }));
    expect(rig.run(rig.opal.pciPhbMmioEnable(0, M64, 1, 1))).toBe(PARTIAL);
    expect(rig.run(rig.opal.pciPhbMmioEnable(0, M64, 1, NON_SPLIT))).toBe(PARAMETER);
  });

  it.each([
    [{ pe: 256, type: M32, window: 0, segment: 0 }, PARAMETER],
    [{ pe: 1, type: M32, window: 1, segment: 0 }, PARAMETER],
    [{ pe: 1, type: M32, window: 0, segment: 256 }, PARAMETER],
    [{ pe: 1, type: M64, window: 16, segment: 0 }, PARAMETER],
    [{ pe: 1, type: IO, window: 0, segment: 0 }, UNSUPPORTED],
    [{ pe: 1, type: 0, window: 0, segment: 0 }, PARAMETER],
  ])('mapping %j gives %i', (request, rc) => {
    const rig = rigWithCard();
    expect(rig.run(rig.opal.pciMapPeMmioWindow(0, request))).toBe(rc);
  });
});

describe('DMA windows', () => {
  const base = {
    ...{ pe: 5, window: 10, levels: 1, tableAddress: 0x10_0000n },
    ...{ tableBytes: 0x1_0000n, pageBytes: 0x1000n },
  };

  it.each([
    [{ ...base, window: 12 }],
    [{ ...base, pe: 256, window: 512 }],
    [{ ...base, levels: 0 }],
    [{ ...base, levels: 6 }],
    [{ ...base, tableBytes: 0x1800n }],
    [{ ...base, tableBytes: 0x800n }],
    [{ ...base, tableBytes: 1n << 43n }],
    [{ ...base, pageBytes: 0x2000n }],
  ])('case %# is refused', (request) => {
    const rig = rigWithCard();
    expect(rig.run(rig.opal.pciMapPeDmaWindow(0, request))).toBe(PARAMETER);
    expect(rig.chip.writes).toEqual([]);
  });

  it('of every page size and depth are encoded, and taken away by a table of no bytes', () => {
    const rig = rigWithCard();
    const window = { ...base, levels: 5, tableBytes: 0x2000n, pageBytes: 0x1000_0000n };
    expect(rig.run(rig.opal.pciMapPeDmaWindow(0, window))).toBe(SUCCESS);
    expect(rig.chip.entry('TVT', 10)).toBe(0x0000_0000_0100_8211n);
    expect(rig.run(rig.opal.pciMapPeDmaWindow(0, { ...window, tableBytes: 0n }))).toBe(SUCCESS);
    expect(rig.chip.entry('TVT', 10)).toBe(0n);
  });

  it('without translation stand in their half of the address space, in steps of 16 MiB', () => {
    const rig = rigWithCard();
    const map = (window: number, pciStart: bigint, size: bigint) =>
      rig.run(rig.opal.pciMapPeDmaWindowReal(0, { pe: 5, window, pciStart, size }));
    const half = 1n << 59n;
    expect(map(12, 0n, 0n)).toBe(PARAMETER);
    expect(map(10, half, 0x100_0000n)).toBe(PARAMETER);
    expect(map(11, 0n, 0x100_0000n)).toBe(PARAMETER);
    expect(map(11, half + 1n, 0x100_0000n)).toBe(PARAMETER);
    expect(map(11, half, 0x1000n)).toBe(PARAMETER);
    expect(map(11, half, 1n << 50n)).toBe(PARAMETER);
    expect(map(11, half + (1n << 48n), 1n << 48n)).toBe(SUCCESS);
    expect(rig.chip.entry('TVT', 11)).toBe(0x1600n);
    expect(map(11, half, 0n)).toBe(SUCCESS);
    expect(rig.chip.entry('TVT', 11)).toBe(0n);
  });
});
