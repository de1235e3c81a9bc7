/** The two doublewords of a PEST entry of PHB3: why and where a PE froze. Facts: ioda2-phb3 5.3. */
import {
  COMMON_CAUSES,
  type PestEntry as EntryOf,
  PestFormat,
  type PestWords,
  pestAFields,
  pestBFields,
} from '../../ioda/pest.js';

export { type PestWords, TRANSACTION_TYPE, type TransactionType } from '../../ioda/pest.js';

export type PestCause = keyof typeof COMMON_CAUSES;
/** A PEST entry by its parts. */
export type PestEntry = EntryOf<PestCause>;

const FORMAT = new PestFormat(COMMON_CAUSES);

export const PEST_CAUSES = FORMAT.causes;

export const PEST_A_FIELDS = pestAFields('MMIO is frozen; the on-chip copy counts', COMMON_CAUSES);

export const PEST_B_FIELDS = pestBFields(
  'DMA is stopped; the on-chip copy counts',
  'failing address: AIB address of an MMIO, PCI address bits 60:0 of a DMA',
);

export function decodePest(a: bigint, b: bigint): PestEntry {
  return FORMAT.decode(a, b);
}

/** The words of an entry; parts left out are zero. */
export function encodePest(entry: Partial<PestEntry>): PestWords {
  return FORMAT.encode(entry);
}
