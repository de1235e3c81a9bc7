/** A storm over PHB3: any access to any register by any door, packets of any kind, time passing. */
import fc from 'fast-check';
import { msbMask } from '../../../../src/hw/bits.js';
import type { AccessSize } from '../../../../src/hw/host-port.js';
import { PBCQ_NEST_REGISTERS, PBCQ_PCI_REGISTERS } from '../../../../src/ioda2/registers/pbcq.js';
import { PHB_REGISTERS } from '../../../../src/ioda2/registers/phb.js';
import { IODA_TABLE_NAMES, IODA_TABLES, type IodaTableName } from '../../../../src/ioda2/tables.js';
import { programPbcq } from '../../../../src/machine/hostboot.js';
import { ms } from '../../../../src/sim/time.js';
import { word64 } from '../../../hw/register-laws.js';
import { type Answer, Card } from '../../../ioda2/card.js';
import { booted, hex, IVT, m32, m64, ONES, PELTV, PEST, type Rig, RTT, TCES } from '../../../ioda2/rig.js';
import { fitting, type PacketGust, packetOf, packets, type Site, type StormyChip } from '../storm.js';

const PAGE_BYTES = 0x1000;
const NEST = 0x0201_2000;
const PCI = 0x0901_2000;
const SPCI = 0x0901_3c00;

type Gust =
  | {
      readonly door: 'load' | 'store' | 'asb-read' | 'asb-write';
      readonly offset: number;
      readonly size: AccessSize;
      readonly value: bigint;
    }
  | {
      readonly door: 'window-load' | 'window-store';
      readonly address: number;
      readonly size: AccessSize;
      readonly value: bigint;
      readonly answer: Answer;
    }
  | { readonly door: 'scom-read' | 'scom-write'; readonly address: number; readonly value: bigint }
  | {
      readonly door: 'table-read' | 'table-write';
      readonly table: IodaTableName;
      readonly index: number;
      readonly value: bigint;
    }
  | {
      readonly door: 'config';
      readonly rid: number;
      readonly register: number;
      readonly bytes: readonly number[];
      readonly pe: number;
      readonly answer: Answer;
    }
  | PacketGust
  | { readonly door: 'memory'; readonly address: number; readonly value: bigint }
  | { readonly door: 'time'; readonly ns: number };

/** A TVE that lets every real address through untranslated. */
const EVERYTHING_BYPASS = (0xff_ffffn << 16n) | (1n << 12n) | (3n << 8n);

const size = fc.constantFrom<AccessSize>(1, 2, 4, 8, 8, 8);
const knownOffset = fc.constantFrom(...PHB_REGISTERS.names.map((name) => PHB_REGISTERS.get(name).offset));
/** Those that set something going when they are written. */
const ACTING = [
  'PHB_QUIESCE_DMA_G',
  'PHB_IODA_ADDR',
  'PHB_IODA_DATA0',
  'PHB_PHB3_CONFIG',
  'PHB_CONTROL',
  'PHB_RESET',
  'PHB_IVT_BAR',
  'PHB_RTT_BAR',
  'PHB_PEST_BAR',
  'PHB_PELTV_BAR',
  'PHB_FFI_REQUEST',
  'PHB_PAPR_ERR_INJ_CTL',
  'PHB_INA_ERR_INJECT',
  'PHB_PCIE_LINK_MANAGEMENT',
] as const;
const actingOffset = fc.constantFrom(...ACTING.map((name) => PHB_REGISTERS.get(name).offset));
const offset = fc.oneof(
  { weight: 3, arbitrary: knownOffset },
  { weight: 2, arbitrary: actingOffset },
  { weight: 1, arbitrary: fc.nat(PAGE_BYTES - 1) },
);
/** Addresses that mean something to a BAR, a TVE or a TCE, among any values. */
const value = fc.oneof(
  { weight: 3, arbitrary: word64 },
  { weight: 2, arbitrary: fc.constantFrom(...[RTT, PELTV, PEST, IVT, TCES].map((base) => (1n << 63n) | BigInt(base))) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      0x0500_0101n,
      0x0101_1000n,
      EVERYTHING_BYPASS,
      (1n << 63n) | 0x3f_ffff_f000n,
      0xf000_0000_0000_0000n,
    ),
  },
);
const rid = fc.constantFrom(0, 0x0100, 0x0101, 0x0108, 0x0200, 0xffff);
const answer = fc.constantFrom<Answer>('data', 'data', 'data', 'UR', 'CA', 'CRS', 'nothing');
const dmaAddress = fc.oneof(
  fc.constantFrom(
    0n,
    0x1000n,
    0x2ff0n,
    0xffff_0000n,
    0xffff_fff0n,
    1n << 60n,
    1n << 59n,
    (1n << 59n) | 0x0100_0000n,
    (1n << 59n) | 0x4000_0000n,
    (1n << 59n) | 0x3fff_ffe0n,
  ),
  fc.bigInt({ min: 0n, max: ONES }),
);
const windowAddress = fc
  .record({ window: fc.constantFrom(m32, m64), pe: fc.nat(255), at: fc.nat(0xffff) })
  .map(({ window, pe, at }) => window(pe, at));

