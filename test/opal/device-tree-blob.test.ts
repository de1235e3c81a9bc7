import { describe, expect, it } from 'vitest';
import { PowerSystem } from '../../src/machine/system.js';
import type { SlotOptions } from '../../src/machine/topology.js';
import type { DeviceNode, PhbNode } from '../../src/opal/device-tree.js';
import { deviceTreeBlob, getDeviceTree } from '../../src/opal/device-tree-blob.js';
import { compareNames } from '../../src/opal/device-tree-node.js';
import { type FirmwareFacts, firmwareTree } from '../../src/opal/device-tree-root.js';
import { flatten } from '../../src/opal/fdt.js';
import { firmwareProfile } from '../../src/opal/firmware-profile.js';
import { Opal } from '../../src/opal/opal.js';
import { invokeToken } from '../../src/opal/opal-abi.js';
import { OpalStatus } from '../../src/opal/opal-api.js';
import { classNameOf } from '../../src/opal/pci-class-names.js';
import { cellsOf, nodeAt, type ReadNode, readFdt, stringsOf } from './fdt-reader.js';
import { FlatChip } from './flat-chip.js';

function booted(slots: readonly SlotOptions[]): Opal {
  const { sim, opal } = new PowerSystem({ slots: new Map(slots.map((slot, index) => [index + 1, slot])) });
  sim.complete('firmware boot', opal.boot());
  return opal;
}

const read = (facts: FirmwareFacts): ReadNode => readFdt(deviceTreeBlob(facts)).roots[0]!;

const CARD: SlotOptions = { device: 'nic', driver: 'none' };
const facts = booted([CARD, { device: ['nic', 'nic'], driver: 'none' }]).publishedFacts();
const root = read(facts);
const PHB = '/pciex@3fffe40000000';
const ROOT_PORT = `${PHB}/pci@0`;
const SWITCH = `${ROOT_PORT}/pci@0`;

describe('the node of firmware', () => {
  const opal = nodeAt(root, '/ibm,opal');
  const controller = nodeAt(root, '/interrupt-controller@0');

  it('says which interrupts firmware handles, in the new form and the old', () => {
    const isns = facts.firmwareInterrupts;
    expect(isns).toEqual([0xffe, 0xfff]);
    expect(cellsOf(opal, 'interrupts')).toEqual(isns.flatMap((isn) => [isn, 1]));
    expect(cellsOf(opal, 'opal-interrupts')).toEqual(isns);
    expect(stringsOf(opal, 'interrupt-names')).toEqual(['', '']);
    expect(cellsOf(opal, 'interrupt-parent')).toEqual(cellsOf(controller, 'phandle'));
    expect(cellsOf(controller, '#interrupt-cells')).toEqual([2]);
  });

  it('has the versions, the messages, the heartbeat and an event controller', () => {
    expect(stringsOf(opal, 'compatible')).toEqual(['ibm,opal-v2', 'ibm,opal-v3']);
    expect(cellsOf(opal, 'opal-msg-async-num')).toEqual([16]);
    expect(cellsOf(opal, 'opal-msg-size')).toEqual([72]);
    expect(cellsOf(opal, 'ibm,heartbeat-ms')).toEqual([200]);
    const event = nodeAt(opal, 'event');
    expect(stringsOf(event, 'compatible')).toEqual(['ibm,opal-event']);
    expect(cellsOf(event, '#interrupt-cells')).toEqual([1]);
    expect(event.properties.get('interrupt-controller')).toHaveLength(0);
  });

  it('reserves its memory with the tables of the PHBs, everywhere a reader may look', () => {
    const { address, bytes } = facts.firmwareMemory;
    for (const table of Object.values(facts.phbs[0]!.tables!)) {
      expect(table.address).toBeGreaterThanOrEqual(address);
      expect(table.address + table.bytes).toBeLessThanOrEqual(address + bytes);
    }
    const range = [0, address, 0, bytes];
    expect(cellsOf(opal, 'opal-base-address').concat(cellsOf(opal, 'opal-runtime-size'))).toEqual(range);
    expect(cellsOf(root, 'reserved-ranges')).toEqual(range);
    expect(cellsOf(nodeAt(root, '/reserved-memory/ibm,firmware-heap@30000000'), 'reg')).toEqual(range);
    expect(readFdt(deviceTreeBlob(facts)).reservations).toEqual([{ address: BigInt(address), bytes: BigInt(bytes) }]);
  });

  it('reserves nothing where no PHB came up', () => {
    const none = { ...facts, phbs: [], firmwareInterrupts: [], firmwareMemory: { address: 0x3000_0000, bytes: 0 } };
    expect(readFdt(deviceTreeBlob(none)).reservations).toEqual([]);
    expect(nodeAt(read(none), '/reserved-memory').children).toEqual([]);
    expect(cellsOf(nodeAt(read(none), '/ibm,opal'), 'interrupts')).toEqual([]);
  });
});

