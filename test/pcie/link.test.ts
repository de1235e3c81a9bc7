import { describe, expect, it } from 'vitest';
import { completion } from '../../src/pcie/completion.js';
import type { Link } from '../../src/pcie/link.js';
import { dllpIntervalSymbols, LINK_PROFILE, tlpGbps } from '../../src/pcie/link-profile.js';
import { addressOf, memoryRead, type Tlp, wireBytes } from '../../src/pcie/tlp.js';
import { bench, Card, MS, trained, write } from './link-bench.js';

describe('training', () => {
  it('shows electrical presence 100 ms after PERST and an active link after 250 ms', () => {
    const { link, run, states } = bench();
    link.insertCard(new Card());
    link.setPerst('deasserted');
    run(99 * MS);
    expect(link.electricalPresence).toBe(false);
    run(1 * MS);
    expect(link.electricalPresence).toBe(true);
    expect(link.isUp).toBe(false);
    run(149 * MS);
    expect(link.isUp).toBe(false);
    run(1 * MS);
    expect(link.isUp).toBe(true);
    expect(states).toEqual(['detect', 'polling', 'configuration', 'recovery', 'l0']);
  });

  it('stays in detect while PERST is asserted, and without a card for ever', () => {
    const { link, run } = bench();
    link.insertCard(new Card());
    run(5000 * MS);
    expect([link.state, link.electricalPresence, link.isUp]).toEqual(['detect', false, false]);
    const empty = bench();
    empty.link.setPerst('deasserted');
    empty.run(5000 * MS);
    expect([empty.link.state, empty.link.electricalPresence]).toEqual(['detect', false]);
  });

  it('runs at the lower speed and width of both sides', () => {
    expect(trained(undefined, new Card(2, 4)).link).toMatchObject({ speed: 2, width: 4 });
    expect(trained({ maxSpeed: 1, maxWidth: 1 }, new Card(3, 16)).link).toMatchObject({ speed: 1, width: 1 });
  });

  it("takes the card's own times where it has them", () => {
    const { link, run } = bench();
    const card = Object.assign(new Card(), { electricalDetectNs: 400 * MS, trainingNs: 20 * MS });
    link.insertCard(card);
    link.setPerst('deasserted');
    run(399 * MS);
    expect(link.electricalPresence).toBe(false);
    run(21 * MS);
    expect(link.isUp).toBe(true);
  });

  it('goes through recovery to a new speed and width and loses nothing', () => {
    const { link, run, received, states } = trained();
    link.down.send(write(64));
    link.setTargetSpeed(1);
    link.setTargetWidth(4);
    link.retrain();
    link.down.send(write(32));
    expect([link.state, link.training, link.isUp]).toEqual(['recovery', true, true]);
    expect(received).toHaveLength(0);
    run(2 * MS);
    expect(states).toEqual(['recovery', 'l0']);
    expect(link).toMatchObject({ speed: 1, width: 4, training: false });
    expect(received.map((r) => r.tlp.lengthBytes)).toEqual([64, 32]);
    expect(received[1]!.at).toBeGreaterThan(251 * MS);
  });

  it('cannot retrain a link that is not up', () => {
    const { link } = bench();
    link.retrain();
    expect(link.state).toBe('detect');
  });
});