const registers: fc.Arbitrary<Gust> = fc.record({
  door: fc.constantFrom('load', 'store', 'store', 'asb-read', 'asb-write'),
  offset,
  size,
  value,
});
const windows: fc.Arbitrary<Gust> = fc.record({
  door: fc.constantFrom('window-load', 'window-store'),
  address: windowAddress,
  size,
  value: word64,
  answer,
});
const tables: fc.Arbitrary<Gust> = fc.record({
  door: fc.constantFrom('table-read', 'table-write'),
  table: fc.constantFrom(...IODA_TABLE_NAMES),
  index: fc.nat(600),
  value,
});
const windowsForAll: fc.Arbitrary<Gust> = fc.constant({
  door: 'table-write',
  table: 'TVT',
  index: 11,
  value: EVERYTHING_BYPASS,
});
const configs: fc.Arbitrary<Gust> = fc.record({
  ...{ door: fc.constant('config' as const), rid, register: fc.nat(0xfff), pe: fc.nat(255), answer },
  bytes: fc.oneof(
    fc.constant([]),
    fc.array(fc.nat(255), { minLength: 1, maxLength: 4 }).map((all) => all.slice(0, [0, 1, 2, 2, 4][all.length])),
  ),
});
const memory: fc.Arbitrary<Gust> = fc.record({
  door: fc.constant('memory' as const),
  address: fc.constantFrom(RTT + 0x200, PELTV, PEST, IVT, TCES, TCES + 8, TCES + 0x1000),
  value,
});
const time: fc.Arbitrary<Gust> = fc.record({
  door: fc.constant('time' as const),
  ns: fc.constantFrom(1000, 1e6, 2e7, 5e8),
});
const scoms: fc.Arbitrary<Gust> = fc.record({
  door: fc.constantFrom('scom-read', 'scom-write'),
  address: fc.oneof(
    fc.constantFrom(...PBCQ_NEST_REGISTERS.names.map((name) => NEST + PBCQ_NEST_REGISTERS.get(name).offset)),
    fc.constantFrom(...PBCQ_PCI_REGISTERS.names.map((name) => PCI + PBCQ_PCI_REGISTERS.get(name).offset)),
    fc.nat(5).map((register) => SPCI + register),
    fc.nat(0x50).map((register) => NEST + register),
  ),
  value,
});

/** What reaches the PHB itself: a reset of the ETU is to undo all of it. */
const insideThePhb = fc.oneof(
  { weight: 8, arbitrary: registers },
  { weight: 3, arbitrary: windows },
  { weight: 4, arbitrary: tables },
  { weight: 1, arbitrary: windowsForAll },
  { weight: 2, arbitrary: configs },
  { weight: 4, arbitrary: packets(dmaAddress) },
  { weight: 1, arbitrary: memory },
  { weight: 1, arbitrary: time },
);
const anything = fc.oneof({ weight: 12, arbitrary: insideThePhb }, { weight: 2, arbitrary: scoms });

