import { checklistWith } from '../../ioda/declarations/checklist.js';

/** Every register of a P7IOC PHB by offset and name: the checklist the bank is held against. */
export const PHB_CHECKLIST = checklistWith([
  [0x100, 'PHB_BUID'],
  [0x160, 'PHB_PHB2_CONFIG'],
  [0x170, 'PHB_IO_BASE_ADDR'],
  [0x178, 'PHB_IO_BASE_MASK'],
  [0x180, 'PHB_IO_START_ADDR'],
  [0x218, 'PHB_TCE_PREFETCH'],
  [0x230, 'PHB_IODA_DATA1'],
  [0x240, 'PHB_LOCK2'],
  [0x250, 'PHB_GEN_CAP'],
  [0x258, 'PHB_TCE_CAP'],
  [0x260, 'PHB_IRQ_CAP'],
  [0x268, 'PHB_EEH_CAP'],
  [0x650, 'PHB_PCIE_AER_CONTROL'],
  [0x658, 'PHB_PCIE_AUX_POWER_CONTROL'],
  [0x660, 'PHB_PCIE_SLOTCTL1'],
  [0x668, 'PHB_PCIE_SLOTCTL2'],
  [0x848, 'PHB_AIB_TX_CRED_SYNC_CTRL'],
  [0x850, 'PHB_LEGACY_CTRL'],
]);
