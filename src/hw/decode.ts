/** From a register's or table entry's value to names: for traces, reports, the debugger and error messages. */
import { type FieldSpec, fieldMask, getField, hex64 } from './bits.js';
import type { FieldInfo } from './register.js';

export interface DecodedField {
  readonly name: string;
  readonly at: FieldSpec;
  readonly value: bigint;
  readonly about: string;
  /** The declared name of the value, where it has one. */
  readonly valueName: string | undefined;
}

/** Every declared field with its value, in the order of the declaration. */
export function decodeFields(fields: readonly FieldInfo[], word: bigint, width = 64): DecodedField[] {
  return fields
    .filter((field) => !field.view)
    .map((field) => {
      const value = getField(word, field.at, width);
      const named = Object.entries(field.values).find(([, candidate]) => BigInt(candidate) === value);
      return { name: field.name, at: field.at, value, about: field.about, valueName: named?.[0] };
    });
}

/** The bits of `word` that no declared field covers. */
export function undeclaredBits(fields: readonly FieldInfo[], word: bigint, width = 64): bigint {
  return fields.reduce((rest, field) => rest & ~fieldMask(field.at, width), BigInt.asUintN(width, word));
}

function formatValue(value: bigint): string {
  return value < 10n ? value.toString() : `0x${value.toString(16)}`;
}

/** One line: `ALL=1 PE=5`. Fields that are 0 are left out, bits without a name follow as `other=`; 0 is `0`. */
export function formatFields(fields: readonly FieldInfo[], word: bigint, width = 64): string {
  if (fields.length === 0) return width === 64 ? hex64(word) : word.toString(16).padStart(width / 4, '0');
  const parts = decodeFields(fields, word, width)
    .filter((field) => field.value !== 0n)
    .map((field) => `${field.name}=${field.valueName ?? formatValue(field.value)}`);
  const rest = undeclaredBits(fields, word, width);
  if (rest !== 0n) parts.push(`other=0x${rest.toString(16)}`);
  return parts.length === 0 ? '0' : parts.join(' ');
}
