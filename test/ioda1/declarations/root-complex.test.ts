import { describe, expect, it } from 'vitest';
import {
  ROOT_COMPLEX_CAPABILITIES,
  ROOT_COMPLEX_FACTS,
  type RootComplexRegister,
  rootComplexLayout,
} from '../../../src/ioda1/root-complex.js';
import { ConfigSpace } from '../../../src/pcie/config-space.js';

const layout = rootComplexLayout();

describe('the configuration space of the P7IOC root port', () => {
  it('names a source and a certainty for each of its registers, and for no other', () => {
    const declared = Object.keys(layout) as RootComplexRegister[];
    expect([...ROOT_COMPLEX_FACTS.keys()].sort()).toEqual([...declared].sort());
    for (const { source } of ROOT_COMPLEX_FACTS.values()) expect(source).not.toBe('');
  });

  it('lists power management, then PCI Express, and one extended capability', () => {
    const config = new ConfigSpace('root port', layout);
    const { powerManagement, pciExpress, aer } = ROOT_COMPLEX_CAPABILITIES;
    expect(config.read(0x34, 1)).toBe(powerManagement);
    expect([config.read(powerManagement, 1), config.read(powerManagement + 1, 1)]).toEqual([0x01, pciExpress]);
    expect([config.read(pciExpress, 1), config.read(pciExpress + 1, 1)]).toEqual([0x10, 0]);
    expect(config.read(aer, 4)).toBe(0x0001_0001);
  });

  it('is a root port of 5 GT/s and eight lanes with a slot, for payloads of 4096 bytes', () => {
    const config = new ConfigSpace('root port', layout);
    const { pciExpress } = ROOT_COMPLEX_CAPABILITIES;
    expect(config.read(pciExpress + 2, 2)).toBe(0x0142);
    expect(config.read(pciExpress + 4, 4) & 7).toBe(5);
    expect(config.read(pciExpress + 0x0c, 4) & 0x3ff).toBe(0x082);
  });
});
