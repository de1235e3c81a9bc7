/** Error registers of PHB3: the local error macro and four traps of one layout. Facts: ioda2-phb3 3.2.5, 7.2. */
import { ALL_ONES, bits } from '../../hw/bits.js';
import type { RegisterDeclaration } from '../../hw/register.js';
import { fieldsOfBits } from '../../ioda/bit-fields.js';
import { trapRegisters } from '../../ioda/trap-registers.js';
import { LEM_BITS } from '../error-bits/lem.js';
import { TRAP_BITS } from '../error-bits/traps.js';

export { type TrapRegisterName, type TrapSuffix, trapRegisterName } from '../../ioda/trap-registers.js';

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

export const TRAP_REGISTERS = trapRegisters({
  bits: TRAP_BITS,
  logs: {
    'log-0': {
      TRANSACTION_TYPE: { at: bits(5, 7), about: 'kind of operation, coded as in the PEST (M)' },
      REQUESTER_ID: { at: bits(32, 47), about: 'requester of the packet (M)' },
    },
    'log-1': { ADDRESS: { at: bits(3, 63), about: 'failing address as in PEST B (M)' } },
  },
  source: 'skiboot hw/phb3.c: phb3_init_errors, phb3_err_ER_clear',
});
