import { describe, expect, it } from 'vitest';
import { OpalStatus, ResetScope, slotId } from '../../src/opal/opal-api.js';
import type { ConfigSpace } from '../../src/pcie/config-space.js';
import {
  AIB_FENCED,
  configSpace,
  FirmwareRig,
  FlatChip,
  type FunctionSpec,
  LINK_ACTIVE,
  LINK_DOWN,
} from './flat-chip.js';

const { PCI_HOT, PCI_FUNDAMENTAL, PHB_COMPLETE, PHB_ERROR, PCI_LINK, PCI_IODA_TABLE } = ResetScope;
const NOBODY_THERE = 0x0030_0000_0000_0000n;
const ENDPOINT = 0x100;

function withCard(): FirmwareRig {
  const chip = new FlatChip();
  chip.functions.set(ENDPOINT, configSpace('card', {}));
  return FirmwareRig.booted(chip);
}

const times = (count: number, value: number): number[] => new Array<number>(count).fill(value);
const identity = (rig: FirmwareRig) => rig.run(rig.opal.pciConfigRead(0, ENDPOINT, 0, 4));

describe('the slot of a PHB', () => {
  it('finishes at once when it is empty', () => {
    const rig = withCard();
    rig.chip.answer('PHB_HOTPLUG_OVERRIDE', NOBODY_THERE);
    expect(rig.run(rig.opal.pciGetPresenceState(0))).toEqual({ rc: 0, state: 0 });
    expect(rig.reset(0, PCI_HOT)).toEqual([0]);
    expect(rig.reset(0, PCI_FUNDAMENTAL)).toEqual([0]);
    rig.chip.answer('PHB_HOTPLUG_OVERRIDE', 0x0020_0000_0000_0000n);
    expect(rig.run(rig.opal.pciGetPresenceState(0)).state).toBe(1);
  });

  it('blocks configuration below the root port from the reset until the link is back', () => {
    const rig = withCard();
    expect(identity(rig).value).toBe(0x1003_15b3);
    rig.run(rig.opal.pciReset(0, PCI_HOT, 1));
    expect(identity(rig)).toEqual({ rc: OpalStatus.HARDWARE, value: 0xffff_ffff });
    expect(rig.run(rig.opal.pciConfigRead(0, 0, 0, 4)).value).toBe(0x03dc_1014);
    for (const wait of [1000, 1000, 100, 100]) {
      rig.sleep(wait);
      rig.run(rig.opal.pciPoll(0));
    }
    expect(identity(rig).value).toBe(0x1003_15b3);
  });

  it('does nothing when polled too early, and tells what is left', () => {
    const rig = withCard();
    rig.run(rig.opal.pciReset(0, PCI_HOT, 1));
    rig.sleep(0.5);
    expect(rig.run(rig.opal.pciPoll(0))).toBe(999);
    rig.sleep(999);
    expect(rig.run(rig.opal.pciPoll(0))).toBe(1);
    expect(rig.chip.functions.get(0)!.read(0x3e, 2) & 0x40).toBe(0x40);
    rig.sleep(0.5);
    expect(rig.run(rig.opal.pciPoll(0))).toBe(1000);
    expect(rig.chip.functions.get(0)!.read(0x3e, 2) & 0x40).toBe(0);
  });

  it('is an error to poll while idle, and to reset while busy; then it is idle', () => {
    const rig = withCard();
    expect(rig.run(rig.opal.pciPoll(0))).toBe(OpalStatus.HARDWARE);
    rig.run(rig.opal.pciReset(0, PCI_HOT, 1));
    expect(rig.run(rig.opal.pciReset(0, PCI_FUNDAMENTAL, 1))).toBe(OpalStatus.HARDWARE);
    // The delay of the reset that was broken off is still told.
    expect(rig.run(rig.opal.pciPoll(0))).toBe(1000);
    rig.sleep(1000);
    expect(rig.run(rig.opal.pciPoll(0))).toBe(OpalStatus.HARDWARE);
    rig.run(rig.opal.pciReset(0, PCI_FUNDAMENTAL, 1));
    expect(rig.run(rig.opal.pciReset(0, PCI_HOT, 1))).toBe(OpalStatus.HARDWARE);
    rig.run(rig.opal.pciReset(0, PCI_HOT, 1));
    expect(rig.run(rig.opal.pciReset(0, PHB_COMPLETE, 1))).toBe(OpalStatus.HARDWARE);
    expect(rig.chip.log.filter((line) => line.includes('Unexpected slot state'))).toHaveLength(3);
    expect(rig.chip.log).toContainEqual(
      expect.stringContaining('SLOT-0000000000000000: Error -6 on fundamental reset'),
    );
  });

  it('calls a hot reset whose link stays away a success after 21 polls, and keeps configuration blocked', () => {
    const rig = withCard();
    rig.chip.answer('PHB_PCIE_DLP_TRAIN_CTL', LINK_DOWN);
    expect(rig.reset(0, PCI_HOT)).toEqual([1000, 1000, ...times(21, 100), 0]);
    expect(identity(rig).rc).toBe(OpalStatus.HARDWARE);
  });

  it('tries a fundamental reset twice, the second time from PERST on', () => {
    const rig = withCard();
    rig.chip.answer('PHB_PCIE_DLP_TRAIN_CTL', LINK_DOWN);
    const once = [1000, 1000, ...times(21, 100)];
    expect(rig.reset(0, PCI_FUNDAMENTAL)).toEqual([...once, ...once, 0]);
  });

  it('has its retry left for a later hot reset when a fundamental reset succeeded', () => {
    const rig = withCard();
    expect(rig.reset(0, PCI_FUNDAMENTAL)).toEqual([1000, 1000, 100, 100, 0]);
    rig.chip.answer('PHB_PCIE_DLP_TRAIN_CTL', 0x0000_1000_0000_0000n);
    const withElectrical = [1000, 1000, 100, ...times(21, 100)];
    expect(rig.reset(0, PCI_HOT)).toEqual([...withElectrical, ...withElectrical, 0]);
    expect(rig.reset(0, PCI_HOT)).toEqual([...withElectrical, 0]);
  });

  it('waits for transactions before a complete reset goes on, at most 500 times, and may be polled on', () => {
    const rig = withCard();
    rig.chip.answer('nest.CQ_STATUS', 1n << 63n);
    const returns = rig.reset(0, PHB_COMPLETE);
    expect(returns).toEqual([10, ...times(500, 10), OpalStatus.HARDWARE]);
    rig.chip.answer('nest.CQ_STATUS', 0n);
    expect(rig.run(rig.opal.pciPoll(0))).toBe(100);
  });

  it('lifts a fence by a complete reset, and only by that', () => {
    const rig = withCard();
    rig.chip.set('nest.NFIR', AIB_FENCED);
    rig.run(rig.opal.pciEehFreezeStatus(0, 0));
    expect(identity(rig).rc).toBe(OpalStatus.HARDWARE);
    expect(rig.reset(0, PHB_COMPLETE)).toEqual([10, 100, 100, 1000, 1000, 100, 100, 0]);
    expect(rig.chip.written('nest.NFIR_OR')).toEqual([]);
    expect(identity(rig).rc).toBe(OpalStatus.SUCCESS);
  });

  it('keeps mappings over a complete reset, and loses them with the tables', () => {
    const rig = withCard();
    const match = { bus: 7, device: 0, function: 0 };
    rig.run(rig.opal.pciSetPe(0, { pe: 5, rid: ENDPOINT, match, action: 1 }));
    rig.run(rig.opal.pciMapPeMmioWindow(0, { pe: 5, type: 1, window: 0, segment: 3 }));
    rig.reset(0, PHB_COMPLETE);
    const rtt = rig.opal.deviceTree()[0]!.tables!.rtt.address;
    expect(rig.chip.memory.read16(rtt + 2 * ENDPOINT)).toBe(5);
    expect(rig.chip.entry('M32DT', 3)).toBe(5n << 48n);
    expect(rig.reset(0, PCI_IODA_TABLE)).toEqual([0]);
    expect(rig.chip.memory.read16(rtt + 2 * ENDPOINT)).toBe(255);
    expect(rig.chip.entry('M32DT', 3)).toBe(0n);
  });

  it('knows which resets it has', () => {
    const { opal, ...rig } = withCard();
    const run = FirmwareRig.prototype.run.bind(rig);
    expect(run(opal.pciReset(7, PCI_HOT, 1))).toBe(OpalStatus.PARAMETER);
    expect(run(opal.pciReset(0, PCI_HOT, 2))).toBe(OpalStatus.PARAMETER);
    for (const scope of [PCI_LINK, 7]) expect(run(opal.pciReset(0, scope, 1))).toBe(OpalStatus.UNSUPPORTED);
    for (const scope of [PHB_COMPLETE, PHB_ERROR, PCI_HOT, PCI_FUNDAMENTAL]) {
      expect(run(opal.pciReset(0, scope, 0))).toBe(OpalStatus.SUCCESS);
    }
    expect(run(opal.pciGetPowerState(0)).rc).toBe(OpalStatus.UNSUPPORTED);
    expect(run(opal.pciGetPowerState(9)).rc).toBe(OpalStatus.PARAMETER);
    expect(run(opal.pciGetPresenceState(9)).rc).toBe(OpalStatus.PARAMETER);
  });

  it('passes over a device that does not come back from a reset, and says nothing of it', () => {
    const rig = withCard();
    rig.chip.functions.delete(ENDPOINT);
    const before = rig.chip.log.length;
    expect(rig.reset(0, PCI_HOT).at(-1)).toBe(0);
    expect(rig.chip.log.slice(before)).toEqual([]);
  });
});

