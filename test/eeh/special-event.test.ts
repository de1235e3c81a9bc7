import { describe, expect, it } from 'vitest';
import { PeState } from '../../src/eeh/eeh-flags.js';
import { PciError, Severity } from '../../src/opal/opal-api.js';
import { FakeMachine, type FakeMachineOptions } from './fake-machine.js';
import { AWARE, StubDriver } from './stub-driver.js';

function machineWith(options: FakeMachineOptions = {}): FakeMachine {
  const kernel = { drivers: [new StubDriver(AWARE)], ...options.kernel };
  return new FakeMachine({ ...options, kernel }).boot();
}

describe('the error interrupt', () => {
  it('of a fenced PHB leads to its complete reset; the log is that of a real recovery', () => {
    const machine = machineWith({ phbs: [{ port: ['slot'] }] });
    machine.phb.condition = 'fenced';
    machine.opal.raiseError();
    machine.runFor(30);
    const device = 'PCI 0000:01:00.0#00fd: EEH: ';
    const port = 'PCI 0000:00:00.0#00fe: EEH: ';
    expect(machine.eeh).toEqual([
      'EEH: Fenced PHB#0 detected, location: N/A',
      'EEH: Recovering PHB#0, location: N/A',
      'EEH: This PCI device has failed 1 times in the last hour and will be permanently disabled after 5 failures.',
      'EEH: Notify device drivers to shutdown',
      "EEH: Beginning: 'error_detected(IO frozen)'",
      `${port}no driver`,
      `${device}Invoking nic->error_detected(IO frozen)`,
      `${device}nic driver reports: 'need reset'`,
      "EEH: Finished:'error_detected(IO frozen)' with aggregate recovery state:'need reset'",
      'EEH: Collect temporary log',
      'pnv_pci_dump_phb_diag_data: Unrecognized ioType 0',
      'EEH: Reset without hotplug activity',
      "EEH: Beginning: 'slot_reset'",
      `${port}no driver`,
      `${device}Invoking nic->slot_reset()`,
      `${device}nic driver reports: 'recovered'`,
      "EEH: Finished:'slot_reset' with aggregate recovery state:'recovered'",
      'EEH: Notify device driver to resume',
      "EEH: Beginning: 'resume'",
      `${port}no driver`,
      `${device}Invoking nic->resume()`,
      `${device}nic driver reports: 'none'`,
      "EEH: Finished:'resume'",
      'EEH: Recovery successful.',
    ]);
    const records = machine.kernel.log.records;
    const tookMs = (records.at(-1)!.timeNs - records[0]!.timeNs) / 1e6;
    // Complete reset, settle time, two restores of a port without link reporting.
    expect(tookMs).toBeGreaterThan(2400 + 1800 + 2000);
    expect(tookMs).toBeLessThan(2450 + 1800 + 2000);
    const calls = machine.opal.calls.filter((call) => !/^(CFGW|POLL)/.test(call));
    expect(calls).toEqual([
      ...['HANDLE_INTERRUPT(fff)', 'NEXT(0)', 'DIAG(0)', 'STATUS(0)', 'SET(0,3)', 'RESET(0,1,1)', 'RESET(0,1,0)'],
      ...['REINIT(0)', 'REINIT(100)', 'STATUS(0)', 'STATUS(0)', 'STATUS(0)', 'REINIT(0)', 'REINIT(100)'],
      ...['STATUS(0)', 'STATUS(0)', 'STATUS(fe)', 'STATUS(fe)', 'STATUS(fd)', 'STATUS(fd)', 'NEXT(0)'],
    ]);
    expect(machine.kernel.pe(0, 'phb')!.state).toBe(0);
  });

  it('of a frozen PE freezes it whole, captures its log at once and recovers it', () => {
    const machine = machineWith();
    machine.phb.freeze(0xfd, 2);
    machine.opal.raiseError();
    machine.runFor(20);
    expect(machine.eeh.slice(0, 4)).toEqual([
      'EEH: Frozen PE#fd on PHB#0 detected',
      'EEH: PE location: N/A, PHB location: N/A',
      'EEH: Recovering PHB#0-PE#fd',
      'EEH: PE location: N/A, PHB location: N/A',
    ]);
    expect(machine.opal.calls.slice(0, 4)).toEqual(['HANDLE_INTERRUPT(fff)', 'NEXT(0)', 'SET(fd,3)', 'STATUS(fe)']);
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
    expect(machine.kernel.statistics.slotResets).toBe(0);
  });

  it('of a fenced PHB resets it also when its drivers would be content with less', () => {
    const driver = new StubDriver({ ...AWARE, error: 'can recover' });
    const machine = machineWith({ kernel: { drivers: [driver] } });
    machine.phb.condition = 'fenced';
    machine.opal.raiseError();
    machine.runFor(30);
    expect(driver.diary).toEqual(['probe 0000:01:00.0', 'error frozen', 'reset', 'resume']);
    expect(machine.opal.calls).toContain('RESET(0,1,1)');
  });

  it('marks what it recovers as recovering until the end', () => {
    const machine = machineWith();
    machine.phb.freeze(0xfd);
    machine.opal.raiseError();
    machine.runFor(1);
    expect(machine.kernel.pe(0, 0xfd)!.in(PeState.RECOVERING)).toBe(true);
    machine.runFor(10);
    expect(machine.kernel.pe(0, 0xfd)!.in(PeState.RECOVERING)).toBe(false);
  });

  it('prefers a parent that is frozen by half', () => {
    const machine = machineWith();
    machine.phb.freeze(0xfd);
    machine.phb.freeze(0xfe, 1);
    machine.opal.scripted.push({ errorType: PciError.PE, severity: Severity.PE_ER, pe: 0xfdn });
    machine.opal.raiseError();
    machine.runFor(20);
    expect(machine.eeh[0]).toBe('EEH: Frozen PE#fe on PHB#0 detected');
    expect(machine.opal.calls).toContain('SET(fe,3)');
    expect(machine.eeh).toContain('EEH: Recovering PHB#0-PE#fe');
  });

  it('of a dead PHB unplugs everything below it, without reset, dump or count', () => {
    const machine = machineWith({ phbs: [{}, {}] });
    machine.phb.condition = 'dead';
    machine.opal.raiseError();
    machine.runFor(20);
    expect(machine.eeh).toEqual([
      'EEH: dead PHB#0 detected, location: N/A',
      "EEH: Beginning: 'error_detected(permanent failure)'",
      'PCI 0000:00:00.0#00fe: EEH: not actionable (1,1,1)',
      'PCI 0000:01:00.0#00fd: EEH: not actionable (1,1,1)',
      "EEH: Finished:'error_detected(permanent failure)'",
    ]);
    expect(machine.kernel.devices.map((device) => device.name)).toEqual(['0001:00:00.0', '0001:01:00.0']);
    const calls = machine.opal.calls.filter((call) => !call.startsWith('CFGW'));
    expect(calls.slice(0, 2)).toEqual(['HANDLE_INTERRUPT(fff)', 'NEXT(0)']);
    expect(calls.slice(-3)).toEqual(['SET_PELTV(fe,fe,0)', 'SET_PE(fe,0,0)', 'NEXT(1)']);
    expect(calls.join()).not.toMatch(/RESET|DIAG/);
    expect(machine.kernel.log.texts()).toContain('pci 0000:01     : [PE# fd] Disabling 64-bit DMA bypass');
    expect(machine.kernel.log.texts()).toContain('pci_bus 0000:01: busn_res: [bus 01] is released');
  });

  it('of an informative error prints the diag data and recovers nothing', () => {
    const machine = machineWith();
    machine.phb.informative = 'pending';
    machine.opal.raiseError();
    machine.runFor(2);
    expect(machine.eeh).toEqual([
      'EEH: PHB#0 informative error detected, location: N/A',
      'pnv_pci_dump_phb_diag_data: Unrecognized ioType 0',
    ]);
    expect(machine.kernel.pe(0, 'phb')!.state).toBe(0);
  });

  it('of a PE nobody knows clears it', () => {
    const machine = machineWith();
    machine.phb.freeze(0x12);
    machine.opal.raiseError();
    machine.runFor(2);
    expect(machine.eeh).toEqual([
      'EEH: Clear non-existing PHB#0-PE#12',
      'EEH: PHB location: N/A',
      'pnv_pci_dump_phb_diag_data: Unrecognized ioType 0',
    ]);
    expect(machine.phb.frozen.get(0x12)).toBe(0);
  });

  it('of a dead hub buries every PHB and asks no more', () => {
    const quirks = { deadHubPe: 'every-phb' } as const;
    const machine = machineWith({ phbs: [{}, {}], kernel: { quirks } });
    machine.opal.scripted.push({ errorType: PciError.IOC, severity: Severity.IOC_DEAD });
    machine.opal.raiseError();
    machine.runFor(2);
    expect(machine.eeh[0]).toBe('EEH: dead IOC detected');
    expect(machine.kernel.devices).toEqual([]);
    expect(machine.opal.calls.filter((call) => call.startsWith('NEXT'))).toEqual(['NEXT(0)']);
  });

  it.each([
    [{ errorType: 9, severity: Severity.INF }, ['pnv_eeh_next_error: Unexpected error type 9']],
    [{ errorType: PciError.PHB, severity: Severity.PE_ER }, []],
    [{ errorType: PciError.PE, severity: Severity.PE_ER, rc: -1 }, []],
  ])('of %j is only noted', (scripted, lines) => {
    const machine = machineWith();
    machine.opal.scripted.push(scripted);
    machine.opal.raiseError();
    machine.runFor(2);
    expect(machine.eeh).toEqual(lines);
  });

  it('of a PE that is under recovery already, or a guest owns, changes nothing', () => {
    const machine = machineWith();
    const pe = machine.kernel.pe(0, 0xfd)!;
    pe.passedDevices = 1;
    machine.phb.freeze(0xfd);
    machine.opal.raiseError();
    machine.runFor(2);
    expect(machine.eeh).toEqual([]);
  });

  it('stays masked until firmware has nothing more to tell, then is let in again', () => {
    const machine = machineWith();
    for (const _ of [1, 2]) {
      machine.phb.freeze(0xfd);
      machine.opal.raiseError();
      machine.runFor(20);
    }
    expect(machine.eeh.filter((line) => line === 'EEH: Recovery successful.')).toHaveLength(2);
    expect(machine.eeh.join()).not.toContain('Unbalanced');
  });

  it('is not needed: the heartbeat carries events too', () => {
    const machine = machineWith({ kernel: { heartbeatMs: 200 } });
    machine.phb.freeze(0xfd);
    machine.opal.events = 0x200n;
    machine.runFor(20);
    expect(machine.eeh[0]).toBe('EEH: Frozen PE#fd on PHB#0 detected');
  });

  it('without an event behind it ends without a trace', () => {
    const machine = machineWith();
    machine.port.interrupts.present(0xfff, 0, 0);
    machine.runFor(1);
    expect(machine.opal.calls).toEqual(['HANDLE_INTERRUPT(fff)']);
    machine.opal.raiseError();
    machine.runFor(1);
    expect(machine.opal.calls).toContain('NEXT(0)');
  });
});

