import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { us } from '../../src/sim/time.js';
import { booted, hex, IRQ_BASE, IVT, LSI_IRQ, m32, ONES, PE, RID, type Rig } from './rig.js';

const FROZEN = msbMask(0);
const ISN = 0x10;
const ASSERT_INTA = 0x20;
const DEASSERT_INTA = 0x24;

function withVector(vector: Parameters<Rig['setIve']>[1] = {}): Rig {
  const rig = booted();
  rig.setIve(ISN, vector);
  return rig;
}

describe('a message interrupt', () => {
  it('goes to the server of its vector, whose low two bits are links, with its priority', () => {
    const rig = withVector({ server: 0x20 << 2, priority: 5 });
    rig.msi(ISN);
    expect(rig.interrupts.take()).toEqual({ irq: IRQ_BASE + ISN, server: 0x20, priority: 5 });
    expect(rig.errors()).toEqual({});
  });

  it('carries its source in address and data, in 32 and 64 bits alike', () => {
    const rig = booted();
    for (const isn of [0, 0x1f, 0x20, 0x3ff, 0x7f7]) rig.setIve(isn, {});
    rig.msi(0x3ff);
    rig.dmaWrite(0x1000_0000_0000_0000n | BigInt((0x7f7 << 4) & 0xfe00), [0x17, 0, 0, 0]);
    rig.msi(0x1f);
    rig.msi(0x20);
    rig.msi(0);
    expect(rig.pendingIsns()).toEqual([0x3ff, 0x7f7, 0x1f, 0x20, 0]);
  });

  it.each([
    ['00', 5, '10', 1],
    ['00', 0xff, '01', 0],
    ['10', 5, '11', 0],
    ['10', 0xff, '11', 0],
    ['01', 5, '01', 0],
    ['11', 5, '11', 0],
  ] as const)('with PQ %s and priority %i leaves PQ %s and presents %i', (before, priority, after, presented) => {
    const rig = withVector({ priority, p: before[0] === '1' ? 1 : 0, q: before[1] === '1' ? 1 : 0 });
    rig.msi(ISN);
    expect([rig.pq(ISN), rig.interrupts.pending().length]).toEqual([after, presented]);
  });

  it('keeps the generation of its vector', () => {
    const rig = withVector({ gen: 2 });
    rig.msi(ISN);
    expect(rig.memory.read8(rig.iveAddress(ISN) + 4)).toBe(0b101);
  });

  it('of a stopped PE is discarded: no record, and Q stays clear', () => {
    const rig = withVector({ p: 1 });
    rig.setIoda('PESTB', PE, FROZEN);
    rig.msi(ISN);
    expect([rig.pq(ISN), rig.errors()]).toEqual(['10', {}]);
  });

  it('for the vector of another PE freezes the requester, with the message in the PEST', () => {
    const rig = withVector({ pe: 9 });
    rig.dmaWrite(0xffff_0000n, [ISN, 0x12, 0, 0]);
    expect(rig.pest(PE)).toEqual(['8100802101001210', '80000000ffff0000']);
    expect(rig.errors()).toMatchObject({ INA_ERR_STATUS: hex(msbMask(31)), LEM_FIR_ACCUM: hex(msbMask(33)) });
    expect(rig.frozenPes()).toEqual([PE]);
    expect([rig.pq(ISN), rig.pendingIsns()]).toEqual(['00', [0x7ff]]);
  });

  it('beyond the length of the IVT freezes the requester', () => {
    const rig = booted();
    rig.write('PHB_IVT_BAR', FROZEN | BigInt(IVT) | 0x10n);
    rig.msi(ISN);
    expect(rig.pest(PE)[0]).toBe('8100802201000010');
    expect(rig.errors()).toMatchObject({ INA_ERR_STATUS: hex(msbMask(23)), LEM_FIR_ACCUM: hex(msbMask(34)) });
  });

  it('naming more than there are sources freezes the requester even under a longer IVT', () => {
    const rig = booted();
    rig.write('PHB_IVT_BAR', FROZEN | BigInt(IVT) | 0xfffn);
    rig.dmaWrite(0xffff_8000n, [0, 0, 0, 0]);
    expect(rig.errors()).toMatchObject({ INA_ERR_STATUS: hex(msbMask(23)) });
  });

  it.each([
    ['too big', 0xffff_0000n, 32, 2],
    ['misaligned', 0xffff_0004n, 4, 3],
  ] as const)('that is %s fences the bridge', (_, address, bytes, bit) => {
    const rig = booted();
    rig.dmaWrite(address, new Array<number>(bytes).fill(0));
    expect(rig.errors()).toMatchObject({ INA_ERR_STATUS: hex(msbMask(bit)), LEM_WOF: hex(msbMask(42)) });
    expect(rig.fenced).toBe(true);
  });

  it('of eight aligned bytes is as good as one of four', () => {
    const rig = withVector();
    rig.dmaWrite(0xffff_0000n, [ISN, 0, 0, 0, 0, 0, 0, 0]);
    expect(rig.pendingIsns()).toEqual([ISN]);
  });

  it.each([
    ['disabled', BigInt(IVT) | 0x800n, 32],
    ['outside of memory', FROZEN | 0x40_0000_0000n | 0x800n, 36],
  ] as const)('fences the bridge when the IVT is %s', (_, bar, bit) => {
    const rig = withVector();
    rig.write('PHB_IVT_BAR', bar);
    rig.msi(ISN);
    expect(rig.errors()).toMatchObject({ INA_ERR_STATUS: hex(msbMask(bit)) });
    expect(rig.fenced).toBe(true);
  });

  it('is ordinary DMA while the 32-bit range is off, and no address at all while the 64-bit range is', () => {
    const rig = withVector();
    rig.write('PHB_PHB3_CONFIG', 0n);
    rig.msi(ISN);
    expect(rig.pest(PE)[0]).toBe('8000802301000000');
    rig.thaw(PE);
    rig.dmaWrite(0x1000_0000_0000_0000n, [ISN, 0, 0, 0]);
    expect(rig.pest(PE)).toEqual(['8000802301000000', '9000000000000000']);
    expect(rig.pendingIsns()).toEqual([0x7ff]);
  });

  it('is no interrupt any more after a reset of the bridge, until software enables the ranges again', () => {
    const rig = withVector();
    rig.etuReset('held');
    rig.leftAlone.add('PHB_PHB3_CONFIG');
    rig.boot();
    rig.msi(ISN);
    expect([rig.pq(ISN), rig.pest(PE)[0]]).toEqual(['00', '8000802301000000']);
    rig.thaw(PE);
    rig.dmaWrite(0x1000_0000_0000_0000n, [ISN, 0, 0, 0]);
    expect(rig.frozenPes()).toEqual([PE]);
  });

  it('finds vectors of 16 bytes when PHB_CONTROL says so', () => {
    const rig = booted();
    rig.write('PHB_CONTROL', 0xf3a8_0e5b_0000_0000n);
    rig.memory.write64(IVT + 16 * ISN, 0x0000_2005_0000_0000n | BigInt(PE));
    rig.msi(ISN);
    expect(rig.pendingIsns()).toEqual([ISN]);
  });

  it('reaches nobody while the PBCQ does not route', () => {
    const rig = withVector();
    for (const [register, value] of [
      ['BAR_ENABLE', 0xf000_0000_0000_0000n],
      ['BAR_ENABLE', 0xe800_0000_0000_0000n],
      ['IRSN_COMPARE', BigInt(IRQ_BASE + 4) << 45n],
    ] as const) {
      const good = rig.nest(register);
      rig.setNest(register, value);
      rig.setIve(ISN, {});
      rig.msi(ISN);
      expect([rig.pq(ISN), rig.pendingIsns()]).toEqual(['10', []]);
      rig.setNest(register, good);
    }
    expect(rig.ioda('RBA', 0)).toBe(0n);
  });

  it('bounced by presentation waits in the RBA and is presented again', () => {
    const rig = withVector();
    rig.msi(ISN);
    const taken = rig.interrupts.take()!;
    rig.setIve(ISN, { gen: 1 });
    rig.msi(ISN);
    expect([rig.pq(ISN), rig.pendingIsns(), rig.ioda('RBA', 0)]).toEqual(['10', [], msbMask(ISN)]);
    rig.interrupts.eoi(taken.irq);
    rig.run(us(1100));
    expect([rig.pq(ISN), rig.pendingIsns(), rig.ioda('RBA', 0)]).toEqual(['10', [ISN], 0n]);
  });

  it('bounced is presented as often as it takes, and queues if it was masked meanwhile', () => {
    const rig = withVector();
    rig.msi(ISN);
    const taken = rig.interrupts.take()!;
    rig.setIve(ISN, {});
    rig.msi(ISN);
    rig.run(us(5000));
    expect(rig.ioda('RBA', 0)).toBe(msbMask(ISN));
    rig.setIve(ISN, { priority: 0xff });
    rig.interrupts.eoi(taken.irq);
    rig.run(us(1100));
    expect([rig.pq(ISN), rig.pendingIsns(), rig.ioda('RBA', 0)]).toEqual(['01', [], 0n]);
  });

  it('bounced is forgotten when software clears the RBA, or the bridge is reset', () => {
    const rig = withVector();
    rig.msi(ISN);
    const taken = rig.interrupts.take()!;
    const bounce = (): void => {
      rig.setIve(ISN, {});
      rig.msi(ISN);
      expect(rig.ioda('RBA', 0)).toBe(msbMask(ISN));
    };
    bounce();
    rig.setIoda('RBA', 0, 0n);
    rig.run(us(2000));
    bounce();
    rig.etuReset('held');
    rig.interrupts.eoi(taken.irq);
    rig.run(us(3000));
    expect(rig.pendingIsns()).toEqual([]);
  });
});

