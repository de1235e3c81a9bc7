/** The PE of a bridge to conventional PCI: all buses that the bridge passes down, whatever their number. */
import { describe, expect, it } from 'vitest';
import { PciBus, PciController, PciDevice } from '../../src/eeh/pci/device.js';
import { PeNumbers } from '../../src/eeh/powernv/pe-numbers.js';
import { PeSetup } from '../../src/eeh/powernv/pe-setup.js';
import { PowerSystem } from '../../src/machine/system.js';
import { BusCompare, PeAction } from '../../src/opal/opal-api.js';
import { PortType } from '../../src/pcie/capabilities.js';
import type { Process } from '../../src/sim/process.js';
import { Simulator } from '../../src/sim/simulator.js';

const SLOTS = new Map([
  [1, { device: 'pci-bridge', behind: ['edu', 'nic'], driver: 'recovering' }],
  [2, { device: 'nic', driver: 'recovering' }],
] as const);

describe('behind a bridge to PCI', () => {
  const associated = /Secondary bus (\S+) associated with PE#(\S+)/;

  it('a PE of a P7IOC takes the sixteen buses that firmware set aside, by the top four bits of their numbers', () => {
    const system = new PowerSystem({ chip: 'p7ioc', slots: SLOTS });
    system.boot();
    const lines = system.kernel.log.texts().flatMap((text) => associated.exec(text)?.slice(1, 3).join(' ') ?? []);
    expect(lines).toContain('0x0000000000000030..0x000000000000003f 7a');
    expect(lines).toContain('0x0000000000000020 7b');
    // Bus 30, of which the top four bits are compared, whatever device and function.
    expect(system.machine.phbs[0]!.peekTable('PELTM', 0x7a)).toBe(0x3000_6000_0000_0000n);
  });

  it('a PE of a PHB3 has the one bus that is there', () => {
    const system = new PowerSystem({ slots: SLOTS });
    system.boot();
    const lines = system.kernel.log.texts().filter((text) => text.includes('..0x'));
    expect(lines.map((text) => associated.exec(text)?.[1])).toEqual(['0x0000000000000004..0x0000000000000004']);
  });
});

describe('the buses of such a PE', () => {
  const sim = new Simulator();

  function busOf(first: number, last: number): { controller: PciController; bus: PciBus } {
    const controller = new PciController(
      { phbId: 0, totalPes: 8, reservedPe: 7, m32: { pciBase: 0, cpuBase: 0, sizeBytes: 64 } } as PciController['node'],
      0,
    );
    const root = new PciBus(controller, 0, undefined);
    const identity = { vendorId: 0, deviceId: 0, headerType: 1, classCode: 0x06_0400 };
    const bridge = new PciDevice(sim, root, 0, { node: controller.addNode(0), identity });
    Object.assign(bridge.capabilities, { pcie: 0x40, portType: PortType.pciBridge });
    const bus = new PciBus(controller, first, bridge);
    bus.lastNumber = last;
    return { controller, bus };
  }

  it('are all found by it', () => {
    const { controller, bus } = busOf(8, 11);
    const numbers = new PeNumbers(controller);
    const pe = numbers.allocate(bus);
    expect([7, 8, 11, 12].map((number) => numbers.ofBus(number))).toEqual([undefined, pe, pe, undefined]);
  });

  it.each([
    [8, 8, BusCompare.ALL],
    [8, 9, BusCompare.BITS_7],
    [8, 11, BusCompare.BITS_6],
    [8, 15, BusCompare.BITS_5],
    [16, 31, BusCompare.BITS_4],
    [32, 63, BusCompare.BITS_3],
    [8, 10, BusCompare.ALL],
  ])('%i to %i are told by compare mode %i; a number that is no power of two is complained of', (first, last, mode) => {
    const { controller, bus } = busOf(first, last);
    const said: string[] = [];
    const mapped: unknown[] = [];
    const success = function* () {
      return 0;
    };
    const pciSetPe = (_phb: number, request: unknown): Process<number> => {
      mapped.push(request);
      return success();
    };
    const others = { pciEehFreezeClear: success, pciSetPeltv: success, pciMapPeMmioWindow: success };
    const opal = { pciSetPe, ...others };
    const log = { info: () => undefined, err: (text: string) => said.push(text) };
    const kinds = { of: () => ({ configureMessages: success, dma: { setUp: success, tearDown: success } }) };
    const setup = new PeSetup({ opal, log, controllers: [controller] } as never, kinds as never);
    const node = controller.addNode(first << 8);
    const identity = { vendorId: 0, deviceId: 0, headerType: 0, classCode: 0x02_0000 };
    sim.complete('setup', setup.addDevice(new PciDevice(sim, bus, 0, { node, identity })));
    const compared = { rid: first << 8, action: PeAction.MAP, match: { bus: mode, device: 0, function: 0 } };
    expect(mapped).toMatchObject([compared]);
    const unsupported = 'pci_bus 0000:08: Number of subordinate buses 3 unsupported';
    expect(said).toEqual(last - first === 2 ? [unsupported] : []);
  });
});
