/**
 * Isolation without a model: what happens to one PE must not depend on what happens to another. The same traffic runs
 * twice, alone and among errors of other PEs, and everything that its devices, its memory and its processor see is the
 * same. Facts: ioda1-p7ioc 4.8, 7.8; ioda2-phb3 7.6 (PE propagation), 7.7; lopar R1-11.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BRIDGES } from './bridges.js';
import type { Answer, Direction, IodaChip, Observation } from './chip.js';
import { settings } from './settings.js';

/** The innocent, and two that fail: each with a requester, an M32 segment, a TCE table, a page frame and vectors of its own. */
const INNOCENT = { pe: 5, rid: 0x0100, table: 0, frame: 0x0100_0000, isn: 32 } as const;
const GUILTY = [
  { pe: 6, rid: 0x0101, table: 1, frame: 0x0101_0000, isn: 65 },
  { pe: 64, rid: 0x0200, table: 2, frame: 0x0102_0000, isn: 98 },
] as const;

type Party = {
  readonly pe: number;
  readonly rid: number;
  readonly table: number;
  readonly frame: number;
  readonly isn: number;
};

interface Action {
  readonly kind:
    | 'dma'
    | 'load'
    | 'store'
    | 'msi'
    | 'error'
    | 'config'
    | 'freeze'
    | 'thaw'
    | 'inject'
    | 'poison'
    | 'clear';
  readonly direction: Direction;
  readonly page: number;
  readonly answer: Answer;
  readonly severity: 'ERR_FATAL' | 'ERR_NONFATAL' | 'ERR_COR';
}

/** Opens everything; where the DMA window of each party begins. */
function setUp(chip: IodaChip): Map<number, bigint> {
  const windows = new Map<number, bigint>();
  for (const party of [INNOCENT, ...GUILTY]) {
    chip.setRte(party.rid, party.pe);
    // The guilty pull each other down, never the innocent.
    chip.setPeltv(party.pe, party === INNOCENT ? [party.pe] : GUILTY.map(({ pe }) => pe));
    windows.set(party.pe, chip.openWindow(party));
    for (let page = 0; page < 3; page++) {
      // Page 0 grants everything, page 1 reading, page 2 writing; the next ones nothing.
      const may = [3n, 1n, 2n][page]!;
      chip.setTce(chip.layout.tceTables + 4096 * party.table + 8 * page, BigInt(party.frame + 4096 * page) | may);
    }
    chip.setVector(party.isn, { pe: party.pe, priority: 5 });
  }
  chip.invalidateRtc('all');
  chip.killTces({ pe: 'all' });
  return windows;
}

interface Scene {
  readonly chip: IodaChip;
  readonly windows: ReadonlyMap<number, bigint>;
}

function sceneOf(chip: IodaChip): Scene {
  return { chip, windows: setUp(chip) };
}

function act({ chip, windows }: Scene, party: Party, action: Action): Observation | undefined {
  const { direction, page, answer } = action;
  const address = chip.layout.m32.base + party.pe * chip.layout.m32.segmentBytes + 8 * page;
  const dma = {
    ...{ rid: party.rid, direction, length: 16, seed: 7 * page, poisoned: false },
    address: windows.get(party.pe)! + (BigInt(page) << 12n),
  };
  switch (action.kind) {
    case 'dma':
      return chip.dma(dma);
    case 'poison':
      return chip.dma({ ...dma, direction: 'write', poisoned: true });
    case 'load':
      return chip.load(address, 4, answer);
    case 'store':
      return chip.store(address, 4, 0x1234n);
    case 'msi':
      return chip.msi({ rid: party.rid, isn: party.isn + page, bits: 32 });
    case 'error':
      return chip.errorMessage(party.rid, action.severity);
    case 'config':
      return chip.configRead(party.rid, party.pe, answer);
    case 'inject':
      return void chip.inject({
        kind: 'mmio',
        direction,
        address: BigInt(address),
        mask: BigInt(2 ** 48 - chip.layout.m32.segmentBytes),
        sticky: true,
      });
    case 'freeze':
      return void chip.setFreeze(party.pe, direction === 'read' ? 'mmio' : 'dma', true);
    case 'thaw':
      for (const half of ['mmio', 'dma'] as const) chip.setFreeze(party.pe, half, false);
      return undefined;
    case 'clear':
      return void chip.clearErrors();
  }
}

const direction = fc.constantFrom<Direction>('read', 'write');
const anyAction = (kinds: readonly Action['kind'][]): fc.Arbitrary<Action> =>
  fc.record({
    ...{ kind: fc.constantFrom(...kinds), direction, page: fc.nat(4) },
    answer: fc.constantFrom<Answer>('data', 'data', 'UR', 'CA', 'nothing'),
    severity: fc.constantFrom('ERR_FATAL' as const, 'ERR_NONFATAL' as const, 'ERR_COR' as const),
  });
