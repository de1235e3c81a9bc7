import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FirmwareProfileChoice } from '../../src/opal/firmware-profile.js';
import { invokeOpal, invokeToken, OPAL_CALLS, opalCall } from '../../src/opal/opal-abi.js';
import { OpalStatus, slotId } from '../../src/opal/opal-api.js';
import { configSpace, FirmwareRig, FlatChip, LINK_DOWN } from './flat-chip.js';

const { SUCCESS, PARAMETER, UNSUPPORTED, HARDWARE, PARTIAL, BUSY, RESOURCE, INTERNAL_ERROR } = OpalStatus;
const CARD = 0x100;
const OUT = 0x2000;
const OUT2 = 0x2100;
/** Outside the 16 MiB of memory, and not where real memory begins. */
const NOWHERE = 1n << 40n;
const BAD_NIBBLE = (1n << 63n) | 0x2000n;
const NO_PHB = 9;
const FENCED = 0x0000_8000_0000_0000n;
const ER_IRQ = 0xfff;

type Register = number | bigint;

function withCard(): FlatChip {
  const chip = new FlatChip();
  chip.functions.set(CARD, configSpace('card', {}));
  return chip;
}

class Caller {
  readonly rig: FirmwareRig;

  constructor(
    profile: FirmwareProfileChoice = 'skiboot',
    readonly chip = withCard(),
  ) {
    this.rig = FirmwareRig.booted(this.chip, profile);
    this.chip.log.length = 0;
  }

  call(token: number, ...registers: Register[]): number {
    const words = registers.map((each) => BigInt.asUintN(64, BigInt(each)));
    return this.rig.run(invokeToken(this.rig.opal, this.chip.memory, { token, registers: words }));
  }

  bytes(at: number, count: number): number[] {
    return Array.from({ length: count }, (_, index) => this.chip.memory.read8(at + index));
  }

  fill(at: number, count: number): void {
    this.chip.memory.fill(at, count, 0xaa);
  }
}

const broken = (): Caller => {
  const caller = new Caller();
  caller.chip.answer('PHB_ETU_ERR_SUMMARY', 1n);
  caller.rig.reset(0, 1);
  caller.chip.log.length = 0;
  return caller;
};

/** Registers that succeed, and each way to spoil one of them; the last rows spoil two and tell which check comes first. */
interface Row {
  readonly token: number;
  readonly good: readonly Register[];
  readonly rc?: number;
  readonly bad: readonly (readonly [spoilt: Readonly<Record<number, Register>>, rc: number])[];
}

