/**
 * A storm over PHB 0 of a P7IOC: any access to any of its registers and tables by both windows, packets of any kind, time
 * passing. What reaches the hub itself is left out: no reset would undo it (see test/ioda1/storm.test.ts).
 */
import fc from 'fast-check';
import type { AccessSize } from '../../../../src/hw/host-port.js';
import { PHB_REGISTERS } from '../../../../src/ioda1/registers/phb.js';
import { IODA_TABLE_NAMES, IODA_TABLES } from '../../../../src/ioda1/tables.js';
import { ms } from '../../../../src/sim/time.js';
import { word64 } from '../../../hw/register-laws.js';
import { aib, asb, booted, io, m32, m64, ONES, type Rig, TCES, tve, WINDOW } from '../../../ioda1/rig.js';
import { Card } from '../../../ioda2/card.js';
import { fitting, type PacketGust, packetOf, packets, type Site, type StormyChip } from '../storm.js';

const PAGE_BYTES = 0x1000;
/** In the PCI Express capability of the root port. */
const SLOT_STATUS = 0x62;
const PRESENCE_CHANGED = 0x08;
const VERSION = 0xa2_0000_0002n;

type Gust =
  | {
      readonly door: 'aib-load' | 'aib-store' | 'asb-load' | 'asb-store';
      readonly offset: number;
      readonly size: AccessSize;
      readonly value: bigint;
    }
  | {
      readonly door: 'window-load' | 'window-store';
      readonly address: number;
      readonly size: AccessSize;
      readonly value: bigint;
    }
  | {
      readonly door: 'table-read' | 'table-write';
      readonly table: number;
      readonly index: number;
      readonly value: bigint;
    }
  | { readonly door: 'config'; readonly rid: number; readonly register: number; readonly bytes: readonly number[] }
  | { readonly door: 'pair'; readonly words: readonly [bigint, bigint] }
  | PacketGust
  | { readonly door: 'time'; readonly ns: number };

const size = fc.constantFrom<AccessSize>(1, 2, 4, 8, 8, 8);
const value = fc.oneof(
  { weight: 3, arbitrary: word64 },
  { weight: 1, arbitrary: fc.constantFrom(0n, ONES, 1n << 63n, 0x8400_0000_0000_0000n, 0xe000_0000_0000_0000n) },
);
const offset = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...PHB_REGISTERS.names.map((name) => PHB_REGISTERS.get(name).offset)) },
  { weight: 1, arbitrary: fc.nat(PAGE_BYTES - 1) },
);
const address = fc
  .record({ window: fc.constantFrom(io, m32, m64), pe: fc.nat(127), at: fc.nat(0xffff) })
  .map(({ window, pe, at }) => window(pe, at));
const everyRequester = tve({ table: TCES, pe: 5 });
const dmaAddress = fc.oneof(
  fc.constantFrom(0n, WINDOW, WINDOW | 0x1000n, 0xffff_0000n, 0xffff_0014n, 9n << 60n, 1n << 53n, 1n << 59n),
  fc.bigInt({ min: 0n, max: ONES }),
);

const gust: fc.Arbitrary<Gust> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      door: fc.constantFrom('aib-load', 'aib-store', 'aib-store', 'asb-load', 'asb-store'),
      ...{ offset, size, value },
    }),
  },
  { weight: 3, arbitrary: fc.record({ door: fc.constantFrom('window-load', 'window-store'), address, size, value }) },
  {
    weight: 4,
    arbitrary: fc.record({
      door: fc.constantFrom('table-read', 'table-write'),
      table: fc.oneof(fc.constantFrom(...IODA_TABLE_NAMES.map((name) => IODA_TABLES[name].selector!)), fc.nat(31)),
      ...{ index: fc.nat(300), value },
    }),
  },
  { weight: 1, arbitrary: fc.constant({ door: 'pair' as const, words: everyRequester }) },
  {
    weight: 2,
    arbitrary: fc.record({
      door: fc.constant('config' as const),
      ...{ rid: fc.constantFrom(0, 0x0008, 0x0100, 0x0108, 0x0200, 0xffff), register: fc.nat(0xfff) },
      bytes: fc.constantFrom([], [0], [0xff], [1, 2], [1, 2, 3, 4], [0xff, 0xff, 0xff, 0xff]),
    }),
  },
  { weight: 4, arbitrary: packets(dmaAddress) },
  { weight: 1, arbitrary: fc.constantFrom(1000, ms(1), ms(50)).map((ns) => ({ door: 'time' as const, ns })) },
);

