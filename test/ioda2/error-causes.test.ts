import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import {
  ERROR_EVENT_NAMES,
  ERROR_EVENTS,
  type ErrorEventName,
  eventScope,
  trapBitOf,
} from '../../src/ioda2/error-bits/events.js';
import { TRAP_BITS } from '../../src/ioda2/error-bits/traps.js';
import { ERROR_RAISED } from '../../src/ioda2/trace.js';
import { memoryWrite, type Tlp } from '../../src/pcie/tlp.js';
import { ms } from '../../src/sim/time.js';
import { booted, halves, hex, LINK_IRQS, m32, PE, PELTV, PEST, RID, type Rig, RTT, type TrapPrefix } from './rig.js';

/** What software or a device does so that the bridge itself meets the error. */
type Cause = (rig: Rig) => void;

/** A device that no bus has: its card is on bus 1, and the root port forwards nothing to device 1 there. */
const NOBODY = 0x0108;
const answer =
  (kind: 'UR' | 'CA' | 'poisoned' | 'nothing', act: Cause): Cause =>
  (rig) => {
    rig.card.answers.push(kind);
    act(rig);
    rig.run(ms(40));
  };
const load: Cause = (rig) => void rig.load(m32(PE));
const readConfig: Cause = (rig) => void rig.config(RID, 0);
const writeConfig: Cause = (rig) => rig.setConfig(RID, 0x40, [1]);
const dma =
  (address: bigint): Cause =>
  (rig) =>
    rig.dmaWrite(address, [1]);
const inject =
  (control: bigint, address: bigint, act: Cause): Cause =>
  (rig) => {
    rig.write('PHB_PAPR_ERR_INJ_ADDR', address);
    rig.write('PHB_PAPR_ERR_INJ_MASK', 0xffff_ffff_ffffn);
    rig.write('PHB_PAPR_ERR_INJ_CTL', control);
    act(rig);
  };
const packet =
  (make: () => Tlp): Cause =>
  (rig) => {
    rig.card.send(make());
    rig.run(5000);
  };
const READ = msbMask(4);
const WRITE = msbMask(5);

const CAUSES: Readonly<Record<ErrorEventName, Cause>> = {
  'mmio-load-ca': answer('CA', load),
  'mmio-load-ur': answer('UR', load),
  'mmio-load-timeout': answer('nothing', load),
  'config-read-ur': (rig) => void rig.config(NOBODY, 0),
  'config-read-ca': answer('CA', readConfig),
  'config-read-timeout': answer('nothing', readConfig),
  'config-write-ur': answer('UR', writeConfig),
  'config-write-ca': answer('CA', writeConfig),
  'config-write-timeout': answer('nothing', writeConfig),
  'config-not-enabled': (rig) => {
    rig.write('PHB_CONFIG_ADDRESS', 0n);
    rig.host.load(rig.address('PHB_CONFIG_DATA'), 4);
  },
  'config-size': (rig) => void rig.host.load(rig.address('PHB_CONFIG_DATA') + 1, 2),
  'config-target': (rig) => void rig.config(0x0008, 0),
  'config-link-down': (rig) => {
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    rig.link.surpriseRemove();
    readConfig(rig);
  },
  'mmio-no-window': (rig) => {
    rig.setIoda('M64BT', 0, 0n);
    rig.load(0x3b00_0000_0000);
  },
  'papr-mmio': inject(msbMask(1) | READ, BigInt(m32(PE)) & 0xffff_ffff_ffffn, load),
  'papr-config-read': inject(msbMask(3) | READ, 0n, readConfig),
  'papr-config-write': inject(msbMask(3) | WRITE, 0n, writeConfig),
  'papr-dma': inject(msbMask(0) | WRITE, 0x1000n, dma(0x1000n)),
  'tve-invalid': dma(0x0800_0000_0000_1000n),
  'tve-range': dma(0x20_0000n),
  'tce-page-fault': dma(0x5000n),
  'tce-access-fault': dma(0x2000n),
  'msi-pe-mismatch': (rig) => {
    rig.setIve(0x10, { pe: PE + 1 });
    rig.msi(0x10);
  },
  'msi-source': (rig) => {
    rig.write('PHB_IVT_BAR', rig.read('PHB_IVT_BAR') - 0x700n);
    rig.msi(0x200);
  },
  'msi-size': (rig) => rig.dmaWrite(0xffff_0000n, new Array<number>(32).fill(0)),
  'msi-alignment': (rig) => rig.dmaWrite(0xffff_0004n, [0, 0, 0, 0]),
  'poisoned-write': packet(() => ({ ...memoryWrite(RID, halves(0x1000n), Uint8Array.of(1, 2, 3, 4)), poisoned: true })),
  'poisoned-completion': answer('poisoned', load),
  'request-unsupported': packet(() => ({
    ...{ kind: 'CfgRd0', requesterId: RID, tag: 1, targetId: 0, register: 0 },
    ...{ addressHi: 0, addressLo: 0, lengthBytes: 4 },
  })),
  'rte-invalid': (rig) => {
    rig.setRte(RID, 0xffff);
    rig.dmaWrite(0x1000n, [1]);
  },
  'table-bar-disabled': (rig) => {
    rig.write('PHB_RTT_BAR', BigInt(RTT));
    rig.dmaWrite(0x1000n, [1]);
  },
  'pest-bar-disabled': (rig) => {
    rig.write('PHB_PEST_BAR', BigInt(PEST));
    rig.dmaWrite(0x5000n, [1]);
  },
  'fetch-ue': (rig) => {
    rig.write('PHB_PELTV_BAR', msbMask(0) | 0x40_0000_0000n);
    rig.sendError('ERR_FATAL');
  },
  'err-fatal': (rig) => rig.sendError('ERR_FATAL'),
  'err-nonfatal': (rig) => rig.sendError('ERR_NONFATAL'),
  'err-corr': (rig) => rig.sendError('ERR_COR'),
  'completion-table-timeout': (rig) => {
    rig.write('UTL_PCIE_PORT_CONTROL', 0x9n << 36n);
    answer('nothing', load)(rig);
  },
  'utl-error': (rig) => rig.link.surpriseRemove(),
  'register-address': (rig) => void rig.host.load(rig.machine.addressMap.phbBase(0) + 0xff8, 8),
};

