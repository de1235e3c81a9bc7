/** Registers that public sources name, or only store a value to, without saying what their bits do. */
import type { RegisterDeclaration } from '../../hw/register.js';
import { unnamedFrom } from '../../ioda/unnamed-registers.js';

/** Where names and offsets come from. */
export const NAMES_SOURCE = 'skiboot include/p7ioc-regs.h';

export const unnamed = unnamedFrom(NAMES_SOURCE);

/** A register that firmware programs with a known value whose bits have no public meaning. */
export function programmed(offset: number, subject: string, source: string): RegisterDeclaration {
  return {
    offset,
    access: 'read-write',
    known: 'stated',
    source,
    about: `${subject}; firmware programs it, bits unknown.`,
  };
}
