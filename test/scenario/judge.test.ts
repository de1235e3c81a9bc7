import { describe, expect, it } from 'vitest';
import { run, verdicts } from './run.js';

const STRAY = 'at: 20 ms, kind: dma-write-unmapped, device: slot1';

describe('an expectation', () => {
  it('is not met, with the reason, where hardware and software did something else', () => {
    const result = run({
      faults: [STRAY],
      expect: [
        'freeze: slot1, cause: err-fatal',
        'freeze: slot1, times: 2',
        'freeze: slot1, within: 100 ns',
        'freeze: slot2',
        'pest: slot1, a: 0x1',
        'pest: slot2, a: 0x1',
        'untouched: slot1',
        'recovered: slot1',
        'recovered: slot2',
        'failed: slot1',
        'left-frozen: slot2',
        'left-frozen: slot1',
        'answered: slot1, with: CA',
        'log: "no such words"',
        'no-log: "/Frozen PE#[0-9a-f]+ on/"',
        'fenced: phb0',
      ],
      more: ['until: 1 s'],
    });
    const [pest] = [...verdicts(result)].filter((line) => line.includes('PESTB'));
    expect(pest).toMatch(/^not-met: PESTA 8000b03a03000000 PESTB 80000000[0-9a-f]{5}000$/);
    expect(verdicts(result)).toEqual([
      'not-met: froze, but of tce-page-fault',
      'not-met: froze 1 times only',
      'not-met: too late, 0.000 414 ms after the fault: froze: tce-page-fault',
      'not-met: its PE never froze',
      pest,
      'not-met: its PE never froze',
      'not-met: its PE froze (tce-page-fault)',
      'not-met: its PE is still frozen',
      'not-met: its PE never froze',
      'not-met: the kernel has not given it up',
      'not-met: its PE never froze',
      'met: its PE is frozen, and nobody recovers it',
      'not-met: no stray read has ended',
      'not-met: the kernel has not said so',
      'not-met: "EEH: Frozen PE#fb on PHB#0 detected"',
      'not-met: it never fenced',
    ]);
  });

  it('of recovery is waited for again when the card has frozen again', () => {
    const result = run({
      faults: [`${STRAY}, times: 2, every: 3 s`],
      expect: ['freeze: slot1, times: 2', 'recovered: slot1, within: 10 s'],
    });
    expect(verdicts(result)).toEqual(['met: froze for the 2nd time: tce-page-fault', 'met: the driver receives again']);
    expect(result.verdicts[1]!.timeNs! - result.startNs).toBeGreaterThan(3_000e6);
  });

  it('of recovery waits for the driver, not for the bridge', () => {
    const result = run({
      slots: ['{ device: nic, driver: recovering, frame-every: 100 ms }'],
      faults: ['at: 150 ms, kind: dma-read-unmapped, device: slot1'],
      expect: ['recovered: slot1', 'answered: slot1, with: UR', 'left-frozen: slot1'],
      more: ['until: 4170 ms'],
    });
    expect(verdicts(result)).toEqual([
      'not-met: its driver has received nothing since',
      'not-met: the read ended with CA',
      'not-met: its PE was thawed',
    ]);
  });

  it('of an untouched neighbour wants a driver, traffic, no loss and no pause', () => {
    const quiet = run({
      slots: [
        '{ device: nic, driver: recovering }',
        '{ device: nic }',
        '{ device: nic, driver: recovering, frame-every: 10 s }',
        '{ device: nic, driver: recovering, frame-every: 10 us }',
      ],
      faults: [STRAY],
      expect: ['untouched: slot2', 'untouched: slot3', 'untouched: slot4'],
      more: ['settle: 50 ms'],
    });
    const [noDriver, noTraffic, loss] = verdicts(quiet);
    expect(noDriver).toBe('met: no freeze, no reset, no unplug; nobody drives it');
    expect(noTraffic).toContain('not-met: no traffic: 0 packets before, 0 since');
    expect(loss).toMatch(/^not-met: its card lost [1-9]\d* packets$/);
    const still = run({
      faults: ['at: 20 ms, kind: err-corr, device: slot1'],
      expect: ['untouched: slot2'],
      more: ['settle: 50 ms'],
    });
    expect(verdicts(still)[0]).toMatch(/^met: 19 packets before, \d+ since, none lost, longest pause 1\.\d00 000 ms$/);
  });

  it('of a pause sees a driver that stands still without a freeze', () => {
    const result = run({
      faults: [
        'at: 20 ms, kind: completion-timeout, device: slot1',
        'at: 100 ms, kind: completion-timeout, device: slot2',
      ],
      expect: ['untouched: slot2'],
      more: ['until: 110 ms'],
    });
    expect(verdicts(result)[0]).toMatch(/^not-met: it stood still: 19 packets before, \d+ since, none lost/);
  });

  it('of a card that is gone says what became of it', () => {
    const result = run({
      faults: ['at: 20 ms, kind: link-lost, device: slot1'],
      expect: ['failed: slot1, within: 1 s', 'recovered: slot1, within: 5 s', 'not-fenced: phb0'],
    });
    const [late, gone, fence] = verdicts(result);
    expect(late).toMatch(/^not-met: too late, 2\d{3}\.\d{3} \d{3} ms after the fault: the kernel gave it up$/);
    expect(gone).toBe('not-met: the kernel has removed it');
    expect(fence).toBe('met: never fenced');
  });
});

describe('what must not happen', () => {
  const NEGATIVE = ['untouched: slot2', 'no-reset: slot1', 'no-log: "EEH: Recovering"', 'not-fenced: phb0'];
  const BARE = '{ device: nic }';
  const missing = 'at: 5 ms, kind: dma-write-unmapped, device: slot1';

  it('is not met by a run in which the fault found nothing to do', () => {
    const result = run({ slots: [BARE, BARE], faults: [missing], expect: NEGATIVE });
    expect(new Set(verdicts(result))).toEqual(
      new Set([
        'not-met: no wonder: the fault dma-write-unmapped of slot1 never struck: the bus master bit of the card is off',
      ]),
    );
  });

  it('is met where each fault struck at least once', () => {
    const twice = 'at: 5 ms, kind: link-lost, device: slot1, times: 2, every: 1 ms';
    const result = run({ slots: [BARE, BARE], faults: [twice], expect: NEGATIVE });
    expect(result.observer.strikes.map(({ missed }) => missed === undefined)).toEqual([true, false]);
    expect(result.verdicts.map(({ state }) => state)).toEqual(['met', 'met', 'met', 'met']);
  });

  it('is not met where all that was to be done could not be done', () => {
    const plug = ['actions:', '  - { at: 5 ms, do: plug, device: slot1 }'];
    const idle = run({ slots: [BARE, BARE], faults: [], expect: ['no-reset: slot1'], more: plug });
    expect(verdicts(idle)).toEqual(['not-met: no wonder: plug slot1 was not done: the slot of slot1 is filled']);
    const busy = [...plug, '  - { at: 6 ms, do: unplug, device: slot1 }'];
    const done = run({ slots: [BARE, BARE], faults: [], expect: ['no-reset: slot1'], more: busy });
    expect(done.verdicts.map(({ state }) => state)).toEqual(['met']);
  });

  it('happened, if it did, whatever else was missed', () => {
    const fence = 'at: 6 ms, kind: fence, device: phb0';
    const result = run({ slots: [BARE, BARE], faults: [missing, fence], expect: ['not-fenced: phb0'] });
    expect(verdicts(result)).toEqual([expect.stringMatching(/^not-met: it fenced/)]);
  });
});
