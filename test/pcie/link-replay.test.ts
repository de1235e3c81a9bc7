import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Link } from '../../src/pcie/link.js';
import { LINK_LIMITS, LINK_PROFILE, replayTimerNs, tlpGbps } from '../../src/pcie/link-profile.js';
import { memoryRead } from '../../src/pcie/tlp.js';
import { MS, trained, write } from './link-bench.js';

const { flightNs, dllpNs, recoveryNs, creditRepeatNs } = LINK_PROFILE;
const wireNs = (payload: number): number => ((24 + payload) * 8) / tlpGbps(3, 8, 256);
const TIMER_NS = replayTimerNs(3, 8, 256);

function ups(link: Link): () => number {
  let count = 0;
  let wasUp = link.isUp;
  link.onChange(() => {
    if (link.isUp && !wasUp) count++;
    wasUp = link.isUp;
  });
  return () => count;
}

describe('a damaged packet', () => {
  it('is refused with a NAK and sent again, and the receiver says so', () => {
    const { sim, link, received, errors } = trained();
    const start = sim.now;
    link.down.damageNextPackets(1);
    link.down.send(write(64));
    sim.run({ idle: true });
    const expected = 2 * (wireNs(64) + flightNs.value) + dllpNs.value;
    expect(received).toHaveLength(1);
    expect(Math.abs(received[0]!.at - start - expected)).toBeLessThan(0.5);
    expect(errors).toEqual(['bad-tlp at up']);
    expect(link.down).toMatchObject({ sentPackets: 1, replayedPackets: 1, packetsInFlight: 0, lostPackets: 0 });
  });

  it('downward is found by the card', () => {
    const { sim, link, down, errors } = trained();
    link.up.damageNextPackets(1);
    link.up.send(write(64));
    sim.run({ idle: true });
    expect([down.length, errors]).toEqual([1, ['bad-tlp at down']]);
  });

  it('takes those behind it along, once each, in order; what was not yet on the wire is sent only once', () => {
    const { sim, link, received } = trained();
    link.down.damageNextPackets(1);
    for (let i = 1; i <= 100; i++) link.down.send(write(i));
    sim.run({ idle: true });
    expect(received.map(({ tlp }) => tlp.lengthBytes)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    const underWay = (2 * wireNs(30) + flightNs.value + dllpNs.value) / wireNs(30);
    expect(link.down.replayedPackets).toBeGreaterThan(underWay * 0.5);
    expect(link.down.replayedPackets).toBeLessThan(underWay * 2);
  });

  it('behind good ones leaves those alone', () => {
    const { sim, link, received, run } = trained();
    link.down.send(write(1));
    link.down.send(write(2));
    run(wireNs(2) + flightNs.value + wireNs(1) + 1 - ((wireNs(2) + wireNs(1)) % 0.125));
    expect(received).toHaveLength(2);
    link.down.damageNextPackets(1);
    link.down.send(write(3));
    sim.run({ idle: true });
    expect([received.length, link.down.replayedPackets]).toEqual([3, 1]);
  });

  it('whose replay is damaged too waits for the timer: one NAK is all there is', () => {
    const { sim, link, received, errors } = trained();
    const start = sim.now;
    link.down.damageNextPackets(2);
    link.down.send(write(64));
    sim.run({ idle: true });
    expect(errors).toEqual(['bad-tlp at up', 'bad-tlp at up', 'replay-timer-timeout at down']);
    expect(received).toHaveLength(1);
    expect(received[0]!.at - start).toBeGreaterThan(TIMER_NS + 2 * flightNs.value);
    expect(link.down.replayedPackets).toBe(2);
  });

  it('that fails four times over rolls the counter over and retrains; then it gets across', () => {
    const { sim, link, received, errors, states } = trained();
    const start = sim.now;
    link.down.damageNextPackets(4);
    link.down.send(write(64));
    sim.run({ when: () => link.state === 'recovery' });
    link.down.send(write(8));
    sim.run({ idle: true });
    expect(errors.filter((error) => error.startsWith('bad-tlp'))).toHaveLength(4);
    expect(errors.filter((error) => !error.startsWith('bad-tlp'))).toEqual([
      'replay-timer-timeout at down',
      'replay-timer-timeout at down',
      'replay-timer-timeout at down',
      'replay-num-rollover at down',
    ]);
    expect(states).toEqual(['recovery', 'l0']);
    expect(received.map(({ tlp }) => tlp.lengthBytes)).toEqual([64, 8]);
    expect(received[0]!.at - start).toBeGreaterThan(recoveryNs.value);
    expect(received[0]!.at - start).toBeLessThan(recoveryNs.value + 10_000);
  });

  it('counts its replays anew after each acknowledgement', () => {
    const { sim, link, received, errors } = trained();
    for (let i = 0; i < 10; i++) {
      link.down.damageNextPackets(3);
      link.down.send(write(8));
      sim.run({ idle: true });
    }
    expect(received).toHaveLength(10);
    expect(errors.filter((error) => error.startsWith('replay-num'))).toEqual([]);
  });

  it('for ever takes the link down after so many retrainings, resets the card, and the link trains again', () => {
    const { sim, link, received, errors, states, card } = trained();
    const count = ups(link);
    card.resets.length = 0;
    link.down.packetDamage.hitShare(1, 1);
    link.down.send(write(64));
    sim.run({ when: () => !link.isUp });
    expect(states.filter((state) => state === 'recovery')).toHaveLength(LINK_LIMITS.retrainings.value);
    expect(errors.filter((error) => error.startsWith('replay-num'))).toHaveLength(LINK_LIMITS.retrainings.value + 1);
    link.down.packetDamage.stop();
    sim.run({ idle: true });
    expect(errors.at(-1)).toBe('surprise-down at up');
    expect([received.length, link.down.lostPackets, count()]).toEqual([0, 1, 1]);
    expect(card.resets).toEqual(['hot', 'released']);
    link.down.send(write(8));
    sim.run({ idle: true });
    expect(received).toHaveLength(1);
  });
});

describe('a packet that is not recognised', () => {
  it('shows by the gap when the next one comes', () => {
    const { sim, link, received, errors } = trained({ maxSpeed: 2, maxWidth: 8 });
    link.down.symbolDamage.hitNext(1);
    link.down.send(write(1));
    link.down.send(write(2));
    sim.run({ idle: true });
    expect(errors).toEqual(['receiver-error at up', 'bad-tlp at up']);
    expect(received.map(({ tlp }) => tlp.lengthBytes)).toEqual([1, 2]);
  });

  it('alone is missed only by the timer', () => {
    const { sim, link, received, errors } = trained({ maxSpeed: 2, maxWidth: 8 });
    link.down.symbolDamage.hitNext(1);
    link.down.send(write(1));
    sim.run({ idle: true });
    expect([errors, received.length]).toEqual([['receiver-error at up', 'replay-timer-timeout at down'], 1]);
  });

  it('at 8 GT/s sends the link through recovery', () => {
    const { sim, link, received, errors, states } = trained();
    link.down.symbolDamage.hitNext(1);
    link.down.send(write(1));
    link.up.send(write(2));
    sim.run({ idle: true });
    expect([errors, states]).toEqual([['receiver-error at up'], ['recovery', 'l0']]);
    expect(received).toHaveLength(1);
  });
});

describe('a damaged DLLP', () => {
  it('that was an ACK makes the sender repeat what the receiver already has', () => {
    const { sim, link, received, errors } = trained();
    link.up.dllpDamage.hitNext(1);
    link.down.send(write(64));
    sim.run({ idle: true });
    expect(errors).toEqual(['bad-dllp at down', 'replay-timer-timeout at down']);
    expect([received.length, link.down.replayedPackets]).toEqual([1, 1]);
  });

  it('that was an ACK does nothing when a later one comes: it covers the earlier', () => {
    const { sim, link, received, errors } = trained();
    link.up.dllpDamage.hitNext(1);
    link.down.send(write(64));
    link.down.send(write(64));
    sim.run({ idle: true });
    expect([received.length, link.down.replayedPackets, errors]).toEqual([2, 0, ['bad-dllp at down']]);
  });

  it('that was a NAK leaves it to the timer', () => {
    const { sim, link, received, errors } = trained();
    link.down.damageNextPackets(1);
    link.up.dllpDamage.hitNext(1);
    link.down.send(write(64));
    sim.run({ idle: true });
    expect(errors).toEqual(['bad-tlp at up', 'bad-dllp at down', 'replay-timer-timeout at down']);
    expect(received).toHaveLength(1);
  });

  it('that was a credit update costs the credit until the update is repeated', () => {
    const { sim, link, received, run, errors } = trained();
    // The first is the ACK, the second the update.
    link.up.dllpDamage.hitNext(2);
    link.down.send(write(64));
    run(10_000);
    expect([received.length, link.down.creditsLeft('PH')]).toEqual([1, 126]);
    run(creditRepeatNs.value);
    expect(link.down.creditsLeft('PH')).toBe(127);
    expect(errors.filter((error) => error === 'bad-dllp at down')).toHaveLength(2);
    sim.run({ idle: true });
  });

  it('that was a credit update is made good by the next one of its class', () => {
    const { link, run } = trained();
    link.up.dllpDamage.hitNext(2);
    link.down.send(write(64));
    run(1000);
    link.down.send(memoryRead({ requesterId: 0, tag: 0 }, { hi: 1, lo: 0 }, 64));
    run(1000);
    expect([link.down.creditsLeft('PH'), link.down.creditsLeft('NPH')]).toEqual([126, 127]);
    link.down.send(write(64));
    run(1000);
    expect([link.down.creditsLeft('PH'), link.down.creditsLeft('PD')]).toEqual([127, 1024]);
  });

  it('for a while makes replays until it is over', () => {
    const { sim, link, received } = trained();
    link.up.dllpDamage.hitFor(500);
    link.down.send(write(64));
    sim.run({ idle: true });
    expect(received).toHaveLength(1);
    expect(link.down.replayedPackets).toBe(1);
    expect([link.up.dllpDamage.armed, link.up.dllpDamage.hits]).toEqual([false, 2]);
  });

  it('whenever there is one ends in retraining, and the packet arrives once only', () => {
    const { sim, link, received, errors } = trained();
    link.up.dllpDamage.hitShare(1, 1);
    link.down.send(write(64));
    sim.run({ when: () => link.state === 'recovery' });
    link.up.dllpDamage.hitShare(0, 1);
    sim.run({ idle: true });
    expect(errors.filter((error) => error.startsWith('replay-num'))).toEqual(['replay-num-rollover at down']);
    expect(received).toHaveLength(1);
  });
});

describe('trouble upon trouble', () => {
  it('a repeated packet that is damaged, with its NAK lost, is repeated again', () => {
    const { sim, link, received, errors } = trained();
    // The ACK, the credit update, then the NAK.
    link.up.dllpDamage.hitNext(3);
    link.down.send(write(64));
    sim.run({ when: () => received.length === 1 });
    link.down.damageNextPackets(1);
    sim.run({ idle: true });
    expect(errors.filter((error) => !error.startsWith('bad-dllp'))).toEqual([
      'replay-timer-timeout at down',
      'bad-tlp at up',
      'replay-timer-timeout at down',
    ]);
    expect([received.length, link.down.replayedPackets]).toEqual([1, 2]);
  });

  it('the timer goes on for a packet lost while an older acknowledgement was late', () => {
    const { sim, link, received, run } = trained({ maxSpeed: 2, maxWidth: 8 });
    link.up.dllpDamage.hitNext(1);
    link.down.send(write(1));
    sim.run({ when: () => received.length === 1 });
    run(Math.floor(replayTimerNs(2, 8, 256) - flightNs.value - 30));
    link.down.send(write(2));
    link.down.send(write(3));
    sim.run({ when: () => received.length === 2 });
    link.down.symbolDamage.hitNext(1);
    sim.run({ idle: true });
    expect(received.map(({ tlp }) => tlp.lengthBytes)).toEqual([1, 2, 3]);
  });

  it('a NAK that arrives during recovery waits for its end', () => {
    const { sim, link, received, errors } = trained();
    link.down.damageNextPackets(1);
    link.down.send(write(64));
    sim.run({ when: () => errors.length > 0 });
    const start = sim.now;
    link.retrain();
    sim.run({ idle: true });
    expect(received).toHaveLength(1);
    expect(received[0]!.at - start).toBeGreaterThan(recoveryNs.value);
  });

  it('credit updates lost before the link dropped add nothing afterwards', () => {
    const { link, run } = trained();
    link.up.dllpDamage.hitNext(2);
    link.down.send(write(64));
    run(1000);
    link.setHotReset('asserted');
    link.setHotReset('released');
    run(200 * MS);
    link.down.send(write(64));
    run(1000);
    expect([link.down.creditsLeft('PH'), link.down.creditsLeft('PD')]).toEqual([127, 1024]);
  });
});

describe('the replay buffer', () => {
  it('takes a burst in turns and costs no time on a short link', () => {
    const { sim, link, received } = trained();
    const start = sim.now;
    for (let i = 0; i < 100; i++) link.down.send(write(256));
    expect(link.down.packetsWaiting).toBe(100 - Math.floor(LINK_LIMITS.replayBufferBytes.value / 280));
    sim.run({ idle: true });
    expect(link.down.stalledNs.REPLAY).toBe(0);
    expect(received.at(-1)!.at - start - flightNs.value - 100 * wireNs(256)).toBeLessThan(0.25);
  });

  it('that is full stalls the sender of a long link until something is acknowledged', () => {
    const farNs = { ...flightNs, value: 3000 };
    const { sim, link, received } = trained({
      maxSpeed: 3,
      maxWidth: 8,
      profile: { ...LINK_PROFILE, flightNs: farNs },
    });
    for (let i = 0; i < 100; i++) link.down.send(write(256));
    sim.run({ idle: true });
    expect(received).toHaveLength(100);
    const ackNs = TIMER_NS / 3 + dllpNs.value;
    const held = Math.floor(LINK_LIMITS.replayBufferBytes.value / 280);
    expect(Math.abs(link.down.stalledNs.REPLAY - (farNs.value + ackNs - (held - 1) * wireNs(256)))).toBeLessThan(1);
    expect(link.down.stalledNs.PH).toBe(0);
  });
});

describe('any damage', () => {
  it('changes neither what arrives nor its order, and the same damage is the same run', () => {
    const plan = fc.record({
      sizes: fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 1, maxLength: 80 }),
      ...{ packets: fc.integer({ min: 0, max: 4 }), symbols: fc.integer({ min: 0, max: 2 }) },
      ...{ dllps: fc.integer({ min: 0, max: 4 }), speed: fc.constantFrom(1, 2, 3) },
      gapNs: fc.integer({ min: 0, max: 400 }),
    });
    fc.assert(
      fc.property(plan, ({ sizes, packets, symbols, dllps, speed, gapNs }) => {
        const go = () => {
          const { sim, link, received, run } = trained({ maxSpeed: speed as 1 | 2 | 3, maxWidth: 8 });
          const drops = ups(link);
          link.down.packetDamage.hitShare(packets, 10);
          link.down.symbolDamage.hitShare(symbols, 10);
          link.up.dllpDamage.hitShare(dllps, 10);
          for (const size of sizes) {
            link.down.send(write(size));
            run(gapNs);
          }
          sim.run({ idle: true });
          return { arrived: received.map(({ tlp }) => tlp.lengthBytes), drops: drops(), digest: sim.digest() };
        };
        const first = go();
        expect(first.drops).toBe(0);
        expect(first.arrived).toEqual(sizes);
        expect(go().digest).toBe(first.digest);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it('ends when it is told to', () => {
    const { sim, link, errors } = trained();
    link.down.packetDamage.hitFor(1 * MS);
    link.down.packetDamage.hitNext(7);
    link.down.packetDamage.hitShare(1, 2);
    link.down.packetDamage.stop();
    for (let i = 0; i < 20; i++) link.down.send(write(8));
    sim.run({ idle: true });
    expect([errors, link.down.packetDamage.hits]).toEqual([[], 0]);
  });

  it('by a share hits about that share', () => {
    const { sim, link } = trained();
    link.down.packetDamage.hitShare(1, 10);
    for (let i = 0; i < 500; i++) {
      link.down.send(write(8));
      sim.run({ idle: true });
    }
    expect(link.down.packetDamage.hits).toBeGreaterThan(30);
    expect(link.down.packetDamage.hits).toBeLessThan(90);
  });

  it('that makes no sense is refused', () => {
    const { link } = trained();
    const { packetDamage } = link.down;
    expect(() => packetDamage.hitNext(-1)).toThrow(/hitNext\(-1\) needs a whole number/);
    expect(() => packetDamage.hitFor(Number.NaN)).toThrow(/hitFor\(NaN\)/);
    expect(() => packetDamage.hitShare(3, 2)).toThrow(/not a ratio/);
    expect(() => packetDamage.hitShare(0, 0)).toThrow(/not a ratio/);
    expect(() => packetDamage.hitShare(0.5, 1)).toThrow(/whole number/);
  });
});
