/**
 * How firmware brings up a P7IOC and its PHBs: on the model of the chip, and where the chip does not do as it should.
 * Every access of the bring-up with one PHB is held against the recorded one elsewhere.
 */
import { describe, expect, it } from 'vitest';
import { PHB_INDICES, type PhbIndex } from '../../src/ioda1/registers/hub-rgc.js';
import { PHB_REGISTERS } from '../../src/ioda1/registers/phb.js';
import { FreezeState, OpalStatus, PciError, Severity } from '../../src/opal/opal-api.js';
import { aib, asb, MWIN1, MWIN2 } from '../ioda1/layout.js';
import { aibOffset, asbOffset, Bench, type BenchOptions, hubOffset } from './p7ioc-bench.js';

const { SUCCESS, PARAMETER, HARDWARE } = OpalStatus;
const SIX = [0, 1, 2, 3, 4, 5];

function boot(options: BenchOptions = {}, prepare: (bench: Bench) => void = () => {}): Bench {
  const bench = new Bench(options);
  prepare(bench);
  return bench.boot();
}

describe('a hub with six PHBs', () => {
  const six = boot({ phbs: SIX });
  const nodes = six.opal.deviceTree();

  it('comes up whole, and its PHBs get the lowest numbers in order', () => {
    expect(nodes.map(({ phbId, index }) => [phbId, index])).toEqual(SIX.map((phb) => [phb, phb]));
    for (const phb of SIX) {
      expect(six.run(six.opal.pciEehFreezeStatus(phb, 3))).toMatchObject({ freezeState: FreezeState.NOT_FROZEN });
      expect(six.run(six.opal.pciConfigRead(phb, 0, 0, 4))).toEqual({ rc: SUCCESS, value: 0x03b9_1014 });
    }
    expect(six.log).toContain('P7IOC: Initialization complete');
  });

  it('has every interrupt number, window and PE where an operating system is told', () => {
    expect(nodes.map(({ msiRange, lsiBase }) => [msiRange.first, lsiBase])).toEqual(
      SIX.map((phb) => [0x2000 + 0x400 * (phb + 1) + 0x200, 0x2000 + 0x400 * (phb + 1)]),
    );
    expect(nodes.map(({ io, m32, m64 }) => [io!.cpuBase, m32.cpuBase, m64.cpuBase])).toEqual(
      SIX.map((phb) => [
        MWIN1 + 0x100_0000 + phb * 0x80_0000,
        MWIN2 + phb * 2 ** 32 + 0x8000_0000,
        MWIN2 + (phb + 1) * 0x8_0000_0000,
      ]),
    );
    expect(nodes[3]).toMatchObject({ hubId: 1n, totalPes: 128, reservedPe: 127, diagDataBytes: 2320, msiPorts: 256 });
  });

  it('waits 1307 ms in its initialisation, and 20 ms before each slot is looked at', () => {
    // What the links and the card below PHB 0 take is not counted: the others have no card.
    const empty = boot({ phbs: SIX, slot: 'empty' });
    expect(empty.nowMs).toBeGreaterThan(1307 + 6 * 20);
    expect(empty.nowMs).toBeLessThan(1307 + 6 * 20 + 60);
  });

  /** What is written into the register pages of one PHB, by path, before anything below the hub is looked at. */
  function initWrites(firmware: Bench, phb: PhbIndex): string[] {
    const windows = [
      ['asb', asb(phb) - MWIN1],
      ['aib', aib(phb) - MWIN1],
    ] as const;
    const end = firmware.accesses.findIndex(({ offset }) => offset === hubOffset('MISC_LEM_FIR_ACCUM'));
    return firmware.accesses.slice(0, end).flatMap(({ operation, offset, value }) => {
      const window = windows.find(([, base]) => offset >= base && offset < base + 0x1_0000);
      if (operation === 'R' || window === undefined) return [];
      const register = PHB_REGISTERS.byOffset((offset - window[1]) & ~7)?.name;
      return [`${window[0]} ${register} ${value.toString(16)}`];
    });
  }

  it('writes to each PHB what it writes to the first, but for the places that are its own', () => {
    const first = initWrites(six, 0);
    expect(first.length).toBeGreaterThan(4000);
    for (const phb of PHB_INDICES.slice(1)) {
      const own = initWrites(six, phb);
      expect(own).toHaveLength(first.length);
      const differing = own.filter((line, index) => line !== first[index]);
      const n = BigInt(phb);
      const hex = (value: bigint) => value.toString(16);
      expect([...new Set(differing)]).toEqual([
        // The routing table of hubs.
        `aib PHB_IODA_DATA0 ${hex(n + 1n)}`,
        `aib PHB_BUID ${hex(((0x40n + 0x40n * n) << 48n) | ((0x60n + 0x40n * n) << 32n))}`,
        `aib PHB_IO_BASE_ADDR ${hex(BigInt(MWIN1) + 0x100_0000n + n * 0x80_0000n)}`,
        `aib PHB_M32_BASE_ADDR ${hex(BigInt(MWIN2) + (n << 32n) + 0x8000_0000n)}`,
      ]);
    }
  });

  it('touches PHBs by the side path only, before the crossbar is set up', () => {
    const { accesses } = six;
    const routed = accesses.findIndex(({ offset }) => offset === hubOffset('CI_RMASK_47'));
    const early = accesses.slice(0, routed).filter(({ offset }) => offset >= 0x8_0000 && offset < 0x10_0000);
    expect(early).toEqual([]);
  });
});

