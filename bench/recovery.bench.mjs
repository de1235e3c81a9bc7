// A whole recovery: a card's stray DMA freezes its PE, firmware and Linux find out, reset the slot and let the driver go on.
// One operation takes the machine from working traffic to working traffic.
import { FaultEngine } from '../dist/faults/engine.js';
import { PowerSystem } from '../dist/machine/system.js';
import { suite } from './suite.mjs';

const MS = 1e6;
/** The machine is looked at this often, in virtual time. */
const STEP_NS = 100 * MS;
/** A recovery that takes longer, in virtual time, has failed. */
const LIMIT_NS = 120e9;
/** The driver counts as working when it took this many frames since the recovery. */
const FRAMES = 3;
/** Until the host's compiler has settled: after 500 a recovery still takes a quarter longer than after 2000. */
const WARM_UP = 2000;
const FRAME_PERIOD_NS = 10 * MS;

function recoveries(driver) {
  const system = new PowerSystem({
    seed: 'bench',
    maxFreezes: Number.MAX_SAFE_INTEGER,
    slots: new Map([[1, { device: 'nic', driver, framePeriodNs: FRAME_PERIOD_NS }]]),
  });
  const [slot] = system.slots;
  const engine = new FaultEngine(system.sim, [slot.faultTarget()]);
  system.boot();
  const { sim, kernel } = system;
  let ended = 0;
  let framesAtRecovery = 0;
  kernel.log.subscribe(({ text }) => {
    if (text !== 'EEH: Recovery successful.') return;
    ended++;
    framesAtRecovery = slot.packets;
  });
  let begun = 0;
  const recover = () => {
    begun++;
    engine.plan({ kind: 'dma-write-unmapped', target: slot.name, atNs: sim.now + MS });
    const limitNs = sim.now + LIMIT_NS;
    while (ended < begun || slot.packets < framesAtRecovery + FRAMES) {
      if (sim.now > limitNs) throw new Error(`recovery ${begun} did not end: ${kernel.log.lines().at(-1)}`);
      sim.run({ untilNs: sim.now + STEP_NS });
    }
    return ended;
  };
  for (let i = 0; i < WARM_UP; i++) recover();
  return recover;
}

for (const driver of ['recovering', 'can-recover', 'unaware']) {
  suite(`frozen-pe-recovery-${driver}`, { unit: 'ms', opsPerRun: 1, setup: () => recoveries(driver) });
}
