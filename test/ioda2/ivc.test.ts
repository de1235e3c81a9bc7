import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { us } from '../../src/sim/time.js';
import { booted, IRQ_BASE, IVT, ONES, PE, type Rig } from './rig.js';

const ISN = 0x10;
/** PHB_CONTROL as firmware of older days writes it: bit 23 caches vectors. */
const IVC_ON = 0xf3a8_0fcb_0000_0000n;
/** As newer firmware writes it: bit 27 instead, and no cache. */
const IVC_OFF = 0xf3a8_0edb_0000_0000n;
const FFI_LOCK_CLEAR = msbMask(3);

function cached(vector: Parameters<Rig['setIve']>[1] = {}): Rig {
  const rig = booted();
  rig.write('PHB_CONTROL', IVC_ON);
  rig.setIve(ISN, vector);
  return rig;
}

/** The message comes in and is taken and ended at once, so that presentation takes the next one. */
function deliver(rig: Rig, isn = ISN): { server: number; priority: number } | undefined {
  rig.msi(isn);
  const taken = rig.interrupts.take();
  if (taken === undefined) return undefined;
  rig.interrupts.eoi(taken.irq);
  return { server: taken.server, priority: taken.priority };
}

const invalidate = (rig: Rig, isn: number): void => rig.write('PHB_IVC_INVALIDATE', BigInt(isn) << 32n);
const update = (rig: Rig, value: bigint): void => rig.write('PHB_IVC_UPDATE', value | BigInt(ISN));

