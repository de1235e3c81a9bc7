import { describe, expect, it } from 'vitest';
import { mergeVotes, VOTES } from '../../src/eeh/drivers/votes.js';
import { FakeMachine } from './fake-machine.js';
import { AWARE, StubDriver, type StubVotes } from './stub-driver.js';

interface Outcome {
  readonly machine: FakeMachine;
  readonly driver: StubDriver;
  readonly eeh: string[];
  readonly calls: string[];
}

/** One endpoint with a driver of these votes; its PE freezes and a load finds it. */
function recover(votes: StubVotes | 'unaware'): Outcome {
  const driver = new StubDriver(votes);
  const machine = new FakeMachine({ kernel: { drivers: [driver] } }).boot();
  driver.diary.length = 0;
  machine.detect();
  machine.runFor(30);
  return { machine, driver, eeh: machine.eeh, calls: machine.opal.calls };
}

const DEVICE = 'PCI 0000:01:00.0#00fd: EEH: ';

describe('votes', () => {
  it('merge by priority, in either order', () => {
    expect(VOTES).toEqual(['none', 'no AER driver', 'recovered', 'can recover', 'disconnect', 'need reset']);
    expect(mergeVotes('can recover', 'disconnect')).toBe('disconnect');
    expect(mergeVotes('disconnect', 'can recover')).toBe('disconnect');
    expect(mergeVotes('disconnect', 'need reset')).toBe('need reset');
  });

  it('of an aware driver lead to a reset without hotplug; the log is that of a real recovery', () => {
    const { eeh, driver, machine } = recover(AWARE);
    expect(eeh.filter((line) => !line.startsWith('EEH: PCI'))).toEqual([
      'EEH: Recovering PHB#0-PE#fd',
      'EEH: PE location: N/A, PHB location: N/A',
      'EEH: Frozen PHB#0-PE#fd detected',
      'EEH: Call Trace:',
      'EEH: [(____ptrval____)] __eeh_send_failure_event+0x7c/0x160',
      'EEH: [(____ptrval____)] eeh_dev_check_failure+0x2f0/0x650',
      'EEH: [(____ptrval____)] eeh_check_failure+0x98/0x100',
      'EEH: [(____ptrval____)] nic_poll+0x40/0x120 [nic]',
      'EEH: This PCI device has failed 1 times in the last hour and will be permanently disabled after 5 failures.',
      'EEH: Notify device drivers to shutdown',
      "EEH: Beginning: 'error_detected(IO frozen)'",
      `${DEVICE}Invoking nic->error_detected(IO frozen)`,
      `${DEVICE}nic driver reports: 'need reset'`,
      "EEH: Finished:'error_detected(IO frozen)' with aggregate recovery state:'need reset'",
      'EEH: Collect temporary log',
      'EEH: of node=0000:01:00.0',
      'pnv_pci_dump_phb_diag_data: Unrecognized ioType 0',
      'EEH: Reset without hotplug activity',
      "EEH: Beginning: 'slot_reset'",
      `${DEVICE}Invoking nic->slot_reset()`,
      `${DEVICE}nic driver reports: 'recovered'`,
      "EEH: Finished:'slot_reset' with aggregate recovery state:'recovered'",
      'EEH: Notify device driver to resume',
      "EEH: Beginning: 'resume'",
      `${DEVICE}Invoking nic->resume()`,
      `${DEVICE}nic driver reports: 'none'`,
      "EEH: Finished:'resume'",
      'EEH: Recovery successful.',
    ]);
    expect(driver.diary).toEqual(['error frozen', 'reset', 'resume']);
    expect(machine.kernel.pe(0, 0xfd)!.state).toBe(0x800);
    expect(machine.kernel.device('0000:01:00.0')!.channel).toBe('normal');
    expect(machine.phb.frozen.get(0xfd)).toBe(0);
  });

  it('of an aware driver cost the firmware delay and the settle time, nothing else', () => {
    const driver = new StubDriver(AWARE);
    const machine = new FakeMachine({ kernel: { drivers: [driver] } }).boot();
    const start = machine.sim.now;
    machine.detect();
    machine.runFor(10);
    const end = machine.kernel.log.records.find((record) => record.text === 'EEH: Recovery successful.')!;
    const tookMs = (end.timeNs - start) / 1e6;
    expect(tookMs).toBeGreaterThan(2199 + 1800);
    expect(tookMs).toBeLessThan(2200 + 1800 + 5);
  });

  it('CAN_RECOVER thaws MMIO, asks again, thaws DMA and never resets', () => {
    const { calls, driver, machine, eeh } = recover({ ...AWARE, error: 'can recover', mmio: 'can recover' });
    expect(calls.filter((call) => call.startsWith('RESET'))).toEqual([]);
    expect(driver.diary).toEqual(['error frozen', 'mmio', 'resume']);
    const from = eeh.indexOf('EEH: Enable I/O for affected devices');
    expect(eeh.slice(from)).toEqual([
      'EEH: Enable I/O for affected devices',
      'EEH: Notify device drivers to resume I/O',
      "EEH: Beginning: 'mmio_enabled'",
      `${DEVICE}Invoking nic->mmio_enabled()`,
      `${DEVICE}nic driver reports: 'can recover'`,
      "EEH: Finished:'mmio_enabled' with aggregate recovery state:'can recover'",
      'EEH: Enabled DMA for affected devices',
      'EEH: Notify device driver to resume',
      "EEH: Beginning: 'resume'",
      `${DEVICE}Invoking nic->resume()`,
      `${DEVICE}nic driver reports: 'none'`,
      "EEH: Finished:'resume'",
      'EEH: Recovery successful.',
    ]);
    expect(machine.phb.frozen.get(0xfd)).toBe(0);
    expect(machine.kernel.pe(0, 0xfd)!.state).toBe(0x800);
  });

  it('CAN_RECOVER without an mmio_enabled handler is good enough too', () => {
    const { driver, eeh } = recover({ error: 'can recover', resume: 'present' });
    expect(driver.diary).toEqual(['error frozen', 'resume']);
    expect(eeh).toContain(`${DEVICE}nic driver reports: 'none'`);
    expect(eeh.at(-1)).toBe('EEH: Recovery successful.');
  });

  it('CAN_RECOVER that turns into NEED_RESET after the thaw resets', () => {
    const { driver, eeh } = recover({ ...AWARE, error: 'can recover', mmio: 'need reset' });
    expect(driver.diary).toEqual(['error frozen', 'mmio', 'reset', 'resume']);
    expect(eeh.at(-1)).toBe('EEH: Recovery successful.');
  });

  it('CAN_RECOVER that turns into DISCONNECT fails', () => {
    const { driver, machine } = recover({ ...AWARE, error: 'can recover', mmio: 'disconnect' });
    expect(driver.diary).toEqual(['error frozen', 'mmio', 'remove 0000:01:00.0']);
    expect(machine.kernel.device('0000:01:00.0')).toBeUndefined();
  });

  it('DISCONNECT fails before any thaw or reset, and tells no driver of the permanent failure', () => {
    const { driver, eeh, calls, machine } = recover({ ...AWARE, error: 'disconnect' });
    expect(driver.diary).toEqual(['error frozen', 'remove 0000:01:00.0']);
    expect(calls.filter((call) => call.startsWith('RESET'))).toEqual([]);
    const from = eeh.findIndex((line) => line.startsWith('EEH: Unable'));
    expect(eeh[from]).toBe(
      'EEH: Unable to recover from failure from PHB#0-PE#fd.\nPlease try reseating or replacing it',
    );
    expect(eeh.slice(-3)).toEqual([
      "EEH: Beginning: 'error_detected(permanent failure)'",
      `${DEVICE}not actionable (1,1,1)`,
      "EEH: Finished:'error_detected(permanent failure)'",
    ]);
    // The log was collected after MMIO was thawed, so that drivers can quiet their devices.
    expect(calls).toContain('CLEAR(fd,1)');
    expect(calls).not.toContain('CLEAR(fd,2)');
    expect(machine.kernel.controllers[0]!.findNode(0x100)!.edev!.refusesConfig).toBe(true);
  });

  it('tells drivers of the permanent failure when booted as a kernel with the later fix', () => {
    const driver = new StubDriver({ ...AWARE, error: 'disconnect' });
    const quirks = { permanentFailureNotice: 'drivers-told' } as const;
    const machine = new FakeMachine({ kernel: { drivers: [driver], quirks } }).boot();
    machine.detect();
    machine.runFor(5);
    expect(driver.diary).toContain('error perm-failure');
    expect(machine.kernel.uevents.at(-1)).toEqual({
      device: '0000:01:00.0',
      errorEvent: 'FAILED_RECOVERY',
      deviceOnline: 0,
    });
  });

  it('RECOVERED in the error pass resumes at once and leaves the PE frozen', () => {
    const { driver, machine, calls } = recover({ ...AWARE, error: 'recovered' });
    expect(driver.diary).toEqual(['error frozen', 'resume']);
    expect(calls.filter((call) => /^(RESET|CLEAR)/.test(call))).toEqual([]);
    expect(machine.phb.frozen.get(0xfd)).toBe(3);
    expect(machine.kernel.pe(0, 0xfd)!.state).toBe(0x801);
  });

  it('NO_AER_DRIVER alone fails', () => {
    const { eeh } = recover({ error: 'no AER driver' });
    expect(eeh.at(-1)).toBe("EEH: Finished:'error_detected(permanent failure)'");
  });

  it.each(['need reset', 'can recover', 'disconnect'] as const)(
    '%s in the reset pass fails without a second try',
    (vote) => {
      const { driver, calls, machine } = recover({ ...AWARE, reset: vote });
      expect(driver.diary).toEqual(['error frozen', 'reset', 'remove 0000:01:00.0']);
      expect(calls.filter((call) => call === 'RESET(0,4,1)')).toHaveLength(1);
      expect(machine.kernel.device('0000:01:00.0')).toBeUndefined();
    },
  );

  it('NONE in the reset pass resumes', () => {
    const { driver, eeh } = recover({ ...AWARE, reset: 'none' });
    expect(driver.diary).toEqual(['error frozen', 'reset', 'resume']);
    expect(eeh.at(-1)).toBe('EEH: Recovery successful.');
  });

  it('tell udev what becomes of the device', () => {
    const { machine } = recover(AWARE);
    expect(machine.kernel.uevents).toEqual([
      { device: '0000:01:00.0', errorEvent: 'BEGIN_RECOVERY', deviceOnline: 0 },
      { device: '0000:01:00.0', errorEvent: 'SUCCESSFUL_RECOVERY', deviceOnline: 1 },
    ]);
  });

  it('tell udev of the end, whatever the driver answers to a permanent failure', () => {
    const driver = new StubDriver({ ...AWARE, reset: 'disconnect' });
    const quirks = { permanentFailureNotice: 'drivers-told' } as const;
    const machine = new FakeMachine({ kernel: { drivers: [driver], quirks } }).boot();
    machine.detect();
    machine.runFor(30);
    expect(driver.diary.slice(1)).toEqual(['error frozen', 'reset', 'error perm-failure', 'remove 0000:01:00.0']);
    expect(machine.kernel.uevents).toEqual([
      { device: '0000:01:00.0', errorEvent: 'BEGIN_RECOVERY', deviceOnline: 0 },
      { device: '0000:01:00.0', errorEvent: 'FAILED_RECOVERY', deviceOnline: 0 },
    ]);
  });
});

