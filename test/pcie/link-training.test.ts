import { describe, expect, it } from 'vitest';
import { LINK_PROFILE } from '../../src/pcie/link-profile.js';
import { bench, Card, MS, trained, write } from './link-bench.js';

const { equalisationTimeoutNs, flowControlInitNs, recoveryNs } = LINK_PROFILE;

/** A link that begins to train, with these lanes or equalisations broken. */
function broken(breakIt: (link: ReturnType<typeof bench>['link']) => void, card = new Card()) {
  const b = bench();
  breakIt(b.link);
  b.link.insertCard(card);
  b.link.setPerst('deasserted');
  return b;
}

describe('the last part of training', () => {
  it('is the credits: the lanes are up, packets do not pass yet', () => {
    const { link, run } = broken(() => {});
    run(250 * MS - flowControlInitNs.value - 0.125);
    expect([link.state, link.dataLinkState]).toEqual(['recovery', 'inactive']);
    run(0.125);
    expect([link.state, link.dataLinkState, link.isUp, link.speed]).toEqual(['l0', 'init', false, 0]);
    expect(link.up.send(write(8))).toBe(false);
    run(flowControlInitNs.value);
    expect([link.state, link.dataLinkState, link.isUp, link.speed]).toEqual(['l0', 'active', true, 3]);
    expect(link.up.send(write(8))).toBe(true);
  });

  it('comes right after configuration where there is no speed to change', () => {
    const { link, run, states } = broken(() => {}, new Card(1, 8));
    run(250 * MS - 0.125);
    expect(link.isUp).toBe(false);
    run(0.125);
    expect([link.isUp, link.speed]).toEqual([true, 1]);
    expect(states).not.toContain('recovery');
  });

  it('fits into whatever time a card takes', () => {
    const { link, run } = broken(() => {}, Object.assign(new Card(), { trainingNs: 1000, electricalDetectNs: 1000 }));
    run(2000 - 0.125);
    expect(link.isUp).toBe(false);
    run(0.125);
    expect([link.isUp, link.speed]).toEqual([true, 3]);
  });
});

describe('electrical idle', () => {
  it('is on the lanes in detect and while disabled, and nowhere else', () => {
    const { link, run } = broken(() => {});
    expect(link.electricalIdle).toBe(true);
    run(101 * MS);
    expect([link.state, link.electricalIdle]).toEqual(['polling', false]);
    run(200 * MS);
    expect(link.electricalIdle).toBe(false);
    link.setHotReset('asserted');
    expect(link.electricalIdle).toBe(false);
    link.setHotReset('released');
    link.setDisabled('disabled');
    expect(link.electricalIdle).toBe(true);
  });
});

