import { describe, expect, it } from 'vitest';
import {
  hang,
  type PciDriver,
  PowerSystem,
  readScenario,
  runScenario,
  ScriptedDriver,
  type SlotOptions,
  seconds,
} from '../../src/index.js';

/** The whole of a driver: it counts what it is told. */
function ownDriver(told: string[] = []): PciDriver {
  return {
    name: 'mine',
    matches: () => 'yes',
    *probe(device) {
      told.push(`probe ${device.name}`);
      return 0;
    },
    *remove(device) {
      told.push(`remove ${device.name}`);
    },
    errorHandlers: {
      *errorDetected(_, state) {
        told.push(`error_detected ${state}`);
        return 'need reset';
      },
      *slotReset() {
        told.push('slot_reset');
        return 'recovered';
      },
      *resume() {
        told.push('resume');
      },
    },
  };
}

const SCENARIO = [
  'name: own',
  'about: A driver of ones own in a scenario.',
  'machine: { slots: { 1: { device: nic, driver: recovering }, 2: { device: nvme } } }',
  'faults: [{ at: 5 ms, kind: err-nonfatal, device: slot1 }]',
  'expect: [{ recovered: slot1, within: 10 s }, { voted: slot1, in: slot_reset, vote: recovered }]',
].join('\n');

describe("a driver of one's own", () => {
  it('goes through a scenario in the place of the one that is there', () => {
    const told: string[] = [];
    const { verdicts } = runScenario(readScenario('own.yaml', SCENARIO), { drivers: { 1: ownDriver(told) } });
    expect(verdicts.map(({ state }) => state)).toEqual(['met', 'met']);
    expect(told).toEqual(['probe 0000:03:00.0', 'error_detected frozen', 'slot_reset', 'resume']);
  });

  it('fails a scenario whose expectations it does not meet', () => {
    const stuck = new ScriptedDriver(ownDriver(), { error_detected: { before: [hang()] } });
    const { verdicts } = runScenario(readScenario('own.yaml', `${SCENARIO}\nuntil: 1 s`), { drivers: { 1: stuck } });
    expect(verdicts.map(({ because }) => because)).toEqual(['its PE is still frozen', 'its driver was not asked']);
  });

  it('is refused for a slot that the scenario does not have', () => {
    const run = (): unknown => runScenario(readScenario('own.yaml', SCENARIO), { drivers: { 7: ownDriver() } });
    expect(run).toThrow('there is no slot 7 for a driver: the scenario has 1, 2');
  });

  it('is offered the devices of its slot and no others, whatever they are', () => {
    const told: string[] = [];
    const system = new PowerSystem({
      slots: new Map<number, SlotOptions>([
        [1, { device: 'edu', driver: ownDriver(told) }],
        [2, { device: 'nic', driver: (place) => ({ ...ownDriver(told), name: `for-${place.name}` }) }],
        [3, { device: 'nvme', driver: 'none' }],
      ]),
    });
    system.boot();
    expect(told).toEqual(['probe 0000:03:00.0', 'probe 0000:04:00.0']);
    expect(system.slots.map(({ device }) => device?.driver?.name)).toEqual(['mine', 'for-slot2', undefined]);
    expect(system.slots.map(({ driverKind }) => driverKind)).toEqual(['own', 'own', 'none']);
    expect(system.slot('slot1')!.packets).toBe(0);
  });

  it('may refuse its device, and is told of a removal', () => {
    const told: string[] = [];
    const refusing: PciDriver = { ...ownDriver(told), matches: () => 'no' };
    const system = new PowerSystem({
      slots: new Map([
        [1, { device: 'nic', driver: refusing }],
        [2, { device: 'nic', driver: ownDriver(told) }],
      ]),
    });
    system.boot();
    expect(system.slot('slot1')!.device?.driver).toBeUndefined();
    system.sim.complete('remove', system.kernel.removeDevice(system.slot('slot2')!.device!));
    expect(told).toEqual(['probe 0000:04:00.0', 'remove 0000:04:00.0']);
  });

  it('without handlers is unplugged for the reset, and probed again', () => {
    const told: string[] = [];
    const { errorHandlers: _, ...bare } = ownDriver(told);
    const { system } = runScenario(readScenario('own.yaml', SCENARIO), { drivers: { 1: bare } });
    expect(told).toEqual(['probe 0000:03:00.0', 'remove 0000:03:00.0', 'probe 0000:03:00.0']);
    expect(system.sim.now).toBeGreaterThan(seconds(7));
  });
});

describe('names', () => {
  it('lead to the PEs of devices, switches, bridges and PHBs, also of one that forgot its number in a reset', () => {
    const system = new PowerSystem({
      slots: new Map([
        [1, { device: 'nic', driver: 'none' }],
        [2, { device: 'pci-bridge', behind: ['nic'], driver: 'none' }],
      ]),
    });
    expect(() => system.peOf('switch0')).not.toThrow();
    system.boot();
    const label = (name: string): string | undefined => system.peOf(name)?.label;
    const labels = ['slot1', 'slot2.0', 'switch0', 'bridge2', 'phb0', 'slot9'].map(label);
    expect(labels).toEqual(['PHB#0-PE#fb', 'PHB#0-PE#f9', 'PHB#0-PE#fd', 'PHB#0-PE#fa', 'PHB#0-PE#0', undefined]);
    system.switches[0]!.switch.resetBy('fundamental');
    expect(label('switch0')).toBe('PHB#0-PE#fd');
  });
});
