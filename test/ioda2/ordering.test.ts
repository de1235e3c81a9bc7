import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { BUS_TIMING } from '../../src/hw/system-bus.js';
import { PHB3_TIMING } from '../../src/ioda2/timing.js';
import { memoryRead, memoryWrite } from '../../src/pcie/tlp.js';
import { us } from '../../src/sim/time.js';
import { booted, halves, m32, PAGE_AT, PE, RID, type Rig } from './rig.js';

const LANDING_NS = PHB3_TIMING.inboundPipelineNs.value + PHB3_TIMING.memoryWriteNs.value;
const START = msbMask(0);
const COMPLETE = msbMask(1);

const post = (rig: Rig, byte: number): void => rig.card.send(memoryWrite(RID, halves(0x1000n), Uint8Array.of(byte)));
const inMemory = (rig: Rig): number => rig.memory.read8(PAGE_AT(1));

/** Runs until it is true, and returns how long that took. */
function waitNs(rig: Rig, isTrue: () => boolean): number {
  const start = rig.now;
  while (!isTrue() && rig.now < start + us(10)) rig.run(1);
  return rig.now - start;
}

/** A bridge that holds RID and page in its caches, and the time a packet takes from the card to the bridge. */
function warm(): { rig: Rig; wireNs: number } {
  const rig = booted();
  return { rig, wireNs: rig.wireNs() };
}

/** The card's write reaches the bridge `leadNs` before a load does. How late the answer is, and what memory shows then. */
function race(leadNs: number): { lateNs: number; shown: number } {
  const { rig, wireNs } = warm();
  const ticket = rig.machine.bus.beginLoad(rig.address('PHB_IVC_UPDATE'), 8);
  rig.run(Math.ceil(BUS_TIMING.mmioLoadNs.value - leadNs - wireNs));
  post(rig, 3);
  const start = rig.now;
  waitNs(rig, () => rig.machine.bus.isDone(ticket));
  return { lateNs: Math.round(rig.now - start - leadNs - wireNs), shown: inMemory(rig) };
}

describe('a load from a register', () => {
  it('is answered when the writes that devices posted before it are in memory', () => {
    const { lateNs, shown } = race(20);
    expect(shown).toBe(3);
    expect(Math.abs(lateNs - (LANDING_NS - 20))).toBeLessThanOrEqual(2);
  });

  it('is answered at once when they have landed, or come later', () => {
    expect(race(LANDING_NS + 20).shown).toBe(3);
    expect(race(LANDING_NS + 20).lateNs).toBeLessThanOrEqual(2);
    expect(race(-20)).toEqual({ lateNs: expect.toSatisfy((ns: number) => Math.abs(ns) <= 2) as number, shown: 2 });
  });
});

describe('a load from a device', () => {
  it('is answered behind the writes that the device sent before its answer', () => {
    const { rig } = warm();
    rig.card.answers.push('nothing');
    const ticket = rig.machine.bus.beginLoad(m32(PE), 4);
    rig.run(3000);
    const request = rig.card.got('MRd').at(-1)!;
    post(rig, 4);
    rig.card.send({ ...request, kind: 'CplD', status: 'SC', data: Uint8Array.of(1, 2, 3, 4), lengthBytes: 4 });
    waitNs(rig, () => rig.machine.bus.isDone(ticket));
    expect([rig.machine.bus.take(ticket), inMemory(rig)]).toEqual([0x0102_0304n, 4]);
  });
});

describe('a DMA read sync', () => {
  it('is complete at once while no read is outstanding', () => {
    const rig = booted();
    expect(rig.read('PHB_DMARD_SYNC')).toBe(0n);
    rig.write('PHB_DMARD_SYNC', START);
    expect(rig.read('PHB_DMARD_SYNC')).toBe(COMPLETE);
    rig.write('PHB_DMARD_SYNC', 0n);
    expect(rig.read('PHB_DMARD_SYNC')).toBe(COMPLETE);
  });

  /** A DMA read comes in; the sync starts `startNs` after that, and is looked at `lookNs` after it. */
  function syncAround(startNs: number, lookNs: number): bigint {
    const { rig, wireNs } = warm();
    const mmioLoadNs = BUS_TIMING.mmioLoadNs.value;
    const mmioStoreNs = BUS_TIMING.mmioStoreNs.value;
    const arrivalNs = mmioLoadNs - lookNs;
    const register = rig.address('PHB_DMARD_SYNC');
    const look = rig.machine.bus.beginLoad(register, 8);
    const steps: [atNs: number, act: () => void][] = [
      [
        Math.floor(arrivalNs - wireNs),
        () => rig.card.send(memoryRead({ requesterId: RID, tag: 1 }, halves(0x1000n), 4)),
      ],
      [arrivalNs + startNs - mmioStoreNs, () => rig.machine.bus.beginStore(register, 8, START)],
    ];
    const start = rig.now;
    for (const [atNs, act] of steps.sort(([a], [b]) => a - b)) {
      rig.run(start + atNs - rig.now);
      act();
    }
    rig.run(us(3));
    expect(rig.card.got('CplD')).toHaveLength(1);
    return rig.machine.bus.take(look);
  }
  const readNs = PHB3_TIMING.inboundPipelineNs.value + PHB3_TIMING.memoryReadNs.value;

  it('is busy until the reads that came before it have their data', () => {
    expect(syncAround(20, readNs - 20)).toBe(START);
    expect(syncAround(20, readNs + 20)).toBe(COMPLETE);
  });

  it('does not wait for reads that come after it', () => {
    expect(syncAround(-20, readNs - 20)).toBe(COMPLETE);
  });
});

describe('a quiesced bridge', () => {
  const WRITES = 300;
  const QUIESCE = msbMask(0);

  /** The card writes one byte after the other while nothing may pass. */
  function stalled(): Rig {
    const rig = booted();
    rig.write('PHB_QUIESCE_DMA_G', QUIESCE);
    for (let at = 0; at < WRITES; at++) {
      rig.card.send(memoryWrite(RID, halves(0x1000n + BigInt(at)), Uint8Array.of((at & 0xff) | 1)));
    }
    rig.run(100_000);
    return rig;
  }

  it('gives no credits back, so that what does not fit its buffers waits at the card; let go, all of it follows', () => {
    const rig = stalled();
    expect(rig.link.down.packetsWaiting).toBeGreaterThan(0);
    expect(rig.memory.read8(PAGE_AT(1))).toBe(0);
    rig.write('PHB_QUIESCE_DMA_G', 0n);
    rig.run(100_000);
    expect(rig.link.down.packetsWaiting).toBe(0);
    const bytes = [...rig.memory.readBlock(PAGE_AT(1), WRITES)];
    expect(bytes).toEqual(Array.from({ length: WRITES }, (_, at) => (at & 0xff) | 1));
  });

  it('forgets what waits when it is reset, and takes packets again', () => {
    const rig = stalled();
    rig.etuReset('held');
    rig.boot();
    expect(rig.memory.read8(PAGE_AT(1))).toBe(0);
    for (let at = 0; at < WRITES; at++) rig.card.send(memoryWrite(RID, halves(0x1000n), Uint8Array.of(5)));
    rig.run(100_000);
    expect([rig.memory.read8(PAGE_AT(1)), rig.link.down.packetsWaiting]).toEqual([5, 0]);
  });
});