const M64 = 2;
const M64_BASE = 0x3b00_0000_0000n;
const MIB = 0x10_0000;
const ROWS: readonly Row[] = [
  { token: 0, good: [1], rc: 0xfeed_f00d, bad: [] },
  {
    token: 9,
    good: [ER_IRQ, OUT],
    bad: [
      [{ 0: 1 }, PARAMETER],
      [{ 0: 0x810 }, PARAMETER],
      [{ 1: NOWHERE }, PARAMETER],
    ],
  },
  { token: 10, good: [OUT], bad: [[{ 0: BAD_NIBBLE }, PARAMETER]] },
  { token: 11, good: [0, 0, 0], rc: PARAMETER, bad: [] },
  { token: 12, good: [0, 0, 0], rc: UNSUPPORTED, bad: [[{ 0: NO_PHB }, PARAMETER]] },
  ...[13, 14, 15].map((token) => ({
    token,
    good: [0, CARD, 0x40, OUT],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: 0x1_0000 }, PARAMETER],
      [{ 2: 0x1000 }, PARAMETER],
      [{ 1: 8 }, HARDWARE],
      [{ 3: 0 }, PARAMETER],
      [{ 3: NOWHERE }, PARAMETER],
      // The offset is looked at before the device on bus 0, the pointer before both.
      [{ 1: 8, 2: 0x1000 }, PARAMETER],
      [{ 1: 8, 3: NOWHERE }, PARAMETER],
      ...(token === 13 ? [] : [[{ 2: 0x41, 1: 8 }, PARAMETER] as const]),
    ] as const,
  })),
  ...[16, 17, 18].map((token) => ({
    token,
    good: [0, CARD, 0x3c, 5],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: 0x1_0000 }, PARAMETER],
      [{ 2: 0x1000 }, PARAMETER],
      [{ 1: 8 }, HARDWARE],
      [{ 1: 8, 2: 0x1000 }, PARAMETER],
      ...(token === 16 ? [] : [[{ 2: 0x3d, 1: 8 }, PARAMETER] as const]),
    ] as const,
  })),
  { token: 19, good: [0x810, 0x20, 5], bad: [[{ 0: 0x400 }, PARAMETER]] },
  {
    token: 20,
    good: [0x810, OUT, OUT2],
    bad: [
      [{ 0: 0x400 }, PARAMETER],
      [{ 1: NOWHERE }, PARAMETER],
    ],
  },
  {
    token: 23,
    good: [0, 5, OUT, OUT2, 0],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 2: NOWHERE }, PARAMETER],
      [{ 3: 0 }, PARAMETER],
      [{ 4: NOWHERE }, PARAMETER],
    ],
  },
  { token: 26, good: [0, 5, 3], bad: [[{ 0: NO_PHB }, PARAMETER]] },
  {
    token: 27,
    good: [0, M64, 1, 0],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: 3 }, UNSUPPORTED],
      [{ 1: 1 }, UNSUPPORTED],
      [{ 1: 0 }, PARAMETER],
      [{ 2: 16 }, PARAMETER],
      [{ 3: 3 }, PARAMETER],
      [{ 3: 1 }, PARTIAL],
      [{ 3: 2 }, PARAMETER],
      // The type decides before the number does, the number before the state of the window.
      [{ 1: 3, 2: 16 }, UNSUPPORTED],
      [{ 2: 16, 3: 1 }, PARAMETER],
    ],
  },
  {
    token: 28,
    good: [0, M64, 1, M64_BASE, 0, MIB],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: 3 }, UNSUPPORTED],
      [{ 1: 1 }, UNSUPPORTED],
      [{ 1: 4 }, PARAMETER],
      [{ 2: 16 }, PARAMETER],
      [{ 3: M64_BASE + 1n }, PARAMETER],
      [{ 5: 0 }, PARAMETER],
      [{ 5: 3 * MIB }, PARAMETER],
      [{ 1: 3, 2: 16 }, UNSUPPORTED],
    ],
  },
  {
    token: 29,
    good: [0, 5, 1, 0, 3],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: 256 }, PARAMETER],
      [{ 2: 3 }, UNSUPPORTED],
      [{ 2: 4 }, PARAMETER],
      [{ 3: 1 }, PARAMETER],
      [{ 4: 256 }, PARAMETER],
      [{ 2: M64, 3: 16 }, PARAMETER],
      [{ 1: 256, 2: 3 }, PARAMETER],
    ],
  },
  { token: 30, good: [NO_PHB, 0, 0, 0, 0, 0], rc: UNSUPPORTED, bad: [] },
  {
    token: 31,
    good: [0, 5, CARD, 7, 1, 1, 1],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: 256 }, PARAMETER],
      [{ 1: (1n << 63n) | 5n }, PARAMETER],
      [{ 2: 0x1_0000 }, PARAMETER],
      [{ 3: 8 }, PARAMETER],
      [{ 4: 2 }, PARAMETER],
      [{ 5: 2 }, PARAMETER],
      [{ 6: 2 }, PARAMETER],
    ],
  },
  {
    token: 32,
    good: [0, 5, 6, 1],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: 256 }, PARAMETER],
      [{ 2: 256 }, PARAMETER],
    ],
  },
  ...[33, 34].map((token) => ({
    token,
    good: [0, 1, 1],
    rc: UNSUPPORTED,
    bad: [[{ 0: NO_PHB }, PARAMETER]] as const,
  })),
  ...[35, 36].map((token) => ({ token, good: [NO_PHB, 0, 0, 0], rc: UNSUPPORTED, bad: [] })),
  {
    token: 37,
    good: [0, 5, 0x10],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: 256 }, PARAMETER],
      [{ 2: 2048 }, PARAMETER],
    ],
  },
  {
    token: 38,
    good: [0, 1, OUT],
    rc: UNSUPPORTED,
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 2: NOWHERE }, PARAMETER],
    ],
  },
  ...[39, 40].map((token) => ({
    token,
    good: [0, 5, 0x32, 1, OUT, OUT2],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: 256 }, PARAMETER],
      [{ 2: 2048 }, PARAMETER],
      [{ 3: 2 }, PARAMETER],
      [{ 4: 0 }, PARAMETER],
      [{ 5: NOWHERE }, PARAMETER],
    ] as const,
  })),
  {
    token: 44,
    good: [0, 5, 10, 1, 0x10_0000, 0x1000, 0x1000],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: 256, 2: 512 }, PARAMETER],
      [{ 2: 12 }, PARAMETER],
      [{ 3: 0 }, PARAMETER],
      [{ 3: 6 }, PARAMETER],
      [{ 5: 0x800 }, PARAMETER],
      [{ 5: 0x1800 }, PARAMETER],
      [{ 6: 0x2000 }, PARAMETER],
      // A table of no bytes takes the window away, whatever else is wrong; but not a window of another PE.
      [{ 3: 9, 5: 0, 6: 1 }, SUCCESS],
      [{ 2: 12, 5: 0 }, PARAMETER],
    ],
  },
  {
    token: 45,
    good: [0, 5, 11, 1n << 59n, 0x100_0000],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 2: 12 }, PARAMETER],
      [{ 3: 0 }, PARAMETER],
      [{ 4: 0x1000 }, PARAMETER],
      [{ 4: 1n << 50n }, PARAMETER],
      [{ 3: 0, 4: 0 }, SUCCESS],
    ],
  },
  {
    token: 49,
    good: [0, 4, 1],
    rc: 1000,
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 0: slotId(0, CARD) }, PARAMETER],
      [{ 2: 2 }, PARAMETER],
      [{ 2: 0 }, SUCCESS],
      [{ 1: 2 }, UNSUPPORTED],
      [{ 1: 7 }, UNSUPPORTED],
      [{ 1: 7, 2: 0 }, UNSUPPORTED],
      [{ 1: 7, 2: 2 }, PARAMETER],
      [{ 0: slotId(0, 0), 1: 1 }, UNSUPPORTED],
      [{ 0: slotId(0, 0), 1: 3 }, UNSUPPORTED],
      [{ 0: slotId(0, 0), 1: 6 }, UNSUPPORTED],
      [{ 0: slotId(0, 0), 2: 0 }, SUCCESS],
      [{ 0: NO_PHB, 1: 7, 2: 2 }, PARAMETER],
      // Other bits of a slot id do not count.
      [{ 0: 0x7_0000n, 2: 0 }, SUCCESS],
    ],
  },
  {
    token: 50,
    good: [0, OUT, 128],
    rc: PARAMETER,
    bad: [[{ 1: NOWHERE }, PARAMETER]],
  },
  {
    token: 51,
    good: [0, OUT, 4392],
    rc: UNSUPPORTED,
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: NOWHERE }, PARAMETER],
    ],
  },
  {
    token: 53,
    good: [0, 1000, CARD],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: 999 }, PARAMETER],
      [{ 2: 0x200 }, PARAMETER],
      // Only 16 bits of the number count.
      [{ 2: 0x1_0000 | CARD }, SUCCESS],
    ],
  },
  {
    token: 60,
    good: [0, OUT, OUT2, OUT2 + 2],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: NOWHERE }, PARAMETER],
      [{ 2: 0 }, PARAMETER],
      [{ 3: BAD_NIBBLE }, PARAMETER],
    ],
  },
  {
    token: 61,
    good: [0, 5, OUT, OUT2, OUT2 + 2, 0],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 2: NOWHERE }, PARAMETER],
      [{ 4: NOWHERE }, PARAMETER],
      [{ 5: NOWHERE }, PARAMETER],
    ],
  },
  { token: 62, good: [0], rc: HARDWARE, bad: [[{ 0: NO_PHB }, PARAMETER]] },
  { token: 63, good: [0, 0x812], bad: [[{ 0: NO_PHB }, PARAMETER]] },
  {
    token: 64,
    good: [0, OUT, 4392],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: NOWHERE }, PARAMETER],
      [{ 1: 0 }, PARAMETER],
      [{ 2: 4391 }, PARAMETER],
      [{ 1: 2 ** 24 - 8 }, PARAMETER],
    ],
  },
  {
    token: 80,
    good: [62],
    rc: 1,
    bad: [
      [{ 0: 24 }, 0],
      [{ 0: 1n << 40n }, 0],
    ],
  },
  {
    token: 85,
    good: [OUT, 72],
    rc: RESOURCE,
    bad: [
      [{ 1: 71 }, PARAMETER],
      [{ 0: 0 }, PARAMETER],
      [{ 0: NOWHERE }, PARAMETER],
    ],
  },
  { token: 86, good: [OUT, 72, 1], rc: BUSY, bad: [[{ 0: NOWHERE }, PARAMETER]] },
  { token: 93, good: [0, 1, 0], rc: UNSUPPORTED, bad: [[{ 0: NO_PHB }, PARAMETER]] },
  {
    token: 96,
    good: [0, 255, 0, 4, 0, 0],
    rc: PARAMETER,
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 2: 2 }, PARAMETER],
      [{ 1: 5, 3: 12 }, UNSUPPORTED],
      [{ 1: 5, 3: 20 }, PARAMETER],
      // The type is looked at before the driver disarms anything.
      [{ 1: 5, 2: 2, 3: 12 }, PARAMETER],
    ],
  },
  {
    token: 97,
    good: [0, 5, 3],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: 256 }, PARAMETER],
      [{ 2: 0 }, PARAMETER],
      [{ 2: 4 }, PARAMETER],
      [{ 2: 1n << 63n }, PARAMETER],
    ],
  },
  {
    token: 118,
    good: [1, OUT, 2 ** 20],
    bad: [
      [{ 0: 0xffff_fff0 }, PARAMETER],
      [{ 1: NOWHERE }, PARAMETER],
      [{ 2: 0 }, PARAMETER],
      [{ 1: 2 ** 24 - 8 }, PARAMETER],
    ],
  },
  {
    token: 119,
    good: [0, OUT],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: NOWHERE }, PARAMETER],
    ],
  },
  {
    token: 120,
    good: [slotId(0, 0), OUT],
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 0: 0 }, UNSUPPORTED],
      [{ 1: NOWHERE }, PARAMETER],
    ],
  },
  {
    token: 121,
    good: [1, slotId(0, 0), OUT],
    rc: PARAMETER,
    bad: [
      [{ 1: NO_PHB }, PARAMETER],
      [{ 2: NOWHERE }, PARAMETER],
    ],
  },
  { token: 126, good: [0, 2, 5, 0x1000, 0, 1], rc: UNSUPPORTED, bad: [[{ 0: NO_PHB }, PARAMETER]] },
  {
    token: 157,
    good: [0, 0, 0, 0],
    rc: UNSUPPORTED,
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: NO_PHB }, PARAMETER],
    ],
  },
  {
    token: 158,
    good: [1, 0xffff_ffff],
    bad: [
      [{ 1: 0xffff_fffe }, PARAMETER],
      [{ 0: 4 }, BUSY],
    ],
  },
  {
    token: 164,
    good: [0, OUT],
    rc: UNSUPPORTED,
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 1: NOWHERE }, PARAMETER],
    ],
  },
  ...[165, 179].map((token) => ({
    token,
    good: new Array<number>(token === 165 ? 2 : 3).fill(0),
    rc: UNSUPPORTED,
    bad: [[{ 0: NO_PHB }, PARAMETER]] as const,
  })),
  {
    token: 180,
    good: [0, 1, OUT],
    rc: UNSUPPORTED,
    bad: [
      [{ 0: NO_PHB }, PARAMETER],
      [{ 2: NOWHERE }, PARAMETER],
    ],
  },
];

