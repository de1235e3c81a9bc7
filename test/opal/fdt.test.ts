import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cells,
  empty,
  type FdtNode,
  flatten,
  propertiesOf,
  rows,
  strings,
  valueBytes,
  words,
} from '../../src/opal/fdt.js';
import { formatDeviceTree } from '../../src/opal/fdt-text.js';
import { type ReadNode, readFdt } from './fdt-reader.js';

const property = fc.oneof(
  fc.array(fc.nat({ max: 0xffff_ffff }), { maxLength: 9 }).map((values) => (name: string) => cells(name, ...values)),
  fc
    .array(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), { maxLength: 3 })
    .map((values) => (name: string) => words(name, ...values)),
  fc
    .array(fc.stringMatching(/^[ -~]{0,12}$/), { maxLength: 3 })
    .map((values) => (name: string) => strings(name, ...values)),
  fc.constant((name: string) => empty(name)),
);
const nodeName = fc.stringMatching(/^[a-z][a-z0-9,]{0,8}(@[1-9a-f][0-9a-f]{0,7})?$/);
const propertyName = fc.stringMatching(/^[a-z#][a-z,-]{0,10}$/).filter((name) => name !== 'phandle');
const { node } = fc.letrec<{ node: FdtNode }>((tie) => ({
  node: fc.record({
    name: nodeName,
    phandle: fc.integer({ min: 1, max: 0xffff }),
    properties: fc
      .uniqueArray(fc.tuple(propertyName, property), { selector: ([name]) => name, maxLength: 6 })
      .map((pairs) => pairs.map(([name, make]) => make(name))),
    children: fc.oneof({ maxDepth: 3 }, fc.constant([]), fc.array(tie('node'), { maxLength: 3 })),
  }),
}));

function plain(each: FdtNode): ReadNode {
  return {
    name: each.name,
    properties: new Map(propertiesOf(each).map(({ name, value }) => [name, Uint8Array.from(valueBytes(value))])),
    children: each.children.map(plain),
  };
}

describe('a flattened device tree', () => {
  it('holds what was put in, whatever the tree, in the form that the specification demands', () => {
    fc.assert(
      fc.property(fc.array(node, { maxLength: 3 }), (roots) => {
        expect(readFdt(flatten(roots)).roots).toEqual(roots.map(plain));
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('lists the memory that is taken', () => {
    const reservations = [
      { address: 0x3000_0000, bytes: 0x10_0000 },
      { address: 0x3_fffe_4000_0000, bytes: 0x1000 },
    ];
    expect(readFdt(flatten([], reservations)).reservations).toEqual(
      reservations.map(({ address, bytes }) => ({ address: BigInt(address), bytes: BigInt(bytes) })),
    );
  });

  it('stores the name of a property once, and none that is the end of another', () => {
    const each = (name: string): FdtNode => ({ name, phandle: 1, children: [], properties: [cells('#size-cells', 1)] });
    const { stringsBytes } = readFdt(flatten([each('a'), each('b')]));
    expect(stringsBytes).toBe('phandle\0#size-cells\0'.length);
    const nested: FdtNode = { ...each('c'), properties: [cells('#size-cells', 1), cells('cells', 2)] };
    expect(readFdt(flatten([nested])).stringsBytes).toBe(stringsBytes);
  });

  it('without a node is its header, an empty list of reservations and an end', () => {
    expect(flatten([])).toHaveLength(48 + 16 + 4);
  });

  it('keeps 64-bit numbers high word first', () => {
    expect([...valueBytes(words('reg', 0x3_fffe_4000_0210).value)]).toEqual([0, 3, 0xff, 0xfe, 0x40, 0, 2, 0x10]);
  });
});

describe('the text of a device tree', () => {
  it('puts what belongs together on one line, and escapes what ends a string', () => {
    const properties = [
      empty('ranges'),
      cells('reg', 1, 0xffff_ffff),
      rows('interrupt-map', [
        [1, 2],
        [3, 4],
      ]),
      strings('model', 'a "b" \\', ''),
    ];
    const root: FdtNode = {
      name: '',
      phandle: 1,
      properties,
      children: [{ name: 'x@1', phandle: 2, properties: [], children: [] }],
    };
    expect(formatDeviceTree(root, [{ address: 0x1000, bytes: 0x20 }]).split('\n')).toEqual([
      '/dts-v1/;',
      '',
      '/memreserve/ 0x1000 0x20;',
      '',
      '/ {',
      '\tphandle = <0x1>;',
      '\tranges;',
      '\treg = <0x1 0xffffffff>;',
      '\tinterrupt-map = <0x1 0x2',
      '\t\t0x3 0x4>;',
      '\tmodel = "a \\"b\\" \\\\", "";',
      '',
      '\tx@1 {',
      '\t\tphandle = <0x2>;',
      '\t};',
      '};',
    ]);
  });
});
