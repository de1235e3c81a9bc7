/**
 * Blocks of the kernel's PCI core one by one: which registers, which values, in which order, and what the log says.
 * Facts: eeh-linux 13.3.
 */
import { describe, expect, it } from 'vitest';
import { EINVAL } from '../../src/eeh/errno.js';
import type { PhbNode } from '../../src/eeh/firmware.js';
import type { KernelLog } from '../../src/eeh/log.js';
import { PciBus, type PciDevice, type PciResource, ROM_INDEX } from '../../src/eeh/pci/device.js';
import { DeviceEnable } from '../../src/eeh/pci/enable.js';
import { implementsRegister } from '../../src/eeh/pci/express.js';
import { describeResource, describeUnplaced, range } from '../../src/eeh/pci/resource-text.js';
import { PciSavedState } from '../../src/eeh/pci/saved-state.js';
import { BridgeWindows, prefetchableSpace, segmentBytes, wholeWindow } from '../../src/eeh/pci/windows.js';
import { CAP, COMMAND, type Found, hex, PciDesk } from './pci-desk.js';

const LNKCTL = CAP + 0x10;
const AER_AT = 0x100;

const bar = (change: Partial<PciResource> = {}): PciResource => ({
  ...{ index: 0, space: 'memory', sizeBytes: 0x4000, width: 64, prefetchable: 'no', pciAddress: undefined },
  ...change,
});

describe('a resource in the log', () => {
  it('has its kind, range and attributes', () => {
    expect(describeResource(bar(), 0)).toBe('BAR 0 [mem 0x00000000-0x00003fff 64bit]');
    expect(describeResource(bar({ width: 32 }), 0xffff_c000)).toBe('BAR 0 [mem 0xffffc000-0xffffffff]');
    expect(describeResource(bar({ prefetchable: 'yes' }), 0x3fe0_8000_0000)).toBe(
      'BAR 0 [mem 0x3fe080000000-0x3fe080003fff 64bit pref]',
    );
    expect(describeResource(bar({ index: ROM_INDEX, width: 32, prefetchable: 'yes', sizeBytes: 1 }), 5)).toBe(
      'ROM [mem 0x00000005-0x00000005 pref]',
    );
    expect(describeResource(bar({ index: 5, space: 'io', width: 32, sizeBytes: 0x20 }), 0x10)).toBe(
      'BAR 5 [io  0x0010-0x002f]',
    );
  });

  it('has its size alone while it has no place', () => {
    expect(describeUnplaced(bar())).toBe('BAR 0 [mem size 0x00004000 64bit]');
    expect(describeUnplaced(bar({ space: 'io', width: 32, sizeBytes: 0x20 }))).toBe('BAR 0 [io  size 0x0020]');
    expect(range(0x1000, 0, 4)).toBe('0x1000-0x0fff');
  });
});

describe('the windows of a PHB', () => {
  const m64 = { cpuBase: 0x3d_0000_0000, pciBase: 0x3d_0000_0000, sizeBytes: 2 ** 36 };
  const node = (change: Partial<PhbNode>): PhbNode =>
    ({ m32: { sizeBytes: 0x7fff_0000 }, m64, totalPes: 256, reservedPe: 255, ...change }) as PhbNode;

  it('have segments of a power of two, though firmware keeps the top', () => {
    expect(segmentBytes(node({}))).toBe(0x80_0000);
    expect(segmentBytes(node({ totalPes: 128 }))).toBe(0x100_0000);
  });

  it('leave two segments of the 64-bit window out, at the end where the reserved PE is', () => {
    const segment = 2 ** 28;
    expect(prefetchableSpace(node({}))).toEqual({ base: m64.pciBase, limit: m64.pciBase + 2 ** 36 - 2 * segment - 1 });
    expect(prefetchableSpace(node({ reservedPe: 0 }))).toEqual({
      base: m64.pciBase + 2 * segment,
      limit: m64.pciBase + 2 ** 36 - 1,
    });
    expect(prefetchableSpace({ ...node({}), m64: undefined } as unknown as PhbNode)).toBeUndefined();
  });

  it('are passed on whole by the root port, up to the last megabyte', () => {
    expect(wholeWindow({ base: 0x8000_0000, limit: 0xfffe_ffff })).toEqual({ base: 0x8000_0000, limit: 0xffef_ffff });
  });
});

