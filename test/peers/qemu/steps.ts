/**
 * What a client of the qtest protocol does, as data: the same steps go to every back end. Builders name registers,
 * tables and configuration space; the addresses are those of QEMU's powernv8.
 */
import { fieldMask, setField } from '../../../src/hw/bits.js';
import { PBCQ_SCOM_RANGES } from '../../../src/ioda2/registers/pbcq.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../../src/ioda2/registers/phb.js';
import { IODA_TABLES, type IodaTableName } from '../../../src/ioda2/tables.js';
import { QEMU_POWERNV8 } from '../../../src/machine/hostboot.js';
import { busAddressOfScom } from '../../../src/machine/xscom.js';

export type Size = 1 | 2 | 4 | 8;

export type Step =
  | { readonly do: 'read'; readonly at: number; readonly size: Size }
  | { readonly do: 'write'; readonly at: number; readonly size: Size; readonly value: bigint }
  | { readonly do: 'read-block'; readonly at: number; readonly bytes: number }
  | { readonly do: 'write-block'; readonly at: number; readonly data: string }
  | { readonly do: 'fill'; readonly at: number; readonly bytes: number; readonly value: number }
  /** The processor takes the interrupt that is presented to it: the answer names it, and its priority before. */
  | { readonly do: 'take' }
  /** Of the interrupt that was taken last. */
  | { readonly do: 'end-of-interrupt' }
  /** Virtual time passes; where time runs by itself, nothing is to do. */
  | { readonly do: 'pass'; readonly ns: number }
  /** Reads until the masked value is as expected, however long that takes. */
  | { readonly do: 'await'; readonly at: number; readonly size: Size; readonly mask: bigint; readonly equals: bigint };

export const SIZE_LETTERS: Readonly<Record<Size, string>> = { 1: 'b', 2: 'w', 4: 'l', 8: 'q' };
export const ONES = 0xffff_ffff_ffff_ffffn;

export const read = (at: number, size: Size): Step => ({ do: 'read', at, size });
export const write = (at: number, size: Size, value: bigint): Step => ({ do: 'write', at, size, value });
export const pass = (ns: number): Step => ({ do: 'pass', ns });
export const fill = (at: number, bytes: number, value: number): Step => ({ do: 'fill', at, bytes, value });
export const readBlock = (at: number, bytes: number): Step => ({ do: 'read-block', at, bytes });
export const writeBlock = (at: number, bytes: Uint8Array): Step => ({
  do: 'write-block',
  at,
  data: Buffer.from(bytes).toString('hex'),
});

/** Whether a step has an answer to compare. */
export const answers = (step: Step): boolean => step.do === 'read' || step.do === 'read-block' || step.do === 'take';

/** Steps that are one command of the protocol. */
export type PlainStep = Exclude<Step, { do: 'pass' | 'await' | 'take' | 'end-of-interrupt' }>;

// ---- interrupt presentation -----------------------------------------------------------------------------------------

/** The only processor, whose number is 8, and what names it in vectors: number and two link bits. */
const PROCESSOR = 8;
export const SERVER = PROCESSOR << 2;
/** Its page of the presentation controller. Source: qemu hw/intc/xics_pnv.c. */
const PRESENTER = 0x3_ffff_8000_0000 + PROCESSOR * 0x1000;
/** Read: takes what is presented. Written: the end of what was taken. Its first byte is the priority of the processor. */
export const ACCEPT = PRESENTER + 4;
/** What is offered to the processor, without taking it. */
export const OFFERED = read(PRESENTER, 4);
const PRESENTER_BYTES = 0x1000;
export const isPresenter = (address: number): boolean => address >= PRESENTER && address < PRESENTER + PRESENTER_BYTES;
const LEAST_FAVOURED = 0xffn;
export const LET_INTERRUPTS_COME: Step = write(ACCEPT, 1, LEAST_FAVOURED);
export const TAKE_COMMAND = `readl 0x${ACCEPT.toString(16)}`;
export const endCommand = (taken: string): string => `writel 0x${ACCEPT.toString(16)} ${taken}`;