describe('lanes that fail', () => {
  it.each([
    [[7], 4],
    [[4, 5], 4],
    [[3], 2],
    [[2], 2],
    [[1], 1],
    [[5, 1], 1],
  ] as const)('%j leave an x8 link x%i', (lanes, width) => {
    const { link, run } = broken((l) => l.failLanes(...lanes));
    run(260 * MS);
    expect([link.isUp, link.width, link.speed]).toEqual([true, width, 3]);
  });

  it('beyond the width in use change nothing', () => {
    const { link, run } = broken((l) => l.failLanes(4), new Card(3, 4));
    run(260 * MS);
    expect(link.width).toBe(4);
  });

  it('with lane 0 among them keep the link from training until they are repaired and it is reset', () => {
    const { sim, link, run, states } = broken((l) => l.failLanes(0));
    sim.run({ idle: true });
    expect([link.isUp, link.state, link.electricalPresence, states]).toEqual([
      ...[false, 'detect', false],
      ['detect', 'polling', 'detect'],
    ]);
    link.repairLanes();
    link.setHotReset('asserted');
    link.setHotReset('released');
    run(200 * MS);
    expect([link.isUp, link.width]).toEqual([true, 8]);
  });

  it('while the link runs take it through recovery, narrower, and nothing is lost', () => {
    const { sim, link, received, errors, states, run } = trained();
    link.setMaxPayload(256);
    const before = link.gbps;
    for (let i = 1; i <= 20; i++) link.down.send(write(i));
    link.failLanes(6);
    expect(link.state).toBe('recovery');
    run(recoveryNs.value / 2);
    // The one that was on the wire.
    expect(received).toHaveLength(1);
    sim.run({ idle: true });
    expect([link.width, states]).toEqual([4, ['recovery', 'l0']]);
    expect(link.gbps).toBeLessThan(before * 0.55);
    expect(received.map(({ tlp }) => tlp.lengthBytes)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(errors).toEqual(['receiver-error at up', 'receiver-error at down']);
    expect(link.down.lostPackets).toBe(0);
  });

  it('while the link runs and lane 0 is among them take it down', () => {
    const { link, run, errors } = trained();
    link.failLanes(0);
    expect([link.isUp, errors.at(-1)]).toEqual([false, 'surprise-down at up']);
    run(1000 * MS);
    expect(link.isUp).toBe(false);
  });

  it('during recovery are seen at its end', () => {
    const { link, run } = trained();
    link.retrain();
    link.failLanes(5);
    run(2 * MS);
    expect(link.width).toBe(4);
    link.retrain();
    link.failLanes(0);
    run(2 * MS);
    expect(link.isUp).toBe(false);
  });

  it('in the last moment of training send the link back to detect', () => {
    const { sim, link, run } = broken(() => {});
    run(250 * MS - 1);
    expect(link.dataLinkState).toBe('init');
    link.failLanes(0);
    sim.run({ idle: true });
    expect([link.isUp, link.state]).toEqual([false, 'detect']);
  });

  it('that do not exist are refused', () => {
    const { link } = bench();
    expect(() => link.failLanes(8)).toThrow(/lane 8 does not exist: the link has lanes 0 to 7/);
    expect(() => link.failLanes(-1)).toThrow(/lane -1/);
    expect(() => link.failLanes(1.5)).toThrow(/lane 1.5/);
  });
});

describe('equalisation at 8 GT/s that fails', () => {
  it('leaves the link at 2.5 GT/s, 24 ms later', () => {
    const { link, run } = broken((l) => l.failNextEqualisations(1));
    run(250 * MS);
    expect(link.isUp).toBe(false);
    run(equalisationTimeoutNs.value);
    expect([link.isUp, link.speed, link.width]).toEqual([true, 1, 8]);
  });

  it('is tried again when software retrains the link', () => {
    const { link, run } = broken((l) => l.failNextEqualisations(2));
    run(280 * MS);
    link.retrain();
    run(recoveryNs.value + equalisationTimeoutNs.value);
    expect([link.state, link.speed]).toEqual(['l0', 1]);
    link.retrain();
    run(recoveryNs.value);
    expect([link.state, link.speed]).toEqual(['l0', 3]);
  });

  it('returns to 5 GT/s if the link came from there', () => {
    const { link, run } = broken((l) => l.setTargetSpeed(2));
    run(260 * MS);
    expect(link.speed).toBe(2);
    link.failNextEqualisations(1);
    link.setTargetSpeed(3);
    link.retrain();
    run(30 * MS);
    expect(link.speed).toBe(2);
  });

  it('does not concern slower links, nor one that is at 8 GT/s already', () => {
    const slow = broken((l) => l.failNextEqualisations(1), new Card(2, 8));
    slow.run(250 * MS);
    expect(slow.link.speed).toBe(2);
    const { link, run } = trained();
    link.failNextEqualisations(1);
    link.retrain();
    run(recoveryNs.value);
    expect([link.state, link.speed]).toEqual(['l0', 3]);
    expect(() => link.failNextEqualisations(-1)).toThrow(/-1 equalisations/);
  });
});

describe('surprise down', () => {
  it('is told when the card goes, and not when software takes the link down', () => {
    const { link, errors, run } = trained();
    link.setHotReset('asserted');
    link.setHotReset('released');
    run(200 * MS);
    link.setDisabled('disabled');
    link.setDisabled('enabled');
    run(200 * MS);
    link.setPerst('asserted');
    link.setPerst('deasserted');
    run(300 * MS);
    expect([link.isUp, errors]).toEqual([true, []]);
    link.surpriseRemove();
    expect(errors).toEqual(['surprise-down at up']);
  });
});
