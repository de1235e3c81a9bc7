/**
 * Isolation, held against a reference model step by step: memory, packets, interrupts, freezes and the state of every
 * PE. Facts: ioda1-p7ioc 4, 6, 7; ioda2-phb3 4.6, 6, 7. A longer soak: `PROPERTY_RUNS=30 npx vitest run
 * test/ioda/properties`, 30 times as many.
 */
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { BRIDGES } from './bridges.js';
import { benchOf, checkWholeMemory, StepCommand } from './check.js';
import { settings } from './settings.js';
import { stepsOf } from './steps.js';

describe.each(BRIDGES)('$name under any mix of software and devices', (bridge) => {
  it('does to memory, packets, interrupts and freeze states exactly what its tables say, at every step', () => {
    const step = stepsOf(bridge.dialect);
    const commands = fc.commands([step.map((each) => new StepCommand(each))], { maxCommands: 120, size: 'max' });
    fc.assert(
      fc.property(commands, (steps) => {
        const real = benchOf(bridge);
        fc.modelRun(() => ({ model: real.model, real }), steps);
        checkWholeMemory(real.chip, real.model);
      }),
      settings(200 / bridge.cost),
    );
  });
});
