import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../src/ioda1/registers/phb.js';
import { IODA_TABLE_NAMES, IODA_TABLES } from '../../src/ioda1/tables.js';
import { ms } from '../../src/sim/time.js';
import { booted, hex, lsiIrq, m32, ONES, PE, Rig, WINDOW } from './rig.js';

const TX_DISABLE = msbMask(1);
const RX_DISABLED = msbMask(16);
const LINK_ACTIVE = msbMask(23);
const train = (rig: Rig) => rig.read('PHB_PCIE_DLP_TRAIN_CTL');

describe('the configuration reset of a PHB', () => {
  /** Registers whose value is live, or that a read runs. */
  const LIVE: readonly PhbRegisterName[] = ['PHB_CONFIG_DATA', 'PHB_PCIE_DLP_TRAIN_CTL', 'PHB_PCIE_SLOTCTL2'];

  it('makes its registers and tables as new', () => {
    const rig = booted();
    rig.dmaWrite(WINDOW + 0x9000n, [1]);
    rig.write('PHB_RESET', 0n);
    rig.resetPhb(0);
    for (const { name, reset } of PHB_REGISTERS.registers) {
      if (LIVE.includes(name) || name.startsWith('UTL_')) continue;
      if (/LOCK|IODA_DATA|_AND_MASK|_OR_MASK/.test(name)) continue;
      expect(rig.asbRead(name), name).toBe(reset);
    }
    const phb = rig.hub.phbs[0]!;
    for (const table of IODA_TABLE_NAMES)
      for (let index = 0; index < IODA_TABLES[table].entries; index++)
        expect([phb.peekTable(table, index), phb.peekTable(table, index, 1)], `${table} ${index}`).toEqual([0n, 0n]);
  });

  it('drops cached TCEs with the rest', () => {
    const rig = booted();
    rig.dmaWrite(WINDOW + 0x1000n, [1]);
    rig.resetPhb(0);
    rig.initPhb(0);
    rig.run(ms(400));
    rig.setTce(1, 0n);
    rig.dmaWrite(WINDOW + 0x1000n, [2]);
    expect(rig.frozenPes()).toEqual([PE]);
  });

  it('lifts the fence when its bit falls, and leaves the fence WOF to software', () => {
    const rig = booted();
    rig.write('PHB_OUT_ERR_INJECT', msbMask(0));
    rig.hubWrite('RGC_CCRR', msbMask(32));
    expect(hex(rig.hubRead('CHIP_FENCE_SHADOW'))).toBe('0003000000000000');
    expect(rig.asbRead('PHB_VERSION')).toBe(ONES);
    rig.hubWrite('RGC_CCRR', 0n);
    expect([rig.hubRead('CHIP_FENCE_SHADOW'), rig.asbRead('PHB_VERSION')]).toEqual([0n, 0x000000a200000002n]);
    expect(hex(rig.hubRead('CHIP_FENCE_WOF'))).toBe('0001000000000000');
    rig.hubWrite('CHIP_FENCE_WOF', 0n);
    expect(rig.hubRead('CHIP_FENCE_WOF')).toBe(0n);
  });

  it('leaves a fence that is stuck, however often it is pulsed', () => {
    const rig = booted();
    rig.hub.phbs[0]!.jamFence();
    rig.write('PHB_OUT_ERR_INJECT', msbMask(0));
    for (let again = 0; again < 5; again++) rig.resetPhb(0);
    expect(hex(rig.hubRead('CHIP_FENCE_SHADOW'))).toBe('0003000000000000');
    expect(rig.asbRead('PHB_VERSION')).toBe(0x000000a200000002n);
  });

  it('keeps error macro and damage control of the crossbar port', () => {
    const rig = booted();
    rig.hubWrite('CI_P2_LEM_ERROR_MASK', 0xa4f4_0000_0000_0000n);
    rig.resetPhb(0);
    expect(rig.hubRead('CI_P2_LEM_ERROR_MASK')).toBe(0xa4f4_0000_0000_0000n);
    expect(rig.hubRead('CI_P2_LDCP')).toBe(0x421a_24f4_0000_5b0bn);
  });

  it('asserts PERST and drops what was on its way', () => {
    const rig = booted();
    rig.card.answers.push('nothing');
    const ticket = rig.machine.bus.beginLoad(m32(PE), 4);
    rig.run(100_000);
    const resets = rig.card.resets;
    rig.resetPhb(0);
    expect(rig.machine.bus.take(ticket)).toBe(0xffff_ffffn);
    expect([rig.link.isUp, rig.card.resets]).toEqual([false, resets + 1]);
    expect(rig.card.got('MRd')).toHaveLength(1);
  });

  it('of one PHB does nothing to another', () => {
    const rig = booted();
    for (const phb of [1, 2, 3, 4, 5]) rig.resetPhb(phb);
    expect(rig.load(m32(PE), 4)).toBe(0x00010203n);
    expect(rig.hubRead('RGC_CCRR')).toBe(0n);
  });

  it('holds packets from below out as long as it lasts', () => {
    const rig = booted();
    rig.hubWrite('RGC_CCRR', msbMask(32));
    expect(rig.load(m32(PE), 4)).toBe(0xffff_ffffn);
    rig.hubWrite('RGC_CCRR', 0n);
  });
});

