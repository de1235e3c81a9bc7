import { describe, it } from 'vitest';
import { PBCQ_NEST_REGISTERS, PBCQ_PCI_REGISTERS, PBCQ_SPCI_REGISTERS } from '../../../src/ioda2/registers/pbcq.js';
import { PHB_REGISTERS } from '../../../src/ioda2/registers/phb.js';
import { checkRegisterLaws } from '../../hw/register-laws.js';

describe('every register of PHB3 obeys its declaration under any order of accesses', () => {
  it('in the PHB block', () => {
    checkRegisterLaws(PHB_REGISTERS, { seed: 1, numRuns: 40 });
  });

  it('in the three ranges of the PBCQ', () => {
    checkRegisterLaws(PBCQ_NEST_REGISTERS, { seed: 2, numRuns: 40 });
    checkRegisterLaws(PBCQ_PCI_REGISTERS, { seed: 3, numRuns: 40 });
    checkRegisterLaws(PBCQ_SPCI_REGISTERS, { seed: 4, numRuns: 40 });
  });
});
