/** A difference from recorded firmware that a switch of the firmware profile is meant to make. */
import type { FirmwareSwitchName } from '../opal/firmware-profile.js';

/** What can differ in a phase: the register of an access by its name, or one of these. */
export const RETURN_CODE = 'return code';
export const MEMORY = 'memory';

export interface ExpectedDifference {
  readonly switch: FirmwareSwitchName;
  /** Registers, `return code` or `memory`. */
  readonly what: readonly string[];
  readonly phases: readonly string[];
}
