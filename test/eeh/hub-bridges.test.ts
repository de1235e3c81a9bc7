/** What the kernel does differently below a P7IOC hub. Facts: eeh-linux 2.5, 7.1, 8.5, 12. */
import { describe, expect, it } from 'vitest';
import { encodeHubDiagData } from '../../src/diag/p7ioc/hub.js';
import { PciError, Severity } from '../../src/opal/opal-api.js';
import { FakeMachine } from './fake-machine.js';
import { AWARE, StubDriver } from './stub-driver.js';

const HUB = { compatible: ['ibm,p7ioc-pciex', 'ibm,ioda-phb'], hubId: 0x1n } as const;
const PHB3 = { compatible: ['ibm,power8-pciex', 'ibm,ioda2-phb'] } as const;

function machineWith(...phbs: readonly { readonly compatible: readonly string[] }[]): FakeMachine {
  return new FakeMachine({ phbs, kernel: { drivers: [new StubDriver(AWARE)] } }).boot();
}

const calls = (machine: FakeMachine): string[] =>
  machine.opal.calls.filter((call) => /^(RESET|CLEAR|REINIT)/.test(call));

describe('a bridge of a P7IOC hub', () => {
  it('has its armed error injection cleared before each reset of a PE, not of the whole bridge', () => {
    const machine = machineWith(HUB);
    machine.detect();
    machine.runFor(10);
    expect(calls(machine).filter((call) => call.startsWith('RESET'))).toEqual([
      ...['RESET(0,3,1)', 'RESET(0,4,1)', 'RESET(0,4,0)'],
    ]);
    machine.opal.calls.length = 0;
    machine.phb.condition = 'fenced';
    machine.opal.raiseError();
    machine.runFor(10);
    expect(calls(machine)).not.toContain('RESET(0,3,1)');
  });

  it('has MMIO of a PE thawed before its devices are dumped, also when it is not the one that failed', () => {
    for (const [phbs, thawed] of [
      [[HUB, PHB3], true],
      [[PHB3, HUB], false],
    ] as const) {
      const machine = machineWith(...phbs);
      machine.detect();
      machine.runFor(1);
      const first = calls(machine)[0];
      expect(first === 'CLEAR(fd,1)').toBe(thawed);
    }
  });

  it('tells what the hub noted, and goes on to the next bridge', () => {
    const machine = machineWith(HUB, HUB);
    machine.opal.hubDiag = { rc: 0, data: encodeHubDiagData({ type: 'RGC', words: { rgcStatus: 0x10n } }) };
    machine.opal.scripted.push({ errorType: PciError.IOC, severity: Severity.INF });
    machine.opal.raiseError();
    machine.runFor(1);
    expect(machine.eeh).toEqual([
      'EEH: IOC informative error detected',
      'P7IOC diag-data for RGC\n',
      '  RGC: 0000000000000010 0000000000000000',
    ]);
    expect(machine.opal.calls.slice(1)).toEqual(['NEXT(0)', 'HUB_DIAG(1)', 'NEXT(1)']);
  });

  it('says so when the hub has nothing, or nothing anybody knows, or firmware does not have the call', () => {
    const report = (): FakeMachine => {
      const machine = machineWith({ ...HUB });
      machine.opal.scripted.push({ errorType: PciError.IOC, severity: Severity.INF });
      return machine;
    };
    const closed = report();
    closed.opal.hubDiag = { rc: -5, data: new Uint8Array(0) };
    const odd = report();
    odd.opal.hubDiag = { rc: 0, data: new Uint8Array(128).fill(9, 1, 2) };
    const without = report();
    Object.defineProperty(without.opal, 'pciGetHubDiagData', { value: undefined });
    const said = [closed, odd, without].map((machine) => {
      machine.opal.raiseError();
      machine.runFor(1);
      return machine.eeh[1];
    });
    expect(said).toEqual([
      'pnv_eeh_get_and_dump_hub_diag: Failed to get HUB#1 diag-data (-5)',
      'pnv_eeh_get_and_dump_hub_diag: Invalid type of HUB#1 diag-data (9)',
      'pnv_eeh_get_and_dump_hub_diag: Failed to get HUB#1 diag-data (-7)',
    ]);
  });
});

describe('a reboot', () => {
  it('switches EEH off: what it takes down is no error', () => {
    const machine = machineWith(PHB3);
    machine.kernel.prepareReboot();
    machine.detect();
    machine.runFor(5);
    expect(machine.kernel.statistics.totalMmioFfs).toBe(1);
    expect(machine.eeh).toEqual([]);
  });
});
