/** Error bits of the hub's units as register fields: only their classes are known. Facts: ioda1-p7ioc 7.4. */
import type { FieldDeclaration } from '../../hw/register.js';
import { fieldsOfBits } from '../../ioda/bit-fields.js';
import { type UnitKind, unitClassOf } from '../error-bits/units.js';

export function lemFieldsOfUnit(unit: UnitKind): Readonly<Record<string, FieldDeclaration>> {
  const bits = Array.from({ length: 64 }, (_, bit) => {
    const errorClass = unitClassOf(unit, bit);
    return { bit, name: `${errorClass}_${bit}`, about: `error of class ${errorClass}, meaning unknown` };
  });
  return fieldsOfBits(bits);
}
