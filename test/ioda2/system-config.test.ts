import { describe, expect, it } from 'vitest';
import { ms } from '../../src/sim/time.js';
import { booted, Rig } from './rig.js';

const RESET_VALUE = 0x4411_00fc_3000_0000n;
const SLOT = 0x0001_0000_0000_0000n;
const speed = (code: number): bigint => (RESET_VALUE & ~0xf000_0000n) | (BigInt(code) << 28n);
/** Configuration registers as little-endian numbers. */
const config16 = (rig: Rig, register: number): number => {
  const value = Number(rig.config(0, register, 2, 255));
  return ((value & 0xff) << 8) | (value >> 8);
};
const LNKCAP = 0x54;
const LNKSTA = 0x5a;
const FLAGS = 0x4a;
const LNKCAP2 = 0x74;
const retrain = (rig: Rig): void => {
  rig.setConfig(0, 0x58, [0x20, 0x00]);
  rig.run(ms(20));
};

describe('SYSTEM_CONFIG', () => {
  it.each([
    [1, 1, 0x02],
    [2, 2, 0x06],
    [3, 3, 0x0e],
    [0, 3, 0x0e],
    [9, 3, 0x0e],
  ] as const)('with speed code %i limits the link to speed %i, and the root port says so', (code, limit, speeds) => {
    const rig = booted();
    rig.write('PHB_PCIE_SYSTEM_CONFIG', speed(code));
    expect([config16(rig, LNKCAP) & 0xf, config16(rig, LNKCAP2)]).toEqual([limit, speeds]);
    expect(config16(rig, LNKSTA) & 0xf).toBe(3);
    retrain(rig);
    expect(config16(rig, LNKSTA) & 0xf).toBe(limit);
  });

  it('says whether the port has a slot', () => {
    const rig = booted();
    expect(config16(rig, FLAGS) & 0x100).toBe(0x100);
    rig.write('PHB_PCIE_SYSTEM_CONFIG', RESET_VALUE & ~SLOT);
    expect(config16(rig, FLAGS) & 0x100).toBe(0);
    expect(config16(rig, FLAGS) & 0xff).toBe(0x42);
  });

  it('limits no more after a reset of the bridge', () => {
    const rig = new Rig();
    rig.etuReset('released');
    rig.run(ms(100));
    rig.write('PHB_PCIE_SYSTEM_CONFIG', speed(1));
    rig.boot();
    expect(config16(rig, LNKSTA) & 0xf).toBe(1);
    rig.etuReset('held');
    rig.boot();
    expect(config16(rig, LNKSTA) & 0xf).toBe(3);
  });
});

describe('while the core is in reset', () => {
  it('a load from the root port or the UTL waits for the timer, and gets all ones', () => {
    const rig = new Rig();
    rig.write('PHB_CONFIG_ADDRESS', 1n << 63n);
    for (const address of [rig.address('PHB_CONFIG_DATA'), rig.address('UTL_PCIE_PORT_IRQ_EN')]) {
      const start = rig.now;
      const size = address === rig.address('PHB_CONFIG_DATA') ? 4 : 8;
      expect(rig.host.load(address, size)).toBe((1n << BigInt(8 * size)) - 1n);
      expect(rig.now - start).toBeGreaterThanOrEqual(ms(16));
      expect(rig.now - start).toBeLessThan(ms(17));
    }
    const start = rig.now;
    rig.read('PHB_VERSION');
    expect(rig.now - start).toBeLessThan(ms(1));
  });
});
