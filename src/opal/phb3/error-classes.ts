/**
 * Sorting the error bits of the PBCQ and the LEM into classes.
 * Source: skiboot hw/phb3.c: phb3_err_check_pbcq, phb3_err_check_lem. Facts: ioda2-phb3 7.4, 7.12, opal-pci 7.2.
 */
import { ALL_ONES } from '../../hw/bits.js';
import { lemClassMask } from '../../ioda2/error-bits/lem.js';
import { nfirOpalMask } from '../../ioda2/error-bits/nfir.js';
import type { Process } from '../../sim/process.js';
import type { Phb3, Phb3ErrorClass } from './phb3.js';

type ClassMasks = readonly (readonly [errorClass: Phb3ErrorClass, bits: bigint])[];

/** In order of precedence. */
const NFIR_CLASSES: ClassMasks = [
  ['dead', nfirOpalMask('DEAD')],
  ['fenced', nfirOpalMask('FENCED')],
];
const LEM_CLASSES: ClassMasks = [
  ['fenced', lemClassMask('FENCE')],
  ['er', lemClassMask('ER')],
  ['inf', lemClassMask('INF')],
];

export interface FirWords {
  readonly fir: bigint;
  readonly mask: bigint;
  readonly wof: bigint;
}

/**
 * Which bits count. The mask is a preference only: the LEM mask in use covers every recoverable and informational bit,
 * and masked bits must still be found.
 */
export function decidingBits({ fir, mask, wof }: FirWords): bigint {
  return firstNonZero(wof & ~mask, wof, fir & ~mask, fir);
}

const firstNonZero = (...values: readonly bigint[]): bigint => values.find((value) => value !== 0n) ?? 0n;

/** Records the class of what is latched. False: no bit of any class. */
function classify(phb: Phb3, words: FirWords, classes: ClassMasks): boolean {
  // Ones mean that the registers themselves are out of reach.
  if (words.fir === ALL_ONES) {
    phb.setError('dead', -1);
    return true;
  }
  const deciding = decidingBits(words);
  const found = classes.find(([, bits]) => (deciding & bits) !== 0n);
  if (found === undefined) return false;
  phb.setError(found[0], mostSignificantBit(deciding & found[1]));
  return true;
}

const mostSignificantBit = (value: bigint): number => 64 - value.toString(2).length;

/** The PBCQ first; the LEM only if that knows nothing. */
export function* classifyPendingError(phb: Phb3): Process<boolean> {
  const { access } = phb;
  const nest = {
    fir: yield* access.readNest('NFIR'),
    mask: yield* access.readNest('NFIR_MASK'),
    wof: yield* access.readNest('NFIR_WOF'),
  };
  if (classify(phb, nest, NFIR_CLASSES)) return true;
  const fir = yield* access.readAsb('PHB_LEM_FIR_ACCUM');
  const wof = yield* access.readAsb('PHB_LEM_WOF');
  const mask = yield* access.readAsb('PHB_LEM_ERROR_MASK');
  return classify(phb, { fir, mask, wof }, LEM_CLASSES);
}
