/** PCIe stack registers of PHB3: link training, link management, core error logs. Facts: ioda2-phb3 3.2.3, 7.10. */
import { bit, bits } from '../../hw/bits.js';
import type { RegisterDeclaration } from '../../hw/register.js';
import { coreErrorLogs, PHB_FORMS } from '../../ioda/phb-registers.js';
import { unnamedStackRegisters } from '../../ioda/unnamed-registers.js';
import { unnamed } from './unnamed.js';

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
  ...unnamedStackRegisters(unnamed),
  PHB_PCIE_LINK_MANAGEMENT: {
    ...PHB_FORMS.PHB_PCIE_LINK_MANAGEMENT,
    known: 'stated',
    fields: {
      ...PHB_FORMS.PHB_PCIE_LINK_MANAGEMENT.fields,
      SPEED_NEEDS_LNKCTL2: { at: bit(19), about: 'unnamed; when set firmware first allows autonomous speed' },
    },
    source: 'skiboot hw/phb3.c: phb3_link_update',
  },
  PHB_PCIE_DLP_TRAIN_CTL: {
    ...PHB_FORMS.PHB_PCIE_DLP_TRAIN_CTL,
    known: 'stated',
    source: 'skiboot hw/phb3.c: phb3_poll_link, phb3_wait_dlp_reset, phb3_get_link_state',
  },
  PHB_PCIE_SYS_LINK_INIT: {
    offset: 0x668,
    access: 'read-write',
    known: 'stated',
    about: 'Link credits; firmware repairs a wrong default of the third PHB of a chip, layout unknown.',
    source: 'skiboot hw/phb3.c: phb3_init_hw',
  },
  ...coreErrorLogs({ known: 'stated', source: 'skiboot hw/phb3.c: phb3_init_hw (Init_37..42)' }),
  PHB_PCIE_DLP_ERR_STATUS: unnamed(0x6b0, 'write-1-to-clear', 'Data link error status'),
  PHB_PCIE_DLP_ERR_COUNTERS: unnamed(0x6b8, 'read-write', 'Data link error counters'),
  PHB_PCIE_LANE_EQ_CNTL0: laneEqualisation(0x6d0, 'first'),
  PHB_PCIE_LANE_EQ_CNTL1: laneEqualisation(0x6d8, 'second'),
  PHB_PCIE_LANE_EQ_CNTL2: laneEqualisation(0x6e0, 'third'),
  PHB_PCIE_LANE_EQ_CNTL3: laneEqualisation(0x6e8, 'last'),
} as const satisfies Record<string, RegisterDeclaration>;
