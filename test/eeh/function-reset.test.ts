/** Virtual functions as far as recovery knows them: a PE of their own, reset by themselves. Facts: eeh-linux 7.3, 10. */
import { describe, expect, it } from 'vitest';
import { DevMode, PeState, PeType } from '../../src/eeh/eeh-flags.js';
import { EehDev, edevOf } from '../../src/eeh/eeh-pe.js';
import { FakeMachine, type FakePhbOptions } from './fake-machine.js';
import { AWARE, StubDriver, type StubVotes } from './stub-driver.js';

/** Makes the endpoint's PE one of a virtual function of the root port's: nothing here creates them by SR-IOV. */
function virtual(phb: FakePhbOptions = { functionLevelReset: 'present' }, votes: StubVotes | 'unaware' = AWARE) {
  const driver = new StubDriver(votes);
  const machine = new FakeMachine({ phbs: [phb], kernel: { drivers: [driver] } }).boot();
  const pe = machine.kernel.pe(0, 0xfd)!;
  pe.type = PeType.VF;
  const edev = pe.edevs[0]!;
  edev.physicalFunction = machine.kernel.device('0000:00:00.0')!;
  return { machine, driver, pe, edev };
}

const took = (machine: FakeMachine): number => {
  const { records } = machine.kernel.log;
  return Math.round((records.at(-1)!.timeNs - records[0]!.timeNs) / 1e6);
};
const controlWrites = (machine: FakeMachine, at: number): string[] =>
  machine.opal.calls.filter((call) => call.startsWith(`CFGW(100,${at.toString(16)},`));

describe('the PE of a virtual function', () => {
  it('is of its own type, below the PE of its physical function', () => {
    const { machine } = virtual();
    const edev = new EehDev(machine.kernel.controllers[0]!, 0x0108);
    edev.peConfigAddress = 0x40;
    edev.physicalFunction = machine.kernel.device('0000:01:00.0')!;
    machine.kernel.tree.insert(edev, edevOf(edev.physicalFunction)!.pe);
    expect([edev.pe?.type, edev.pe?.parent?.address]).toEqual([PeType.VF, 0xfd]);
  });

  it('is reset by function level reset, with config space open, and without a call of the firmware', () => {
    const { machine, edev } = virtual();
    const written: number[] = [];
    const write = machine.opal.pciConfigWrite.bind(machine.opal);
    const at = edev.pcieCapability + 8;
    machine.opal.pciConfigWrite = function* (phb, place, value) {
      if (place.offset === at && place.size === 4) written.push(value & 0x8000);
      return yield* write(phb, place, value);
    };
    machine.detect();
    machine.runFor(10);
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
    expect(written).toEqual([0x8000, 0]);
    expect(took(machine)).toBe(250 + 1800);
    expect(machine.opal.calls.join()).not.toMatch(/RESET|REINIT/);
  });

  it('that never gets rid of its transactions is reset after four looks, with one line', () => {
    const { machine, edev } = virtual();
    const at = edev.pcieCapability + 0xa;
    const read = machine.opal.pciConfigRead.bind(machine.opal);
    let looks = 0;
    machine.opal.pciConfigRead = function* (phb, bdfn, offset, size) {
      const answer = yield* read(phb, bdfn, offset, size);
      if (bdfn !== 0x100 || offset !== at || size !== 2) return answer;
      looks++;
      return { ...answer, value: answer.value | 0x20 };
    };
    machine.detect();
    machine.runFor(10);
    expect(looks).toBe(4);
    expect(machine.eeh).toContain('pnv_eeh_wait_for_pending: Pending transaction while issuing FLR to 0000:01:00.0');
    expect(took(machine)).toBe(100 + 200 + 400 + 800 + 250 + 1800);
  });

  /** A conventional function: its reset is in the Advanced Features capability at 0xd0. */
  function conventional(capability: number, status = 0) {
    const setup = virtual({});
    setup.edev.pcieCapability = 0;
    setup.edev.aerCapability = 0;
    setup.edev.advancedFeatures = 0xd0;
    const { machine } = setup;
    const read = machine.opal.pciConfigRead.bind(machine.opal);
    machine.opal.pciConfigRead = function* (phb, bdfn, offset, size) {
      const answer = yield* read(phb, bdfn, offset, size);
      if (bdfn !== 0x100) return answer;
      if (offset === 0xd3) return { ...answer, value: capability };
      return offset === 0xd4 && size === 2 ? { ...answer, value: status << 8 } : answer;
    };
    return setup;
  }

  it('falls back on the reset of Advanced Features', () => {
    const { machine } = conventional(3);
    machine.detect();
    machine.runFor(10);
    expect(controlWrites(machine, 0xd4)).toEqual(['CFGW(100,d4,1,1)', 'CFGW(100,d4,1,0)']);
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
    expect(took(machine)).toBe(250 + 1800);
  });

  it('says so when that one is pending too', () => {
    const { machine } = conventional(3, 1);
    machine.detect();
    machine.runFor(10);
    expect(machine.eeh).toContain('pnv_eeh_wait_for_pending: Pending transaction while issuing AF FLR to 0000:01:00.0');
  });

  it.each<[string, () => ReturnType<typeof virtual>]>([
    ['neither capability', () => virtual({})],
    ['no reset in Advanced Features', () => conventional(1)],
  ])('with %s cannot be reset: three attempts, then its device is taken out for good', (_, make) => {
    const { machine, edev, pe, driver } = make();
    machine.detect();
    machine.runFor(30);
    expect(machine.eeh.filter((line) => line.includes('resetting PHB#0-PE#fd'))).toHaveLength(3);
    expect(machine.kernel.log.texts()).toContain('EEH: Removing 0000:01:00.0 without EEH sensitive driver');
    expect([edev.has(DevMode.REMOVED), pe.in(PeState.REMOVED)]).toEqual([true, true]);
    expect(driver.diary.at(-1)).toBe('remove 0000:01:00.0');
    expect(machine.kernel.devices.map(({ name }) => name)).toEqual(['0000:00:00.0']);
  });

  it('without any device left cannot be reset', () => {
    const { machine, pe, driver } = virtual();
    driver.errorHandlers!.errorDetected = function* () {
      pe.edevs.length = 0;
      return 'need reset';
    };
    machine.detect();
    machine.runFor(30);
    expect(machine.eeh).toContain('eeh_handle_normal_event: Cannot reset, err=-5');
  });

  it('with an unaware driver has its device taken out, not its bus', () => {
    const { machine, driver } = virtual({ functionLevelReset: 'present' }, 'unaware');
    machine.detect();
    machine.runFor(30);
    expect(machine.kernel.log.texts()).toContain('EEH: Removing 0000:01:00.0 without EEH sensitive driver');
    expect(machine.eeh).toContain('EEH: Sleep 5s ahead of complete hotplug');
    expect(driver.diary.slice(0, 2)).toEqual(['probe 0000:01:00.0', 'remove 0000:01:00.0']);
  });
});
