import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { addressOf } from '../../src/pcie/tlp.js';
import { booted, CATCH_ALL, hex, IDLE_PELTM, PAGE_AT, PE, RID, type Rig, TCES, TVE, tve, WINDOW } from './rig.js';

const PAGE_1 = WINDOW + 0x1000n;

/** What the DMA write left: the frozen PE's words, or nothing. */
const write = (rig: Rig, address: bigint, rid = RID) => {
  rig.dmaWrite(address, [1, 2, 3, 4], rid);
  return rig.frozenPes().map((pe) => [pe, ...rig.pest(pe)]);
};
const where = (address: bigint) => hex(msbMask(0) | (address & 0x1fff_ffff_ffff_ffffn));

describe('a DMA request that its tables let through', () => {
  it('writes where the TCE of its page says', () => {
    const rig = booted();
    expect(write(rig, PAGE_1 + 0x123n)).toEqual([]);
    expect(rig.memory.read32(PAGE_AT(1) + 0x123)).toBe(0x01020304);
  });

  it('reads from there', () => {
    const rig = booted();
    rig.memory.write32(PAGE_AT(1) + 8, 0xaabbccdd);
    const [answer] = rig.dmaRead(PAGE_1 + 8n, 4);
    expect(answer).toMatchObject({ kind: 'CplD', data: Uint8Array.of(0xaa, 0xbb, 0xcc, 0xdd) });
  });

  it('needs no filter in a window for any requester', () => {
    const rig = booted();
    rig.setPair('TVT', TVE, tve({ table: TCES, pe: PE }));
    expect(write(rig, PAGE_1, 0x7701)).toEqual([]);
  });

  it.each([
    [1, 0x1000, 12],
    [5, 0x1_0000, 16],
    [13, 0x100_0000, 24],
  ])('finds pages of code %d', (pageCode, bytes, shift) => {
    const rig = booted();
    rig.setPair('TVT', TVE, tve({ table: TCES, pe: PE, pageCode }));
    const page = Math.ceil(0x200_0000 / bytes);
    rig.setTce(2, BigInt(page * bytes) | 3n);
    expect(write(rig, WINDOW + (2n << BigInt(shift)) + BigInt(bytes - 4))).toEqual([]);
    expect(rig.memory.read32(page * bytes + bytes - 4)).toBe(0x01020304);
  });

  it('finds a page of 16 GiB by the address bits above it', () => {
    const rig = booted();
    rig.setPair('TVT', 1, tve({ table: TCES, pe: PE, pageCode: 23, sizeCode: 10 }));
    rig.setTce(3, 3n);
    const address = (1n << 53n) + 3n * 2n ** 34n + 0x30_0000n;
    expect(write(rig, address)).toEqual([]);
    expect(rig.memory.read32(0x30_0000)).toBe(0x01020304);
  });

  it('takes its window above 4 GiB from the seven bits below the space', () => {
    const rig = booted();
    rig.setPair('TVT', 0x55, tve({ table: TCES, pe: PE, rid: RID, sizeCode: 8 }));
    expect(write(rig, (0x55n << 53n) + 0x1000n)).toEqual([]);
    expect(rig.memory.read32(PAGE_AT(1))).toBe(0x01020304);
  });

  it('may enter a window of 512 MiB through both of its slots, each with its own entry', () => {
    const rig = booted();
    rig.setPair('TVT', 4, tve({ table: TCES, pe: PE, sizeCode: 3 }));
    rig.setPair('TVT', 5, tve({ table: TCES, pe: PE, sizeCode: 3 }));
    rig.setTce(0x1_0001, BigInt(PAGE_AT(4)) | 3n);
    expect(write(rig, 0x4000_1000n)).toEqual([]);
    expect(write(rig, 0x5000_1000n)).toEqual([]);
    expect([rig.memory.read32(PAGE_AT(1)), rig.memory.read32(PAGE_AT(4))]).toEqual([0x01020304, 0x01020304]);
  });
});

