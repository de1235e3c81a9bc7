import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccessSize } from '../../src/hw/host-port.js';
import { HUB_REGISTERS } from '../../src/ioda1/registers/hub.js';
import { PHB_REGISTERS } from '../../src/ioda1/registers/phb.js';
import { memoryRead, memoryWrite, message, type Tlp } from '../../src/pcie/tlp.js';
import { ms } from '../../src/sim/time.js';
import { aib, asb, booted, halves, io, MWIN1, MWIN2, m32, m64, ONES, PAGE_AT, type Rig } from './rig.js';

const SETTINGS = { seed: 1, numRuns: 60 } as const;
const SIZES: readonly AccessSize[] = [1, 2, 4, 8];

const word = fc.oneof(
  fc.constantFrom(0n, ONES, 1n << 63n, 0x8000_0000_0000_00ffn),
  fc.bigInt({ min: 0n, max: ONES }),
  fc.integer({ min: 0, max: 63 }).map((bit) => 1n << BigInt(bit)),
);
const phbOffset = fc.constantFrom(...PHB_REGISTERS.registers.map(({ offset }) => offset));
const hubOffset = fc.constantFrom(...HUB_REGISTERS.registers.map(({ offset }) => offset));
const address = fc.oneof(
  phbOffset.map((offset) => aib(0) + offset),
  phbOffset.map((offset) => asb(0) + offset),
  hubOffset.map((offset) => MWIN1 + offset),
  fc.integer({ min: 0, max: 127 }).chain((pe) => fc.constantFrom(io(pe), m32(pe), m64(pe), m32(pe, 0x1234))),
  fc.integer({ min: 0, max: 0x1_ffff_ffff }).map((offset) => MWIN1 + offset),
  fc.integer({ min: 0, max: 0x5f_ffff_ffff }).map((offset) => MWIN2 + offset),
);
const packet: fc.Arbitrary<Tlp> = fc
  .record({ rid: fc.integer({ min: 0, max: 0xffff }), where: word, code: fc.integer({ min: 0, max: 0x7f }) })
  .chain(({ rid, where, code }) =>
    fc.constantFrom(
      memoryWrite(rid, halves(where & ~3n), Uint8Array.of(1, 2, 3, 4)),
      memoryRead({ requesterId: rid, tag: 1 }, halves(where & ~3n), 4),
      memoryWrite(rid, halves(0xffff_0060n), Uint8Array.of(code, 0, 0, 0)),
      message(rid, code),
    ),
  );

type Step =
  | { readonly kind: 'load' | 'store'; readonly at: number; readonly size: AccessSize; readonly value: bigint }
  | { readonly kind: 'packet'; readonly packet: Tlp }
  | { readonly kind: 'run'; readonly ns: number }
  | { readonly kind: 'interrupts' };

const access = fc.record({ at: address, size: fc.constantFrom(...SIZES), value: word });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: access.map((each) => ({ kind: 'store', ...each }) as const) },
  { weight: 4, arbitrary: access.map((each) => ({ kind: 'load', ...each }) as const) },
  { weight: 4, arbitrary: packet.map((each) => ({ kind: 'packet', packet: each }) as const) },
  { weight: 2, arbitrary: fc.constantFrom(1000, ms(1), ms(50)).map((ns) => ({ kind: 'run', ns }) as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'interrupts' } as const) },
);

/** Carries out a step; a load must answer within its size. */
function perform(rig: Rig, each: Step): void {
  if (each.kind === 'store') rig.store(each.at, each.size, each.value);
  else if (each.kind === 'packet') rig.card.send(each.packet);
  else if (each.kind === 'run') rig.run(each.ns);
  else if (each.kind === 'interrupts') rig.endInterrupts();
  else expect(rig.load(each.at, each.size) >> BigInt(8 * each.size)).toBe(0n);
}

describe('whatever software and cards do', () => {
  it('the hub answers every load in its size and never breaks', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), (steps) => {
        const rig = booted();
        for (const each of steps) perform(rig, each);
        rig.run(ms(100));
      }),
      SETTINGS,
    );
  });

  it('PEEV names exactly the PEs whose state is frozen', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 40 }), (steps) => {
        const rig = booted();
        for (const each of steps) perform(rig, each);
        const phb = rig.hub.phbs[0]!;
        const frozen = (pe: number) => ((phb.peekTable('PESTA', pe) | phb.peekTable('PESTB', pe)) >> 63n) & 1n;
        for (let pe = 0; pe < 128; pe++) {
          const named = (phb.peekTable('PEEV', pe >> 6) >> BigInt(63 - (pe & 63))) & 1n;
          expect(named, `${pe}`).toBe(frozen(pe));
        }
      }),
      SETTINGS,
    );
  });

  it('the same steps give the same digest', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 30 }), (steps) => {
        const digests = [0, 1].map(() => {
          const rig = booted();
          for (const each of steps) perform(rig, each);
          return rig.machine.sim.digest();
        });
        expect(digests[0]).toEqual(digests[1]);
      }),
      { ...SETTINGS, numRuns: 20 },
    );
  });

  it('a fenced bridge lets no packet through in either direction', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(packet, address), { minLength: 5, maxLength: 30 }), (things) => {
        const rig = booted();
        rig.write('PHB_OUT_ERR_INJECT', 1n << 63n);
        const dataPages = () => Buffer.from(rig.memory.readBlock(PAGE_AT(0), 0x8000));
        const before = dataPages();
        for (const thing of things) {
          if (typeof thing !== 'number') rig.card.send(thing);
          else if (thing >= aib(0) && thing < aib(0) + 0x1_0000) rig.store(thing, 8, ONES);
          else if (thing >= MWIN2) rig.store(thing, 4, 1n);
        }
        rig.run(ms(1));
        expect(rig.card.received).toEqual([]);
        expect(dataPages().equals(before)).toBe(true);
      }),
      SETTINGS,
    );
  });
});
