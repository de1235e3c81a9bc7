/**
 * The slot of a P7IOC PHB on the model of the chip: what each poll says and does, and what firmware does where the receiver,
 * the link or the PHB does not come along. The accesses of good resets are held against recorded ones elsewhere.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PhbRegisterName } from '../../src/ioda1/registers/phb.js';
import { OpalStatus, Power, Presence, ResetScope } from '../../src/opal/opal-api.js';
import { chooseBus } from '../../src/opal/p7ioc/device-init.js';
import type { PciDevice, PciDeviceType } from '../../src/opal/pci-device.js';
import { aibOffset, asbOffset, Bench, type BenchOptions, hubOffset } from './p7ioc-bench.js';

const { SUCCESS, PARAMETER, HARDWARE } = OpalStatus;
const { PCI_HOT, PCI_FUNDAMENTAL, PHB_COMPLETE } = ResetScope;
const PHB = 0;
const CARD = 0x100;

const TRAINING = aibOffset(PHB, 'PHB_PCIE_DLP_TRAIN_CTL');
const SLOT_STATUS = aibOffset(PHB, 'PHB_PCIE_SLOTCTL2');
const SUMMARY = aibOffset(PHB, 'PHB_ETU_ERR_SUMMARY');
const FENCES = hubOffset('CHIP_FENCE_SHADOW');
const bit = (n: number): bigint => 1n << BigInt(63 - n);
const [RX_DISABLED, LINK_ACTIVE, POWERED, PRESENT, PERST_RELEASED] = [bit(16), bit(23), bit(17), bit(24), bit(2)];

const booted = (options: BenchOptions = {}): Bench => new Bench(options).boot();
const configState = (bench: Bench, bdfn: number): number => bench.run(bench.opal.pciConfigRead(PHB, bdfn, 0, 2)).rc;
const never = (bits: bigint) => (value: bigint) => value & ~bits;

/** What is written into a register of the PHB from now on. */
function watch(bench: Bench, register: PhbRegisterName): () => bigint[] {
  const before = bench.writesTo(aibOffset(PHB, register)).length;
  return () => bench.writesTo(aibOffset(PHB, register)).slice(before);
}

/** How often PERST went down. */
const perstAsserted = (values: readonly bigint[]): number =>
  values.filter((value) => (value & PERST_RELEASED) === 0n).length;

describe('a reset below a P7IOC PHB that goes well', () => {
  const plan = (scope: number, options: BenchOptions = {}) => booted(options).reset(PHB, scope);

  it('tells each step how long to wait', () => {
    expect(plan(PCI_HOT).slice(0, 3)).toEqual([1000, 200, 10]);
    // Power is on after boot, so that a fundamental reset takes it away first.
    expect(plan(PCI_FUNDAMENTAL).slice(0, 4)).toEqual([2000, 2000, 1000, 10]);
    expect(plan(PHB_COMPLETE).slice(0, 4)).toEqual([2000, 2000, 1000, 10]);
  });

  it('polls the link every 10 ms, and ends with success', () => {
    const returns = plan(PCI_HOT);
    expect(returns.at(-1)).toBe(SUCCESS);
    expect(new Set(returns.slice(2, -1))).toEqual(new Set([10]));
  });

  it('leaves out the first half of the power cycle where power is off', () => {
    const bench = booted();
    expect(bench.run(bench.opal.pciGetPowerState(PHB))).toEqual({ rc: SUCCESS, state: Power.ON });
    bench.run(bench.opal.pciSetPowerState(PHB, Power.OFF));
    expect(bench.run(bench.opal.pciGetPowerState(PHB))).toEqual({ rc: SUCCESS, state: Power.OFF });
    expect(bench.reset(PHB, PCI_FUNDAMENTAL).slice(0, 3)).toEqual([2000, 1000, 10]);
  });

  it('opens configuration space again, and the card answers', () => {
    const bench = booted();
    for (const scope of [PCI_HOT, PCI_FUNDAMENTAL, PHB_COMPLETE]) {
      expect(bench.run(bench.opal.pciReset(PHB, scope, 1))).toBeGreaterThan(0);
      expect([configState(bench, CARD), configState(bench, 0)]).toEqual([HARDWARE, SUCCESS]);
      let waitMs = 2000;
      while (waitMs > 0) waitMs = bench.poll(PHB, waitMs);
      expect([configState(bench, CARD), configState(bench, 0)]).toEqual([SUCCESS, SUCCESS]);
    }
  });

  it('resets the card', () => {
    const bench = booted();
    const before = bench.card.resets;
    bench.reset(PHB, PCI_HOT);
    expect(bench.card.resets).toBeGreaterThan(before);
  });

  it('does nothing where no card is', () => {
    const bench = booted({ slot: 'empty' });
    expect(bench.run(bench.opal.pciGetPresenceState(PHB))).toEqual({ rc: SUCCESS, state: Presence.EMPTY });
    for (const scope of [PCI_HOT, PCI_FUNDAMENTAL]) {
      const accesses = bench.accessesOf(bench.opal.pciReset(PHB, scope, 1));
      expect(accesses.map(({ operation, offset }) => [operation, offset])).toEqual([['R', SLOT_STATUS]]);
    }
    expect(bench.reset(PHB, PHB_COMPLETE)).toEqual([SUCCESS]);
  });
});

