/** The published tree against the one that the real firmware published for the same machine, property by property. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { deviceTreeBlob } from '../../src/opal/device-tree-blob.js';
import { Opal } from '../../src/opal/opal.js';
import { RecordedPort } from '../../src/replay/firmware-port.js';
import { readFirmwareCalls } from '../../src/replay/read-firmware-calls.js';
import { Simulator } from '../../src/sim/simulator.js';
import { cellsOf, nodeAt, type ReadNode, readFdt } from './fdt-reader.js';

interface PublishedNode {
  readonly path: string;
  readonly phandle: number;
  readonly properties: Map<string, string>;
}

function readPublished(): PublishedNode[] {
  const nodes: PublishedNode[] = [];
  const text = readFileSync(new URL('./device-tree/phb3-published.txt', import.meta.url), 'utf8');
  for (const line of text.split('\n')) {
    const node = /^(\/\S*) phandle (\d+)$/.exec(line);
    const property = /^ {2}(\S+) ?(.*)$/.exec(line);
    if (node !== null) nodes.push({ path: node[1]!, phandle: Number(node[2]), properties: new Map() });
    else if (property !== null) nodes.at(-1)!.properties.set(property[1]!, property[2]!.replaceAll(' ', ''));
  }
  return nodes;
}

/** Our firmware booted on the answers that the real one got. */
function ourTree(): ReadNode {
  const file = 'scenarios/recordings/skiboot-calls-phb3.calls.gz';
  const { board, phases } = readFirmwareCalls(file, readFileSync(file));
  const sim = new Simulator();
  const port = new RecordedPort(sim, board);
  const opal = new Opal(port, { heapBase: board.heap, phbs: [{ ...board.scom, index: 0 }] });
  port.follow(phases.flatMap((phase) => phase.boot));
  sim.complete('boot', opal.boot());
  return readFdt(deviceTreeBlob(opal.publishedFacts())).roots[0]!;
}

const PHB = '/pciex@3fffe40000000';
const ROOT_PORT = `${PHB}/pci@0`;
const CARD = `${ROOT_PORT}/ethernet@0`;

/** Properties that hold a phandle: which cell. Numbers differ with the nodes around, what they lead to does not. */
const REFERENCES: Readonly<Record<string, { readonly at: readonly number[]; readonly to: string }>> = {
  'ibm,pbcq': { at: [0], to: '/xscom@3fc0000000000/pbcq@2012000' },
  'interrupt-parent': { at: [0], to: '/interrupt-controller@0' },
  'interrupt-map': { at: [4, 11, 18, 25], to: '/interrupt-controller@0' },
};

/** What ours has and the recording has not. */
const ADDED: Readonly<Record<string, { readonly properties: readonly string[]; readonly why: string }>> = {
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
  '/xscom@3fc0000000000': {
    properties: ['reg', 'scom-controller'],
    why: 'left out of the recorded machine; a node with a unit address must have it',
  },
  [ROOT_PORT]: {
    properties: ['ibm,slot-label', 'ibm,slot-location-code', 'ibm,loc-code'],
    why: 'the recorded machine has no platform to give labels; without one firmware makes them up',
  },
  [CARD]: { properties: ['ibm,loc-code'], why: 'as above: the label of the slot it is in' },
};

describe('the device tree of the recorded machine', () => {
  const root = ourTree();
  const published = readPublished();
  const paths = new Map(published.map(({ path, phandle }) => [phandle, path]));

  it('was recorded whole', () => {
    expect(published.map((node) => node.path)).toEqual([
      ...['/', '/ibm,opal', '/interrupt-controller@0', PHB, ROOT_PORT, CARD],
      ...['/xscom@3fc0000000000', '/xscom@3fc0000000000/pbcq@2012000'],
    ]);
    expect(published.reduce((count, node) => count + node.properties.size, 0)).toBe(79);
  });

  it.each(published.map((node) => [node.path, node] as const))('has every property of %s', (path, node) => {
    const ours = nodeAt(root, path);
    for (const [name, recorded] of node.properties) {
      const reference = REFERENCES[name];
      const value = Buffer.from(ours.properties.get(name) ?? []).toString('hex');
      if (reference === undefined) {
        expect({ name, known: ours.properties.has(name), value }).toEqual({ name, known: true, value: recorded });
        continue;
      }
      const [target] = cellsOf(nodeAt(root, reference.to), 'phandle');
      const cells = cellsOf(ours, name);
      const wanted = recorded.match(/.{8}/g)!.map((cell) => Number.parseInt(cell, 16));
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
    expect(added).toEqual(ADDED[path]?.properties ?? []);
  });

  it('keeps the nodes in the order of the real firmware', () => {
    expect(root.children.map((child) => child.name)).toEqual([
      ...['chosen', 'cpus', 'ibm,opal', 'interrupt-controller@0', 'memory@2,0', 'pciex@3fffe40000000'],
      ...['reserved-memory', 'xscom@3fc0000000000'],
    ]);
    const recordedOrder = published
      .map((node) => node.path)
      .filter((path) => path.lastIndexOf('/') === 0 && path !== '/');
    const ours = root.children.map((child) => `/${child.name}`).filter((path) => recordedOrder.includes(path));
    expect(ours).toEqual(recordedOrder);
  });
});