describe('resets', () => {
  it('hot reset resets the card, and the link trains again quickly after release', () => {
    const { link, run, card, states } = trained();
    card.resets.length = 0;
    link.setHotReset('asserted');
    expect([link.state, link.isUp, link.electricalPresence]).toEqual(['hot-reset', false, true]);
    run(1000 * MS);
    expect(link.state).toBe('hot-reset');
    link.setHotReset('released');
    run(161 * MS);
    expect(link.isUp).toBe(false);
    run(2 * MS);
    expect(link.isUp).toBe(true);
    expect(card.resets).toEqual(['hot', 'released']);
    expect(states).toEqual(['hot-reset', 'detect', 'polling', 'configuration', 'recovery', 'l0']);
  });

  it('PERST takes presence and link away and resets the card fundamentally', () => {
    const { link, run, card } = trained();
    card.resets.length = 0;
    link.setPerst('asserted');
    expect([link.state, link.electricalPresence, link.isUp, link.speed]).toEqual(['detect', false, false, 0]);
    run(1000 * MS);
    link.setPerst('deasserted');
    run(250 * MS);
    expect(link.isUp).toBe(true);
    expect(card.resets).toEqual(['fundamental', 'released']);
  });

  it('a PERST in the middle of training starts it anew', () => {
    const { link, run } = bench();
    link.insertCard(new Card());
    link.setPerst('deasserted');
    run(150 * MS);
    link.setPerst('asserted');
    run(1 * MS);
    link.setPerst('deasserted');
    run(249 * MS);
    expect(link.isUp).toBe(false);
    run(1 * MS);
    expect(link.isUp).toBe(true);
  });

  it('a disabled link stays down, resets the card, and comes back when enabled', () => {
    const { link, run, card } = trained();
    card.resets.length = 0;
    link.setDisabled('disabled');
    run(1000 * MS);
    expect(link.state).toBe('disabled');
    expect(link.down.send(write(8))).toBe(false);
    link.setDisabled('enabled');
    run(200 * MS);
    expect(link.isUp).toBe(true);
    expect(card.resets).toEqual(['hot', 'released']);
  });

  it('stays disabled, or in hot reset, when PERST goes up meanwhile', () => {
    for (const [hold, state] of [
      [(l: Link) => l.setDisabled('disabled'), 'disabled'],
      [(l: Link) => l.setHotReset('asserted'), 'hot-reset'],
    ] as const) {
      const { link, run } = bench();
      link.insertCard(new Card());
      hold(link);
      link.setPerst('deasserted');
      run(1000 * MS);
      expect(link.state).toBe(state);
    }
  });

  it('drops at once when the card is pulled, and comes up when one is put in', () => {
    const { link, run } = trained();
    link.surpriseRemove();
    expect([link.isUp, link.electricalPresence, link.cardInserted]).toEqual([false, false, false]);
    run(1000 * MS);
    expect(link.isUp).toBe(false);
    link.surpriseRemove();
    link.insertCard(new Card());
    run(250 * MS);
    expect(link.isUp).toBe(true);
  });

  it('comes back by itself after a surprise down with the card still in', () => {
    const { link, run, card } = trained();
    link.surpriseDown();
    expect(link.isUp).toBe(false);
    run(200 * MS);
    expect(link.isUp).toBe(true);
    expect(card.resets.slice(-2)).toEqual(['hot', 'released']);
    link.surpriseRemove();
    link.surpriseDown();
    expect(link.state).toBe('detect');
  });
});

describe('packets', () => {
  it('take bytes over bandwidth, then the flight time', () => {
    const { sim, link, received } = trained();
    const sentAt = sim.now;
    link.down.send(write(256));
    sim.run({ idle: true });
    const wireNs = ((24 + 256) * 8) / tlpGbps(3, 8, 256);
    const took = received[0]!.at - sentAt - LINK_PROFILE.flightNs.value;
    expect(took).toBeGreaterThanOrEqual(wireNs);
    expect(took - wireNs).toBeLessThanOrEqual(0.125);
    expect(took % 0.125).toBe(0);
  });

  it('queue behind each other in one direction and not against the other', () => {
    const { sim, link, received, down } = trained();
    for (let i = 1; i <= 4; i++) link.down.send(write(256 * i));
    link.up.send(write(8));
    expect(link.down.freeAt).toBeGreaterThan(sim.now);
    sim.run({ when: () => down.length === 1 });
    expect(received).toHaveLength(0);
    sim.run({ idle: true });
    expect(received.map((r) => r.tlp.lengthBytes)).toEqual([256, 512, 768, 1024]);
    expect(link.down).toMatchObject({ sentPackets: 4, sentBytes: 4 * 24 + 2560, packetsInFlight: 0 });
  });

  it('in flight are lost when the link drops, also if it is up again before they would arrive', () => {
    const { sim, link, received, run } = trained();
    for (let i = 0; i < 3; i++) link.down.send(write(64));
    expect(link.down.packetsInFlight).toBe(3);
    link.setHotReset('asserted');
    run(1 * MS);
    expect(received).toHaveLength(0);
    expect(link.down.lostPackets).toBe(3);
    link.setHotReset('released');
    run(200 * MS);
    link.down.send(write(8));
    sim.run({ idle: true });
    expect(received).toHaveLength(1);
  });

  it('are refused while the link is down', () => {
    const { link } = bench();
    expect(link.up.send(write(8))).toBe(false);
    expect(link.up).toMatchObject({ refusedPackets: 1, sentPackets: 0 });
  });

  it('that arrive damaged are sent again, later, in order', () => {
    const { sim, link, received } = trained();
    const start = sim.now;
    link.down.damageNextPackets(1);
    link.down.send(write(8));
    link.down.send(write(16));
    sim.run({ idle: true });
    expect(received.map((r) => r.tlp.lengthBytes)).toEqual([8, 16]);
    // There, a NAK back, and there once more; the packet behind it goes again too.
    const { flightNs, dllpNs } = LINK_PROFILE;
    expect(received[0]!.at - start).toBeGreaterThan(2 * flightNs.value + dllpNs.value);
    expect(link.down.replayedPackets).toBe(2);
  });

  it('leave a trace when they go and when they are lost, the same in every run', () => {
    const run = () => {
      const { sim, link } = trained();
      link.down.send(write(64, 0x5_0000_0040n));
      link.surpriseRemove();
      link.down.send(write(8));
      sim.run({ idle: true });
      return { digest: sim.digest(), tail: sim.trace.tail(8).map((r) => [r.kind.name, ...r.values]) };
    };
    const { digest, tail } = run();
    expect(tail).toContainEqual(['pcie.tlp', 1, 0x100, 0, 5, 0x40, 64]);
    expect(tail.filter(([kind]) => kind === 'pcie.lost')).toHaveLength(2);
    expect(run().digest).toBe(digest);
  });

  it('can be watched', () => {
    const { link } = trained();
    const seen: Tlp[] = [];
    link.down.observe((tlp) => seen.push(tlp));
    link.down.send(write(8));
    expect(seen).toHaveLength(1);
  });
});