// ---- PHB registers --------------------------------------------------------------------------------------------------

export const PHB_BASE = QEMU_POWERNV8.phbBase(0);
export const REGISTER_PAGE_BYTES = 0x1000;

const placeOf = (register: PhbRegisterName | number): number =>
  PHB_BASE + (typeof register === 'number' ? register : PHB_REGISTERS.get(register).offset);

export const phb = {
  read: (register: PhbRegisterName | number, size: Size = 8): Step => read(placeOf(register), size),
  write: (register: PhbRegisterName | number, value: bigint, size: Size = 8): Step =>
    write(placeOf(register), size, value),
};

// ---- tables on the chip ---------------------------------------------------------------------------------------------

const iodaField = (name: string) => PHB_REGISTERS.field('PHB_IODA_ADDR', name).at;
const selectorOf = (table: IodaTableName | number): number =>
  typeof table === 'number' ? table : (IODA_TABLES[table].selector ?? 0);

export function iodaAddress(table: IodaTableName | number, index: number, auto: 'step' | 'stay' = 'stay'): bigint {
  const word = setField(0n, iodaField('TABLE'), BigInt(selectorOf(table)));
  const indexed = setField(word, iodaField('INDEX'), BigInt(index));
  return auto === 'step' ? indexed | fieldMask(iodaField('AUTOINCREMENT')) : indexed;
}

export const ioda = {
  select: (table: IodaTableName | number, index: number, auto: 'step' | 'stay' = 'stay'): Step =>
    phb.write('PHB_IODA_ADDR', iodaAddress(table, index, auto)),
  readData: (): Step => phb.read('PHB_IODA_DATA0'),
  writeData: (value: bigint): Step => phb.write('PHB_IODA_DATA0', value),
  read: (table: IodaTableName | number, index: number): Step[] => [ioda.select(table, index), ioda.readData()],
  write: (table: IodaTableName | number, index: number, value: bigint): Step[] => [
    ioda.select(table, index),
    ioda.writeData(value),
  ],
};

// ---- SCOM -----------------------------------------------------------------------------------------------------------

export type ScomRange = keyof typeof PBCQ_SCOM_RANGES;
export const SCOM_RANGES = Object.keys(PBCQ_SCOM_RANGES) as readonly ScomRange[];

const scomPlace = (range: ScomRange, register: number): number =>
  busAddressOfScom(PBCQ_SCOM_RANGES[range].base + register);

export const scom = {
  read: (range: ScomRange, register: number): Step => read(scomPlace(range, register), 8),
  write: (range: ScomRange, register: number, value: bigint): Step => write(scomPlace(range, register), 8, value),
};

// ---- configuration space --------------------------------------------------------------------------------------------

const configField = (name: string) => PHB_REGISTERS.field('PHB_CONFIG_ADDRESS', name).at;
export const ROOT_PORT = 0x0000;
export const CARD = 0x0100;

export interface ConfigTarget {
  readonly id: number;
  readonly register: number;
  readonly pe?: number;
}

export function configAddress({ id, register, pe = 0 }: ConfigTarget): bigint {
  let word = fieldMask(configField('ENABLE'));
  word = setField(word, configField('BDFN'), BigInt(id));
  word = setField(word, configField('REGISTER'), BigInt(register & ~3));
  return setField(word, configField('PE'), BigInt(pe));
}

const configData = (register: number): number => PHB_REGISTERS.get('PHB_CONFIG_DATA').offset + (register & 3);

export const config = {
  read: (target: ConfigTarget, size: Exclude<Size, 8>): Step[] => [
    phb.write('PHB_CONFIG_ADDRESS', configAddress(target)),
    phb.read(configData(target.register), size),
  ],
  /** The value as the device sees it: the data window is little-endian. */
  write: (target: ConfigTarget, size: Exclude<Size, 8>, value: number): Step[] => [
    phb.write('PHB_CONFIG_ADDRESS', configAddress(target)),
    phb.write(configData(target.register), swapped(value, size), size),
  ],
};

function swapped(value: number, size: number): bigint {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return BigInt(bytes.readUIntBE(0, size));
}
