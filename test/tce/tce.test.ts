import { describe, expect, it } from 'vitest';
import {
  decodeTce,
  encodeIndirectTce,
  encodeTce,
  nextTableLo,
  Permission,
  permissionOf,
  realPageOf,
  TceEncodeError,
} from '../../src/tce/tce.js';

describe('a TCE', () => {
  it('holds the page address and, in its two lowest bits, what a device may do', () => {
    expect(encodeTce(0x400_0000, Permission.READ)).toBe(0x400_0001n);
    expect(encodeTce(0x3_ffff_ffff_f000, Permission.WRITE)).toBe(0x0003_ffff_ffff_f002n);
    expect(encodeIndirectTce(0x200_1000)).toBe(0x200_1003n);
    expect(permissionOf(0x400_0ffe)).toBe(Permission.WRITE);
  });

  it('decodes to page and permission, and ignores the bits below the page', () => {
    expect(decodeTce(0xffff_0000_0400_3ffdn, 16)).toEqual({
      page: 0x3_0000_0400_0000n,
      read: 'allowed',
      write: 'refused',
    });
    expect(decodeTce(0x400_3002n, 12)).toEqual({ page: 0x400_3000n, read: 'refused', write: 'allowed' });
  });

  it('cuts a real address to 50 bits, and permissions and ignored bits off the address of a table', () => {
    expect(realPageOf(0xff03_0000, 0xf400_3fff, 24)).toBe(0x3_0000_f400_0000);
    expect(nextTableLo(0xf400_3fff)).toBe(0xf400_3000);
  });

  it.each([-4096, 0x1001, 2 ** 50, Number.NaN])('cannot name real address %d', (address) => {
    expect(() => encodeTce(address, Permission.READ)).toThrow(TceEncodeError);
  });
});
