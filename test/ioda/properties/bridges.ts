/** The bridges that the properties hold for: a chip, its reference model, and what may be done to it. */
import type { IodaChip } from './chip.js';
import type { BridgeModel } from './model.js';
import { P7iocChip } from './p7ioc/chip.js';
import { P7IOC_DIALECT } from './p7ioc/dialect.js';
import { P7iocModel } from './p7ioc/model.js';
import { Phb3Chip } from './phb3/chip.js';
import { PHB3_DIALECT } from './phb3/dialect.js';
import { Phb3Model } from './phb3/model.js';
import type { Dialect } from './steps.js';

export interface Bridge {
  readonly name: string;
  /** How much longer its runs take than PHB3's: so many times fewer are made. */
  readonly cost: number;
  newChip(): IodaChip;
  newModel(): BridgeModel;
  readonly dialect: Dialect;
}

export const BRIDGES: readonly Bridge[] = [
  { name: 'PHB3', cost: 1, newChip: () => new Phb3Chip(), newModel: () => new Phb3Model(), dialect: PHB3_DIALECT },
  { name: 'P7IOC', cost: 3, newChip: () => new P7iocChip(), newModel: () => new P7iocModel(), dialect: P7IOC_DIALECT },
];