describe('the interrupt vector cache', () => {
  it('keeps the server and priority of a vector that software changed in memory, until it is invalidated', () => {
    const rig = cached({ server: 0x20, priority: 5 });
    expect(deliver(rig)).toEqual({ server: 8, priority: 5 });
    rig.setIve(ISN, { server: 0x40, priority: 6 });
    rig.write('PHB_IVC_UPDATE', msbMask(0) | BigInt(ISN));
    expect(deliver(rig)).toEqual({ server: 8, priority: 5 });
    rig.setIve(ISN, { server: 0x40, priority: 6 });
    invalidate(rig, ISN + 1);
    update(rig, msbMask(0));
    expect(deliver(rig)).toEqual({ server: 8, priority: 5 });
    rig.setIve(ISN, { server: 0x40, priority: 6 });
    invalidate(rig, ISN);
    expect(deliver(rig)).toEqual({ server: 0x10, priority: 6 });
    rig.setIve(ISN, { server: 0x60, priority: 6 });
    rig.write('PHB_IVC_INVALIDATE', msbMask(0));
    expect(deliver(rig)).toEqual({ server: 0x18, priority: 6 });
  });

  it('holds 32 vectors, each of them until it is invalidated alone', () => {
    const rig = cached();
    const isns = Array.from({ length: 32 }, (_, index) => 0x40 + index);
    const served = (): (number | undefined)[] => isns.map((isn) => deliver(rig, isn)?.server);
    const move = (server: number): void => {
      for (const isn of isns) rig.setIve(isn, { server });
      // Only P and Q of the cached copies are cleared, as an end of interrupt does.
      for (const isn of isns) rig.write('PHB_IVC_UPDATE', msbMask(0) | BigInt(isn));
      for (const isn of isns) rig.setIve(isn, { server });
    };
    const all = (server: number): number[] => isns.map(() => server);
    move(0x20);
    expect(served()).toEqual(all(8));
    move(0x40);
    expect(served()).toEqual(all(8));
    for (const isn of isns) invalidate(rig, isn);
    move(0x40);
    expect(served()).toEqual(all(0x10));
  });

  it('is off and empty after a reset of the bridge, and vectors stand 16 bytes apart again', () => {
    const rig = cached({ server: 0x20 });
    deliver(rig);
    rig.etuReset('held');
    rig.leftAlone.add('PHB_CONTROL');
    rig.boot();
    const short = (server: number): void =>
      rig.memory.write64(IVT + 16 * ISN, (BigInt(server) << 40n) | (5n << 32n) | BigInt(PE));
    short(0x40);
    expect(deliver(rig)?.server).toBe(0x10);
    short(0x60);
    expect(deliver(rig)?.server).toBe(0x18);
  });

  it('keeps charging the PE of a vector until it is invalidated: a changed PE works too soon or too late', () => {
    const rig = cached({ pe: PE });
    deliver(rig);
    rig.setIve(ISN, { pe: PE + 1 });
    update(rig, msbMask(0));
    expect(deliver(rig)).toEqual({ server: 8, priority: 5 });
    rig.setIve(ISN, { pe: PE + 1 });
    invalidate(rig, ISN);
    rig.msi(ISN);
    expect(rig.frozenPes()).toEqual([PE]);
  });

  it('holds a vector also of a message that was refused', () => {
    const rig = cached({ pe: PE + 1 });
    rig.msi(ISN);
    rig.thaw(PE);
    rig.endInterrupts();
    rig.setIve(ISN, { pe: PE });
    rig.msi(ISN);
    expect(rig.frozenPes()).toEqual([PE]);
  });

  it('has P and Q of its own: cleared in memory alone, they still hold messages back', () => {
    const rig = cached();
    rig.msi(ISN);
    rig.setIve(ISN, {});
    rig.msi(ISN);
    expect([rig.pq(ISN), rig.pendingIsns()]).toEqual(['01', [ISN]]);
  });

  it('writes P with the generation it holds, and Q, through to memory', () => {
    const rig = cached({ gen: 2 });
    rig.msi(ISN);
    expect(rig.memory.read8(rig.iveAddress(ISN) + 4)).toBe(0b101);
    rig.msi(ISN);
    expect(rig.memory.read8(rig.iveAddress(ISN) + 5)).toBe(1);
  });

  it('still wants the vector in a table that is enabled and long enough', () => {
    const rig = cached();
    deliver(rig);
    rig.write('PHB_IVT_BAR', msbMask(0) | BigInt(IVT) | 8n);
    rig.msi(ISN);
    expect(rig.pest(PE)[0]).toBe('8100802201000010');
  });

  it('saves the fetch from memory', () => {
    const rig = cached();
    const arrivalNs = (): number => {
      const start = rig.now;
      rig.card.send({
        ...{ kind: 'MWr', requesterId: 0x100, tag: 0, addressHi: 0, addressLo: 0xffff_0000, lengthBytes: 4 },
        data: Uint8Array.of(ISN, 0, 0, 0),
      });
      while (rig.interrupts.pending().length === 0 && rig.now - start < us(5)) rig.run(1);
      rig.interrupts.eoi(rig.interrupts.take()!.irq);
      const ns = rig.now - start;
      rig.setIve(ISN, {});
      update(rig, msbMask(0));
      return ns;
    };
    arrivalNs();
    const hotNs = arrivalNs();
    rig.write('PHB_IVC_INVALIDATE', msbMask(0));
    expect(arrivalNs() - hotNs).toBe(180);
  });

  it('has 32 entries, and the one unused for longest leaves', () => {
    const rig = cached();
    for (let isn = 0; isn <= 32; isn++) rig.setIve(isn, { server: 4 });
    for (let isn = 0; isn < 32; isn++) deliver(rig, isn);
    rig.msi(0);
    deliver(rig, 32);
    for (let isn = 0; isn <= 32; isn++) rig.setIve(isn, { server: 8 });
    rig.write('PHB_IVC_UPDATE', msbMask(0) | 2n);
    rig.write('PHB_IVC_UPDATE', msbMask(0) | 1n);
    rig.interrupts.take();
    expect([deliver(rig, 2)?.server, deliver(rig, 1)?.server]).toEqual([1, 2]);
  });

  it('is not there while PHB_CONTROL bit 23 is clear: memory counts, and bit 27 does nothing', () => {
    const rig = booted();
    rig.write('PHB_CONTROL', IVC_OFF);
    rig.setIve(ISN, { server: 0x20 });
    deliver(rig);
    rig.setIve(ISN, { server: 0x40 });
    update(rig, msbMask(2) | (0x80n << 40n));
    expect(deliver(rig)?.server).toBe(0x10);
  });

  it('is empty when it is switched on again, and after a reset of the bridge', () => {
    const rig = cached({ server: 0x20 });
    deliver(rig);
    rig.write('PHB_CONTROL', IVC_OFF);
    rig.write('PHB_CONTROL', IVC_ON);
    rig.setIve(ISN, { server: 0x40 });
    expect(deliver(rig)?.server).toBe(0x10);
    rig.etuReset('held');
    rig.boot();
    rig.write('PHB_CONTROL', IVC_ON);
    rig.setIve(ISN, { server: 0x60 });
    expect(deliver(rig)?.server).toBe(0x18);
  });

  it('shows nothing of itself in IVC_CAM', () => {
    const rig = cached();
    deliver(rig);
    expect(Array.from({ length: 32 }, (_, slot) => rig.ioda('IVC_CAM', slot))).toEqual(new Array(32).fill(0n));
  });
});