function blow(gust: Gust, rig: Rig): bigint | undefined {
  const { host, card, memory: system } = rig;
  const page = rig.machine.addressMap.phbBase(0);
  switch (gust.door) {
    case 'load':
      return host.load(page + gust.offset, gust.size);
    case 'store':
      return void host.store(page + gust.offset, gust.size, fitting(gust.value, gust.size));
    case 'asb-read':
      return rig.asbRead(gust.offset);
    case 'asb-write':
      return void rig.asbWrite(gust.offset, gust.value);
    case 'window-load':
      card.answers.push(gust.answer);
      return host.load(gust.address, gust.size);
    case 'window-store':
      return void host.store(gust.address, gust.size, fitting(gust.value, gust.size));
    case 'scom-read':
      return host.scomRead(gust.address);
    case 'scom-write':
      return void host.scomWrite(gust.address, gust.value);
    case 'table-read':
      return rig.ioda(gust.table, gust.index & 0x1ff);
    case 'table-write':
      return void rig.setIoda(gust.table, gust.index & 0x1ff, gust.value);
    case 'config':
      card.answers.push(gust.answer);
      if (gust.bytes.length === 0) return rig.config(gust.rid, gust.register, 1, gust.pe);
      rig.setConfig(gust.rid, gust.register & ~3, gust.bytes, gust.pe);
      return undefined;
    case 'packet':
      card.send(packetOf(gust));
      rig.run(2000);
      return undefined;
    case 'memory':
      system.write64(gust.address, gust.value);
      return undefined;
    case 'time':
      rig.run(gust.ns);
      return undefined;
  }
}

/** From whatever state: ETU reset, what service firmware programs, and initialisation over cleared tables. */
function recover(rig: Rig): void {
  // The edge counts: a fence that software set during an earlier reset ends with this one.
  rig.etuReset('released');
  rig.etuReset('held');
  rig.run(ms(20));
  for (const name of ['NFIR', 'NFIR_WOF', 'IRSN_COMPARE', 'IRSN_MASK', 'LSI_SOURCE_ID'] as const) rig.setNest(name, 0n);
  rig.setSpci(3, 0n);
  programPbcq(rig.machine.phbs[0]!, 0, rig.machine.addressMap);
  rig.memory.fill(RTT, 0x2_0000, 0);
  rig.memory.fill(PELTV, 0x3000, 0);
  rig.memory.fill(IVT, 0x800 * 128, 0);
  rig.memory.fill(TCES, 0x8000, 0);
  rig.card.answers.length = 0;
  rig.card.config.fill(0).set(new Card().config);
  rig.boot();
}

/** Everything the chip holds: registers, tables on the chip, configuration space of the root port. */
function everything(rig: Rig): Record<string, string> {
  const phb = rig.machine.phbs[0]!;
  const all: Record<string, string> = {};
  for (const name of PHB_REGISTERS.names) all[name] = hex(phb.registers.peek(name));
  for (const table of IODA_TABLE_NAMES) {
    for (let index = 0; index < IODA_TABLES[table].entries; index++) {
      all[`${table}[${index}]`] = hex(phb.peekTable(table, index));
    }
  }
  for (let register = 0; register < 0x200; register += 4) all[`config ${register}`] = hex(rig.config(0, register));
  all['link'] = `${rig.link.state} Gen${rig.link.speed} x${rig.link.width}`;
  return all;
}

const stormy: StormyChip<Rig, Gust> = {
  name: 'PHB3',
  cost: 1,
  booted: (options) => booted(options ?? {}),
  ...{ insideThePhb, anything, blow, recover, everything },
  answerBytes: (gust) => (gust.door === 'load' || gust.door === 'window-load' ? gust.size : 8),
  fencedDoor: ({ door }) =>
    door === 'load' || door === 'window-load' || door === 'table-read'
      ? 'reads ones'
      : door === 'asb-read' || door === 'asb-write'
        ? 'side path'
        : 'no answer',
  fence: (rig) => rig.setNest('NFIR_OR', msbMask(24)),
  // A look from within an event too.
  isFenced: (rig) => (rig.machine.phbs[0]!.pbcq.nest.peek('NFIR') & msbMask(16)) !== 0n,
  // The fence of the queue needs none.
  setEnables: () => {},
  version: 0xa3_0000_0005n,
  message(rig) {
    rig.setIve(3, {});
    rig.msi(3);
    return rig.pq(3) === '10';
  },
  dma: 0n,
  m32,
  m64,
};

export const PHB3_STORM = stormy as unknown as Site;
