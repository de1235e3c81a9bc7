/** What is published of a PHB of a P7IOC. Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_pcie_add_node. Facts: opal-pci 10.3. */
import { P7IOC_LAYOUT } from '../../diag/p7ioc/layout.js';
import { IODA_TABLES, PE_COUNT } from '../../ioda1/tables.js';
import { MSI_HOLE_BYTES, type PhbNode, type PublishingFacts, treeBelow } from '../device-tree.js';
import { M32_PCI_START, type P7iocPhb } from './phb.js';
import { MSI_COUNT, RESERVED_PE } from './tables.js';
import { PAGE_SHIFTS } from './windows.js';

/** More than there is: the window of one PHB has 64 KiB. */
const REGISTER_BYTES = 0x10_0000;

export function phbNode(phb: P7iocPhb, facts: PublishingFacts): PhbNode {
  const { ioWindow, m32Window, m64Window } = phb;
  return {
    phandle: facts.phandles.of(phb),
    compatible: ['ibm,p7ioc-pciex', 'ibm,ioda-phb'],
    phbId: phb.id,
    index: phb.index,
    chipId: facts.chipId,
    hubId: BigInt(phb.hub.id),
    registers: phb.access.registerBase('aib'),
    registerBytes: REGISTER_BYTES,
    io: { pciBase: 0, cpuBase: ioWindow.base, sizeBytes: ioWindow.bytes },
    m32: { pciBase: M32_PCI_START, cpuBase: m32Window.base, sizeBytes: m32Window.bytes - MSI_HOLE_BYTES },
    m64: { pciBase: m64Window.base, cpuBase: m64Window.base, sizeBytes: m64Window.bytes },
    totalPes: PE_COUNT,
    reservedPe: RESERVED_PE,
    msiPorts: IODA_TABLES.MVT.entries,
    msiRange: { first: phb.msiBase, count: MSI_COUNT },
    lsiBase: phb.lsiBase,
    tceKillAddress: phb.access.addressOf('PHB_TCE_KILL'),
    tcePageShifts: PAGE_SHIFTS,
    diagDataBytes: P7IOC_LAYOUT.totalBytes,
    ...treeBelow(phb, facts),
  };
}