describe('a receiver that does not go off', () => {
  it('is given 15 polls of 10 ms before a hot reset fails', () => {
    const bench = booted();
    bench.answer(TRAINING, never(RX_DISABLED));
    expect(bench.reset(PHB, PCI_HOT)).toEqual([...Array<number>(15).fill(10), HARDWARE]);
    expect(bench.log).toContain('PHB#0000: HRESET: Timeout disabling link training');
  });

  it('is given 200 before a fundamental reset fails', () => {
    const bench = booted();
    bench.answer(TRAINING, never(RX_DISABLED));
    expect(bench.reset(PHB, PCI_FUNDAMENTAL)).toEqual([2000, 2000, ...Array<number>(200).fill(10), HARDWARE]);
  });

  /** The receiver goes off after so many looks. */
  function late(profile: BenchOptions['profile'], looks: number): { returns: number[]; perst: number } {
    const bench = booted({ profile: profile! });
    const perst = watch(bench, 'PHB_RESET');
    bench.run(bench.opal.pciReset(PHB, PCI_FUNDAMENTAL, 1));
    const returns = [bench.poll(PHB, 2000)];
    let left = looks;
    bench.answer(TRAINING, (value) => (left > 0 ? value & ~RX_DISABLED : value));
    while (returns.at(-1)! > 0) {
      returns.push(bench.poll(PHB, returns.at(-1)!));
      left--;
    }
    return { returns, perst: perstAsserted(perst()) };
  }

  it('turns a fundamental reset into a hot one: PERST stays released, unless that is mended', () => {
    const slip = late('skiboot', 3);
    expect(slip.perst).toBe(0);
    expect(slip.returns.slice(0, 7)).toEqual([2000, 10, 10, 10, 1000, 200, 10]);
    const mended = late({ fundamentalTraining: 'corrected' }, 3);
    expect(mended.perst).toBe(1);
    expect(mended.returns.slice(0, 6)).toEqual([2000, 10, 10, 10, 1000, 10]);
    expect([slip.returns.at(-1), mended.returns.at(-1)]).toEqual([SUCCESS, SUCCESS]);
  });

  it('does not matter where it goes off at once', () => {
    for (const profile of ['skiboot', 'corrected'] as const) {
      expect(late(profile, 0)).toMatchObject({ perst: 1 });
    }
  });
});