describe('the table of calls', () => {
  it('is tested row by row', () => {
    expect(ROWS.map(({ token }) => token).sort((a, b) => a - b)).toEqual(OPAL_CALLS.map(({ token }) => token));
  });

  it.each(ROWS.map((row) => [opalCall(row.token)!.name, row] as const))(
    '%s checks its registers in the order of the real one',
    (_, { token, good, rc = SUCCESS, bad }) => {
      for (const [spoilt, expected] of bad) {
        const caller = new Caller();
        caller.fill(OUT, 16);
        const registers = good.map((register, index) => spoilt[index] ?? register);
        expect({ spoilt, rc: caller.call(token, ...registers) }).toEqual({ spoilt, rc: expected });
      }
      const caller = new Caller();
      caller.chip.memory.write8(OUT, 4);
      expect(caller.call(token, ...good)).toBe(rc);
    },
  );
});

describe('a token that is not in the table', () => {
  it('is a bad parameter and leaves a line in the log', () => {
    const caller = new Caller();
    expect(caller.call(24, 1, 2)).toBe(PARAMETER);
    expect(caller.chip.log).toEqual(['OPAL: Called with bad token 24 !']);
  });
});

describe('a broken PHB', () => {
  it.each([
    [13, [0, CARD, 0, OUT], HARDWARE],
    [16, [0, CARD, 0x3c, 0], HARDWARE],
    [19, [0x810, 0, 5], HARDWARE],
    [23, [0, 0, OUT, OUT2, 0], HARDWARE],
    [26, [0, 0, 3], HARDWARE],
    [97, [0, 0, 3], HARDWARE],
    [60, [0, OUT, OUT2, OUT2 + 2], SUCCESS],
    [64, [0, OUT, 4392], HARDWARE],
    [119, [0, OUT], HARDWARE],
    // What is wrong with the arguments comes first, or not.
    [13, [0, CARD, 0x1000, OUT], PARAMETER],
    [16, [0, 8, 0x3c, 0], HARDWARE],
    [64, [0, OUT, 4391], PARAMETER],
    [97, [0, 256, 3], HARDWARE],
  ])('answers token %i with %j: %i', (token, registers, rc) => {
    const caller = broken();
    expect(caller.call(token, ...registers)).toBe(rc);
  });

  it('stores the state it is in, and leaves the PE of next error as it was', () => {
    const caller = broken();
    caller.fill(OUT, 16);
    caller.call(61, 0, 5, OUT, OUT + 2, OUT + 4, 0);
    expect(caller.bytes(OUT, 8)).toEqual([3, 0xaa, 0, 2, 0, 2, 0xaa, 0xaa]);
    caller.fill(OUT, 16);
    caller.call(60, 0, OUT, OUT + 8, OUT + 10);
    expect(caller.bytes(OUT, 12)).toEqual([...new Array<number>(8).fill(0xaa), 0, 2, 0, 2]);
  });
});