describe('the machine around the PHBs', () => {
  it('has a processor, memory and the SCOM bus of the chip', () => {
    expect(stringsOf(root, 'compatible')).toEqual(['ibm,powernv']);
    const [cpu] = nodeAt(root, '/cpus').children;
    expect([stringsOf(cpu!, 'device_type'), cellsOf(cpu!, 'timebase-frequency')]).toEqual([['cpu'], [512_000_000]]);
    expect(cellsOf(cpu!, 'ibm,ppc-interrupt-server#s')).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(cellsOf(nodeAt(root, '/memory@0,0'), 'reg')).toEqual([0, 0, 16, 0]);
    expect(cellsOf(nodeAt(root, '/xscom@3fc0000000000'), 'reg')).toEqual([0x3fc00, 0, 8, 0]);
    const pbcq = nodeAt(root, '/xscom@3fc0000000000/pbcq@2012000');
    expect(cellsOf(nodeAt(root, PHB), 'ibm,pbcq')).toEqual(cellsOf(pbcq, 'phandle'));
  });

  it('gives no number to two nodes', () => {
    const numbers: number[] = [];
    const collect = (node: ReadNode): void => {
      numbers.push(...cellsOf(node, 'phandle'));
      node.children.forEach(collect);
    };
    collect(root);
    expect(numbers.length).toBeGreaterThan(15);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it('says what the board says, where it does', () => {
    const [phb] = facts.phbs as [PhbNode];
    const hinted = {
      ...phb,
      locationCode: 'U78-P1-C9',
      maxLinkSpeed: 2,
      laneEqualisation: [1n, 2n, 3n, 0x8000_0000_0000_0004n],
    };
    const tree = read({ ...facts, phbs: [hinted], baseLocationCode: 'U78-P1' });
    expect(stringsOf(tree, 'ibm,io-base-loc-code')).toEqual(['U78-P1']);
    expect(stringsOf(nodeAt(tree, PHB), 'ibm,loc-code')).toEqual(['U78-P1-C9']);
    expect(cellsOf(nodeAt(tree, PHB), 'ibm,max-link-speed')).toEqual([2]);
    expect(cellsOf(nodeAt(tree, PHB), 'ibm,lane-eq')).toEqual([0, 1, 0, 2, 0, 3, 0x8000_0000, 4]);
    for (const hint of ['ibm,loc-code', 'ibm,max-link-speed', 'ibm,lane-eq']) {
      expect(nodeAt(root, PHB).properties.has(hint)).toBe(false);
    }
  });
});

describe('the nodes of devices', () => {
  it('are named by class, device and function', () => {
    expect(nodeAt(root, SWITCH).children.map((node) => node.name)).toEqual(['pci@0', 'pci@1']);
    expect(nodeAt(root, `${SWITCH}/pci@1`).children.map((node) => node.name)).toEqual(['ethernet@0', 'ethernet@0,1']);
    const card = nodeAt(root, `${SWITCH}/pci@1/ethernet@0,1`);
    expect(cellsOf(card, 'reg')).toEqual([0x04_0100, 0, 0, 0, 0]);
    expect(cellsOf(card, 'ibm,pci-config-space-type')).toEqual([1]);
    expect(cellsOf(card, 'class-code')).toEqual([0x02_0000]);
    expect(cellsOf(card, 'interrupts')).toEqual([1]);
  });

  it('know the slot that they are in', () => {
    const label = stringsOf(nodeAt(root, `${SWITCH}/pci@1`), 'ibm,slot-label');
    expect(label).toEqual(['S000004']);
    expect(stringsOf(nodeAt(root, `${SWITCH}/pci@1/ethernet@0`), 'ibm,loc-code')).toEqual(label);
    expect(stringsOf(nodeAt(root, SWITCH), 'ibm,loc-code')).toEqual(['S000001']);
    // The slot below a port says nothing of where the port is.
    expect(stringsOf(nodeAt(root, `${SWITCH}/pci@1`), 'ibm,loc-code')).toEqual(['S000001']);
    // A root port has nothing above it.
    expect(stringsOf(nodeAt(root, ROOT_PORT), 'ibm,loc-code')).toEqual(['S000001']);
    expect(nodeAt(root, SWITCH).properties.has('ibm,slot-label')).toBe(false);
  });

  it('are a bridge for a root port, whatever its class register says', () => {
    const [phb] = facts.phbs as [PhbNode];
    const tree = phb.tree.map((port) => ({
      ...port,
      classCode: 0x0b_2000,
      children: [{ ...port, type: 'endpoint' as const, classCode: 0x0b_2000 }],
    }));
    const node = nodeAt(read({ ...facts, phbs: [{ ...phb, tree }] }), PHB).children[0]!;
    expect([node.name, cellsOf(node, 'class-code')]).toEqual(['pci@0', [0x06_0400]]);
    expect([node.children[0]!.name, cellsOf(node.children[0]!, 'class-code')]).toEqual(['powerpc@0', [0x0b_2000]]);
  });

  it('turn the pins of a device by its number', () => {
    const upstream = cellsOf(nodeAt(root, SWITCH), 'interrupt-map');
    const row = (device: number, pin: number): number[] =>
      upstream.slice(7 * (4 * device + pin), 7 * (4 * device + pin + 1));
    expect(upstream).toHaveLength(7 * 4 * 32);
    const ics = cellsOf(nodeAt(root, '/interrupt-controller@0'), 'phandle')[0];
    expect(row(0, 0)).toEqual([0, 0, 0, 1, ics, 0xff8, 1]);
    expect(row(1, 0)).toEqual([0x800, 0, 0, 1, ics, 0xff9, 1]);
    expect(row(31, 3)).toEqual([0xf800, 0, 0, 4, ics, 0xffa, 1]);
    expect(cellsOf(nodeAt(root, SWITCH), 'interrupt-map-mask')).toEqual([0xf800, 0, 0, 7]);
    const port = nodeAt(root, `${SWITCH}/pci@1`);
    expect(cellsOf(port, 'interrupt-map')).toHaveLength(7 * 4);
    expect(cellsOf(port, 'interrupt-map').slice(0, 7)).toEqual([0, 0, 0, 1, ics, 0xff9, 1]);
    expect(cellsOf(port, 'interrupt-map-mask')).toEqual([0, 0, 0, 7]);
  });
});

const LEGACY: DeviceNode = {
  ...{ phandle: 90, bdfn: 0x0118, vendorId: 0x10b5, deviceId: 0x8112, classCode: 0x06_0401, revision: 2 },
  ...{ type: 'legacy', isBridge: true, extendedConfig: false, interruptPin: 0, children: [] },
};

describe('the slips of the real firmware', () => {
  /** Two conventional bridges, one below the other, at device 3 of bus 1 and device 2 of bus 2. */
  function nested(profile: 'skiboot' | 'corrected'): ReadNode {
    const inner: DeviceNode = { ...LEGACY, phandle: 91, bdfn: 0x0210 };
    const [phb] = facts.phbs as [PhbNode];
    const tree = [{ ...LEGACY, children: [inner] }];
    return nodeAt(read({ ...facts, phbs: [{ ...phb, tree }], profile: firmwareProfile(profile) }), `${PHB}/pci@3`);
  }
  const firstWire = (node: ReadNode): number => cellsOf(node, 'interrupt-map')[5]!;

  it('lose the turns of the bridges above a bridge', () => {
    expect([firstWire(nested('skiboot')), firstWire(nodeAt(nested('skiboot'), 'pci@2'))]).toEqual([0xffb, 0xffa]);
    expect([firstWire(nested('corrected')), firstWire(nodeAt(nested('corrected'), 'pci@2'))]).toEqual([0xffb, 0xff9]);
  });

  it('lose the compatible name of a device', () => {
    expect(nested('skiboot').properties.has('compatible')).toBe(false);
    expect(stringsOf(nested('corrected'), 'compatible')).toEqual(['pci10b5,8112']);
    const express = read({ ...facts, profile: firmwareProfile('corrected') });
    expect(stringsOf(nodeAt(express, ROOT_PORT), 'compatible')).toEqual(['pciex1014,3dc']);
  });

  it('do not touch what a conventional bridge is', () => {
    const bridge = nested('skiboot');
    expect(stringsOf(bridge, 'device_type')).toEqual(['pci']);
    expect(cellsOf(bridge, 'ibm,pci-config-space-type')).toEqual([0]);
    expect(bridge.properties.has('interrupts')).toBe(false);
  });
});

describe('OPAL_GET_DEVICE_TREE', () => {
  const phandle = cellsOf(nodeAt(root, SWITCH), 'phandle')[0]!;
  const size = getDeviceTree(facts, { phandle, wanted: 'size', bufferBytes: 0n }).rc;
  const ask = (bufferBytes: number, node = phandle) =>
    getDeviceTree(facts, { phandle: node, wanted: 'blob', bufferBytes: BigInt(bufferBytes) });

  it('flattens what is below a node, not the node itself', () => {
    const { rc, blob } = ask(size);
    expect([rc, blob!.length]).toEqual([OpalStatus.SUCCESS, size]);
    expect(readFdt(blob!).roots).toEqual(nodeAt(root, SWITCH).children);
    expect(readFdt(blob!).reservations).toEqual([]);
  });

  it('gives an empty tree for a node with nothing below it', () => {
    const card = cellsOf(nodeAt(root, `${SWITCH}/pci@0/ethernet@0`), 'phandle')[0]!;
    expect(ask(1000, card).blob).toEqual(flatten([]));
  });

  it('refuses an unknown node and a buffer of no bytes, and says when the buffer is too small', () => {
    expect(ask(size, 0xffff)).toEqual({ rc: OpalStatus.PARAMETER });
    expect(getDeviceTree(facts, { phandle: 0, wanted: 'size', bufferBytes: 0n })).toEqual({ rc: OpalStatus.PARAMETER });
    expect(ask(0)).toEqual({ rc: OpalStatus.PARAMETER });
    expect(ask(size - 1)).toEqual({ rc: OpalStatus.NO_MEM });
    expect(ask(size + 1).rc).toBe(OpalStatus.SUCCESS);
  });
});

describe('OPAL_GET_DEVICE_TREE as an operating system makes it', () => {
  const system = new PowerSystem({ slots: new Map([[1, CARD]]) });
  const { sim, opal, machine } = system;
  sim.complete('firmware boot', opal.boot());
  const tree = read(opal.publishedFacts());
  const phb = nodeAt(tree, PHB);
  const BUFFER = 0x10_0000;
  const made = (...registers: bigint[]): number =>
    sim.complete('call', invokeToken(opal, machine.memory, { token: 118, registers }));
  const phandle = BigInt(cellsOf(phb, 'phandle')[0]!);

  it('tells the size to who has no buffer, and stores the blob in a buffer', () => {
    const size = made(phandle, 0n, 0n);
    expect(size).toBeGreaterThan(1000);
    expect(made(phandle, BigInt(BUFFER), BigInt(size))).toBe(OpalStatus.SUCCESS);
    expect(readFdt(machine.memory.readBlock(BUFFER, size)).roots).toEqual(phb.children);
    expect(made(phandle, BigInt(BUFFER), BigInt(size - 1))).toBe(OpalStatus.NO_MEM);
  });

  it('looks at the pointer before anything else, and cuts the number to its 32 bits', () => {
    expect(made(phandle, 0x1000_0000_0000_0000n, 0x1000n)).toBe(OpalStatus.PARAMETER);
    expect(made(phandle | (1n << 32n), 0n, 0n)).toBe(made(phandle, 0n, 0n));
    expect(made(0xffffn, BigInt(BUFFER), 0x1_0000n)).toBe(OpalStatus.PARAMETER);
  });
});

describe('a board', () => {
  it('has its hints published, and its base code before the label of each slot', () => {
    const chip = new FlatChip();
    const place = { nest: 0x0201_2000, pci: 0x0901_2000, spci: 0x0901_3c00, index: 0 };
    const hints = { locationCode: 'U78-P1-C9', maxLinkSpeed: 2, laneEqualisation: [1n, 2n, 3n, 4n] } as const;
    const opal = new Opal(chip, { heapBase: 0x10_0000, baseLocationCode: 'U78-P1', phbs: [{ ...place, ...hints }] });
    chip.sim.complete('boot', opal.boot());
    const tree = read(opal.publishedFacts());
    expect(stringsOf(tree, 'ibm,io-base-loc-code')).toEqual(['U78-P1']);
    expect(stringsOf(nodeAt(tree, PHB), 'ibm,loc-code')).toEqual(['U78-P1-C9']);
    expect(cellsOf(nodeAt(tree, PHB), 'ibm,max-link-speed')).toEqual([2]);
    expect(cellsOf(nodeAt(tree, PHB), 'ibm,lane-eq')).toHaveLength(8);
    expect(stringsOf(nodeAt(tree, ROOT_PORT), 'ibm,slot-location-code')).toEqual(['U78-P1-S000001']);
    expect(stringsOf(nodeAt(tree, ROOT_PORT), 'ibm,slot-label')).toEqual(['S000001']);
  });
});

describe('the facts behind the tree', () => {
  it('keep the number of a node from one look to the next', () => {
    const opal = booted([CARD]);
    expect(firmwareTree(opal.publishedFacts())).toEqual(firmwareTree(opal.publishedFacts()));
  });
});

describe('the order of nodes', () => {
  it('goes by unit address within one kind, else by name', () => {
    const names = ['pci@1f', 'pci@2', 'pci@10', 'ethernet@0,1', 'ethernet@0', 'ibm,opal', 'chosen'];
    expect([...names].sort(compareNames)).toEqual([
      ...['chosen', 'ethernet@0', 'ethernet@0,1', 'ibm,opal', 'pci@2', 'pci@10', 'pci@1f'],
    ]);
    expect(compareNames('cpus', 'cpus')).toBe(0);
  });
});

describe('the name of a class of devices', () => {
  it.each([
    [0x06_0400, 'pci'],
    [0x01_0802, 'mass-storage'],
    [0x0c_0330, 'usb-xhci'],
    [0x0c_0342, 'usb'],
    [0x06_80ff, 'unknown-bridge'],
    [0x02_0000, 'ethernet'],
    [0x08_0020, 'iox-apic'],
    [0x00_0100, 'vga'],
    [0x00_0000, 'device'],
    [0xff_0000, 'device'],
  ])('%s is known as far as it is standardised', (classCode, name) => {
    expect(classNameOf(classCode)).toBe(name);
  });
});