describe('a link that does not come up', () => {
  const without = (profile: BenchOptions['profile']) => {
    const bench = booted({ profile: profile! });
    bench.answer(TRAINING, never(LINK_ACTIVE));
    return bench;
  };

  it('is polled 101 times; then the reset fails', () => {
    const bench = without('skiboot');
    const returns = bench.reset(PHB, PCI_HOT);
    expect(returns).toEqual([1000, 200, ...Array<number>(101).fill(10), HARDWARE]);
    expect(bench.log).toContain('PHB#0000: LINK: Timeout waiting for link up');
    expect(bench.run(bench.opal.pciPoll(PHB))).toBe(HARDWARE);
    expect(bench.log.at(-1)).toMatch(/Invalid state 00000000/);
  });

  it('leaves configuration space closed but for the root port, unless that is mended', () => {
    const states = (profile: BenchOptions['profile']) => {
      const bench = without(profile);
      bench.reset(PHB, PCI_FUNDAMENTAL);
      return [configState(bench, CARD), configState(bench, 0)];
    };
    expect(states('skiboot')).toEqual([HARDWARE, SUCCESS]);
    expect(states({ linkTimeoutBlock: 'corrected' })).toEqual([SUCCESS, SUCCESS]);
  });

  it('closes it also where a complete reset finds no card', () => {
    const states = (profile: BenchOptions['profile']) => {
      const bench = booted({ profile: profile! });
      bench.answer(SLOT_STATUS, never(PRESENT));
      expect(bench.reset(PHB, PHB_COMPLETE)).toEqual([SUCCESS]);
      return [configState(bench, CARD), configState(bench, 0)];
    };
    expect(states('skiboot')).toEqual([HARDWARE, SUCCESS]);
    expect(states({ linkTimeoutBlock: 'corrected' })).toEqual([SUCCESS, SUCCESS]);
  });

  it('has no width', () => {
    const bench = booted();
    const driver = bench.driver(PHB);
    expect(bench.run(driver.rootLinkWidth())).toBeGreaterThan(0);
    bench.answer(FENCES, () => bit(14));
    expect(bench.run(driver.rootLinkWidth())).toBe(0);
    expect(bench.log.at(-1)).toBe('PHB#0000: Error -6 reading link status');
    bench.answer(TRAINING, never(LINK_ACTIVE));
    expect(bench.accessesOf(driver.rootLinkWidth())).toHaveLength(1);
  });
});