describe('IVC_UPDATE', () => {
  it.each([
    ['server', msbMask(2) | (0x80n << 40n), { server: 0x20, priority: 5 }],
    ['priority', msbMask(3) | (3n << 32n), { server: 8, priority: 3 }],
    ['server and priority', 0x3000_2007_0000_0000n, { server: 8, priority: 7 }],
  ] as const)('changes the %s of a cached vector, and only that', (_, value, expected) => {
    const rig = cached({ server: 0x20, priority: 5 });
    deliver(rig);
    update(rig, msbMask(0));
    update(rig, value);
    expect(deliver(rig)).toEqual(expected);
    expect(rig.memory.read32(rig.iveAddress(ISN))).toBe(0x2005);
  });

  it('sets and clears P and Q of a cached vector', () => {
    const rig = cached();
    deliver(rig);
    update(rig, msbMask(0));
    update(rig, msbMask(1) | msbMask(35));
    expect(deliver(rig)).toBeUndefined();
    update(rig, msbMask(1));
    expect(deliver(rig)).toEqual({ server: 8, priority: 5 });
    update(rig, msbMask(0));
    update(rig, msbMask(0) | msbMask(34));
    expect(deliver(rig)).toBeUndefined();
  });

  it('of a vector that is not cached does nothing: the next message takes what memory says', () => {
    const rig = cached({ server: 0x20 });
    update(rig, msbMask(2) | (0x80n << 40n));
    expect(deliver(rig)?.server).toBe(8);
  });

  it.each([0, 1, 2, 3])('with its condition changes only the generation it names: %i', (match) => {
    const rig = cached({ gen: 1 });
    rig.msi(ISN);
    // Clear P, generation 2, if the generation is `match`.
    update(rig, msbMask(0) | msbMask(4) | msbMask(5) | (BigInt(match) << 56n) | (2n << 30n));
    rig.interrupts.eoi(rig.interrupts.take()!.irq);
    rig.memory.write8(rig.iveAddress(ISN) + 5, 0);
    rig.msi(ISN);
    expect(rig.interrupts.pending().length).toBe(match === 1 ? 1 : 0);
    expect(rig.memory.read8(rig.iveAddress(ISN) + 4)).toBe(match === 1 ? 0b101 : 0b011);
  });

  it('is read as nothing, whatever was written', () => {
    const rig = cached();
    rig.write('PHB_IVC_UPDATE', ONES);
    expect(rig.read('PHB_IVC_UPDATE')).toBe(0n);
  });
});

/** The end of an interrupt as firmware does it. Source: skiboot hw/phb3.c: phb3_pci_msi_eoi, phb3_pci_msi_check_q. */
function eoi(rig: Rig): bigint[] {
  const at = rig.iveAddress(ISN);
  const written: bigint[] = [];
  const write = (register: 'PHB_IVC_UPDATE' | 'PHB_FFI_REQUEST', value: bigint): void => {
    written.push(value);
    rig.write(register, value);
  };
  const generation = (rig.memory.read8(at + 4) >> 1) & 3;
  const next = (generation + 1) & 3;
  rig.memory.write8(at + 4, next << 1);
  write('PHB_IVC_UPDATE', 0x8c00_0000_0000_0000n | (BigInt(generation) << 56n) | (BigInt(next) << 30n) | BigInt(ISN));
  if ((rig.memory.read8(at + 5) & 1) === 0) rig.read('PHB_IVC_UPDATE');
  if ((rig.memory.read8(at + 5) & 1) === 0) return written;
  expect(rig.read('PHB_FFI_LOCK')).toBe(0n);
  rig.memory.write8(at + 5, 0);
  write('PHB_IVC_UPDATE', 0x4000_0000_0000_0000n | BigInt(ISN));
  write('PHB_FFI_REQUEST', FFI_LOCK_CLEAR | (BigInt(ISN) << 4n));
  return written;
}

/** Takes the interrupt, and ends it at the source before presentation. */
function serve(rig: Rig): boolean {
  const taken = rig.interrupts.take();
  if (taken === undefined) return false;
  expect(taken.irq).toBe(IRQ_BASE + ISN);
  rig.interrupts.eoi(taken.irq);
  eoi(rig);
  return true;
}

