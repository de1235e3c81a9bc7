/** DMA windows, their tables, and how cached entries are dropped. */
import { msbMask } from '../../../src/hw/bits.js';
import { type AnyRig, entriesOf, freezes, lemBits, p7ioc, phb3, row, words } from './row.js';

const TVT_ERROR = 35;
const KIB = 1024;

function size(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB'];
  let value = bytes / KIB;
  let unit = 0;
  for (; value >= KIB; unit++) value /= KIB;
  return `${value} ${units[unit]}`;
}

/** Page sizes whose window is one: a DMA then fails for another reason, or not at all. */
function pageSizes(isWindow: (code: number) => boolean): string {
  const codes = Array.from({ length: 31 }, (_, at) => at + 1).filter(isWindow);
  return codes.map((code) => `${code} (${size(2 ** (code + 11))})`).join(', ');
}

/** Three pages from `first` on cached and mapped anew, then a kill: which of them lead to their new place. */
function killed(
  rig: AnyRig,
  first: number,
  { at, kill }: { at: (page: number) => bigint; kill: (tce: number) => void },
): number[] {
  const pages = [first, first + 1, first + 2];
  const tce = (page: number) => p7ioc.TCES + 8 * page;
  const [before, after] = [p7ioc.PAGE_AT(16), p7ioc.PAGE_AT(17)];
  rig.memory.write8(before, 1);
  rig.memory.write8(after, 2);
  for (const page of pages) {
    rig.memory.write64(tce(page), BigInt(before) | 3n);
    rig.dmaRead(at(page), 1);
    rig.memory.write64(tce(page), BigInt(after) | 3n);
  }
  kill(tce(first));
  return pages.filter((page) => rig.dmaRead(at(page), 1)[0]?.data?.[0] === 2).map((page) => page - first);
}

