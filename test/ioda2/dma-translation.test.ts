import { describe, expect, it } from 'vitest';
import { SystemMemory } from '../../src/hw/memory.js';
import {
  AddressSpace,
  DmaDirection,
  DmaStatus,
  DmaTranslation,
  dmaStatusName,
} from '../../src/ioda2/dma-translation.js';
import { PE_COUNT } from '../../src/ioda2/pe-state.js';
import { RidToPe } from '../../src/ioda2/rid-to-pe.js';
import { encodeTce, Permission } from '../../src/tce/tce.js';
import { encodeTranslatedTve, encodeUntranslatedTve, TveKind } from '../../src/tce/tve.js';

const RTT = 0x10_0000;
const TABLE = 0x20_0000;
const OTHER_TABLE = 0x30_0000;
const RID = 0x0100;
const PE = 5;
const SECOND_WINDOW = 1n << 59n;
const GIB = 2 ** 30;
const { READ, WRITE } = DmaDirection;

/** A PE with 512 pages of 4 KiB at PCI address 0; page 2 is mapped, read-only. */
function setUp() {
  const memory = new SystemMemory({ sizeBytes: 4 * GIB });
  const ridToPe = new RidToPe(memory);
  ridToPe.setBase(RTT);
  const peStopped = new Uint8Array(PE_COUNT);
  const dma = new DmaTranslation({ memory, ridToPe, peStopped });
  const assign = (rid: number, rte: number) => memory.write16(RTT + rid * 2, rte);
  const map = (page: number, realPage: number, permission: Permission, table = TABLE) =>
    memory.write64(table + page * 8, encodeTce(realPage, permission));
  assign(RID, PE);
  map(2, 0x4000_0000, Permission.READ);
  dma.writeTve(2 * PE, encodeTranslatedTve({ tableAddress: TABLE, tableBytes: 4096, pageShift: 12 }));
  const status = (address: bigint, direction: DmaDirection = READ, rid = RID) =>
    dma.translateAddress(rid, address, direction).status;
  return { memory, ridToPe, peStopped, dma, assign, map, status };
}

