/** Error bits as register fields, so that a decoded register names its errors. */
import { bit } from '../hw/bits.js';
import type { FieldDeclaration } from '../hw/register.js';

export interface NamedBit {
  readonly bit: number;
  readonly name: string;
  readonly about: string;
}

export function fieldsOfBits(entries: readonly NamedBit[]): Readonly<Record<string, FieldDeclaration>> {
  return Object.fromEntries(entries.map((entry) => [entry.name, { at: bit(entry.bit), about: entry.about }]));
}
