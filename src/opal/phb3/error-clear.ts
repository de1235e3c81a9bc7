/** The sequence that clears latched errors, on a PHB3. Source: skiboot hw/phb3.c: phb3_err_ER_clear. Facts: ioda2-phb3 7.12.1. */
import type { Process } from '../../sim/process.js';
import { clearLatchedErrors } from '../error-clear.js';
import { ROOT_PORT } from '../root-port.js';
import { configAddress } from './config-cycle.js';
import type { Phb3 } from './phb3.js';

export function* clearErrors({ port, profile, access }: Phb3): Process<void> {
  const rootPortAddress = (offset: number): bigint => configAddress({ bdfn: ROOT_PORT, offset }, 0);
  yield* clearLatchedErrors({ port, profile, access, rootPortAddress });
}
