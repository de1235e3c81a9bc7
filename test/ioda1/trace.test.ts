/** What the trace of a P7IOC says: one record for each thing a person wants to see, and none for what is carried out. */
import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { ERROR_EVENT_NAMES, type ErrorEventName } from '../../src/ioda1/error-bits/events.js';
import { HUB_UNITS } from '../../src/ioda1/error-bits/units.js';
import { HUB_REGISTERS } from '../../src/ioda1/registers/hub.js';
import { PHB_REGISTERS } from '../../src/ioda1/registers/phb.js';
import {
  BLOCK_REASON,
  type BlockReason,
  CI_FENCE,
  DROP_REASON,
  ERROR_INJECTED,
  ERROR_RAISED,
  FENCED,
  HUB_DEAD,
  INBOUND_DROPPED,
  OUTBOUND_BLOCKED,
  PE_FREEZE,
  PHB_RESET,
  REGISTER_BLOCKED,
  UNIT_ERROR,
  UNKNOWN_REGISTER,
  UNROUTED,
} from '../../src/ioda1/trace.js';
import { completion } from '../../src/pcie/completion.js';
import { IGNORED_MESSAGES, ioWrite, memoryRead, memoryWrite } from '../../src/pcie/tlp.js';
import type { TraceKind } from '../../src/sim/trace.js';
import { aib, asb, booted, io, MWIN1, MWIN2, m32, ONES, PE, RID, type Rig, WINDOW } from './rig.js';

const READ = 0;
const WRITE = 1;
const hi = (address: number): number => Math.floor(address / 2 ** 32);
const lo = (address: number): number => address % 2 ** 32;

/** Values of the records of one kind that `act` leaves. */
function records(rig: Rig, kind: TraceKind, act: () => void): number[][] {
  const seen: number[][] = [];
  const end = rig.machine.sim.trace.subscribe(({ values }) => seen.push([...values]), [kind]);
  act();
  end();
  return seen;
}

const bothWays = (reason: BlockReason, offset: number): number[][] => [
  [BLOCK_REASON[reason], offset, READ],
  [BLOCK_REASON[reason], offset, WRITE],
];