/** Events that came up while the cause was at work, in order. */
function eventsOf(rig: Rig, cause: Cause): ErrorEventName[] {
  const events: ErrorEventName[] = [];
  const stop = rig.machine.sim.trace.subscribe(
    ({ values }) => events.push(ERROR_EVENT_NAMES[values[0]!]!),
    [ERROR_RAISED],
  );
  cause(rig);
  stop();
  return events;
}

const PREFIX = { PHB: 'PHB', OUT: 'PHB_OUT', INA: 'PHB_INA', INB: 'PHB_INB' } as const satisfies Record<
  string,
  TrapPrefix
>;

describe('every event of the catalogue has a cause in the model', () => {
  it.each(ERROR_EVENT_NAMES.map((name) => ({ name })))('$name', ({ name }) => {
    const rig = booted();
    const events = eventsOf(rig, CAUSES[name]);
    expect(events.filter((event) => event === name)).toHaveLength(1);
    const { trap, bit, lem } = trapBitOf(name);
    expect(rig.asbRead(`${PREFIX[trap]}_ERR_STATUS`) & msbMask(bit)).toBe(msbMask(bit));
    expect(rig.asbRead('PHB_LEM_FIR_ACCUM') & msbMask(lem!)).toBe(msbMask(lem!));
    const scope = eventScope(name);
    expect(rig.fenced).toBe(scope === 'fence' || name === 'pest-bar-disabled');
    if (scope === 'none') expect(rig.frozenPes()).toEqual([]);
    if (scope === 'single' || scope === 'pelt-v') expect(rig.frozenPes()).toEqual([PE]);
    if (scope === 'all') expect(rig.frozenPes()).toHaveLength(256);
    if (scope !== 'fence') expect(rig.endInterrupts()).toEqual([scope === 'none' ? 0x7fe : 0x7ff]);
    const { summary } = ERROR_EVENTS[name];
    const shows = (register: 'PHB_CPU_LOADSTORE_STATUS' | 'PHB_DMA_CHAN_STATUS') => rig.asbRead(register) !== 0n;
    if (summary !== 'none') expect(shows('PHB_CPU_LOADSTORE_STATUS') || shows('PHB_DMA_CHAN_STATUS')).toBe(true);
  });

  it('and no other trap bit has one: those come by injection alone', () => {
    const caused = new Set(ERROR_EVENT_NAMES.map((name) => `${ERROR_EVENTS[name].trap} ${ERROR_EVENTS[name].bit}`));
    const routed = Object.values(TRAP_BITS)
      .flat()
      .filter(({ class: errorClass }) => errorClass !== 'none')
      .map(({ trap, bit }) => `${trap} ${bit}`);
    expect([...caused].filter((bit) => !routed.includes(bit))).toEqual([]);
    expect(routed.filter((bit) => !caused.has(bit))).toHaveLength(routed.length - caused.size);
    // The endpoint-recoverable ones among them, by hand.
    const recoverable = Object.values(TRAP_BITS)
      .flat()
      .filter(({ class: errorClass, trap, bit }) => errorClass === 'ER' && !caused.has(`${trap} ${bit}`));
    expect(recoverable.map(({ trap, bit }) => `${trap} ${bit}`)).toEqual([
      'PHB 40',
      'OUT 22',
      'INA 22',
      'INA 50',
      'INB 17',
      'INB 18',
    ]);
  });
});

