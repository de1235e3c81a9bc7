/**
 * What registers are on both bridges: the same offset, access and fields. How well each is known, and from where, the
 * bridge says that declares it. Facts: ioda2-phb3 3.2, ioda1-p7ioc 3.9 to 3.12.
 */
import { ALL_ONES, bit, bits, fieldMask } from '../hw/bits.js';
import type { Known, RegisterDeclaration } from '../hw/register.js';
import { INJECTION_CONTROL_FIELDS } from './papr-injection.js';

type Form = Omit<RegisterDeclaration, 'known' | 'source'>;

const UPPER = bits(0, 13);
/** Status bits of LINK_MANAGEMENT; the changes end by themselves. */
const LINK_ACTIVE = bit(8);
const WIDTH_CHANGE_PENDING = bit(9);
const CHANGE_WIDTH = bit(0);
const CHANGE_SPEED = bit(11);

export const PHB_FORMS = {
  PHB_CPU_LOADSTORE_STATUS: {
    offset: 0x120,
    access: 'read-only',
    about: 'Summary of errors met by loads and stores of the processor (PLSSR in dumps).',
  },
  PHB_CONFIG_DATA: {
    offset: 0x130,
    access: 'read-write',
    about: 'Data window of a configuration cycle, in little-endian byte order; an access runs the cycle.',
  },
  PHB_CONFIG_ADDRESS: {
    offset: 0x140,
    access: 'read-write',
    about: 'Target of the next configuration cycle; nothing happens until CONFIG_DATA is touched.',
    fields: {
      ENABLE: { at: bit(0), about: 'the cycle may run' },
      BUS: { at: bits(4, 11), about: 'bus number' },
      DEVICE: { at: bits(12, 16), about: 'device number' },
      FUNCTION: { at: bits(17, 19), about: 'function number' },
      BDFN: { at: bits(4, 19), about: 'bus, device and function in one', view: true },
      REGISTER: { at: bits(20, 31), about: 'byte offset in configuration space; the low two bits do not count' },
    },
  },
  PHB_M32_BASE_ADDR: { offset: 0x190, access: 'read-write', about: 'Processor-side base of the M32 window.' },
  PHB_M32_START_ADDR: {
    offset: 0x1a0,
    access: 'read-write',
    about: 'PCI address of the first byte of the M32 window.',
  },
  PHB_M64_UPPER_BITS: {
    offset: 0x1f0,
    access: 'read-write',
    writable: fieldMask(UPPER),
    fields: { UPPER: { at: UPPER, about: 'PCI address bits above the bus address' } },
    about: 'Bits joined to every PCI address that leaves through an M64 window.',
  },
  PHB_PAPR_ERR_INJ_CTL: {
    offset: 0x2b0,
    access: 'read-write',
    fields: INJECTION_CONTROL_FIELDS,
    about: 'Arms the error injection that partitions may ask for.',
  },
  PHB_PCIE_LINK_MANAGEMENT: {
    offset: 0x630,
    access: 'self-clearing',
    writable: ALL_ONES & ~(fieldMask(LINK_ACTIVE) | fieldMask(WIDTH_CHANGE_PENDING)),
    selfClearing: fieldMask(CHANGE_WIDTH) | fieldMask(CHANGE_SPEED),
    fields: {
      CHANGE_WIDTH: { at: CHANGE_WIDTH, about: 'start a width change' },
      TARGET_WIDTH: { at: bits(2, 7), about: 'width to change to' },
      LINK_ACTIVE: { at: LINK_ACTIVE, about: 'the link is active' },
      WIDTH_CHANGE_PENDING: { at: WIDTH_CHANGE_PENDING, about: 'a width change is under way' },
      CHANGE_SPEED: { at: CHANGE_SPEED, about: 'start a speed change' },
      TARGET_SPEED: { at: bits(12, 15), about: 'speed to change to, from 1 up' },
    },
    about: 'Changes width and speed of a running link.',
  },
  PHB_PCIE_DLP_TRAIN_CTL: {
    offset: 0x640,
    access: 'read-write',
    writable: fieldMask(bit(1)),
    fields: {
      TX_DISABLE: { at: bit(1), about: 'transmitter is off' },
      RX_DISABLED: { at: bit(16), about: 'receiver is off' },
      INBAND_PRESENCE: { at: bit(19), about: 'a receiver is seen on the lanes' },
      LINK_UP: { at: bit(21), about: 'the physical link trained' },
      DL_PGRESET: { at: bit(22), about: 'the core is in reset: UTL and configuration space do not answer' },
      LINK_ACTIVE: { at: bit(23), about: 'the data link layer is active' },
    },
    about: 'Training state of the link.',
  },
} as const satisfies Record<string, Form>;

/** Fields of PHB_RESET; what else it holds is the chip's. */
export const RESET_FIELDS = {
  CORE_0: { at: bit(0), about: 'first core reset; one releases' },
  CORE_1: { at: bit(1), about: 'second core reset; one releases' },
  PERST: { at: bit(2), about: 'PERST output; zero asserts it' },
} as const;

/** Captures of errors in the PCIe core, by where they stand. */
const CORE_ERROR_LOGS = {
  PHB_PCIE_UTL_ERRLOG1: { offset: 0x680, which: 'First UTL' },
  PHB_PCIE_UTL_ERRLOG2: { offset: 0x688, which: 'Second UTL' },
  PHB_PCIE_UTL_ERRLOG3: { offset: 0x690, which: 'Third UTL' },
  PHB_PCIE_UTL_ERRLOG4: { offset: 0x698, which: 'Fourth UTL' },
  PHB_PCIE_DLP_ERRLOG1: { offset: 0x6a0, which: 'First data link' },
  PHB_PCIE_DLP_ERRLOG2: { offset: 0x6a8, which: 'Second data link' },
} as const;
export type CoreErrorLogName = keyof typeof CORE_ERROR_LOGS;

export const CORE_ERROR_LOG_NAMES = Object.keys(CORE_ERROR_LOGS) as readonly CoreErrorLogName[];

/** The captures, with what the chip knows of them. */
export function coreErrorLogs(facts: { known: Known; source: string }): Record<CoreErrorLogName, RegisterDeclaration> {
  const declarations = Object.entries(CORE_ERROR_LOGS).map(([name, { offset, which }]) => {
    const about = `${which} capture of an error in the core; layout unknown, ones clear.`;
    return [name, { offset, access: 'write-1-to-clear', about, ...facts } satisfies RegisterDeclaration];
  });
  return Object.fromEntries(declarations) as Record<CoreErrorLogName, RegisterDeclaration>;
}