describe('the transmitter of a link', () => {
  it('takes the receiver along at once, and the link', () => {
    const rig = booted();
    expect((train(rig) & LINK_ACTIVE) !== 0n).toBe(true);
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0x7e00_0000_0000_0000n);
    rig.write('PHB_PCIE_DLP_TRAIN_CTL', TX_DISABLE);
    expect(train(rig) & (TX_DISABLE | RX_DISABLED | LINK_ACTIVE)).toBe(TX_DISABLE | RX_DISABLED);
    rig.write('PHB_PCIE_DLP_TRAIN_CTL', 0n);
    rig.run(ms(400));
    expect(train(rig) & (TX_DISABLE | RX_DISABLED | LINK_ACTIVE)).toBe(LINK_ACTIVE);
  });

  it('does not count as a surprise: nothing freezes, no message is charged to anybody', () => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0x7e00_0000_0000_0000n);
    rig.write('PHB_PCIE_DLP_TRAIN_CTL', TX_DISABLE);
    rig.run(ms(10));
    expect(rig.frozenPes()).toEqual([]);
    expect(rig.errors()).toEqual({});
  });
});

describe('events of the link', () => {
  it('latch down and up with the change of state', () => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    rig.write('PHB_PCIE_DLP_TRAIN_CTL', TX_DISABLE);
    expect(hex(rig.read('UTL_PCIE_PORT_STATUS'))).toBe('00c0000000000000');
    rig.write('UTL_PCIE_PORT_STATUS', ONES);
    rig.write('PHB_PCIE_DLP_TRAIN_CTL', 0n);
    rig.run(ms(400));
    expect(hex(rig.read('UTL_PCIE_PORT_STATUS'))).toBe('00a0000000000000');
  });

  it('that are enabled freeze every PE and interrupt, by the severity line they have', () => {
    const rig = booted();
    rig.link.surpriseRemove();
    expect(rig.frozenPes()).toHaveLength(128);
    expect(rig.pest(9)[0]).toBe('8701003c00000000');
    expect(rig.interrupts.take()?.irq).toBe(lsiIrq(7));
    const other = booted();
    other.write('UTL_PCIE_PORT_ERROR_SEV', 0n);
    other.link.surpriseRemove();
    expect(other.pest(9)[0]).toBe('8701003d00000000');
  });

  it('raise at once when they are enabled late', () => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    rig.write('PHB_PCIE_DLP_TRAIN_CTL', TX_DISABLE);
    expect(rig.frozenPes()).toEqual([]);
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0xfe65_0000_0000_0000n);
    expect(rig.frozenPes()).toHaveLength(128);
  });

  it('charge a surprise down to the PE of the root port as well', () => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    rig.link.surpriseRemove();
    expect(rig.frozenPes()).toEqual([127]);
    expect(rig.pest(127)[0]).toBe('8710002400000000');
  });
});

