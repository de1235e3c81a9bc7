/** First and last bytes of windows, codes at the ends of their fields, and what stands just beyond. Facts: ioda1-p7ioc 3.3, 4. */
import { describe, expect, it } from 'vitest';
import { RegisterFile } from '../../src/hw/register-file.js';
import { CiRouting } from '../../src/ioda1/ci-routing.js';
import { DmaWindows } from '../../src/ioda1/dma-windows.js';
import { OutboundWindows } from '../../src/ioda1/outbound-windows.js';
import { PairStore } from '../../src/ioda1/pair-store.js';
import { PeState } from '../../src/ioda1/pe-state.js';
import { HUB_REGISTERS, type HubRegisterName } from '../../src/ioda1/registers/hub.js';
import { ROUTING_RULES } from '../../src/ioda1/registers/hub-ci.js';
import { type FilterField, ridFilter } from '../../src/ioda1/rid-filter.js';
import { RidToPe } from '../../src/ioda1/rid-to-pe.js';
import { IODA_TABLES } from '../../src/ioda1/tables.js';
import { m64Window, ONES, rule, tve } from './rig.js';

describe('the requesters of a filter', () => {
  const fields = (change: Partial<Record<FilterField, number>>) => (name: FilterField) =>
    ({ BUS: 0xa5, DEVICE: 0x15, FUNCTION: 5, BUS_VALID: 0, DEVICE_VALID: 0, FUNCTION_VALID: 0, ...change })[name];

  it.each([
    [0, 0x00],
    [1, 0x00],
    [2, 0xe0],
    [3, 0xf0],
    [4, 0xf8],
    [5, 0xfc],
    [6, 0xfe],
    [7, 0xff],
  ])('are compared by the bus bits of code %i', (code, bus) => {
    expect(ridFilter(fields({ BUS_VALID: code }))).toEqual({ mask: bus << 8, value: (0xa5 & bus) << 8 });
  });

  it('are compared by device and by function, each on its own', () => {
    expect(ridFilter(fields({ DEVICE_VALID: 1 }))).toEqual({ mask: 0xf8, value: 0xa8 });
    expect(ridFilter(fields({ FUNCTION_VALID: 1 }))).toEqual({ mask: 0x07, value: 0x05 });
    expect(ridFilter(fields({ BUS_VALID: 7, DEVICE_VALID: 1, FUNCTION_VALID: 1 }))).toEqual({
      mask: 0xffff,
      value: 0xa5ad,
    });
  });
});

describe('the PE of a requester', () => {
  /** Entry of a bus, `code` of its bits compared. */
  const bus = (number: number, code: number): bigint => (BigInt(number) << 56n) | (BigInt(code) << 45n);

  it('is the first entry, which matches all while it is zero', () => {
    expect(new RidToPe().lookup(0xffff)).toBe(0);
  });

  it('is the lowest entry that matches, the last but one too, and 127 where none does', () => {
    const map = new RidToPe();
    for (let pe = 0; pe < 127; pe++) map.peltm.write(pe, bus(0xfe, 7));
    expect([0xfe00, 0xfeff, 0xfdff, 0xff00, 0].map((rid) => map.lookup(rid))).toEqual([0, 0, 127, 127, 127]);
    map.peltm.write(126, bus(0x40, 3));
    expect([0x3fff, 0x4000, 0x4fff, 0x5000].map((rid) => map.lookup(rid))).toEqual([127, 126, 126, 127]);
    map.peltm.write(3, bus(0x40, 7));
    expect([0x4000, 0x40ff, 0x4100].map((rid) => map.lookup(rid))).toEqual([3, 3, 126]);
  });

  it('is looked up anew when an entry changed, and kept for the first and the last requester', () => {
    const map = new RidToPe();
    for (let pe = 0; pe < 127; pe++) map.peltm.write(pe, bus(0x55, 7));
    for (const rid of [0, 0xffff]) {
      expect([map.lookup(rid), map.lookup(rid)]).toEqual([127, 127]);
      map.peltm.write(9, bus(rid >> 8, 7));
      expect([map.lookup(rid), map.lookup(rid)]).toEqual([9, 9]);
    }
    map.peltm.write(9, bus(0x55, 7));
    expect(map.lookup(0xffff)).toBe(127);
  });
});