/** Firmware's error clear, access by access. Source: skiboot hw/phb3.c: phb3_err_ER_clear. Facts: ioda2-phb3 7.12.1. */
function clearAsFirmware(rig: Rig): void {
  const fir = rig.read('PHB_LEM_FIR_ACCUM');
  const store = (register: number, bigEndian: bigint) => {
    rig.write('PHB_CONFIG_ADDRESS', msbMask(0) | (BigInt(register) << 32n));
    rig.host.store(rig.address('PHB_CONFIG_DATA'), 4, bigEndian);
  };
  store(0x1c, 0x1000_0000n);
  rig.write('PHB_CONFIG_ADDRESS', msbMask(0) | (0x50n << 32n));
  rig.host.load(rig.address('PHB_CONFIG_DATA'), 4);
  rig.host.store(rig.address('PHB_CONFIG_DATA'), 4, 0x0f00_0f00n);
  for (const register of [0x104, 0x110, 0x130]) store(register, 0xffff_ffffn);
  store(0x40, 0x4701_00f8n);
  for (const name of ['UTL_SYS_BUS_AGENT_STATUS', 'UTL_PCIE_PORT_STATUS', 'UTL_RC_STATUS'] as const)
    rig.write(name, rig.read(name));
  rig.clearErrors();
  expect(rig.read('PHB_LEM_FIR_ACCUM') & fir).toBe(0n);
}

describe("firmware's error clear", () => {
  const passing = ERROR_EVENT_NAMES.filter((name) => eventScope(name) !== 'fence');

  it.each(passing.map((name) => ({ name })))('leaves nothing of $name but the freeze and its record', ({ name }) => {
    const rig = booted();
    CAUSES[name](rig);
    const frozen = rig.frozenPes();
    const record = rig.pest(PE);
    clearAsFirmware(rig);
    expect([rig.read('PHB_ETU_ERR_SUMMARY'), rig.read('PHB_LEM_FIR_ACCUM'), rig.read('PHB_LEM_WOF')]).toEqual([
      0n,
      0n,
      0n,
    ]);
    expect(rig.read('UTL_PCIE_PORT_STATUS')).toBe(0n);
    for (const register of [0x104, 0x110, 0x130]) expect(rig.config(0, register)).toBe(0n);
    expect([rig.frozenPes(), rig.pest(PE)]).toEqual([frozen, record]);
    rig.endInterrupts();
    expect(rig.pendingIsns()).toEqual([]);
  });
});

describe('one error on top of another', () => {
  it('adds trap bits and LEM bits of a PE that is frozen, and leaves its PEST and the first log alone', () => {
    const rig = booted();
    rig.dmaWrite(0x5000n, [1]);
    const before = [...rig.pest(PE), hex(rig.read('PHB_INA_ERR_LOG_0')), hex(rig.read('PHB_INA_ERR_LOG_1'))];
    // Loads and DMA of a frozen PE end before they can fail: configuration cycles and messages still do.
    answer('CA', readConfig)(rig);
    rig.sendError('ERR_FATAL');
    rig.dmaWrite(0x6000n, [1]);
    expect([...rig.pest(PE), hex(rig.read('PHB_INA_ERR_LOG_0')), hex(rig.read('PHB_INA_ERR_LOG_1'))]).toEqual(before);
    expect(rig.read('PHB_INA_ERR_STATUS')).toBe(msbMask(0) | msbMask(49));
    expect(rig.read('PHB_INA_ERR1_STATUS')).toBe(msbMask(49));
    expect(rig.read('PHB_INB_ERR1_STATUS')).toBe(msbMask(57));
    expect(rig.read('PHB_LEM_FIR_ACCUM')).toBe(msbMask(36) | msbMask(43) | msbMask(58));
  });

  it('of a frozen PE still freezes the others in its row', () => {
    const rig = booted();
    rig.setPeltv(PE, [9]);
    rig.setIoda('PESTA', PE, msbMask(0));
    rig.sendError('ERR_NONFATAL');
    expect(rig.frozenPes()).toEqual([PE, 9]);
    expect([rig.pest(PE)[0], rig.pest(9)[0]]).toEqual(['8000000000000000', '8720002501000000']);
  });

  it('finds what the table of rows says now: it is read anew for each message', () => {
    const rig = booted();
    rig.sendError('ERR_FATAL');
    expect(rig.frozenPes()).toEqual([PE]);
    rig.thaw(PE);
    rig.memory.write8(PELTV + 32 * PE, 0x80);
    rig.sendError('ERR_FATAL');
    expect(rig.frozenPes()).toEqual([0]);
  });

  it('freezes all 256 with one and the same record, but for those that were frozen before', () => {
    const rig = booted();
    rig.dmaWrite(0x5000n, [1]);
    rig.write('UTL_PCIE_PORT_IRQ_EN', LINK_IRQS);
    rig.link.surpriseRemove();
    const records = new Set(Array.from({ length: 256 }, (_, pe) => pe).map((pe) => rig.pest(pe).join(' ')));
    expect(records).toEqual(new Set(['8701003c00000000 8000000000000000', '8000b03a01000000 8000000000005000']));
  });
});
