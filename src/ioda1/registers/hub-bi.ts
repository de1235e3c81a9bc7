/** Registers of the bus interface of the hub, up towards the processor and down. Facts: ioda1-p7ioc 3.2, 8.1. */
import { bits } from '../../hw/bits.js';
import type { RegisterDeclaration } from '../../hw/register.js';
import { lemFieldsOfUnit } from './hub-lem.js';
import { lemRegisters } from './lem.js';
import { programmed } from './unnamed.js';

const INIT = 'skiboot p7ioc hw/p7ioc-inits.c: p7ioc_init_BI';

/** What an error bit does besides being recorded; software reads them back into hub diag data. */
const damageControl = (offset: number, effect: string): RegisterDeclaration => ({
  offset,
  access: 'read-write',
  known: 'stated',
  about: `Damage control: the error bits that ${effect}.`,
  source: `${INIT}; skiboot p7ioc hw/p7ioc.c: p7ioc_get_diag_data`,
});

type CaptureRegister = 'PATTERN' | 'TRIGGER' | 'MODE' | 'COMPRESSION0' | 'COMPRESSION1';
type CaptureArray = 0 | 1 | 2 | 3;
const CAPTURE_BASE = 0x3c_0480;
const CAPTURE_STRIDE = 0x80;
const CAPTURE_REGISTERS: Readonly<Record<CaptureRegister, readonly [at: number, what: string]>> = {
  PATTERN: [0x00, 'pattern A'],
  TRIGGER: [0x20, 'trigger 0'],
  MODE: [0x30, 'mode'],
  COMPRESSION0: [0x38, 'compression 0'],
  COMPRESSION1: [0x40, 'compression 1'],
};
const CAPTURE_ARRAYS: readonly CaptureArray[] = [0, 1, 2, 3];

function captureArrays(): Record<`BI_CAPTURE${CaptureArray}_${CaptureRegister}`, RegisterDeclaration> {
  const all = CAPTURE_ARRAYS.flatMap((array) =>
    (Object.entries(CAPTURE_REGISTERS) as [CaptureRegister, readonly [number, string]][]).map(
      ([name, [at, what]]) =>
        [
          `BI_CAPTURE${array}_${name}`,
          programmed(CAPTURE_BASE + CAPTURE_STRIDE * array + at, `Trace capture array ${array}, ${what}`, INIT),
        ] as const,
    ),
  );
  return Object.fromEntries(all) as Record<`BI_CAPTURE${CaptureArray}_${CaptureRegister}`, RegisterDeclaration>;
}

export const BI_REGISTERS = {
  ...lemRegisters({ prefix: 'BI_UP', base: 0x3c_0000, bits: lemFieldsOfUnit('BI_UP'), source: INIT }),
  ...lemRegisters({ prefix: 'BI_DOWN', base: 0x3c_0050, bits: lemFieldsOfUnit('BI_DOWN'), source: INIT }),
  BI_GX_CONFIG: programmed(0x3c_00a0, 'Configuration of the GX link', INIT),
  BI_TTYPE_ADDRESS: {
    offset: 0x3c_00a8,
    access: 'read-write',
    known: 'stated',
    fields: { INDEX: { at: bits(58, 63), about: 'transaction type; those that firmware touches end at 0x21' } },
    about: 'Chooses the entry behind BI_TTYPE_DATA.',
    source: INIT,
  },
  BI_TTYPE_DATA: {
    offset: 0x3c_00b0,
    access: 'read-write',
    known: 'stated',
    about: 'Sequencing and speculation of the chosen transaction type; bits unknown.',
    source: INIT,
  },
  BI_UP_CREDITS: programmed(0x3c_00c8, 'Upbound credits', INIT),
  BI_AIB_PORTS: programmed(0x3c_00d0, 'What the AIB ports are', INIT),
  BI_CHICKEN_SWITCHES: programmed(0x3c_00d8, 'Switches for late changes', INIT),
  BI_CREDIT_TIMER: programmed(0x3c_00e8, 'Timer of credit initialisation and acknowledgements', INIT),
  BI_CREDIT_CHECK: programmed(0x3c_00f0, 'Check of credit synchronisation', INIT),
  BI_UP_LDCP0: damageControl(0x3c_0100, 'stop the GX link, upbound'),
  BI_UP_LDCP1: damageControl(0x3c_0108, 'fence the AIB, upbound'),
  BI_UP_LDCP2: damageControl(0x3c_0110, 'drop the packet, upbound'),
  BI_DOWN_LDCP0: damageControl(0x3c_0118, 'stop the GX link, downbound'),
  BI_DOWN_LDCP1: damageControl(0x3c_0120, 'fence the AIB, downbound'),
  BI_DOWN_LDCP2: damageControl(0x3c_0128, 'drop the packet, downbound'),
  BI_FENCE_STATUS: {
    offset: 0x3c_0130,
    access: 'read-write',
    known: 'stated',
    about: 'Fences of the bus interface; a store replaces them, zero clears.',
    source: `${INIT}; skiboot p7ioc hw/p7ioc.c: p7ioc_get_diag_data`,
  },
  BI_ERROR_LATCHES: programmed(0x3c_0148, 'Control of the error report latches', INIT),
  BI_UP_TIMER_MASK0: programmed(0x3c_0180, 'Upbound timers that are ignored, first word', INIT),
  BI_UP_TIMER_MASK1: programmed(0x3c_0188, 'Upbound timers that are ignored, second word', INIT),
  BI_DOWN_TIMER_MASK: programmed(0x3c_0190, 'Downbound timers that are ignored', INIT),
  BI_ORDERING0: programmed(0x3c_0200, 'Overrides of ordering, first word', INIT),
  BI_ORDERING1: programmed(0x3c_0208, 'Overrides of ordering, second word', INIT),
  BI_TRACE_CONTROL: programmed(0x3c_0400, 'Trace control', INIT),
  BI_TRACE_MODE: programmed(0x3c_0408, 'Trace mode', INIT),
  BI_TRACE_RUN: programmed(0x3c_0410, 'Starts, stops and unfreezes the trace', INIT),
  BI_TRACE_C0: programmed(0x3c_0418, 'What stops the trace', INIT),
  BI_TRACE_SELECT: programmed(0x3c_0478, 'What is traced', INIT),
  ...captureArrays(),
} as const satisfies Record<string, RegisterDeclaration>;
