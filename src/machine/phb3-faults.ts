/** Faults of a PHB3 itself, through its doors. Facts: ioda2-phb3 7.6. */
import { NEST_ERRORS, type NestError } from '../faults/bridge-errors.js';
import type { FaultTarget } from '../faults/target.js';
import { msbMasks } from '../hw/bits.js';
import { NFIR_BITS } from '../ioda2/error-bits/nfir.js';
import type { Phb3 } from '../ioda2/phb3.js';
import { PBCQ_SCOM_RANGES } from '../ioda2/registers/pbcq.js';

export function phb3FaultTarget(phb: Phb3, index: number): FaultTarget {
  const { base, strideOfPhb, bank } = PBCQ_SCOM_RANGES.nest;
  return {
    kind: 'phb',
    name: `phb${index}`,
    raiseFatal: (error) => phb.scomWrite(base + strideOfPhb * index + bank.get('NFIR_OR').offset, nestBits(error)),
    jamReset: () => phb.pbcq.jamReset(),
  };
}

/** `forced` are the bits that op-test sets to fence a PHB3. Source: op-test OpTestEEH.py. */
function nestBits(error: NestError): bigint {
  const names: readonly string[] = NEST_ERRORS[error];
  return msbMasks(...NFIR_BITS.filter(({ name }) => names.includes(name)).map(({ bit }) => bit));
}