describe('the windows of a bridge', () => {
  function programmed(abilities: Partial<PciDevice['bridgeAbilities']>, windows: Partial<PciBus> = {}): PciDesk {
    const desk = new PciDesk();
    const { port, bus } = desk.pair();
    Object.assign(port.bridgeAbilities, abilities);
    Object.assign(bus, { bridgeControl: 3, ...windows });
    desk.run(new BridgeWindows(desk.context, desk.config).program(port, bus));
    return desk;
  }

  const window = { base: 0x8080_0000, limit: 0x80ff_ffff };
  const prefetchableWindow = { base: 0x3d_1000_0000, limit: 0x3d_1fff_ffff };

  it('are closed one after the other while there are none', () => {
    const desk = programmed({ io: 'yes', prefetchable: '64-bit' });
    expect(desk.writes()).toEqual([
      ...['0 W 30/4=ffff', '0 W 1c/2=f0', '0 W 30/4=0', '0 W 20/4=fff0'],
      ...['0 W 2c/4=0', '0 W 24/4=fff0', '0 W 28/4=0', '0 W 2c/4=0', '0 W 3e/2=3'],
    ]);
    expect(desk.log).toEqual(['pci 0000:00:00.0: PCI bridge to [bus 01]']);
  });

  it('have base and limit in megabytes, and the addresses of the processor in the log', () => {
    const desk = programmed({ prefetchable: '64-bit' }, { window, prefetchableWindow });
    expect(desk.writes()).toEqual([
      ...['0 W 20/4=80f08080', '0 W 2c/4=0', '0 W 24/4=1ff01000', '0 W 28/4=3d', '0 W 2c/4=3d', '0 W 3e/2=3'],
    ]);
    expect(desk.log).toEqual([
      'pci 0000:00:00.0: PCI bridge to [bus 01]',
      'pci 0000:00:00.0:   bridge window [mem 0x3fe080800000-0x3fe080ffffff]',
      'pci 0000:00:00.0:   bridge window [mem 0x3d10000000-0x3d1fffffff 64bit pref]',
    ]);
  });

  it('have no upper halves in a bridge of 32 bits, and no prefetchable one in a bridge without', () => {
    expect(programmed({ prefetchable: '32-bit' }).writes()).toEqual([
      ...['0 W 20/4=fff0', '0 W 2c/4=0', '0 W 24/4=fff0', '0 W 3e/2=3'],
    ]);
    expect(programmed({}).writes()).toEqual(['0 W 20/4=fff0', '0 W 3e/2=3']);
  });
});

