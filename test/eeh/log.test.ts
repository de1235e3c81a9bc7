import { describe, expect, it } from 'vitest';
import { KernelLog } from '../../src/eeh/log.js';
import { Simulator } from '../../src/sim/simulator.js';
import { seconds, us } from '../../src/sim/time.js';

function logAt(timeNs: number): KernelLog {
  const sim = new Simulator();
  sim.run({ untilNs: timeNs });
  return new KernelLog(sim);
}

describe('the kernel log', () => {
  it('stamps lines with seconds in five columns and microseconds in six digits', () => {
    const log = logAt(seconds(5) + us(412));
    log.err('EEH: Recovering PHB#0-PE#fd');
    expect(log.lines()).toEqual(['[    5.000412] EEH: Recovering PHB#0-PE#fd']);
    const late = logAt(seconds(123_456));
    late.info('x');
    expect(late.lines()).toEqual(['[123456.000000] x']);
  });

  it('shows a record of two lines as two lines with one stamp, and an extra newline as an empty line', () => {
    const log = logAt(seconds(1));
    log.err('EEH: Unable to recover from failure from PHB#0-PE#fd.\nPlease try reseating or replacing it');
    log.warn('EEH: Failure 0 resetting PHB#0-PE#fd (attempt 1)\n');
    expect(log.lines()).toEqual([
      '[    1.000000] EEH: Unable to recover from failure from PHB#0-PE#fd.',
      '[    1.000000] Please try reseating or replacing it',
      '[    1.000000] EEH: Failure 0 resetting PHB#0-PE#fd (attempt 1)',
      '[    1.000000] ',
    ]);
  });

  it('keeps open lines as records of their own and debug records out of dmesg', () => {
    const log = logAt(0);
    log.open('info', "EEH: Finished:'resume'");
    log.debug('EEH: Frozen PHB#0-PE#fd is empty!');
    expect(log.texts()).toEqual(["EEH: Finished:'resume'"]);
    expect(log.records.map((record) => [record.level, record.end])).toEqual([
      ['info', 'open'],
      ['debug', 'newline'],
    ]);
  });

  it('tells subscribers and changes the run digest with every different text', () => {
    const digest = (text: string): string => {
      const sim = new Simulator();
      const log = new KernelLog(sim);
      const seen: string[] = [];
      log.subscribe((record) => seen.push(record.text));
      log.info(text);
      expect(seen).toEqual([text]);
      return sim.digest();
    };
    expect(digest('a')).toBe(digest('a'));
    expect(digest('a')).not.toBe(digest('b'));
  });
});