describe('a segmented window', () => {
  const BASE = 0x3d0_8000_0000;
  const MASK_2G = 0x8000_0000n;
  const SEGMENT = 2 ** 31 / 128;

  function placed(): OutboundWindows {
    const windows = new OutboundWindows();
    windows.m32.enabled = true;
    for (let segment = 0; segment < 128; segment++) windows.m32.table.write(segment, BigInt(127 - segment) << 57n);
    windows.setM32(BigInt(BASE), MASK_2G, 0x8000_0000n);
    return windows;
  }

  it('reaches from its first byte to its last and no further', () => {
    const windows = placed();
    const reached = [BASE - 1, BASE, BASE + 2 ** 31 - 1, BASE + 2 ** 31].map((at) => windows.resolve(at));
    expect(reached).toEqual([false, true, true, false]);
  });

  it('gives each byte its PE and its PCI address, the first and the last of each segment', () => {
    const windows = placed();
    const at = (address: number) => {
      windows.resolve(address);
      return [windows.kind, windows.pe, windows.pciAddressHi, windows.pciAddressLo];
    };
    expect(at(BASE)).toEqual(['memory', 127, 0, 0x8000_0000]);
    expect(at(BASE + SEGMENT - 1)).toEqual(['memory', 127, 0, 0x80ff_ffff]);
    expect(at(BASE + SEGMENT)).toEqual(['memory', 126, 0, 0x8100_0000]);
    expect(at(BASE + 2 ** 31 - 1)).toEqual(['memory', 0, 0, 0xffff_ffff]);
  });

  it('carries its PCI address beyond 4 GiB', () => {
    const windows = placed();
    windows.setM32(BigInt(BASE), MASK_2G, 0xc000_0000n);
    windows.resolve(BASE + 2 ** 30);
    expect([windows.pciAddressHi, windows.pciAddressLo]).toEqual([1, 0]);
  });

  it('drops the address bits that its mask leaves out', () => {
    const windows = placed();
    windows.setM32(BigInt(BASE) + 0x1234n, MASK_2G, 0n);
    expect([windows.resolve(BASE), windows.resolve(BASE - 1)]).toEqual([true, false]);
  });

  it('is empty where the mask has a hole, and while it is off', () => {
    const windows = placed();
    windows.setM32(BigInt(BASE), 0xa000_0000n, 0n);
    expect([BASE, BASE + 0x1000, 0].map((at) => windows.resolve(at))).toEqual([false, false, false]);
    const off = placed();
    off.m32.enabled = false;
    expect(off.resolve(BASE)).toBe(false);
  });

  it('of IO space has a mask of 64 bits, and says what it is', () => {
    const windows = new OutboundWindows();
    windows.io.enabled = true;
    windows.io.table.write(5, 5n << 57n);
    windows.setIo(0x3a0_0100_0000n, 0xffff_ffff_ff80_0000n, 0n);
    expect([0x3a0_00ff_ffff, 0x3a0_0180_0000].map((at) => windows.resolve(at))).toEqual([false, false]);
    expect(windows.resolve(0x3a0_0105_ffff)).toBe(true);
    expect([windows.kind, windows.pe, windows.pciAddressHi, windows.pciAddressLo]).toEqual(['io', 5, 0, 0x5_ffff]);
    windows.setIo(0x3a0_0100_0000n, 0x0000_0000_ff80_0000n, 0n);
    expect(windows.resolve(0x3a0_0105_ffff)).toBe(false);
  });

  it('gives way to an M64 window, and the IO window to both', () => {
    const windows = placed();
    windows.io.enabled = true;
    windows.setIo(BigInt(BASE), 0xffff_ffff_ff80_0000n, 0n);
    windows.resolve(BASE);
    expect(windows.kind).toBe('memory');
    windows.m64bt.write(0, m64Window(BASE, 2 ** 27));
    windows.m64dt.write(0, 77n << 57n);
    windows.resolve(BASE);
    expect(windows.pe).toBe(77);
  });

  it('is off and empty again after a reset, and so are the others', () => {
    const windows = placed();
    windows.io.enabled = true;
    windows.setIo(0x3a0_0100_0000n, 0xffff_ffff_ff80_0000n, 0n);
    windows.setM64UpperBits(ONES);
    windows.m64bt.write(0, m64Window(0x40_0000_0000, 2 ** 27));
    windows.reset();
    expect([BASE, 0x3a0_0100_0000, 0x40_0000_0000].map((at) => windows.resolve(at))).toEqual([false, false, false]);
    expect([windows.io.enabled, windows.m32.enabled, windows.m32.pes[0]]).toEqual([false, false, 0]);
    windows.m64bt.write(0, m64Window(0x40_0000_0000, 2 ** 27));
    windows.resolve(0x40_0000_0000);
    expect(windows.pciAddressHi).toBe(0x40);
  });
});

