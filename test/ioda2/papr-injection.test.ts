import { describe, expect, it } from 'vitest';
import { msbMask, msbMasks } from '../../src/hw/bits.js';
import { QEMU_POWERNV8 } from '../../src/machine/hostboot.js';
import { booted, hex, LINK_IRQS, m32, m64, ONES, PAGE_AT, PE, RID, type Rig, type RigOptions } from './rig.js';

const OUTBOUND = msbMask(1);
const INBOUND = msbMask(0);
const CONFIG = msbMask(3);
const STICKY = msbMask(2);
const READ = msbMask(4);
const WRITE = msbMask(5);
const LOW_48 = 0xffff_ffff_ffffn;
const BDFN = 0x0fff_f000_0000_0000n;
const PORT_DISCARD = msbMask(12);

function arm(control: bigint, address: bigint, mask: bigint, options: RigOptions = {}): Rig {
  const rig = booted(options);
  rig.write('PHB_PAPR_ERR_INJ_CTL', 0n);
  rig.write('PHB_PAPR_ERR_INJ_ADDR', address);
  rig.write('PHB_PAPR_ERR_INJ_MASK', mask);
  rig.write('PHB_PAPR_ERR_INJ_CTL', control);
  return rig;
}

const mmioAt = (address: number): bigint => BigInt(address) & LOW_48;
const outbound28 = (lem = 27) => ({
  OUT_ERR_STATUS: hex(msbMask(28)),
  LEM_FIR_ACCUM: hex(msbMask(lem)),
  CPU_LOADSTORE_STATUS: '0000001c00000000',
});

describe('an outbound injection', () => {
  it('fails the load it was made for, freezes the PE and stops the packet', () => {
    const rig = arm(OUTBOUND | READ, mmioAt(m32(PE, 0x10)), LOW_48);
    expect(rig.load(m32(PE, 0x10))).toBe(0xffff_ffffn);
    expect(rig.pest(PE)).toEqual(['a400001b00000000', hex(msbMask(0) | BigInt(m32(PE, 0x10)))]);
    expect(rig.errors()).toEqual(outbound28());
    expect(rig.card.got('MRd')).toEqual([]);
    expect(rig.frozenPes()).toEqual([PE]);
  });

  it('compares only the bits of its mask, so that neighbours may pay', () => {
    const rig = arm(OUTBOUND | WRITE, 0x3fe0_0180_0000n, 0xffff_ff00_0000n);
    rig.store(m32(2, 4), 4, 1n);
    expect(rig.pest(2)[0]).toBe('a500001b00000000');
    expect(rig.card.got('MWr')).toEqual([]);
  });

  it('leaves alone: other addresses, the other direction, other kinds of operation', () => {
    const rig = arm(OUTBOUND | READ, mmioAt(m64(PE)), LOW_48 & ~0xfffn);
    rig.load(m64(PE + 1));
    rig.store(m64(PE), 8, 1n);
    rig.config(RID, 0);
    rig.dmaWrite(0x1000n, [1]);
    expect(rig.errors()).toEqual({});
    rig.load(m64(PE, 0xff8));
    expect(rig.frozenPes()).toEqual([PE]);
  });

  it('compares the low 48 bits of an address that has more', () => {
    const window = QEMU_POWERNV8.mmio1.base(0);
    const rig = arm(OUTBOUND | READ, 0xff80_0000_0000n | 0x40n, ONES, { addressMap: QEMU_POWERNV8 });
    rig.write('PHB_M32_BASE_ADDR', BigInt(window));
    expect(rig.load(window + 0x40)).toBe(0xffff_ffffn);
    expect(rig.pest(0)).toEqual(['a400001b00000000', '8003ff8000000040']);
  });

  it('fires once: the direction bits are gone, the rest of CTL stays', () => {
    const rig = arm(OUTBOUND | READ, mmioAt(m32(PE)), LOW_48);
    rig.load(m32(PE));
    expect(rig.read('PHB_PAPR_ERR_INJ_CTL')).toBe(OUTBOUND);
    rig.thaw(PE);
    expect(rig.load(m32(PE))).toBe(0x0001_0203n);
  });

  it('fires for ever when it is sticky, or when the machine is built so', () => {
    for (const rig of [
      arm(OUTBOUND | READ | STICKY, mmioAt(m32(PE)), LOW_48),
      arm(OUTBOUND | READ, mmioAt(m32(PE)), LOW_48, { phbProfile: { injectionPersistence: 'persistent' } }),
    ]) {
      for (let round = 0; round < 3; round++) {
        expect(rig.load(m32(PE))).toBe(0xffff_ffffn);
        rig.thaw(PE);
      }
      rig.write('PHB_PAPR_ERR_INJ_CTL', 0n);
      expect(rig.load(m32(PE))).toBe(0x0001_0203n);
    }
  });
});