describe('outputs', () => {
  it('of reads that fail are ones of the width that was asked for', () => {
    const caller = new Caller();
    caller.fill(OUT, 8);
    expect(caller.call(14, 0, 8, 0, OUT)).toBe(HARDWARE);
    expect(caller.bytes(OUT, 3)).toEqual([0xff, 0xff, 0xaa]);
  });

  it('of a fenced PHB are the same for every PE, the large ones too', () => {
    const caller = new Caller();
    caller.chip.answer('nest.NFIR', FENCED);
    for (const pe of [0n, 255n, 4711n, (1n << 64n) - 1n]) {
      expect(caller.call(61, 0, pe, OUT, OUT + 2, OUT + 4, 0)).toBe(SUCCESS);
      expect(caller.bytes(OUT, 6)).toEqual([3, 0xaa, 0, 2, 0, 3].map((each, at) => (at === 1 ? 0 : each)));
    }
  });

  it('no longer include the status of the PHB: the log says so', () => {
    const caller = new Caller();
    caller.fill(OUT2, 16);
    caller.call(23, 0, 5, OUT, OUT + 2, OUT2);
    caller.call(61, 0, 5, OUT, OUT + 2, OUT + 4, OUT2);
    expect(caller.bytes(OUT2, 16)).toEqual(new Array(16).fill(0xaa));
    expect(caller.chip.log).toEqual([
      'PHB#0000: opal_pci_eeh_freeze_status: deprecated PHB status',
      'PHB#0000: opal_pci_eeh_freeze_status2: deprecated PHB status',
    ]);
  });

  it('are the size of the device tree below a node, or the tree', () => {
    const caller = new Caller();
    const size = caller.call(118, 1, 0, 0);
    expect(size).toBeGreaterThan(1000);
    expect(caller.call(118, 1, OUT, size - 1)).toBe(OpalStatus.NO_MEM);
    expect(caller.call(118, 1, OUT, size)).toBe(SUCCESS);
    expect(caller.bytes(OUT, 4)).toEqual([0xd0, 0x0d, 0xfe, 0xed]);
  });
});