describe('the slot', () => {
  it('shows a card, power, clock and PERST', () => {
    const rig = booted();
    expect(hex(rig.read('PHB_PCIE_SLOTCTL2'))).toBe('0000608000000000');
    rig.write('PHB_RESET', 0xc000_0000_0000_0000n);
    expect(hex(rig.read('PHB_PCIE_SLOTCTL2'))).toBe('0000708000000000');
    expect(hex(booted({ slot: 'none' }).read('PHB_PCIE_SLOTCTL2'))).toBe('0000600000000000');
  });

  it('is off until an edge turns it on, and follows each edge of the power bit', () => {
    const rig = new Rig();
    rig.programHub();
    rig.initPhb(0);
    const powered = () => (rig.read('PHB_PCIE_SLOTCTL2') & msbMask(17)) !== 0n;
    expect(powered()).toBe(false);
    rig.write('PHB_HOTPLUG_OVERRIDE', 0x8400_0000_0000_0000n);
    expect(powered()).toBe(true);
    rig.write('PHB_HOTPLUG_OVERRIDE', 0x8c00_0000_0000_0000n);
    expect(powered()).toBe(true);
    rig.write('PHB_HOTPLUG_OVERRIDE', 0x0c00_0000_0000_0000n);
    expect(powered()).toBe(false);
    rig.write('PHB_HOTPLUG_OVERRIDE', 0x0c00_0000_0000_0000n);
    expect(powered()).toBe(false);
  });

  it('without power has no link, and resets its card when it goes', () => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    const resets = rig.card.resets;
    rig.write('PHB_HOTPLUG_OVERRIDE', 0x0c00_0000_0000_0000n);
    expect([rig.link.isUp, rig.card.resets]).toEqual([false, resets + 1]);
  });

  it('keeps its power through a configuration reset', () => {
    const rig = booted();
    rig.resetPhb(0);
    expect(rig.asbRead('PHB_PCIE_SLOTCTL2') & msbMask(17)).toBe(msbMask(17));
  });

  it('may be on from the start', () => {
    const rig = new Rig({ slotPower: 'on' });
    expect(rig.asbRead('PHB_PCIE_SLOTCTL2') & msbMask(17)).toBe(msbMask(17));
  });
});

describe('PERST and the core resets', () => {
  it('train the link when the last of them is released', () => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    rig.write('PHB_RESET', 0xc000_0000_0000_0000n);
    expect(rig.link.isUp).toBe(false);
    rig.run(ms(400));
    expect(rig.link.isUp).toBe(false);
    rig.write('PHB_RESET', 0xe000_0000_0000_0000n);
    rig.run(ms(400));
    expect(rig.link.isUp).toBe(true);
  });

  it('never end where the core is stuck', () => {
    const rig = booted();
    rig.hub.phbs[0]!.jamCoreReset();
    rig.resetPhb(0);
    rig.write('PHB_RESET', 0xe800_0000_0000_0000n);
    rig.run(ms(400));
    expect(train(rig) & msbMask(22)).toBe(msbMask(22));
  });

  it('forget a release that is taken back in time', () => {
    const rig = booted();
    rig.write('PHB_RESET', 0n);
    rig.write('PHB_RESET', 0xc000_0000_0000_0000n);
    rig.write('PHB_RESET', 0n);
    rig.run(ms(10));
    expect(train(rig) & msbMask(22)).toBe(msbMask(22));
  });
});

describe('link management', () => {
  it('narrows and slows the running link, and says when it is done', () => {
    const rig = booted();
    rig.write('PHB_PCIE_LINK_MANAGEMENT', msbMask(0) | (4n << 56n) | msbMask(11) | (1n << 48n));
    expect(rig.read('PHB_PCIE_LINK_MANAGEMENT') & (msbMask(8) | msbMask(9))).toBe(msbMask(8) | msbMask(9));
    rig.run(ms(20));
    expect([rig.link.width, rig.link.speed]).toEqual([4, 1]);
    expect(rig.read('PHB_PCIE_LINK_MANAGEMENT') & msbMask(9)).toBe(0n);
    rig.write('PHB_PCIE_LINK_MANAGEMENT', msbMask(0) | msbMask(11) | (2n << 48n));
    rig.run(ms(20));
    expect([rig.link.width, rig.link.speed]).toEqual([1, 2]);
  });

  it('shows that the link is down', () => {
    const rig = booted({ slot: 'none' });
    expect(rig.read('PHB_PCIE_LINK_MANAGEMENT') & msbMask(8)).toBe(0n);
  });
});

describe('the root port', () => {
  it('is 1014:03b9 with the capabilities where error cleanup writes, and a class that is none of a bridge', () => {
    const rig = booted();
    expect(rig.config(0, 0)).toBe(0x1410b903n);
    expect(rig.config(0, 0x08)).toBe(0x00008006n);
    expect(rig.config(0, 0x34, 1)).toBe(0x40n);
    expect([rig.config(0, 0x40, 2), rig.config(0, 0x48, 2)]).toEqual([0x0148n, 0x1000n]);
    expect(rig.config(0, 0x100, 2)).toBe(0x0100n);
  });

  it('takes no harm from the cleanup that writes its command to 0x40', () => {
    const rig = booted();
    const before = [0x04, 0x40, 0x44].map((register) => rig.config(0, register));
    rig.setConfig(0, 0x40, [0x47, 0x01, 0x00, 0xf8]);
    expect([0x04, 0x40, 0x44].map((register) => rig.config(0, register))).toEqual(before);
  });
});
