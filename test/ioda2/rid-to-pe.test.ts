import { describe, expect, it } from 'vitest';
import { SystemMemory } from '../../src/hw/memory.js';
import { RidFailure, RidToPe, RTC_ENTRIES } from '../../src/ioda2/rid-to-pe.js';

const RTT = 0x2_0000;

function setUp() {
  const memory = new SystemMemory({ sizeBytes: 0x4_0000 });
  const ridToPe = new RidToPe(memory);
  ridToPe.setBase(RTT);
  const map = (rid: number, rte: number) => memory.write16(RTT + rid * 2, rte);
  return { ridToPe, map };
}

describe('RID to PE', () => {
  it('takes the PE from the 16-bit entry of the RID, for every bus', () => {
    const { ridToPe, map } = setUp();
    map(0x0000, 254);
    map(0x0100, 0);
    map(0xffff, 255);
    expect([0x0000, 0x0100, 0xffff].map((rid) => ridToPe.lookup(rid))).toEqual([254, 0, 255]);
  });

  it('says why a RID has no PE', () => {
    const { ridToPe, map } = setUp();
    map(1, 0xffff);
    map(2, 0x0100);
    map(3, 0xfffe);
    expect(ridToPe.lookup(1)).toBe(RidFailure.NO_PE);
    expect(ridToPe.lookup(2)).toBe(RidFailure.INVALID_RTE);
    expect(ridToPe.lookup(3)).toBe(RidFailure.INVALID_RTE);
    ridToPe.setBase(0x3_0000);
    expect(ridToPe.lookup(0x8000)).toBe(RidFailure.MEMORY_ERROR);
    ridToPe.setBase(undefined);
    expect(ridToPe.lookup(4)).toBe(RidFailure.BAR_DISABLED);
  });

  it('keeps charging the old PE until the RID is invalidated', () => {
    const { ridToPe, map } = setUp();
    map(0x100, 1);
    map(0x101, 1);
    ridToPe.lookup(0x100);
    ridToPe.lookup(0x101);
    map(0x100, 2);
    map(0x101, 2);
    ridToPe.invalidate(0x999);
    expect(ridToPe.lookup(0x100)).toBe(1);
    ridToPe.invalidate(0x100);
    expect([ridToPe.lookup(0x100), ridToPe.lookup(0x101)]).toEqual([2, 1]);
    ridToPe.invalidateAll();
    expect(ridToPe.lookup(0x101)).toBe(2);
  });

  it('keeps cached RIDs when the BAR moves or is disabled', () => {
    const { ridToPe, map } = setUp();
    map(0x100, 7);
    ridToPe.lookup(0x100);
    ridToPe.setBase(undefined);
    expect(ridToPe.lookup(0x100)).toBe(7);
    ridToPe.setBase(0);
    expect(ridToPe.lookup(0x100)).toBe(7);
    ridToPe.invalidateAll();
    expect(ridToPe.lookup(0x100)).toBe(0);
  });

  it('sees a repaired entry at once, because a refused one is not cached', () => {
    const { ridToPe, map } = setUp();
    map(5, 0xffff);
    ridToPe.lookup(5);
    map(5, 9);
    expect(ridToPe.lookup(5)).toBe(9);
  });

  it('caches 64 RIDs and forgets the one unused for longest', () => {
    const { ridToPe, map } = setUp();
    for (let rid = 0; rid <= RTC_ENTRIES; rid++) map(rid, 10);
    for (let rid = 0; rid < RTC_ENTRIES; rid++) ridToPe.lookup(rid);
    ridToPe.lookup(0);
    ridToPe.lookup(RTC_ENTRIES);
    for (let rid = 0; rid <= RTC_ENTRIES; rid++) map(rid, 20);
    expect(ridToPe.lookup(0)).toBe(10);
    expect(ridToPe.contents()).toHaveLength(RTC_ENTRIES);
    expect(ridToPe.contents()[0]).toEqual({ rid: 0, pe: 10 });
    expect(ridToPe.lookup(1)).toBe(20);
  });
});
