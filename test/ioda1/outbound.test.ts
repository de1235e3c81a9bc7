import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { aib, booted, io, M32_SEGMENT, M64_SEGMENT, MWIN2, m32, m64, PE } from './rig.js';

const ALL32 = 0xffff_ffffn;

describe('a load in a window', () => {
  const rig = booted();
  const lastPacket = () => rig.card.received.at(-1)!;

  it('becomes an IO read in the IO window', () => {
    // What the card of these tests answers to a read of a port.
    expect(rig.load(io(PE, 0x10), 4)).toBe(0x141001f0n);
    expect(lastPacket()).toMatchObject({ kind: 'IORd', addressHi: 0, addressLo: PE * 0x1_0000 + 0x10, lengthBytes: 4 });
  });

  it('becomes a memory read at the PCI address of the M32 window', () => {
    expect(rig.load(m32(PE, 0x20), 8)).toBe(0x2021222324252627n);
    expect(lastPacket()).toMatchObject({ kind: 'MRd', addressHi: 0, addressLo: 0x8000_0000 + PE * M32_SEGMENT + 0x20 });
  });

  it('becomes a memory read at its own address in an M64 window', () => {
    rig.load(m64(PE, 0x40));
    const address = m64(PE, 0x40);
    expect(lastPacket()).toMatchObject({
      kind: 'MRd',
      addressHi: Math.floor(address / 2 ** 32),
      addressLo: address % 2 ** 32,
    });
  });

  it('joins the upper bits to the address of an M64 window', () => {
    rig.write('PHB_M64_UPPER_BITS', 0xffff_0000_0000_0000n);
    rig.load(m64(PE));
    expect(lastPacket().addressHi).toBe((Math.floor(m64(PE) / 2 ** 32) | 0xfffc_0000) >>> 0);
    rig.write('PHB_M64_UPPER_BITS', 0n);
  });

  it('becomes a posted write when it is a store, and an IO write in the IO window', () => {
    rig.store(m32(PE), 4, 0x11223344n);
    rig.run(1000);
    expect(lastPacket()).toMatchObject({ kind: 'MWr', data: Uint8Array.of(0x11, 0x22, 0x33, 0x44) });
    rig.store(io(PE), 2, 0x5566n);
    rig.run(1000);
    expect(lastPacket()).toMatchObject({ kind: 'IOWr', data: Uint8Array.of(0x55, 0x66) });
    expect(rig.frozenPes()).toEqual([]);
  });
});

describe('the segment of an address', () => {
  const rig = booted();
  const blocked = (address: number): boolean => {
    const before = rig.card.received.length;
    return rig.load(address, 4) === ALL32 && rig.card.received.length === before;
  };

  it.each([
    ['IO', io],
    ['M32', m32],
    ['M64', m64],
  ] as const)('of the %s window belongs to the PE of its table entry, to its last byte', (_name, at) => {
    const size = at === io ? 0x1_0000 : at === m32 ? M32_SEGMENT : M64_SEGMENT;
    rig.setIoda('PESTA', 9, msbMask(0));
    const reached = [at(9), at(9, size - 4), at(8, size - 4), at(10)].map(blocked);
    rig.thaw(9);
    expect(reached).toEqual([true, true, false, false]);
  });

  it('follows its table: PE 3 loses the segment that is given to PE 9', () => {
    rig.setIoda('M32DT', 3, 9n << 57n);
    rig.setIoda('PESTA', 9, msbMask(0));
    expect([blocked(m32(3)), blocked(m32(4))]).toEqual([true, false]);
    rig.setIoda('M32DT', 3, 3n << 57n);
    rig.thaw(9);
  });

  it('of the lowest M64 window counts where two overlap', () => {
    rig.setIoda('M64BT', 1, rig.ioda('M64BT', 0));
    rig.setIoda('PESTA', 8, msbMask(0));
    expect(blocked(m64(0))).toBe(false);
    rig.thaw(8);
  });
});

