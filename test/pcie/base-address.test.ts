import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BarDeclarationError, type BarSpec } from '../../src/pcie/config-header.js';
import { Simulator } from '../../src/sim/simulator.js';
import { BAR0, Box, layout } from './box.js';

describe('base address registers', () => {
  const bar = fc.record({
    log: fc.integer({ min: 4, max: 31 }),
    kind: fc.constantFrom('memory32' as const, 'memory64' as const),
    index: fc.constantFrom(0 as const, 2 as const, 4 as const),
  });

  it('answer sizing with the complement of their size, keep the type bits and any aligned base', () => {
    fc.assert(
      fc.property(bar, fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }), ({ log, kind, index }, wanted) => {
        const bars = [{ index, kind, sizeBytes: 2 ** log } as const];
        const sim = new Simulator();
        const box = new Box(sim, { bars, layout: layout(bars) });
        const at = BAR0 + 4 * index;
        const wide = kind === 'memory64';
        const low = () => BigInt(box.config.read(at, 4));
        const whole = () => (wide ? (BigInt(box.config.read(at + 4, 4)) << 32n) | low() : low());
        const write = (value: bigint) => {
          box.config.write(at, 4, Number(value & 0xffff_ffffn));
          if (wide) box.config.write(at + 4, 4, Number(value >> 32n));
        };
        const space = wide ? 2n ** 64n : 2n ** 32n;
        write(space - 1n);
        expect((space - (whole() & ~0xfn)) % space).toBe(BigInt(2 ** log));
        expect(low() & 0xfn).toBe(wide ? 4n : 0n);
        const base = (wanted % space) & ~(BigInt(2 ** log) - 1n);
        write(wanted % space);
        expect(whole() & ~0xfn).toBe(base);
        expect(box.baseAddresses.base(index)).toBe(base);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('above 4 GiB size by their upper half alone', () => {
    const bars = [{ index: 0, kind: 'memory64', sizeBytes: 2 ** 34, prefetchable: true }] as const;
    const box = new Box(new Simulator(), { bars, layout: layout(bars) });
    box.config.write(BAR0, 4, 0xffff_ffff);
    box.config.write(BAR0 + 4, 4, 0xffff_ffff);
    expect(box.config.read(BAR0, 4)).toBe(0x0000_000c);
    expect(box.config.read(BAR0 + 4, 4)).toBe(0xffff_fffc);
    expect(box.baseAddresses.base(3)).toBe(0n);
  });

  it.each([
    ['power of two', { index: 0, sizeBytes: 24, kind: 'memory32' }],
    ['at least 4', { index: 0, sizeBytes: 2, kind: 'io' }],
    ['32 bits', { index: 0, sizeBytes: 2 ** 33, kind: 'memory32' }],
    ['slot after', { index: 5, sizeBytes: 4096, kind: 'memory64' }],
  ] as [string, BarSpec][])('must be declared soundly: %s', (problem, spec) => {
    expect(() => layout([spec])).toThrow(BarDeclarationError);
    expect(() => layout([spec])).toThrow(problem);
  });

  it('cannot share a slot', () => {
    const twice: BarSpec[] = [
      { index: 0, sizeBytes: 4096, kind: 'memory64' },
      { index: 1, sizeBytes: 4096, kind: 'memory32' },
    ];
    expect(() => layout(twice)).toThrow('slot 1 is taken');
  });
});
