/** Small banks with one register of every access kind. */
import { ALL_ONES, bit, bits } from '../../src/hw/bits.js';
import { declareRegisters } from '../../src/hw/register.js';

const known = 'assumed';
const source = '(M) a bank for tests';
const about = 'a register for tests';

export const MMIO_BANK = declareRegisters('TEST', 8, {
  PLAIN: { offset: 0x100, access: 'read-write', about, source, known },
  MASKED: {
    offset: 0x108,
    access: 'read-write',
    writable: 0x00ff_ff00_ff00_00ffn,
    reset: 0xdead_beef_0123_4567n,
    about,
    source,
    known,
  },
  VERSION: { offset: 0x118, access: 'read-only', reset: 0x0000_00a3_0000_0005n, about, source, known },
  KILL: {
    offset: 0x120,
    access: 'write-only',
    fields: {
      ALL: { at: bit(0), about: 'everything' },
      MODE: { at: bits(1, 2), about: 'what to drop', values: { by_pe: 2, page: 1 } },
      PE: { at: bits(56, 63), about: 'the PE' },
      LOW: { at: bits(32, 63), about: 'another reading', view: true },
    },
    about,
    source,
    known,
  },
  STATUS: { offset: 0x128, access: 'write-1-to-clear', writable: 0xffff_ffff_ffff_fff0n, about, source, known },
  FIR: { offset: 0x130, access: 'read-write', writable: ALL_ONES ^ 0xffn, about, source, known },
  FIR_AND: { offset: 0x138, access: 'and-mask', target: 'FIR', about, source, known },
  FIR_OR: { offset: 0x140, access: 'or-mask', target: 'FIR', writable: 0xffff_0000_0000_ffffn, about, source, known },
  WOF: { offset: 0x148, access: 'write-clears', about, source, known },
  COMMAND: { offset: 0x150, access: 'self-clearing', about, source, known },
  LINK: { offset: 0x158, access: 'self-clearing', selfClearing: 1n << 63n, about, source, known },
  CONTROL: { offset: 0x7f8, access: 'read-write', selfClearing: 0xf0n, writable: 0xffffn, about, source, known },
});

/** SCOM numbers far apart: too wide for a table of offsets. */
export const SCOM_BANK = declareRegisters('SCOM', 1, {
  NFIR: { offset: 0x0201_2000, access: 'read-write', about, source, known },
  NFIR_AND: { offset: 0x0201_2001, access: 'and-mask', target: 'NFIR', about, source, known },
  ETU_RESET: { offset: 0x0901_200a, access: 'read-write', writable: 1n << 63n, about, source, known },
});
