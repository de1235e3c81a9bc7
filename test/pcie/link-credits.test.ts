import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { completion, completionWithData } from '../../src/pcie/completion.js';
import type { Credits } from '../../src/pcie/flow-control.js';
import { LINK_PROFILE, SWITCH_CREDITS, tlpGbps } from '../../src/pcie/link-profile.js';
import { addressOf, configRead, memoryRead, memoryWrite, type Tlp } from '../../src/pcie/tlp.js';
import { Card, MS, trained, write } from './link-bench.js';

const read = (tag: number): Tlp => memoryRead({ requesterId: 0x100, tag }, addressOf(0x1_0000_0000n), 64);
const answer = (tag: number, bytes = 0): Tlp =>
  bytes === 0 ? completion(read(tag), 8, 'UR') : completionWithData(read(tag), 8, new Uint8Array(bytes));
/** Nanoseconds until the sender has a credit back: packet, flight, update. */
const loopNs = (bytes: number): number =>
  (bytes * 8) / tlpGbps(3, 8, 256) + LINK_PROFILE.flightNs.value + LINK_PROFILE.dllpNs.value;

/** A link whose upper receiver advertises these; what goes up is received there. */
function narrow(credits: Partial<Credits>) {
  const b = trained();
  b.link.up.advertise({ ...SWITCH_CREDITS, ...credits });
  b.link.setHotReset('asserted');
  b.link.setHotReset('released');
  b.run(200 * MS);
  const stalls = () =>
    b.sim.trace
      .tail(1000)
      .filter(({ kind }) => kind.name === 'pcie.stall' || kind.name === 'pcie.resume')
      .map(({ kind, values }) => [kind.name, ...values]);
  return { ...b, sender: b.link.down, stalls };
}

describe('credits', () => {
  it('are what the receiver advertised: endless completions at root ports and endpoints, none endless at a switch', () => {
    const { link } = trained();
    expect(link.down.creditsLeft('PH')).toBe(127);
    expect(link.down.creditsLeft('CPLH')).toBe(Number.POSITIVE_INFINITY);
    const behindSwitch = trained(undefined, Object.assign(new Card(), { credits: SWITCH_CREDITS }));
    expect(behindSwitch.link.up.creditsLeft('CPLD')).toBe(1024);
    expect(behindSwitch.link.down.creditsLeft('CPLD')).toBe(Number.POSITIVE_INFINITY);
  });

  it('are spent by class: one header, and one of data for each 16 bytes begun', () => {
    const { link } = trained();
    const left = () => (['PH', 'PD', 'NPH', 'NPD'] as const).map((pool) => link.down.creditsLeft(pool));
    link.down.send(write(17));
    expect(left()).toEqual([126, 1022, 127, 1024]);
    link.down.send(read(0));
    link.down.send(configRead({ requesterId: 0, tag: 0 }, { target: 0x100, register: 0, type: 0 }, 4));
    expect(left()).toEqual([126, 1022, 125, 1024]);
  });

  it('come back after the packet was drained and the update has come', () => {
    const { sim, link, received } = trained();
    link.down.send(write(64));
    sim.run({ when: () => received.length === 1 });
    expect(link.down.creditsLeft('PH')).toBe(126);
    sim.run({ untilNs: received[0]!.at + LINK_PROFILE.dllpNs.value - 0.125 });
    expect(link.down.creditsLeft('PH')).toBe(126);
    sim.run({ untilNs: received[0]!.at + LINK_PROFILE.dllpNs.value });
    expect([link.down.creditsLeft('PH'), link.down.creditsLeft('PD')]).toEqual([127, 1024]);
  });

  it('that have run out stall the sender until one is back, and it is seen how long', () => {
    const { sim, sender, received, stalls } = narrow({ PH: 1 });
    const start = sim.now;
    for (let i = 0; i < 3; i++) sender.send(write(64));
    expect([sender.packetsInFlight, sender.packetsWaiting]).toEqual([1, 2]);
    sim.run({ idle: true });
    expect(received).toHaveLength(3);
    expect(received[2]!.at - start).toBeGreaterThan(2 * loopNs(88) + LINK_PROFILE.flightNs.value);
    const wireNs = (88 * 8) / tlpGbps(3, 8, 256);
    expect(Math.abs(sender.stalledNs.PH - 2 * (loopNs(88) - wireNs))).toBeLessThan(1);
    expect(sender.stalledNs.PD).toBe(0);
    expect(stalls().map(([kind, reason]) => [kind, reason])).toEqual([
      ['pcie.stall', 0],
      ['pcie.resume', 0],
      ['pcie.stall', 0],
      ['pcie.resume', 0],
    ]);
  });

  it.each([
    ['PD', write(64), { PD: 4 }],
    ['NPH', read(1), { NPH: 1 }],
    ['CPLH', answer(1), { CPLH: 1 }],
    ['CPLD', answer(1, 64), { CPLD: 4 }],
  ] as const)('of the pool %s are the ones that are named as missing', (pool, tlp, credits) => {
    const { sim, sender, received } = narrow(credits);
    for (let i = 0; i < 2; i++) sender.send(tlp);
    sim.run({ idle: true });
    expect(received).toHaveLength(2);
    expect(Object.entries(sender.stalledNs).filter(([, ns]) => ns > 0)).toEqual([[pool, sender.stalledNs[pool]]]);
  });

  it('do not keep a packet for ever that is larger than the whole pool', () => {
    const { sim, sender, received } = narrow({ PD: 2 });
    sender.send(write(16));
    sender.send(write(256));
    sim.run({ idle: true });
    expect(received.map(({ tlp }) => tlp.lengthBytes)).toEqual([16, 256]);
  });

  it('that no receiver could advertise are refused', () => {
    const { link } = trained();
    for (const credits of [{ PH: 0 }, { PH: 128 }, { NPD: 2048 }, { CPLD: 1.5 }, { NPH: Number.NaN }]) {
      expect(() => link.up.advertise({ ...SWITCH_CREDITS, ...credits })).toThrow(/credits cannot be advertised/);
    }
  });
});

