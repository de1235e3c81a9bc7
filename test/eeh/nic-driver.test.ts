import { describe, expect, it } from 'vitest';
import { NicDriver, type NicFlavour } from '../../src/eeh/drivers/nic-driver.js';
import { NIC_CONTROL, NIC_ID, NIC_REGISTERS, type NicRegister } from '../../src/pcie/nic-registers.js';
import { decodeTce } from '../../src/tce/tce.js';
import { FakeMachine } from './fake-machine.js';

/** The card's side of the register interface: a ring in memory, one frame on demand. */
class Card {
  readonly registers = new Map<number, number>([[NIC_REGISTERS.ID.at, NIC_ID]]);
  id = NIC_ID;

  constructor(private readonly machine: FakeMachine) {
    machine.phb.read = (offset) => swap(this.get(offset));
    machine.phb.write = (offset, value) => this.set(offset, Number(swap(Number(value))));
  }

  get(offset: number): number {
    return offset === NIC_REGISTERS.ID.at ? this.id : (this.registers.get(offset) ?? 0);
  }

  of(register: NicRegister): number {
    return this.get(NIC_REGISTERS[register].at);
  }

  private set(offset: number, value: number): void {
    if (offset === NIC_REGISTERS.CONTROL.at && (value & NIC_CONTROL.RESET) !== 0) this.registers.clear();
    else this.registers.set(offset, value);
  }

  /** Where a bus address leads: the TCE of the page, through both levels. */
  private real(dma: number): number {
    const { kernel, port } = this.machine;
    const { table } = kernel.peSetup.peOf(kernel.device('0000:01:00.0')!)!.dma!;
    const index = Math.floor(dma / 4096);
    const entries = table.tableBytes / 8;
    const next = port.memory.read64(table.root + 8 * Math.floor(index / entries));
    const entry = port.memory.read64(Number(next & ~3n) + 8 * (index % entries));
    const { page, write } = decodeTce(entry, 12);
    expect(write).toBe('allowed');
    return Number(page) + (dma % 4096);
  }

  receive(frame: Uint8Array): void {
    const head = this.of('RX_HEAD');
    expect(head).not.toBe(this.of('RX_TAIL'));
    const descriptor = this.real(this.of('RX_RING_LO')) + 16 * head;
    const { memory } = this.machine.port;
    const view = new DataView(memory.readBlock(descriptor, 16).slice().buffer);
    memory.writeBlock(this.real(Number(view.getBigUint64(0, true))), frame);
    view.setUint32(8, frame.length, true);
    view.setUint32(12, 1, true);
    memory.writeBlock(descriptor, new Uint8Array(view.buffer));
    this.registers.set(NIC_REGISTERS.RX_HEAD.at, (head + 1) % this.of('RX_RING_SIZE'));
  }
}

function swap(value: number): bigint {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value >>> 0);
  return BigInt(view.getUint32(0, true));
}

function up(flavour: NicFlavour = 'recovering'): { machine: FakeMachine; card: Card; driver: NicDriver } {
  const driver = new NicDriver({ flavour, ringSize: 4 });
  const machine = new FakeMachine({ kernel: { drivers: [driver] } });
  const card = new Card(machine);
  machine.boot();
  return { machine, card, driver };
}

