/**
 * The whole tree that firmware hands to an operating system: its own node, interrupt source controller, processor, memory
 * and chip around the PHBs. Source: skiboot core/opal.c: add_opal_node; core/interrupts.c: add_ics_node,
 * add_opal_interrupts; core/timer.c: late_init_timers; core/mem_region.c; hdata/cpu-common.c. Facts: opal-pci 10.1.
 */
import type { HubNode, Phandles, PhbNode } from './device-tree.js';
import { atAddress, treeNode } from './device-tree-node.js';
import { hubTreeNode, pbcqTreeNode, phbTreeNode } from './device-tree-phb.js';
import {
  cells,
  empty,
  type FdtNode,
  type FdtProperty,
  type MemoryReservation,
  rows,
  strings,
  wordCells,
  words,
} from './fdt.js';
import type { FirmwareProfile } from './firmware-profile.js';

export interface FirmwareFacts {
  readonly profile: FirmwareProfile;
  readonly phandles: Phandles;
  readonly processor: ProcessorName;
  readonly chipId: number;
  readonly phbs: readonly PhbNode[];
  readonly hubs: readonly HubNode[];
  /** Interrupts that firmware handles itself, all of them levels. */
  readonly firmwareInterrupts: readonly number[];
  readonly memory: MemoryReservation;
  /** Firmware's own memory, with the tables of the PHBs. */
  readonly firmwareMemory: MemoryReservation;
  readonly baseLocationCode?: string;
}

const ASYNC_TOKENS = 16;
const MESSAGE_BYTES = 72;
const HEARTBEAT_MS = 200;
const LEVEL = 1;
const TIME_BASE_HZ = 512_000_000;
const CACHE_LINE_BYTES = 128;
/** Of a single-chip module; threads of one core. */
const PROCESSORS = {
  POWER7: { version: 0x003f_0201, threads: 4 },
  POWER8: { version: 0x004d_0200, threads: 8 },
} as const;
export type ProcessorName = keyof typeof PROCESSORS;

/** XSCOM window of a chip on POWER8; (M) the same on POWER7, where nothing uses it. */
const XSCOM_BASE = 0x3_fc00_0000_0000;
const XSCOM_BYTES = 2 ** 35;

const INTERRUPT_CONTROLLER = '/interrupt-controller@0';

/** What an operating system must leave alone. */
export function reservationsOf({ firmwareMemory }: FirmwareFacts): MemoryReservation[] {
  return firmwareMemory.bytes === 0 ? [] : [firmwareMemory];
}

export function firmwareTree(facts: FirmwareFacts): FdtNode {
  const { phandles, phbs, hubs, profile } = facts;
  const root = phandles.of('/');
  const opal = opalNode(facts);
  const controller = interruptController(phandles.of(INTERRUPT_CONTROLLER));
  const fixed = [opal, controller, ...processorAndMemory(facts), xscomNode(facts)];
  const interruptParent = controller.phandle;
  const bridge = (phb: PhbNode): FdtNode => {
    const pbcq = phb.pbcq && phandles.of(pbcqPath(phb));
    return phbTreeNode(phb, { profile, interruptController: interruptParent, pbcq });
  };
  const bridges = phbs.filter((phb) => phb.hubId === undefined).map(bridge);
  const hubNodes = hubs.map((hub) => {
    const below = phbs.filter((phb) => phb.hubId === hub.hubId).map(bridge);
    return hubTreeNode(hub, interruptParent, below);
  });
  const reserved = reservationsOf(facts);
  return treeNode('', root, {
    properties: [
      cells('#address-cells', 2),
      cells('#size-cells', 2),
      strings('compatible', 'ibm,powernv'),
      strings('model', `phbsim ${facts.processor}`),
      ...(facts.baseLocationCode === undefined ? [] : [strings('ibm,io-base-loc-code', facts.baseLocationCode)]),
      strings('reserved-names', ...reserved.map(({ address }) => atAddress(RESERVED, address))),
      words('reserved-ranges', ...reserved.flatMap(({ address, bytes }) => [address, bytes])),
    ],
    children: [...fixed, ...hubNodes, ...bridges],
  });
}

/**
 * (M) No firmware code stands in memory, so the entry is where firmware's memory begins. The device tree compiler objects to
 * cells that no child needs and to a controller without `#address-cells`; the real firmware has the former, not the latter.
 */