describe('an injection with the freeze bit', () => {
  const FREEZE = msbMask(6);
  it('freezes its PE with the cause in the PEST, and no trap, LEM bit or interrupt tells', () => {
    const load = arm(OUTBOUND | READ | FREEZE, mmioAt(m32(PE)), LOW_48);
    expect(load.load(m32(PE))).toBe(0xffff_ffffn);
    expect([load.pest(PE)[0], load.frozenPes(), load.errors()]).toEqual(['a400001b00000000', [PE], {}]);
    expect(load.pendingIsns()).toEqual([]);

    const config = arm(CONFIG | WRITE | FREEZE, BigInt(RID) << 44n, BDFN);
    config.setConfig(RID, 0x40, [1], 42);
    expect([config.frozenPes(), config.errors(), config.card.received]).toEqual([[42], {}, []]);

    const dma = arm(INBOUND | READ | FREEZE, 0x1000n, ONES);
    expect(dma.dmaRead(0x1000n, 4).map((tlp) => tlp.status)).toEqual(['CA']);
    expect([dma.pest(PE)[0], dma.frozenPes(), dma.errors()]).toEqual(['8200002701000000', [PE], {}]);
  });
});

describe('a configuration injection', () => {
  it('fails the read of its function and freezes the PE of CONFIG_ADDRESS', () => {
    const rig = arm(CONFIG | READ, BigInt(RID) << 44n, BDFN);
    expect(rig.config(RID, 4, 2, 42)).toBe(0xffffn);
    expect(rig.pest(42)).toEqual(['b400001b00000000', '8000000000000000']);
    expect(rig.errors()).toEqual(outbound28());
    expect(rig.card.received).toEqual([]);
    expect(rig.frozenPes()).toEqual([42]);
  });

  it('of a whole bus fails the write to any of its functions', () => {
    const rig = arm(CONFIG | WRITE, 0x0010_0000_0000_0000n, 0x0ff0_0000_0000_0000n);
    rig.setConfig(0x0107, 0x40, [1]);
    expect(rig.pest(PE)[0]).toBe('ad00001b00000000');
    expect(rig.card.received).toEqual([]);
    rig.setConfig(0x0200, 0x40, [1]);
    rig.run(1000);
    expect(rig.card.got('CfgWr1')).toHaveLength(1);
  });

  it('latches the discard in the UTL; with that port interrupt enabled all 256 PEs freeze', () => {
    const rig = arm(CONFIG | READ, BigInt(RID) << 44n, BDFN);
    rig.config(RID, 0);
    expect(rig.read('UTL_PCIE_PORT_STATUS')).toBe(PORT_DISCARD);
    expect(rig.frozenPes()).toEqual([PE]);

    const all = arm(CONFIG | READ, BigInt(RID) << 44n, BDFN);
    all.write('UTL_PCIE_PORT_IRQ_EN', LINK_IRQS | PORT_DISCARD);
    all.config(RID, 0);
    expect(all.frozenPes()).toHaveLength(256);
    expect(all.errors()).toMatchObject({
      ERR_STATUS: hex(msbMask(32)),
      LEM_FIR_ACCUM: hex(msbMasks(27, 60)),
      DMA_CHAN_STATUS: '0000001c00000000',
    });
    expect([all.pest(PE)[0], all.pest(0)[0], all.pest(255)[0]]).toEqual([
      'b400001b00000000',
      '8701003c00000000',
      '8701003c00000000',
    ]);
  });

  it('raises the port event late if its interrupt is enabled after it latched, and once only', () => {
    const rig = arm(CONFIG | READ | STICKY, BigInt(RID) << 44n, BDFN);
    rig.config(RID, 0);
    rig.write('UTL_PCIE_PORT_IRQ_EN', PORT_DISCARD);
    expect(rig.frozenPes()).toHaveLength(256);
    rig.thawAll();
    rig.clearErrors();
    rig.config(RID, 0);
    expect(rig.frozenPes()).toEqual([PE]);
    rig.write('UTL_PCIE_PORT_STATUS', PORT_DISCARD);
    rig.config(RID, 0);
    expect(rig.frozenPes()).toHaveLength(256);
  });
});

describe('an inbound injection', () => {
  it.each([
    ['write', WRITE, '8000002701000000'],
    ['read', READ, '8200002701000000'],
  ] as const)('fails the DMA %s it was made for', (direction, control, pestA) => {
    const rig = arm(INBOUND | control, 0x1000n, 0xffff_ffff_ffff_f000n);
    rig.setTce(0, BigInt(PAGE_AT(0)) | 3n);
    rig.dmaWrite(0x0ff8n, [1]);
    expect(rig.frozenPes()).toEqual([]);
    if (direction === 'write') rig.dmaWrite(0x1010n, [1]);
    else expect(rig.dmaRead(0x1010n, 4).map((tlp) => tlp.status)).toEqual(['CA']);
    expect(rig.pest(PE)).toEqual([pestA, '8000000000001010']);
    expect(rig.errors()).toEqual({
      INA_ERR_STATUS: hex(msbMask(39)),
      LEM_FIR_ACCUM: hex(msbMask(39)),
      DMA_CHAN_STATUS: '0000001c00000000',
    });
    expect(rig.memory.read8(PAGE_AT(1) + 0x10)).toBe(0);
  });

  it('does not fire for a PE that is stopped', () => {
    const rig = arm(INBOUND | WRITE, 0n, 0n);
    rig.setIoda('PESTB', PE, ONES);
    rig.dmaWrite(0x1000n, [1]);
    expect([rig.errors(), rig.read('PHB_PAPR_ERR_INJ_CTL')]).toEqual([{}, INBOUND | WRITE]);
  });
});
