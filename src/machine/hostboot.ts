/**
 * What the service firmware leaves behind before OPAL runs: BARs of each PBCQ, poll scales, FIR masks and actions.
 * Sources: hostboot proc_pcie_config.{C,H}, p8.pe.phase2.scom.initfile; qemu pnv_pbcq_default_bars; kernel boot logs.
 * Facts: ioda2-phb3 1.4, 3.3.
 */
import type { ScomTarget } from '../hw/system-bus.js';
import { barMask, barValue } from '../ioda2/pbcq.js';
import {
  PBCQ_NEST_REGISTERS,
  PBCQ_PCI_REGISTERS,
  PBCQ_SCOM_RANGES,
  type PbcqNestRegisterName,
} from '../ioda2/registers/pbcq.js';

const GIB = 2 ** 30;

/** Where the windows of PHB n stand in the processor's address space. */
export interface AddressMap {
  readonly phbBase: (phb: number) => number;
  readonly mmio0: { readonly base: (phb: number) => number; readonly sizeBytes: number };
  readonly mmio1: { readonly base: (phb: number) => number; readonly sizeBytes: number };
  /** Values of registers that hostboot programs and an emulator leaves alone. */
  readonly nest: Readonly<Partial<Record<PbcqNestRegisterName, bigint>>>;
  readonly enabled: 'by-firmware' | 'at-start';
}

const phbBase = (phb: number): number => 0x3_fffe_4000_0000 + 0x10_0000 * phb;

/** Real machines: 64 GiB M64 and 2 GiB M32 windows. */
export const REAL_MACHINE: AddressMap = {
  phbBase,
  mmio0: { base: (phb) => 0x3b00_0000_0000 + 0x10_0000_0000 * phb, sizeBytes: 64 * GIB },
  mmio1: { base: (phb) => 0x3fe0_0000_0000 + 0x8000_0000 * phb, sizeBytes: 2 * GIB },
  nest: {
    NFIR_MASK: 0x0030_006e_0000_0000n,
    NFIR_ACTION0: 0x5b0f_8190_0000_0000n,
    NFIR_ACTION1: 0x7f0f_8190_0000_0000n,
    HARDWARE_CONFIG0: 0x1210_4000_0000_0000n,
  },
  enabled: 'at-start',
};

/** The emulated machine powernv8 of QEMU 7.2: no service firmware runs there. */
export const QEMU_POWERNV8: AddressMap = {
  phbBase,
  mmio0: { base: (phb) => 0x3_d000_0000_0000 + 0x10_0000_0000 * phb, sizeBytes: 64 * GIB },
  mmio1: { base: (phb) => 0x3_ff80_0000_0000 + 0x8000_0000 * phb, sizeBytes: 2 * GIB },
  nest: {},
  enabled: 'by-firmware',
};

const ALL_BARS = 0xe000_0000_0000_0000n;

/** Programs one PBCQ through its SCOM door, before the first instruction of firmware. */
export function programPbcq(chip: ScomTarget, phb: number, map: AddressMap): void {
  const nestBase = PBCQ_SCOM_RANGES.nest.base + PBCQ_SCOM_RANGES.nest.strideOfPhb * phb;
  const nest = (name: PbcqNestRegisterName, value: bigint): void => {
    chip.scomWrite(nestBase + PBCQ_NEST_REGISTERS.get(name).offset, value);
  };
  nest('PHB_BAR', barValue(map.phbBase(phb)));
  nest('MMIO_BAR0', barValue(map.mmio0.base(phb)));
  nest('MMIO_MASK0', barMask(map.mmio0.sizeBytes));
  nest('MMIO_BAR1', barValue(map.mmio1.base(phb)));
  nest('MMIO_MASK1', barMask(map.mmio1.sizeBytes));
  for (const name of PBCQ_NEST_REGISTERS.names) {
    const value = map.nest[name];
    if (value !== undefined) nest(name, value);
  }
  const pciBase = PBCQ_SCOM_RANGES.pci.base + PBCQ_SCOM_RANGES.pci.strideOfPhb * phb;
  chip.scomWrite(pciBase + PBCQ_PCI_REGISTERS.get('ASB_BAR').offset, barValue(map.phbBase(phb)));
  if (map.enabled === 'at-start') nest('BAR_ENABLE', ALL_BARS);
}
