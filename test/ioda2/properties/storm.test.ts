/** Nothing that software or devices do breaks the simulator, and a reset brings the chip back. Facts: ioda2-phb3 3.1, 7.8, 7.11.1. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { msbMask } from '../../../src/hw/bits.js';
import { PHB_REGISTERS } from '../../../src/ioda2/registers/phb.js';
import { IODA_TABLE_NAMES, IODA_TABLES } from '../../../src/ioda2/tables.js';
import { memoryRead, memoryWrite } from '../../../src/pcie/tlp.js';
import { booted, hex, m32, m64, ONES, PAGE_AT, PE, RID, type Rig } from '../rig.js';
import { settings } from './settings.js';
import { anything, blow, type Gust, insideThePhb, recover } from './storm.js';

const VERSION = 0xa3_0000_0005n;

/** The chip works: configuration, loads, stores, DMA both ways, an interrupt. */
function expectSane(rig: Rig): void {
  const { card } = rig;
  card.received.length = 0;
  expect([rig.read('PHB_VERSION'), rig.asbRead('PHB_VERSION')]).toEqual([VERSION, VERSION]);
  expect(rig.config(RID, 0)).toBe(0x1410_01f0n);
  expect([rig.load(m32(PE, 0x10)), rig.load(m64(PE, 0x20), 8)]).toEqual([0x1011_1213n, 0x2021_2223_2425_2627n]);
  rig.store(m32(PE, 4), 4, 0x0102_0304n);
  rig.dmaWrite(0x1010n, [9, 8, 7]);
  expect([...rig.memory.readBlock(PAGE_AT(1) + 0x10, 3)]).toEqual([9, 8, 7]);
  expect(rig.dmaRead(0x1010n, 3).map(({ status, data }) => [status, ...(data ?? [])])).toEqual([['SC', 9, 8, 7]]);
  rig.setIve(3, {});
  rig.msi(3);
  expect(rig.pq(3)).toBe('10');
  expect(card.got('MWr')).toHaveLength(1);
  expect(rig.errors()).toEqual({});
  expect(rig.frozenPes()).toEqual([]);
}

describe('any sequence of accesses and packets', () => {
  const storm = fc.array(anything, { maxLength: 60, size: 'max' });

  it('neither throws nor hangs, answers every read in its size, and ends with a reset that works', () => {
    fc.assert(
      fc.property(storm, (gusts) => {
        const rig = booted({ eventBudget: 5_000_000 });
        for (const gust of gusts) {
          const answer = blow(gust, rig);
          const bytes = gust.door === 'load' || gust.door === 'window-load' ? gust.size : 8;
          if (answer !== undefined) expect(answer >= 0n && answer < 1n << BigInt(8 * bytes)).toBe(true);
        }
        recover(rig);
        expectSane(rig);
      }),
      settings(120),
    );
  });
});

// ---- fence ----------------------------------------------------------------------------------------------------------

/** Doors that a fence closes: by MMIO nothing is read and nothing written, and no packet leaves. */
function expectFenced(rig: Rig, gusts: readonly Gust[]): void {
  let sent = 0;
  // The port itself refuses what comes while software has its bus master bit off: it stands before the fence.
  rig.link.up.observe(({ status }) => {
    if (status !== 'UR') sent++;
  });
  for (const gust of gusts) {
    sent = 0;
    // The side path works, so what goes through it may do anything but open the fence.
    const sidePath = gust.door === 'asb-read' || gust.door === 'asb-write';
    const answer = blow(gust, rig);
    if (!sidePath) expect([gust, sent]).toEqual([gust, 0]);
    if (gust.door === 'load') expect(answer).toBe((1n << BigInt(8 * gust.size)) - 1n);
    if (gust.door === 'window-load') expect(answer).toBe((1n << BigInt(8 * gust.size)) - 1n);
    if (gust.door === 'table-read') expect(answer).toBe(ONES);
    expect(rig.fenced).toBe(true);
  }
  rig.run(5_000_000);
  expect(rig.asbRead('PHB_VERSION')).toBe(VERSION);
  rig.asbWrite('PHB_TIMEOUT_CTRL1', 0x1122n);
  expect(rig.asbRead('PHB_TIMEOUT_CTRL1')).toBe(0x1122n);
}