describe('the trace of a register access that is not carried out', () => {
  const blocked = (rig: Rig, address: number, size: 1 | 2 | 4 | 8 = 8): number[][] =>
    records(rig, REGISTER_BLOCKED, () => {
      rig.load(address, size);
      rig.store(address, size, 0n);
    });
  const buid = PHB_REGISTERS.get('PHB_BUID').offset;
  const select = PHB_REGISTERS.get('PHB_IODA_ADDR').offset;
  const configData = PHB_REGISTERS.get('PHB_CONFIG_DATA').offset;
  const fenced = (options = {}): Rig => {
    const rig = booted(options);
    rig.write('PHB_OUT_ERR_INJECT', msbMask(0));
    expect(rig.hub.phbs[0]!.isFenced).toBe(true);
    return rig;
  };

  it('names the fence for the fast path, and is silent about the side path', () => {
    const rig = fenced();
    expect(blocked(rig, aib(0) + buid)).toEqual(bothWays('fenced', buid));
    expect(blocked(rig, asb(0) + buid)).toEqual([]);
  });

  it('names the fence for the selection of a table too, unless the profile lets it through', () => {
    expect(blocked(fenced(), aib(0) + select)).toEqual(bothWays('fenced', select));
    const lets = fenced({ profile: { fencedTableSelect: 'applied' } });
    expect(blocked(lets, aib(0) + select)).toEqual([[BLOCK_REASON.fenced, select, READ]]);
    expect(blocked(lets, aib(0) + buid)).toEqual(bothWays('fenced', buid));
  });

  it('names the configuration reset by either path', () => {
    const rig = booted();
    rig.hubWrite('RGC_CCRR', msbMask(32));
    expect(blocked(rig, aib(0) + buid)).toEqual(bothWays('held-in-reset', buid));
    expect(blocked(rig, asb(0) + buid)).toEqual(bothWays('held-in-reset', buid));
  });

  it('names the reset of the core for a register of the core, the first and the last, and no other', () => {
    const rig = booted();
    rig.write('PHB_RESET', 0n);
    for (const name of ['UTL_SYS_BUS_CONTROL', 'UTL_GP_CTL2'] as const) {
      const { offset } = PHB_REGISTERS.get(name);
      expect(blocked(rig, aib(0) + offset)).toEqual(bothWays('core-reset', offset));
    }
    expect(blocked(rig, aib(0) + buid)).toEqual([]);
  });

  it('names the reset of the core for the root port, and not for a cycle to a card', () => {
    const rig = booted();
    rig.write('PHB_RESET', 0n);
    rig.write('PHB_CONFIG_ADDRESS', msbMask(0));
    expect(blocked(rig, aib(0) + configData, 4)).toEqual(bothWays('core-reset', configData));
    rig.write('PHB_CONFIG_ADDRESS', 0n);
    expect(blocked(rig, aib(0) + configData, 4)).toEqual([]);
    rig.write('PHB_CONFIG_ADDRESS', msbMask(0) | (BigInt(RID) << 44n));
    expect(blocked(rig, aib(0) + configData, 4)).toEqual([]);
  });

  it('names the size: parts of a register, what crosses two, and a doubleword of configuration data', () => {
    const rig = booted();
    for (const size of [1, 2, 4] as const) {
      expect(blocked(rig, aib(0) + buid, size)).toEqual(bothWays('size', buid));
    }
    expect(blocked(rig, aib(0) + buid + 4)).toEqual(bothWays('size', buid + 4));
    expect(blocked(rig, asb(0) + configData)).toEqual(bothWays('size', configData));
    expect(blocked(rig, aib(0) + configData, 4)).toEqual([]);
  });

  it('takes four bytes for configuration data, and the fifth for a part of a register', () => {
    const rig = booted();
    rig.write('PHB_CONFIG_ADDRESS', msbMask(0));
    expect(blocked(rig, aib(0) + configData + 3, 1)).toEqual([]);
    expect(blocked(rig, aib(0) + configData + 4, 1)).toEqual(bothWays('size', configData + 4));
  });

  it('names the size at a register of the hub', () => {
    const rig = booted();
    const { offset } = HUB_REGISTERS.get('GEM_MASK');
    expect(blocked(rig, MWIN1 + offset, 4)).toEqual(bothWays('size', offset));
    expect(blocked(rig, MWIN1 + offset)).toEqual([]);
  });

  it('names the dead hub wherever it is touched, by its distance from the registers', () => {
    const rig = booted();
    rig.hub.reportUnitError('RGC', 0);
    expect(rig.hub.isDead).toBe(true);
    const { offset } = HUB_REGISTERS.get('GEM_XFIR');
    expect(blocked(rig, MWIN1 + offset)).toEqual(bothWays('dead', offset));
    expect(blocked(rig, m32(PE), 4)).toEqual(bothWays('dead', lo(m32(PE) - MWIN1)));
  });

  it('lets the error registers of a dead hub be silent where the profile shows them', () => {
    const rig = booted({ profile: { deadHub: 'errors-readable' } });
    rig.hub.reportUnitError('RGC', 0);
    expect(blocked(rig, MWIN1 + HUB_REGISTERS.get('GEM_XFIR').offset)).toEqual([]);
    const { offset } = HUB_REGISTERS.get('RGC_CCRR');
    expect(blocked(rig, MWIN1 + offset)).toEqual(bothWays('dead', offset));
  });
});