describe('the network driver', () => {
  it('posts buffers that the card can reach, and counts what arrives', () => {
    const { machine, card, driver } = up();
    expect(card.of('CONTROL')).toBe(NIC_CONTROL.RECEIVE);
    expect([card.of('RX_RING_SIZE'), card.of('RX_TAIL')]).toEqual([4, 3]);
    for (let i = 0; i < 10; i++) {
      card.receive(new Uint8Array(60 + i));
      machine.runFor(0.002);
    }
    const state = driver.card(machine.kernel.device('0000:01:00.0')!)!;
    expect([state.packets, state.bytes, driver.totalPackets]).toEqual([10, 645, 10]);
    expect(card.of('RX_TAIL')).toBe(1);
    // Nothing was all ones, and the next buffer is the one that the card fills next.
    expect([state.deadReads, state.next, card.of('RX_HEAD')]).toEqual([0, 2, 2]);
  });

  it('enables its device as a real driver does', () => {
    const driver = new NicDriver();
    const machine = new FakeMachine({ kernel: { drivers: [driver] } });
    new Card(machine);
    machine.sim.run({ process: machine.sim.spawn('boot', machine.kernel.boot()) });
    expect(machine.kernel.log.texts().slice(-2)).toEqual([
      'phbnic 0000:01:00.0: enabling device (0000 -> 0002)',
      'phbnic 0000:01:00.0: up, 16 receive buffers',
    ]);
    expect(machine.phb.functions.get(0x100)!.get('COMMAND')).toBe(6);
  });

  it('refuses a card that is not what it says', () => {
    const driver = new NicDriver();
    const machine = new FakeMachine({ kernel: { drivers: [driver] } });
    new Card(machine).id = 5;
    machine.sim.run({ process: machine.sim.spawn('boot', machine.kernel.boot()) });
    expect(machine.kernel.log.texts()).toContain('phbnic: probe of 0000:01:00.0 failed with error -19');
  });

  it('leaves cards alone that are not its own', () => {
    const driver = new NicDriver({ wants: () => 'no' });
    const machine = new FakeMachine({
      kernel: { drivers: [driver, new NicDriver({ ids: { vendorId: 1, deviceId: 2 } })] },
    });
    machine.boot();
    expect(machine.kernel.device('0000:01:00.0')!.driver).toBeUndefined();
  });

  it.each<[NicFlavour, string]>([
    ['recovering', 'EEH: Reset without hotplug activity'],
    ['can-recover', 'EEH: Enable I/O for affected devices'],
    ['unaware', 'EEH: Reset with hotplug activity'],
  ])('of the flavour "%s" notices a freeze by its own load, recovers, and receives again', (flavour, line) => {
    const { machine, card, driver } = up(flavour);
    card.receive(new Uint8Array(100));
    machine.runFor(0.01);
    machine.phb.freeze(0xfd);
    machine.runFor(30);
    expect(machine.eeh).toContain(line);
    expect(machine.eeh).toContain('EEH: [(____ptrval____)] phbnic_read+0x40/0x120 [phbnic]');
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
    card.receive(new Uint8Array(100));
    machine.runFor(0.01);
    expect(driver.totalPackets).toBe(2);
    const { statistics } = machine.kernel;
    expect(statistics.slotResets).toBe(1);
    expect(statistics.falsePositives).toBe(0);
  });

  it('says disconnect when another card, or none, answers after the reset', () => {
    const { machine, card } = up();
    machine.phb.freeze(0xfd);
    machine.runFor(0.5);
    card.id = 7;
    machine.runFor(30);
    expect(machine.eeh).toContain("PCI 0000:01:00.0#00fd: EEH: phbnic driver reports: 'disconnect'");
    expect(machine.kernel.device('0000:01:00.0')).toBeUndefined();
  });

  it('waits for a descriptor that its card has not written yet, and takes it when it has', () => {
    const { machine, card, driver } = up();
    card.registers.set(NIC_REGISTERS.RX_HEAD.at, 1);
    machine.runFor(0.01);
    expect([driver.totalPackets, card.of('RX_TAIL')]).toEqual([0, 3]);
    card.registers.set(NIC_REGISTERS.RX_HEAD.at, 0);
    card.receive(new Uint8Array(100));
    machine.runFor(0.01);
    expect([driver.totalPackets, card.of('RX_TAIL')]).toEqual([1, 0]);
  });

  it.each(['recovering', 'can-recover'] as const)(
    'of the flavour "%s" gives up a device that it does not have',
    (flavour) => {
      const { machine, driver } = up(flavour);
      const device = machine.kernel.device('0000:01:00.0')!;
      machine.run(machine.kernel.removeDevice(device));
      const accesses = machine.port.loads;
      const { errorDetected, mmioEnabled, slotReset, resume } = driver.errorHandlers!;
      for (const asked of [errorDetected!(device, 'frozen'), mmioEnabled?.(device), slotReset!(device)]) {
        if (asked !== undefined) expect(machine.run(asked)).toBe('disconnect');
      }
      machine.run(resume!(device));
      machine.run(driver.remove(device));
      machine.runFor(1);
      expect(machine.port.loads).toBe(accesses);
    },
  );

  it('gives everything back when removed', () => {
    const { machine, driver } = up();
    const device = machine.kernel.device('0000:01:00.0')!;
    machine.run(machine.kernel.removeDevice(device));
    expect(driver.card(device)).toBeUndefined();
    const loads = machine.port.loads;
    machine.runFor(1);
    expect(machine.port.loads).toBe(loads);
    machine.run(machine.kernel.rescan());
    expect(machine.kernel.log.texts().at(-1)).toBe('phbnic 0000:01:00.0: up, 4 receive buffers');
  });

  it('stands still after a permanent failure it is told of', () => {
    const { machine, driver } = up();
    const device = machine.kernel.device('0000:01:00.0')!;
    expect(machine.run(driver.errorHandlers!.errorDetected!(device, 'perm-failure'))).toBe('disconnect');
    const loads = machine.port.loads;
    machine.runFor(1);
    expect(machine.port.loads).toBe(loads);
  });
});