describe('bandwidth', () => {
  it.each([
    [1, [73, 118, 154], [67, 107, 86], [48, 72, 86]],
    [2, [124, 169, 205], [118, 158, 137], [99, 123, 137]],
    [3, [169, 214, 250], [163, 203, 182], [144, 168, 182]],
  ] as const)('has the published DLLP intervals at generation %i', (speed, x4, x8, x16) => {
    for (const [width, row] of [
      [4, x4],
      [8, x8],
      [16, x16],
    ] as const) {
      expect([128, 256, 512].map((mps) => dllpIntervalSymbols(speed, width, mps))).toEqual([...row]);
    }
  });

  it('of TLPs at generation 3 x8 with 256-byte payloads is 57.885 Gb/s', () => {
    expect(tlpGbps(3, 8, 256)).toBeCloseTo(57.885, 2);
    expect(trained().link.gbps).toBeCloseTo(57.885, 2);
    expect(bench().link.gbps).toBe(0);
  });

  /** Sends `count` transfers of `size` bytes back to back; payload bits per nanosecond. */
  function writeGbps(speed: 2 | 3, mps: number, size: number): number {
    const { sim, link, received } = trained({ maxSpeed: speed, maxWidth: 8 });
    link.setMaxPayload(mps);
    const count = 200;
    const start = sim.now;
    for (let i = 0; i < count; i++) {
      for (let left = size; left > 0; left -= mps) link.down.send(write(Math.min(left, mps)));
    }
    sim.run({ idle: true });
    return (count * size * 8) / (received.at(-1)!.at - LINK_PROFILE.flightNs.value - start);
  }

  it.each([
    [3, 256, 8, 14.471],
    [3, 256, 64, 42.098],
    [3, 256, 256, 52.923],
    [3, 256, 257, 48.775],
    [3, 256, 1500, 52.815],
    [3, 256, 4096, 52.923],
    [2, 256, 64, 20.855],
    [2, 256, 4096, 26.218],
    [3, 128, 16, 22.666],
    [3, 128, 4096, 47.719],
  ] as const)('of continuous writes, generation %i, payload %i, size %i, is %f Gb/s', (speed, mps, size, gbps) => {
    expect(Math.abs(writeGbps(speed, mps, size) / gbps - 1)).toBeLessThan(0.01);
  });

  it('of continuous reads with requests enough is what the completions leave', () => {
    const { sim, link, received } = trained();
    link.down.attach({
      receive: (tlp) => {
        for (let left = tlp.lengthBytes; left > 0; left -= 256) {
          link.down.send({
            ...completion(tlp, 0x100, 'SC'),
            kind: 'CplD',
            data: new Uint8Array(256),
            lengthBytes: 256,
          });
        }
      },
    });
    const start = sim.now;
    const bytes = 400 * 512;
    for (let i = 0; i < 400; i++) link.up.send(memoryRead({ requesterId: 0, tag: i }, addressOf(0x1_0000_0000n), 512));
    sim.run({ idle: true });
    const gbps = (bytes * 8) / (received.at(-1)!.at - start);
    expect(Math.abs(gbps / 53.69 - 1)).toBeLessThan(0.05);
    expect(wireBytes(received[0]!.tlp)).toBe(276);
  });
});
