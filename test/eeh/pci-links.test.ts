/**
 * What the kernel does about links and messages, access by access: reports, power, waits after a reset, vectors.
 * Facts: eeh-linux 7.4.
 */
import { describe, expect, it } from 'vitest';
import { EINVAL, ENOSPC, ENOTTY } from '../../src/eeh/errno.js';
import { LinkPower } from '../../src/eeh/pci/aspm.js';
import { PciBusReset } from '../../src/eeh/pci/bus-reset.js';
import type { HotplugSlot } from '../../src/eeh/pci/device.js';
import { LinkReport } from '../../src/eeh/pci/link-report.js';
import { PciMessages } from '../../src/eeh/pci/messages.js';
import type { PeSetup } from '../../src/eeh/powernv/pe-setup.js';
import { CAP, COMMAND, type Found, PciDesk } from './pci-desk.js';

const DEVCAP = CAP + 0x04;
const LNKCAP = CAP + 0x0c;
const LNKCTL = CAP + 0x10;
const LNKSTA = CAP + 0x12;
const LNKCAP2 = CAP + 0x2c;

describe('the report of a link that trained lower', () => {
  /** Speed and width of root port and card, and what the card could do. */
  function report(card: { status: number; cap: number; cap2?: number }, port: number, found: Found = {}): string[] {
    const desk = new PciDesk();
    const pair = desk.pair({ port: 'rootPort' }, found);
    desk.set(pair.card, LNKSTA, card.status);
    desk.set(pair.card, LNKCAP, card.cap);
    desk.set(pair.card, LNKCAP2, card.cap2 ?? 0);
    desk.set(pair.port, LNKSTA, port);
    desk.run(new LinkReport(desk.context, desk.express).downtraining(pair.card));
    return desk.log;
  }

  it('tells what there is, where the narrowest link is, and what could be', () => {
    expect(report({ status: 0x041, cap: 0x083, cap2: 0x0e }, 0x041)).toEqual([
      'pci 0000:01:00.0: 8.000 Gb/s available PCIe bandwidth, limited by 2.5 GT/s PCIe x4 link at 0000:00:00.0 ' +
        '(capable of 63.008 Gb/s with 8.0 GT/s PCIe x8 link)',
    ]);
  });

  it('takes the speed from the older register where the vector is empty', () => {
    expect(report({ status: 0x041, cap: 0x082 }, 0x041)[0]).toContain(
      'capable of 32.000 Gb/s with 5.0 GT/s PCIe x8 link',
    );
  });

  it('is missing where the link is as good as it can be, or better', () => {
    expect(report({ status: 0x083, cap: 0x083, cap2: 0x0e }, 0x083)).toEqual([]);
    expect(report({ status: 0x083, cap: 0x042, cap2: 0x06 }, 0x083)).toEqual([]);
  });

  it('looks at every link on the way, and calls one of unknown speed so', () => {
    expect(report({ status: 0x083, cap: 0x083, cap2: 0x0e }, 0x012)[0]).toContain(
      '4.000 Gb/s available PCIe bandwidth, limited by 5.0 GT/s PCIe x1 link at 0000:00:00.0',
    );
    expect(report({ status: 0x088, cap: 0x083, cap2: 0x0e }, 0x083)[0]).toContain(
      '0.000 Gb/s available PCIe bandwidth, limited by Unknown x8',
    );
  });

  it('is made for the first function of endpoints and upstream ports only', () => {
    const low = { status: 0x041, cap: 0x083, cap2: 0x0e };
    expect(report(low, 0x041, { port: 'upstream' })).toHaveLength(1);
    expect(report(low, 0x041, { port: 'downstream' })).toEqual([]);
    expect(report(low, 0x041, { port: 'rootPort' })).toEqual([]);
    expect(report(low, 0x041, { devfn: 1 })).toEqual([]);
    expect(report(low, 0x041, { devfn: 8 })).toHaveLength(1);
  });
});

