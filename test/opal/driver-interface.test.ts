/** A bridge that is no PHB3: what firmware does with a driver that has little more than configuration cycles. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { HubNode, PhbNode } from '../../src/opal/device-tree.js';
import { firmwareProfile } from '../../src/opal/firmware-profile.js';
import { Opal } from '../../src/opal/opal.js';
import { DYNAMIC_EVENTS, OpalEvent, OpalStatus, slotId } from '../../src/opal/opal-api.js';
import type { DiagResult, Routing, Xive } from '../../src/opal/opal-results.js';
import { allOnes, type ConfigReadResult, type ConfigTarget } from '../../src/opal/pci-config.js';
import type { PciDevice } from '../../src/opal/pci-device.js';
import type { BusChoice, BusRange } from '../../src/opal/pci-host.js';
import type { HubDriver, InterruptSource, PhbDriver } from '../../src/opal/phb-driver.js';
import { scanPhb } from '../../src/opal/scan.js';
import { Slot } from '../../src/opal/slot.js';
import type { ConfigSpace } from '../../src/pcie/config-space.js';
import { Mutex } from '../../src/sim/mutex.js';
import { type Process, wait } from '../../src/sim/process.js';
import { configSpace, FlatChip } from './flat-chip.js';

const { SUCCESS, PARAMETER, UNSUPPORTED, CLOSED, HARDWARE } = OpalStatus;
const ID = 6;
const IRQ = 0x4_0400;
const HUB_IRQ = 0x4_0100;

class BareSlot extends Slot {
  protected override *pollLink() {
    return SUCCESS;
  }
}

class Lines implements InterruptSource {
  readonly firmwareOwned: readonly number[];
  fired: number[] = [];
  constructor(readonly irq: number) {
    this.firmwareOwned = [irq];
  }
  owns(irq: number): boolean {
    return irq === this.irq;
  }
  *setXive(_irq: number, { priority }: Routing) {
    return priority === 5 ? SUCCESS : HARDWARE;
  }
  getXive(): Xive {
    return { rc: SUCCESS, server: 4, priority: 5 };
  }
  *interrupt(irq: number) {
    this.fired.push(irq);
  }
}

class BareDriver implements PhbDriver {
  readonly id = ID;
  readonly profile = firmwareProfile();
  readonly lock: Mutex;
  readonly portSlots = new Map<number, Slot>();
  readonly slot: Slot;
  readonly broken = false;
  readonly interrupts = new Lines(IRQ);
  readonly diagDataBytes = 0;
  readonly publishedAs = this;
  readonly functions = new Map<number, ConfigSpace>();
  lastBus = 255;
  devices: readonly PciDevice[] = [];
  maxPayload: number | undefined;
  initialised: number[] = [];
  lines: string[] = [];

  constructor(readonly port: FlatChip) {
    this.lock = new Mutex(port.sim, 'bare');
    this.slot = new BareSlot(this);
  }

  log(line: string): void {
    this.lines.push(line);
  }
  node(): PhbNode {
    throw new Error('a bare bridge publishes nothing');
  }
  *configRead({ bdfn, offset, size }: ConfigTarget) {
    const value = this.functions.get(bdfn)?.read(offset, size);
    const result: ConfigReadResult = { rc: SUCCESS, value: value ?? allOnes(size) };
    return result;
  }
  *configWrite({ bdfn, offset, size }: ConfigTarget, value: number) {
    this.functions.get(bdfn)?.write(offset, size, value);
    return SUCCESS;
  }
  *rootLinkWidth() {
    return 8;
  }
  *initDevice({ bdfn }: PciDevice) {
    this.initialised.push(bdfn);
  }
  /** Buses of a bridge come in blocks of eight, as long as there are some. */
  chooseBus(_bridge: PciDevice, { first, last }: BusRange): BusChoice | undefined {
    if (first > this.lastBus) return undefined;
    return { secondary: first, subordinate: Math.min(first + 7, last), subordinateIs: 'fixed' };
  }
}

class Hub implements HubDriver {
  readonly id = 0x20;
  readonly interrupts = new Lines(HUB_IRQ);
  node(): HubNode {
    throw new Error('a bare hub publishes nothing');
  }
  *diagData(length: number) {
    const result: DiagResult =
      length < 128 ? { rc: PARAMETER, data: new Uint8Array(0) } : { rc: CLOSED, data: new Uint8Array(0) };
    return result;
  }
}