describe('a complete reset', () => {
  it('lifts a fence, and clears what the hub remembers of it', () => {
    const bench = booted({ phbs: [0, 1] });
    bench.fence();
    expect(configState(bench, 0)).toBe(HARDWARE);
    expect(bench.hubRegister('CHIP_FENCE_WOF') & bit(15)).toBe(bit(15));
    expect(bench.hubRegister('RGC_LEM_FIR_ACCUM') & bit(18)).toBe(bit(18));
    expect(bench.reset(PHB, PHB_COMPLETE).at(-1)).toBe(SUCCESS);
    expect([bench.hubRegister('CHIP_FENCE_SHADOW'), bench.hubRegister('CHIP_FENCE_WOF')]).toEqual([0n, 0n]);
    expect((bench.hubRegister('RGC_LEM_FIR_ACCUM') | bench.hubRegister('RGC_LEM_WOF')) & bit(18)).toBe(0n);
    expect([configState(bench, 0), configState(bench, CARD)]).toEqual([SUCCESS, SUCCESS]);
  });

  it('brings back what an operating system mapped, and leaves its neighbour alone', () => {
    const bench = booted({ phbs: [0, 1] });
    const map = { pe: 5, rid: CARD, match: { bus: 7, device: 1, function: 1 }, action: 1 };
    for (const phb of [0, 1]) bench.run(bench.opal.pciSetPe(phb, map));
    const before = [0, 1].map((phb) => bench.machine.hub.phbs[phb]!.peekTable('PELTM', 5));
    bench.fence();
    const accesses = bench.accessesOf(bench.opal.pciReset(PHB, PHB_COMPLETE, 1));
    expect([0, 1].map((phb) => bench.machine.hub.phbs[phb]!.peekTable('PELTM', 5))).toEqual(before);
    const neighbour = [aibOffset(1, 'PHB_BUID'), asbOffset(1, 'PHB_BUID')].map((offset) => offset - 0x100);
    const touched = accesses.filter(({ offset }) =>
      neighbour.some((base) => offset >= base && offset < base + 0x1_0000),
    );
    expect(touched).toEqual([]);
  });

  it('spends 201 ms inside the call, 101 if the PHB is fenced', () => {
    const inside = (prepare: (bench: Bench) => void) => {
      const bench = booted();
      prepare(bench);
      const before = bench.nowMs;
      bench.run(bench.opal.pciReset(PHB, PHB_COMPLETE, 1));
      return bench.nowMs - before;
    };
    const [plain, fenced] = [inside(() => {}), inside((bench) => bench.fence())];
    // Each access takes time as well; the tables are written once more where there is no fence.
    expect(plain).toBeGreaterThan(201);
    expect(plain).toBeLessThan(201 + 10);
    expect(fenced).toBeGreaterThan(101);
    expect(fenced).toBeLessThan(101 + 5);
  });

  it('goes on, and reports success, where the initialisation fails; unless that is mended', () => {
    const outcome = (profile: BenchOptions['profile']) => {
      const bench = booted({ profile: profile! });
      bench.answer(SUMMARY, () => 1n);
      const first = bench.run(bench.opal.pciReset(PHB, PHB_COMPLETE, 1));
      return [first, bench.run(bench.opal.pciEehFreezeStatus(PHB, 0)).severity];
    };
    expect(outcome('skiboot')).toEqual([2000, 2]);
    expect(outcome({ failedReinit: 'corrected' })).toEqual([HARDWARE, 2]);
  });

  it('mends a broken PHB', () => {
    const bench = new Bench();
    bench.answer(SUMMARY, () => 1n);
    bench.boot();
    expect(configState(bench, 0)).toBe(HARDWARE);
    bench.believe(SUMMARY);
    expect(bench.reset(PHB, PHB_COMPLETE).at(-1)).toBe(SUCCESS);
    expect(configState(bench, 0)).toBe(SUCCESS);
  });

  it('goes through the motions where the PHB has no root port to speak of', () => {
    const bench = new Bench();
    const selected = aibOffset(PHB, 'PHB_CONFIG_ADDRESS');
    // The list of capabilities is empty.
    bench.answer(aibOffset(PHB, 'PHB_CONFIG_DATA'), (value) => {
      const { value: address } = bench.accesses.findLast(({ offset }) => offset === selected)!;
      return ((address >> 32n) & 0xfffn) === 0x34n ? 0n : value;
    });
    bench.boot();
    const accesses = bench.accessesOf(bench.opal.pciReset(PHB, PHB_COMPLETE, 1));
    expect(accesses.at(-1)).toMatchObject({ operation: 'W', offset: aibOffset(PHB, 'PHB_HOTPLUG_OVERRIDE') });
    expect(bench.run(bench.driver(PHB).rootLinkWidth())).toBe(0);
    expect(configState(bench, 0)).toBe(HARDWARE);
  });

  it('leaves the PHB broken where the fence stays through five pulses', () => {
    const bench = booted();
    bench.answer(FENCES, (value) => value | bit(14));
    const pulses = bench.writesTo(hubOffset('RGC_CCRR')).length;
    bench.run(bench.opal.pciReset(PHB, PHB_COMPLETE, 1));
    expect(bench.writesTo(hubOffset('RGC_CCRR')).length - pulses).toBe(10);
    expect(bench.log).toContain('PHB#0000: Reset failed, fence still set !');
    bench.believe(FENCES);
    expect(configState(bench, 0)).toBe(HARDWARE);
  });
});

describe('a reset while another one runs', () => {
  it.each([
    ['hot', PCI_HOT, 'HRESET'],
    ['fundamental', PCI_FUNDAMENTAL, 'FRESET'],
    ['complete', PHB_COMPLETE, 'CRESET'],
  ])('breaks both off, as a %s one', (_, scope, where) => {
    const bench = booted();
    const other = scope === PCI_HOT ? PCI_FUNDAMENTAL : PCI_HOT;
    expect(bench.run(bench.opal.pciReset(PHB, other, 1))).toBeGreaterThan(0);
    expect(bench.run(bench.opal.pciReset(PHB, scope, 1))).toBe(HARDWARE);
    expect(bench.log).toContainEqual(expect.stringMatching(new RegExp(`^PHB#0000: ${where}: Unexpected slot state`)));
  });

  it('is a poll that comes too early: it tells what is left, and does nothing', () => {
    const bench = booted();
    bench.run(bench.opal.pciReset(PHB, PCI_HOT, 1));
    const accesses = bench.accessesOf(bench.opal.pciPoll(PHB));
    expect(accesses).toEqual([]);
    expect(bench.poll(PHB, 400)).toBe(600);
  });
});