describe('a DMA', () => {
  it('goes from RID to real address', () => {
    const { dma } = setUp();
    expect(dma.translateAddress(RID, 0x2345n, READ)).toEqual({ status: 'OK', pe: PE, realAddress: 0x4000_0345n });
    expect([dma.pe, dma.tveIndex, dma.walker.tceAddress]).toEqual([PE, 2 * PE, TABLE + 0x10]);
  });

  it('answers in numbers as in words', () => {
    const { dma } = setUp();
    expect(dma.translate(RID, 0, 0x2345, READ)).toBe(DmaStatus.OK);
    expect(dma.realAddress).toBe(0x4000_0345);
    for (const [name, status] of Object.entries(DmaStatus)) expect(dmaStatusName(status)).toBe(name);
  });

  it('without a PE names the reason and charges nobody', () => {
    const { dma, ridToPe, assign } = setUp();
    dma.translateAddress(RID, 0x2000n, READ);
    const refused = (rid: number) => {
      const outcome = dma.translateAddress(rid, 0x2000n, READ);
      expect(outcome).toMatchObject({ pe: undefined, realAddress: undefined });
      expect([dma.pe, dma.tveIndex]).toEqual([-1, -1]);
      return outcome.status;
    };
    assign(1, 0xffff);
    assign(2, 0x100);
    expect([refused(1), refused(2)]).toEqual(['NO_PE', 'INVALID_RTE']);
    ridToPe.setBase(undefined);
    expect(refused(3)).toBe('RTT_DISABLED');
    ridToPe.setBase(2 ** 40);
    expect(refused(3)).toBe('MEMORY_ERROR');
  });

  it('of a stopped PE is refused before anything else is looked at, MSIs too', () => {
    const { dma, peStopped, status } = setUp();
    dma.msi32 = 'on';
    peStopped[PE] = 1;
    expect(status(0x2000n)).toBe('PE_STOPPED');
    expect(status(0xffff_0000n, WRITE)).toBe('PE_STOPPED');
    expect(status(0x2000_0000_0000_0000n)).toBe('PE_STOPPED');
    expect([dma.pe, dma.tveIndex]).toEqual([PE, -1]);
    peStopped[PE] = 0;
    peStopped[PE + 1] = 1;
    expect(status(0x2000n)).toBe('OK');
  });

  it.each([2n, 4n, 8n, 15n])('to address space %d is no DMA', (space) => {
    const { dma, status } = setUp();
    dma.msi64 = 'on';
    expect(status((space << 60n) | 0x2000n)).toBe('BAD_ADDRESS_SPACE');
    expect(dma.pe).toBe(PE);
  });

  it('to the 32-bit MSI range is an MSI where that is enabled, else ordinary DMA', () => {
    const { dma, status } = setUp();
    dma.writeTve(2 * PE, encodeTranslatedTve({ tableAddress: TABLE, tableBytes: 16 << 20, pageShift: 12 }));
    expect(status(0xffff_0000n, WRITE)).toBe('TCE_PAGE_FAULT');
    dma.msi32 = 'on';
    expect(status(0xffff_0000n, WRITE)).toBe('MSI32');
    expect(status(0xffff_ffffn, WRITE)).toBe('MSI32');
    expect(status(0xfffe_ffffn, WRITE)).toBe('TCE_PAGE_FAULT');
    expect(status(0x1_ffff_0000n, WRITE)).toBe('TCE_PAGE_FAULT');
    expect(status(0xffff_0000n, READ)).toBe('BAD_ADDRESS_SPACE');
    expect(dma.addressSpace(0, 0xffff_0000)).toBe(AddressSpace.MSI32);
  });

  it('to the 64-bit MSI range is an MSI where that is enabled, else invalid', () => {
    const { dma, status } = setUp();
    expect(status(0x1000_0000_0000_0010n, WRITE)).toBe('BAD_ADDRESS_SPACE');
    dma.msi64 = 'on';
    expect(status(0x1000_0000_0000_0010n, WRITE)).toBe('MSI64');
    expect(dma.tveIndex).toBe(-1);
    expect(status(0x1000_0000_0000_0010n, READ)).toBe('BAD_ADDRESS_SPACE');
    expect(dma.addressSpace(0x1000_0000, 0x10)).toBe(AddressSpace.MSI64);
  });

  it.each([
    ['OK', 0x2000n, READ],
    ['TCE_ACCESS_FAULT', 0x2000n, WRITE],
    ['TCE_PAGE_FAULT', 0x3000n, READ],
    ['TVE_RANGE', 0x20_0000n, READ],
    ['TVE_RANGE', 0x0400_0000_0000_2000n, READ],
    ['TVE_INVALID', SECOND_WINDOW | 0x2000n, READ],
  ] as const)('ends %s at 0x%s', (status, address, direction) => {
    const { dma } = setUp();
    expect(dma.translateAddress(RID, address, direction)).toMatchObject({ status, pe: PE });
    expect(dma.tveIndex).toBe(2 * PE + Number(address >> 59n));
  });

  it('ends with a memory error where the TCE table is outside memory', () => {
    const { dma, status } = setUp();
    dma.writeTve(2 * PE, encodeTranslatedTve({ tableAddress: 2 ** 44, tableBytes: 4096, pageShift: 12 }));
    expect(status(0x2000n)).toBe('MEMORY_ERROR');
    expect(dma.walker.tceAddress).toBe(2 ** 44 + 0x10);
  });

  it('uses the entry of address bit 59, for the first PE and the last', () => {
    const { dma, assign } = setUp();
    for (const pe of [0, 255]) {
      assign(pe, pe);
      dma.writeTve(2 * pe + 1, encodeUntranslatedTve(0, 2 * GIB));
      const outcome = dma.translateAddress(pe, SECOND_WINDOW | 0x1234_5678n, WRITE);
      expect(outcome).toEqual({ status: 'OK', pe, realAddress: 0x1234_5678n });
      expect(dma.tveIndex).toBe(2 * pe + 1);
    }
  });

  it('passes untranslated below 4 GiB in the first window only where the chip can', () => {
    const { dma, status } = setUp();
    dma.writeTve(2 * PE, encodeUntranslatedTve(0, 8 * GIB));
    expect(status(0xff00_0000n)).toBe('TVE_RANGE');
    expect(status(0x1_0000_0000n)).toBe('OK');
    dma.setLowBypass('allowed');
    expect(status(0xff00_0000n)).toBe('OK');
  });

  it('passes untranslated without bit 51 in CAPI mode only', () => {
    const { dma, status } = setUp();
    dma.writeTve(2 * PE, 0x0000_00ff_ffff_0a00n);
    expect(status(0x2_0000_0000_1000n)).toBe('TVE_INVALID');
    dma.setCapiMode('on');
    expect(dma.translateAddress(RID, 0x2_0000_0000_1000n, READ)).toMatchObject({ realAddress: 0x2_0000_0000_1000n });
    expect(status(0x1_ffff_ffff_ffffn)).toBe('TVE_RANGE');
    expect(status(0x2_ffff_ff00_0000n)).toBe('TVE_RANGE');
    expect(dma.decodedTve(2 * PE).kind).toBe(TveKind.UNTRANSLATED);
  });

  it('reads a TVE back as it was written', () => {
    const { dma } = setUp();
    dma.setTve(511, 0xffff_ffff, 0x8000_0001);
    expect([dma.tveHi(511), dma.tveLo(511), dma.readTve(511)]).toEqual([
      0xffff_ffff,
      0x8000_0001,
      0xffff_ffff_8000_0001n,
    ]);
    expect(dma.readTve(0)).toBe(0n);
  });
});