describe('FFI_REQUEST and its lock', () => {
  it('raises a source without a PE check and frees the lock only if asked to', () => {
    const rig = withVector({ pe: 77 });
    expect([rig.read('PHB_FFI_LOCK'), rig.read('PHB_FFI_LOCK')]).toEqual([0n, FROZEN]);
    rig.write('PHB_FFI_REQUEST', BigInt(ISN) << 4n);
    expect([rig.pendingIsns(), rig.read('PHB_FFI_LOCK')]).toEqual([[ISN], FROZEN]);
    rig.write('PHB_FFI_REQUEST', msbMask(3) | (BigInt(ISN) << 4n));
    expect([rig.pq(ISN), rig.read('PHB_FFI_LOCK')]).toEqual(['11', 0n]);
  });

  it('does nothing for a source without a vector', () => {
    const rig = booted();
    rig.write('PHB_IVT_BAR', BigInt(IVT) | 0x800n);
    rig.write('PHB_FFI_REQUEST', BigInt(ISN) << 4n);
    rig.write('PHB_IVT_BAR', FROZEN | BigInt(IVT) | 8n);
    rig.write('PHB_FFI_REQUEST', BigInt(ISN) << 4n);
    rig.write('PHB_IVT_BAR', FROZEN | 0x40_0000_0000n | 0x800n);
    rig.write('PHB_FFI_REQUEST', BigInt(ISN) << 4n);
    expect([rig.pendingIsns(), rig.errors()]).toEqual([[], {}]);
  });

  it.each(['PHB_LOCK0', 'PHB_LOCK1', 'PHB_FFI_LOCK'] as const)(
    '%s is taken by reading and freed by writing',
    (lock) => {
      const rig = booted();
      expect([rig.read(lock), rig.read(lock)]).toEqual([0n, FROZEN]);
      rig.write(lock, 0n);
      expect(rig.read(lock)).toBe(0n);
      expect(rig.asbRead(lock)).toBe(FROZEN);
    },
  );

  it('reads all ones while fenced: nobody has it', () => {
    const rig = booted();
    rig.setNest('NFIR_OR', msbMask(27));
    expect(rig.read('PHB_FFI_LOCK')).toBe(ONES);
  });
});