describe('errors of resets', () => {
  it.each([
    [1, 'complete'],
    [4, 'hot'],
    [5, 'fundamental'],
  ])('of scope %i are logged by name', (scope, name) => {
    const caller = new Caller();
    caller.chip.answer('PHB_PCIE_DLP_TRAIN_CTL', LINK_DOWN);
    caller.call(49, 0, scope === 5 ? 4 : 5, 1);
    expect(caller.call(49, 0, scope, 1)).toBe(HARDWARE);
    expect(caller.chip.log).toContain(`SLOT-0000000000000000: Error -6 on ${name} reset`);
  });
});

describe('entering firmware', () => {
  const HOLD = 1;
  const REJECT = 2;
  const LOCK_BREAK = 3;
  const RESUME = 4;
  const EVERYBODY = -1;
  const as = (caller: Caller, cpu: number, token: number, ...registers: number[]) => {
    const words = registers.map((each) => BigInt.asUintN(64, BigInt(each)));
    return invokeToken(caller.rig.opal, caller.chip.memory, { token, registers: words, cpu });
  };
  /** A call that stays inside for more than 100 ms of virtual time: the initialisation in a complete reset. */
  const busy = (caller: Caller, cpu?: number): void => {
    const { opal } = caller.rig;
    caller.rig.run(opal.pciReset(0, 1, 1));
    caller.rig.sleep(10);
    caller.rig.run(opal.pciPoll(0));
    caller.rig.sleep(100);
    const call = { call: opalCall('OPAL_PCI_POLL')!, registers: [0n] };
    caller.chip.sim.spawn('busy', invokeOpal(opal, caller.chip.memory, cpu === undefined ? call : { ...call, cpu }));
    caller.rig.sleep(1);
  };

  it('is refused to a processor that is inside already, but for few calls', () => {
    const caller = new Caller();
    busy(caller, 3);
    expect(caller.rig.run(as(caller, 3, 62, 0))).toBe(INTERNAL_ERROR);
    expect(caller.chip.log.at(-1)).toMatch(/^CPU ATTEMPT TO RE-ENTER FIRMWARE! PIR=0003 .*token=62$/);
    expect(caller.rig.run(as(caller, 3, 10, 0))).toBe(SUCCESS);
    expect(caller.rig.run(as(caller, 3, 80, 62))).toBe(1);
    expect(caller.rig.run(as(caller, 4, 26, 9, 0, 0))).toBe(PARAMETER);
    caller.rig.sleep(200);
    expect(caller.rig.run(as(caller, 3, 10, 0))).toBe(SUCCESS);
  });

  it('waits while another processor holds it, until that resumes', () => {
    const caller = new Caller();
    expect(caller.rig.run(as(caller, 0, 158, HOLD, EVERYBODY))).toBe(SUCCESS);
    const waiting = caller.chip.sim.spawn('held', as(caller, 1, 10, 0));
    caller.rig.sleep(5000);
    expect(waiting.state).toBe('running');
    expect(caller.rig.run(as(caller, 0, 10, 0))).toBe(SUCCESS);
    expect(caller.rig.run(as(caller, 0, 158, RESUME, EVERYBODY))).toBe(SUCCESS);
    caller.rig.sleep(1);
    expect(waiting.take()).toBe(SUCCESS);
  });

  it('is sent away while another processor rejects it, if it is meant', () => {
    const caller = new Caller();
    expect(caller.rig.run(as(caller, 0, 158, REJECT, 2))).toBe(SUCCESS);
    expect(caller.rig.run(as(caller, 1, 10, 0))).toBe(SUCCESS);
    expect(caller.rig.run(as(caller, 2, 10, 0))).toBe(BUSY);
    expect(caller.call(10, 0)).toBe(SUCCESS);
    expect(caller.rig.run(as(caller, 0, 158, LOCK_BREAK, EVERYBODY))).toBe(BUSY);
  });

  it('is quieted once at a time, by its owner', () => {
    const caller = new Caller();
    const quiesce = (cpu: number, kind: number, target = EVERYBODY) =>
      caller.rig.run(as(caller, cpu, 158, kind, target));
    expect(quiesce(0, RESUME)).toBe(BUSY);
    expect(quiesce(0, HOLD)).toBe(SUCCESS);
    expect(quiesce(0, HOLD)).toBe(BUSY);
    expect(quiesce(0, LOCK_BREAK)).toBe(SUCCESS);
    expect(quiesce(0, 5)).toBe(SUCCESS);
    expect(quiesce(1, HOLD, 0)).toBe(SUCCESS);
    expect(quiesce(1, 9)).toBe(SUCCESS);
    expect(quiesce(1, RESUME)).toBe(SUCCESS);
    expect(quiesce(0, RESUME)).toBe(BUSY);
    expect(caller.chip.log).toEqual([
      'opal_quiesce CPU does not own quiesce state (must call QUIESCE_HOLD or QUIESCE_REJECT)',
      'opal_quiesce CPU does not own quiesce state (must call QUIESCE_HOLD or QUIESCE_REJECT)',
    ]);
  });

  it('waits for those inside to leave, for one second at most', () => {
    const caller = new Caller();
    busy(caller, 3);
    const before = caller.chip.sim.now;
    expect(caller.rig.run(as(caller, 0, 158, HOLD, 4))).toBe(SUCCESS);
    expect(caller.chip.sim.now).toBe(before);
    caller.rig.run(as(caller, 0, 158, RESUME, EVERYBODY));
    expect(caller.rig.run(as(caller, 0, 158, HOLD, 3))).toBe(SUCCESS);
    expect((caller.chip.sim.now - before) / 1e6).toBeGreaterThan(95);
  });

  it('gives up on a call that stays: a poll that waits for the link of a switch', () => {
    const chip = new FlatChip();
    const down = configSpace('down', { port: 'downstream', options: ['dll-active-reporting'] });
    down.set('LNKSTA', 0x2083);
    chip.functions.set(CARD, configSpace('up', { port: 'upstream' }));
    chip.functions.set(0x200, down);
    chip.functions.set(0x300, configSpace('card', {}));
    const caller = new Caller('skiboot', chip);
    const { opal } = caller.rig;
    down.set('LNKSTA', 0);
    for (let waitMs = caller.call(49, 0, 4, 1); waitMs > 100; waitMs = caller.call(62, 0)) caller.rig.sleep(waitMs);
    caller.rig.sleep(100);
    caller.call(62, 0);
    caller.rig.sleep(100);
    chip.sim.spawn('poll', as(caller, 3, 62, 0));
    caller.rig.sleep(1);
    const before = chip.sim.now;
    expect(caller.rig.run(opal.quiesce(HOLD, EVERYBODY))).toBe(PARTIAL);
    expect((chip.sim.now - before) / 1e6).toBe(1000);
    expect(chip.log.at(-1)).toBe('OPAL quiesce could not kick all CPUs out of OPAL');
    expect(caller.rig.run(opal.quiesce(REJECT, EVERYBODY, 1))).toBe(BUSY);
    expect(chip.log.at(-1)).toBe('opal_quiesce already quiescing');
  });

  it('counts callers without a processor as others', () => {
    const caller = new Caller();
    busy(caller);
    const before = caller.chip.sim.now;
    expect(caller.call(158, HOLD, EVERYBODY)).toBe(SUCCESS);
    expect((caller.chip.sim.now - before) / 1e6).toBeGreaterThan(95);
  });
});