describe('an order for the power of the slot', () => {
  const OVERRIDE = aibOffset(PHB, 'PHB_HOTPLUG_OVERRIDE');
  const order = (bench: Bench, power: number) => {
    const before = bench.writesTo(OVERRIDE).length;
    const rc = bench.run(bench.opal.pciSetPowerState(PHB, power));
    return { rc, writes: bench.writesTo(OVERRIDE).slice(before) };
  };

  it('stores the status of the slot around the two edges, unless that is mended', () => {
    const status = PRESENT | POWERED | bit(18);
    const slip = booted();
    slip.answer(SLOT_STATUS, () => status);
    expect(order(slip, Power.OFF)).toEqual({
      rc: SUCCESS,
      writes: [status | 0x8400_0000_0000_0000n, status | 0x0c00_0000_0000_0000n],
    });
    slip.answer(SLOT_STATUS, () => PRESENT);
    expect(order(slip, Power.ON).writes).toEqual([PRESENT, PRESENT | 0x8400_0000_0000_0000n]);
    const mended = booted({ profile: { powerOverride: 'corrected' } });
    mended.answer(SLOT_STATUS, () => status);
    expect(order(mended, Power.OFF).writes).toEqual([0x8400_0000_0000_0000n, 0x0c00_0000_0000_0000n]);
  });

  it('takes the link down and up with it', () => {
    for (const profile of ['skiboot', { powerOnLink: 'corrected' }] as const) {
      const bench = booted({ profile });
      expect(order(bench, Power.OFF).rc).toBe(SUCCESS);
      expect(configState(bench, CARD)).toBe(HARDWARE);
      expect(order(bench, Power.ON).rc).toBe(SUCCESS);
      expect(configState(bench, CARD)).toBe(SUCCESS);
    }
  });

  it('does nothing where power is as ordered', () => {
    expect(order(booted(), Power.ON)).toEqual({ rc: SUCCESS, writes: [] });
  });

  it('is refused for any other state', () => {
    const bench = booted();
    const { slot } = bench.driver(PHB);
    expect(bench.run(slot.setPower!(2))).toBe(PARAMETER);
  });
});

describe('the bus numbers of a bridge', () => {
  const bridge = (type: PciDeviceType, isBridge = true) => ({ type, isBridge }) as PciDevice;
  const below = (first: number, last: number, type: PciDeviceType = 'downstream-port') =>
    chooseBus(bridge(type), { first, last });

  it('are the next free ones below a root port, an upstream port and where there is no PCI Express', () => {
    for (const type of ['root-port', 'upstream-port', 'legacy'] as const) {
      expect(below(5, 9, type)).toEqual({ secondary: 5, subordinate: 9, subordinateIs: 'as-found' });
    }
  });

  it('are an aligned block of at most 32 below a downstream port, and below a bridge to PCI', () => {
    expect(below(3, 255)).toEqual({ secondary: 32, subordinate: 63, subordinateIs: 'fixed' });
    expect(below(33, 63)).toEqual({ secondary: 48, subordinate: 63, subordinateIs: 'fixed' });
    expect(below(255, 255)).toEqual({ secondary: 255, subordinate: 255, subordinateIs: 'fixed' });
    expect(below(3, 255, 'endpoint')).toEqual(below(3, 255));
    expect(below(4, 3)).toBeUndefined();
  });

  it('fit one entry of the PE lookup, whatever is free, and no larger block would', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 255 }), fc.integer({ min: 0, max: 254 }), (first, span) => {
        const last = Math.min(first + span, 255);
        const { secondary, subordinate } = below(first, last)!;
        const buses = subordinate - secondary + 1;
        expect(Math.log2(buses) % 1).toBe(0);
        expect([secondary % buses, secondary >= first, subordinate <= last, buses <= 32]).toEqual([
          0,
          true,
          true,
          true,
        ]);
        const larger = 2 * buses;
        const start = Math.ceil(first / larger) * larger;
        expect(larger > 32 || start + larger - 1 > last).toBe(true);
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});
