import { describe, expect, it } from 'vitest';
import { KernelClock, wheelExpiryTick } from '../../src/eeh/sleep.js';
import { Mutex } from '../../src/sim/mutex.js';
import { delay, type Process } from '../../src/sim/process.js';
import { Simulator } from '../../src/sim/simulator.js';
import { ms } from '../../src/sim/time.js';

describe('kernel sleeps', () => {
  it.each([
    // asked, observed at least, observed at most: recorded on a kernel of 250 ticks a second
    [10, 13, 20],
    [100, 104, 136],
    [1000, 1010, 1040],
    [2048, 2049, 2308],
    [4096, 4100, 4356],
    [5000, 5004, 5264],
    [32_768, 32_772, 34_820],
  ])('of %i ms take %i to %i ms on the timer wheel, wherever the clock stands', (asked, least, most) => {
    for (let tick = 0; tick < 1024; tick += 7) {
      const took = (wheelExpiryTick(tick, asked) - tick) * 4;
      expect(took).toBeGreaterThanOrEqual(least - 4);
      expect(took).toBeLessThanOrEqual(most);
      expect(took).toBeGreaterThan(asked);
    }
  });

  it('reproduce the recorded wheel steps of long sleeps', () => {
    expect((wheelExpiryTick(0, 4096) - 0) * 4).toBe(4352);
    expect((wheelExpiryTick(0, 32_768) - 0) * 4).toBe(34_816);
    expect((wheelExpiryTick(0, 5000) - 0) * 4).toBe(5120);
  });

  it('are nominal unless asked otherwise', () => {
    const sim = new Simulator();
    sim.run({ process: sim.spawn('nominal', new KernelClock(sim, 'nominal').msleep(1000)) });
    expect(sim.now).toBe(ms(1000));
    const wheel = new KernelClock(sim, 'timer-wheel');
    sim.run({ process: sim.spawn('wheel', wheel.msleep(1000)) });
    expect(sim.now - ms(1000)).toBeGreaterThan(ms(1000));
    expect(wheel.seconds).toBe(2);
  });
});

describe('the kernel mutex', () => {
  it('admits holders in the order in which they asked and survives a cancelled waiter', () => {
    const sim = new Simulator();
    const mutex = new Mutex(sim, 'test');
    const order: string[] = [];
    function* work(name: string): Process<void> {
      order.push(`${name} in`);
      yield* delay(ms(10));
      order.push(`${name} out`);
    }
    const handles = ['a', 'b', 'c'].map((name) => sim.spawn(name, mutex.hold(work(name))));
    sim.run({ untilNs: ms(5) });
    expect(mutex.held).toBe(true);
    handles[1]!.cancel();
    sim.run();
    expect(order).toEqual(['a in', 'a out', 'c in', 'c out']);
    expect(mutex.held).toBe(false);
  });

  it('is given back when its holder is cancelled', () => {
    const sim = new Simulator();
    const mutex = new Mutex(sim, 'test');
    const first = sim.spawn('first', mutex.hold(delay(ms(1000))));
    const second = sim.spawn('second', mutex.hold(delay(ms(1))));
    sim.run({ untilNs: ms(5) });
    first.cancel();
    sim.run({ process: second });
    expect(sim.now).toBe(ms(6));
  });
});
