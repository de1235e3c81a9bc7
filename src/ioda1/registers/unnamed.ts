/** Registers that public sources name, or only store a value to, without saying what their bits do. */
import type { AccessKind, RegisterDeclaration } from '../../hw/register.js';

/** Where names and offsets come from. */
export const NAMES_SOURCE = 'skiboot include/p7ioc-regs.h';

const BEHAVIOUR: Partial<Record<AccessKind, string>> = {
  'read-only': 'meaning unknown; reads its reset value',
  'write-1-to-clear': 'meaning unknown; latches, ones clear',
};

/** A register whose bits have no public meaning: it keeps what software writes, or what its access kind leaves. */
export function unnamed(
  offset: number,
  access: AccessKind,
  subject: string,
  source: string = NAMES_SOURCE,
): RegisterDeclaration {
  const behaviour = BEHAVIOUR[access] ?? 'meaning unknown; stored';
  return { offset, access, known: 'assumed', source, about: `${subject}: ${behaviour}.` };
}

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