export const DMA_ROWS = [
  row('DMA windows', () => {
    const hub = p7ioc.booted();
    hub.setPair('TVT', 9, p7ioc.tve({ table: p7ioc.TCES, pe: p7ioc.PE }));
    hub.dmaWrite(0x9000_1000n, [7]);
    const chip = phb3.booted();
    chip.setIoda('TVT', 2 * phb3.PE + 1, chip.ioda('TVT', 2 * phb3.PE));
    chip.dmaWrite((1n << 59n) | 0x1000n, [7]);
    return [
      words(
        `${entriesOf(hub)('TVT')} for all PEs, of two words, each with a requester filter and a PE; below 4 GiB bits 32:35 of the address choose`,
        [hub.memory.read8(p7ioc.PAGE_AT(1)), 7],
        [freezes(hub, () => hub.dmaWrite(p7ioc.WINDOW | 0x1000n, [7], 0x0300)), [p7ioc.CATCH_ALL]],
      ),
      words(`${entriesOf(chip)('TVT')} of one word, two for each PE; bit 4 of the address (value 2^59) chooses`, [
        chip.memory.read8(phb3.PAGE_AT(1)),
        7,
      ]),
    ];
  }),

  row('TCE tables', () => {
    const hub = p7ioc.booted();
    hub.dmaWrite(p7ioc.WINDOW | 0x1000n, [5]);
    const chip = phb3.booted();
    // Five levels, all through the same table: entry 1 of each leads to itself, and is a page at last.
    chip.setIoda('TVT', 2 * phb3.PE, (BigInt(phb3.TCES / 4096) << 16n) | (4n << 13n) | (1n << 8n) | 1n);
    chip.setTce(1, BigInt(phb3.TCES) | 3n);
    const address = [0, 1, 2, 3, 4].reduce((sum, level) => sum + (1n << BigInt(12 + 9 * level)), 0n);
    const byte = chip.dmaRead(address + 8n, 1)[0]?.data?.[0];
    chip.setIoda('TVT', 2 * phb3.PE, (1n << 40n) | (2n << 16n) | (1n << 12n));
    const past = freezes(chip, () => chip.dmaWrite(0x0110_0000n, [1]));
    chip.setIoda('TVT', 2 * phb3.PE + 1, (1n << 40n) | (2n << 16n) | (1n << 12n));
    chip.dmaWrite((1n << 59n) | 0x0110_0000n, [9]);
    return [
      words('one level; every window is translated', [hub.memory.read8(p7ioc.PAGE_AT(1)), 5]),
      words(
        'one to five levels; or a window without translation',
        [byte, 0],
        [past, [phb3.PE]],
        [chip.memory.read8(0x0110_0000), 9],
      ),
    ];
  }),

  row('Size of a window', () => {
    const hub = p7ioc.booted();
    // Code 1 is 128 MiB: half of a place below 4 GiB.
    hub.setPair('TVT', p7ioc.TVE, p7ioc.tve({ table: p7ioc.TCES, pe: p7ioc.PE, rid: p7ioc.RID, sizeCode: 1 }));
    const outside = (rig: AnyRig, address: bigint): boolean => {
      rig.dmaWrite(address, [1]);
      return lemBits(rig).includes(TVT_ERROR);
    };
    const chip = phb3.booted();
    const cases = [
      [hub, p7ioc.WINDOW + (1n << 27n) - 4096n, p7ioc.WINDOW + (1n << 27n)],
      [chip, 511n * 4096n, 512n * 4096n],
    ] as const;
    const seen = cases.map(([rig, last, next]) =>
      [last, next].map((address) => {
        const result = outside(rig, address);
        rig.thaw(p7ioc.PE);
        rig.clearErrors();
        return result;
      }),
    );
    return [
      words('log2 of its bytes, less 26; 0 is no window', [seen[0], [false, true]]),
      words('log2 of the entries of a table of each level, less 8; 0 is no window', [seen[1], [false, true]]),
    ];
  }),

  row('Page size codes', () => {
    const hub = p7ioc.booted();
    const chip = phb3.booted();
    const one = pageSizes((pageCode) => {
      hub.setPair('TVT', p7ioc.TVE, p7ioc.tve({ table: p7ioc.TCES, pe: p7ioc.PE, rid: p7ioc.RID, pageCode }));
      hub.dmaWrite(p7ioc.WINDOW, [1]);
      const isWindow = !lemBits(hub).includes(TVT_ERROR);
      hub.thaw(p7ioc.PE);
      hub.clearErrors();
      return isWindow;
    });
    const two = pageSizes((code) => {
      chip.setIoda('TVT', 2 * phb3.PE, (BigInt(phb3.TCES / 4096) << 16n) | (1n << 8n) | BigInt(code));
      chip.dmaWrite(0n, [1]);
      const isWindow = !lemBits(chip).includes(TVT_ERROR);
      chip.thaw(phb3.PE);
      chip.clearErrors();
      return isWindow;
    });
    return [one, two];
  }),

  row('TCE kill', () => {
    const hub = p7ioc.booted();
    const ofHub = (value: (tce: number) => bigint) => ({
      at: (page: number) => p7ioc.WINDOW + BigInt(4096 * page),
      kill: (tce: number) => hub.write('PHB_TCE_KILL', value(tce)),
    });
    const pair = killed(
      hub,
      4,
      ofHub((tce) => msbMask(0) | BigInt(tce)),
    );
    const zero = killed(
      hub,
      8,
      ofHub(() => msbMask(0)),
    );
    const chip = phb3.booted();
    const ofChip = (value: bigint) => ({
      at: (page: number) => BigInt(4096 * page),
      kill: () => chip.write('PHB_TCE_KILL', value),
    });
    const page = killed(chip, 4, ofChip(msbMask(2) | 0x4000n | BigInt(phb3.PE)));
    const ofPe = killed(chip, 8, ofChip(msbMask(1) | BigInt(phb3.PE)));
    const all = killed(chip, 12, ofChip(msbMask(0)));
    return [
      words('bit 0: the pair of TCEs at a real address; nothing drops all but a toggle of `PHB_PHB2_CONFIG` bit 2', [
        [pair, zero],
        [[0, 1], []],
      ]),
      words('bit 0: all; bit 1: those of a PE; bit 2: one page of a PE, by its PCI address', [
        [page, ofPe, all],
        [[0], [0, 1, 2], [0, 1, 2]],
      ]),
    ];
  }),
];
