/**
 * A request that runs over the end of a page: PCI Express forbids those over 4 KiB, yet a broken device sends them.
 * Whatever the bridge makes of it, no byte beyond what the tables map may move. Facts: ioda1-p7ioc 6.3 step 12, ioda2-phb3 6.3.3.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BRIDGES } from './bridges.js';
import type { Direction } from './chip.js';
import { settings } from './settings.js';

const PE = 5;
const RID = 0x0100;
const FRAMES = 0x0100_0000;
const PAGES = 8;
const SECRET = 0xa5a5_a5a5_a5a5_a5a5n;

/** Frame of each DMA page, in another order than the pages; even pages are mapped, with these rights. */
const frameOf = (page: number): number => FRAMES + 4096 * ((page * 3) % PAGES);

describe.each(BRIDGES)('a DMA over the end of a page below $name', ({ newChip }) => {
  it('moves no byte outside of the pages that are mapped for its direction', () => {
    const request = fc.record({
      direction: fc.constantFrom<Direction>('read', 'write'),
      page: fc.nat(PAGES - 2),
      backBytes: fc.integer({ min: 1, max: 128 }),
      length: fc.integer({ min: 1, max: 256 }),
      rights: fc.array(fc.constantFrom(0n, 1n, 2n, 3n), { minLength: PAGES, maxLength: PAGES }),
    });
    fc.assert(
      fc.property(request, ({ direction, page, backBytes, length, rights }) => {
        const chip = newChip();
        chip.setRte(RID, PE);
        const window = chip.openWindow({ pe: PE, rid: RID, table: 0 });
        for (const [each, may] of rights.entries()) {
          chip.setTce(chip.layout.tceTables + 8 * each, may === 0n ? 0n : BigInt(frameOf(each)) | may);
        }
        chip.killTces({ pe: 'all' });
        for (let at = 0; at < PAGES * 4096; at += 8) chip.setTce(FRAMES + at, SECRET);
        const address = 4096 * (page + 1) - backBytes;
        const seen = chip.dma({
          rid: RID,
          direction,
          address: window + BigInt(address),
          length,
          seed: 0,
          poisoned: false,
        });
        const needed = direction === 'read' ? 1n : 2n;
        for (const { address: real, length: bytes } of seen.moved) {
          for (let at = real; at < real + bytes; at++) {
            const of = rights.findIndex((_, each) => at >= frameOf(each) && at < frameOf(each) + 4096);
            const may = rights[of] ?? 0n;
            const asked = [...Array(length).keys()].some((n) => Math.floor((address + n) / 4096) === of);
            expect({ at: at.toString(16), mapped: (may & needed) !== 0n, asked }).toEqual({
              at: at.toString(16),
              mapped: true,
              asked: true,
            });
          }
        }
      }),
      settings(60),
    );
  });
});