describe('a DMA request that fails', () => {
  it('at the top address bits, where no space is', () => {
    const address = 0x3000_0000_0000_1000n;
    expect(write(booted(), address)).toEqual([[PE, '8000802301000000', where(address)]]);
  });

  it('at a window that is not there', () => {
    const address = 0x7000_1000n;
    expect(write(booted(), address)).toEqual([[PE, '8000802301000000', where(address)]]);
  });

  it.each([
    ['size code 0', { sizeCode: 0 }],
    ['a size beyond 256 TiB', { sizeCode: 23 }],
    ['an unknown page size', { pageCode: 2 }],
  ])('at a window with %s', (_name, codes) => {
    const rig = booted();
    rig.setPair('TVT', TVE, tve({ table: TCES, pe: PE, ...codes }));
    expect(write(rig, PAGE_1)).toEqual([[PE, '8000802301000000', where(PAGE_1)]]);
    expect(rig.errors()['INA_ERR_STATUS']).toBe('0000002000000000');
  });

  it('at the filter of the window, and the PE of the requester pays', () => {
    const rig = booted();
    expect(write(rig, PAGE_1, 0x0200)).toEqual([[CATCH_ALL, '8000802302000000', where(PAGE_1)]]);
    expect(rig.errors()['INA_ERR_STATUS']).toBe('0000010000000000');
  });

  it('beyond the window, and the PE of the window pays', () => {
    const rig = booted();
    rig.setPair('TVT', TVE, tve({ table: TCES, pe: 9, sizeCode: 1 }));
    const address = WINDOW + 0x0800_0000n;
    expect(write(rig, address)).toEqual([[9, '8000402301000000', where(address)]]);
    expect(rig.errors()['INA_ERR_STATUS']).toBe('0000000800000000');
  });

  it('beyond a window above 4 GiB', () => {
    const rig = booted();
    rig.setPair('TVT', 1, tve({ table: TCES, pe: PE, sizeCode: 7 }));
    const address = (1n << 53n) | (1n << 33n);
    expect(write(rig, address)).toEqual([[PE, '8000402301000000', where(address)]]);
  });

  it('at a TCE that grants nothing', () => {
    const rig = booted();
    expect(write(rig, WINDOW + 0x9000n)).toEqual([[PE, '8000203a01000000', where(WINDOW + 0x9000n)]]);
    expect(rig.errors()).toEqual({
      INA_ERR_STATUS: '0000000400000000',
      LEM_FIR_ACCUM: '0000000000000020',
      LEM_WOF: '0000000000000020',
      DMA_CHAN_STATUS: '0000001c00000000',
    });
  });

  it('at a TCE for the other direction, either way', () => {
    const rig = booted();
    expect(write(rig, WINDOW + 0x2000n)).toEqual([[PE, '8000103a01000000', where(WINDOW + 0x2000n)]]);
    const other = booted();
    expect(other.dmaRead(WINDOW + 0x3000n, 4)).toMatchObject([{ kind: 'Cpl', status: 'CA' }]);
    expect(other.pest(PE)[0]).toBe('8200103a01000000');
  });

  it('at a table outside of memory, or a page there', () => {
    const rig = booted();
    rig.setPair('TVT', TVE, tve({ table: 0x7000_0000, pe: PE }));
    expect(write(rig, PAGE_1)).toEqual([[PE, '8000082901000000', where(PAGE_1)]]);
    const other = booted();
    other.setTce(5, 0x7000_0003n);
    expect(write(other, WINDOW + 0x5000n)).toEqual([[PE, '8000082901000000', where(WINDOW + 0x5000n)]]);
  });

  it('because its data are marked as wrong', () => {
    const rig = booted();
    const { hi, lo } = addressOf(PAGE_1);
    rig.card.send({
      ...{ kind: 'MWr', requesterId: RID, tag: 0, addressHi: hi, addressLo: lo },
      ...{ lengthBytes: 4, data: new Uint8Array(4), poisoned: true },
    });
    rig.run(10_000);
    expect(rig.pest(PE)).toEqual(['8004002b01000000', where(PAGE_1)]);
  });

  it('is answered with UR where the profile says so', () => {
    const rig = booted({ profile: { dmaReadRefusal: 'UR' } });
    expect(rig.dmaRead(WINDOW + 0x9000n, 4)).toMatchObject([{ kind: 'Cpl', status: 'UR' }]);
  });

  it('moves nothing', () => {
    const rig = booted();
    rig.memory.write32(PAGE_AT(2), 0x5a5a5a5a);
    write(rig, WINDOW + 0x2000n);
    expect(rig.memory.read32(PAGE_AT(2))).toBe(0x5a5a5a5a);
  });
});

