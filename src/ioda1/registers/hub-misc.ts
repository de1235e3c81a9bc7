/** Registers of the high-speed SerDes, of clocks and central trace, and of the I2C master. Facts: ioda1-p7ioc 3.8, 8.7. */
import type { RegisterDeclaration } from '../../hw/register.js';
import { HUB_UNITS } from '../error-bits/units.js';
import { lemFieldsOfUnit } from './hub-lem.js';
import { PHB_INDICES, type PhbIndex } from './hub-rgc.js';
import { lemRegisters } from './lem.js';
import { programmed } from './unnamed.js';

const INIT = 'skiboot p7ioc hw/p7ioc-inits.c: p7ioc_init_MISC';
const HSS_INIT = 'skiboot p7ioc hw/p7ioc-inits.c: p7ioc_init_MISC_HSS';

const HSS_BASE = 0x3e_8000;
const HSS_STRIDE = 0x200;
/** Values that the service processor leaves, in the upper half. */
const HSS_DEFAULTS = [
  ...[0x9999_9999, 0x8888_8888, 0x4444_4444, 0x3333_3333, 0x2222_2222, 0x1111_1111, 0x1111_1111, 0x9999_9999],
  ...[0x8888_8888, 0xdddd_dddd, 0xcccc_cccc, 0xbbbb_bbbb, 0x9999_9999, 0x8888_8888, 0x7777_7777],
];
const FIRST_DEFAULT = 9;

export type HssRegister = `HSS${PhbIndex}_CTL${number}`;

function hssRegisters(): Record<HssRegister, RegisterDeclaration> {
  const all = PHB_INDICES.flatMap((phb) => {
    const base = HSS_BASE + HSS_STRIDE * phb;
    const control = (number: number) =>
      programmed(base + 8 * number, `SerDes control ${number} of PHB ${phb}`, HSS_INIT);
    const set = [2, 3, 8].map((number) => [`HSS${phb}_CTL${number}`, control(number)] as const);
    const left = HSS_DEFAULTS.map((value, at) => {
      const number = FIRST_DEFAULT + at;
      const declaration: RegisterDeclaration = {
        ...control(number),
        about: `SerDes control ${number} of PHB ${phb}; left as the service processor set it.`,
        reset: BigInt(value) << 32n,
        resetKnown: 'stated',
      };
      return [`HSS${phb}_CTL${number}`, declaration] as const;
    });
    return [...set, ...left];
  });
  return Object.fromEntries(all);
}

const TRACE_REGISTERS = {
  MISC_TRACE_CONTROL: [0x00, 'control'],
  MISC_TRACE_MODE: [0x08, 'mode'],
  MISC_TRACE_RUN: [0x10, 'start and stop'],
  MISC_TRACE_C0: [0x18, 'what stops it'],
  MISC_TRACE_C1: [0x20, 'condition 1'],
  MISC_TRACE_C2: [0x28, 'condition 2'],
  MISC_TRACE_C3: [0x30, 'condition 3'],
  MISC_TRACE_C4: [0x38, 'condition 4'],
  MISC_TRACE_C5: [0x40, 'condition 5'],
  MISC_TRACE_SELECT: [0x78, 'what is traced'],
} as const;
const TRACE_BASE = 0x3e_a800;

/** Registers of one of the four capture arrays, at their distance from its base. */
const ARRAY_REGISTERS = ['PATTERN', 'R1', 'R2', 'R3', 'TRIGGER', 'R5', 'MODE', 'R7', 'R8'] as const;
type CaptureArray = 0 | 1 | 2 | 3;
type CaptureRegister = `MISC_CAPTURE${CaptureArray}_${(typeof ARRAY_REGISTERS)[number]}`;
const ARRAY_BASE = 0x3e_a880;
const ARRAY_STRIDE = 0x80;

function centralTrace(): Record<keyof typeof TRACE_REGISTERS | CaptureRegister, RegisterDeclaration> {
  const control = Object.entries(TRACE_REGISTERS).map(
    ([name, [at, what]]) => [name, programmed(TRACE_BASE + at, `Central trace: ${what}`, INIT)] as const,
  );
  const arrays = ([0, 1, 2, 3] as const).flatMap((array) =>
    ARRAY_REGISTERS.map(
      (name, at) =>
        [
          `MISC_CAPTURE${array}_${name}`,
          programmed(ARRAY_BASE + ARRAY_STRIDE * array + 8 * at, `Central trace: word ${at} of array ${array}`, INIT),
        ] as const,
    ),
  );
  return Object.fromEntries([...control, ...arrays]) as Record<
    keyof typeof TRACE_REGISTERS | CaptureRegister,
    RegisterDeclaration
  >;
}

export const MISC_REGISTERS = {
  ...hssRegisters(),
  ...lemRegisters({ prefix: 'MISC', base: HUB_UNITS.MISC.lemBase, bits: lemFieldsOfUnit('MISC'), source: INIT }),
  ...centralTrace(),
  ...lemRegisters({ prefix: 'I2C', base: HUB_UNITS.I2C.lemBase, bits: lemFieldsOfUnit('I2C'), source: INIT }),
  I2C_OPERATION: programmed(0x3e_b0a8, 'Operation control of the I2C master', INIT),
};
