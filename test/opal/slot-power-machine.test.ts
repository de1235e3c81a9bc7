/** Slot power on the whole chip: firmware switches the power of a switch's slots, and real links go with it. */
import { describe, expect, it } from 'vitest';
import { PowerNv8 } from '../../src/machine/powernv8.js';
import { scomPlace } from '../../src/machine/system.js';
import { Opal } from '../../src/opal/opal.js';
import { OpalStatus, Power, slotId } from '../../src/opal/opal-api.js';
import { Nic } from '../../src/pcie/nic.js';
import { Switch } from '../../src/pcie/switch.js';
import { delay, type Process } from '../../src/sim/process.js';
import { ms } from '../../src/sim/time.js';

const { SUCCESS, ASYNC_COMPLETION, BUSY } = OpalStatus;
const FIRST_PORT = 0x200;
const SECOND_PORT = 0x208;

/** A switch with two powered slots, cards in both. */
class Machine {
  private switch!: Switch;
  readonly machine = new PowerNv8({
    memory: { sizeBytes: 2 ** 30 },
    slot: (sim) => {
      this.switch = new Switch(sim, 'switch', {
        downstreamPorts: 2,
        portOptions: ['slot', 'hot-plug', 'power-controller', 'ari-forwarding'],
      });
      for (const [index, port] of this.switch.ports.entries()) {
        new Nic(sim, `card${index}`, { framePeriodNs: 1e9 }).plugInto(port.link);
      }
      return this.switch;
    },
  });
  readonly opal = new Opal(this.machine.cpu(), {
    heapBase: 0x3000_0000,
    phbs: [{ index: 0, ...scomPlace(0) }],
  });

  constructor() {
    this.run(this.opal.boot());
  }

  run<T>(call: Process<T>): T {
    return this.machine.sim.complete('call', call);
  }

  sleep(milliseconds: number): void {
    this.run(delay(ms(milliseconds)));
  }

  get links() {
    return this.switch.ports.map(({ link }) => link);
  }

  get devices(): readonly number[] {
    return this.opal.deviceTree()[0]!.devices;
  }
}

describe('a slot of a real switch', () => {
  it('goes dark and comes back, and its neighbour does not notice', () => {
    const m = new Machine();
    expect(m.devices).toEqual([0, 0x100, 0x200, 0x300, 0x208, 0x400]);
    expect(m.run(m.opal.pciOrderPowerState(1, slotId(0, FIRST_PORT), Power.OFF))).toBe(ASYNC_COMPLETION);
    m.sleep(11);
    expect(m.links.map((link) => link.isUp)).toEqual([false, true]);
    expect(m.run(m.opal.getMessage()).message?.params[3]).toBe(BigInt(SUCCESS));
    expect(m.devices).toEqual([0, 0x100, 0x200, 0x208, 0x400]);
    expect(m.run(m.opal.pciEehFreezeStatus(0, 255)).freezeState).toBe(0);
    const before = m.machine.sim.now;
    // Without link reports firmware never sees a width: its looks run out.
    expect(m.run(m.opal.pciSetPowerState(slotId(0, FIRST_PORT), Power.ON))).toBe(BUSY);
    expect((m.machine.sim.now - before) / 1e6).toBeGreaterThan(5000);
    expect(m.links.map((link) => link.isUp)).toEqual([true, true]);
    expect(m.run(m.opal.pciSetPowerState(slotId(0, FIRST_PORT), Power.ONLINE))).toBe(SUCCESS);
    expect(m.devices).toContain(0x300);
    expect(m.run(m.opal.pciConfigRead(0, 0x300, 0, 4)).value).not.toBe(0xffff_ffff);
  });

  it('keeps the devices of its neighbour through a fundamental reset, which takes its power for 50 ms', () => {
    const m = new Machine();
    const id = slotId(0, SECOND_PORT);
    let waitMs = m.run(m.opal.pciReset(id, 5, 1));
    expect(waitMs).toBe(50);
    m.sleep(1);
    expect(m.links.map(({ slotPower }) => slotPower)).toEqual(['on', 'off']);
    for (; waitMs > 0; waitMs = m.run(m.opal.pciPoll(id))) m.sleep(waitMs);
    expect(waitMs).toBe(SUCCESS);
    expect(m.links.map((link) => link.isUp)).toEqual([true, true]);
    expect(m.run(m.opal.pciConfigRead(0, 0x400, 0, 4)).value).toBe(m.run(m.opal.pciConfigRead(0, 0x300, 0, 4)).value);
  });
});
