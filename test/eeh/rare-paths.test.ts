/** Branches that take a firmware or a caller out of the ordinary. Facts: eeh-linux 2.3, 7.6, 12, 15, 19. */
import { describe, expect, it } from 'vitest';
import { PeState, PeType } from '../../src/eeh/eeh-flags.js';
import { EehDev, edevOf } from '../../src/eeh/eeh-pe.js';
import type { HotplugSlot } from '../../src/eeh/pci/device.js';
import { diagText, ioTypeOf } from '../../src/eeh/powernv/diag-text.js';
import { PciError, Severity } from '../../src/opal/opal-api.js';
import { delay } from '../../src/sim/process.js';
import { ENDPOINT, FakeMachine, type FakePhbOptions } from './fake-machine.js';
import { AWARE, StubDriver } from './stub-driver.js';

function booted(phb: FakePhbOptions = {}) {
  const machine = new FakeMachine({ phbs: [phb], kernel: { drivers: [new StubDriver(AWARE)] } }).boot();
  return { machine, pe: machine.kernel.pe(0, 0xfd)!, device: machine.kernel.device('0000:01:00.0')! };
}

describe('a device that finds no PE to join', () => {
  it('is left without one, and the kernel says so', () => {
    const { machine, device } = booted();
    machine.run(machine.kernel.removeDevice(device));
    machine.kernel.tree.insert = () => 'no-phb-pe';
    machine.run(machine.kernel.rescan());
    const line = machine.kernel.log.records.find(({ text }) => text.includes('Failed to add device'));
    expect([line?.level, line?.text]).toEqual([
      'warn',
      'PCI 0000:01:00.0#ffff: EEH: Failed to add device to PE (code -19)',
    ]);
  });
});

describe('a virtual function that is probed', () => {
  it('gets a PE below that of its physical function, wherever its bus hangs', () => {
    const { machine, device } = booted();
    machine.run(machine.kernel.removeDevice(device));
    const record = new EehDev(machine.kernel.controllers[0]!, ENDPOINT);
    record.physicalFunction = machine.kernel.device('0000:00:00.0')!;
    machine.kernel.controllers[0]!.findNode(ENDPOINT)!.edev = record;
    machine.run(machine.kernel.rescan());
    expect([record.pe?.type, record.pe?.parent?.address]).toEqual([PeType.VF, 0xfe]);
  });
});

describe('a full reset', () => {
  it('ends at once when the state of the PE cannot be had at all; its line has no end', () => {
    const { machine, pe } = booted();
    const ask = machine.kernel.platform.getState.bind(machine.kernel.platform);
    machine.kernel.platform.getState = function* (asked) {
      const resetting = asked === pe && pe.in(PeState.RESET) && !pe.in(PeState.ISOLATED);
      return resetting ? { state: -5, waitMs: 0 } : yield* ask(asked);
    };
    machine.detect();
    machine.runFor(30);
    const line = machine.kernel.log.records.find(({ text }) => text.startsWith('EEH: Unrecoverable slot failure'));
    expect([line?.text, line?.level, line?.end]).toEqual([
      'EEH: Unrecoverable slot failure on PHB#0-PE#fd',
      'warn',
      'open',
    ]);
    expect(machine.eeh).toContain('eeh_handle_normal_event: Cannot reset, err=-131');
    expect(machine.opal.calls.filter((call) => call === 'RESET(0,4,1)')).toHaveLength(1);
  });
});

describe('a wait for a state that cannot be had', () => {
  it('is a permanent failure, and a thaw gives the error back', () => {
    const { machine, pe } = booted();
    machine.kernel.platform.getState = function* () {
      yield* delay(0);
      return { state: -5, waitMs: 0 };
    };
    machine.kernel.forceRecovery(pe);
    machine.runFor(1);
    expect(machine.eeh).toContain('EEH: Permanent failure');
    expect(machine.run(machine.kernel.passed.vfio(pe, 2))).toBe(-5);
  });
});

describe('a report of firmware', () => {
  it('about a PE whose parent froze by half in the meantime goes to the parent', () => {
    const { machine } = booted();
    machine.phb.freeze(0xfd);
    const diag = machine.opal.pciGetPhbDiagData2.bind(machine.opal);
    machine.opal.pciGetPhbDiagData2 = function* (phb) {
      machine.phb.freeze(0xfe, 1);
      return yield* diag(phb);
    };
    machine.opal.scripted.push({ errorType: PciError.PE, severity: Severity.PE_ER, pe: 0xfdn });
    machine.opal.raiseError();
    machine.runFor(30);
    expect(machine.eeh[0]).toBe('EEH: Frozen PE#fd on PHB#0 detected');
    expect(machine.eeh).toContain('EEH: Recovering PHB#0-PE#fe');
  });

  it('about an isolated parent is not frozen again', () => {
    const { machine } = booted();
    machine.kernel.pe(0, 0xfd)!.markIsolated();
    machine.kernel.pe(0, 0xfe)!.state |= PeState.ISOLATED;
    machine.phb.freeze(0xfe, 1);
    machine.opal.scripted.push({ errorType: PciError.PE, severity: Severity.PE_ER, pe: 0xfdn });
    machine.opal.raiseError();
    machine.runFor(1);
    expect(machine.opal.calls.filter((call) => call.startsWith('SET('))).toEqual([]);
    expect(machine.eeh).toEqual([]);
  });

  it('about a fence of a bridge that a load has isolated meanwhile is not asked for again', () => {
    const { machine } = booted();
    const { pciNextError } = machine.opal;
    machine.opal.pciNextError = function* (phb) {
      const answer = yield* pciNextError.call(machine.opal, phb);
      machine.kernel.pe(0, 'phb')!.markIsolated();
      return answer;
    };
    machine.phb.condition = 'fenced';
    machine.opal.raiseError();
    machine.runFor(30);
    expect(machine.opal.calls.filter((call) => call === 'DIAG(0)')).toEqual([]);
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
  });

  it('of a PE nobody knows, without diag data to be had, is cleared all the same', () => {
    const { machine } = booted();
    machine.opal.fail.set('DIAG', -6);
    machine.phb.freeze(0x12);
    machine.opal.raiseError();
    machine.runFor(1);
    expect(machine.eeh).toEqual(['EEH: Clear non-existing PHB#0-PE#12', 'EEH: PHB location: N/A']);
    expect(machine.phb.frozen.get(0x12)).toBe(0);
  });

  it('about the hub that is neither death nor news is passed over', () => {
    const { machine } = booted();
    machine.opal.scripted.push({ errorType: PciError.IOC, severity: Severity.PE_ER });
    machine.opal.raiseError();
    machine.runFor(1);
    expect(machine.eeh).toEqual([]);
  });
});