describe('a receiver that holds its credits', () => {
  it('stalls the sender when they are spent, and lets it go on when it releases them', () => {
    const { sender, link, received, run } = narrow({ PH: 4 });
    link.up.holdCredits();
    for (let i = 0; i < 10; i++) sender.send(write(64));
    run(1 * MS);
    expect([received.length, sender.packetsWaiting, sender.creditsLeft('PH')]).toEqual([4, 6, 0]);
    link.up.releaseCredits();
    run(1 * MS);
    expect(received).toHaveLength(10);
    expect(sender.stalledNs.PH).toBeGreaterThan(0.9 * MS);
    expect([sender.creditsLeft('PH'), sender.creditsLeft('PD')]).toEqual([4, 1024]);
  });

  it('holds up the class that ran out and no other', () => {
    const { link, sender, received, run } = narrow({ NPH: 1 });
    link.up.holdCredits();
    for (let tag = 0; tag < 3; tag++) sender.send(read(tag));
    sender.send(write(8));
    sender.send(answer(9, 8));
    run(1 * MS);
    expect(received.map(({ tlp }) => tlp.kind)).toEqual(['MRd', 'MWr', 'CplD']);
  });

  it('starts with all credits after the link was down, and forgets what waited', () => {
    const { sim, link, sender, received, run } = narrow({ PH: 2 });
    link.up.holdCredits();
    for (let i = 0; i < 5; i++) sender.send(write(8));
    run(1 * MS);
    link.setHotReset('asserted');
    expect([sender.lostPackets, sender.packetsWaiting]).toEqual([3, 0]);
    link.up.releaseCredits();
    link.setHotReset('released');
    run(200 * MS);
    expect(sender.creditsLeft('PH')).toBe(2);
    sender.send(write(16));
    sim.run({ idle: true });
    expect(received.map(({ tlp }) => tlp.lengthBytes)).toEqual([8, 8, 16]);
  });

  it('is gone with the card', () => {
    const { link, run } = trained();
    link.down.holdCredits();
    link.surpriseRemove();
    link.insertCard(new Card());
    run(300 * MS);
    link.up.send(write(8));
    run(1 * MS);
    expect(link.up.creditsLeft('PH')).toBe(127);
  });
});

