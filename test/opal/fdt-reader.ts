/**
 * Reads a flattened device tree strictly: whatever the specification demands of a blob is checked. Written from the
 * Devicetree Specification v0.4, chapter 5, and from nothing else, so that it can judge the writer.
 */
export interface ReadNode {
  readonly name: string;
  readonly properties: ReadonlyMap<string, Uint8Array>;
  readonly children: readonly ReadNode[];
}

export interface ReadTree {
  readonly roots: readonly ReadNode[];
  readonly reservations: readonly { readonly address: bigint; readonly bytes: bigint }[];
  readonly stringsBytes: number;
}

const MAGIC = 0xd00dfeed;
const [BEGIN_NODE, END_NODE, PROP, NOP, END] = [1, 2, 3, 4, 9];

export function readFdt(blob: Uint8Array): ReadTree {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const word = (at: number): number => view.getUint32(at);
  const [magic, total, structAt, stringsAt, reservedAt, version, compatible, bootCpu, stringsSize, structSize] =
    Array.from({ length: 10 }, (_, index) => word(4 * index)) as [number, ...number[]];
  check(magic === MAGIC, 'magic');
  check(total === blob.length, 'total size');
  check(version === 17 && compatible === 16, 'version');
  check(bootCpu === 0, 'boot CPU');
  check(reservedAt! % 8 === 0 && structAt! % 4 === 0, 'alignment');
  check(reservedAt! >= 40 && reservedAt! < structAt! && structAt! + structSize! <= stringsAt!, 'order of blocks');
  check(stringsAt! + stringsSize! === total, 'the strings end the blob');

  const reservations: { address: bigint; bytes: bigint }[] = [];
  for (let at = reservedAt!; ; at += 16) {
    check(at + 16 <= structAt!, 'the reservations end with zeros');
    const [address, bytes] = [view.getBigUint64(at), view.getBigUint64(at + 8)];
    if (address === 0n && bytes === 0n) break;
    reservations.push({ address, bytes });
  }

  const text = (at: number, end: number): string => {
    const zero = blob.indexOf(0, at);
    check(zero >= at && zero < end, 'a string ends in its block');
    return Buffer.from(blob.subarray(at, zero)).toString('latin1');
  };
  const structEnd = structAt! + structSize!;
  let at = structAt!;
  const node = (): ReadNode => {
    const name = text(at, structEnd);
    at += (name.length + 4) & ~3;
    const properties = new Map<string, Uint8Array>();
    const children: ReadNode[] = [];
    for (;;) {
      const tag = word(at);
      at += 4;
      if (tag === NOP) continue;
      if (tag === END_NODE) return { name, properties, children };
      if (tag === BEGIN_NODE) {
        children.push(node());
        continue;
      }
      check(tag === PROP, `tag ${tag}`);
      check(children.length === 0, 'properties come before nodes');
      const [length, nameAt] = [word(at), word(at + 4)];
      check(nameAt < stringsSize!, 'name in the strings block');
      const property = text(stringsAt! + nameAt, total!);
      check(!properties.has(property), `${property} once`);
      properties.set(property, blob.slice(at + 8, at + 8 + length));
      const padding = blob.subarray(at + 8 + length, at + 8 + ((length + 3) & ~3));
      check(
        padding.every((byte) => byte === 0),
        'padding',
      );
      at += 8 + ((length + 3) & ~3);
    }
  };
  const roots: ReadNode[] = [];
  for (;;) {
    const tag = word(at);
    at += 4;
    if (tag === NOP) continue;
    if (tag === END) break;
    check(tag === BEGIN_NODE, `tag ${tag} outside nodes`);
    roots.push(node());
  }
  check(at === structEnd, 'the structure ends with its end');
  return { roots, reservations, stringsBytes: stringsSize! };
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`no flattened device tree: ${what}`);
}

/** The node at a path such as `/cpus/PowerPC,POWER8@0`. */
export function nodeAt(root: ReadNode, path: string): ReadNode {
  let node = root;
  for (const name of path.split('/').filter((part) => part !== '')) {
    const child = node.children.find((each) => each.name === name);
    if (child === undefined)
      throw new Error(`${path}: no node ${name} among ${node.children.map((each) => each.name)}`);
    node = child;
  }
  return node;
}

export function cellsOf(node: ReadNode, property: string): number[] {
  const bytes = node.properties.get(property);
  if (bytes === undefined) throw new Error(`${node.name} has no ${property}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(4 * index));
}

export function stringsOf(node: ReadNode, property: string): string[] {
  const text = Buffer.from(node.properties.get(property) ?? []).toString('latin1');
  return text === '' ? [] : text.slice(0, -1).split('\0');
}
