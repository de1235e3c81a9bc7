/** PEs in the hands of a guest or of user space. Facts: eeh-linux 15. */
import { describe, expect, it } from 'vitest';
import { PeState } from '../../src/eeh/eeh-flags.js';
import { edevOf } from '../../src/eeh/eeh-pe.js';
import { OwnerState, VFIO_EEH_CAPABILITY, VfioEehOp } from '../../src/eeh/passthrough.js';
import type { PciDevice } from '../../src/eeh/pci/device.js';
import { FakeMachine, type FakePhbOptions } from './fake-machine.js';
import { AWARE, StubDriver } from './stub-driver.js';

const ENDPOINT = '0000:01:00.0';
const calls = (machine: FakeMachine): string[] => machine.opal.calls.filter((call) => !/^(CFGW|POLL)/.test(call));

function booted(phb: FakePhbOptions = {}, drivers: StubDriver[] = []) {
  const machine = new FakeMachine({ phbs: [phb], kernel: { drivers } }).boot();
  const device = machine.kernel.device(ENDPOINT)!;
  return { machine, device, pe: machine.kernel.pe(0, 0xfd)!, passed: machine.kernel.passed };
}

describe('a device handed out', () => {
  it('makes its PE a passed one for as long as any device of it is out', () => {
    const { machine, device, pe, passed } = booted();
    expect(machine.run(passed.open(device))).toBe(0);
    expect(machine.run(passed.open(device))).toBe(0);
    expect([pe.isPassed, pe.passedDevices]).toEqual([true, 2]);
    machine.run(passed.release(device));
    expect(pe.isPassed).toBe(true);
    machine.run(passed.release(device));
    machine.run(passed.release(device));
    expect(pe.passedDevices).toBe(0);
  });

  it('that is none, or has no record or PE, is refused, and its return changes nothing', () => {
    const { machine, device, passed } = booted();
    edevOf(device)!.pe = undefined;
    for (const nothing of [undefined, device]) {
      expect(machine.run(passed.open(nothing))).toBe(-19);
      machine.run(passed.release(nothing));
    }
    expect(machine.opal.calls).toEqual([]);
  });

  it('in a frozen PE is thawed first, for the owner cannot know', () => {
    const { machine, device, pe, passed } = booted();
    machine.phb.freeze(0xfd);
    expect(machine.run(passed.open(device))).toBe(0);
    expect(machine.phb.frozen.get(0xfd)).toBe(0);
    expect([pe.in(PeState.ISOLATED), device.channel]).toEqual([false, 'normal']);
    expect(calls(machine)).not.toContain('RESET(0,4,1)');
  });

  it('in a PE that does not thaw stays with the kernel', () => {
    const { machine, device, pe, passed } = booted();
    machine.phb.freeze(0xfd);
    machine.opal.fail.set('CLEAR', -6);
    expect(machine.run(passed.open(device))).toBe(-5);
    expect(pe.isPassed).toBe(false);
  });

  it('in a PE that firmware gave up is handed out as it is', () => {
    const { machine, device, passed } = booted();
    machine.phb.freeze(0xfd, 6);
    expect(machine.run(passed.open(device))).toBe(0);
  });

  it.each([
    [0x19a2, 0x0710],
    [0x10df, 0xe220],
    [0x14e4, 0x1657],
  ])('%i:%i, which a thaw does not help, is reset with its config space saved and restored', (vendorId, deviceId) => {
    const { machine, device, pe, passed } = booted({ vendorId, deviceId });
    machine.run(machine.kernel.services.enableDevice(device));
    const line = machine.phb.functions.get(0x100)!;
    machine.run(machine.kernel.services.writeConfig(device, 0x3c, 1, 0x77));
    machine.phb.freeze(0xfd);
    expect(machine.run(passed.open(device))).toBe(0);
    expect(calls(machine)).toContain('RESET(0,4,1)');
    expect(machine.phb.frozen.get(0xfd)).toBe(0);
    expect(pe.state & ~PeState.CFG_RESTRICTED).toBe(PeState.PRI_BUS);
    // A device of the restricted kind has its header from when it was probed.
    expect(line.read(0x3c, 1)).toBe(pe.in(PeState.CFG_RESTRICTED) ? 0 : 0x77);
    expect(machine.eeh.join()).not.toContain('Recovering');
  });

  it('of that kind is left alone while somebody recovers it', () => {
    const { machine, device, pe, passed } = booted({ vendorId: 0x19a2, deviceId: 0x0710 });
    machine.phb.freeze(0xfd);
    pe.markState(PeState.RECOVERING);
    expect(machine.run(passed.open(device))).toBe(0);
    expect(calls(machine).join()).not.toContain('RESET');
  });

  it.each([
    ['RESET', -5],
    ['CLEAR', -5],
  ])('of that kind stays with the kernel if %s fails', (call, rc) => {
    const { machine, device, pe, passed } = booted({ vendorId: 0x19a2, deviceId: 0x0710 });
    device.resetWish = 'fundamental';
    machine.phb.freeze(0xfd);
    machine.opal.fail.set(call, -6);
    expect(machine.run(passed.open(device))).toBe(rc);
    expect([pe.isPassed, pe.in(PeState.RECOVERING)]).toEqual([false, false]);
  });

  it('is not unplugged with its bus when a recovery resets what is above it', () => {
    const driver = new StubDriver('unaware');
    const { machine, device, passed } = booted({}, [driver]);
    machine.run(passed.open(device));
    machine.kernel.forceRecovery(machine.kernel.pe(0, 0xfe)!);
    machine.runFor(30);
    expect(driver.diary).toEqual([`probe ${ENDPOINT}`]);
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
    expect(machine.eeh).toContain('EEH: Passed-through PE PHB#0-PE#fd was thawed by reset, re-freezing for safety.');
    expect(machine.phb.frozen.get(0xfd)).toBe(3);
  });

  it('makes the complete hotplug of its PHB take out the others one by one, bridges excepted', () => {
    const others = [new StubDriver('unaware', { name: 'other', deviceId: 0xf002 })];
    const { machine, passed, device } = booted({ functions: [0xf002] }, others);
    machine.run(passed.open(device));
    machine.kernel.pe(0, 0xfd)!.passedDevices = 0;
    machine.kernel.pe(0, 0xfe)!.passedDevices = 1;
    machine.kernel.forceRecovery(machine.kernel.pe(0, 'phb')!);
    machine.runFor(30);
    for (const name of ['0000:01:00.0', '0000:01:00.1']) {
      expect(machine.eeh).toContain(`EEH: Removing ${name} without EEH sensitive driver`);
    }
    expect(machine.eeh).toContain('EEH: Sleep 5s ahead of complete hotplug');
    expect(others[0]!.diary).toEqual(['probe 0000:01:00.1', 'remove 0000:01:00.1', 'probe 0000:01:00.1']);
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
  });
});

