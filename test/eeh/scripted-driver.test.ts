import { describe, expect, it } from 'vitest';
import { firstTimes } from '../../src/eeh/drivers/deeds.js';
import type { PciDriver } from '../../src/eeh/drivers/driver.js';
import { type DriverPlan, scriptOf } from '../../src/eeh/drivers/driver-plan.js';
import { NicDriver } from '../../src/eeh/drivers/nic-driver.js';
import { CALLBACKS, type CallbackName, ScriptedDriver } from '../../src/eeh/drivers/scripted-driver.js';
import { VOTES } from '../../src/eeh/drivers/votes.js';
import { PeState } from '../../src/eeh/eeh-flags.js';
import { FaultEngine } from '../../src/faults/engine.js';
import { PowerSystem } from '../../src/machine/system.js';
import { delay, type Process } from '../../src/sim/process.js';
import { ms, seconds, us } from '../../src/sim/time.js';

/** A card with this driver writes where nothing is mapped; then time passes. */
class Trial {
  readonly system: PowerSystem;
  readonly startNs: number;

  constructor(plan: DriverPlan, durationNs: number) {
    const slot = { device: 'nic', driver: plan, framePeriodNs: ms(10) } as const;
    this.system = new PowerSystem({ slots: new Map([[1, slot]]) });
    this.system.boot();
    const { sim } = this.system;
    const engine = new FaultEngine(
      sim,
      this.system.slots.map((each) => each.faultTarget()),
    );
    this.startNs = sim.now;
    engine.plan({ kind: 'dma-write-unmapped', target: 'slot1', atNs: sim.now + ms(50) });
    sim.run({ untilNs: sim.now + durationNs });
  }

  get driver(): ScriptedDriver {
    return this.system.slot('slot1')!.driver as ScriptedDriver;
  }

  get calls(): string[] {
    return this.driver.calls.map(({ callback, answer }) => `${callback}: ${answer}`);
  }

  get log(): string[] {
    return this.system.kernel.log.texts();
  }

  said(text: string): number {
    return this.log.filter((line) => line.includes(text)).length;
  }
}

const SHORT = ms(100);
const ONE_RESET = seconds(5);

