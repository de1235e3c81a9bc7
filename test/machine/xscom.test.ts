import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { busAddressOfScom, scomOfBusAddress } from '../../src/machine/xscom.js';

const BASE = 0x3_fc00_0000_0000;

describe('the XSCOM window', () => {
  it('holds each register at eight bytes, sixteen registers to 256', () => {
    expect(busAddressOfScom(0)).toBe(BASE);
    expect(busAddressOfScom(0x0f)).toBe(BASE + 0x78);
    expect(busAddressOfScom(0x10)).toBe(BASE + 0x100);
    expect(busAddressOfScom(0x0201_2042)).toBe(BASE + 0x2012_0410);
  });

  it('leads back to the same register, also where the address is wider than 32 bits', () => {
    const registers = fc.oneof(fc.nat(0x7fff_ffff), fc.constantFrom(0x0901_200a, 0x0901_3c02, 0x1301_0000));
    fc.assert(
      fc.property(registers, (scom) => {
        expect(scomOfBusAddress(busAddressOfScom(scom))).toBe(scom);
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  it('ends where it ends', () => {
    expect([scomOfBusAddress(BASE - 8), scomOfBusAddress(BASE + 2 ** 35)]).toEqual([undefined, undefined]);
    expect(scomOfBusAddress(BASE + 2 ** 35 - 8)).toBe(0x7fff_ffff);
  });
});
