/** Nothing that software or devices do breaks the simulator, and a reset brings the chip back. Facts: ioda1-p7ioc 1.2, 3.6, 7.8; ioda2-phb3 3.1, 7.8, 7.11.1. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryRead, memoryWrite } from '../../../src/pcie/tlp.js';
import { PAGE_AT, PE, RID } from '../../ioda1/rig.js';
import { P7IOC_STORM } from './p7ioc/storm.js';
import { PHB3_STORM } from './phb3/storm.js';
import { settings } from './settings.js';
import type { AnyRig, Site } from './storm.js';

const CHIPS: readonly Site[] = [PHB3_STORM, P7IOC_STORM];

/** The chip works: configuration, loads, stores, DMA both ways, an interrupt. */
function expectSane(rig: AnyRig, { version, m32, m64, dma, message }: Site): void {
  const { card } = rig;
  card.received.length = 0;
  expect([rig.read('PHB_VERSION'), rig.asbRead('PHB_VERSION')]).toEqual([version, version]);
  expect(rig.config(RID, 0)).toBe(0x1410_01f0n);
  expect([rig.load(m32(PE, 0x10)), rig.load(m64(PE, 0x20), 8)]).toEqual([0x1011_1213n, 0x2021_2223_2425_2627n]);
  rig.store(m32(PE, 4), 4, 0x0102_0304n);
  rig.dmaWrite(dma + 0x1010n, [9, 8, 7]);
  expect([...rig.memory.readBlock(PAGE_AT(1) + 0x10, 3)]).toEqual([9, 8, 7]);
  expect(rig.dmaRead(dma + 0x1010n, 3).map(({ status, data }) => [status, ...(data ?? [])])).toEqual([['SC', 9, 8, 7]]);
  expect(message(rig)).toBe(true);
  expect(card.got('MWr')).toHaveLength(1);
  expect(rig.errors()).toEqual({});
  expect(rig.frozenPes()).toEqual([]);
}

describe.each(CHIPS)('any sequence of accesses and packets on $name', (chip) => {
  const storm = fc.array(chip.anything, { maxLength: 60, size: 'max' });

  it('neither throws nor hangs, answers every read in its size, and ends with a reset that works', () => {
    fc.assert(
      fc.property(storm, (gusts) => {
        const rig = chip.booted({ eventBudget: 5_000_000 });
        for (const gust of gusts) {
          const answer = chip.blow(gust, rig);
          const bytes = chip.answerBytes(gust);
          if (answer !== undefined) expect(answer >= 0n && answer < 1n << BigInt(8 * bytes)).toBe(true);
        }
        chip.recover(rig);
        expectSane(rig, chip);
      }),
      settings(120 / chip.cost),
    );
  });
});

// ---- fence ----------------------------------------------------------------------------------------------------------

/** Doors that a fence closes: nothing is read and nothing written there, and no packet leaves. */
function expectFenced(rig: AnyRig, gusts: readonly unknown[], chip: Site): void {
  let sent = 0;
  // The port itself refuses what comes while software has its bus master bit off: it stands before the fence.
  rig.link.up.observe(({ status }) => {
    if (status !== 'UR') sent++;
  });
  for (const gust of gusts) {
    sent = 0;
    // The side path works, so what goes through it may do anything but open the fence.
    const door = chip.fencedDoor(gust);
    const answer = chip.blow(gust, rig);
    if (door !== 'side path') expect([gust, sent]).toEqual([gust, 0]);
    if (door === 'reads ones') expect(answer).toBe((1n << BigInt(8 * chip.answerBytes(gust))) - 1n);
    expect(chip.isFenced(rig)).toBe(true);
  }
  rig.run(5_000_000);
  expect(rig.asbRead('PHB_VERSION')).toBe(chip.version);
  rig.asbWrite('PHB_TIMEOUT_CTRL1', 0x1122n);
  expect(rig.asbRead('PHB_TIMEOUT_CTRL1')).toBe(0x1122n);
}

describe.each(CHIPS)('a fence after any storm on $name', (chip) => {
  it('lets nothing in or out but through the side path, however it is assailed', () => {
    const storms = fc.tuple(
      fc.array(chip.insideThePhb, { maxLength: 20, size: 'max' }),
      fc.array(chip.insideThePhb, { maxLength: 30, size: 'max' }),
    );
    fc.assert(
      fc.property(storms, ([before, after]) => {
        const rig = chip.booted();
        for (const gust of before) chip.blow(gust, rig);
        // What the bridge has handed to the link is the link's: it may wait there for a retraining.
        rig.run(50_000_000);
        chip.setEnables(rig);
        chip.fence(rig);
        rig.run(1000);
        expectFenced(rig, after, chip);
      }),
      settings(60 / chip.cost),
    );
  });
});

describe.each(CHIPS)('a packet that fences $name', (chip) => {
  it('ends what is behind it and what is still on its way: no packet leaves and no byte moves any more', () => {
    const request = fc.record({
      read: fc.boolean(),
      offset: fc.nat(60).map((n) => 64 * n),
      length: fc.constantFrom(4, 64, 256),
    });
    const burst = fc.tuple(fc.array(request, { minLength: 1, maxLength: 8 }), fc.array(request, { maxLength: 8 }));
    fc.assert(
      fc.property(burst, ([before, after]) => {
        const rig = chip.booted();
        const fenced = (): boolean => chip.isFenced(rig);
        const late: string[] = [];
        rig.link.up.observe(({ kind }) => void (fenced() && late.push(kind)));
        const { memory } = rig;
        const write = memory.writeBlock.bind(memory);
        memory.writeBlock = (address, bytes) => {
          if (fenced()) late.push(`write ${address.toString(16)}`);
          write(address, bytes);
        };
        const send = ({ read, offset, length }: (typeof before)[number]): void => {
          const at = { hi: 0, lo: Number(chip.dma) + 0x1000 + offset };
          const bytes = Math.min(length, 4096 - offset);
          rig.card.send(
            read ? memoryRead({ requesterId: RID, tag: 1 }, at, bytes) : memoryWrite(RID, at, new Uint8Array(bytes)),
          );
        };
        before.forEach(send);
        // A message interrupt that is not aligned is fatal.
        rig.card.send(memoryWrite(RID, { hi: 0, lo: 0xffff_0002 }, new Uint8Array(4)));
        after.forEach(send);
        rig.run(100_000);
        expect([fenced(), late]).toEqual([true, []]);
      }),
      settings(60 / chip.cost),
    );
  });
});

// ---- reset ----------------------------------------------------------------------------------------------------------

describe.each(CHIPS)('a reset of $name with the initialisation after it', (chip) => {
  it('makes the chip as new: every register, every table entry, the root port and the link', () => {
    const fresh = chip.booted();
    chip.recover(fresh);
    const wanted = chip.everything(fresh);
    fc.assert(
      fc.property(fc.array(chip.insideThePhb, { maxLength: 50, size: 'max' }), fc.boolean(), (gusts, fence) => {
        const rig = chip.booted();
        for (const gust of gusts) chip.blow(gust, rig);
        if (fence) chip.fence(rig);
        chip.recover(rig);
        expect(chip.everything(rig)).toEqual(wanted);
        expectSane(rig, chip);
      }),
      settings(60 / chip.cost),
    );
  });

  it('leaves the chip of a first start as a later one does', () => {
    const second = chip.booted();
    chip.recover(second);
    expect(chip.everything(second)).toEqual(chip.everything(chip.booted()));
  });
});
