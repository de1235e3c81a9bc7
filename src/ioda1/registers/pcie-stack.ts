/** PCIe stack registers of a P7IOC PHB: link training, slot, core error logs. Facts: ioda1-p7ioc 3.11, 7.10. */
import { bit, bits, msbMask } from '../../hw/bits.js';
import type { RegisterDeclaration } from '../../hw/register.js';
import { unnamed } from './unnamed.js';

const INIT = 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_init';
const LINEAGE = 'qemu include/hw/pci-host/pnv_phb3_regs.h (PHB3, same offset)';

const errorLog = (offset: number, which: string): RegisterDeclaration => ({
  offset,
  access: 'write-1-to-clear',
  known: 'stated',
  about: `${which} capture of an error in the core; layout unknown, ones clear.`,
  source: `${INIT} (Init_42..47)`,
});

export const PCIE_STACK_REGISTERS = {
  PHB_PCIE_SYSTEM_CONFIG: {
    offset: 0x600,
    access: 'read-write',
    known: 'stated',
    reset: 0x4228_00fc_2000_0000n,
    resetKnown: 'stated',
    fields: {
      MAX_LINK_WIDTH: { at: bits(4, 9), about: 'widest link' },
      MAX_PAYLOAD: { at: bits(10, 12), about: 'largest payload, as in PCI Express: 5 is 4096 bytes' },
      SLOT_IMPLEMENTED: { at: bit(15), about: 'the port reports a slot (lineage)' },
      MAX_LINK_SPEED: { at: bits(32, 35), about: 'highest link speed, 1 or 2 (lineage)' },
    },
    about: 'Port type and link capabilities presented by the core.',
    source: `${INIT} (Init_7)`,
  },
  PHB_PCIE_BUS_NUMBER: unnamed(0x608, 'read-write', 'Bus number of the core'),
  PHB_PCIE_SYSTEM_TEST: unnamed(0x618, 'read-write', 'System test control'),
  PHB_PCIE_LINK_MANAGEMENT: {
    offset: 0x630,
    access: 'self-clearing',
    known: 'inferred',
    writable: ~(msbMask(8) | msbMask(9)) & 0xffff_ffff_ffff_ffffn,
    selfClearing: msbMask(0) | msbMask(11),
    fields: {
      CHANGE_WIDTH: { at: bit(0), about: 'start a width change' },
      TARGET_WIDTH: { at: bits(2, 7), about: 'width to change to' },
      LINK_ACTIVE: { at: bit(8), about: 'the link is active' },
      WIDTH_CHANGE_PENDING: { at: bit(9), about: 'a width change is under way' },
      CHANGE_SPEED: { at: bit(11), about: 'start a speed change' },
      TARGET_SPEED: { at: bits(12, 15), about: 'speed to change to, 1 or 2' },
    },
    about: 'Changes width and speed of a running link.',
    source: LINEAGE,
  },
  PHB_PCIE_DLP_TRAIN_CTL: {
    offset: 0x640,
    access: 'read-write',
    known: 'stated',
    writable: msbMask(1),
    fields: {
      TX_DISABLE: { at: bit(1), about: 'transmitter is off' },
      RX_DISABLED: { at: bit(16), about: 'receiver is off' },
      INBAND_PRESENCE: { at: bit(19), about: 'a receiver is seen on the lanes (lineage)' },
      LINK_UP: { at: bit(21), about: 'the physical link trained' },
      DL_PGRESET: { at: bit(22), about: 'the core is in reset: UTL and configuration space do not answer' },
      LINK_ACTIVE: { at: bit(23), about: 'the data link layer is active' },
    },
    about: 'Training state of the link.',
    source: 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_poll_link, p7ioc_hreset, p7ioc_phb_wait_dlp_reset',
  },
  PHB_PCIE_SLOP_LOOPBACK_STATUS: unnamed(0x648, 'read-only', 'Loopback status'),
  PHB_PCIE_AER_CONTROL: unnamed(0x650, 'read-write', 'Error reporting of the core'),
  PHB_PCIE_AUX_POWER_CONTROL: unnamed(0x658, 'read-write', 'Auxiliary power'),
  PHB_PCIE_SLOTCTL1: unnamed(0x660, 'read-write', 'Slot control 1'),
  PHB_PCIE_SLOTCTL2: {
    offset: 0x668,
    access: 'read-only',
    known: 'stated',
    fields: {
      WAKE: { at: bit(16), about: 'wake from the slot' },
      POWER: { at: bit(17), about: 'slot power is on' },
      REFCLK: { at: bit(18), about: 'reference clock is on' },
      PERST: { at: bit(19), about: 'state of the PERST line' },
      POWER_LED: { at: bits(20, 21), about: 'power indicator', values: { on: 1, blink: 2, off: 3 } },
      ATTENTION_LED: { at: bits(22, 23), about: 'attention indicator', values: { on: 1, blink: 2, off: 3 } },
      PRESENCE: { at: bit(24), about: 'a card is in the slot' },
      POWER_FAULT: { at: bit(25), about: 'slot power failed' },
    },
    about: 'State of the slot.',
    source: 'skiboot include/p7ioc-regs.h: PHB_PCIE_SLOTCTL2_*; skiboot p7ioc hw/p7ioc-phb.c: p7ioc_get_presence_state',
  },
  PHB_PCIE_UTL_CONFIG: unnamed(0x670, 'read-write', 'UTL configuration'),
  PHB_PCIE_DLP_CONTROL: unnamed(0x678, 'read-write', 'Data link control'),
  PHB_PCIE_UTL_ERRLOG1: errorLog(0x680, 'First UTL'),
  PHB_PCIE_UTL_ERRLOG2: errorLog(0x688, 'Second UTL'),
  PHB_PCIE_UTL_ERRLOG3: errorLog(0x690, 'Third UTL'),
  PHB_PCIE_UTL_ERRLOG4: errorLog(0x698, 'Fourth UTL'),
  PHB_PCIE_DLP_ERRLOG1: errorLog(0x6a0, 'First data link'),
  PHB_PCIE_DLP_ERRLOG2: errorLog(0x6a8, 'Second data link'),
  PHB_PCIE_UTL_ERR_INJECT: unnamed(0x6c0, 'read-write', 'UTL error injection'),
  PHB_PCIE_TLDLP_ERR_INJECT: unnamed(0x6c8, 'read-write', 'Transaction and data link error injection'),
  PHB_PCIE_STRAPPING: unnamed(0x700, 'read-only', 'Board straps'),
} as const satisfies Record<string, RegisterDeclaration>;