describe('a register of the PCI Express capability', () => {
  const has = (found: Found) => {
    const desk = new PciDesk();
    const device = desk.device(desk.root, found);
    const names = ['DEVCTL', 'LNKCTL', 'SLTCTL', 'RTCTL', 'DEVCTL2', 'LNKCAP2'] as const;
    return names.filter((name) => implementsRegister(device, name));
  };

  it('is there by the kind of the port and the version of the capability', () => {
    const second = ['DEVCTL2', 'LNKCAP2'];
    expect(has({})).toEqual(['DEVCTL', 'LNKCTL', ...second]);
    expect(has({ version: 1 })).toEqual(['DEVCTL', 'LNKCTL']);
    expect(has({ port: 'rootPort', version: 1 })).toEqual(['DEVCTL', 'LNKCTL', 'RTCTL']);
    expect(has({ port: 'rootPort', slot: true })).toEqual(['DEVCTL', 'LNKCTL', 'SLTCTL', 'RTCTL', ...second]);
    expect(has({ port: 'downstream', slot: true })).toEqual(['DEVCTL', 'LNKCTL', 'SLTCTL', ...second]);
    expect(has({ port: 'downstream' })).toEqual(['DEVCTL', 'LNKCTL', ...second]);
    expect(has({ port: 'upstream', slot: true })).toEqual(['DEVCTL', 'LNKCTL', ...second]);
  });

  it('that is not there reads 0 and is not touched', () => {
    const desk = new PciDesk();
    const device = desk.device(desk.root, { version: 1 });
    expect(desk.run(desk.express.read(device, 'DEVCTL2'))).toBe(0);
    desk.run(desk.express.write(device, 'DEVCTL2', 1));
    desk.run(desk.express.change(device, 'RTCTL', { set: 1 }));
    device.capabilities.pcie = 0;
    expect(desk.run(desk.express.read(device, 'DEVCTL'))).toBe(0);
    expect(desk.accesses).toEqual([]);
  });

  it('is changed by a read and a write, also where nothing changes, and keeps its other bits', () => {
    const desk = new PciDesk();
    const device = desk.device(desk.root);
    desk.store(device, LNKCTL, 0xff43);
    desk.run(desk.express.change(device, 'LNKCTL', { clear: 3, set: 0x20 }));
    desk.run(desk.express.change(device, 'LNKCTL', {}));
    expect(desk.accesses).toEqual(['0 R 50/2', '0 W 50/2=ff60', '0 R 50/2', '0 W 50/2=ff60']);
  });
});

describe('the kept state of a function', () => {
  it('is sixteen doublewords and the control registers that it has', () => {
    const desk = new PciDesk();
    const device = desk.device(desk.root, { port: 'rootPort', slot: true });
    for (let i = 0; i < 16; i++) desk.store(device, 4 * i, 0x100 + i);
    desk.store(device, LNKCTL, 0x43);
    const state = desk.run(new PciSavedState(desk.context, desk.config, desk.express).save(device));
    expect(state.header).toEqual(Array.from({ length: 16 }, (_, i) => 0x100 + i));
    expect(state.express).toEqual([
      ...[
        ['DEVCTL', 0],
        ['LNKCTL', 0x43],
        ['SLTCTL', 0],
        ['RTCTL', 0],
        ['DEVCTL2', 0],
        ['LNKCTL2', 0],
      ],
    ]);
  });

  it('goes back from the end, BARs in the middle, the command last; errors are cleared before', () => {
    const desk = new PciDesk();
    const device = desk.device(desk.root);
    device.capabilities.aer = AER_AT;
    desk.store(device, AER_AT + 0x10, 0x2000);
    desk.store(device, AER_AT + 0x04, 0x10_0000);
    const header = Array.from({ length: 16 }, (_, i) => i + 1);
    const kept = { header, express: [['DEVCTL', 0x2f] as const] };
    desk.run(new PciSavedState(desk.context, desk.config, desk.express).restore(device, kept));
    const order = [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0];
    expect(desk.writes()).toEqual([
      ...['0 W 48/2=2f', '0 W 110/4=2000', '0 W 104/4=100000'],
      ...order.map((i) => `0 W ${hex(4 * i)}/4=${hex(i + 1)}`),
    ]);
    expect(desk.waits).toEqual([]);
  });

  it('is not written where it stands already', () => {
    const desk = new PciDesk();
    const device = desk.device(desk.root);
    const kept = { header: new Array<number>(16).fill(0), express: [] };
    desk.run(new PciSavedState(desk.context, desk.config, desk.express).restore(device, kept));
    expect(desk.writes()).toEqual([]);
  });

  it('is tried ten times more where a BAR does not take it, and once where anything else does not', () => {
    const writesTo = (at: number) => {
      const desk = new PciDesk();
      const device = desk.device(desk.root);
      desk.set(device, at, 0xdead);
      const kept = { header: new Array<number>(16).fill(0), express: [] };
      desk.run(new PciSavedState(desk.context, desk.config, desk.express).restore(device, kept));
      return [desk.writes().length, desk.waits.length];
    };
    expect([0x10, 0x24].map(writesTo)).toEqual([
      [11, 10],
      [11, 10],
    ]);
    expect([0x0c, 0x28, 0x3c].map(writesTo)).toEqual([
      [1, 0],
      [1, 0],
      [1, 0],
    ]);
  });
});

