import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { aib, booted, CATCH_ALL, configAddress, ONES, PE, RID } from './rig.js';

const ALL32 = 0xffff_ffffn;

describe('a configuration cycle', () => {
  const rig = booted();

  it('reaches the root port on bus 0, without a packet', () => {
    const before = rig.card.received.length;
    expect(rig.config(0, 0)).toBe(0x1410b903n);
    expect(rig.card.received).toHaveLength(before);
  });

  it('reads and writes bytes and halves of a card, in the lanes of the doubleword', () => {
    rig.setConfig(RID, 0x42, [0x12]);
    rig.setConfig(RID, 0x44, [0x34, 0x56]);
    expect([rig.config(RID, 0x42, 1), rig.config(RID, 0x44, 2), rig.config(RID, 0x40)]).toEqual([
      0x12n,
      0x3456n,
      0x0000_1200n,
    ]);
  });

  it('takes the low two bits of the register from where the data are touched', () => {
    rig.write('PHB_CONFIG_ADDRESS', configAddress(RID, 0x41));
    expect(rig.load(aib(0) + 0x132, 1)).toBe(0x12n);
  });

  it('becomes type 1 beyond the secondary bus', () => {
    rig.config(0x0200, 0);
    expect(rig.card.received.at(-1)).toMatchObject({ kind: 'CfgRd1', targetId: 0x0200 });
    rig.config(RID, 0);
    expect(rig.card.received.at(-1)).toMatchObject({ kind: 'CfgRd0', targetId: RID });
  });

  it('shows a retry as the id that says so', () => {
    rig.card.answers.push('CRS');
    expect(rig.config(RID, 0)).toBe(0x0100ffffn);
    rig.card.answers.push('CRS');
    expect(rig.config(RID, 0, 2)).toBe(0x0100n);
  });

  it('is not made without the enable bit, and that is only logged', () => {
    const other = booted();
    other.write('PHB_CONFIG_ADDRESS', configAddress(RID, 0) & ~msbMask(0));
    expect(other.load(aib(0) + 0x130, 4)).toBe(ALL32);
    other.store(aib(0) + 0x130, 4, 0n);
    expect(other.errors()).toMatchObject({ OUT_ERR_STATUS: '0000008000000000', LEM_FIR_ACCUM: '0001000000000000' });
    expect(other.frozenPes()).toEqual([]);
  });

  it.each([
    ['misaligned half', 0x131, 2],
    ['word off the start', 0x132, 4],
  ] as const)('is not made as a %s', (_name, offset, size) => {
    const other = booted();
    other.write('PHB_CONFIG_ADDRESS', configAddress(RID, 0));
    expect(other.load(aib(0) + offset, size)).toBe(size === 2 ? 0xffffn : ALL32);
    expect(other.errors()['OUT_ERR_STATUS']).toBe('0000004000000000');
  });

  it('of a doubleword is no configuration cycle at all', () => {
    const other = booted();
    other.write('PHB_CONFIG_ADDRESS', configAddress(RID, 0));
    expect(other.load(aib(0) + 0x130, 8)).toBe(ONES);
    other.store(aib(0) + 0x130, 8, 0n);
    expect(other.errors()).toEqual({});
  });
});

describe('a configuration read that fails', () => {
  it('on bus 0 beside the root port freezes the PE of that requester', () => {
    const rig = booted();
    expect(rig.config(0x0008, 0)).toBe(ALL32);
    expect(rig.pest(CATCH_ALL)).toEqual(['b440002b00080000', '8000000000000000']);
  });

  it.each([
    ['UR', 'b440002b01000000', '4000000000000000'],
    ['CA', 'b480002b01000000', '8000000000000000'],
    ['poisoned', 'b404002b01000000', '0000008000000000'],
    ['nothing', 'b480002b01000000', '8000000000000000'],
  ] as const)('with %s freezes the PE of its target', (answer, pesta, status) => {
    const rig = booted();
    rig.card.answers.push(answer);
    expect(rig.config(RID, 0)).toBe(ALL32);
    expect(rig.pest(PE)).toEqual([pesta, '8000000000000000']);
    expect(rig.errors()['INA_ERR_STATUS']).toBe(status);
  });

  it('of an empty device number leaves PE 127 as firmware expects to find and clear it', () => {
    const rig = booted();
    expect(rig.config(0x0108, 0)).toBe(ALL32);
    expect(rig.frozenPes()).toEqual([CATCH_ALL]);
    expect(rig.ioda('PEEV', 1)).toBe(1n);
    rig.clearErrors();
    rig.thaw(CATCH_ALL);
    expect(rig.ioda('PEEV', 1)).toBe(0n);
    expect(rig.read('PHB_ETU_ERR_SUMMARY')).toBe(0n);
  });

  it('over a dead link ends with all ones after the timer, and only logs', () => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    rig.write('PHB_PCIE_DLP_TRAIN_CTL', msbMask(1));
    const start = rig.machine.sim.now;
    expect(rig.config(RID, 0)).toBe(ALL32);
    expect(rig.machine.sim.now - start).toBeGreaterThan(15_000_000);
    expect(rig.errors()['OUT_ERR_STATUS']).toBe('0000001000000000');
    expect(rig.frozenPes()).toEqual([]);
  });
});