describe('the routing rules of the crossbar', () => {
  const rules = (firmware: Bench) =>
    Array.from({ length: 48 }, (_, rule) => [
      firmware.hubRegister(`CI_RMATC_${rule}`),
      firmware.hubRegister(`CI_RMASK_${rule}`),
    ]);
  const VALID = 0x0000_e000_0000_0000n;

  it('are dense: six a PHB, three more, and the catch-all', () => {
    const six = rules(boot({ phbs: SIX, hubId: 0 }));
    expect(six.map(([match]) => (match! & VALID) !== 0n)).toEqual(
      Array.from({ length: 48 }, (_, rule) => rule < 39 || rule === 47),
    );
    expect(six[0]).toEqual([0x2000_4000_0400_0000n, 0x0000_0000_1ff0_0000n]);
    expect(six[47]).toEqual([0x4000_8000_0000_0000n, 0n]);
    const two = rules(boot({ phbs: [1, 4] }));
    expect(two.map(([match]) => match! >> 48n).slice(0, 16)).toEqual([
      ...Array<bigint>(6).fill(0x1000n),
      ...Array<bigint>(6).fill(0x0200n),
      // 3 | 6 is 7.
      0x0100n,
      ...[0x4000n, 0x4000n, 0n],
    ]);
  });

  it('send invalidations to one port, unless that is mended', () => {
    const portsOf = (options: BenchOptions) => rules(boot(options))[6 * options.phbs!.length]![0]! >> 48n;
    expect(portsOf({ phbs: SIX })).toBe(0x0100n);
    expect(portsOf({ phbs: [0] })).toBe(0x2000n);
    expect(portsOf({ phbs: SIX, profile: { invalidationBroadcast: 'corrected' } })).toBe(0x3f00n);
    expect(portsOf({ phbs: [1, 4], profile: { invalidationBroadcast: 'corrected' } })).toBe(0x1200n);
  });
});

describe('what is written into the hub', () => {
  it('differs between P7 and P7+ in the GX link', () => {
    const link = (processor: 'p7' | 'p7+') => {
      const firmware = boot({ processor });
      return [firmware.writesTo(hubOffset('BI_CHICKEN_SWITCHES')), firmware.writesTo(hubOffset('BI_GX_CONFIG'))];
    };
    expect(link('p7')).toEqual([[0x0004_0000_0000_04c0n], [0x9c89_29be_0088_0085n]]);
    expect(link('p7+')).toEqual([[0x0004_0000_0000_0600n], [0x9f89_29be_0088_0085n]]);
  });

  it('has the number of the hub above the bus unit id, unless that is mended', () => {
    const register = hubOffset('RGC_BUID');
    expect(boot().writesTo(register)).toEqual([0x0210_0000_0000n]);
    expect(boot({ hubId: 0 }).writesTo(register)).toEqual([0x0010_0000_0000n]);
    expect(boot({ profile: { rgcBuid: 'corrected' } }).writesTo(register)).toEqual([0x0010_0000_0000n]);
  });

  it('is read back, interrupt tables and lock too unless that is mended', () => {
    const reads = (firmware: Bench) =>
      (['RGC_IODA_DATA', 'RGC_IODA_LOCK', 'RGC_BUID'] as const).map(
        (register) =>
          firmware.accesses.filter((each) => each.operation === 'R' && each.offset === hubOffset(register)).length,
      );
    expect(reads(boot())).toEqual([22, 1, 1]);
    expect(reads(boot({ profile: { rgcReadBack: 'corrected' } }))).toEqual([0, 0, 1]);
  });

  it('masks the M32 window with half a mask, unless that is mended', () => {
    const register = aibOffset(0, 'PHB_M32_BASE_MASK');
    expect(boot().writesTo(register)).toEqual([0x8000_0000n]);
    expect(boot({ profile: { m32Mask: 'corrected' } }).writesTo(register)).toEqual([0xffff_ffff_8000_0000n]);
  });
});