describe('a scripted driver', () => {
  it('without a script does what the driver in it does', () => {
    const trial = new Trial({}, ONE_RESET);
    expect(trial.calls).toEqual(['error_detected: need reset', 'slot_reset: recovered', 'resume: none']);
    expect(trial.said('EEH: Recovery successful.')).toBe(1);
    expect(trial.driver.progress).toBeGreaterThan(20);
    expect(trial.driver.name).toBe('phbnic');
  });

  it.each([
    ['no AER driver', 'Unable to recover'],
    ['recovered', 'EEH: Recovery successful.'],
    ['disconnect', 'Unable to recover'],
    ['can recover', 'EEH: Enable I/O for affected devices'],
    ['none', 'EEH: Reset with hotplug activity'],
    ['need reset', 'EEH: Reset without hotplug activity'],
  ] as const)('answers %s to the first question, and the kernel acts on it', (vote, consequence) => {
    const trial = new Trial({ like: 'can-recover', votes: { error_detected: vote } }, SHORT);
    expect(trial.calls[0]).toBe(`error_detected: ${vote}`);
    expect(trial.said(`driver reports: '${vote}'`)).toBeGreaterThanOrEqual(1);
    expect(trial.said(consequence)).toBe(1);
  });

  it.each(VOTES.filter((vote) => vote !== 'recovered' && vote !== 'none'))(
    'fails its device with %s after the reset: there is no second try',
    (vote) => {
      const trial = new Trial({ votes: { slot_reset: vote } }, ONE_RESET);
      expect(trial.calls).toEqual(['error_detected: need reset', `slot_reset: ${vote}`]);
      expect(trial.said('Unable to recover from failure')).toBe(1);
      expect(trial.system.slot('slot1')!.device).toBeUndefined();
    },
  );

  it.each(['none', 'recovered'] as const)('goes on with %s after the reset', (vote) => {
    const trial = new Trial({ votes: { slot_reset: vote } }, ONE_RESET);
    expect(trial.calls.at(-1)).toBe('resume: none');
  });

  it.each([
    ['need reset', 'EEH: Reset without hotplug activity'],
    ['disconnect', 'Unable to recover'],
    ['can recover', 'EEH: Enabled DMA for affected devices'],
    ['recovered', 'EEH: Recovery successful.'],
  ] as const)('answers %s when its registers are reachable', (vote, consequence) => {
    const trial = new Trial({ like: 'can-recover', votes: { mmio_enabled: vote } }, SHORT);
    expect(trial.calls[1]).toBe(`mmio_enabled: ${vote}`);
    expect(trial.said(consequence)).toBe(1);
  });

  it('may lack any callback: the kernel sees none', () => {
    const handlers = (missing: CallbackName): string[] => {
      const script = scriptOf({ votes: { [missing]: 'missing' } });
      return Object.keys(new ScriptedDriver(new NicDriver({ flavour: 'can-recover' }), script).errorHandlers!).sort();
    };
    const all = ['errorDetected', 'mmioEnabled', 'resume', 'slotReset'];
    expect(CALLBACKS.map((callback) => all.filter((name) => !handlers(callback).includes(name)))).toEqual([
      ['errorDetected'],
      ['mmioEnabled'],
      ['slotReset'],
      ['resume'],
    ]);
    const none = Object.fromEntries(CALLBACKS.map((callback) => [callback, { vote: 'missing' }]));
    expect(new ScriptedDriver(new NicDriver(), none).errorHandlers).toBeUndefined();
    expect(new ScriptedDriver(new NicDriver({ flavour: 'unaware' }), {}).errorHandlers).toBeUndefined();
  });

  it('without error_detected has no opinion: its device is unplugged and found again', () => {
    const trial = new Trial({ votes: { error_detected: 'missing' } }, seconds(11));
    expect(trial.calls).toEqual([]);
    expect(trial.said('EEH: Reset with hotplug activity')).toBe(1);
    expect(trial.system.slot('slot1')!.device?.driver).toBe(trial.driver);
  });

  it('gives an unaware driver the callbacks that its script names, with no opinion by themselves', () => {
    const driver = new ScriptedDriver(new NicDriver({ flavour: 'unaware' }), {
      error_detected: { before: [] },
      slot_reset: { vote: 'recovered' },
    });
    expect(Object.keys(driver.errorHandlers!)).toEqual(['errorDetected', 'slotReset']);
    const trial = new Trial({ like: 'unaware', votes: { error_detected: 'none' } }, SHORT);
    expect(trial.calls).toEqual(['error_detected: none']);
  });

  it('hangs for a while, or for ever with the thread of recovery in its hands', () => {
    const trial = new Trial({ hangs: { in: 'error_detected', forNs: seconds(3) } }, seconds(9));
    expect(trial.calls).toEqual(['error_detected: need reset', 'slot_reset: recovered', 'resume: none']);
    const [first, second] = trial.driver.calls;
    expect(second!.timeNs - first!.timeNs).toBeGreaterThan(seconds(3));
    const stuck = new Trial({ hangs: { in: 'slot_reset' } }, seconds(30));
    expect(stuck.calls).toEqual(['error_detected: need reset', 'slot_reset: undefined']);
    expect(stuck.system.peOf('slot1')!.in(PeState.RECOVERING)).toBe(true);
  });

  it('that loads from its frozen card gets ones, and is counted', () => {
    const trial = new Trial({ loads: { in: 'error_detected', count: 7 }, hangs: { in: 'error_detected' } }, SHORT);
    const { kernel } = trial.system;
    expect(trial.system.peOf('slot1')!.checkCount).toBeGreaterThanOrEqual(7);
    expect(kernel.statistics.totalMmioFfs).toBeGreaterThanOrEqual(7);
  });

  it.each(['slot_reset', 'resume'] as const)('breaks its PE again in %s by a load without decoding', (callback) => {
    const trial = new Trial({ breaksAgain: { in: callback, by: 'mmio' } }, seconds(12));
    expect(trial.calls.filter((call) => call.startsWith('resume'))).toHaveLength(2);
    expect(trial.said('has failed 2 times')).toBe(1);
    expect(trial.said('phbnic_error_handler')).toBe(1);
    expect(trial.system.peOf('slot1')!.state).toBe(PeState.PRI_BUS);
  });

  it('breaks its PE again by a ring that is not mapped any more, as often as it is told to', () => {
    const trial = new Trial({ breaksAgain: { in: 'resume', by: 'dma', times: 2 } }, seconds(20));
    expect(trial.said('has failed 3 times')).toBe(1);
    expect(trial.said('has failed 4 times')).toBe(0);
    expect(trial.system.slot('slot1')!.device?.channel).toBe('normal');
  });

  it('asks for the fundamental reset of its card whenever it is bound', () => {
    const { system } = new Trial({ reset: 'fundamental', votes: { error_detected: 'none' } }, seconds(11));
    expect(system.slot('slot1')!.device?.resetWish).toBe('fundamental');
  });

  it('of a device that is lost tells the driver itself, unscripted', () => {
    const { system } = new Trial({ votes: { error_detected: 'need reset' }, hangs: { in: 'error_detected' } }, SHORT);
    const { driver, device } = system.slot('slot1')!;
    const told = system.sim.complete('lost', driver!.errorHandlers!.errorDetected!(device!, 'perm-failure'));
    expect(told).toBe('disconnect');
  });
});