describe('enabling a device', () => {
  const enabler = (desk: PciDesk) => new DeviceEnable(desk.context.log as KernelLog, desk.config);

  it('enables the bridges above first, with bus mastering, and counts', () => {
    const desk = new PciDesk();
    const { port, card } = desk.pair();
    card.resources.push(bar({ pciAddress: 0x8000_0000 }));
    const enable = enabler(desk);
    expect(desk.run(enable.enable(card))).toBe(0);
    expect(desk.writes()).toEqual(['0 W 4/2=2', '0 W 4/2=6', '100 W 4/2=2']);
    expect(desk.log).toEqual([
      'pci 0000:00:00.0: enabling device (0000 -> 0002)',
      'pci 0000:01:00.0: enabling device (0000 -> 0002)',
    ]);
    desk.accesses.length = 0;
    expect(desk.run(enable.enable(card))).toBe(0);
    expect([desk.accesses, card.enableCount, port.enableCount]).toEqual([[], 2, 1]);
    desk.run(enable.disable(card));
    expect([desk.accesses, card.enableCount]).toEqual([[], 1]);
    desk.store(card, COMMAND, 0x6);
    desk.run(enable.disable(card));
    desk.run(enable.disable(card));
    expect([desk.writes(), card.enableCount]).toEqual([['100 W 4/2=2'], 0]);
  });

  it('enables the bridges above from the host down, each once', () => {
    const desk = new PciDesk();
    const { bus } = desk.pair();
    const switchPort = desk.device(bus, { port: 'upstream', devfn: 8 });
    const below = new PciBus(desk.controller, 2, switchPort);
    const card = desk.device(below);
    expect(desk.run(enabler(desk).enable(card))).toBe(0);
    expect(desk.writes()).toEqual(['0 W 4/2=2', '0 W 4/2=6', '108 W 4/2=2', '108 W 4/2=6']);
    const second = desk.device(below, { devfn: 8 });
    desk.run(enabler(desk).enable(second));
    expect(desk.writes()).toHaveLength(4);
  });

  it('fails for a BAR without a place, not for a ROM without one, and does not count then', () => {
    const desk = new PciDesk();
    const device = desk.device(desk.root);
    device.resources.push(bar({ pciAddress: 0x8000_0000 }), bar({ index: ROM_INDEX }));
    expect(desk.run(enabler(desk).enable(device))).toBe(0);
    const other = desk.device(desk.root, { devfn: 8 });
    other.resources.push(bar({ index: 2 }));
    expect(desk.run(enabler(desk).enable(other))).toBe(EINVAL);
    expect([other.enableCount, desk.log.at(-1)]).toEqual([
      0,
      "pci 0000:00:01.0: can't enable device: a BAR is not assigned",
    ]);
  });

  it('lets a device with a pin interrupt by wire, unless it does so by message', () => {
    const desk = new PciDesk();
    const device = desk.device(desk.root);
    desk.store(device, COMMAND, 0x400);
    desk.set(device, 0x3d, 1);
    device.interrupt = 'message';
    desk.run(enabler(desk).enable(device));
    expect(desk.writes()).toEqual([]);
    device.interrupt = 'none';
    expect(desk.run(enabler(desk).reenable(device))).toBe(0);
    expect(desk.writes()).toEqual(['0 W 4/2=0']);
    desk.set(device, 0x3d, 0);
    desk.store(device, COMMAND, 0x400);
    desk.run(enabler(desk).reenable(device));
    expect(desk.writes()).toHaveLength(1);
  });

  it('again after a reset touches only what was enabled', () => {
    const desk = new PciDesk();
    const device = desk.device(desk.root);
    expect(desk.run(enabler(desk).reenable(device))).toBe(0);
    expect(desk.accesses).toEqual([]);
  });
});
