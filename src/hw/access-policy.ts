/**
 * How an access lies on a grid of registers. What a partial or misaligned access does is the chip's own rule: some
 * answer all ones, some record an error, some merge. This only says which case it is.
 */
export type AccessShape = 'whole' | 'partial' | 'misaligned';

const DOUBLEWORD_BYTES = 8;

/**
 * whole: one complete register. partial: inside one register. misaligned: not on a multiple of its own size, or over
 * more than one register.
 */
export function classifyAccess(offset: number, size: number, registerBytes = DOUBLEWORD_BYTES): AccessShape {
  if (offset % size !== 0 || size > registerBytes) return 'misaligned';
  return size === registerBytes ? 'whole' : 'partial';
}