describe('the trace of an offset without a register', () => {
  const unknown = (rig: Rig, address: number): number[][] =>
    records(rig, UNKNOWN_REGISTER, () => {
      rig.load(address, 8);
      rig.store(address, 8, 1n);
    });

  it('tells offset, direction and size, of a PHB by both paths and of the hub', () => {
    const rig = booted();
    const both = (offset: number) => [
      [offset, READ, 8],
      [offset, WRITE, 8],
    ];
    expect(unknown(rig, aib(0) + 0x1008)).toEqual(both(0x1008));
    expect(unknown(rig, asb(5) + 0x1008)).toEqual(both(0x1008));
    expect(unknown(rig, MWIN1 + 0x3e_0000)).toEqual(both(0x3e_0000));
    expect(unknown(rig, MWIN1 + 6 * 0x1_0000)).toEqual(both(6 * 0x1_0000));
  });

  it('is silent about registers, and about accesses that are refused for another reason', () => {
    const rig = booted();
    expect(unknown(rig, aib(0) + PHB_REGISTERS.get('PHB_BUID').offset)).toEqual([]);
    expect(unknown(rig, MWIN1 + HUB_REGISTERS.get('GEM_MASK').offset)).toEqual([]);
    rig.hubWrite('RGC_CCRR', msbMask(32));
    expect(unknown(rig, aib(0) + 0x1008)).toEqual([]);
  });
});

describe('the trace of an address that no rule of the crossbar takes', () => {
  it('tells address and direction, once each', () => {
    const rig = booted();
    rig.hubWrite('CI_RMATC_47', 0n);
    const address = MWIN1 + 0x3e_0020;
    const act = () => {
      rig.load(address, 8);
      rig.store(address, 8, 1n);
    };
    expect(records(rig, UNROUTED, act)).toEqual([
      [hi(address), lo(address), READ],
      [hi(address), lo(address), WRITE],
    ]);
    expect(records(rig, UNROUTED, () => rig.store(m32(0), 4, 1n))).toEqual([]);
  });

  it('counts a port that has nobody behind it as none', () => {
    const rig = booted();
    const address = MWIN1 + 0x3e_0020;
    rig.hubWrite('CI_RMATC_47', msbMask(0) | msbMask(16));
    const act = () => {
      expect(rig.load(address, 8)).toBe(ONES);
      rig.store(address, 8, 1n);
    };
    expect(records(rig, UNROUTED, act)).toHaveLength(2);
  });
});

describe('the trace of a load or store that never reaches the link', () => {
  const blocked = (rig: Rig, address: number, size: 4 | 8 = 4): number[][] =>
    records(rig, OUTBOUND_BLOCKED, () => {
      rig.load(address, size);
      rig.store(address, size, 1n);
      rig.run(100);
    });
  const twice = (reason: BlockReason, pe: number, address: number) => {
    const record = [BLOCK_REASON[reason], pe, hi(address), lo(address)];
    return [record, record];
  };

  it('names a missing window, and no PE', () => {
    expect(blocked(booted(), MWIN2 + 0x1000)).toEqual(twice('no-window', 0, MWIN2 + 0x1000));
  });

  it('names a frozen PE', () => {
    const rig = booted();
    rig.setIoda('PESTA', PE, msbMask(0));
    expect(blocked(rig, m32(PE, 0x20))).toEqual(twice('pe-frozen', PE, m32(PE, 0x20)));
  });

  it('names the form: a misaligned access, and a doubleword of IO space', () => {
    const first = (address: number, size: 4 | 8) => blocked(booted(), address, size)[0];
    expect(first(m32(PE, 2), 4)).toEqual([BLOCK_REASON.size, PE, hi(m32(PE)), lo(m32(PE, 2))]);
    expect(first(io(PE), 8)).toEqual([BLOCK_REASON.size, PE, hi(io(PE)), lo(io(PE))]);
    expect(blocked(booted(), io(PE), 4)).toEqual([]);
    expect(blocked(booted(), m32(PE), 8)).toEqual([]);
  });

  it('names the dead link for a store; a load waits for its timer instead', () => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    rig.write('PHB_PCIE_DLP_TRAIN_CTL', msbMask(1));
    rig.run(1000);
    expect(blocked(rig, m32(PE))).toEqual([[BLOCK_REASON['link-down'], PE, hi(m32(PE)), lo(m32(PE))]]);
  });
});