describe('a script of deeds', () => {
  it('does them around what the driver does, in order, and the first times only where it says so', () => {
    const done: string[] = [];
    const own: PciDriver = {
      name: 'own',
      matches: () => 'yes',
      *probe() {
        return 0;
      },
      *remove() {},
      errorHandlers: {
        *errorDetected() {
          done.push('own');
          return 'need reset';
        },
        *slotReset() {
          return 'recovered';
        },
      },
    };
    const note = (text: string) =>
      function* () {
        yield* delay(us(1));
        done.push(text);
      };
    const driver = new ScriptedDriver(own, {
      error_detected: { before: [note('a'), firstTimes(1, note('once'))], after: [note('z')] },
    });
    const system = new PowerSystem({ slots: new Map([[1, { device: 'nic', driver }]]) });
    system.boot();
    for (let round = 0; round < 2; round++) {
      system.kernel.forceRecovery(system.peOf('slot1')!);
      system.sim.run({ untilNs: system.sim.now + seconds(5) });
    }
    expect(done).toEqual(['a', 'once', 'own', 'z', 'a', 'own', 'z']);
    expect(driver.calls).toHaveLength(4);
  });
});

describe('a script around a driver without callbacks', () => {
  /** Never bound by anybody: it is asked directly. */
  function mute(): { driver: ScriptedDriver; deeds: string[]; ask: (kind: CallbackName) => unknown } {
    const deeds: string[] = [];
    const deed = (name: string) =>
      function* (): Process<void> {
        deeds.push(name);
      };
    const bare: PciDriver = {
      name: 'bare',
      matches: () => 'yes',
      *probe() {
        return 0;
      },
      *remove() {},
    };
    const part = { before: [deed('before')], after: [deed('after')] };
    const driver = new ScriptedDriver(bare, { error_detected: part, resume: part, slot_reset: { vote: 'missing' } });
    const { system } = new Trial({}, SHORT);
    const device = system.slot('slot1')!.device!;
    const run = (body: Process<unknown>): unknown => system.sim.complete('asked', body);
    const { errorDetected, slotReset, resume } = driver.errorHandlers!;
    const ask = (kind: CallbackName): unknown => {
      if (kind === 'error_detected') return run(errorDetected!(device, 'frozen'));
      return kind === 'resume' ? run(resume!(device)) : slotReset;
    };
    return { driver, deeds, ask };
  }

  it('has those of the script alone, has no opinion, and no progress to tell of', () => {
    const { driver, ask } = mute();
    expect([driver.progress, ask('slot_reset'), driver.errorHandlers!.mmioEnabled]).toEqual([0, undefined, undefined]);
    expect([ask('error_detected'), ask('resume')]).toEqual(['none', undefined]);
    expect(driver.calls.map(({ callback, answer }) => [callback, answer])).toEqual([
      ['error_detected', 'none'],
      ['resume', 'none'],
    ]);
  });

  it('does nothing to a device before it was bound to one', () => {
    const { driver, deeds, ask } = mute();
    ask('error_detected');
    ask('resume');
    expect(deeds).toEqual([]);
    expect(driver.calls.map(({ timeNs }) => timeNs)).toEqual([0, 0]);
  });

  it('says nothing of a device that is lost, and notes no call', () => {
    const { driver } = mute();
    const { system } = new Trial({}, SHORT);
    const lost = driver.errorHandlers!.errorDetected!(system.slot('slot1')!.device!, 'perm-failure');
    expect(system.sim.complete('asked', lost)).toBe('none');
    expect(driver.calls).toEqual([]);
  });
});