/** Root port, switch (bus 1 up, bus 2 down), card on bus 3. */
function withSwitch(port: FunctionSpec['options'] = []): { rig: FirmwareRig; down: ConfigSpace } {
  const chip = new FlatChip();
  chip.functions.set(0x100, configSpace('up', { port: 'upstream' }));
  const down = configSpace('down', { port: 'downstream', options: port ?? [] });
  chip.functions.set(0x200, down);
  chip.functions.set(0x300, configSpace('card', {}));
  if (port?.includes('dll-active-reporting')) down.set('LNKSTA', 0x2000);
  if (port?.includes('slot')) down.set('SLTSTA', 0x0040);
  return { rig: FirmwareRig.booted(chip), down };
}

describe('the slot of a switch port', () => {
  const slot = slotId(0, 0x200);

  it('has its link waited for once, however many functions its card has', () => {
    const secondsOfReset = (functions: readonly number[]): number => {
      const { rig } = withSwitch();
      for (const bdfn of functions) rig.chip.functions.set(bdfn, configSpace('card', { multifunction: true }));
      rig.boot();
      const { sim } = rig.chip;
      const before = sim.now;
      rig.reset(0, PHB_COMPLETE);
      return Math.floor((sim.now - before) / 1e9);
    };
    expect(secondsOfReset([0x300, 0x301, 0x302])).toBe(secondsOfReset([0x300]));
  });

  it('is reset hot by the port, and waits a second where the link cannot tell', () => {
    const { rig, down } = withSwitch();
    expect(rig.run(rig.opal.pciReset(slot, PCI_HOT, 1))).toBe(250);
    expect(down.read(0x3e, 2) & 0x40).toBe(0x40);
    expect(down.read(0x108, 4) & 0x20).toBe(0x20);
    expect(down.read(0x114, 4) & 1).toBe(1);
    rig.sleep(250);
    expect(rig.run(rig.opal.pciPoll(slot))).toBe(1800);
    expect(down.read(0x3e, 2) & 0x40).toBe(0);
    rig.sleep(1800);
    expect(rig.run(rig.opal.pciPoll(slot))).toBe(1000);
    rig.sleep(1000);
    expect(rig.run(rig.opal.pciPoll(slot))).toBe(0);
    expect(down.read(0x114, 4) & 1).toBe(0);
    expect(down.read(0x108, 4) & 0x20).toBe(0);
  });

  it('polls a link that can tell every 20 ms, and gives up after 251 polls without an error', () => {
    const { rig, down } = withSwitch(['dll-active-reporting']);
    expect(rig.reset(slot, PCI_HOT)).toEqual([250, 1800, 20, 0]);
    down.set('LNKSTA', 0);
    expect(rig.reset(slot, PCI_HOT)).toEqual([250, 1800, 20, ...times(250, 20), 0]);
    expect(rig.chip.log).toContain('PCIE-SLOT-8000000002000000 LINK: Timeout waiting for up (0000)');
  });

  it('is done when nothing is in it', () => {
    const { rig, down } = withSwitch(['slot']);
    down.set('SLTSTA', 0);
    expect(rig.run(rig.opal.pciGetPresenceState(slot))).toEqual({ rc: 0, state: 0 });
    expect(rig.reset(slot, PCI_HOT)).toEqual([250, 1800, 0]);
    expect(rig.reset(slot, PCI_FUNDAMENTAL)).toEqual([50, 50, 0]);
  });

  it('leaves surprise down alone where a card may leave at any time', () => {
    const { rig, down } = withSwitch(['slot', 'hot-plug-surprise']);
    const [node] = rig.opal.deviceTree();
    expect(node?.slots.find((s) => s.bridge === 0x200)).toMatchObject({
      ...{ id: slot, label: 'S000003', reset: 'by-firmware', hotplug: 'registered' },
      ...{ surprisePluggable: true, brokenPdc: false },
    });
    expect(down.read(0x108, 4)).toBe(0x20);
    rig.reset(slot, PCI_HOT);
    expect(down.read(0x108, 4)).toBe(0x20);
  });

  it('has no complete reset, no retries when polled idle or reset twice', () => {
    const { rig } = withSwitch();
    expect(rig.run(rig.opal.pciReset(slot, PHB_COMPLETE, 1))).toBe(OpalStatus.UNSUPPORTED);
    expect(rig.run(rig.opal.pciPoll(slot))).toBe(OpalStatus.HARDWARE);
    rig.run(rig.opal.pciReset(slot, PCI_HOT, 1));
    expect(rig.run(rig.opal.pciReset(slot, PCI_FUNDAMENTAL, 1))).toBe(OpalStatus.HARDWARE);
    rig.run(rig.opal.pciReset(slot, PCI_FUNDAMENTAL, 1));
    expect(rig.run(rig.opal.pciReset(slot, PCI_HOT, 1))).toBe(OpalStatus.HARDWARE);
  });

  it('cycles the power of a slot that has a switch for it', () => {
    const chip = new FlatChip();
    chip.functions.set(0x100, configSpace('up', { port: 'upstream' }));
    const down = configSpace('down', { port: 'downstream', options: ['slot'] });
    down.set('SLTCAP', 0x02);
    down.set('SLTSTA', 0x0040);
    chip.functions.set(0x200, down);
    const rig = FirmwareRig.booted(chip);
    rig.run(rig.opal.pciReset(slot, PCI_FUNDAMENTAL, 1));
    expect(down.read(0x60, 2)).toBe(0x0700);
    expect(rig.run(rig.opal.pciGetPowerState(slot))).toEqual({ rc: 0, state: 0 });
    rig.sleep(50);
    rig.run(rig.opal.pciPoll(slot));
    expect(down.read(0x60, 2)).toBe(0x0100);
    expect(rig.run(rig.opal.pciGetPowerState(slot))).toEqual({ rc: 0, state: 1 });
  });

  it('is restored as part of the PHB too, link first', () => {
    const { rig, down } = withSwitch(['dll-active-reporting']);
    const before = rig.chip.sim.now;
    expect(rig.reset(0, PCI_HOT).at(-1)).toBe(0);
    // 2200 ms of the reset, 100 ms for the settled link below the switch.
    expect((rig.chip.sim.now - before) / 1e6).toBe(2300);
    down.set('LNKSTA', 0);
    rig.reset(0, PCI_HOT);
    expect(rig.chip.log).toContainEqual(expect.stringContaining('timeout waiting for the link'));
  });

  it("of the root port shares the handling of the PHB's link", () => {
    const rig = withCard();
    const root = slotId(0, 0);
    rig.chip.answer('PHB_PCIE_DLP_TRAIN_CTL', LINK_ACTIVE);
    expect(rig.reset(root, PCI_HOT)).toEqual([250, 1800, 1000, 0]);
    expect(rig.chip.written('UTL_PCIE_PORT_IRQ_EN')).toEqual([0xad42_8000_0000_0000n, 0xad52_8000_0000_0000n]);
  });
});