describe('an M64 window', () => {
  const BASE = 0x3d8_0000_0000;
  const SIZE = 2 ** 31;

  function windows(): OutboundWindows {
    const all = new OutboundWindows();
    all.m64bt.write(15, m64Window(BASE, SIZE));
    for (let segment = 0; segment < 8; segment++) all.m64dt.write(8 * 15 + segment, BigInt(100 + segment) << 57n);
    return all;
  }

  it('reaches from its first byte to its last and no further', () => {
    const all = windows();
    expect([BASE - 1, BASE, BASE + SIZE - 1, BASE + SIZE].map((at) => all.resolve(at))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it('has eight segments, each from its first byte to its last', () => {
    const all = windows();
    const pe = (offset: number) => all.resolve(BASE + offset) && all.pe;
    expect([0, SIZE / 8 - 1, SIZE / 8, SIZE - SIZE / 8, SIZE - 1].map(pe)).toEqual([100, 100, 101, 107, 107]);
  });

  it('keeps the bus address on the link', () => {
    const all = windows();
    all.resolve(BASE + 0x7fff_ffff);
    expect([all.kind, all.pciAddressHi, all.pciAddressLo]).toEqual(['memory', 0x3d8, 0x7fff_ffff]);
  });

  it('does not exist without its enable bit, nor with a base off the bits that it compares', () => {
    const all = windows();
    all.m64bt.write(15, m64Window(BASE, SIZE) & (ONES >> 1n));
    expect(all.resolve(BASE)).toBe(false);
    all.m64bt.write(15, m64Window(BASE + 2 ** 24, SIZE));
    expect([BASE, BASE + 2 ** 24].map((at) => all.resolve(at))).toEqual([false, false]);
  });
});

describe('the window of a TVE', () => {
  const decoded = (sizeCode: number, pageCode = 1): DmaWindows => {
    const windows = new DmaWindows();
    const [word0, word1] = tve({ table: 0x5000, pe: 9, rid: 0x1234, sizeCode, pageCode });
    windows.tvt.second.write(7, word1);
    windows.tvt.write(7, word0);
    return windows;
  };

  it.each([
    [0, 0],
    [1, 1],
    [22, 1],
    [23, 0],
    [31, 0],
  ])('of size code %i exists or not: %i', (sizeCode, valid) => {
    expect(decoded(sizeCode).valid[7]).toBe(valid);
  });

  it('takes four page sizes and no other', () => {
    const codes = Array.from({ length: 32 }, (_, code) => code).filter((code) => decoded(2, code).valid[7] === 1);
    expect(codes).toEqual([1, 5, 13, 23]);
    expect(codes.map((code) => decoded(2, code).pageShift[7])).toEqual([12, 16, 24, 34]);
  });

  it('has the address bits of its size inside, below and above 4 GiB', () => {
    const inside = (sizeCode: number) => {
      const { insideHi, insideLo } = decoded(sizeCode);
      return [insideHi[7], insideLo[7]];
    };
    expect(inside(1)).toEqual([0, 0x07ff_ffff]);
    expect(inside(5)).toEqual([0, 0x7fff_ffff]);
    expect(inside(6)).toEqual([0, 0xffff_ffff]);
    expect(inside(7)).toEqual([1, 0xffff_ffff]);
    expect(inside(22)).toEqual([0xffff, 0xffff_ffff]);
  });

  it('has PE, requester and table, which may lie above 4 GiB', () => {
    const windows = decoded(2);
    expect([windows.pe[7], windows.ridMask[7], windows.ridValue[7], windows.tableHi[7], windows.tableLo[7]]).toEqual([
      ...[9, 0xffff, 0x1234, 0, 0x5000],
    ]);
    windows.tvt.write(7, 0xffff_ffff_ffff_0200n);
    expect([windows.tableHi[7], windows.tableLo[7]]).toEqual([0x0fff_ffff, 0xffff_f000]);
  });

  it('is gone after a reset', () => {
    const windows = decoded(2);
    windows.reset();
    expect([windows.valid[7], windows.pe[7], windows.tvt.entry(7)]).toEqual([0, 0, 0n]);
  });
});

describe('a table of two words', () => {
  it('keeps them apart, and tells of each that is written', () => {
    const told: number[] = [];
    const store = new PairStore(IODA_TABLES.PELTV, (index) => told.push(index));
    store.write(127, 0x0123_4567_89ab_cdefn);
    store.second.write(127, 0xfedc_ba98_7654_3210n);
    expect([store.read(127), store.second.read(127)]).toEqual([0x0123_4567_89ab_cdefn, 0xfedc_ba98_7654_3210n]);
    expect(store.entry(127)).toBe(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210n);
    expect([told, store.entries, store.entry(126), store.entry(0)]).toEqual([[127, 127], 128, 0n, 0n]);
    store.resetAll();
    expect(store.entry(127)).toBe(0n);
  });

  it('refuses an index beyond its last entry, by either word', () => {
    const store = new PairStore(IODA_TABLES.PELTV);
    expect(() => store.read(128)).toThrow('PELTV');
    expect(() => store.second.write(128, 1n)).toThrow('128');
    expect(() => store.read(-1)).toThrow('PELTV');
  });

  it('refuses a declaration of one word', () => {
    expect(() => new PairStore(IODA_TABLES.M32DT)).toThrow('entries of 64 bits are not two words');
  });
});

describe('the states of PEs', () => {
  it('show in the event words at both ends, by either half', () => {
    const state = new PeState();
    for (const pe of [0, 63]) state.pesta.write(pe, 1n << 63n);
    for (const pe of [64, 127]) state.pestb.write(pe, 1n << 63n);
    const { peev } = state;
    expect([peev.entries, peev.read(0), peev.read(1)]).toEqual([2, (1n << 63n) | 1n, (1n << 63n) | 1n]);
    peev.write(0, 0n);
    expect(peev.read(0)).toBe((1n << 63n) | 1n);
  });

  it('tell a listener of the freeze bit alone, and only when it changes', () => {
    const state = new PeState();
    const told: unknown[] = [];
    state.onChange((...change) => told.push(change));
    state.pesta.write(5, 0x7fff_ffff_ffff_ffffn);
    expect([told, state.anyFrozen(), state.isFrozen(5)]).toEqual([[], false, false]);
    state.pesta.write(5, 1n << 63n);
    state.pesta.write(5, ONES);
    state.pestb.write(5, 1n << 63n);
    expect(told).toEqual([
      [5, 'mmio', true],
      [5, 'dma', true],
    ]);
    state.pesta.write(5, 0n);
    expect([state.anyFrozen(), state.isFrozen(5), state.mmioFrozen[5], state.dmaStopped[5]]).toEqual([
      true,
      true,
      0,
      1,
    ]);
    state.reset();
    expect([told.at(-1), state.anyFrozen()]).toEqual([[5, 'dma', false], false]);
  });

  it('keep what the first error wrote, though only one half stands', () => {
    const state = new PeState();
    state.pestb.write(5, (1n << 63n) | 0x55n);
    state.freeze(5, { a: 0xaan, b: 0xbbn });
    expect([state.pesta.read(5), state.pestb.read(5)]).toEqual([1n << 63n, (1n << 63n) | 0x55n]);
    state.freeze(6, { a: 0xaan, b: 0xbbn });
    expect([state.pesta.read(6), state.pestb.read(6)]).toEqual([(1n << 63n) | 0xaan, (1n << 63n) | 0xbbn]);
    state.freezeWith(6);
    expect(state.pesta.read(6)).toBe((1n << 63n) | 0xaan);
  });
});

describe('the routing rules of the crossbar', () => {
  function routing(rules: Readonly<Record<number, readonly [match: bigint, mask: bigint]>>): CiRouting {
    const registers = new RegisterFile<HubRegisterName>(HUB_REGISTERS);
    const made = new CiRouting(registers);
    registers.write(HUB_REGISTERS.get(`CI_RMATC_${ROUTING_RULES - 1}`).offset, 0n);
    for (const [number, [match, mask]] of Object.entries(rules)) {
      registers.write(HUB_REGISTERS.get(`CI_RMATC_${Number(number)}`).offset, match);
      registers.write(HUB_REGISTERS.get(`CI_RMASK_${Number(number)}`).offset, mask);
    }
    return made;
  }

  it('send every address to the second port until software sets them', () => {
    const fresh = new CiRouting(new RegisterFile<HubRegisterName>(HUB_REGISTERS));
    expect([fresh.portsOfAddress(0), fresh.portsOfAddress(2 ** 48 - 1)]).toEqual([[1], [1]]);
    expect([fresh.portsOfBuid(0), fresh.portsOfType(0)]).toEqual([[], []]);
  });

  it('take the addresses of their range, its first byte and its last', () => {
    const made = routing({ 0: rule('address', 3, 0x3d0_0000_0000, 2 ** 48 - 2 ** 32) });
    const ports = [0x3cf_ffff_ffff, 0x3d0_0000_0000, 0x3d0_ffff_ffff, 0x3d1_0000_0000].map((at) =>
      made.portsOfAddress(at),
    );
    expect(ports).toEqual([[], [3], [3], []]);
  });

  it('compare 64 KiB at least, and the topmost address bit', () => {
    const made = routing({ 46: rule('address', 0, 0x8000_0001_0000, 2 ** 48 - 2 ** 16) });
    expect(
      [0x8000_0000_ffff, 0x8000_0001_0000, 0x8000_0001_ffff, 0x0000_0001_0000].map((at) => made.portsOfAddress(at)),
    ).toEqual([[], [0], [0], []]);
  });

  it('take sixteen bus units by their mask, and those without extension', () => {
    const made = routing({ 1: rule('buid', 7, 0x260, 0x1f0) });
    expect([0x5f, 0x60, 0x6f, 0x70, 0x160].map((buid) => made.portsOfBuid(buid))).toEqual([[], [7], [7], [], []]);
  });

  it('take types by type rules alone', () => {
    const made = routing({ 2: rule('type', 1, 0x60, 0xf0) });
    expect([0x5f, 0x60, 0x6f, 0x70].map((type) => made.portsOfType(type))).toEqual([[], [1], [1], []]);
    expect([made.portsOfAddress(0x60 * 2 ** 16), made.portsOfBuid(0x60)]).toEqual([[], []]);
  });

  it('take nothing without a kind, and name every port of the eight', () => {
    const [match, mask] = rule('address', 0, 0, 0);
    const all = routing({ 0: [match | (0xffn << 56n), mask] });
    expect(all.portsOfAddress(5)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(routing({ 0: [0xffn << 56n, 0n] }).portsOfAddress(5)).toEqual([]);
  });
});
