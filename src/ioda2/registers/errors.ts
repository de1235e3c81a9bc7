/** Error registers of PHB3: the local error macro and four traps of one layout. Facts: ioda2-phb3 3.2.5, 7.2. */
import { ALL_ONES, bits } from '../../hw/bits.js';
import type { AccessKind, FieldDeclaration, RegisterDeclaration } from '../../hw/register.js';
import type { TrapName } from '../error-bits/bit-lists.js';
import { fieldsOfBits } from '../error-bits/fields.js';
import { LEM_BITS } from '../error-bits/lem.js';
import { TRAP_BITS } from '../error-bits/traps.js';

type Fields = Readonly<Record<string, FieldDeclaration>>;

const LEM_FIELDS = fieldsOfBits(LEM_BITS);
const LEM_SOURCE = 'skiboot hw/phb3.c: phb3_init_errors, phb3_err_ER_clear; qemu pnv_phb3_reg_write';

export const LEM_REGISTERS = {
  PHB_LEM_FIR_ACCUM: {
    offset: 0xc00,
    access: 'read-write',
    known: 'stated',
    fields: LEM_FIELDS,
    about: 'Error bits gathered from the traps; a direct write replaces them.',
    source: LEM_SOURCE,
  },
  PHB_LEM_FIR_AND_MASK: {
    offset: 0xc08,
    access: 'and-mask',
    target: 'PHB_LEM_FIR_ACCUM',
    known: 'stated',
    about: 'Clears the error bits written as zero.',
    source: LEM_SOURCE,
  },
  PHB_LEM_FIR_OR_MASK: {
    offset: 0xc10,
    access: 'or-mask',
    target: 'PHB_LEM_FIR_ACCUM',
    known: 'stated',
    about: 'Sets the error bits written as one.',
    source: LEM_SOURCE,
  },
  PHB_LEM_ERROR_MASK: {
    offset: 0xc18,
    access: 'read-write',
    known: 'stated',
    reset: ALL_ONES,
    resetKnown: 'assumed',
    fields: LEM_FIELDS,
    about: 'Ones keep an error bit out of WOF.',
    source: LEM_SOURCE,
  },
  PHB_LEM_ERROR_AND_MASK: {
    offset: 0xc20,
    access: 'and-mask',
    target: 'PHB_LEM_ERROR_MASK',
    known: 'stated',
    about: 'Unmasks the bits written as zero.',
    source: LEM_SOURCE,
  },
  PHB_LEM_ERROR_OR_MASK: {
    offset: 0xc28,
    access: 'or-mask',
    target: 'PHB_LEM_ERROR_MASK',
    known: 'stated',
    about: 'Masks the bits written as one.',
    source: LEM_SOURCE,
  },
  PHB_LEM_ACTION0: {
    offset: 0xc30,
    access: 'read-write',
    known: 'stated',
    about: 'First action bit of each error; firmware sets all.',
    source: LEM_SOURCE,
  },
  PHB_LEM_ACTION1: {
    offset: 0xc38,
    access: 'read-write',
    known: 'stated',
    about: 'Second action bit of each error; firmware sets all.',
    source: LEM_SOURCE,
  },
  PHB_LEM_WOF: {
    offset: 0xc40,
    access: 'write-clears',
    known: 'stated',
    fields: LEM_FIELDS,
    about: 'The first unmasked error bits since it was last cleared.',
    source: LEM_SOURCE,
  },
} as const satisfies Record<string, RegisterDeclaration>;

interface TrapRegister {
  readonly at: number;
  readonly access: AccessKind;
  readonly shows: 'errors' | 'log-0' | 'log-1';
  readonly about: string;
}
const trapRegister = (at: number, access: AccessKind, about: string): TrapRegister => ({
  at,
  access,
  shows: 'errors',
  about,
});

