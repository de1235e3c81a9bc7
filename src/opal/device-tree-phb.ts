/**
 * The nodes of a PHB3 and of its queue on the SCOM bus.
 * Source: skiboot hw/phb3.c: phb3_probe_pbcq, phb3_add_properties; hdata/iohub.c. Facts: opal-pci 10.2.
 */
import type { PhbNode } from './device-tree.js';
import { atAddress, treeNode } from './device-tree-node.js';
import { deviceNodes } from './device-tree-pci.js';
import { cells, empty, type FdtNode, type FdtProperty, rows, strings, wordCells, words } from './fdt.js';
import type { FirmwareProfile } from './firmware-profile.js';

/** What the node of a PHB refers to. */
export interface PhbPublishing {
  readonly profile: FirmwareProfile;
  readonly interruptController: number;
  readonly pbcq: number;
}

const REGISTER_BYTES = 0x1000;
const MAX_BUS = 0xff;
const MEMORY_SPACE = 0x0200_0000;
/** The card may snoop: coherent accelerators need to know. */
const CAPI_SNOOP_CONTROL = 1;
/** Registers of the three groups as the service firmware counts them; those of the last two look swapped. */
const PBCQ_REGISTERS = { nest: 0x20, pci: 0x5, spci: 0x15 } as const;

export function phbTreeNode(phb: PhbNode, { profile, interruptController, pbcq }: PhbPublishing): FdtNode {
  const pins = [0, 1, 2, 3].map((pin) => phb.lsiBase + pin);
  return treeNode(atAddress('pciex', phb.registers), phb.phandle, {
    properties: [
      strings('compatible', ...phb.compatible),
      strings('device_type', 'pciex'),
      words('reg', phb.registers, REGISTER_BYTES),
      ...hints(phb, pbcq),
      cells('ibm,opal-phbid', ...wordCells(phb.phbId)),
      cells('#address-cells', 3),
      cells('#size-cells', 2),
      cells('#interrupt-cells', 1),
      cells('bus-range', 0, MAX_BUS),
      cells('clock-frequency', 0x200, 0),
      cells('interrupt-parent', interruptController),
      ...windows(phb),
      ...limits(phb),
      ...tables(phb),
    ],
    children: deviceNodes(phb.tree, { profile, interruptController, pins }),
  });
}

/** What was known before firmware touched the chip. */
function hints(phb: PhbNode, pbcq: number): FdtProperty[] {
  const { locationCode, laneEqualisation, maxLinkSpeed } = phb;
  return [
    cells('ibm,xscom-bases', ...phb.xscomBases),
    words('ibm,mmio-window', ...phb.mmioWindows.flatMap(({ base, bytes }) => [base, bytes])),
    cells('ibm,phb-index', phb.index),
    cells('ibm,pbcq', pbcq),
    cells('ibm,chip-id', phb.chipId),
    empty('ibm,use-ab-detect'),
    ...(locationCode === undefined ? [] : [strings('ibm,loc-code', locationCode)]),
    ...(laneEqualisation === undefined ? [] : [words('ibm,lane-eq', ...laneEqualisation)]),
    ...(maxLinkSpeed === undefined ? [] : [cells('ibm,max-link-speed', maxLinkSpeed)]),
    cells('ibm,capi-flags', CAPI_SNOOP_CONTROL),
  ];
}

function windows({ m32, m64 }: PhbNode): FdtProperty[] {
  const child = [MEMORY_SPACE, ...wordCells(m32.pciBase)];
  return [
    rows('ranges', [[...child, ...wordCells(m32.cpuBase), ...wordCells(m32.sizeBytes)]]),
    words('ibm,opal-m64-window', m64.pciBase, m64.cpuBase, m64.sizeBytes),
    empty('ibm,opal-single-pe'),
  ];
}

function limits(phb: PhbNode): FdtProperty[] {
  return [
    cells('ibm,opal-num-pes', phb.totalPes),
    cells('ibm,opal-reserved-pe', phb.reservedPe),
    cells('ibm,opal-msi-ranges', phb.msiRange.first, phb.msiRange.count),
    words('ibm,opal-tce-kill', phb.tceKillAddress),
    cells('ibm,supported-tce-sizes', ...phb.tcePageShifts),
    strings('ibm,msi-eoi-method', phb.msiEoiMethod),
    empty('ibm,capp-timebase-sync'),
  ];
}

function tables({ tables: { rtt, peltv, pest, ivt }, iveStride, diagDataBytes }: PhbNode): FdtProperty[] {
  const table = (name: string, { address, bytes }: { address: number; bytes: number }) =>
    cells(`ibm,opal-${name}-table`, ...wordCells(address), bytes);
  return [
    table('rtt', rtt),
    table('peltv', peltv),
    table('pest', pest),
    table('ivt', ivt),
    cells('ibm,opal-ive-stride', iveStride),
    // The chip keeps its reject bits itself.
    table('rba', { address: 0, bytes: 0 }),
    cells('ibm,phb-diag-data-size', diagDataBytes),
  ];
}

export function pbcqTreeNode({ xscomBases: [nest, spci, pci], index }: PhbNode, phandle: number): FdtNode {
  return treeNode(atAddress('pbcq', nest), phandle, {
    properties: [
      strings('compatible', 'ibm,power8-pbcq'),
      cells('reg', nest, PBCQ_REGISTERS.nest, pci, PBCQ_REGISTERS.pci, spci, PBCQ_REGISTERS.spci),
      cells('ibm,phb-index', index),
      empty('ibm,use-ab-detect'),
    ],
  });
}