describe('what software forgot to invalidate', () => {
  it('goes on translating after the TCE is gone, until the page, the PE or everything is killed', () => {
    const kills: ((dma: DmaTranslation) => void)[] = [
      (dma) => dma.invalidateTcePage(PE, 0, 0x2000),
      (dma) => dma.invalidateTceByPe(PE),
      (dma) => dma.invalidateTceAll(),
    ];
    for (const kill of kills) {
      const { dma, map, status } = setUp();
      status(0x2000n);
      map(2, 0, Permission.NONE);
      expect(dma.translateAddress(RID, 0x2010n, READ)).toMatchObject({ status: 'OK', realAddress: 0x4000_0010n });
      kill(dma);
      expect(status(0x2010n)).toBe('TCE_PAGE_FAULT');
    }
  });

  it('is not healed by the kill of another page, PE or window', () => {
    const { dma, map, status } = setUp();
    status(0x2000n);
    map(2, 0, Permission.NONE);
    dma.invalidateTcePage(PE, 0, 0x3000);
    dma.invalidateTcePage(PE + 1, 0, 0x2000);
    dma.invalidateTcePage(PE, 0x0800_0000, 0x2000);
    dma.invalidateTceByPe(PE + 1);
    expect(status(0x2010n)).toBe('OK');
    expect(dma.cachedTces()).toEqual([
      { pe: PE, dmaPage: 0x2000n, pageShift: 12, realPage: 0x4000_0000, permission: Permission.READ },
    ]);
  });

  it('goes on through the old table after the TVE moved, until killed', () => {
    const { dma, map } = setUp();
    dma.translateAddress(RID, 0x2000n, READ);
    map(2, 0x5000_0000, Permission.READ, OTHER_TABLE);
    dma.writeTve(2 * PE, encodeTranslatedTve({ tableAddress: OTHER_TABLE, tableBytes: 4096, pageShift: 12 }));
    expect(dma.translateAddress(RID, 0x2000n, READ).realAddress).toBe(0x4000_0000n);
    dma.invalidateTceByPe(PE);
    expect(dma.translateAddress(RID, 0x2000n, READ).realAddress).toBe(0x5000_0000n);
  });

  it('ends at once where the TVE itself is cleared', () => {
    const { dma, status } = setUp();
    status(0x2000n);
    dma.writeTve(2 * PE, 0n);
    expect(status(0x2000n)).toBe('TVE_INVALID');
  });

  it('charges the old PE after an RTT change, until the RID is invalidated', () => {
    const { dma, ridToPe, assign, status } = setUp();
    status(0x2000n);
    assign(RID, PE + 1);
    expect(dma.translateAddress(RID, 0x2000n, READ)).toMatchObject({ status: 'OK', pe: PE });
    ridToPe.invalidate(RID);
    expect(dma.translateAddress(RID, 0x2000n, READ)).toMatchObject({ status: 'TVE_INVALID', pe: PE + 1 });
  });
});