describe('order', () => {
  it('lets nothing overtake a posted request that waits', () => {
    const { sim, sender, received } = narrow({ PH: 1 });
    sender.send(write(8));
    sender.send(write(16));
    sender.send(read(1));
    sender.send(answer(2, 8));
    sim.run({ idle: true });
    expect(received.map(({ tlp }) => tlp.kind)).toEqual(['MWr', 'MWr', 'MRd', 'CplD']);
  });

  it('keeps a completion behind an older posted request and lets it pass a read', () => {
    const { link, sender, received, run, sim } = narrow({ NPH: 1, PH: 1 });
    link.up.holdCredits();
    sender.send(read(1));
    sender.send(read(2));
    sender.send(answer(3, 8));
    sender.send(write(8));
    sender.send(write(16));
    sender.send(answer(4, 8));
    run(1 * MS);
    expect(received.map(({ tlp }) => `${tlp.kind} ${tlp.tag}`)).toEqual(['MRd 1', 'CplD 3', 'MWr 0']);
    link.up.releaseCredits();
    sim.run({ idle: true });
    const all = received.map(({ tlp }) => `${tlp.kind} ${tlp.tag}`);
    expect(all.indexOf('CplD 4')).toBeGreaterThan(all.lastIndexOf('MWr 0'));
    expect(all).toHaveLength(6);
  });

  it('within a class and behind posted requests holds for any traffic, any credits and any damage', () => {
    const packet = fc.record({ kind: fc.constantFrom('w', 'r', 'c'), bytes: fc.integer({ min: 1, max: 256 }) });
    const plan = fc.record({
      packets: fc.array(packet, { maxLength: 60 }),
      PH: fc.integer({ min: 1, max: 4 }),
      NPH: fc.integer({ min: 1, max: 4 }),
      CPLH: fc.integer({ min: 1, max: 4 }),
      PD: fc.integer({ min: 16, max: 40 }),
      damage: fc.integer({ min: 0, max: 3 }),
      dllps: fc.integer({ min: 0, max: 3 }),
      hold: fc.boolean(),
    });
    fc.assert(
      fc.property(plan, ({ packets, damage, dllps, hold, ...credits }) => {
        const { sim, link, sender, received, run } = narrow(credits);
        sender.packetDamage.hitShare(damage, 10);
        link.up.dllpDamage.hitShare(dllps, 10);
        if (hold) link.up.holdCredits();
        for (const [order, { kind, bytes }] of packets.entries()) {
          const tagged = { tag: order };
          if (kind === 'w') sender.send({ ...memoryWrite(1, addressOf(0n), new Uint8Array(bytes)), ...tagged });
          else sender.send(kind === 'r' ? read(order) : answer(order, bytes));
        }
        run(0.125);
        if (hold) run(3000);
        link.up.releaseCredits();
        sim.run({ idle: true });
        const tags = received.map(({ tlp }) => tlp.tag);
        expect([...tags].sort((a, b) => a - b)).toEqual(packets.map((_, order) => order));
        for (const [place, tag] of tags.entries()) {
          // Who arrives behind an older packet's place may not be of its class, and that one not be posted.
          for (const earlier of tags.slice(0, place)) {
            if (earlier < tag) continue;
            expect(packets[earlier]!.kind).not.toBe(packets[tag]!.kind);
            expect(packets[tag]!.kind).not.toBe('w');
          }
        }
      }),
      { seed: 1, numRuns: 60 },
    );
  });
});
