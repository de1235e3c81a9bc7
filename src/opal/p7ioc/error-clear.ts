/** The sequence that clears latched errors, on a P7IOC. Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_ER_err_clear. Facts: ioda1-p7ioc 7.11. */
import { PHB_REGISTERS } from '../../ioda1/registers/phb.js';
import type { Process } from '../../sim/process.js';
import { clearLatchedErrors } from '../error-clear.js';
import { word } from '../field-words.js';
import { ROOT_PORT } from '../root-port.js';
import type { P7iocPhb } from './phb.js';

const rootPortAddress = (offset: number): bigint =>
  word(PHB_REGISTERS, 'PHB_CONFIG_ADDRESS', { ENABLE: 1, BDFN: ROOT_PORT, REGISTER: offset });

/** By the path that a fence closes: then nothing is cleared, and nobody told. */
export function* clearErrors({ port, profile, access }: P7iocPhb): Process<void> {
  yield* clearLatchedErrors({ port, profile, access, rootPortAddress });
}