describe('the level of the chip', () => {
  const controlOf = (options: BenchOptions): bigint | undefined => {
    const firmware = boot(options);
    firmware.run(
      firmware.opal.pciSetPe(0, { pe: 5, rid: 0x100, match: { bus: 7, device: 0, function: 0 }, action: 1 }),
    );
    const inject = { pe: 5, type: 0, function: 4, address: 0n, mask: 0n };
    return firmware
      .accessesOf(firmware.opal.pciErrInject(0, inject))
      .findLast(({ offset }) => offset === aibOffset(0, 'PHB_PAPR_ERR_INJ_CTL'))?.value;
  };
  const DD1_0 = { chip: { profile: { revision: 'DD1.0' as const } } };

  it('is never recognised, so that injections of the first chips lack a direction, unless that is mended', () => {
    const plain = controlOf({});
    expect(controlOf(DD1_0)).toBe(plain);
    expect(controlOf({ profile: { chipLevel: 'corrected' } })).toBe(plain);
    expect(controlOf({ ...DD1_0, profile: { chipLevel: 'corrected' } })).toBe(plain! | (3n << 58n));
  });
});

const IN_RESET = 1n << (63n - 22n);

/** A root port without something: the data register answers so while the address register points there. */
const withoutCapability =
  (offset: number, value: bigint) =>
  (firmware: Bench): void => {
    const data = PHB_REGISTERS.get('PHB_CONFIG_DATA').offset;
    for (const lane of [0, 1, 2, 3]) {
      firmware.answer(aib(0) - MWIN1 + data + lane, (answer) => {
        const { value: selected } = firmware.accesses.findLast(
          (each) => each.offset === aibOffset(0, 'PHB_CONFIG_ADDRESS'),
        )!;
        return Number((selected >> 32n) & 0xfffn) === offset ? value : answer;
      });
    }
  };

/** Each reason for which a PHB does not come up. */
const FAILURES: readonly [reason: string, log: RegExp, spoil: (firmware: Bench) => void][] = [
  [
    'the core stays in reset',
    /timeout waiting for the core/,
    (bench) => bench.answer(aibOffset(0, 'PHB_PCIE_DLP_TRAIN_CTL'), (value) => value | IN_RESET),
  ],
  [
    'errors are latched',
    /errors before the first transaction: 8/,
    (bench) => bench.answer(aibOffset(0, 'PHB_ETU_ERR_SUMMARY'), () => 8n),
  ],
  ['the root port has no PCI Express capability', /no PCI Express capability/, withoutCapability(0x34, 0n)],
  ['the root port has no AER capability', /no AER capability/, withoutCapability(0x100, 0n)],
  [
    'its fence does not lift',
    /Reset failed, fence still set/,
    (bench) => bench.answer(hubOffset('CHIP_FENCE_SHADOW'), () => 0x0003_0000_0000_0000n),
  ],
];

