/** Error registers of a P7IOC PHB: the local error macro and four traps of one layout. Facts: ioda1-p7ioc 3.13, 7.3. */
import { bits } from '../../hw/bits.js';
import { trapRegisters } from '../../ioda/trap-registers.js';
import { LEM_FIELDS } from '../error-bits/lem.js';
import { TRAP_BITS } from '../error-bits/traps.js';
import { lemRegisters } from './lem.js';

const SOURCE = 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_init_errors, p7ioc_ER_err_clear';

export const PHB_LEM_REGISTERS = lemRegisters({ prefix: 'PHB', base: 0xc00, bits: LEM_FIELDS, source: SOURCE });

/** LOG_0 and LOG_1 are printed and never decoded by software: their layout is a choice. */
export const LOG_FIELDS = {
  LOG_0: {
    REQUESTER_ID: { at: bits(0, 15), about: 'requester of the packet (M)' },
    TRANSACTION_TYPE: { at: bits(16, 18), about: 'kind of operation, coded as in PESTA (M)' },
    LEM_BIT: { at: bits(26, 31), about: 'LEM bit of the error (M)' },
    PE: { at: bits(57, 63), about: 'PE that paid (M)' },
  },
  LOG_1: { ADDRESS: { at: bits(0, 63), about: 'failing address (M)' } },
} as const;

export const TRAP_REGISTERS = trapRegisters({
  bits: TRAP_BITS,
  logs: { 'log-0': LOG_FIELDS.LOG_0, 'log-1': LOG_FIELDS.LOG_1 },
  source: SOURCE,
  about: { ERR_INJECT: 'Raises the errors written as one through the whole reporting path.' },
});
