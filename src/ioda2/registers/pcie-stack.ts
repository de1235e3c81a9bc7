/** PCIe stack registers of PHB3: link training, link management, core error logs. Facts: ioda2-phb3 3.2.3, 7.10. */
import { bit, bits, msbMask } from '../../hw/bits.js';
import type { RegisterDeclaration } from '../../hw/register.js';
import { unnamed } from './unnamed.js';

const errorLog = (offset: number, which: string): RegisterDeclaration => ({
  offset,
  access: 'write-1-to-clear',
  known: 'stated',
  about: `${which} capture of an error in the core; layout unknown, ones clear.`,
  source: 'skiboot hw/phb3.c: phb3_init_hw (Init_37..42)',
});

const laneEqualisation = (offset: number, lanes: string): RegisterDeclaration => ({
  offset,
  access: 'read-write',
  known: 'stated',
  about: `Equalisation presets, ${lanes} quarter of the lanes; the code is not public.`,
  source: 'skiboot hw/phb3.c: phb3_init_hw (Init_9..12)',
});

export const PCIE_STACK_REGISTERS = {
  PHB_PCIE_SYSTEM_CONFIG: {
    offset: 0x600,
    access: 'read-write',
    known: 'stated',
    reset: 0x4411_00fc_3000_0000n,
    resetKnown: 'stated',
    fields: {
      SLOT_IMPLEMENTED: { at: bit(15), about: 'the port reports a slot' },
      MAX_LINK_SPEED: { at: bits(32, 35), about: 'highest link speed, 1 to 3' },
    },
    about: 'Port type and link capabilities presented by the core.',
    source: 'skiboot hw/phb3.c: phb3_init_hw (Init_8); qemu pnv_phb3.c',
  },
  PHB_PCIE_BUS_NUMBER: unnamed(0x608, 'read-write', 'Bus number of the core'),
  PHB_PCIE_SYSTEM_TEST: unnamed(0x618, 'read-write', 'System test control'),
  PHB_PCIE_LINK_MANAGEMENT: {
    offset: 0x630,
    access: 'self-clearing',
    known: 'stated',
    writable: ~(msbMask(8) | msbMask(9)) & 0xffff_ffff_ffff_ffffn,
    selfClearing: msbMask(0) | msbMask(11),
    fields: {
      CHANGE_WIDTH: { at: bit(0), about: 'start a width change' },
      TARGET_WIDTH: { at: bits(2, 7), about: 'width to change to' },
      LINK_ACTIVE: { at: bit(8), about: 'the link is active' },
      WIDTH_CHANGE_PENDING: { at: bit(9), about: 'a width change is under way' },
      CHANGE_SPEED: { at: bit(11), about: 'start a speed change' },
      TARGET_SPEED: { at: bits(12, 15), about: 'speed to change to, 1 to 3' },
      SPEED_NEEDS_LNKCTL2: { at: bit(19), about: 'unnamed; when set firmware first allows autonomous speed' },
    },
    about: 'Changes width and speed of a running link.',
    source: 'skiboot hw/phb3.c: phb3_link_update',
  },
  PHB_PCIE_DLP_TRAIN_CTL: {
    offset: 0x640,
    access: 'read-write',
    known: 'stated',
    writable: msbMask(1),
    fields: {
      TX_DISABLE: { at: bit(1), about: 'transmitter is off' },
      RX_DISABLED: { at: bit(16), about: 'receiver is off' },
      INBAND_PRESENCE: { at: bit(19), about: 'a receiver is seen on the lanes' },
      LINK_UP: { at: bit(21), about: 'the physical link trained' },
      DL_PGRESET: { at: bit(22), about: 'the core is in reset: UTL and configuration space do not answer' },
      LINK_ACTIVE: { at: bit(23), about: 'the data link layer is active' },
    },
    about: 'Training state of the link.',
    source: 'skiboot hw/phb3.c: phb3_poll_link, phb3_wait_dlp_reset, phb3_get_link_state',
  },
  PHB_PCIE_SLOP_LOOPBACK_STATUS: unnamed(0x648, 'read-only', 'Loopback status'),
  PHB_PCIE_SYS_LINK_INIT: {
    offset: 0x668,
    access: 'read-write',
    known: 'stated',
    about: 'Link credits; firmware repairs a wrong default of the third PHB of a chip, layout unknown.',
    source: 'skiboot hw/phb3.c: phb3_init_hw',
  },
  PHB_PCIE_UTL_CONFIG: unnamed(0x670, 'read-write', 'UTL configuration'),
  PHB_PCIE_DLP_CONTROL: unnamed(0x678, 'read-write', 'Data link control'),
  PHB_PCIE_UTL_ERRLOG1: errorLog(0x680, 'First UTL'),
  PHB_PCIE_UTL_ERRLOG2: errorLog(0x688, 'Second UTL'),
  PHB_PCIE_UTL_ERRLOG3: errorLog(0x690, 'Third UTL'),
  PHB_PCIE_UTL_ERRLOG4: errorLog(0x698, 'Fourth UTL'),
  PHB_PCIE_DLP_ERRLOG1: errorLog(0x6a0, 'First data link'),
  PHB_PCIE_DLP_ERRLOG2: errorLog(0x6a8, 'Second data link'),
  PHB_PCIE_DLP_ERR_STATUS: unnamed(0x6b0, 'write-1-to-clear', 'Data link error status'),
  PHB_PCIE_DLP_ERR_COUNTERS: unnamed(0x6b8, 'read-write', 'Data link error counters'),
  PHB_PCIE_UTL_ERR_INJECT: unnamed(0x6c0, 'read-write', 'UTL error injection'),
  PHB_PCIE_TLDLP_ERR_INJECT: unnamed(0x6c8, 'read-write', 'Transaction and data link error injection'),
  PHB_PCIE_LANE_EQ_CNTL0: laneEqualisation(0x6d0, 'first'),
  PHB_PCIE_LANE_EQ_CNTL1: laneEqualisation(0x6d8, 'second'),
  PHB_PCIE_LANE_EQ_CNTL2: laneEqualisation(0x6e0, 'third'),
  PHB_PCIE_LANE_EQ_CNTL3: laneEqualisation(0x6e8, 'last'),
  PHB_PCIE_STRAPPING: unnamed(0x700, 'read-only', 'Board straps'),
} as const satisfies Record<string, RegisterDeclaration>;