describe('the link power of a port', () => {
  const ROLE_BASED = 0x8000;
  const ASPM = 0x0c00;
  const CLOCK = 0x40;
  const SLOT_CLOCK = 0x1000;

  interface Link {
    readonly devcap?: number;
    readonly caps?: readonly [port: number, card: number];
    readonly clocks?: readonly [port: number, card: number];
    readonly control?: readonly [port: number, card: number];
  }

  function setUp({
    devcap = ROLE_BASED,
    caps = [ASPM, ASPM],
    clocks = [SLOT_CLOCK, SLOT_CLOCK],
    control = [0, 0],
  }: Link) {
    const desk = new PciDesk();
    const { port, card } = desk.pair({ port: 'rootPort' });
    desk.set(card, DEVCAP, devcap);
    for (const [index, device] of [port, card].entries()) {
      desk.set(device, LNKCAP, caps[index]!);
      desk.set(device, LNKSTA, clocks[index]!);
      desk.store(device, LNKCTL, control[index]!);
    }
    desk.run(new LinkPower(desk.context, desk.express).setUp(port));
    return { desk, port };
  }

  it('is left alone where an end cannot save any, and all states count as on', () => {
    const { desk, port } = setUp({ caps: [ASPM, 0] });
    expect([desk.writes(), port.linkState]).toEqual([[], { aspmEnabled: 0x7f }]);
  });

  it('gets the common clock where both have that of the slot: the card first, then the port, then it trains', () => {
    const { desk, port } = setUp({ control: [3, 3] });
    expect(desk.writes()).toEqual(['100 W 50/2=43', '0 W 50/2=43', '0 W 50/2=63']);
    expect(desk.waits).toEqual([]);
    // Capabilities are doublewords; at the end the ways to the host are asked how long they take to wake.
    expect(desk.accesses[0]).toBe('100 R 44/4');
    expect(desk.accesses.slice(-7)).toEqual([
      ...['0 R 4c/4', '100 R 4c/4', '0 R 50/2', '100 R 50/2', '0 R 4c/4', '100 R 4c/4', '100 R 4c/4'],
    ]);
    expect(port.linkState).toEqual({ aspmEnabled: 0 });
  });

  it.each([
    ['the port', [0, SLOT_CLOCK]],
    ['the card', [SLOT_CLOCK, 0]],
  ] as const)('loses the common clock where %s does not run on that of the slot', (_, clocks) => {
    const { desk } = setUp({ clocks, control: [CLOCK, CLOCK] });
    expect(desk.writes()).toEqual(['100 W 50/2=0', '0 W 50/2=0', '0 W 50/2=20']);
  });

  it('is not trained anew where both have the common clock already', () => {
    expect(setUp({ control: [CLOCK, CLOCK] }).desk.writes()).toEqual([]);
    expect(setUp({ control: [CLOCK, 0] }).desk.writes()).toHaveLength(3);
    expect(setUp({ control: [0, CLOCK] }).desk.writes()).toHaveLength(3);
  });

  it('is switched off at both ends where the card is too old, and the log says so', () => {
    const { desk, port } = setUp({ devcap: 0, control: [0x43, 0x43] });
    expect(desk.writes()).toEqual(['100 W 50/2=40', '0 W 50/2=40']);
    expect(desk.log).toEqual([
      "pci 0000:01:00.0: disabling ASPM on pre-1.1 PCIe device.  You can enable it with 'pcie_aspm=force'",
    ]);
    expect(port.linkState).toEqual({ aspmEnabled: 0 });
  });

  it('waits a second for training to end, and goes on without', () => {
    const desk = new PciDesk();
    const { port, card } = desk.pair({ port: 'rootPort' });
    desk.set(card, DEVCAP, ROLE_BASED);
    desk.set(card, LNKSTA, SLOT_CLOCK);
    desk.set(port, LNKSTA, SLOT_CLOCK | 0x800);
    for (const device of [port, card]) desk.set(device, LNKCAP, ASPM);
    desk.run(new LinkPower(desk.context, desk.express).setUp(port));
    // Before and after.
    expect(desk.waits).toEqual(new Array(2 * 1001).fill(1));
  });

  it('is set up once, for a port with a card, and for no other device', () => {
    const { desk, port } = setUp({});
    desk.accesses.length = 0;
    desk.run(new LinkPower(desk.context, desk.express).setUp(port));
    expect(desk.accesses).toEqual([]);
    const upstream = desk.device(desk.root, { port: 'upstream', devfn: 8 });
    desk.run(new LinkPower(desk.context, desk.express).setUp(upstream));
    const empty = desk.device(desk.root, { port: 'rootPort', devfn: 16 });
    desk.run(new LinkPower(desk.context, desk.express).setUp(empty));
    expect([desk.accesses, upstream.linkState, empty.linkState]).toEqual([[], undefined, undefined]);
  });
});