class Firmware extends Opal {
  constructor(readonly chip: FlatChip) {
    super(chip, { heapBase: 0x10_0000, phbs: [], log: (line) => chip.log.push(line) });
  }
  attach(driver: PhbDriver, hub: HubDriver): void {
    this.platform.add(driver);
    this.platform.hubs.set(hub.id, hub);
  }
}

function rig() {
  const chip = new FlatChip();
  const firmware = new Firmware(chip);
  const driver = new BareDriver(chip);
  const hub = new Hub();
  firmware.attach(driver, hub);
  const run = <T>(call: Process<T>): T => chip.sim.complete('call', call);
  return { chip, firmware, driver, hub, run };
}

describe('a call on a bridge whose driver lacks it', () => {
  it('is unsupported, and on a bridge that is not there a bad parameter', () => {
    const { firmware: opal, run } = rig();
    const calls = (id: number) => [
      opal.pciSetPe(id, { pe: 0, rid: 0, match: { bus: 7, device: 1, function: 1 }, action: 1 }),
      opal.pciSetPeltv(id, 0, 0, 1),
      opal.pciMapPeMmioWindow(id, { pe: 0, type: 1, window: 0, segment: 0 }),
      opal.pciSetPhbMemWindow(id, { type: 2, window: 0, address: 0n, size: 0n }),
      opal.pciPhbMmioEnable(id, 2, 0, 1),
      opal.pciMapPeDmaWindowReal(id, { pe: 0, window: 0, pciStart: 0n, size: 0n }),
      opal.pciTceKill(id),
      opal.pciSetMve(id, 0, 0),
      opal.pciSetMveEnable(id, 0, 1),
      opal.pciSetPhbCapiMode(id, 1, 0),
      opal.pciEehFreezeClear(id, 0, 3),
      opal.pciEehFreezeSet(id, 0, 3),
      opal.pciErrInject(id, { pe: 0, type: 9, function: 0, address: 0n, mask: 0n }),
      opal.pciReinit(id, 0),
      opal.pciSetXivePe(id, 0, 0),
      opal.pciMsiEoi(id, 0),
    ];
    expect(new Set(calls(ID).map((call) => run(call)))).toEqual(new Set([UNSUPPORTED]));
    expect(new Set(calls(ID + 1).map((call) => run(call)))).toEqual(new Set([PARAMETER]));
    const rcs = (id: number) => [
      run(opal.pciEehFreezeStatus(id, 0)).rc,
      run(opal.pciNextError(id)).rc,
      run(opal.pciGetPhbDiagData2(id)).rc,
      run(opal.getMsi32(id, 0, 0, 1)).rc,
      run(opal.getMsi64(id, 0, 0, 1)).rc,
      run(opal.getXiveSource(id, 0)).rc,
    ];
    expect(new Set(rcs(ID))).toEqual(new Set([UNSUPPORTED]));
    expect(new Set(rcs(ID + 1))).toEqual(new Set([PARAMETER]));
  });

  it('leaves the event up that it would have asked about', () => {
    const { firmware: opal, run } = rig();
    opal.raiseEvent(OpalEvent.PCI_ERROR);
    run(opal.pciNextError(ID));
    expect(run(opal.pollEvents()).events).toBe(OpalEvent.PCI_ERROR);
  });

  it('holds for its slot, too', () => {
    const { firmware: opal, run } = rig();
    for (const scope of [1, 3, 4, 5, 6]) expect(run(opal.pciReset(ID, scope, 1))).toBe(UNSUPPORTED);
    expect(run(opal.pciGetPresenceState(ID)).rc).toBe(UNSUPPORTED);
    expect(run(opal.pciGetPowerState(ID)).rc).toBe(UNSUPPORTED);
    for (const power of [0, 1]) expect(run(opal.pciOrderPowerState(1, ID, power))).toBe(UNSUPPORTED);
    expect(run(opal.pciPoll(ID))).toBe(HARDWARE);
  });
});