describe('the trace of a packet from below that is not let through', () => {
  const dropped = (rig: Rig, act: () => void): number[][] => records(rig, INBOUND_DROPPED, act);
  const at = Number(WINDOW) + 0x1000;

  it('names a refused check with requester, address and length', () => {
    const rig = booted();
    const outside = 0x7000_0000;
    const act = () => rig.dmaWrite(BigInt(outside), [1, 2, 3, 4]);
    expect(dropped(rig, act)).toEqual([[DROP_REASON.refused, RID, 0, outside, 4]]);
  });

  it('names a stopped PE, for DMA, for a message interrupt and for poisoned data', () => {
    const rig = booted();
    rig.setIoda('PESTB', PE, msbMask(0));
    expect(dropped(rig, () => rig.dmaWrite(BigInt(at), [1, 2, 3, 4]))).toEqual([
      [DROP_REASON['pe-stopped'], RID, 0, at, 4],
    ]);
    expect(dropped(rig, () => rig.msi(3, 0))).toEqual([[DROP_REASON['pe-stopped'], RID, 0, 0xffff_0030, 4]]);
    const poisoned = (on: Rig) =>
      dropped(on, () => {
        on.card.send({ ...memoryWrite(RID, { hi: 0, lo: at }, Uint8Array.of(1, 2, 3, 4)), poisoned: true });
        on.run(10_000);
      });
    expect(poisoned(rig)).toEqual([[DROP_REASON['pe-stopped'], RID, 0, at, 4]]);
    expect(poisoned(booted())).toEqual([[DROP_REASON.refused, RID, 0, at, 4]]);
  });

  it('names a refused message interrupt once', () => {
    const rig = booted();
    expect(dropped(rig, () => rig.msi(3, 0))).toEqual([[DROP_REASON.refused, RID, 0, 0xffff_0030, 4]]);
  });

  it('names the fence, the configuration reset and the dead hub', () => {
    const read = { requesterId: RID, tag: 7 };
    const send = (rig: Rig) =>
      dropped(rig, () => {
        rig.card.send(memoryRead(read, { hi: 0, lo: at }, 4));
        rig.run(10_000);
      });
    const fence = booted();
    fence.write('PHB_OUT_ERR_INJECT', msbMask(0));
    expect(send(fence)).toEqual([[DROP_REASON.fenced, RID, 0, at, 4]]);
    const dead = booted();
    dead.hub.reportUnitError('RGC', 0);
    expect(send(dead)).toEqual([[DROP_REASON.dead, RID, 0, at, 4]]);
  });

  it('names an answer that nobody waits for', () => {
    const rig = booted();
    const question = memoryRead({ requesterId: 0, tag: 9 }, { hi: 0, lo: 0 }, 4);
    const act = () => {
      rig.card.send(completion(question, RID, 'UR'));
      rig.run(10_000);
    };
    expect(dropped(rig, act).map(([reason]) => reason)).toEqual([DROP_REASON.unexpected]);
  });

  it('names packets of kinds that have no place here, and messages that may be ignored', () => {
    const rig = booted();
    rig.card.send(ioWrite({ requesterId: RID, tag: 1 }, 0x10, Uint8Array.of(1, 2, 3, 4)));
    expect(dropped(rig, () => rig.run(10_000))).toEqual([[DROP_REASON.refused, RID, 0, 0x10, 4]]);
    const ignored = dropped(rig, () => rig.sendMessage(IGNORED_MESSAGES[0]!));
    expect(ignored.map(([reason]) => reason)).toEqual([DROP_REASON.refused]);
  });

  it('is silent about what is let through', () => {
    const rig = booted();
    expect(dropped(rig, () => rig.dmaWrite(BigInt(at), [1, 2, 3, 4]))).toEqual([]);
  });
});

