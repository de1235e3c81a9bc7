import { describe, expect, it } from 'vitest';
import { encodePhb3DiagData } from '../../src/diag/phb3/layout.js';
import { EehOption } from '../../src/eeh/eeh-flags.js';
import { FakeMachine, type FakeMachineOptions } from './fake-machine.js';
import { AWARE, StubDriver } from './stub-driver.js';

const quiet = (options: FakeMachineOptions = {}): FakeMachine => new FakeMachine(options).boot();

describe('state queries', () => {
  it.each([
    [0, 0x78],
    [1, 0x50],
    [2, 0x28],
    [3, 0],
    [4, 4],
    [5, 1],
    [6, 2],
    [9, 2],
  ])('answer freeze state %i as %i', (freezeState, expected) => {
    const machine = quiet();
    machine.phb.freeze(0xfd, freezeState);
    const pe = machine.kernel.pe(0, 0xfd)!;
    const answer = machine.run(machine.kernel.platform.getState(pe));
    expect(answer).toEqual({ state: expected, waitMs: expected === 1 ? 1000 : 0 });
    expect(pe.state & 1).toBe(freezeState === 3 || freezeState === 4 ? 1 : 0);
    if (freezeState === 9) expect(machine.eeh).toEqual(['pnv_eeh_get_pe_state: Invalid PHB#0-PE#fd state 9']);
  });

  it('answer healthy without asking while a full reset runs', () => {
    const machine = quiet();
    const pe = machine.kernel.pe(0, 0xfd)!;
    machine.phb.freeze(0xfd);
    pe.state |= 0x8;
    expect(machine.run(machine.kernel.platform.getState(pe)).state).toBe(0x78);
    expect(machine.opal.calls).toEqual([]);
  });

  it('log what cannot be captured', () => {
    const machine = quiet();
    machine.phb.freeze(0xfd);
    machine.opal.fail.set('DIAG', -6);
    machine.opal.fail.set('SET', -6);
    machine.run(machine.kernel.platform.getState(machine.kernel.pe(0, 0xfd)!));
    expect(machine.eeh).toEqual([
      'pnv_ioda_freeze_pe: Failure -6 freezing PHB#0-PE#fd',
      'pnv_eeh_get_phb_diag: Failure -6 getting PHB#0 diag-data',
    ]);
  });
});

describe('diag data', () => {
  const entries = (frozen: bigint): bigint[] => Array.from({ length: 256 }, (_, pe) => (pe === 0xfd ? frozen : 0n));
  const dump = encodePhb3DiagData({
    fields: { brdgCtl: 2n, lemFir: 0x2000n, lemErrorMask: 0x4249_8e36_7f50_2eaen, lemWOF: 0x2000n },
    pestA: entries(0x8000_b03a_0100_0000n),
    pestB: entries(0x8000_0000_0000_7000n),
  });
  const lines = [
    'PHB3 PHB#0 Diag-data (Version: 1)',
    'brdgCtl:     00000002',
    'Lem:         0000000000002000 42498e367f502eae 0000000000002000',
    'PE[0fd] A/B: 8000b03a01000000 8000000000007000',
  ];

  it('captured at detection are printed with the temporary log', () => {
    const machine = quiet({ kernel: { drivers: [new StubDriver(AWARE)] } });
    machine.phb.diag = dump;
    machine.detect();
    machine.runFor(10);
    const from = machine.eeh.indexOf('PHB3 PHB#0 Diag-data (Version: 1)');
    expect(machine.eeh.slice(from, from + 4)).toEqual(lines);
    expect(from).toBeGreaterThan(machine.eeh.indexOf('EEH: Collect temporary log'));
    expect(machine.eeh.lastIndexOf('PHB3 PHB#0 Diag-data (Version: 1)')).toBe(from);
  });

  it('are printed when captured instead, if the kernel was told so', () => {
    const machine = quiet({ kernel: { drivers: [new StubDriver(AWARE)], earlyLog: 'on' } });
    machine.phb.diag = dump;
    machine.detect();
    expect(machine.eeh.slice(0, 4)).toEqual(lines);
    machine.runFor(10);
    // Once more when the freeze of the reset is found; never with the temporary log.
    const collect = machine.eeh.indexOf('EEH: Collect temporary log');
    const reset = machine.eeh.indexOf('EEH: Reset without hotplug activity');
    expect(machine.eeh.slice(collect, reset).join()).not.toContain('Diag-data');
  });
});

describe('platform options', () => {
  it('refuse to disable, accept to enable, and know no others', () => {
    const machine = quiet();
    const pe = machine.kernel.pe(0, 0xfd)!;
    const { platform } = machine.kernel;
    expect(machine.run(platform.setOption(pe, EehOption.DISABLE))).toBe(-1);
    expect(machine.run(platform.setOption(pe, EehOption.ENABLE))).toBe(0);
    expect(machine.run(platform.setOption(pe, 7 as never))).toBe(-22);
    expect(machine.eeh).toEqual(['pnv_eeh_set_option: Invalid option 7']);
  });

  it('inject errors with the refusals of a real kernel', () => {
    const machine = quiet();
    const pe = machine.kernel.pe(0, 0xfd)!;
    const inject = (type: number, fn: number): number => {
      const request = { type, function: fn, address: 0n, mask: 0n };
      return machine.run(machine.kernel.platform.injectError(pe, request));
    };
    expect(inject(0, 4)).toBe(0);
    expect(inject(2, 0)).toBe(-34);
    expect(inject(0, 20)).toBe(-34);
    machine.opal.fail.set('INJECT', -1);
    expect(inject(0, 2)).toBe(-5);
    expect(machine.eeh).toEqual([
      'pnv_eeh_err_inject: Invalid error type 2',
      'pnv_eeh_err_inject: Invalid error function 20',
      'pnv_eeh_err_inject: Failure -1 injecting error 0-2 to PHB#0-PE#fd',
    ]);
  });

  it('log a device that firmware cannot set up again, and go on', () => {
    const machine = quiet({ kernel: { drivers: [new StubDriver(AWARE)] } });
    machine.detect();
    machine.opal.fail.set('REINIT', -1);
    machine.runFor(10);
    expect(machine.eeh).toContain("pnv_eeh_restore_config: Can't reinit PCI dev 0x100 (-1)");
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
  });
});