describe('the event queue', () => {
  it('is last in, first out', () => {
    const machine = machineWith({ phbs: [{}, {}, {}] });
    for (const domain of [0, 1, 2]) machine.kernel.forceRecovery(machine.kernel.pe(domain, 0xfd)!);
    machine.runFor(30);
    const order = machine.eeh.filter((line) => line.startsWith('EEH: Recovering'));
    expect(order).toEqual([
      'EEH: Recovering PHB#2-PE#fd',
      'EEH: Recovering PHB#1-PE#fd',
      'EEH: Recovering PHB#0-PE#fd',
    ]);
  });

  it('makes a special event wait for the recovery that is running', () => {
    const machine = machineWith({ phbs: [{}, {}] });
    machine.detect();
    machine.runFor(1);
    machine.phbs[1]!.condition = 'fenced';
    machine.opal.raiseError();
    machine.runFor(1);
    expect(machine.eeh.join()).not.toContain('Fenced');
    machine.runFor(30);
    const done = machine.eeh.indexOf('EEH: Recovery successful.');
    expect(machine.eeh.indexOf('EEH: Fenced PHB#1 detected, location: N/A')).toBeGreaterThan(done);
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
  });

  it('loses the events of a PHB when the PHB itself is to be recovered', () => {
    const machine = machineWith();
    const pe = machine.kernel.pe(0, 0xfd)!;
    machine.kernel.events.worker = function* () {};
    const quiet = new FakeMachine();
    quiet.kernel.events.worker = function* () {};
    quiet.boot();
    const { events } = quiet.kernel;
    const [phb, fd, fe] = [quiet.kernel.pe(0, 'phb')!, quiet.kernel.pe(0, 0xfd)!, quiet.kernel.pe(0, 0xfe)!];
    for (const event of [fd, fe, 'special' as const]) events.send(event);
    events.remove(fd, 'all');
    expect(events.queued).toEqual(['special', fe]);
    events.remove(phb, 'all');
    expect(events.queued).toEqual(['special']);
    events.send(fd);
    fd.state |= PeState.ISOLATED;
    events.remove('everything', 'keep-isolated');
    expect(events.queued).toEqual([fd]);
    events.remove('everything', 'all');
    expect(events.queued).toEqual([]);
    expect(pe.in(PeState.RECOVERING)).toBe(false);
  });

  it('is purged of PEs that are not isolated when firmware is asked', () => {
    const machine = machineWith();
    machine.kernel.forceRecovery(machine.kernel.pe(0, 0xfd)!);
    machine.kernel.forceRecovery('hwcheck');
    machine.runFor(10);
    expect(machine.opal.calls).toEqual(['NEXT(0)']);
    expect(machine.eeh.join()).not.toContain('Recovering');
  });

  it('wakes the worker for nothing after a removal, and goes on', () => {
    const machine = machineWith();
    const pe = machine.kernel.pe(0, 0xfd)!;
    machine.kernel.forceRecovery(pe);
    machine.kernel.events.remove(pe, 'all');
    machine.runFor(1);
    expect(machine.kernel.events.handled).toBe(0);
    machine.kernel.forceRecovery(pe);
    machine.runFor(10);
    expect(machine.kernel.events.handled).toBe(1);
  });

  it('can be told to look: with the interrupt let in already the kernel complains', () => {
    const machine = machineWith({ phbs: [{}, {}] });
    machine.kernel.forceRecovery('hwcheck');
    machine.runFor(1);
    expect(machine.opal.calls).toEqual(['NEXT(0)', 'NEXT(1)']);
    expect(machine.eeh).toEqual(['Unbalanced enable for IRQ 9']);
  });

  it('drops a special event while recovery is off, and the interrupt stays masked for good', () => {
    const machine = machineWith();
    machine.kernel.settings.recovery = 'off';
    machine.phb.freeze(0xfd);
    machine.opal.raiseError();
    machine.runFor(1);
    expect(machine.eeh).toEqual(['EEH: Event dropped due to no_recover setting']);
    machine.kernel.settings.recovery = 'on';
    machine.opal.raiseError();
    machine.runFor(5);
    expect(machine.opal.calls.filter((call) => call.startsWith('NEXT'))).toEqual([]);
  });
});
