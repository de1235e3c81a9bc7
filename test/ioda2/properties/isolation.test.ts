/**
 * Isolation, held against a reference model step by step: memory, packets, interrupts, freezes and the PEST of every
 * PE. Facts: ioda2-phb3 4.6, 6, 7. A longer soak: `PROPERTY_RUNS=30 npx vitest run test/ioda2/properties`, 30 times as many
 */
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { checkWholeMemory, modelOf, StepCommand } from './check.js';
import { Phb3Chip } from './phb3-chip.js';
import { settings } from './settings.js';
import { step } from './steps.js';

describe('an IODA bridge under any mix of software and devices', () => {
  it('does to memory, packets, interrupts and freeze states exactly what its tables say, at every step', () => {
    const commands = fc.commands([step.map((each) => new StepCommand(each))], { maxCommands: 120, size: 'max' });
    fc.assert(
      fc.property(commands, (steps) => {
        const chip = new Phb3Chip();
        const model = modelOf(chip);
        fc.modelRun(() => ({ model, real: { chip, model } }), steps);
        checkWholeMemory(chip, model);
      }),
      settings(200),
    );
  });
});
