/**
 * Which requesters an entry of PELTM, MVT or TVT is for: the compared bits of bus, device and function.
 * Facts: ioda1-p7ioc 4.7. Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_set_pe.
 */

/** An entry's filter as it is used: `(rid & mask) === value`. */
export interface RidFilter {
  readonly mask: number;
  readonly value: number;
}

/** Bus bits compared, by BUS_VALID; the reserved code 1 counts as none (M). */
const BUS_MASKS = [0x00, 0x00, 0xe0, 0xf0, 0xf8, 0xfc, 0xfe, 0xff] as const;
const DEVICE_MASK = 0xf8;
const FUNCTION_MASK = 0x07;

/** Fields of any table that has them. */
export type FilterField = 'BUS' | 'DEVICE' | 'FUNCTION' | 'BUS_VALID' | 'DEVICE_VALID' | 'FUNCTION_VALID';

/** `field` gives a field of the entry. */
export function ridFilter(field: (name: FilterField) => number): RidFilter {
  const mask =
    ((BUS_MASKS[field('BUS_VALID')] ?? 0) << 8) |
    (field('DEVICE_VALID') === 1 ? DEVICE_MASK : 0) |
    (field('FUNCTION_VALID') === 1 ? FUNCTION_MASK : 0);
  const rid = (field('BUS') << 8) | (field('DEVICE') << 3) | field('FUNCTION');
  return { mask, value: rid & mask };
}
