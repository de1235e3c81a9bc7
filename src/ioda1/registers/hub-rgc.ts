/**
 * Registers of the global error macro, of the register and interrupt control (RGC), and of the chip's fences.
 * Facts: ioda1-p7ioc 3.4 to 3.7, 8.2.
 */
import { ALL_ONES, bit, bits, type FieldSpec, msbMask, msbMasks } from '../../hw/bits.js';
import type { FieldDeclaration, RegisterDeclaration } from '../../hw/register.js';
import { fieldsOfBits } from '../../ioda/bit-fields.js';
import { IODA_ADDRESS_FIELDS } from '../../ioda/ioda-access.js';
import { EI_GEM_BIT, gemBitOfPhb, HUB_UNIT_NAMES, HUB_UNITS, PHBS_PER_HUB } from '../error-bits/units.js';
import { lemFieldsOfUnit } from './hub-lem.js';
import { lemRegisters } from './lem.js';
import { programmed } from './unnamed.js';

const INIT = 'skiboot p7ioc hw/p7ioc-inits.c: p7ioc_init_RGC';
const GEM_INIT = 'skiboot p7ioc hw/p7ioc-inits.c: p7ioc_init_GEM; skiboot p7ioc hw/p7ioc.c: p7ioc_check_GEM';

export type PhbIndex = 0 | 1 | 2 | 3 | 4 | 5;
export const PHB_INDICES: readonly PhbIndex[] = [0, 1, 2, 3, 4, 5];

/** One bit a unit, the same in all registers of the macro. */
const GEM_FIELDS = fieldsOfBits([
  { bit: EI_GEM_BIT, name: 'EI', about: 'elastic interface; raises nothing' },
  ...HUB_UNIT_NAMES.map((unit) => ({ bit: HUB_UNITS[unit].gemBit, name: unit, about: `unit ${unit}` })),
  ...PHB_INDICES.map((phb) => ({ bit: gemBitOfPhb(phb), name: `PHB${phb}`, about: `PHB ${phb}` })),
]);

const gem = (offset: number, rest: Pick<RegisterDeclaration, 'access' | 'about'>): RegisterDeclaration => ({
  offset,
  known: 'stated',
  fields: GEM_FIELDS,
  source: GEM_INIT,
  ...rest,
});

export const GEM_REGISTERS = {
  GEM_XFIR: gem(0x3e_0008, {
    access: 'read-write',
    about: 'Units with a fatal error; all ones means that nothing of the hub can be reached.',
  }),
  GEM_RFIR: gem(0x3e_0010, { access: 'read-only', about: 'Units with a recoverable error now (M).' }),
  GEM_RIRQFIR: gem(0x3e_0018, { access: 'read-only', about: 'Units with a recoverable error that interrupts (M).' }),
  GEM_MASK: {
    ...gem(0x3e_0020, { access: 'read-write', about: 'Units whose recoverable errors do not interrupt.' }),
    reset: ALL_ONES,
    resetKnown: 'assumed',
  },
  GEM_RWOF: gem(0x3e_0028, {
    access: 'read-write',
    about: 'Units that interrupted first; firmware looks for the source of an error here.',
  }),
} as const satisfies Record<string, RegisterDeclaration>;

/** CI ports have two reset bits each, PHBs one. */
const CCRR_FIELDS: Readonly<Record<string, FieldDeclaration>> = Object.fromEntries([
  ...Array.from({ length: 8 }, (_, port) => [
    [`CI_P${port}_CONFIG`, { at: bit(8 + 2 * port), about: `configuration reset of port ${port}; unused` }],
    [`CI_P${port}_FUNCTION`, { at: bit(9 + 2 * port), about: `functional reset of port ${port}` }],
  ]).flat(),
  ...Array.from({ length: PHBS_PER_HUB }, (_, phb) => [
    `PHB${phb}`,
    { at: bit(32 + phb), about: `configuration reset of PHB ${phb}` },
  ]),
]);

function phbBases(): Record<`RGC_PHB${PhbIndex}_BASE`, RegisterDeclaration> {
  const all = PHB_INDICES.map((phb) => [
    `RGC_PHB${phb}_BASE`,
    {
      offset: 0x3e_1080 + 8 * phb,
      access: 'read-write',
      known: 'stated',
      about: `Address of the AIB window onto the registers of PHB ${phb}.`,
      source: INIT,
    } satisfies RegisterDeclaration,
  ]);
  return Object.fromEntries(all) as Record<`RGC_PHB${PhbIndex}_BASE`, RegisterDeclaration>;
}