describe('a PE whose DMA is stopped', () => {
  it('has its writes dropped and its reads aborted, and nothing is logged', () => {
    const rig = booted();
    rig.setIoda('PESTB', PE, msbMask(0));
    rig.dmaWrite(PAGE_1, [1]);
    expect(rig.dmaRead(PAGE_1, 4)).toMatchObject([{ kind: 'Cpl', status: 'CA' }]);
    expect(rig.memory.read8(PAGE_AT(1))).toBe(0);
    expect(rig.errors()).toEqual({});
  });

  it('is that of the requester or that of the window', () => {
    const rig = booted();
    rig.setPair('TVT', TVE, tve({ table: TCES, pe: 9 }));
    rig.setIoda('PESTB', 9, msbMask(0));
    rig.dmaWrite(PAGE_1, [1]);
    expect(rig.memory.read8(PAGE_AT(1))).toBe(0);
    rig.thaw(9);
    rig.dmaWrite(PAGE_1, [1]);
    expect(rig.memory.read8(PAGE_AT(1))).toBe(1);
  });

  it('still moves its DMA while only its MMIO is frozen', () => {
    const rig = booted();
    rig.setIoda('PESTA', PE, msbMask(0));
    rig.dmaWrite(PAGE_1, [1]);
    expect(rig.memory.read8(PAGE_AT(1))).toBe(1);
  });
});

describe('cached TCEs', () => {
  /** Page 1 is moved in memory; true if the old page is still written. */
  const stale = (rig: Rig): boolean => {
    rig.memory.write8(PAGE_AT(1), 0);
    rig.dmaWrite(PAGE_1, [7]);
    return rig.memory.read8(PAGE_AT(1)) === 7;
  };
  const moved = (): Rig => {
    const rig = booted();
    rig.dmaWrite(PAGE_1, [1]);
    rig.setTce(1, BigInt(PAGE_AT(8)) | 3n);
    return rig;
  };

  it('go on translating when memory changes', () => {
    expect(stale(moved())).toBe(true);
  });

  it.each([
    ['a pair, named by its first', msbMask(0) | BigInt(TCES)],
    ['a pair, named by its second', msbMask(0) | BigInt(TCES + 8)],
    ['one, by its own address', BigInt(TCES + 8)],
  ])('leave with a kill of %s', (_name, kill) => {
    const rig = moved();
    rig.write('PHB_TCE_KILL', kill);
    expect(stale(rig)).toBe(false);
  });

  it.each([
    ['of the pair behind', msbMask(0) | BigInt(TCES + 16)],
    ['of the single one before', BigInt(TCES)],
    ['of address 0: there is no kill of all', msbMask(0)],
  ])('stay at a kill %s', (_name, kill) => {
    const rig = moved();
    rig.write('PHB_TCE_KILL', kill);
    expect(stale(rig)).toBe(true);
  });

  it('all leave when the fetch size goes off and on again', () => {
    const rig = moved();
    rig.write('PHB_PHB2_CONFIG', 0x008a_8000_0000_0000n);
    expect(stale(rig)).toBe(true);
    rig.write('PHB_PHB2_CONFIG', 0x208a_8000_0000_0000n);
    expect(stale(rig)).toBe(false);
  });

  it('stay when the fetch size is written as it is', () => {
    const rig = moved();
    rig.write('PHB_PHB2_CONFIG', 0x208a_8000_0000_0000n);
    expect(stale(rig)).toBe(true);
  });

  it('do not hold what was refused: a page mapped later needs no kill', () => {
    const rig = booted();
    write(rig, WINDOW + 0x9000n);
    rig.thaw(PE);
    rig.setTce(9, BigInt(PAGE_AT(9)) | 3n);
    expect(write(rig, WINDOW + 0x9000n)).toEqual([]);
  });

  it('refuse the direction they do not grant', () => {
    const rig = booted();
    rig.dmaRead(WINDOW + 0x2000n, 4);
    expect(write(rig, WINDOW + 0x2000n)).toEqual([[PE, '8000103a01000000', where(WINDOW + 0x2000n)]]);
  });

  it('cost no look into the table in memory', () => {
    const rig = booted();
    const ns = () => {
      const start = rig.machine.sim.now;
      rig.memory.write8(PAGE_AT(1), 0);
      rig.card.send({
        ...{ kind: 'MWr', requesterId: RID, tag: 0, addressHi: 0, addressLo: Number(PAGE_1), lengthBytes: 1 },
        data: Uint8Array.of(1),
      });
      while (rig.memory.read8(PAGE_AT(1)) === 0) rig.run(1);
      return rig.machine.sim.now - start;
    };
    expect(ns() - ns()).toBe(400);
  });
});