describe('any registers for any call', () => {
  const register = fc.oneof(
    fc.constantFrom<bigint>(...[0, 1, 2, 3, 5, 255, 256, 0x812, 0xfff, CARD, OUT, OUT2, 4392].map(BigInt)),
    fc.constantFrom(NOWHERE, BAD_NIBBLE, slotId(0, 0), (1n << 64n) - 1n, 0xc000_0000_0000_2000n),
    fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  );
  /** What a call may store to: behind its pointers. */
  const outputs = (name: string, words: readonly bigint[]): [number, number][] =>
    opalCall(name)!.arguments.flatMap(({ kind }, index) => {
      if (!kind.endsWith('*')) return [];
      const bytes = kind === 'buffer*' ? 2 ** 16 : 8;
      const at = Number(BigInt.asUintN(60, words[index]!));
      return [[at, at + bytes] as [number, number]];
    });

  it('gives a whole number and stores nothing outside the outputs and the tables of firmware', () => {
    const invocation = fc
      .constantFrom(...OPAL_CALLS)
      .chain(({ token, name, arguments: { length } }) =>
        fc.array(register, { minLength: length, maxLength: length }).map((words) => ({ token, name, words })),
      );
    for (const profile of ['skiboot', 'corrected'] as const) {
      const caller = new Caller(profile);
      const { memory } = caller.chip;
      const tables = Object.values(caller.rig.opal.deviceTree()[0]!.tables!);
      const stores: [number, number][] = [];
      for (const [method, bytes] of [
        ['write8', 1],
        ['write16', 2],
        ['write32', 4],
        ['write64', 8],
      ] as const) {
        const original = memory[method].bind(memory) as (at: number, value: never) => void;
        Object.defineProperty(memory, method, {
          value: (at: number, value: never) => {
            stores.push([at, at + bytes]);
            original(at, value);
          },
        });
      }
      const block = memory.writeBlock.bind(memory);
      Object.defineProperty(memory, 'writeBlock', {
        value: (at: number, data: Uint8Array) => {
          stores.push([at, at + data.length]);
          block(at, data);
        },
      });
      fc.assert(
        fc.property(invocation, ({ token, name, words }) => {
          stores.length = 0;
          const rc = caller.call(token, ...words);
          expect(Number.isInteger(rc)).toBe(true);
          const allowed = [
            ...outputs(name, words),
            ...tables.map(({ address, bytes }) => [address, address + bytes] as [number, number]),
          ];
          const stray = stores.filter(([from, to]) => !allowed.some(([first, end]) => from >= first && to <= end));
          expect({ name, stray }).toEqual({ name, stray: [] });
        }),
        { seed: 11, numRuns: 700 },
      );
    }
  });
});
