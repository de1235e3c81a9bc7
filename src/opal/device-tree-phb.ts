/**
 * The nodes of a PHB, of the queue of a PHB3 on the SCOM bus, and of the hub above the PHBs of a P7IOC.
 * Source: skiboot hw/phb3.c: phb3_probe_pbcq, phb3_add_properties; skiboot p7ioc hw/p7ioc-phb.c: p7ioc_pcie_add_node,
 * hw/p7ioc.c: p7ioc_create_hub; hdata/iohub.c. Facts: opal-pci 10.2, 10.3.
 */
import type { HubNode, MemoryTableNode, PbcqNode, PhbNode, WindowNode } from './device-tree.js';
import { atAddress, treeNode } from './device-tree-node.js';
import { deviceNodes } from './device-tree-pci.js';
import { cells, empty, type FdtNode, type FdtProperty, rows, strings, wordCells, words } from './fdt.js';
import type { FirmwareProfile } from './firmware-profile.js';

/** What the node of a PHB refers to. */
export interface PhbPublishing {
  readonly profile: FirmwareProfile;
  readonly interruptController: number;
  /** Phandle of its queue, if it has one. */
  readonly pbcq: number | undefined;
}

const MAX_BUS = 0xff;
const IO_SPACE = 0x0100_0000;
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
      words('reg', phb.registers, phb.registerBytes),
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
function hints(phb: PhbNode, pbcqPhandle: number | undefined): FdtProperty[] {
  const { locationCode, laneEqualisation, maxLinkSpeed, pbcq } = phb;
  if (pbcq === undefined || pbcqPhandle === undefined) return [];
  return [
    cells('ibm,xscom-bases', ...pbcq.xscomBases),
    words('ibm,mmio-window', ...pbcq.mmioWindows.flatMap(({ base, bytes }) => [base, bytes])),
    cells('ibm,phb-index', phb.index),
    cells('ibm,pbcq', pbcqPhandle),
    cells('ibm,chip-id', phb.chipId),
    empty('ibm,use-ab-detect'),
    ...(locationCode === undefined ? [] : [strings('ibm,loc-code', locationCode)]),
    ...(laneEqualisation === undefined ? [] : [words('ibm,lane-eq', ...laneEqualisation)]),
    ...(maxLinkSpeed === undefined ? [] : [cells('ibm,max-link-speed', maxLinkSpeed)]),
    cells('ibm,capi-flags', CAPI_SNOOP_CONTROL),
  ];
}

function windows({ io, m32, m64, singlePeWindows }: PhbNode): FdtProperty[] {
  const range = (space: number, { pciBase, cpuBase, sizeBytes }: WindowNode) => [
    ...[space, ...wordCells(pciBase), ...wordCells(cpuBase)],
    ...wordCells(sizeBytes),
  ];
  return [
    rows('ranges', [...(io === undefined ? [] : [range(IO_SPACE, io)]), range(MEMORY_SPACE, m32)]),
    words('ibm,opal-m64-window', m64.pciBase, m64.cpuBase, m64.sizeBytes),
    ...(singlePeWindows === undefined ? [] : [empty('ibm,opal-single-pe')]),
  ];
}

function limits(phb: PhbNode): FdtProperty[] {
  const { msiPorts, msiEoiMethod, pbcq } = phb;
  return [
    ...(msiPorts === undefined ? [] : [cells('ibm,opal-msi-ports', msiPorts)]),
    cells('ibm,opal-num-pes', phb.totalPes),
    cells('ibm,opal-reserved-pe', phb.reservedPe),
    cells('ibm,opal-msi-ranges', phb.msiRange.first, phb.msiRange.count),
    words('ibm,opal-tce-kill', phb.tceKillAddress),
    cells('ibm,supported-tce-sizes', ...phb.tcePageShifts),
    ...(msiEoiMethod === undefined ? [] : [strings('ibm,msi-eoi-method', msiEoiMethod)]),
    ...(pbcq === undefined ? [] : [empty('ibm,capp-timebase-sync')]),
  ];
}

function tables({ tables: inMemory, iveStride, diagDataBytes }: PhbNode): FdtProperty[] {
  const table = (name: string, { address, bytes }: MemoryTableNode) =>
    cells(`ibm,opal-${name}-table`, ...wordCells(address), bytes);
  const published =
    inMemory === undefined
      ? []
      : [
          table('rtt', inMemory.rtt),
          table('peltv', inMemory.peltv),
          table('pest', inMemory.pest),
          table('ivt', inMemory.ivt),
          ...(iveStride === undefined ? [] : [cells('ibm,opal-ive-stride', iveStride)]),
          // The chip keeps its reject bits itself.
          table('rba', { address: 0, bytes: 0 }),
        ];
  return [...published, cells('ibm,phb-diag-data-size', diagDataBytes)];
}

export function pbcqTreeNode(pbcq: PbcqNode, index: number, phandle: number): FdtNode {
  const [nest, spci, pci] = pbcq.xscomBases;
  return treeNode(atAddress('pbcq', nest), phandle, {
    properties: [
      strings('compatible', 'ibm,power8-pbcq'),
      cells('reg', nest, PBCQ_REGISTERS.nest, pci, PBCQ_REGISTERS.pci, spci, PBCQ_REGISTERS.spci),
      cells('ibm,phb-index', index),
      empty('ibm,use-ab-detect'),
    ],
  });
}

const LEVEL = 1;
const HUB_REGISTER_BYTES = 0x200_0000;

/** A hub with its PHBs below it. */
export function hubTreeNode(hub: HubNode, interruptController: number, children: readonly FdtNode[]): FdtNode {
  return treeNode(atAddress('io-hub', hub.registers), hub.phandle, {
    properties: [
      strings('compatible', 'ibm,p7ioc', 'ibm,ioda-hub'),
      words('reg', hub.registers, HUB_REGISTER_BYTES),
      cells('#address-cells', 2),
      cells('#size-cells', 2),
      empty('ranges'),
      cells('ibm,buid-ext', Number(hub.hubId)),
      cells('ibm,chip-id', hub.chipId),
      words('ibm,gx-bar-1', hub.registers),
      words('ibm,gx-bar-2', hub.windows),
      cells('ibm,br1-presence-detect', hub.presence),
      words('ibm,opal-hubid', hub.hubId),
      cells('interrupt-parent', interruptController),
      cells('interrupts', hub.interrupt, LEVEL),
      cells('interrupt-base', hub.interrupt),
    ],
    children,
  });
}