describe('an address in no window', () => {
  it.each([
    ['the lower half of the M32 range', MWIN2 + 0x1000],
    ['beyond the last segment of IO space', io(0) - 0x1000],
  ])('%s answers all ones', (_name, address) => {
    const rig = booted();
    expect(rig.load(address, 4)).toBe(ALL32);
    expect(rig.frozenPes()).toEqual([]);
  });

  it('logs that without freezing, and tells the hub nothing of an informational bit that is masked', () => {
    const rig = booted();
    rig.load(MWIN2 + 0x1000, 4);
    expect(rig.errors()).toEqual({
      OUT_ERR_STATUS: '2000000000000000',
      LEM_FIR_ACCUM: '4000000000000000',
      LEM_WOF: '4000000000000000',
      CPU_LOADSTORE_STATUS: '0000001800000000',
    });
  });

  it.each([
    ['IO', 0x2082_8000_0000_0000n, io(PE)],
    ['M32', 0x208a_0000_0000_0000n, m32(PE)],
  ])('is every address of the %s window while that is off', (_name, config, address) => {
    const rig = booted();
    rig.write('PHB_PHB2_CONFIG', config);
    expect(rig.load(address, 4)).toBe(ALL32);
    expect(rig.errors()['OUT_ERR_STATUS']).toBe('2000000000000000');
  });

  it('is every address of an M64 window that is disabled', () => {
    const rig = booted();
    rig.setIoda('M64BT', 0, rig.ioda('M64BT', 0) & ~msbMask(0));
    expect(rig.load(m64(0), 4)).toBe(ALL32);
    expect(rig.errors()['OUT_ERR_STATUS']).toBe('2000000000000000');
  });
});

describe('an access of a form that the bridge does not take', () => {
  it.each([
    ['a doubleword of IO space', io(PE), 8, '1000000000000000'],
    ['a misaligned load', m32(PE, 2), 4, '0080000000000000'],
  ] as const)('%s fences', (_name, address, size, status) => {
    const rig = booted();
    expect(rig.load(address, size)).toBe(size === 8 ? 0xffff_ffff_ffff_ffffn : ALL32);
    expect(rig.errors()['OUT_ERR_STATUS']).toBe(status);
    expect(rig.hub.phbs[0]!.isFenced).toBe(true);
  });
});

describe('a PE whose MMIO is frozen', () => {
  const rig = booted();

  it('answers all ones to a load and drops a store, and nothing is logged', () => {
    rig.setIoda('PESTA', PE, msbMask(0));
    const before = rig.card.received.length;
    expect(rig.load(m32(PE), 8)).toBe(0xffff_ffff_ffff_ffffn);
    rig.store(m32(PE), 4, 1n);
    rig.run(1000);
    expect(rig.card.received).toHaveLength(before);
    expect(rig.errors()).toEqual({});
  });

  it('lets loads pass while only its DMA is stopped', () => {
    rig.setIoda('PESTA', PE, 0n);
    rig.setIoda('PESTB', PE, msbMask(0));
    expect(rig.load(m32(PE), 4)).toBe(0x00010203n);
  });
});

describe('the end of a load', () => {
  const AT = m32(PE, 0x100);
  const PESTB = `8000${AT.toString(16).padStart(12, '0')}`;

  it.each([
    ['UR', '4000000000000000', 'a440002b00000000'],
    ['CA', '8000000000000000', 'a480002b00000000'],
    ['poisoned', '0000008000000000', 'a404002b00000000'],
  ] as const)('with %s freezes the PE and says so', (answer, status, pesta) => {
    const rig = booted();
    rig.card.answers.push(answer);
    expect(rig.load(AT)).toBe(ALL32);
    expect(rig.pest(PE)).toEqual([pesta, PESTB]);
    expect(rig.errors()).toEqual({
      INA_ERR_STATUS: status,
      LEM_FIR_ACCUM: '0000000000100000',
      LEM_WOF: '0000000000100000',
      CPU_LOADSTORE_STATUS: '0000001c00000000',
    });
  });

  it('without an answer freezes as completer abort, after the timer of the core', () => {
    const rig = booted();
    rig.card.answers.push('nothing');
    const start = rig.machine.sim.now;
    expect(rig.load(AT)).toBe(ALL32);
    expect(rig.machine.sim.now - start).toBeGreaterThan(15_000_000);
    expect(rig.pest(PE)).toEqual(['a480002b00000000', PESTB]);
  });

  it('over a dead link is silent all ones after the timer, and a store is dropped', () => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    rig.write('PHB_PCIE_DLP_TRAIN_CTL', msbMask(1));
    rig.run(1000);
    expect(rig.load(AT)).toBe(ALL32);
    rig.store(AT, 4, 1n);
    expect(rig.frozenPes()).toEqual([]);
  });

  it('is all ones and UR while the root port does not forward memory', () => {
    const rig = booted();
    rig.setConfig(0, 0x04, [0x40, 0x01]);
    expect(rig.load(AT)).toBe(ALL32);
    expect(rig.pest(PE)[0]).toBe('a440002b00000000');
  });
});