describe('a fence after any storm', () => {
  it('lets nothing in or out but through the side path, however it is assailed', () => {
    const storms = fc.tuple(
      fc.array(insideThePhb, { maxLength: 20, size: 'max' }),
      fc.array(insideThePhb, { maxLength: 30, size: 'max' }),
    );
    fc.assert(
      fc.property(storms, ([before, after]) => {
        const rig = booted();
        for (const gust of before) blow(gust, rig);
        // What the bridge has handed to the link is the link's: it may wait there for a retraining.
        rig.run(50_000_000);
        rig.setNest('NFIR_OR', msbMask(24));
        rig.run(1000);
        expectFenced(rig, after);
      }),
      settings(60),
    );
  });
});

describe('a packet that fences the bridge', () => {
  it('ends what is behind it and what is still on its way: no packet leaves and no byte moves any more', () => {
    const request = fc.record({
      read: fc.boolean(),
      offset: fc.nat(60).map((n) => 64 * n),
      length: fc.constantFrom(4, 64, 256),
    });
    const burst = fc.tuple(fc.array(request, { minLength: 1, maxLength: 8 }), fc.array(request, { maxLength: 8 }));
    fc.assert(
      fc.property(burst, ([before, after]) => {
        const rig = booted();
        const fenced = (): boolean => (rig.machine.phbs[0]!.pbcq.nest.peek('NFIR') & msbMask(16)) !== 0n;
        const late: string[] = [];
        rig.link.up.observe(({ kind }) => void (fenced() && late.push(kind)));
        const { memory } = rig;
        const write = memory.writeBlock.bind(memory);
        memory.writeBlock = (address, bytes) => {
          if (fenced()) late.push(`write ${address.toString(16)}`);
          write(address, bytes);
        };
        const send = ({ read, offset, length }: (typeof before)[number]): void => {
          const at = { hi: 0, lo: 0x1000 + offset };
          const bytes = Math.min(length, 4096 - offset);
          rig.card.send(
            read ? memoryRead({ requesterId: RID, tag: 1 }, at, bytes) : memoryWrite(RID, at, new Uint8Array(bytes)),
          );
        };
        before.forEach(send);
        // A message interrupt that is not aligned is fatal.
        rig.card.send(memoryWrite(RID, { hi: 0, lo: 0xffff_0004 }, new Uint8Array(4)));
        after.forEach(send);
        rig.run(100_000);
        expect([fenced(), late]).toEqual([true, []]);
      }),
      settings(60),
    );
  });
});

// ---- reset ----------------------------------------------------------------------------------------------------------

/** Everything the chip holds: registers, tables on the chip, configuration space of the root port. */
function everything(rig: Rig): Record<string, string> {
  const phb = rig.machine.phbs[0]!;
  const all: Record<string, string> = {};
  for (const name of PHB_REGISTERS.names) all[name] = hex(phb.registers.peek(name));
  for (const table of IODA_TABLE_NAMES) {
    for (let index = 0; index < IODA_TABLES[table].entries; index++) {
      all[`${table}[${index}]`] = hex(phb.peekTable(table, index));
    }
  }
  for (let register = 0; register < 0x200; register += 4) all[`config ${register}`] = hex(rig.config(0, register));
  all['link'] = `${rig.link.state} Gen${rig.link.speed} x${rig.link.width}`;
  return all;
}

describe('a reset of the ETU with the initialisation after it', () => {
  it('makes the chip as new: every register, every table entry, the root port and the link', () => {
    const fresh = booted();
    recover(fresh);
    const wanted = everything(fresh);
    fc.assert(
      fc.property(fc.array(insideThePhb, { maxLength: 50, size: 'max' }), fc.boolean(), (gusts, fence) => {
        const rig = booted();
        for (const gust of gusts) blow(gust, rig);
        if (fence) rig.setNest('NFIR_OR', msbMask(25));
        recover(rig);
        expect(everything(rig)).toEqual(wanted);
        expectSane(rig);
      }),
      settings(60),
    );
  });

  it('leaves the chip of a first start as a later one does', () => {
    const second = booted();
    recover(second);
    expect(everything(second)).toEqual(everything(booted()));
  });
});