function opalNode({ phandles, firmwareMemory, firmwareInterrupts }: FirmwareFacts): FdtNode {
  const phandle = phandles.of('/ibm,opal');
  const event = treeNode('event', phandles.of('/ibm,opal/event'), {
    properties: [
      strings('compatible', 'ibm,opal-event'),
      cells('#address-cells', 0),
      cells('#interrupt-cells', 1),
      empty('interrupt-controller'),
    ],
  });
  const names = firmwareInterrupts.map(() => '');
  return treeNode('ibm,opal', phandle, {
    properties: [
      cells('#address-cells', 0),
      strings('compatible', 'ibm,opal-v2', 'ibm,opal-v3'),
      cells('opal-msg-async-num', ASYNC_TOKENS),
      cells('opal-msg-size', MESSAGE_BYTES),
      words('opal-base-address', firmwareMemory.address),
      words('opal-entry-address', firmwareMemory.address),
      words('opal-runtime-size', firmwareMemory.bytes),
      cells('ibm,heartbeat-ms', HEARTBEAT_MS),
      cells('interrupt-parent', phandles.of(INTERRUPT_CONTROLLER)),
      rows(
        'interrupts',
        firmwareInterrupts.map((isn) => [isn, LEVEL]),
      ),
      strings('opal-interrupts-names', ...names),
      strings('interrupt-names', ...names),
      cells('opal-interrupts', ...firmwareInterrupts),
    ],
    children: [event],
  });
}

function interruptController(phandle: number): FdtNode {
  return treeNode('interrupt-controller@0', phandle, {
    properties: [
      cells('reg', 0, 0, 0, 0),
      strings('compatible', 'IBM,ppc-xics', 'IBM,opal-xics'),
      cells('#address-cells', 0),
      cells('#interrupt-cells', 2),
      strings('device_type', 'PowerPC-Interrupt-Source-Controller'),
      empty('interrupt-controller'),
    ],
  });
}

const RESERVED = 'ibm,firmware-heap';

/** (M) One core: as much of a processor as an operating system needs to begin. */
function processorAndMemory(facts: FirmwareFacts): FdtNode[] {
  const { phandles, memory, processor } = facts;
  const coreName = `PowerPC,${processor}@0`;
  // Unit addresses must be unique: the interrupt controller is @0 already, so high and low word stand side by side.
  const memoryName = `memory@${wordCells(memory.address)
    .map((cell) => cell.toString(16))
    .join()}`;
  const reserved = reservationsOf(facts).map(({ address, bytes }) =>
    treeNode(atAddress(RESERVED, address), phandles.of(`/reserved-memory/${RESERVED}`), {
      properties: [words('reg', address, bytes)],
    }),
  );
  return [
    treeNode(memoryName, phandles.of('/memory'), {
      properties: [
        strings('device_type', 'memory'),
        words('reg', memory.address, memory.bytes),
        cells('ibm,chip-id', facts.chipId),
      ],
    }),
    treeNode('reserved-memory', phandles.of('/reserved-memory'), {
      properties: [cells('#address-cells', 2), cells('#size-cells', 2), empty('ranges')],
      children: reserved,
    }),
    treeNode('cpus', phandles.of('/cpus'), {
      properties: [cells('#address-cells', 1), cells('#size-cells', 0)],
      children: [treeNode(coreName, phandles.of(`/cpus/${coreName}`), { properties: core(facts) })],
    }),
    treeNode('chosen', phandles.of('/chosen'), { properties: [] }),
  ];
}

function core({ processor, chipId }: FirmwareFacts): FdtProperty[] {
  const { version, threads } = PROCESSORS[processor];
  return [
    strings('device_type', 'cpu'),
    strings('status', 'okay'),
    cells('reg', 0),
    cells('cpu-version', version),
    empty('64-bit'),
    cells('ibm,processor-segment-sizes', 28, 40, 0xffff_ffff, 0xffff_ffff),
    cells('ibm,processor-page-sizes', 12, 16, 24, 34),
    // Segment page shift, encoding, count; then page shift and encoding, that many times.
    cells('ibm,segment-page-sizes', ...[12, 0, 3, 12, 0, 16, 7, 24, 0x38], ...[16, 0x110, 2, 16, 1, 24, 8]),
    cells('ibm,slb-size', 32),
    cells('timebase-frequency', TIME_BASE_HZ),
    cells('ibm,extended-timebase-frequency', 0, TIME_BASE_HZ),
    cells('d-cache-block-size', CACHE_LINE_BYTES),
    cells('i-cache-block-size', CACHE_LINE_BYTES),
    cells('ibm,pir', 0),
    cells('ibm,chip-id', chipId),
    cells('ibm,ppc-interrupt-server#s', ...Array.from({ length: threads }, (_, thread) => thread)),
  ];
}

function xscomNode({ phandles, phbs, chipId, processor }: FirmwareFacts): FdtNode {
  const base = XSCOM_BASE + chipId * XSCOM_BYTES;
  return treeNode(atAddress('xscom', base), phandles.of('/xscom'), {
    properties: [
      cells('ibm,chip-id', chipId),
      cells('#address-cells', 1),
      cells('#size-cells', 1),
      strings('compatible', 'ibm,xscom', `ibm,${processor.toLowerCase()}-xscom`),
      words('reg', base, XSCOM_BYTES),
      empty('scom-controller'),
    ],
    children: phbs.flatMap((phb) =>
      phb.pbcq === undefined ? [] : [pbcqTreeNode(phb.pbcq, phb.index, phandles.of(pbcqPath(phb)))],
    ),
  });
}

const pbcqPath = (phb: PhbNode): string => `/xscom/pbcq${phb.index}`;