describe('units beside the bridges', () => {
  it('take the interrupts that are theirs', () => {
    const { firmware: opal, driver, hub, run } = rig();
    expect(opal.firmwareInterrupts()).toEqual([HUB_IRQ, IRQ]);
    expect(run(opal.setXive(IRQ, 0, 5))).toBe(SUCCESS);
    expect(run(opal.getXive(HUB_IRQ))).toEqual({ rc: SUCCESS, server: 4, priority: 5 });
    expect(run(opal.handleInterrupt(HUB_IRQ)).rc).toBe(SUCCESS);
    expect([driver.interrupts.fired, hub.interrupts.fired]).toEqual([[], [HUB_IRQ]]);
  });

  it('answer for hubs, where there are some', () => {
    const { firmware: opal, run } = rig();
    expect(run(opal.pciGetHubDiagData(0x20, 128)).rc).toBe(CLOSED);
    expect(run(opal.pciGetHubDiagData(0x20, 127)).rc).toBe(PARAMETER);
    expect(run(opal.pciGetHubDiagData(0x21)).rc).toBe(PARAMETER);
    expect(run(opal.pciSetHubTceMemory(0x20))).toBe(UNSUPPORTED);
    expect(run(opal.pciSetHubTceMemory(0x21))).toBe(PARAMETER);
  });

  it('get event bits of their own, from the top down, while there are some', () => {
    const { firmware: opal, run, chip } = rig();
    const events = Array.from({ length: 32 }, () => opal.allocateEvent());
    expect(events[0]).toBe(1n << 63n);
    expect(events.reduce((sum, event) => sum | event, 0n)).toBe(DYNAMIC_EVENTS);
    expect(opal.allocateEvent()).toBe(0n);
    opal.freeEvent(events[7]!);
    expect(opal.allocateEvent()).toBe(events[7]);
    const heard = chip.sim.spawn(
      'listener',
      (function* () {
        return yield* wait(opal.events);
      })(),
    );
    chip.sim.run({ maxEvents: 1 });
    opal.raiseEvent(events[3]!);
    chip.sim.run({ process: heard });
    expect(heard.take()).toBe(events[3]);
    opal.lowerEvent(events[3]!);
    expect(run(opal.pollEvents()).events).toBe(0n);
  });
});

describe('the scan below such a bridge', () => {
  it('finds devices and slots, and keeps the bus numbers that the driver chose', () => {
    const { chip, driver, firmware: opal, run } = rig();
    driver.functions.set(0, configSpace('root', { port: 'rootPort' }));
    driver.functions.set(0x100, configSpace('up', { port: 'upstream' }));
    driver.functions.set(0x200, configSpace('down', { port: 'downstream' }));
    driver.functions.set(0x300, configSpace('card', {}));
    chip.sim.complete('scan', scanPhb(driver));
    const buses = (bdfn: number): number[] => [0x19, 0x1a].map((at) => driver.functions.get(bdfn)!.read(at, 1));
    expect([buses(0), buses(0x100), buses(0x200)]).toEqual([
      [1, 8],
      [2, 8],
      [3, 8],
    ]);
    expect(driver.initialised).toEqual([0, 0x100, 0x200, 0x300]);
    expect([...driver.portSlots.keys()]).toEqual([0, 0x200]);
    // The slot of the root port masks errors by itself where the chip has no handler for its link.
    expect(run(opal.pciReset(slotId(ID, 0), 4, 1))).toBe(250);
    expect(driver.functions.get(0)!.read(0x114, 4) & 1).toBe(1);
  });

  it('ends at a bridge for which no bus number is left, and closes it', () => {
    const { chip, driver, run } = rig();
    driver.lastBus = 2;
    driver.functions.set(0, configSpace('root', { port: 'rootPort' }));
    driver.functions.set(0x100, configSpace('up', { port: 'upstream' }));
    driver.functions.set(0x200, configSpace('down', { port: 'downstream' }));
    driver.functions.set(0x300, configSpace('card', {}));
    run(scanPhb(driver));
    expect([0x19, 0x1a].map((at) => driver.functions.get(0x200)!.read(at, 1))).toEqual([0, 0]);
    expect(driver.initialised).toEqual([0, 0x100, 0x200]);
    expect(driver.lines).toContain('02:00.0: Out of bus numbers !');
    expect(chip.log).toEqual([]);
  });
});

describe('the folder of firmware', () => {
  it('keeps the chips out of what they share: only who brings them up knows them', () => {
    const folder = new URL('../../src/opal/', import.meta.url);
    const ofAChip = readdirSync(folder)
      .filter((name) => name.endsWith('.ts'))
      .filter((name) => /from '\.(?:\/phb3|\/p7ioc|\.\/ioda[12])\//.test(readFileSync(new URL(name, folder), 'utf8')));
    expect(ofAChip.sort()).toEqual(['boot.ts']);
  });
});