describe('a PHB that does not come up', () => {
  it.each(FAILURES)('is broken if %s, and its log says why', (_, log, spoil) => {
    const firmware = boot({ phbs: [0, 1] }, spoil);
    expect(firmware.log).toContainEqual(expect.stringMatching(log));
    const { opal } = firmware;
    expect(firmware.run(opal.pciEehFreezeStatus(0, 0))).toEqual({
      rc: SUCCESS,
      freezeState: FreezeState.MMIO_DMA_FREEZE,
      errorType: PciError.PHB,
      severity: Severity.PHB_DEAD,
    });
    expect(firmware.run(opal.pciNextError(0))).toMatchObject({ errorType: PciError.PHB, severity: Severity.PHB_DEAD });
    expect(firmware.run(opal.pciConfigRead(0, 0, 0, 2))).toEqual({ rc: HARDWARE, value: 0xffff });
    expect(firmware.run(opal.pciConfigWrite(0, { bdfn: 0, offset: 4, size: 2 }, 0))).toBe(HARDWARE);
    expect(firmware.run(opal.pciConfigRead(1, 0, 0, 2))).toEqual({ rc: SUCCESS, value: 0x1014 });
  });

  it('is given 400 ms to leave core reset, in steps of 1 ms', () => {
    const firmware = boot({ slot: 'empty' }, FAILURES[0]![2]);
    const polls = firmware.accesses.filter(({ offset }) => offset === aibOffset(0, 'PHB_PCIE_DLP_TRAIN_CTL'));
    expect(polls).toHaveLength(400);
    expect(firmware.nowMs).toBeGreaterThan(302 + 400);
    expect(firmware.nowMs).toBeLessThan(302 + 400 + 15);
  });

  it('was reset five times if its fence stays, and never initialised', () => {
    const firmware = boot({}, FAILURES[4]![2]);
    expect(firmware.writesTo(hubOffset('RGC_CCRR'))).toEqual(
      Array.from({ length: 5 }, () => [0x0004_0000_8000_0000n, 0n]).flat(),
    );
    expect(firmware.writesTo(asbOffset(0, 'PHB_AIB_TX_CHAN_MAPPING'))).toEqual([]);
  });

  it('is not asked for its tables by the reset that follows', () => {
    const firmware = boot({}, FAILURES[1]![2]);
    const selections = firmware.accesses.filter(
      ({ operation, offset, value }) =>
        operation === 'W' && offset === aibOffset(0, 'PHB_IODA_ADDR') && value === 0x8000_0000_0000_0000n,
    );
    expect(selections).toHaveLength(2);
  });
});

describe('a configuration access', () => {
  const firmware = boot();
  const { opal } = firmware;
  const read = (bdfn: number, offset: number, size: 1 | 2 | 4) =>
    firmware.run(opal.pciConfigRead(0, bdfn, offset, size));

  it('looks for the fence, chooses the place, and moves the data: three accesses', () => {
    const accesses = firmware.accessesOf(opal.pciConfigRead(0, 0x100, 0x2, 2));
    expect(accesses.map(({ operation, size, offset }) => [operation, size, offset])).toEqual([
      ['R', 8, hubOffset('CHIP_FENCE_SHADOW')],
      ['W', 8, aibOffset(0, 'PHB_CONFIG_ADDRESS')],
      ['R', 2, aibOffset(0, 'PHB_CONFIG_DATA') + 2],
    ]);
    expect(read(0x100, 2, 2)).toEqual({ rc: SUCCESS, value: 0xf001 });
  });

  it('is refused without touching the chip where the target is none', () => {
    expect(read(0x1_0000, 0, 4)).toEqual({ rc: PARAMETER, value: 0xffff_ffff });
    expect(read(0, 0x1000, 1)).toEqual({ rc: PARAMETER, value: 0xff });
    expect(read(0, 2, 4)).toEqual({ rc: PARAMETER, value: 0xffff_ffff });
    expect(read(0x08, 0, 2)).toEqual({ rc: HARDWARE, value: 0xffff });
    expect(firmware.accessesOf(opal.pciConfigWrite(0, { bdfn: 0x08, offset: 0, size: 2 }, 0))).toEqual([]);
  });

  it('is refused while the PHB is fenced', () => {
    const fenced = boot();
    fenced.fence();
    expect(fenced.run(fenced.opal.pciConfigRead(0, 0x100, 0, 4))).toEqual({ rc: HARDWARE, value: 0xffff_ffff });
    const accesses = fenced.accessesOf(fenced.opal.pciConfigWrite(0, { bdfn: 0, offset: 4, size: 2 }, 0));
    expect(accesses.map(({ offset }) => offset)).toEqual([hubOffset('CHIP_FENCE_SHADOW')]);
  });
});
