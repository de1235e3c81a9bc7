/** Values of registers and table entries put together from the fields that their declarations name. */
import { setField } from '../hw/bits.js';
import type { NamedRegisterBank } from '../hw/register.js';
import type { TableDeclaration } from '../hw/table.js';

type FieldValues = Readonly<Record<string, bigint | number>>;

/** A register value; what is not named is 0. */
export function word<N extends string>(bank: NamedRegisterBank<N>, register: N, fields: FieldValues): bigint {
  let value = 0n;
  for (const name of Object.keys(fields)) value = setField(value, bank.field(register, name).at, BigInt(fields[name]!));
  return value;
}

/** An entry of an on-chip table. */
export function entry(table: TableDeclaration, fields: FieldValues): bigint {
  return Object.entries(fields).reduce(
    (value, [name, field]) => setField(value, table.field(name).at, BigInt(field)),
    0n,
  );
}

/** The bits of one named field of a table entry. */
export function entryBits(table: TableDeclaration, field: string): bigint {
  return entry(table, { [field]: -1n });
}

/** An entry of any width, its words one behind the other. */
export function wideEntry(table: TableDeclaration, fields: FieldValues): bigint {
  return Object.entries(fields).reduce(
    (value, [name, field]) => setField(value, table.field(name).at, BigInt(field), table.entryBits),
    0n,
  );
}
