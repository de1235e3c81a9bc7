/** The two doublewords of a PE's state on the chip: why and where it froze. Facts: ioda1-p7ioc 4.10. */
import { bit } from '../../hw/bits.js';
import { COMMON_CAUSES, type PestEntry as EntryOf, PestFormat, pestAFields, pestBFields } from '../../ioda/pest.js';

/** Single cause bits of PESTA. */
const CAUSES = {
  ...COMMON_CAUSES,
  CONFIG_READ: { at: bit(3), about: 'the failing operation was a configuration read' },
  CONFIG_WRITE: { at: bit(4), about: 'the failing operation was a configuration write' },
  TAG_REUSE: { at: bit(12), about: 'a tag was used again too early' },
  TVT_RANGE: { at: bit(17), about: 'DMA address outside the window' },
} as const;

export type PestCause = keyof typeof CAUSES;
export type PestEntry = EntryOf<PestCause>;

export const PEST_FORMAT = new PestFormat<PestCause>(CAUSES);

export const PEST_A_FIELDS = pestAFields('MMIO is frozen: loads answer all ones, stores are dropped', CAUSES);
export const PEST_B_FIELDS = pestBFields(
  'DMA is stopped',
  'failing address: processor address of an MMIO, PCI address bits 60:0 of a DMA',
);
