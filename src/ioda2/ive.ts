/** Fields of an interrupt vector (IVE) by halves of its first doubleword, the only one that counts. Facts: ioda2-phb3 5.4. */
import { MEMORY_TABLES } from './tables.js';

const HALF_BITS = 32;

export interface IveField {
  readonly half: 'hi' | 'lo';
  readonly shift: number;
  /** Mask of the field once it is shifted down. */
  readonly mask: number;
  /** Byte of the vector in which a field of at most eight bits ends. */
  readonly byte: number;
  /** The field in this half of a vector. */
  of(half: number): number;
}

function iveField(name: string): IveField {
  const { first, last } = MEMORY_TABLES.IVT.field(name).at;
  const shift = HALF_BITS - 1 - (last % HALF_BITS);
  const mask = 2 ** (last - first + 1) - 1;
  return {
    half: last < HALF_BITS ? 'hi' : 'lo',
    ...{ shift, mask, byte: Math.floor(last / 8) },
    of: (half) => (half >>> shift) & mask,
  };
}

export const IVE = {
  SERVER: iveField('SERVER'),
  PRIORITY: iveField('PRIORITY'),
  GENERATION: iveField('GENERATION'),
  P: iveField('P'),
  Q: iveField('Q'),
  PE: iveField('PE'),
} as const;

/** The half of a vector with the field replaced. */
export function withIveField(half: number, { shift, mask }: IveField, value: number): number {
  return ((half & ~(mask << shift)) | ((value & mask) << shift)) >>> 0;
}
