/** Registers that public sources name without saying what their bits do. Facts: ioda2-phb3 3.2, rows marked "?". */
import type { AccessKind, RegisterDeclaration } from '../../hw/register.js';

/** Where the names and offsets of the register block come from. */
export const NAMES_SOURCE = 'skiboot include/phb3-regs.h; qemu include/hw/pci-host/pnv_phb3_regs.h';

const BEHAVIOUR: Partial<Record<AccessKind, string>> = {
  'read-only': 'meaning unknown; reads its reset value',
  'write-1-to-clear': 'meaning unknown; latches, ones clear',
};

/** A register whose bits have no public meaning: it keeps what software writes, or what its access kind leaves. */
export function unnamed(offset: number, access: AccessKind, subject: string): RegisterDeclaration {
  const behaviour = BEHAVIOUR[access] ?? 'meaning unknown; stored';
  return { offset, access, known: 'assumed', source: NAMES_SOURCE, about: `${subject}: ${behaviour}.` };
}