export const RGC_REGISTERS = {
  RGC_GP0_CONTROL: programmed(0x3e_1018, 'Error enables of the upstream multiplexers, a nibble a PHB', INIT),
  ...phbBases(),
  RGC_BUID: {
    offset: 0x3e_1800,
    access: 'read-write',
    known: 'stated',
    fields: { BUID: { at: bits(23, 31), about: 'bus unit id; firmware writes its extension above it too' } },
    about: 'Names the interrupts of the hub itself.',
    source: INIT,
  },
  RGC_IODA_ADDR: {
    offset: 0x3e_1820,
    access: 'read-write',
    known: 'stated',
    fields: { ...IODA_ADDRESS_FIELDS, INDEX: { at: bits(48, 63), about: 'entry index' } },
    about: 'Chooses the entry of the hub interrupt tables behind RGC_IODA_DATA.',
    source: INIT,
  },
  RGC_IODA_DATA: {
    offset: 0x3e_1830,
    access: 'read-write',
    known: 'stated',
    about: 'The chosen entry; a store with auto-increment steps the index, a load does not (M).',
    source: INIT,
  },
  RGC_IODA_LOCK: {
    offset: 0x3e_1840,
    access: 'read-write',
    known: 'stated',
    fields: { LOCK: { at: bit(0), about: 'lock is held' } },
    about: 'Lock of the hub interrupt tables, taken by reading; it guards nothing by itself.',
    source: INIT,
  },
  RGC_CCRR: {
    offset: 0x3e_1c00,
    access: 'read-write',
    known: 'stated',
    fields: CCRR_FIELDS,
    about: 'Resets of PHBs and of the crossbar ports in front of them.',
    source: 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_reset',
  },
  RGC_CONFIG: {
    offset: 0x3e_1c08,
    access: 'read-write',
    known: 'stated',
    fields: { CLEAR_REPORTS: { at: bit(1), about: 'set for a while: clears the error report macros' } },
    about: 'Configuration of the register and interrupt control.',
    source: INIT,
  },
  RGC_STATUS: {
    offset: 0x3e_1c10,
    access: 'read-only',
    known: 'stated',
    about: 'Status shown in hub diag data; bits unknown.',
    source: 'skiboot p7ioc hw/p7ioc.c: p7ioc_get_diag_data',
  },
  RGC_LDCP: programmed(0x3e_1c18, 'Damage control: the error bits that stop the GX link', INIT),
  RGC_CREDITS: programmed(0x3e_1c20, 'Credits for commands and data', INIT),
  ...lemRegisters({ prefix: 'RGC', base: HUB_UNITS.RGC.lemBase, bits: lemFieldsOfUnit('RGC'), source: INIT }),
} as const satisfies Record<string, RegisterDeclaration>;

const FENCE_SOURCE = 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_fenced, p7ioc_creset';
const fenceField = (phb: number): FieldSpec => bits(14 + 4 * phb, 15 + 4 * phb);

/** Both fence bits of a PHB, and the one that stays in the WOF (M: which of the two is unknown). */
export const fenceShadowMask = (phb: number): bigint => msbMasks(14 + 4 * phb, 15 + 4 * phb);
export const fenceWofMask = (phb: number): bigint => msbMask(15 + 4 * phb);

const FENCE_FIELDS: Readonly<Record<string, FieldDeclaration>> = Object.fromEntries(
  PHB_INDICES.map((phb) => [`PHB${phb}`, { at: fenceField(phb), about: `PHB ${phb} is fenced` }]),
);

export const FENCE_REGISTERS = {
  CHIP_FENCE_SHADOW: {
    offset: 0x3e_c010,
    access: 'read-only',
    known: 'stated',
    fields: FENCE_FIELDS,
    about: 'The PHBs that are fenced now: software looks here before every configuration cycle.',
    source: FENCE_SOURCE,
  },
  CHIP_FENCE_WOF: {
    offset: 0x3e_c018,
    access: 'read-write',
    known: 'stated',
    fields: FENCE_FIELDS,
    about: 'The PHBs that were fenced, until software clears them.',
    source: FENCE_SOURCE,
  },
} as const satisfies Record<string, RegisterDeclaration>;