describe('the owner of a passed PE', () => {
  const op = (setup: ReturnType<typeof booted>, number: number): number =>
    setup.machine.run(setup.passed.vfio(setup.pe, number));

  it('asks under the numbers and the capability that user space knows', () => {
    expect(Object.values(VfioEehOp)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(VFIO_EEH_CAPABILITY).toBe(5);
    const setup = booted();
    expect([op(setup, VfioEehOp.DISABLE), op(setup, VfioEehOp.CONFIGURE), op(setup, 10)]).toEqual([0, 0, -22]);
    expect(setup.machine.run(setup.passed.vfio(undefined, VfioEehOp.GET_STATE))).toBe(-19);
  });

  it.each([
    [0, OwnerState.NORMAL],
    [1, OwnerState.UNAVAILABLE],
    [2, OwnerState.STOPPED_DMA],
    [3, OwnerState.STOPPED_IO_DMA],
    [4, OwnerState.RESET],
    [5, OwnerState.STOPPED_IO_DMA],
  ])('of freeze state %i is told %i', (bits, told) => {
    const setup = booted();
    setup.machine.phb.freeze(0xfd, bits);
    expect(op(setup, VfioEehOp.GET_STATE)).toBe(told);
  });

  it('has to wait while the PE above is isolated or recovering, unless its own was given up', () => {
    const setup = booted();
    for (const state of [PeState.ISOLATED, PeState.RECOVERING]) {
      setup.pe.parent!.state |= state;
      expect(op(setup, VfioEehOp.GET_STATE)).toBe(OwnerState.UNAVAILABLE);
      setup.pe.parent!.state &= ~state;
    }
    setup.pe.parent!.state |= PeState.ISOLATED;
    setup.pe.state |= PeState.REMOVED;
    expect(op(setup, VfioEehOp.GET_STATE)).toBe(OwnerState.NORMAL);
  });

  it('enables EEH, which thaws, as long as the kernel has it on', () => {
    const setup = booted();
    setup.machine.phb.freeze(0xfd);
    expect(op(setup, VfioEehOp.ENABLE)).toBe(0);
    expect(setup.machine.phb.frozen.get(0xfd)).toBe(0);
    setup.machine.kernel.settings.forceDisabled = 'yes';
    expect(op(setup, VfioEehOp.ENABLE)).toBe(-5);
  });

  it('thaws MMIO and DMA apart', () => {
    const setup = booted();
    setup.machine.phb.freeze(0xfd);
    expect(op(setup, VfioEehOp.UNFREEZE_IO)).toBe(0);
    expect(setup.machine.phb.frozen.get(0xfd)).toBe(2);
    expect(op(setup, VfioEehOp.UNFREEZE_DMA)).toBe(0);
    expect(setup.machine.phb.frozen.get(0xfd)).toBe(0);
  });

  it.each([
    [VfioEehOp.RESET_HOT, 'RESET(0,4,1)'],
    [VfioEehOp.RESET_FUNDAMENTAL, 'RESET(0,5,1)'],
  ])('resets by %i and ends it by deactivating: %s', (number, call) => {
    const setup = booted();
    const { machine, device, pe, passed } = setup;
    machine.run(passed.open(device));
    machine.opal.calls.length = 0;
    expect(op(setup, number)).toBe(0);
    expect(pe.in(PeState.CFG_BLOCKED)).toBe(true);
    expect(calls(machine).slice(0, 2)).toEqual(['SET(fd,3)', call]);
    expect(op(setup, VfioEehOp.RESET_DEACTIVATE)).toBe(0);
    expect(pe.in(PeState.CFG_BLOCKED | PeState.ISOLATED)).toBe(false);
    expect(machine.phb.frozen.get(0xfd)).toBe(0);
  });

  it('finds the bus of its PE under the lock that a recovery elsewhere holds, and waits for it', () => {
    const driver = new StubDriver(AWARE);
    const machine = new FakeMachine({ phbs: [{}, {}], kernel: { drivers: [driver] } }).boot();
    const pe = machine.kernel.pe(1, 0xfd)!;
    pe.clearState(PeState.PRI_BUS);
    machine.detect();
    machine.runFor(0.5);
    machine.run(machine.kernel.passed.vfio(pe, VfioEehOp.RESET_HOT));
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
    expect(machine.kernel.context.rescanLock.hungTasks).toEqual([]);
  });

  it('injects errors of the known types and functions', () => {
    const { machine, pe, passed } = booted();
    const inject = (type: number, which: number): number => {
      const request = { type, function: which, address: 0n, mask: 0n };
      return machine.run(passed.vfio(pe, VfioEehOp.INJECT_ERR, request));
    };
    expect([inject(2, 0), inject(-1, 0), inject(0, 20), inject(0, -1)]).toEqual([-22, -22, -22, -22]);
    expect(machine.eeh).toEqual([]);
    expect([inject(0, 0), inject(1, 19)]).toEqual([0, 0]);
    expect(calls(machine)).toEqual(['INJECT(fd,0,0)', 'INJECT(fd,1,13)']);
    machine.opal.knowsInjection = 0;
    expect(inject(0, 0)).toBe(-6);
    expect(machine.eeh).toEqual(["pnv_eeh_err_inject: Firmware doesn't support error injection"]);
    expect(machine.run(passed.vfio(pe, VfioEehOp.INJECT_ERR))).toBe(-22);
  });
});

describe('a device that its driver holds in reset', () => {
  function held(line: 'hot' | 'warm') {
    const driver = new StubDriver(AWARE);
    const setup = booted({ functions: [0xf002] }, [driver]);
    const { machine, device } = setup;
    const other = machine.kernel.device('0000:01:00.1') as PciDevice;
    machine.run(machine.kernel.services.enableDevice(other));
    machine.opal.calls.length = 0;
    expect(machine.run(machine.kernel.resetLine.set(device, line))).toBe(0);
    return { ...setup, other };
  }

  it('isolates and freezes its PE, silences the other functions, and blocks config space', () => {
    const { machine, pe } = held('hot');
    expect(pe.state & (PeState.ISOLATED | PeState.CFG_BLOCKED)).toBe(PeState.ISOLATED | PeState.CFG_BLOCKED);
    const config = machine.opal.calls.filter((call) => call.startsWith('CFGW'));
    expect(config).toEqual(['CFGW(101,4,2,400)']);
    expect(calls(machine).filter((call) => !/REINIT/.test(call))).toEqual([
      'SET(fd,3)',
      'RESET(0,4,1)',
      'RESET(0,4,0)',
    ]);
    expect(machine.eeh).toEqual([]);
  });

  it('gets a fundamental reset for a warm one', () => {
    expect(calls(held('warm').machine)).toEqual(['SET(fd,3)', 'RESET(0,5,1)']);
  });

  it('comes back with the others as they were', () => {
    const { machine, device, pe } = held('hot');
    machine.opal.calls.length = 0;
    expect(machine.run(machine.kernel.resetLine.set(device, 'deassert'))).toBe(0);
    expect(pe.state).toBe(PeState.PRI_BUS);
    expect(device.channel).toBe('normal');
    expect(machine.phb.frozen.get(0xfd)).toBe(0);
    expect(machine.phb.functions.get(0x101)!.get('COMMAND')).toBe(0x0002);
    expect(calls(machine)).toContain('REINIT(100)');
    expect(machine.opal.calls.filter((call) => call.startsWith('CFGW(100'))).toEqual([]);
  });

  it('without a PE is refused', () => {
    const { machine, device } = booted();
    edevOf(device)!.pe = undefined;
    expect(machine.run(machine.kernel.resetLine.set(device, 'hot'))).toBe(-22);
    const [record] = machine.kernel.log.records;
    expect([record?.level, record?.text]).toEqual([
      'err',
      'pcibios_set_pcie_reset_state: No PE found on PCI device 0000:01:00.0',
    ]);
  });
});