/** The registers of a trap at their offsets from its base; 0x38 is a hole. */
const TRAP_TEMPLATE = {
  ERR_STATUS: trapRegister(0x00, 'write-1-to-clear', 'Every error seen; ones clear.'),
  ERR1_STATUS: trapRegister(0x08, 'read-write', 'The first error since software wrote zero.'),
  ERR_INJECT: trapRegister(0x10, 'read-write', 'Arms a test error, raised by the next fitting operation.'),
  ERR_LEM_ENABLE: trapRegister(0x18, 'read-write', 'Errors forwarded to the LEM.'),
  ERR_IRQ_ENABLE: trapRegister(0x20, 'read-write', 'Errors that interrupt.'),
  ERR_FREEZE_ENABLE: trapRegister(0x28, 'read-write', 'Errors that freeze PEs.'),
  ERR_AIB_FENCE_ENABLE: trapRegister(0x30, 'read-write', 'Errors that fence the AIB.'),
  ERR_LOG_0: { at: 0x40, access: 'read-write', shows: 'log-0', about: 'What failed first: kind and requester.' },
  ERR_LOG_1: { at: 0x48, access: 'read-write', shows: 'log-1', about: 'Where it failed first.' },
  ERR_STATUS_MASK: trapRegister(0x50, 'read-write', 'Errors that ERR_STATUS ignores.'),
  ERR1_STATUS_MASK: trapRegister(0x58, 'read-write', 'Errors that ERR1_STATUS ignores.'),
} as const satisfies Record<string, TrapRegister>;

/** Last part of the name of a trap register. */
export type TrapSuffix = keyof typeof TRAP_TEMPLATE;

const TRAP_PREFIX = { PHB: 'PHB', OUT: 'PHB_OUT', INA: 'PHB_INA', INB: 'PHB_INB' } as const;
const TRAP_BASE: Readonly<Record<TrapName, number>> = { PHB: 0xc80, OUT: 0xd00, INA: 0xd80, INB: 0xe00 };

/** Name of the register of a trap, as in PHB_OUT_ERR_LOG_0. */
export type TrapRegisterName<T extends TrapName = TrapName> = `${(typeof TRAP_PREFIX)[T]}_${TrapSuffix}`;

const LOG_FIELDS: Readonly<Record<'log-0' | 'log-1', Fields>> = {
  'log-0': {
    TRANSACTION_TYPE: { at: bits(5, 7), about: 'kind of operation, coded as in the PEST (M)' },
    REQUESTER_ID: { at: bits(32, 47), about: 'requester of the packet (M)' },
  },
  'log-1': { ADDRESS: { at: bits(3, 63), about: 'failing address as in PEST B (M)' } },
};

function fieldsOfTrapRegister(trap: TrapName, { shows }: TrapRegister): Fields {
  return shows === 'errors' ? fieldsOfBits(TRAP_BITS[trap]) : LOG_FIELDS[shows];
}

function trapRegisters<T extends TrapName>(trap: T): Record<TrapRegisterName<T>, RegisterDeclaration> {
  const declarations = Object.entries<TrapRegister>(TRAP_TEMPLATE).map(([suffix, register]) => [
    trapRegisterName(trap, suffix as TrapSuffix),
    {
      offset: TRAP_BASE[trap] + register.at,
      access: register.access,
      known: 'stated',
      fields: fieldsOfTrapRegister(trap, register),
      about: register.about,
      source: 'skiboot hw/phb3.c: phb3_init_errors, phb3_err_ER_clear',
    } satisfies RegisterDeclaration,
  ]);
  return Object.fromEntries(declarations) as Record<TrapRegisterName<T>, RegisterDeclaration>;
}

/** The register of a trap that has the given last name part. */
export function trapRegisterName<T extends TrapName>(trap: T, suffix: TrapSuffix): TrapRegisterName<T> {
  return `${TRAP_PREFIX[trap]}_${suffix}`;
}

export const TRAP_REGISTERS = {
  ...trapRegisters('PHB'),
  ...trapRegisters('OUT'),
  ...trapRegisters('INA'),
  ...trapRegisters('INB'),
};