describe('a level interrupt', () => {
  it('comes as the ISN of its pin and stays until the device takes it back', () => {
    const rig = booted();
    for (const pin of [0, 1, 2, 3]) {
      rig.sendMessage(ASSERT_INTA + pin);
      expect(rig.interrupts.take()).toEqual({ irq: LSI_IRQ + pin, server: 0x10, priority: 7 });
      rig.interrupts.eoi(LSI_IRQ + pin);
      expect(rig.pendingIsns()).toEqual([0x7f8 + pin]);
      rig.sendMessage(DEASSERT_INTA + pin);
      expect(rig.pendingIsns()).toEqual([]);
    }
  });

  it('is not blocked by a frozen PE', () => {
    const rig = booted();
    rig.setIoda('PESTA', PE, FROZEN);
    rig.setIoda('PESTB', PE, FROZEN);
    rig.sendMessage(ASSERT_INTA);
    expect(rig.pendingIsns()).toEqual([0x7f8]);
  });

  it('that is masked is kept and shows when its vector gets a priority', () => {
    const rig = booted();
    rig.setLxivt(2, { server: 0x40, priority: 0xff });
    rig.sendMessage(ASSERT_INTA + 2);
    expect(rig.pendingIsns()).toEqual([]);
    rig.setLxivt(2, { server: 0x84, priority: 3 });
    expect(rig.interrupts.take()).toEqual({ irq: LSI_IRQ + 2, server: 0x21, priority: 3 });
    rig.interrupts.eoi(LSI_IRQ + 2);
    rig.setLxivt(2, { server: 0x84, priority: 0xff });
    expect(rig.pendingIsns()).toEqual([]);
  });

  it('is not routed while the two source ids differ', () => {
    const rig = booted();
    rig.sendMessage(ASSERT_INTA);
    rig.write('PHB_LSI_SOURCE_ID', 0x0010_0000_0000_0000n);
    expect(rig.pendingIsns()).toEqual([]);
    rig.setNest('LSI_SOURCE_ID', 0x0200_0000_0000_0000n);
    expect(rig.pendingIsns()).toEqual([2 * 8]);
    rig.setNest('LSI_SOURCE_ID', 0xff00_0000_0000_0000n);
    expect(rig.pendingIsns()).toEqual([]);
    rig.write('PHB_LSI_SOURCE_ID', ONES);
    expect(rig.read('PHB_LSI_SOURCE_ID')).toBe(0x07f8_0000_0000_0000n);
    expect(rig.pendingIsns()).toEqual([0x7f8]);
  });

  it('follows the routing of the PBCQ while it is up', () => {
    const rig = booted();
    rig.sendMessage(ASSERT_INTA);
    rig.setNest('IRSN_COMPARE', 0x1000n << 45n);
    expect(rig.interrupts.pending()).toEqual([0x1000 + 0x7f8]);
    rig.setNest('BAR_ENABLE', 0xe000_0000_0000_0000n);
    expect(rig.interrupts.pending()).toEqual([]);
    rig.setNest('BAR_ENABLE', 0xf800_0000_0000_0000n);
    expect(rig.interrupts.pending()).toEqual([0x1000 + 0x7f8]);
    rig.setNest('IRSN_MASK', 0xffff_0000_0000_0000n);
    expect(rig.interrupts.pending()).toEqual([]);
  });

  it('goes away with the link', () => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    rig.sendMessage(ASSERT_INTA);
    rig.link.surpriseRemove();
    expect(rig.pendingIsns()).toEqual([]);
  });

  it('goes away with a fence, while an error interrupt that is out already stays', () => {
    const rig = booted();
    rig.sendMessage(ASSERT_INTA);
    rig.card.answers.push('CA');
    rig.load(m32(PE));
    expect(rig.pendingIsns()).toEqual([0x7f8, 0x7ff]);
    rig.setNest('NFIR_OR', msbMask(24));
    expect(rig.pendingIsns()).toEqual([0x7ff]);
    expect(rig.config(RID, 0)).toBe(0xffff_ffffn);
  });
});
