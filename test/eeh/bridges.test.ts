import { describe, expect, it } from 'vitest';
import { edevOf } from '../../src/eeh/eeh-pe.js';
import { slotId } from '../../src/opal/opal-api.js';
import { ENDPOINT, FakeMachine, type FakePhbOptions, ROOT_PORT } from './fake-machine.js';
import { AWARE, StubDriver } from './stub-driver.js';

function machineWith(phb: FakePhbOptions): FakeMachine {
  return new FakeMachine({ phbs: [phb], kernel: { drivers: [new StubDriver(AWARE)] } }).boot();
}

function recoverMs(machine: FakeMachine): number {
  const start = machine.sim.now;
  machine.detect();
  machine.runFor(120);
  expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
  return Math.round((machine.kernel.log.records.at(-1)!.timeNs - start) / 1e6);
}

const bridgeControl = (machine: FakeMachine): string[] => {
  return machine.opal.calls.filter((call) => call.startsWith(`CFGW(${ENDPOINT.toString(16)},3e,2`));
};

describe('a PE below a bridge', () => {
  it('gets the next lower number, a place below the bridge PE, and is in the vectors of all above', () => {
    const machine = new FakeMachine({ phbs: [{ bridge: { kind: 'downstream' } }] });
    machine.sim.run({ process: machine.sim.spawn('boot', machine.kernel.boot()) });
    const pe = machine.kernel.pe(0, 0xfc)!;
    expect(pe.parent?.address).toBe(0xfd);
    expect(pe.edevs.map((edev) => edev.bdfn)).toEqual([0x200]);
    expect(edevOf(machine.kernel.device('0000:01:00.0')!)!.mode).toBe(0x205);
    const vectors = machine.opal.calls.filter((call) => call.startsWith('SET_PELTV'));
    expect(vectors.slice(-3)).toEqual(['SET_PELTV(fc,fc,1)', 'SET_PELTV(fd,fc,1)', 'SET_PELTV(fe,fc,1)']);
    expect(machine.kernel.device('0000:02:00.0')!.cpuAddress(0)).toBe(0x3ff8_0000_0000);
  });

  it('is reset by bridge control, 250 on and 1800 off, with surprise link down masked', () => {
    const machine = machineWith({ bridge: { kind: 'downstream' } });
    const took = recoverMs(machine);
    expect(took).toBe(250 + 1800);
    expect(bridgeControl(machine)).toEqual(['CFGW(100,3e,2,42)', 'CFGW(100,3e,2,2)']);
    const mask = machine.opal.calls.filter((call) => call.startsWith('CFGW(100,108,4'));
    expect(mask).toEqual(['CFGW(100,108,4,20)', 'CFGW(100,108,4,0)']);
    expect(machine.opal.calls.filter((call) => call.startsWith('RESET'))).toEqual([]);
  });

  it('is reset by firmware where the bridge has such a slot, without settle time of the kernel', () => {
    const slot = { bridge: ENDPOINT, reset: 'by-firmware' } as const;
    const machine = machineWith({ bridge: { kind: 'downstream' }, slot });
    machine.phb.resetScripts.push([250, 249, 1800, 20, 0]);
    expect(recoverMs(machine)).toBe(249 + 1800 + 20);
    expect(bridgeControl(machine)).toEqual([]);
    expect(machine.opal.calls).toContain(`RESET(${slotId(0, ENDPOINT).toString(16)},4,1)`);
  });

  it('waits for its blocked child below a switch port as documented', () => {
    const machine = machineWith({ bridge: { kind: 'downstream' }, powerManagement: 'present' });
    // Speeds unknown and no link reporting: 1100; twice hold and settle.
    machine.phb.functions.get(ENDPOINT)!.set('LNKCAP2', 0);
    machine.phb.functions.get(ENDPOINT)!.set('LNKCAP', 0);
    expect(recoverMs(machine)).toBe(2050 + 1100 + 65_535 + 250);
  });

  it('waits a fixed time below a conventional bridge', () => {
    const machine = machineWith({ bridge: { kind: 'conventional' }, powerManagement: 'present' });
    expect(recoverMs(machine)).toBe(2050 + 1100);
  });

  it('is reset fundamentally by firmware if a driver wants it', () => {
    const slot = { bridge: ENDPOINT, reset: 'by-firmware' } as const;
    const machine = machineWith({ bridge: { kind: 'downstream' }, slot });
    machine.kernel.device('0000:02:00.0')!.resetWish = 'fundamental';
    machine.phb.resetScripts.push([50, 49, 50, 20, 0]);
    expect(recoverMs(machine)).toBe(49 + 50 + 20);
    expect(machine.opal.calls).toContain(`RESET(${slotId(0, ENDPOINT).toString(16)},5,1)`);
  });

  it('unplugs bridges with a full hotplug and finds the whole branch again', () => {
    const unaware = new StubDriver('unaware');
    const machine = new FakeMachine({
      phbs: [{ bridge: { kind: 'downstream' } }],
      kernel: { drivers: [unaware] },
    }).boot();
    machine.kernel.forceRecovery(machine.kernel.pe(0, 0xfd)!);
    machine.runFor(60);
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
    expect(unaware.diary).toEqual(['probe 0000:02:00.0', 'remove 0000:02:00.0', 'probe 0000:02:00.0']);
    expect(machine.kernel.pe(0, 0xfc)!.edevs).toHaveLength(1);
    expect(machine.kernel.pe(0, 0xfd)!.edevs).toHaveLength(1);
    // The PE stands for the bus that is there now, not for the one that was unplugged.
    const { bus } = machine.kernel.device('0000:02:00.0')!;
    expect(machine.kernel.tree.busOf(machine.kernel.pe(0, 0xfc)!)).toBe(bus);
    machine.detect();
    machine.runFor(60);
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
    expect(unaware.diary).toHaveLength(5);
  });
});

describe('the link check of a restored port', () => {
  const restore = (prepare: (machine: FakeMachine) => void): number => {
    const machine = machineWith({});
    prepare(machine);
    const start = machine.sim.now;
    machine.kernel.forceRecovery(machine.kernel.pe(0, 0xfe)!);
    machine.runFor(120);
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
    // Three restores besides the root reset and its settle time.
    return Math.round((machine.kernel.log.records.at(-1)!.timeNs - start) / 1e6) - 2199 - 1800;
  };
  const port = (machine: FakeMachine) => machine.phb.functions.get(ROOT_PORT)!;

  it('takes one poll where the port reports its link', () => {
    expect(restore(() => {})).toBe(3 * 20);
  });

  it('is skipped for an empty slot', () => {
    expect(restore((machine) => port(machine).set('SLTSTA', 0))).toBe(0);
  });

  it('switches a slot on that was off, and gives it 2 s', () => {
    const took = restore((machine) => {
      port(machine).set('SLTCAP', 0x2);
      port(machine).set('SLTCTL', 0x0700);
    });
    expect(took).toBe(2000 + 3 * 20);
  });

  it('gives up on the link after 5 s and goes on', () => {
    expect(restore((machine) => port(machine).set('LNKSTA', 0)) - 3 * 5000).toBeLessThanOrEqual(2);
  });
});
