import { describe, expect, it } from 'vitest';
import { ALL_ONES, msbMask, msbMasks } from '../../../src/hw/bits.js';
import { NFIR_BITS, NFIR_FORCED_FENCE, nfirOpalMask, nfirPrdMask } from '../../../src/ioda2/error-bits/nfir.js';

/** Source: hostboot proc_pcie_config.H. */
const MASK = 0x0030006e00000000n;
const ACTION0 = 0x5b0f819000000000n;
const ACTION1 = 0x7f0f819000000000n;

function prdFromRegisters(bit: number): string {
  const set = (value: bigint) => (value & msbMask(bit)) !== 0n;
  if (set(MASK)) return 'masked';
  if (set(ACTION0)) return set(ACTION1) ? 'freeze' : 'undefined';
  return set(ACTION1) ? 'recoverable' : 'checkstop';
}

describe('the nest FIR', () => {
  it('declares bits 0 to 30 in order', () => {
    expect(NFIR_BITS.map((entry) => entry.bit)).toEqual(Array.from({ length: 31 }, (_, bit) => bit));
  });

  it('has the service class of every bit that mask and actions give it', () => {
    expect(NFIR_BITS.map((entry) => entry.prd)).toEqual(NFIR_BITS.map((entry) => prdFromRegisters(entry.bit)));
    expect(nfirPrdMask('masked')).toBe(MASK);
  });

  it('has the run-time classes of the firmware', () => {
    expect(nfirOpalMask('DEAD')).toBe(0x018000f800000000n);
    expect(nfirOpalMask('FENCED')).toBe(0x7e7dc70000000000n);
    expect(nfirOpalMask('none') | nfirOpalMask('DEAD') | nfirOpalMask('FENCED')).toBe(ALL_ONES & ~((1n << 33n) - 1n));
  });

  it('is fenced by the bits software forces, all of the dead class', () => {
    expect(NFIR_FORCED_FENCE).toBe(0x000000f000000000n);
    expect(NFIR_FORCED_FENCE & ~nfirOpalMask('DEAD')).toBe(0n);
    expect(NFIR_BITS[16]).toMatchObject({ name: 'AIB_FENCE', opal: 'FENCED' });
    expect(msbMasks(24, 25, 26, 27)).toBe(NFIR_FORCED_FENCE);
  });
});
