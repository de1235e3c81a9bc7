/** The published trees against those that the real firmware published for the same machines, property by property. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { deviceTreeBlob } from '../../src/opal/device-tree-blob.js';
import { Opal } from '../../src/opal/opal.js';
import { boardMap } from '../../src/replay/firmware-board.js';
import { RecordedPort } from '../../src/replay/firmware-port.js';
import { readFirmwareCalls } from '../../src/replay/read-firmware-calls.js';
import { Simulator } from '../../src/sim/simulator.js';
import { cellsOf, nodeAt, type ReadNode, readFdt } from './fdt-reader.js';

interface PublishedNode {
  readonly path: string;
  readonly phandle: number;
  readonly properties: Map<string, string>;
}

type Chip = 'phb3' | 'p7ioc';

function readPublished(chip: Chip): PublishedNode[] {
  const nodes: PublishedNode[] = [];
  const text = readFileSync(new URL(`./device-tree/${chip}-published.txt`, import.meta.url), 'utf8');
  for (const line of text.split('\n')) {
    const node = /^(\/\S*) phandle (\d+)$/.exec(line);
    const property = /^ {2}(\S+) ?(.*)$/.exec(line);
    if (node !== null) nodes.push({ path: node[1]!, phandle: Number(node[2]), properties: new Map() });
    else if (property !== null) nodes.at(-1)!.properties.set(property[1]!, property[2]!.replaceAll(' ', ''));
  }
  return nodes;
}

/** Our firmware booted on the answers that the real one got. */
function ourTree(chip: Chip): ReadNode {
  const file = `scenarios/recordings/skiboot-calls-${chip}.calls.gz`;
  const { board, phases } = readFirmwareCalls(file, readFileSync(file));
  const sim = new Simulator();
  const port = new RecordedPort(sim, board);
  const opal = new Opal(port, { ...boardMap(board).places, heapBase: board.heap });
  port.follow(phases.flatMap((phase) => phase.boot));
  sim.complete('boot', opal.boot());
  return readFdt(deviceTreeBlob(opal.publishedFacts())).roots[0]!;
}

type References = Readonly<Record<string, { readonly at: readonly number[]; readonly to: string }>>;
type Additions = Readonly<Record<string, { readonly properties: readonly string[]; readonly why: string }>>;

interface Recorded {
  readonly chip: Chip;
  readonly paths: readonly string[];
  readonly properties: number;
  /** Of the root, in order. */
  readonly children: readonly string[];
  /** Properties that hold a phandle: which cell. Numbers differ with the nodes around, what they lead to does not. */
  readonly references: References;
  /** What ours has and the recording has not. */
  readonly added: Additions;
}

const INTERRUPTS: References = {
  'interrupt-parent': { at: [0], to: '/interrupt-controller@0' },
  'interrupt-map': { at: [4, 11, 18, 25], to: '/interrupt-controller@0' },
};

const MACHINE: Additions = {
  '/': {
    properties: ['#address-cells', '#size-cells', 'compatible', 'model', 'reserved-names', 'reserved-ranges'],
    why: 'the recorded tree has no machine around the PHB',
  },
  '/ibm,opal': {
    properties: [
      ...['#address-cells', 'compatible', 'opal-msg-async-num', 'opal-msg-size', 'opal-base-address'],
      ...['opal-entry-address', 'opal-runtime-size', 'ibm,heartbeat-ms', 'interrupt-parent', 'interrupts'],
      ...['opal-interrupts-names', 'interrupt-names', 'opal-interrupts'],
    ],
    why: 'only the PHB driver was recorded, not the part that describes firmware itself',
  },
};

/** The root port and the card below a PHB. */
const devicesOf = (phb: string): Additions => ({
  [`${phb}/pci@0`]: {
    properties: ['ibm,slot-label', 'ibm,slot-location-code', 'ibm,loc-code'],
    why: 'the recorded machine has no platform to give labels; without one firmware makes them up',
  },
  [`${phb}/pci@0/ethernet@0`]: { properties: ['ibm,loc-code'], why: 'as above: the label of the slot it is in' },
});

