/** What is published of a PHB3. Source: skiboot hw/phb3.c: phb3_add_properties. Facts: opal-pci 10.2. */
import { PHB3_LAYOUT } from '../../diag/phb3/layout.js';
import { PE_COUNT } from '../../ioda2/pe-state.js';
import { IODA_TABLES } from '../../ioda2/tables.js';
import { PAGE_SHIFTS } from '../../tce/tve.js';
import { MSI_HOLE_BYTES, type PhbNode, type PublishingFacts, treeBelow } from '../device-tree.js';
import type { Phb3 } from './phb3.js';
import { M32_PCI_START } from './probe.js';
import { IVE_BYTES, MSI_COUNT, RESERVED_PE, TABLE_BYTES } from './tables.js';

const REGISTER_BYTES = 0x1000;
const IVE_STRIDE_UNIT = 8;

export function phbNode(phb: Phb3, facts: PublishingFacts): PhbNode {
  const { unit, tables } = phb;
  const { nest, pci, spci } = unit.bases;
  const { m32, m64 } = unit.windows;
  const table = (name: keyof typeof TABLE_BYTES) => ({ address: tables.addresses[name], bytes: TABLE_BYTES[name] });
  const { locationCode, maxLinkSpeed, laneEqualisation } = phb.board;
  return {
    phandle: facts.phandles.of(phb),
    ...(locationCode === undefined ? {} : { locationCode }),
    ...(maxLinkSpeed === undefined ? {} : { maxLinkSpeed }),
    ...(laneEqualisation === undefined ? {} : { laneEqualisation }),
    compatible: ['ibm,power8-pciex', 'ibm,ioda2-phb'],
    phbId: phb.id,
    index: unit.index,
    chipId: facts.chipId,
    registers: unit.registerBase,
    registerBytes: REGISTER_BYTES,
    pbcq: { xscomBases: [nest, spci, pci], mmioWindows: unit.mmioWindows },
    m32: { pciBase: M32_PCI_START, cpuBase: m32.base, sizeBytes: m32.bytes - MSI_HOLE_BYTES },
    m64: { pciBase: m64.base, cpuBase: m64.base, sizeBytes: m64.bytes, bar: IODA_TABLES.M64BT.entries - 1 },
    totalPes: PE_COUNT,
    reservedPe: RESERVED_PE,
    singlePeWindows: true,
    msiRange: { first: unit.irqBase, count: MSI_COUNT },
    lsiBase: unit.irqBase + MSI_COUNT,
    tceKillAddress: phb.access.addressOf('PHB_TCE_KILL'),
    tcePageShifts: PAGE_SHIFTS,
    msiEoiMethod: 'ioda2',
    diagDataBytes: PHB3_LAYOUT.totalBytes,
    tables: { rtt: table('rtt'), peltv: table('peltv'), pest: table('pest'), ivt: table('ivt') },
    iveStride: IVE_BYTES / IVE_STRIDE_UNIT,
    ...treeBelow(phb, facts),
  };
}
