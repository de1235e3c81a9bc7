/** PCIe stack registers of a P7IOC PHB: link training, slot, core error logs. Facts: ioda1-p7ioc 3.11, 7.10. */
import { bit, bits } from '../../hw/bits.js';
import type { RegisterDeclaration } from '../../hw/register.js';
import { coreErrorLogs, PHB_FORMS } from '../../ioda/phb-registers.js';
import { unnamedStackRegisters } from '../../ioda/unnamed-registers.js';
import { unnamed } from './unnamed.js';

const INIT = 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_init';
const LINEAGE = 'qemu include/hw/pci-host/pnv_phb3_regs.h (PHB3, same offset)';

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
  ...unnamedStackRegisters(unnamed),
  PHB_PCIE_LINK_MANAGEMENT: {
    ...PHB_FORMS.PHB_PCIE_LINK_MANAGEMENT,
    known: 'inferred',
    source: LINEAGE,
  },
  PHB_PCIE_DLP_TRAIN_CTL: {
    ...PHB_FORMS.PHB_PCIE_DLP_TRAIN_CTL,
    known: 'stated',
    source: `skiboot p7ioc hw/p7ioc-phb.c: p7ioc_poll_link, p7ioc_hreset, p7ioc_phb_wait_dlp_reset; presence: ${LINEAGE}`,
  },
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
  ...coreErrorLogs({ known: 'stated', source: `${INIT} (Init_42..47)` }),
} as const satisfies Record<string, RegisterDeclaration>;
