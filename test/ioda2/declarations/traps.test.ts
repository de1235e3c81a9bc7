import { describe, expect, it } from 'vitest';
import { ALL_ONES, msbMask } from '../../../src/hw/bits.js';
import { expandBits, TRAP_NAMES, type TrapName } from '../../../src/ioda2/error-bits/bit-lists.js';
import { TRAP_BITS, trapBitsOfLem, trapClassMask } from '../../../src/ioda2/error-bits/traps.js';

interface Enables {
  readonly lem: bigint;
  readonly freeze: bigint;
  readonly fence: bigint;
  readonly capiFence: bigint;
  readonly irq: bigint;
}

/** What firmware writes to the enables. Source: skiboot hw/phb3.c: phb3_init_errors, phb3_init_hw (Init_136), phb3_init_capp_errors. */
const PROGRAMMED: Record<TrapName, Enables> = {
  PHB: {
    lem: ALL_ONES,
    freeze: 0x0000000080800000n,
    fence: 0xffffffdd0c00ffc0n,
    capiFence: 0xffffffdd8c80ffc0n,
    irq: 0x0000002280b80000n,
  },
  OUT: {
    lem: 0xfdffffffffbfffffn,
    freeze: 0x0000420800000000n,
    fence: 0x9cf3bc00f89c700fn,
    capiFence: 0x9cf3fe08f8dc700fn,
    irq: 0x600c42fc042080f0n,
  },
  INA: {
    lem: ALL_ONES,
    freeze: 0xc00003a901006000n,
    fence: 0x3fff5452fe019fden,
    capiFence: 0xffff57fbff01ffden,
    irq: 0xc000a3a901826020n,
  },
  INB: {
    lem: ALL_ONES,
    freeze: 0x0000600000000060n,
    fence: 0xfcff80fbff7ff08cn,
    capiFence: 0xfcffe0fbff7ff0ecn,
    irq: 0x0000600000800070n,
  },
};

function classFromEnables({ freeze, fence, irq }: Enables, bit: number): string {
  const set = (value: bigint) => (value & msbMask(bit)) !== 0n;
  if (set(fence)) return 'FENCE';
  if (set(freeze)) return 'ER';
  return set(irq) ? 'INF' : 'none';
}

describe.each(TRAP_NAMES)('trap %s', (trap) => {
  const programmed = PROGRAMMED[trap];

  it('has the class of every bit that the programmed enables give it', () => {
    const declared = TRAP_BITS[trap].map((entry) => entry.class);
    expect(declared).toEqual(Array.from({ length: 64 }, (_, bit) => classFromEnables(programmed, bit)));
  });

  it('has masks of its classes equal to the programmed enables', () => {
    expect(trapClassMask(trap, 'FENCE')).toBe(programmed.fence);
    expect(trapClassMask(trap, 'ER')).toBe(programmed.freeze);
    expect(trapClassMask(trap, 'ER') | trapClassMask(trap, 'INF')).toBe(programmed.irq);
  });

  it('moves exactly the recoverable bits to the fence in CAPI mode', () => {
    const multipleHit = trap === 'OUT' ? msbMask(41) : 0n;
    expect(programmed.capiFence & ~programmed.fence).toBe(trapClassMask(trap, 'ER') | multipleHit);
  });

  it('forwards every bit that has a class to one LEM bit', () => {
    const lost = TRAP_BITS[trap].filter((entry) => entry.class !== 'none' && entry.lem === undefined);
    expect(lost.map((entry) => entry.name)).toEqual([]);
  });

  it('feeds no LEM bit from a trap bit that has no class', () => {
    const stray = TRAP_BITS[trap].filter((entry) => entry.class === 'none' && entry.lem !== undefined);
    expect(stray.map((entry) => entry.name)).toEqual([]);
  });

  it('has unique names, in brackets where nothing is known', () => {
    const names = TRAP_BITS[trap].map((entry) => entry.name);
    expect(new Set(names).size).toBe(64);
    const nameless = TRAP_BITS[trap].filter((entry) => entry.name.includes('['));
    expect(nameless.every((entry) => entry.known === 'assumed' && entry.name === `${trap}[${entry.bit}]`)).toBe(true);
  });
});

describe('trap bits and LEM bits', () => {
  it('forward no bit that firmware keeps out of the LEM', () => {
    // OUT 6 has no class; OUT 41 is the multiple hit that is legal here.
    expect(TRAP_BITS.OUT.filter((entry) => (PROGRAMMED.OUT.lem & msbMask(entry.bit)) === 0n)).toEqual([
      expect.objectContaining({ bit: 6, lem: undefined }),
      expect.objectContaining({ bit: 41, lem: undefined, name: 'BAR_MULTIPLE_HIT', known: 'stated' }),
    ]);
  });

  it('find the proven feed of LEM 43: completion aborts', () => {
    expect(trapBitsOfLem(43).map(({ trap, bit }) => [trap, bit])).toEqual([
      ['INA', 0],
      ['INA', 1],
    ]);
    expect(TRAP_BITS.INA[0]).toMatchObject({ lem: 43, known: 'stated', lemKnown: 'stated' });
  });

  it('read ranges of bits inclusively', () => {
    expect(expandBits([1, [3, 5], 9])).toEqual([1, 3, 4, 5, 9]);
  });
});