describe.each([
  ['on', IVC_ON],
  ['off', IVC_OFF],
] as const)("firmware's sequences with the vector cache %s", (_, control) => {
  const set = (): Rig => {
    const rig = booted();
    rig.write('PHB_CONTROL', control);
    rig.setIve(ISN, {});
    return rig;
  };

  it('end an interrupt so that the next one comes, four generations round', () => {
    const rig = set();
    for (let round = 0; round < 6; round++) {
      rig.msi(ISN);
      expect([rig.pq(ISN), serve(rig), rig.pq(ISN)]).toEqual(['10', true, '00']);
      expect(rig.memory.read8(rig.iveAddress(ISN) + 4) >> 1).toBe((round + 1) & 3);
    }
  });

  it('write the words that firmware writes', () => {
    const rig = set();
    rig.msi(ISN);
    rig.interrupts.eoi(rig.interrupts.take()!.irq);
    expect(eoi(rig)).toEqual([0x8c00_0000_4000_0010n]);
    rig.msi(ISN);
    rig.msi(ISN);
    rig.interrupts.eoi(rig.interrupts.take()!.irq);
    expect(eoi(rig)).toEqual([0x8d00_0000_8000_0010n, 0x4000_0000_0000_0010n, 0x1000_0000_0000_0100n]);
    expect([rig.pendingIsns(), rig.read('PHB_FFI_LOCK')]).toEqual([[ISN], 0n]);
  });

  it('make one of all messages that came while one was pending', () => {
    const rig = set();
    for (let count = 0; count < 5; count++) rig.msi(ISN);
    expect([rig.pq(ISN), serve(rig), serve(rig), serve(rig), rig.pq(ISN)]).toEqual(['11', true, true, false, '00']);
  });

  it('mask a source, which then queues, and unmask it, which delivers', () => {
    const rig = set();
    rig.msi(ISN);
    rig.interrupts.eoi(rig.interrupts.take()!.irq);
    // Mask: server kept, then P, Q and generation cleared. Source: skiboot hw/phb3.c: phb3_msi_set_xive.
    rig.memory.write32(rig.iveAddress(ISN), 0x20ff);
    rig.write('PHB_IVC_UPDATE', 0x3000_20ff_0000_0010n);
    rig.memory.write16(rig.iveAddress(ISN) + 4, 0);
    rig.write('PHB_IVC_UPDATE', 0xc800_0000_0000_0010n);
    rig.msi(ISN);
    expect([rig.pq(ISN), rig.pendingIsns()]).toEqual(['01', []]);
    rig.memory.write32(rig.iveAddress(ISN), 0x2005);
    rig.write('PHB_IVC_UPDATE', 0x3000_2005_0000_0010n);
    rig.read('PHB_FFI_LOCK');
    rig.memory.write8(rig.iveAddress(ISN) + 5, 0);
    rig.write('PHB_IVC_UPDATE', 0x4000_0000_0000_0010n);
    rig.write('PHB_FFI_REQUEST', FFI_LOCK_CLEAR | (BigInt(ISN) << 4n));
    expect([rig.pq(ISN), rig.pendingIsns()]).toEqual(['10', [ISN]]);
  });

  it('lose no message whose interrupt was bounced', () => {
    const rig = set();
    rig.msi(ISN);
    const taken = rig.interrupts.take()!;
    eoi(rig);
    rig.msi(ISN);
    expect(rig.ioda('RBA', 0)).toBe(msbMask(ISN));
    rig.msi(ISN);
    rig.interrupts.eoi(taken.irq);
    rig.run(us(1100));
    expect([rig.pq(ISN), serve(rig), serve(rig), rig.pq(ISN)]).toEqual(['11', true, true, '00']);
  });

  it('deliver at least one interrupt after the last message, in any order of messages, ends and evictions', () => {
    const others = Array.from({ length: 40 }, (_, index) => 0x100 + index);
    fc.assert(
      fc.property(fc.array(fc.constantFrom('message', 'serve', 'evict', 'invalidate'), { maxLength: 12 }), (steps) => {
        const rig = set();
        for (const isn of others) rig.setIve(isn, { priority: 0xff });
        let unserved = false;
        for (const step of steps) {
          if (step === 'message') {
            rig.msi(ISN);
            unserved = true;
          } else if (step === 'serve') {
            if (serve(rig)) unserved = rig.interrupts.pending().length > 0;
          } else if (step === 'evict') for (const isn of others) rig.msi(isn);
          else invalidate(rig, ISN);
          expect(rig.interrupts.pending().length > 0).toBe(unserved);
        }
      }),
      { seed: 5, numRuns: 30 },
    );
  });
});