describe('the wait after the reset of a bus', () => {
  const LINK_UP = 0x2000;
  interface Below {
    readonly port?: Found;
    readonly manages?: 'yes' | 'no';
    readonly reports?: 'yes' | 'no';
    readonly cap?: number;
    readonly cap2?: number;
    readonly status?: readonly number[];
    readonly command?: readonly number[];
    readonly slot?: HotplugSlot;
  }

  function waited(below: Below): { rc: number; waits: number[]; log: string[] } {
    const { manages = 'yes', reports = 'yes', cap = 3, cap2 = 0, status = [LINK_UP], command = [6] } = below;
    const desk = new PciDesk();
    const { port, card, bus } = desk.pair(below.port ?? { port: 'rootPort' });
    if (below.slot !== undefined) Object.assign(bus, { slot: below.slot });
    if (manages === 'yes') card.capabilities.powerManagement = 0x60;
    port.capabilities.linkReporting = reports;
    desk.set(port, LNKCAP, cap);
    desk.set(port, LNKCAP2, cap2);
    desk.set(port, LNKSTA, ...status);
    desk.set(card, COMMAND, ...command);
    const rc = desk.run(
      new PciBusReset(desk.context, desk.config).errorReset(port, function* () {
        desk.waits.push(-1);
      }),
    );
    return { rc, waits: desk.waits, log: desk.log };
  }

  it('is for a fast link to come up, and then 100 ms', () => {
    expect(waited({})).toEqual({ rc: 0, waits: [-1, 20, 100], log: [] });
    expect(waited({ status: [0, 0, LINK_UP] }).waits).toEqual([-1, 20, 10, 10, 100]);
    expect(waited({ cap: 2, cap2: 0x0e }).waits).toEqual([-1, 20, 100]);
  });

  it('gives up on a fast link after a second, and says so', () => {
    const { rc, waits, log } = waited({ status: [0] });
    expect([rc, waits.length, waits.slice(0, 3)]).toEqual([ENOTTY, 102, [-1, 20, 10]]);
    expect(log).toEqual(['pci 0000:00:00.0: Data Link Layer Link Active not set in 1000 msec']);
  });

  it('is 100 ms for a link of 5 GT/s and less, by the vector or else by the older register', () => {
    for (const slow of [{ cap: 1 }, { cap: 2 }, { cap: 3, cap2: 0x02 }, { cap: 3, cap2: 0x06 }]) {
      expect(waited({ ...slow, status: [0] }).waits).toEqual([-1, 100]);
    }
    expect(waited({ cap: 0 }).waits).toEqual([-1, 20, 100]);
  });

  it('is 1.1 s for a fast port that cannot tell', () => {
    expect(waited({ reports: 'no', status: [0] })).toEqual({ rc: 0, waits: [-1, 1100], log: [] });
  });

  it('is none without power management below, nor below an upstream port', () => {
    expect(waited({ manages: 'no', status: [0] }).waits).toEqual([-1]);
    expect(waited({ port: { port: 'upstream' }, status: [0] }).waits).toEqual([-1]);
  });

  it('is for the bridge itself in older kernels, and there is none without a bus below', () => {
    const desk = new PciDesk();
    const { port } = desk.pair();
    desk.set(port, COMMAND, 0xffff_ffff, 6);
    const context = { ...desk.context, quirks: { busResetWait: 'for-bridge' } } as typeof desk.context;
    const reset = new PciBusReset(context, desk.config);
    expect(desk.run(reset.errorReset(port, function* () {}))).toBe(0);
    expect([desk.accesses, desk.waits]).toEqual([['0 R 4/4', '0 R 4/4'], [1]]);
    port.subordinate = undefined;
    expect(desk.run(reset.errorReset(port, function* () {}))).toBe(ENOTTY);
    expect(desk.accesses).toHaveLength(2);
  });

  it('of a hotplug slot is waited out as well, and how it ended is of no concern', () => {
    const slot = { id: 1n, name: 'S1', attention: 'off' } as const;
    const failed = waited({ status: [0] });
    const ignored = waited({ status: [0], slot });
    expect([failed.rc, ignored.rc]).toEqual([ENOTTY, 0]);
    expect([ignored.waits, ignored.log]).toEqual([failed.waits, failed.log]);
  });

  it('doubles while the card does not answer, and is worth a line from two seconds on', () => {
    const ones = 0xffff_ffff;
    const quick = waited({ command: [ones, ones, 6] });
    expect([quick.rc, quick.waits.slice(3), quick.log]).toEqual([0, [1, 2], []]);
    const slow = waited({ command: [...new Array<number>(11).fill(ones), 6] });
    expect([slow.rc, slow.waits.at(-1), slow.log]).toEqual([
      0,
      1024,
      ['pci 0000:01:00.0: not ready 1023ms after bus reset; waiting', 'pci 0000:01:00.0: ready 2047ms after bus reset'],
    ]);
    const never = waited({ command: [ones] });
    expect([never.rc, never.waits.at(-1), never.log.at(-1)]).toEqual([
      ENOTTY,
      32_768,
      'pci 0000:01:00.0: not ready 65535ms after bus reset; giving up',
    ]);
    expect(never.log).toHaveLength(7);
  });
});