function blow(each: Gust, rig: Rig): bigint | undefined {
  switch (each.door) {
    case 'aib-load':
    case 'asb-load':
      return rig.load((each.door === 'aib-load' ? aib(0) : asb(0)) + each.offset, each.size);
    case 'aib-store':
    case 'asb-store':
      rig.store((each.door === 'aib-store' ? aib(0) : asb(0)) + each.offset, each.size, fitting(each.value, each.size));
      return undefined;
    case 'window-load':
      return rig.load(each.address, each.size);
    case 'window-store':
      rig.store(each.address, each.size, fitting(each.value, each.size));
      return undefined;
    case 'table-read':
      return rig.ioda(each.table, each.index);
    case 'table-write':
      rig.setIoda(each.table, each.index, each.value);
      return undefined;
    case 'pair':
      rig.setPair('TVT', 11, each.words);
      return undefined;
    case 'config':
      if (each.bytes.length === 0) return rig.config(each.rid, each.register, 1);
      rig.setConfig(each.rid, each.register & ~3, each.bytes);
      return undefined;
    case 'packet':
      rig.card.send(packetOf(each));
      rig.run(2000);
      return undefined;
    case 'time':
      rig.run(each.ns);
      return undefined;
  }
}

/** Everything PHB 0 holds: registers, tables with both their words, configuration space of the root port, the link. */
function everything(rig: Rig): Record<string, string> {
  const phb = rig.hub.phbs[0]!;
  const all: Record<string, string> = {};
  for (const name of PHB_REGISTERS.names) all[name] = phb.registers.peek(name).toString(16);
  for (const table of IODA_TABLE_NAMES) {
    for (let index = 0; index < IODA_TABLES[table].entries; index++)
      all[`${table}[${index}]`] = phb.peekTable(table, index).toString(16);
  }
  for (const table of ['TVT', 'PELTV'] as const) {
    for (let index = 0; index < IODA_TABLES[table].entries; index++) {
      rig.select(table, index);
      all[`${table}[${index}] second`] = rig.read('PHB_IODA_DATA1').toString(16);
    }
  }
  for (let register = 0; register < 0x200; register += 4)
    all[`config ${register}`] = rig.config(0, register).toString(16);
  all['link'] = `${rig.link.state} Gen${rig.link.speed} x${rig.link.width}`;
  return all;
}

const stormy: StormyChip<Rig, Gust> = {
  name: 'P7IOC',
  cost: 3,
  booted() {
    const rig = booted();
    // The card came before the first start, and comes with none later: software takes note of it.
    const target = rig.read('PHB_CONFIG_ADDRESS');
    rig.setConfig(0, SLOT_STATUS, [PRESENCE_CHANGED, 0]);
    rig.write('PHB_CONFIG_ADDRESS', target);
    return rig;
  },
  insideThePhb: gust,
  anything: gust,
  blow,
  answerBytes: (each) =>
    each.door === 'aib-load' || each.door === 'asb-load' || each.door === 'window-load' ? each.size : 8,
  fencedDoor: ({ door }) =>
    door === 'aib-load' || door === 'window-load' || door === 'table-read'
      ? 'reads ones'
      : door === 'asb-load' || door === 'asb-store'
        ? 'side path'
        : 'no answer',
  fence: (rig) => rig.asbWrite('PHB_OUT_ERR_INJECT', 1n << 63n),
  isFenced: (rig) => rig.hub.phbs[0]!.isFenced,
  setEnables: (rig) => rig.asbWrite('PHB_OUT_ERR_AIB_FENCE_ENABLE', 1n << 63n),
  recover(rig) {
    rig.resetPhb(0);
    rig.memory.fill(TCES, 0x8000, 0);
    rig.card.answers.length = 0;
    rig.card.config.fill(0).set(new Card().config);
    rig.boot();
    rig.endInterrupts();
  },
  everything,
  version: VERSION,
  message(rig) {
    rig.setIoda('MVT', 6, (1n << 63n) | (5n << 16n));
    rig.setIoda('MXIVT', 3, 0x000000_05_0000_0000n | (5n << 16n));
    rig.msi(6, 3);
    return rig.interrupts.pending().length > 0 || rig.hub.phbs[0]!.peekTable('MIST', 3) >> 63n === 1n;
  },
  dma: WINDOW,
  m32,
  m64,
};

export const P7IOC_STORM = stormy as unknown as Site;
