/** Registers that public sources name without saying what their bits do. Facts: ioda2-phb3 3.2, rows marked "?". */
import { unnamedFrom } from '../../ioda/unnamed-registers.js';

/** Where the names and offsets of the register block come from. */
export const NAMES_SOURCE = 'skiboot include/phb3-regs.h; qemu include/hw/pci-host/pnv_phb3_regs.h';

export const unnamed = unnamedFrom(NAMES_SOURCE);