describe('a device whose driver knows nothing of EEH', () => {
  it('is not told to resume after it was found again: its driver heard of no error', () => {
    const { driver, machine, eeh } = recover({ resume: 'present' });
    expect(driver.diary).toEqual(['remove 0000:01:00.0', 'probe 0000:01:00.0']);
    expect(eeh).toContain(`${DEVICE}driver bound too late`);
    expect(machine.kernel.uevents).toEqual([]);
  });

  it('is unplugged, reset, and found again after five seconds', () => {
    const { driver, eeh, machine, calls } = recover('unaware');
    expect(driver.diary).toEqual(['remove 0000:01:00.0', 'probe 0000:01:00.0']);
    expect(eeh).toContain(`${DEVICE}driver not EEH aware`);
    const from = eeh.indexOf('EEH: Reset with hotplug activity');
    expect(eeh.slice(from)).toEqual([
      'EEH: Reset with hotplug activity',
      'EEH: Sleep 5s ahead of complete hotplug',
      'EEH: Notify device driver to resume',
      "EEH: Beginning: 'resume'",
      `${DEVICE}driver not EEH aware`,
      "EEH: Finished:'resume'",
      'EEH: Recovery successful.',
    ]);
    const records = machine.kernel.log.records;
    const at = (text: string): number => records.find((record) => record.text === text)!.timeNs / 1e6;
    const pause = at('EEH: Notify device driver to resume') - at('EEH: Sleep 5s ahead of complete hotplug');
    expect(pause).toBeGreaterThanOrEqual(5000);
    expect(pause).toBeLessThan(5002);
    expect(at('EEH: Sleep 5s ahead of complete hotplug') - at('EEH: Reset with hotplug activity')).toBeCloseTo(
      3999,
      -1,
    );
    expect(calls.filter((call) => call.startsWith('RESET'))).toEqual(['RESET(0,4,1)', 'RESET(0,4,0)']);
    expect(machine.kernel.pe(0, 0xfd)!.state).toBe(0x800);
  });

  it('has its hardware PE released and set up again by the calls a real kernel makes', () => {
    const { calls } = recover('unaware');
    const from = calls.indexOf('MAP_DMA(fd,1fa,0)');
    const relevant = calls.slice(from).filter((call) => !/^(CFGW|POLL|STATUS|REINIT|DIAG)/.test(call));
    expect(relevant).toEqual([
      ...['MAP_DMA(fd,1fa,0)', 'MAP_DMA_REAL(fd,1fb,0)', 'MAP_MMIO(ff,0)', 'SET_PELTV(fe,fd,0)', 'CLEAR(fd,3)'],
      ...['SET_PELTV(fd,fd,0)', 'SET_PE(fd,100,0)', 'SET(fd,3)', 'RESET(0,4,1)', 'RESET(0,4,0)'],
      // The freeze of the reset, found anew and cleared.
      ...['SET(fd,3)', 'CLEAR(fd,1)', 'CLEAR(fd,2)'],
      ...['CLEAR(fd,3)', 'SET_PE(fd,100,1)', 'CLEAR(fd,3)', 'SET_PELTV(fd,fd,1)', 'SET_PELTV(fe,fd,1)'],
      ...['MAP_MMIO(fd,0)', 'MAP_MMIO(fd,0)', 'MAP_DMA(fd,1fa,2)', 'MAP_DMA_REAL(fd,1fb,40000000)'],
    ]);
  });

  it('counts as nobody when there is no driver at all, or one without error_detected', () => {
    const machine = new FakeMachine().boot();
    machine.detect();
    machine.runFor(30);
    expect(machine.eeh).toContain(`${DEVICE}no driver`);
    expect(machine.eeh).toContain('EEH: Sleep 5s ahead of complete hotplug');
    const { driver, eeh } = recover({ reset: 'recovered' });
    expect(driver.diary).toEqual(['remove 0000:01:00.0', 'probe 0000:01:00.0']);
    expect(eeh).toContain(`${DEVICE}nic driver reports: 'none'`);
    expect(eeh).toContain(`${DEVICE}driver bound too late`);
  });

  it('is alone unplugged when it shares its PE with an aware one', () => {
    const aware = new StubDriver(AWARE);
    const unaware = new StubDriver('unaware', { name: 'old', deviceId: 0xf002 });
    const phbs = [{ functions: [0xf002] }];
    const machine = new FakeMachine({ phbs, kernel: { drivers: [aware, unaware] } }).boot();
    machine.detect();
    machine.runFor(30);
    expect(aware.diary).toEqual(['probe 0000:01:00.0', 'error frozen', 'reset', 'resume']);
    expect(unaware.diary).toEqual(['probe 0000:01:00.1', 'remove 0000:01:00.1', 'probe 0000:01:00.1']);
    expect(machine.eeh).toContain('EEH: Removing 0000:01:00.1 without EEH sensitive driver');
    expect(machine.eeh).toContain('EEH: Sleep 5s ahead of partial hotplug');
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
  });
});