describe('the trace of errors', () => {
  const event = (name: ErrorEventName): number => ERROR_EVENT_NAMES.indexOf(name);

  it('tells the event, the PE charged, the requester and the address', () => {
    const rig = booted();
    const address = 0x12_7000_0000n;
    expect(records(rig, ERROR_RAISED, () => rig.dmaWrite(address, [1, 2, 3, 4]))).toEqual([
      [event('tve-invalid'), PE, RID, 0x12, 0x7000_0000],
    ]);
    expect(records(rig, ERROR_RAISED, () => rig.load(MWIN2 + 0x1000, 4))).toEqual([
      [event('mmio-no-window'), 0xffff, 0, hi(MWIN2), 0x1000],
    ]);
  });

  it('tells each half of each PE that freezes and thaws, once', () => {
    const rig = booted();
    const freeze = () => rig.dmaWrite(0x7000_0000n, [1, 2, 3, 4]);
    expect(records(rig, PE_FREEZE, freeze)).toEqual([
      [PE, 0, 1],
      [PE, 1, 1],
    ]);
    expect(records(rig, PE_FREEZE, freeze)).toEqual([]);
    expect(records(rig, PE_FREEZE, () => rig.thaw(PE))).toEqual([
      [PE, 0, 0],
      [PE, 1, 0],
    ]);
  });

  it('tells trap and bit of an injection, each bit on its own', () => {
    const rig = booted();
    const inject = () => rig.write('PHB_INB_ERR_INJECT', msbMask(2) | msbMask(63));
    expect(records(rig, ERROR_INJECTED, inject)).toEqual([
      [3, 2],
      [3, 63],
    ]);
  });

  it('tells the cause of a fence: the trap bit, or the crossbar; and of a second one nothing', () => {
    const rig = booted();
    expect(records(rig, FENCED, () => rig.write('PHB_OUT_ERR_INJECT', msbMask(0)))).toEqual([[0]]);
    expect(records(rig, FENCED, () => rig.asbWrite('PHB_OUT_ERR_INJECT', msbMask(0)))).toEqual([]);
    const other = booted();
    expect(records(other, FENCED, () => other.hub.reportUnitError('CI_P2', 2))).toEqual([[CI_FENCE]]);
  });

  it('tells when a PHB goes into its configuration reset and leaves it', () => {
    const rig = booted();
    expect(records(rig, PHB_RESET, () => rig.resetPhb(0))).toEqual([[1], [0]]);
    expect(records(rig, PHB_RESET, () => rig.hubWrite('RGC_CCRR', msbMask(13)))).toEqual([]);
  });

  it('tells the unit of the hub and its bits, and what killed the hub', () => {
    const rig = booted();
    const { gemBit } = HUB_UNITS.I2C;
    rig.hubWrite('I2C_LEM_ACTION0', ONES);
    expect(records(rig, UNIT_ERROR, () => rig.hubWrite('I2C_LEM_FIR_OR_MASK', msbMask(1) | msbMask(40)))).toEqual([
      [gemBit, 0x4000_0000, 0x80_0000],
    ]);
    expect(records(rig, UNIT_ERROR, () => rig.hub.reportUnitError('I2C', 40))).toEqual([]);
    const die = () => {
      rig.hub.reportUnitError('BI_UP', 0);
      rig.hub.reportUnitError('RGC', 0);
    };
    expect(records(rig, HUB_DEAD, die)).toEqual([[HUB_UNITS.BI_UP.gemBit]]);
  });

  it('names hub and bridge as the sources', () => {
    const rig = booted();
    const { trace } = rig.machine.sim;
    const seen: string[] = [];
    trace.subscribe(({ kind, source }) => seen.push(`${kind.name} ${source}`), [PE_FREEZE, FENCED]);
    rig.setIoda('PESTA', 3, msbMask(0));
    rig.hub.reportUnitError('CI_P7', 2);
    expect(seen).toEqual(['p7ioc.pe-freeze PHB0', 'p7ioc.fence PHB5']);
  });
});