describe('the messages of a device', () => {
  const MSIX = 0x70;
  const MSI = 0x60;

  /** A card whose PE has entry `mve`; its MSI-X capability has three vectors. */
  function messages(mve: number | 'refused' = 7) {
    const desk = new PciDesk({ msiRange: { first: 0x800, count: 64 } } as never);
    const { card } = desk.pair();
    const peSetup = { peOf: () => ({ number: 5, mve: mve === 'refused' ? undefined : mve }) } as unknown as PeSetup;
    desk.store(card, MSIX + 2, 2);
    return { desk, card, made: new PciMessages(desk.context, desk.config, peSetup) };
  }

  it('by MSI-X are masked while they are set up, as many as are wanted and there', () => {
    const { desk, card, made } = messages();
    card.capabilities.msix = MSIX;
    expect(desk.run(made.enable(card, 2))).toBe(2);
    expect(desk.writes()).toEqual(['100 W 72/2=c002', '100 W 4/2=400', '100 W 72/2=8002']);
    expect(desk.accesses).toEqual([
      ...['100 R 72/2', '100 R 72/2', '100 W 72/2=c002', '100 R 72/2', '100 R 74/4', '100 R 72/2'],
      ...['100 R 4/2', '100 W 4/2=400', '100 R 72/2', '100 W 72/2=8002'],
    ]);
    expect(made.vectors(card).map(({ number, irq }) => [number, irq])).toEqual([
      [0, 0x800],
      [1, 0x801],
    ]);
    expect(desk.calls).toEqual([
      'SET_XIVE_PE(0,5,0)',
      'GET_MSI_64(0,7,0,1)',
      'SET_XIVE_PE(0,5,1)',
      'GET_MSI_64(0,7,1,1)',
    ]);
    expect(card.interrupt).toBe('message');
  });

  it('by MSI-X are three at most where the capability has three', () => {
    const { desk, card, made } = messages();
    card.capabilities.msix = MSIX;
    expect(desk.run(made.enable(card, 9))).toBe(3);
  });

  it('go back with their numbers, and the wire is allowed again', () => {
    const { desk, card, made } = messages();
    card.capabilities.msix = MSIX;
    desk.run(made.enable(card, 3));
    const other = desk.device(card.bus, { devfn: 8 });
    other.capabilities.msix = MSIX;
    desk.store(other, MSIX + 2, 0);
    expect(desk.run(made.enable(other, 1))).toBe(1);
    expect(made.vectors(other)[0]!.irq).toBe(0x803);
    desk.accesses.length = 0;
    desk.run(made.disable(card));
    expect(desk.writes()).toEqual(['100 W 72/2=2', '100 W 4/2=0']);
    expect([card.interrupt, made.vectors(card)]).toEqual(['none', []]);
    desk.accesses.length = 0;
    desk.run(made.disable(card));
    expect(desk.accesses).toEqual([]);
    desk.run(made.enable(card, 1));
    expect(made.vectors(card)[0]!.irq).toBe(0x800);
  });

  it('by MSI get one message, its address in two halves', () => {
    const { desk, card, made } = messages();
    card.capabilities.msi = MSI;
    desk.store(card, MSI + 2, 0xf1);
    expect(desk.run(made.enableSingle(card))).toBe(0);
    expect(desk.writes()).toEqual([
      ...['100 W 62/2=f0', '100 W 62/2=80', '100 W 64/4=ffff0010', '100 W 68/4=90050000', '100 W 6c/2=0'],
      ...['100 W 4/2=400', '100 W 62/2=81'],
    ]);
  });

  it('have no address where firmware gave the PE no entry', () => {
    const { desk, card, made } = messages('refused');
    card.capabilities.msi = MSI;
    expect(desk.run(made.enableSingle(card))).toBe(0);
    expect([desk.calls, made.vectors(card)[0]!.irq]).toEqual([[], 0x800]);
  });

  it('are not to be had without a capability', () => {
    const { desk, card, made } = messages();
    expect([desk.run(made.enable(card, 1)), desk.run(made.enableSingle(card))]).toEqual([ENOSPC, EINVAL]);
    expect([desk.accesses, desk.calls, card.interrupt]).toEqual([[], [], 'none']);
  });

  it('are switched on and then routed, or routed first where the kernel spreads them itself', () => {
    const requested = (affinity: 'plain' | 'managed') => {
      const { desk, card, made } = messages();
      card.capabilities.msix = MSIX;
      desk.run(made.enable(card, 1));
      desk.calls.length = 0;
      desk.run(made.request(made.vectors(card)[0]!, affinity));
      return desk.calls;
    };
    const route = ['GET_XIVE(800)', 'SET_XIVE(800,12,255)', 'SET_XIVE_PE(0,5,0)', 'GET_MSI_64(0,7,0,1)'];
    expect(requested('plain')).toEqual(['SET_XIVE(800,12,5)', ...route]);
    expect(requested('managed')).toEqual([...route, 'SET_XIVE(800,12,5)']);
  });
});