describe('diag data', () => {
  it('shorter than its header, or than its structure, has no text', () => {
    expect([ioTypeOf(new Uint8Array(4)), ioTypeOf(new Uint8Array(8))]).toEqual([0, 0]);
    const cut = new Uint8Array(100);
    cut[7] = 2;
    expect([ioTypeOf(cut), diagText(cut, 0)]).toEqual([2, undefined]);
  });
});

describe('a slot whose port is gone', () => {
  it('keeps its LED as a wish, is named by itself, and resets without acknowledging', () => {
    const { machine } = booted();
    const slot: HotplugSlot = { id: 0n, name: 'S9', attention: 'off' };
    const { slots } = machine.kernel;
    machine.run(slots.setAttention(slot, 'on'));
    expect([slot.attention, machine.opal.calls]).toEqual(['on', []]);
    machine.phb.presenceRc = -6;
    machine.run(slots.adapterState(slot));
    expect(machine.kernel.log.texts()).toEqual(['pci_slot S9: Error -5 getting presence']);
    function* reset() {
      yield* delay(1000);
      return -25;
    }
    expect(machine.run(slots.withoutInterrupt(slot, reset()))).toBe(-25);
  });

  it('and a card whose record or PE is gone is only unplugged', () => {
    const slot = { hotplug: 'registered', surprisePluggable: true } as const;
    for (const lose of ['record', 'pe', 'devices'] as const) {
      const { machine, device } = booted({ slot });
      const port = machine.phb.functions.get(0)!;
      port.set('LNKSTA', 0);
      port.set('SLTSTA', 0x100);
      if (lose === 'record') device.node.edev = undefined;
      if (lose === 'pe') edevOf(device)!.pe = undefined;
      if (lose === 'devices') machine.run(machine.kernel.removeDevice(device));
      edevOf(machine.kernel.device('0000:00:00.0')!)!.pe = undefined;
      machine.opal.calls.length = 0;
      machine.run(machine.kernel.slots.interrupt(machine.kernel.controllers[0]!.findBus(1)!));
      machine.runFor(1);
      expect(machine.opal.calls.filter((call) => call.startsWith('SET('))).toEqual([]);
      expect(machine.kernel.devices).toHaveLength(1);
    }
  });
});

describe('the reset line', () => {
  it('of a virtual function leaves config space open', () => {
    const { machine, pe, device } = booted({ functionLevelReset: 'present' });
    pe.type = PeType.VF;
    pe.edevs[0]!.physicalFunction = machine.kernel.device('0000:00:00.0')!;
    machine.run(machine.kernel.resetLine.set(device, 'hot'));
    expect(pe.in(PeState.CFG_BLOCKED)).toBe(false);
    machine.run(machine.kernel.resetLine.set(device, 'deassert'));
    expect(pe.in(PeState.ISOLATED)).toBe(false);
  });

  it('of one function of a restricted card gives the others their first header back', () => {
    const phb = { vendorId: 0x14e4, deviceId: 0x1657, functions: [0x1657] };
    const { machine, pe, device } = booted(phb);
    const other = machine.kernel.device('0000:01:00.1')!;
    edevOf(machine.kernel.device('0000:00:00.0')!)!.device = undefined;
    machine.run(machine.kernel.resetLine.set(device, 'hot'));
    expect(pe.in(PeState.CFG_RESTRICTED)).toBe(true);
    machine.opal.calls.length = 0;
    machine.run(machine.kernel.resetLine.set(device, 'deassert'));
    expect(machine.opal.calls.filter((call) => call.startsWith('CFGW(101,10,'))).toHaveLength(1);
    expect(other.channel).toBe('normal');
  });

  it('released without having been held changes no other function, and one that went meanwhile is passed by', () => {
    const { machine, device } = booted({ functions: [0xf002] });
    machine.run(machine.kernel.resetLine.set(device, 'deassert'));
    expect(machine.opal.calls.filter((call) => call.startsWith('CFGW(101'))).toEqual([]);
    machine.run(machine.kernel.resetLine.set(device, 'hot'));
    edevOf(machine.kernel.device('0000:01:00.1')!)!.device = undefined;
    machine.run(machine.kernel.resetLine.set(device, 'deassert'));
    expect(machine.kernel.pe(0, 0xfd)!.in(PeState.ISOLATED)).toBe(false);
  });
});
