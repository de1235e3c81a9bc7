import { describe, expect, it } from 'vitest';
import type { SlotOptions } from '../../src/machine/topology.js';
import { type OpTestResult, opTest } from '../../src/scenario/procedures/op-test.js';
import { UserSpace } from '../../src/scenario/procedures/user-space.js';
import { delay, type Process } from '../../src/sim/process.js';
import { ms } from '../../src/sim/time.js';
import { StubDriver } from '../eeh/stub-driver.js';
import { UserMachine } from './user-machine.js';

const nic = (driver: SlotOptions['driver'], phb = 0): SlotOptions => {
  return { device: 'nic', driver, phb, framePeriodNs: ms(5) };
};
const unable = (): StubDriver => new StubDriver({ error: 'disconnect' }, { name: 'unable' });
const ENDPOINT = '0000:01:00.0';
/** Ports have few kinds of errors, and their recovery takes the cards along. */
const PORTS = { skipDevices: ['0000:00:00.0', '0001:00:00.0'] };

/** Once the test has set its limit. */
function* allowFreezes({ system }: UserMachine): Process<void> {
  yield* delay(ms(1));
  system.kernel.settings.maxFreezes = 50;
}

function outcomes({ rounds }: OpTestResult): string[] {
  return rounds.map(({ target, injected, outcome }) => `${target} ${injected} ${outcome}`);
}

describe('the fences of op-test', () => {
  it('recover on every PHB, found by a plain lspci', () => {
    const machine = new UserMachine([nic('recovering'), nic('unaware', 1)]);
    const result = machine.run(opTest(machine.user, 'basic-fenced-phb'));
    expect(result).toMatchObject({ status: 0, errors: [] });
    expect(outcomes(result)).toEqual(['PCI0000', 'PCI0001'].map((phb) => `${phb} 0x8000000000000000 recovered`));
    expect(machine.printed.at(-1)).toBe('OK');
    expect(machine.printed.at(-2)).toBe('basic-fenced-phb: 2 hits, 0 misses, 2 recovered, 0 removed, 0 failures');
    const texts = machine.system.kernel.log.texts();
    expect(texts).toContain('EEH: Recovering PHB#0, location: N/A');
    expect(texts).toContain('EEH: Recovering PHB#1, location: N/A');
  });

  it('leave out the PHB that holds the root disk', () => {
    const machine = new UserMachine([nic('recovering'), nic('recovering', 1)]);
    const result = machine.run(opTest(machine.user, 'basic-fenced-phb', { skipPhbs: ['PCI0000'] }));
    expect(outcomes(result)).toEqual(['PCI0001 0x8000000000000000 recovered']);
    expect(machine.system.kernel.log.texts()).not.toContain('EEH: Recovering PHB#0, location: N/A');
  });

  it('recover once and are removed the second time when one freeze an hour is the most', () => {
    const machine = new UserMachine([nic('recovering')]);
    const result = machine.run(opTest(machine.user, 'max-fenced-phb'));
    expect([result.status, outcomes(result)]).toEqual([
      ...[0, ['PCI0000 0x8000000000000000 recovered', 'PCI0000 0x8000000000000000 removed']],
    ]);
    expect(machine.system.kernel.settings.maxFreezes).toBe(1);
    machine.system.sim.run({ untilNs: machine.system.sim.now + ms(100) });
    expect(machine.files.list('/sys/bus/pci/devices')).toEqual([]);
  });

  it('fail when a driver gives its device up', () => {
    const machine = new UserMachine([{ device: 'nic', driver: unable }]);
    const result = machine.run(opTest(machine.user, 'basic-fenced-phb'));
    expect(result).toMatchObject({ status: 1, errors: ['EEH recovery failed PHB PCI0000'] });
    expect(machine.printed.at(-1)).toBe('FAILED (errors=1)');
  });

  it('fail when what comes back has no devices, or what should go does not', () => {
    const empty = new UserMachine([nic('none')]);
    function* emptyBus(): Process<void> {
      const { kernel } = empty.system;
      for (;;) {
        yield* delay(ms(1));
        // The log of a recovery, and nothing in sysfs.
        if (kernel.log.texts().includes('EEH: Notify device driver to resume'))
          kernel.controllers[0]!.rootBus = undefined;
      }
    }
    empty.system.sim.spawn('thief', emptyBus(), { daemon: true });
    const result = empty.run(opTest(empty.user, 'basic-fenced-phb'));
    expect(result).toMatchObject({ status: 1, errors: ['PHB domain PCI0000 recovery failed'] });

    const stubborn = new UserMachine([nic('recovering')]);
    function* noRecovery(): Process<void> {
      yield* delay(ms(100));
      stubborn.system.kernel.settings.recovery = 'off';
    }
    stubborn.system.sim.spawn('admin', noRecovery(), { daemon: true });
    const second = stubborn.run(opTest(stubborn.user, 'max-fenced-phb'));
    expect(second).toMatchObject({ status: 1, errors: ['PHB domain PCI0000 remove failed'] });
  });
});