describe('an outbound injection', () => {
  const arm = (rig: ReturnType<typeof booted>, control: bigint, address: bigint, mask: bigint) => {
    rig.write('PHB_PAPR_ERR_INJ_ADDR', address);
    rig.write('PHB_PAPR_ERR_INJ_MASK', mask);
    rig.write('PHB_PAPR_ERR_INJ_CTL', control);
  };
  const LOAD = 0x4800_0000_0000_0000n;
  const STORE = 0x4400_0000_0000_0000n;
  const MASK = 0x0000_ffff_ff00_0000n;

  it('freezes the PE of a load that matches, and fires again until it is disarmed', () => {
    const rig = booted();
    arm(rig, LOAD, BigInt(m32(PE)), MASK);
    for (let again = 0; again < 2; again++) {
      expect(rig.load(m32(PE, 0x40))).toBe(ALL32);
      expect(rig.pest(PE)).toEqual(['a400000300000000', `8000${m32(PE, 0x40).toString(16).padStart(12, '0')}`]);
      rig.thaw(PE);
    }
    rig.write('PHB_PAPR_ERR_INJ_CTL', 0n);
    expect(rig.load(m32(PE, 0x40))).not.toBe(ALL32);
  });

  it('fires once where the profile says so', () => {
    const rig = booted({ profile: { injectionPersistence: 'one-shot' } });
    arm(rig, LOAD, BigInt(m32(PE)), MASK);
    rig.load(m32(PE));
    rig.thaw(PE);
    expect(rig.load(m32(PE))).not.toBe(ALL32);
  });

  it('hits a store, drops it and records its type', () => {
    const rig = booted();
    arm(rig, STORE, BigInt(m32(PE)), MASK);
    const before = rig.card.got('MWr').length;
    rig.store(m32(PE, 0x40), 4, 1n);
    rig.run(1000);
    expect(rig.card.got('MWr')).toHaveLength(before);
    expect(rig.pest(PE)[0]).toBe('a500000300000000');
  });

  it.each([
    ['of another direction', STORE, BigInt(m32(PE))],
    ['in another segment', LOAD, BigInt(m32(PE + 1))],
    ['while it is armed for DMA', 0x8800_0000_0000_0000n, BigInt(m32(PE))],
  ])('spares a load %s', (_name, control, address) => {
    const rig = booted();
    arm(rig, control, address, MASK);
    expect(rig.load(m32(PE))).not.toBe(ALL32);
    expect(rig.frozenPes()).toEqual([]);
  });

  it('with its freeze bit freezes and leaves no trap', () => {
    const rig = booted();
    arm(rig, LOAD | msbMask(6), BigInt(m32(PE)), MASK);
    rig.load(m32(PE));
    expect(rig.frozenPes()).toEqual([PE]);
    expect(rig.errors()).toEqual({});
  });
});

describe('the register window of a PHB', () => {
  it('answers all ones to a partial or misaligned access, and takes no such store', () => {
    const rig = booted();
    const version = aib(0) + 0x800;
    expect(rig.load(version, 4)).toBe(ALL32);
    expect(rig.load(version + 4, 8)).toBe(0xffff_ffff_ffff_ffffn);
    rig.store(aib(0) + 0x878, 4, 1n);
    expect(rig.read('PHB_TIMEOUT_CTRL1')).toBe(0n);
  });

  it('reads zero where no register stands', () => {
    const rig = booted();
    expect(rig.load(aib(0) + 0x1008, 8)).toBe(0n);
    rig.store(aib(0) + 0x1008, 8, 1n);
    expect(rig.load(aib(0) + 0x1008, 8)).toBe(0n);
  });

  it('hands out its locks by reading', () => {
    const rig = booted();
    for (const lock of ['PHB_LOCK0', 'PHB_LOCK1', 'PHB_LOCK2'] as const) {
      expect([rig.read(lock), rig.read(lock)]).toEqual([0n, msbMask(0)]);
      rig.write(lock, 0n);
      expect(rig.read(lock)).toBe(0n);
    }
  });

  it('shows the revision that the profile asks for', () => {
    expect(booted().read('PHB_VERSION')).toBe(0x000000a200000002n);
    expect(booted({ profile: { revision: 'DD1.0' } }).read('PHB_VERSION')).toBe(0x000000a200000001n);
  });
});