const PHB3 = '/pciex@3fffe40000000';
const HUB = '/io-hub@3ef00000000';
const P7IOC_PHB = `${HUB}/pciex@3ef00080000`;
const FIXED = ['chosen', 'cpus', 'ibm,opal', 'interrupt-controller@0'];

const RECORDED: readonly Recorded[] = [
  {
    chip: 'phb3',
    paths: [
      ...['/', '/ibm,opal', '/interrupt-controller@0', PHB3, `${PHB3}/pci@0`, `${PHB3}/pci@0/ethernet@0`],
      ...['/xscom@3fc0000000000', '/xscom@3fc0000000000/pbcq@2012000'],
    ],
    properties: 79,
    children: [...FIXED, 'memory@2,0', 'pciex@3fffe40000000', 'reserved-memory', 'xscom@3fc0000000000'],
    references: { ...INTERRUPTS, 'ibm,pbcq': { at: [0], to: '/xscom@3fc0000000000/pbcq@2012000' } },
    added: {
      ...MACHINE,
      ...devicesOf(PHB3),
      '/xscom@3fc0000000000': {
        properties: ['reg', 'scom-controller'],
        why: 'left out of the recorded machine; a node with a unit address must have it',
      },
    },
  },
  {
    chip: 'p7ioc',
    paths: [
      ...['/', '/ibm,opal', '/interrupt-controller@0', HUB],
      ...[P7IOC_PHB, `${P7IOC_PHB}/pci@0`, `${P7IOC_PHB}/pci@0/ethernet@0`],
    ],
    properties: 66,
    children: [...FIXED, 'io-hub@3ef00000000', 'memory@2,0', 'reserved-memory', 'xscom@3fc0000000000'],
    references: INTERRUPTS,
    added: {
      ...MACHINE,
      ...devicesOf(P7IOC_PHB),
      [HUB]: {
        properties: ['reg', '#address-cells', '#size-cells', 'ranges'],
        why: 'the service firmware gives them, which was not recorded',
      },
    },
  },
];

describe.each(RECORDED)('the device tree of the recorded machine with $chip', (recorded) => {
  const { references, added: additions } = recorded;
  const root = ourTree(recorded.chip);
  const published = readPublished(recorded.chip);
  const paths = new Map(published.map(({ path, phandle }) => [phandle, path]));

  it('was recorded whole', () => {
    expect(published.map((node) => node.path)).toEqual(recorded.paths);
    expect(published.reduce((count, node) => count + node.properties.size, 0)).toBe(recorded.properties);
  });

  it.each(published.map((node) => [node.path, node] as const))('has every property of %s', (path, node) => {
    const ours = nodeAt(root, path);
    for (const [name, wantedValue] of node.properties) {
      const reference = references[name];
      const value = Buffer.from(ours.properties.get(name) ?? []).toString('hex');
      if (reference === undefined) {
        expect({ name, known: ours.properties.has(name), value }).toEqual({ name, known: true, value: wantedValue });
        continue;
      }
      const [target] = cellsOf(nodeAt(root, reference.to), 'phandle');
      const cells = cellsOf(ours, name);
      const wanted = wantedValue.match(/.{8}/g)!.map((cell) => Number.parseInt(cell, 16));
      expect(cells).toHaveLength(wanted.length);
      for (const [index, cell] of wanted.entries()) {
        if (!reference.at.includes(index)) expect(cells[index]).toBe(cell);
        else expect([paths.get(cell), cells[index]]).toEqual([reference.to, target]);
      }
    }
  });

  it.each(published.map((node) => [node.path, node] as const))('adds to %s only what is listed', (path, node) => {
    const added = [...nodeAt(root, path).properties.keys()].filter(
      (name) => name !== 'phandle' && !node.properties.has(name),
    );
    expect(added).toEqual(additions[path]?.properties ?? []);
  });

  it('keeps the nodes in the order of the real firmware', () => {
    expect(root.children.map((child) => child.name)).toEqual(recorded.children);
    const recordedOrder = published
      .map((node) => node.path)
      .filter((path) => path.lastIndexOf('/') === 0 && path !== '/');
    const ours = root.children.map((child) => `/${child.name}`).filter((path) => recordedOrder.includes(path));
    expect(ours).toEqual(recordedOrder);
  });
});
