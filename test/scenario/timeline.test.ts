import { describe, expect, it } from 'vitest';
import { timelineOf } from '../../src/scenario/timeline.js';
import { phasesOf, trafficTable } from '../../src/scenario/traffic-table.js';
import { ms } from '../../src/sim/time.js';
import { run } from './run.js';

const ALONE = ['{ device: nic, driver: recovering }'];

function told(result: ReturnType<typeof run>): string[] {
  return timelineOf(result).map(({ who, what }) => `${who}: ${what}`);
}

describe('the timeline', () => {
  it('tells many PEs that freeze at once in one line', () => {
    const lines = told(
      run({ slots: ALONE, faults: ['at: 20 ms, kind: link-bounce, device: slot1'], expect: ['recovered: slot1'] }),
    );
    expect(lines.filter((line) => line.includes('FROZEN'))).toEqual([
      'PHB0: 256 PEs FROZEN  PESTA 8701003c00000000  PESTB 8000000000000000  CORE  (slot1)',
    ]);
    expect(lines).toContain('PHB0 PE fd: thawed');
    expect(lines).toContain('slot1: link up, Gen3 x8');
    expect(lines.at(-1)).toBe('slot1: the driver receives again');
  });

  it('shows both words of a PE state, where the chip keeps them apart too', () => {
    const faults = ['at: 20 ms, kind: dma-write-unmapped, device: slot1, address: 0x2e874000'];
    const trial = { slots: ALONE, faults, expect: ['freeze: slot1, within: 1 ms'] };
    for (const chip of ['phb3', 'p7ioc'] as const) {
      const [frozen] = told(run(trial, { chip })).filter((line) => line.includes('FROZEN'));
      expect(frozen).toContain('PESTB 800000002e874000');
    }
  });

  it('tells how firmware finds an error of the hub, and what Linux says of it', () => {
    const trial = {
      slots: ALONE,
      faults: ['at: 20 ms, kind: hub-error, device: hub, unit: misc, error: clock'],
      expect: ['log: dead IOC, within: 1 s'],
    };
    const lines = told(run({ ...trial, machine: ['chip: p7ioc'] }));
    expect(lines[0]).toBe('hub: fault: hub-error  unit misc, error clock');
    expect(lines).toContain('hub: MISC reports 0000000000800000');
    expect(lines).toContain('firmware: reads GEM_RWOF -> 0000008000000000');
    expect(lines).toContain('firmware: reads MISC_LEM_FIR_ACCUM -> 0000000000800000');
    expect(lines.indexOf('linux: EEH: dead IOC detected')).toBeGreaterThan(
      lines.indexOf('firmware: reads MISC_LEM_FIR_ACCUM -> 0000000000800000'),
    );
  });

  it('names unit and error of a fault also where the scenario leaves them to the default', () => {
    const strike = (machine: string, fault: string): string | undefined =>
      told(
        run({
          ...{ slots: ALONE, machine: [machine], faults: [`at: 20 ms, ${fault}`] },
          ...{ expect: ['no-log: nothing'], more: ['until: 20.001 ms'] },
        }),
      ).find((line) => line.includes('fault: '));
    expect(strike('chip: p7ioc', 'kind: hub-error, device: hub')).toBe(
      'hub: fault: hub-error  unit rgc, error informational',
    );
    expect(strike('chip: phb3', 'kind: fence, device: phb0')).toBe('phb0: fault: fence  error forced');
  });

  it('tells what happens over and over once', () => {
    const lines = told(
      run({
        slots: ALONE,
        faults: ['at: 20 ms, kind: card-deaf, device: slot1, times: 4, every: 20 us'],
        expect: ['no-log: Frozen'],
        more: ['until: 20.1 ms'],
      }),
    );
    expect(lines).toEqual(['slot1: fault: card-deaf', 'slot1: the same 3 times more, until 20.060 000 ms']);
  });

  it('tells of an error that only informs: one interrupt, and no more while its record stands', () => {
    const lines = told(
      run({
        slots: ALONE,
        faults: ['at: 20 ms, kind: err-corr, device: slot1, times: 2, every: 20 us'],
        expect: ['no-log: Frozen'],
        more: ['settle: 1 ms'],
      }),
    );
    const message = ['slot1: fault: err-corr', 'slot1: ERR_COR  RID 01:00.0', 'PHB0: err-corr  RID 01:00.0'];
    expect(lines.slice(0, 3)).toEqual(message);
    expect(lines.slice(-3)).toEqual(message);
    expect(lines.filter((line) => line.includes('takes error interrupt'))).toHaveLength(1);
  });

  it('tells why a fault missed, poisoned packets, and MSIs that belong to others', () => {
    const lines = told(
      run({
        slots: ['{ device: nic, driver: recovering }', '{ device: nic }'],
        faults: [
          'at: 20 ms, kind: dma-write-unmapped, device: slot2',
          'at: 21 ms, kind: foreign-msi, device: slot1, vector: 3',
        ],
        expect: ['freeze: slot1, cause: msi-pe-mismatch'],
        more: ['settle: 1 ms'],
      }),
    );
    expect(lines[0]).toBe('slot2: fault: dma-write-unmapped  missed: the bus master bit of the card is off');
    expect(lines).toContain('slot1: MWr  1000000000000030  4 B  RID 03:00.0');
    expect(lines.some((line) => /^PHB0: msi-pe-mismatch {2}RID 03:00\.0 {2}1000000000000030$/.test(line))).toBe(true);
  });

  it('tells of errors inside a freeze in one line for each freeze', () => {
    const lines = told(
      run({ faults: ['at: 20 ms, kind: link-lost, device: slot1'], expect: ['failed: slot1'], more: ['settle: 1 ms'] }),
    );
    expect(lines.filter((line) => /^PHB0 PE fb: more errors while frozen: \d+ x config-/.test(line))).toHaveLength(2);
    expect(lines.filter((line) => line.startsWith('PHB0: '))).toEqual([
      expect.stringMatching(/^PHB0: mmio-load-ur {2}00003fe0/),
      'PHB0: config-read-ur',
    ]);
  });
});

describe('the traffic of a run', () => {
  it('is told before the fault, until the recovery, and after', () => {
    const result = run({
      faults: ['at: 20 ms, kind: completer-abort, device: slot1'],
      expect: ['recovered: slot1'],
      more: ['settle: 100 ms'],
    });
    const [before, during, after] = phasesOf(result);
    expect([before!.toNs - before!.fromNs, after!.toNs]).toEqual([ms(20), result.endNs]);
    expect(during!.toNs - during!.fromNs).toBeGreaterThan(ms(2000));
    const [one, two] = trafficTable(result);
    expect(Math.abs(one!.packets.before - 19)).toBeLessThan(2);
    expect(one!.packets.during).toBeLessThan(4);
    expect(one!.packets.after).toBeGreaterThan(95);
    expect(two!.packets.during).toBeGreaterThan(2000);
    expect(two!.total).toBe(two!.packets.before + two!.packets.during + two!.packets.after);
  });

  it('has no fault to count from in a run without one', () => {
    const result = run({ faults: [], expect: ['not-fenced: phb0', 'freeze: slot1'], more: ['until: 30 ms'] });
    expect(phasesOf(result).map(({ fromNs, toNs }) => toNs - fromNs)).toEqual([ms(30), 0, 0]);
    expect(result.verdicts.map(({ state }) => state)).toEqual(['met', 'not-met']);
    expect(timelineOf(result)).toEqual([]);
  });
});