describe('an injection into DMA', () => {
  const arm = (rig: Rig, control: bigint, window: bigint) => {
    rig.write('PHB_PAPR_ERR_INJ_ADDR', window);
    rig.write('PHB_PAPR_ERR_INJ_MASK', 0xfn);
    rig.write('PHB_PAPR_ERR_INJ_CTL', control);
  };
  const WRITE = 0x8400_0000_0000_0000n;

  it('hits the window of its number, before the TCE is looked at', () => {
    const rig = booted();
    arm(rig, WRITE, BigInt(TVE));
    expect(write(rig, WINDOW + 0x9000n)).toEqual([[PE, '8000002701000000', where(WINDOW + 0x9000n)]]);
    expect(rig.errors()['INA_ERR_STATUS']).toBe('0000000001000000');
  });

  it('compares four bits: window 18 passes for window 2', () => {
    const rig = booted();
    rig.setPair('TVT', 18, tve({ table: TCES, pe: PE, sizeCode: 8 }));
    arm(rig, WRITE, BigInt(TVE));
    expect(write(rig, (18n << 53n) + 0x1000n)).toHaveLength(1);
  });

  it('spares another window and another direction, and what fails before', () => {
    const rig = booted();
    arm(rig, WRITE, 3n);
    expect(write(rig, PAGE_1)).toEqual([]);
    arm(rig, 0x8800_0000_0000_0000n, BigInt(TVE));
    expect(write(rig, PAGE_1)).toEqual([]);
    arm(rig, WRITE, 7n);
    expect(write(rig, 0x7000_0000n)).toEqual([[PE, '8000802301000000', where(0x7000_0000n)]]);
  });
});

describe('other packets from below', () => {
  it('freeze the PE of a requester that sends ERR_FATAL or ERR_NONFATAL', () => {
    const rig = booted();
    rig.sendError('ERR_FATAL');
    expect(rig.pest(PE)).toEqual(['8710002401000000', '8000000000000000']);
    rig.thaw(PE);
    rig.sendError('ERR_NONFATAL');
    expect(rig.pest(PE)[0]).toBe('8720002501000000');
  });

  it('only log ERR_COR', () => {
    const rig = booted();
    rig.sendError('ERR_COR');
    expect(rig.errors()).toEqual({
      INA_ERR_STATUS: '0000000000000020',
      LEM_FIR_ACCUM: '0000000002000000',
      LEM_WOF: '0000000002000000',
      DMA_CHAN_STATUS: '0000001800000000',
    });
    expect(rig.frozenPes()).toEqual([]);
  });

  it('are answered with UR where the bridge takes no such kind, or dropped', () => {
    const rig = booted();
    rig.card.send({ kind: 'IORd', requesterId: RID, tag: 3, addressHi: 0, addressLo: 0, lengthBytes: 4 });
    rig.run(10_000);
    expect(rig.card.received.at(-1)).toMatchObject({ kind: 'Cpl', status: 'UR', tag: 3 });
    expect(rig.errors()['INA_ERR_STATUS']).toBe('0000200000000000');
    rig.sendMessage(0x7e);
    expect(rig.frozenPes()).toEqual([]);
  });

  it('that receivers may ignore leave no record, nor does a stray completion in the bridge', () => {
    const rig = booted();
    rig.sendMessage(0x40);
    rig.card.send({
      ...{ kind: 'Cpl', requesterId: 0, tag: 99, addressHi: 0, addressLo: 0, lengthBytes: 0 },
      ...{ status: 'SC', completerId: RID, byteCount: 4, lowerAddress: 0 },
    });
    rig.run(10_000);
    expect(rig.errors()['INA_ERR_STATUS'] ?? '0').toBe('0');
  });

  it('poisoned from a stopped PE are dropped unread', () => {
    const rig = booted();
    rig.setIoda('PESTB', PE, msbMask(0));
    rig.card.send({
      ...{ kind: 'MWr', requesterId: RID, tag: 0, addressHi: 0, addressLo: Number(PAGE_1) },
      ...{ lengthBytes: 4, data: new Uint8Array(4), poisoned: true },
    });
    rig.run(10_000);
    expect(rig.errors()['INA_ERR_STATUS'] ?? '0').toBe('0');
  });

  it('are charged to PE 0 by a requester that only the idle pattern names', () => {
    const rig = booted();
    expect(rig.ioda('PELTM', 0)).toBe(IDLE_PELTM);
    rig.sendError('ERR_FATAL', 0x0001);
    expect(rig.frozenPes()).toEqual([0]);
  });
});
