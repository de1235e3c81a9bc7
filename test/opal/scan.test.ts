import { describe, expect, it } from 'vitest';
import { FreezeState } from '../../src/opal/opal-api.js';
import { configSpace, FirmwareRig, FlatChip, LINK_DOWN } from './flat-chip.js';

function boot(build: (chip: FlatChip) => void): { chip: FlatChip; rig: FirmwareRig } {
  const chip = new FlatChip();
  build(chip);
  return { chip, rig: FirmwareRig.booted(chip) };
}

const buses = (chip: FlatChip, bdfn: number): number[] =>
  [0x18, 0x19, 0x1a].map((offset) => chip.functions.get(bdfn)!.read(offset, 1));

describe('the bus scan', () => {
  it('numbers the buses of a switch depth first, keeping spare numbers for empty ports', () => {
    const { chip, rig } = boot((machine) => {
      machine.functions.set(0x100, configSpace('up', { port: 'upstream' }));
      const empty = configSpace('empty', { port: 'downstream', options: ['slot'] });
      machine.functions.set(0x200, empty);
      machine.functions.set(0x208, configSpace('used', { port: 'downstream', maxPayloadBytes: 256 }));
      machine.functions.set(0x800, configSpace('card', {}));
    });
    expect(buses(chip, 0x000)).toEqual([0, 1, 8]);
    expect(buses(chip, 0x100)).toEqual([1, 2, 8]);
    expect(buses(chip, 0x200)).toEqual([2, 3, 7]);
    expect(buses(chip, 0x208)).toEqual([2, 8, 8]);
    const [node] = rig.opal.deviceTree();
    expect(node?.devices).toEqual([0, 0x100, 0x200, 0x208, 0x800]);
    const up = node?.tree[0]?.children[0];
    expect(up?.children.map((child) => child.type)).toEqual(['downstream-port', 'downstream-port']);
  });

  it('gives every device the smallest payload of all', () => {
    const { chip } = boot((machine) => {
      machine.functions.set(0x100, configSpace('card', { maxPayloadBytes: 256, multifunction: true }));
      machine.functions.set(0x102, configSpace('second', { maxPayloadBytes: 512 }));
    });
    for (const bdfn of [0, 0x100, 0x102]) expect(chip.functions.get(bdfn)!.read(0x50, 2) & 0xe0).toBe(0x20);
  });

  it('looks at further functions of a device only if it says so, and at one device behind a link', () => {
    const { rig } = boot((machine) => {
      machine.functions.set(0x100, configSpace('single', {}));
      machine.functions.set(0x101, configSpace('hidden', {}));
      machine.functions.set(0x108, configSpace('unreachable', {}));
    });
    expect(rig.opal.deviceTree()[0]?.devices).toEqual([0, 0x100]);
  });

  it('sets switch ports up for their place', () => {
    const { chip } = boot((machine) => {
      machine.functions.set(0x100, configSpace('up', { port: 'upstream' }));
      machine.functions.set(0x200, configSpace('down', { port: 'downstream' }));
    });
    const read = (bdfn: number, offset: number, size: number) => chip.functions.get(bdfn)!.read(offset, size);
    expect(read(0x100, 0x10c, 4)).toBe(0x0046_2030);
    expect(read(0x200, 0x10c, 4)).toBe(0x0040_2000);
    for (const bdfn of [0x100, 0x200]) {
      expect(read(bdfn, 0x50, 2) & 0xf).toBe(0x6);
      expect(read(bdfn, 0x108, 4)).toBe(0);
      expect(read(bdfn, 0x114, 4)).toBe(0x2000);
      expect(read(bdfn, 0x118, 4) & 0x140).toBe(0x40);
      expect(read(bdfn, 0x04, 2) & 0x0540).toBe(0x0540);
    }
  });

  it('leaves the buses below the root port open when there is no link', () => {
    const { chip, rig } = boot((machine) => machine.answer('PHB_PCIE_DLP_TRAIN_CTL', LINK_DOWN));
    expect(buses(chip, 0)).toEqual([0, 1, 0xff]);
    expect(rig.opal.deviceTree()[0]?.devices).toEqual([0]);
    expect(chip.log).toEqual(['PHB#0000: No link detected']);
  });

  it('waits for a function that is not ready, up to 4 s', () => {
    const notReady = configSpace('slow', { vendorId: 0x0001, deviceId: 0xffff });
    let chip = new FlatChip();
    chip.functions.set(0x100, notReady);
    const idle = (machine: FlatChip): number => {
      FirmwareRig.booted(machine);
      return machine.sim.now / 1e6;
    };
    const quick = idle(new FlatChip());
    expect(idle(chip)).toBe(quick + 4000);
    expect(chip.log).toContainEqual(expect.stringContaining('01:00.0: timeout waiting'));
    chip = new FlatChip();
    chip.functions.set(0x100, notReady);
    chip.sim.schedule(
      1_500_000_000,
      2,
      chip.sim.handler('ready', () => chip.functions.set(0x100, configSpace('card', {}))),
    );
    const rig = FirmwareRig.booted(chip);
    expect(rig.opal.deviceTree()[0]?.devices).toEqual([0, 0x100]);
  });

  it('thaws the reserved PE that a probe of an empty place froze', () => {
    const chip = new FlatChip();
    let froze = false;
    chip.answer('nest.NFIR', () => {
      if (!froze) for (const table of ['PESTA', 'PESTB'] as const) chip.setEntry(table, 255, 1n << 63n);
      if (!froze) chip.setEntry('PEEV', 3, 1n);
      froze = true;
      return 0n;
    });
    const rig = FirmwareRig.booted(chip);
    expect(froze).toBe(true);
    expect(rig.run(rig.opal.pciEehFreezeStatus(0, 255)).freezeState).toBe(FreezeState.NOT_FROZEN);
  });

  it('takes a bridge out of reset before it looks below', () => {
    const chip = new FlatChip();
    const up = configSpace('up', { port: 'upstream' });
    up.set('BRIDGE_CONTROL', 0x0040);
    chip.functions.set(0x100, up);
    FirmwareRig.booted(chip);
    const reset = chip.sim.now;
    expect(up.read(0x3e, 2) & 0x40).toBe(0);
    const undisturbed = new FlatChip();
    undisturbed.functions.set(0x100, configSpace('up', { port: 'upstream' }));
    FirmwareRig.booted(undisturbed);
    expect((reset - undisturbed.sim.now) / 1e9).toBe(1);
  });

  it('finds devices without PCI Express or AER, and sets up what they have', () => {
    const { chip, rig } = boot((machine) => {
      machine.functions.set(0x100, configSpace('plain', { express: false }));
    });
    expect(rig.opal.deviceTree()[0]?.tree[0]?.children[0]).toMatchObject({ type: 'legacy', extendedConfig: false });
    expect(chip.functions.get(0x100)!.read(0x04, 2)).toBe(0x0140);
    const other = boot((machine) => machine.functions.set(0x100, configSpace('no aer', { aer: false })));
    expect(other.rig.opal.deviceTree()[0]?.tree[0]?.children[0]?.type).toBe('endpoint');
  });

  it('keeps end-to-end CRC off above a switch that cannot stand it', () => {
    const { chip, rig } = boot((machine) => {
      machine.functions.set(0x100, configSpace('pmc', { port: 'upstream', vendorId: 0x11f8, deviceId: 0x8546 }));
    });
    rig.reset(0, 4);
    expect(chip.functions.get(0)!.read(0x118, 4) & 0x140).toBe(0);
  });

  it('sets the write scope for the card right below the PHB', () => {
    const bit14 = 0x0002_0000_0000_0000n;
    const scope = (deviceId: number): bigint =>
      boot((machine) => machine.functions.set(0x100, configSpace('card', { deviceId }))).chip.get('nest.MODE_CONTROL');
    expect([scope(0x1003), scope(0x1004)]).toEqual([bit14, 0n]);
  });
});

describe('re-initialisation of a device', () => {
  it('needs a device that was found and the one scope there is', () => {
    const { chip, rig } = boot((machine) => machine.functions.set(0x100, configSpace('card', {})));
    chip.functions.get(0x100)!.write(0x50, 2, 0);
    expect(rig.run(rig.opal.pciReinit(0, 0x100))).toBe(0);
    expect(chip.functions.get(0x100)!.read(0x50, 2) & 0xff).toBe(0x4e);
    expect(rig.run(rig.opal.pciReinit(0, 0x108))).toBe(-1);
    expect(rig.run(rig.opal.pciReinit(0, 0x100, 1))).toBe(-1);
    expect(rig.run(rig.opal.pciReinit(3, 0x100))).toBe(-1);
  });
});
