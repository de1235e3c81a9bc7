/** The chips of bridges that machines can have: how a machine is built of each, and what tools must know of it. */

import type { Chip } from './chip.js';
import { POWERNV7_CHIP } from './chip-p7ioc.js';
import { POWERNV8_CHIP } from './chip-phb3.js';
import type { PowerNv7 } from './powernv7.js';
import type { PowerNv8 } from './powernv8.js';

export interface MachineOfChip {
  readonly phb3: PowerNv8;
  readonly p7ioc: PowerNv7;
}

export type ChipName = keyof MachineOfChip;

export const CHIPS: { readonly [C in ChipName]: Chip<MachineOfChip[C]> } = {
  phb3: POWERNV8_CHIP,
  p7ioc: POWERNV7_CHIP,
};
export const CHIP_NAMES = Object.keys(CHIPS) as readonly ChipName[];
/** Where nothing else is said. */
export const DEFAULT_CHIP = 'phb3' satisfies ChipName;
