import { describe, expect, it } from 'vitest';
import { ROOT_COMPLEX_CAPABILITIES, ROOT_COMPLEX_FACTS, rootComplexLayout } from '../../../src/ioda2/root-complex.js';
import { ConfigSpace } from '../../../src/pcie/config-space.js';

const space = (prefetchableUpper: 'writable' | 'read-only' = 'writable') =>
  new ConfigSpace('RC', rootComplexLayout({ maxSpeed: 3, maxWidth: 8, prefetchableUpper }));

/** Registers the firmware reaches by fixed offset. */
const OFFSETS = [
  ['VENDOR_ID', 0x00, 2],
  ['COMMAND', 0x04, 2],
  ['STATUS', 0x06, 2],
  ['CLASS', 0x09, 3],
  ['BAR0', 0x10, 4],
  ['PRIMARY_BUS', 0x18, 1],
  ['IO_BASE', 0x1c, 1],
  ['SECONDARY_STATUS', 0x1e, 2],
  ['MEMORY_BASE', 0x20, 2],
  ['PREFETCHABLE_LIMIT', 0x26, 2],
  ['PREFETCHABLE_BASE_UPPER', 0x28, 4],
  ['IO_LIMIT_UPPER', 0x32, 2],
  ['ROM_BAR', 0x38, 4],
  ['BRIDGE_CONTROL', 0x3e, 2],
  ['PCIE_FLAGS', 0x4a, 2],
  ['DEVCTL', 0x50, 2],
  ['DEVSTA', 0x52, 2],
  ['LNKCAP', 0x54, 4],
  ['LNKCTL', 0x58, 2],
  ['LNKSTA', 0x5a, 2],
  ['SLTSTA', 0x62, 2],
  ['RTCTL', 0x64, 2],
  ['DEVCAP2', 0x6c, 4],
  ['DEVCTL2', 0x70, 2],
  ['LNKCTL2', 0x78, 2],
  ['LNKSTA2', 0x7a, 2],
  ['UE_STATUS', 0x104, 4],
  ['UE_MASK', 0x108, 4],
  ['UE_SEVERITY', 0x10c, 4],
  ['CE_STATUS', 0x110, 4],
  ['CE_MASK', 0x114, 4],
  ['AER_CONTROL', 0x118, 4],
  ['HEADER_LOG3', 0x128, 4],
  ['ROOT_ERROR_COMMAND', 0x12c, 4],
  ['ROOT_ERROR_STATUS', 0x130, 4],
  ['ERROR_SOURCE', 0x134, 4],
  ['SECONDARY_PCIE_CAP', 0x148, 4],
] as const;

describe('the root port of PHB3', () => {
  it.each(OFFSETS)('has %s at its place', (name, at, size) => {
    expect(rootComplexLayout({ maxSpeed: 3, maxWidth: 16 })[name]).toMatchObject({ at, size });
  });

  it('introduces itself as an IBM bridge without a BAR', () => {
    const config = space();
    expect(config.read(0x00, 4)).toBe(0x03dc1014);
    expect(config.read(0x08, 4)).toBe(0x06040000);
    expect(config.read(0x0e, 1)).toBe(1);
    config.write(0x10, 4, 0xffff_ffff);
    config.write(0x38, 4, 0xffff_ffff);
    expect(config.read(0x10, 4)).toBe(0);
    expect(config.read(0x38, 4)).toBe(0);
  });

  it('chains its capabilities in both spaces', () => {
    const config = space();
    expect(config.read(0x34, 1)).toBe(ROOT_COMPLEX_CAPABILITIES.powerManagement);
    expect(config.read(0x40, 2)).toBe(0x4801);
    expect(config.read(0x48, 2)).toBe(0x0010);
    expect(config.read(0x100, 4) & 0xffff).toBe(0x0001);
    const next = Math.floor(config.read(0x100, 4) / 2 ** 20);
    expect(next).toBe(ROOT_COMPLEX_CAPABILITIES.secondaryPcie);
    expect(config.read(next, 4)).toBe(0x00010019);
  });

  it('is a root port of 8 GT/s, eight lanes, without a slot, that reports the link layer', () => {
    const config = space();
    expect(config.field('PCIE_FLAGS', 'PORT_TYPE')).toBe(4);
    expect(config.field('PCIE_FLAGS', 'SLOT')).toBe(0);
    expect(config.read(0x54, 4) & 0x0010_03ff).toBe(0x0010_0083);
    expect(config.read(0x66, 2)).toBe(1);
    expect(config.field('DEVCAP', 'MAX_PAYLOAD')).toBe(5);
  });

  it('takes the values firmware leaves after initialisation', () => {
    const config = space();
    const written = [
      [0x50, 2, 0x000f],
      [0x64, 2, 0x0017],
      [0x70, 2, 0x003f],
      [0x108, 4, 0x0008d000],
      [0x10c, 4, 0x00072030],
      [0x114, 4, 0x2001],
      [0x12c, 4, 7],
      [0x3e, 2, 0x0002],
      [0x04, 2, 0x0147],
    ] as const;
    for (const [offset, size, value] of written) {
      config.write(offset, size, value);
      expect(config.read(offset, size), offset.toString(16)).toBe(value);
    }
  });

  it('lets firmware find out whether the upper prefetchable registers exist', () => {
    const probe = (config: ConfigSpace) => {
      config.write(0x28, 4, 0xffff_ffff);
      return config.read(0x28, 4);
    };
    expect(probe(space('writable') as ConfigSpace)).toBe(0xffff_ffff);
    expect(probe(space('read-only') as ConfigSpace)).toBe(0);
  });

  it('names source and certainty of every register, and of none that does not exist', () => {
    const declared = Object.keys(rootComplexLayout({ maxSpeed: 3, maxWidth: 8 })).sort();
    expect([...ROOT_COMPLEX_FACTS.keys()].sort()).toEqual(declared);
    for (const [register, { source }] of ROOT_COMPLEX_FACTS) expect(source, register).not.toBe('');
  });
});