const OWN = ['dma', 'dma', 'dma', 'load', 'load', 'store', 'msi', 'error', 'freeze', 'thaw', 'thaw', 'config'] as const;
/** What the others do, their errors included; only what belongs to the whole bridge (fences) is left out. */
const OTHERS = [...OWN, 'poison', 'inject', 'clear', 'error'] as const;

/** All that one PE is to software and to its device. */
function stateOf({ chip }: Scene, { pe, frame, isn }: Party): unknown {
  const bit = (chip.summaryWord(pe >> 6) >> BigInt(63 - (pe & 63))) & 1n;
  const halves = [chip.frozen(pe, 'mmio'), chip.frozen(pe, 'dma')];
  const vectors = [0, 1, 2].map((at) => chip.stateOf({ isn: isn + at }));
  const memory = Buffer.from(chip.memory(frame, 3 * 4096)).toString('hex');
  return { halves, bit, pest: chip.stateOf({ pe }), memory, vectors };
}

describe.each(BRIDGES)('the errors of some PEs of $name', ({ newChip }) => {
  it('change nothing for a PE outside their PELT-V: neither its state nor its memory nor any answer', () => {
    const script = fc.array(
      fc.oneof(
        fc.record({ who: fc.constant(-1), action: anyAction(OWN) }),
        fc.record({ who: fc.nat(GUILTY.length - 1), action: anyAction(OTHERS) }),
      ),
      { maxLength: 30, size: 'max' },
    );
    fc.assert(
      fc.property(script, (steps) => {
        const alone = sceneOf(newChip());
        const among = sceneOf(newChip());
        for (const { who, action } of steps) {
          if (who >= 0) {
            act(among, GUILTY[who]!, action);
            continue;
          }
          const wanted = act(alone, INNOCENT, action);
          const seen = act(among, INNOCENT, action);
          expect(seen).toEqual(wanted);
          expect(stateOf(among, INNOCENT)).toEqual(stateOf(alone, INNOCENT));
        }
        expect(stateOf(among, INNOCENT)).toEqual(stateOf(alone, INNOCENT));
        expect(among.chip.isFenced()).toBe(false);
      }),
      settings(60),
    );
  });
});

describe.each(BRIDGES)('a frozen PE of $name', ({ newChip }) => {
  it('sends and receives nothing, whatever is tried on it, until software thaws it', () => {
    const attempts = fc.array(
      anyAction(['dma', 'load', 'store', 'msi', 'poison', 'inject', 'clear', 'error', 'config']),
      {
        ...{ minLength: 1, maxLength: 20, size: 'max' },
      },
    );
    const scene = sceneOf(newChip());
    const { chip, windows } = scene;
    fc.assert(
      fc.property(attempts, fc.constantFrom('error', 'software'), (actions, cause) => {
        const { pe, rid, frame } = INNOCENT;
        if (cause === 'error') chip.load(chip.layout.m32.base + pe * chip.layout.m32.segmentBytes, 4, 'CA');
        else for (const half of ['mmio', 'dma'] as const) chip.setFreeze(pe, half, true);
        const before = Buffer.from(chip.memory(frame, 3 * 4096));
        for (const action of actions) {
          const seen = act(scene, INNOCENT, action);
          if (action.kind === 'config' && chip.layout.configOfFrozen === 'passes') continue;
          if (action.kind === 'config') expect(seen?.answer).toBe(0xffff_ffffn);
          expect(seen?.sent.filter((packet) => packet !== 'Cpl CA') ?? []).toEqual([]);
          expect(seen?.moved ?? []).toEqual([]);
          expect(seen?.interrupts ?? []).toEqual([]);
          if (action.kind === 'load') expect(seen?.answer).toBe(0xffff_ffffn);
        }
        expect(Buffer.from(chip.memory(frame, 3 * 4096)).equals(before)).toBe(true);
        expect([chip.frozen(pe, 'mmio'), chip.frozen(pe, 'dma')]).toEqual([true, true]);
        chip.inject({ kind: 'mmio', direction: 'read', address: 1n, mask: 0xffff_ffff_ffffn, sticky: false });
        for (const half of ['mmio', 'dma'] as const) chip.setFreeze(pe, half, false);
        expect(
          chip.dma({ rid, direction: 'read', address: windows.get(pe)!, length: 4, seed: 0, poisoned: false }).moved,
        ).toHaveLength(1);
        chip.clearErrors();
      }),
      settings(60),
    );
  });
});