describe('a configuration write that fails', () => {
  it.each([
    ['UR', 'ad40000c01000000'],
    ['CA', 'ad80000c01000000'],
    ['nothing', 'ad80000c01000000'],
  ] as const)('with %s freezes the PE of its target', (answer, pesta) => {
    const rig = booted();
    rig.card.answers.push(answer);
    rig.setConfig(RID, 0x10, [0, 0, 0, 0]);
    rig.run(50_000_000);
    expect(rig.pest(PE)[0]).toBe(pesta);
    expect(rig.errors()['OUT_ERR_STATUS']).toBe('0000400000000000');
  });

  it('beside the root port freezes too', () => {
    const rig = booted();
    rig.setConfig(0x0010, 0x10, [0, 0, 0, 0]);
    expect(rig.pest(CATCH_ALL)[0]).toBe('ad40000c00100000');
  });
});

describe('the PE of a configuration cycle', () => {
  it('blocks it when it is frozen: all ones, nothing sent, nothing logged', () => {
    const rig = booted();
    rig.setIoda('PESTA', PE, msbMask(0));
    const before = rig.card.received.length;
    expect(rig.config(RID, 0)).toBe(ALL32);
    rig.setConfig(RID, 0x40, [0xff]);
    expect(rig.card.received).toHaveLength(before);
    expect(rig.errors()).toEqual({});
    expect(rig.config(0, 0)).toBe(0x1410b903n);
  });
});

describe('an injection into configuration cycles', () => {
  const arm = (rig: ReturnType<typeof booted>, control: bigint, bus: bigint) => {
    rig.write('PHB_PAPR_ERR_INJ_ADDR', bus << 52n);
    rig.write('PHB_PAPR_ERR_INJ_MASK', 0x0ff0_0000_0000_0000n);
    rig.write('PHB_PAPR_ERR_INJ_CTL', control);
  };

  it('hits every read of its bus', () => {
    const rig = booted();
    arm(rig, 0x1800_0000_0000_0000n, 1n);
    expect(rig.config(RID, 0)).toBe(ALL32);
    expect(rig.pest(PE)[0]).toBe('b400000301000000');
    expect(rig.errors()['OUT_ERR_STATUS']).toBe('0000000800000000');
  });

  it('hits writes, if armed for those, and no other bus', () => {
    const rig = booted();
    arm(rig, 0x1400_0000_0000_0000n, 1n);
    rig.setConfig(RID, 0x40, [0xff]);
    expect(rig.pest(PE)[0]).toBe('ad00000301000000');
    rig.thaw(PE);
    arm(rig, 0x1400_0000_0000_0000n, 2n);
    rig.setConfig(RID, 0x40, [0xff]);
    expect(rig.frozenPes()).toEqual([]);
  });
});

describe('while the core is in reset', () => {
  it('neither the root port nor a UTL register answers, until DL_PGRESET falls', () => {
    const rig = booted();
    rig.write('PHB_RESET', 0n);
    expect((rig.read('PHB_PCIE_DLP_TRAIN_CTL') & msbMask(22)) !== 0n).toBe(true);
    expect(rig.config(0, 0)).toBe(ALL32);
    expect(rig.read('UTL_PCIE_PORT_STATUS')).toBe(ONES);
    rig.write('UTL_PCIE_PORT_ERROR_SEV', ONES);
    rig.write('PHB_RESET', 0xe800_0000_0000_0000n);
    rig.run(1_000_000);
    expect(rig.read('PHB_PCIE_DLP_TRAIN_CTL') & msbMask(22)).toBe(0n);
    expect(rig.config(0, 0)).toBe(0x1410b903n);
    expect(rig.read('UTL_PCIE_PORT_ERROR_SEV')).toBe(0n);
  });
});