describe('the freezes of op-test', () => {
  it('hit what the card and its driver do, and miss what they do not', () => {
    const machine = new UserMachine([nic('recovering')]);
    const result = machine.run(opTest(machine.user, 'basic-frozen-pe', PORTS));
    expect(result).toMatchObject({ status: 0, errors: [], locationMissing: 0 });
    // 64-bit MMIO has no window of this card, and its DMA stays below 4 GiB.
    expect(outcomes(result)).toEqual([
      `${ENDPOINT} fd:0:0:0:0 recovered`,
      `${ENDPOINT} fd:0:4:0:0 recovered`,
      `${ENDPOINT} fd:0:6:0:0 recovered`,
      `${ENDPOINT} fd:0:10:0:0 recovered`,
      `${ENDPOINT} fd:1:0:0:0 miss`,
      `${ENDPOINT} fd:1:4:0:0 recovered`,
      `${ENDPOINT} fd:1:6:0:0 miss`,
      `${ENDPOINT} fd:1:10:0:0 miss`,
    ]);
    expect(result.rounds.map(({ hits }) => hits)).toEqual([1, 2, 3, 4, 4, 5, 5, 5]);
    expect(result.rounds[0]!.slotResets).toBe(1);
    expect(machine.printed).toContain(`PE ${ENDPOINT} EEH hit success`);
    expect(machine.printed).toContain(`PE ${ENDPOINT} recovered after 5 EEH error`);
  });

  it('recover five times, and the sixth time the device is removed for good', () => {
    const machine = new UserMachine([nic('recovering')]);
    const { sim, slots } = machine.system;
    // A card that also writes above 4 GiB, through the window that is open to all of memory.
    function* writeFar(): Process<void> {
      for (;;) {
        yield* delay(ms(5));
        slots[0]!.place.card.strayWrite(2n ** 59n + 0x2000_0000n, 64);
      }
    }
    sim.spawn('far writes', writeFar(), { daemon: true });
    const result = machine.run(opTest(machine.user, 'basic-frozen-pe', PORTS));
    const hits = result.rounds.filter(({ outcome }) => outcome !== 'miss');
    expect(hits.map(({ hits: number, outcome }) => `${number} ${outcome}`)).toEqual([
      ...['1 recovered', '2 recovered', '3 recovered', '4 recovered', '5 recovered', '6 removed'],
    ]);
    expect(result).toMatchObject({ status: 0, errors: [] });
    expect(machine.printed).toContain(`PE ${ENDPOINT} removed successfully after EEH hit 6`);
    sim.run({ untilNs: sim.now + ms(100) });
    expect(machine.files.exists(`/sys/bus/pci/devices/${ENDPOINT}`)).toBe(false);
  });

  it('recover once and are removed the second time when one freeze an hour is the most', () => {
    const machine = new UserMachine([nic('recovering')]);
    const result = machine.run(opTest(machine.user, 'max-frozen-pe', PORTS));
    expect(outcomes(result).slice(0, 4)).toEqual([
      `${ENDPOINT} fd:0:0:0:0 recovered`,
      `${ENDPOINT} fd:0:4:0:0 removed`,
      `${ENDPOINT} fd:0:6:0:0 miss`,
      `${ENDPOINT} fd:0:10:0:0 miss`,
    ]);
    expect(result.rounds).toHaveLength(4);
    machine.system.sim.run({ untilNs: machine.system.sim.now + ms(100) });
    expect(machine.files.exists(`/sys/bus/pci/devices/${ENDPOINT}`)).toBe(false);
  });

  it('take the warning of a later removal for a removal: the log says "permanently disabled" in both', () => {
    const machine = new UserMachine([nic('recovering')]);
    machine.system.sim.spawn('admin', allowFreezes(machine), { daemon: true });
    const result = machine.run(opTest(machine.user, 'max-frozen-pe', PORTS));
    expect(outcomes(result)[1]).toBe(`${ENDPOINT} fd:0:4:0:0 removed`);
    expect(machine.files.exists(`/sys/bus/pci/devices/${ENDPOINT}`)).toBe(true);
  });

  it('go on to the next device when one does not recover, which fails no test', () => {
    const machine = new UserMachine([{ device: 'nic', driver: unable }]);
    const result = machine.run(opTest(machine.user, 'basic-frozen-pe', PORTS));
    expect(outcomes(result)).toEqual([`${ENDPOINT} fd:0:0:0:0 miss`, `${ENDPOINT} fd:0:4:0:0 not-recovered`]);
    expect(result).toMatchObject({ status: 0, errors: [`PE ${ENDPOINT} recovery failed after 1 EEH error`] });
    expect(machine.printed).toContain(`EEH_FAIL: PE ${ENDPOINT} recovery failed after 1 EEH error`);
  });

  it('count a PE that was frozen before as one that does not recover', () => {
    const machine = new UserMachine([nic('recovering')]);
    machine.system.kernel.pe(0, 0xfd)!.freezeCount = 5;
    const result = machine.run(opTest(machine.user, 'basic-frozen-pe', PORTS));
    expect(outcomes(result)).toEqual([`${ENDPOINT} fd:0:0:0:0 not-recovered`]);
  });

  it('say when a device does not come back though its recovery did', () => {
    const machine = new UserMachine([nic('unaware')]);
    const { kernel, sim } = machine.system;
    function* thief(): Process<void> {
      for (;;) {
        yield* delay(ms(10));
        const device = kernel.device(ENDPOINT);
        const recovered = kernel.log.texts().includes('EEH: Recovery successful.');
        if (device !== undefined && recovered) yield* machine.files.controls.removeDevice(device);
      }
    }
    sim.spawn('thief', thief(), { daemon: true });
    const result = machine.run(opTest(machine.user, 'basic-frozen-pe', PORTS));
    expect(outcomes(result)[0]).toBe(`${ENDPOINT} fd:0:0:0:0 not-recovered`);
  });

  it('say when nothing in the log tells of a removal, and look no further at later hits', () => {
    const machine = new UserMachine([nic('recovering')]);
    class Forgetful extends UserSpace {
      override logLines(text: string): string[] {
        return text === 'permanently disabled' ? [] : super.logLines(text);
      }
    }
    machine.system.sim.spawn('admin', allowFreezes(machine), { daemon: true });
    const user = new Forgetful(machine.files, (line) => machine.printed.push(line));
    const result = machine.run(opTest(user, 'max-frozen-pe', PORTS));
    expect(outcomes(result).slice(0, 3)).toEqual([
      `${ENDPOINT} fd:0:0:0:0 recovered`,
      `${ENDPOINT} fd:0:4:0:0 not-removed`,
      `${ENDPOINT} fd:0:6:0:0 hit`,
    ]);
    expect(result).toMatchObject({ status: 0, errors: [`PE ${ENDPOINT} remove failed after EEH hit 2`] });
  });

  it('end when the log has no location line at all', () => {
    const machine = new UserMachine([nic('recovering')]);
    class Forgetful extends UserSpace {
      override logLines(text: string): string[] {
        return text === 'EEH: PE location:' ? [] : super.logLines(text);
      }
    }
    const user = new Forgetful(machine.files, (line) => machine.printed.push(line));
    const result = machine.run(opTest(user, 'basic-frozen-pe', PORTS));
    expect(result).toMatchObject({ status: 1, errors: [`PE ${ENDPOINT} location code failure`] });
  });

  it('warn when the log does not say where the device is', () => {
    const machine = new UserMachine([nic('recovering')]);
    const skipDevices = [ENDPOINT];
    const result = machine.run(opTest(machine.user, 'basic-frozen-pe', { skipDevices }));
    expect(outcomes(result).filter((text) => !text.endsWith('miss'))).toEqual([
      '0000:00:00.0 fe:0:4:0:0 recovered',
      '0000:00:00.0 fe:1:4:0:0 recovered',
    ]);
    expect(result.locationMissing).toBe(2);
    expect(machine.printed).toContain('FW/Kernel failed to log the pcie slot/device location code');
  });

  it('leave the devices of a PHB alone that is left out', () => {
    const machine = new UserMachine([nic('recovering')]);
    expect(machine.run(opTest(machine.user, 'basic-frozen-pe', { skipPhbs: ['PCI0000'] })).rounds).toEqual([]);
  });
});
