/** Every switch of the kernel's defects, at both of its values. Facts: eeh-linux 22. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PeState } from '../../src/eeh/eeh-flags.js';
import { edevOf } from '../../src/eeh/eeh-pe.js';
import {
  ABOUT_VERSION,
  KERNEL_VERSIONS,
  type KernelQuirks,
  type KernelVersion,
  QUIRKS,
  quirkRows,
  quirksOf,
  UnknownKernelVersionError,
  WITHOUT_SWITCH,
} from '../../src/eeh/kernel-versions.js';
import { KernelHungTaskError } from '../../src/eeh/rescan-lock.js';
import { PciError, Severity } from '../../src/opal/opal-api.js';
import { delay } from '../../src/sim/process.js';
import { FakeMachine, type FakeMachineOptions, type FakePhbOptions, ROOT_PORT } from './fake-machine.js';
import { AWARE, StubDriver, type StubVotes } from './stub-driver.js';

interface Setup {
  readonly phbs?: readonly FakePhbOptions[];
  readonly votes?: StubVotes | 'unaware';
  readonly kernel?: FakeMachineOptions['kernel'];
}

/** A machine with single switches, its driver's diary at hand. */
function withQuirks(quirks: Partial<KernelQuirks>, setup: Setup = {}) {
  const driver = new StubDriver(setup.votes ?? AWARE);
  const kernel = { drivers: [driver], quirks, ...setup.kernel };
  const machine = new FakeMachine({ ...(setup.phbs === undefined ? {} : { phbs: setup.phbs }), kernel }).boot();
  return { machine, driver };
}

const count = (machine: FakeMachine, text: string): number => machine.eeh.filter((line) => line === text).length;
const SUCCESS = 'EEH: Recovery successful.';

describe('the table of kernel versions', () => {
  it('gives each switch one of its values in each version', () => {
    for (const quirk of Object.values(QUIRKS)) {
      for (const version of KERNEL_VERSIONS) expect(quirk.values).toContain(quirk.in[version]);
      expect(quirk.in['6.1'] === quirk.in.mended && quirk.defect !== 'D7').toBe(false);
    }
  });

  it('speaks of each of the 23 defects once, with a switch or the reason why there is none', () => {
    const switched = Object.values(QUIRKS).map(({ defect }) => defect);
    const all = [...new Set([...switched, ...Object.keys(WITHOUT_SWITCH)])];
    const numbers = all.map((defect) => Number(defect.slice(1))).sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: 23 }, (_, index) => index + 1));
    expect(switched.filter((defect) => defect in WITHOUT_SWITCH)).toEqual([]);
  });

  it('defaults to 6.1.192, and single switches override the version', () => {
    const of = (kernel: FakeMachineOptions['kernel']): KernelQuirks => {
      return new FakeMachine({ kernel: kernel ?? {} }).kernel.context.quirks;
    };
    expect(of({})).toEqual(quirksOf('6.1'));
    expect(of({ version: 'mended' })).toEqual(quirksOf('mended'));
    expect(of({ version: 'mended', quirks: { eventOrder: 'newest-first' } }).eventOrder).toBe('newest-first');
    expect(of({ version: '6.3' }).permanentFailureNotice).toBe('drivers-told');
  });

  it('refuses a version nobody described, and names those it knows', () => {
    expect(() => quirksOf('2.6' as KernelVersion)).toThrow(UnknownKernelVersionError);
    expect(() => quirksOf('2.6' as KernelVersion)).toThrow('choose one of 6.1.0, 6.1, 6.3');
  });

  it('stands in the document as it is declared', () => {
    const text = readFileSync(join(resolve(import.meta.dirname, '../..'), 'docs/kernel-versions.md'), 'utf8');
    expect(text).toContain(`\n${quirkRows().join('\n')}\n`);
    for (const version of KERNEL_VERSIONS) expect(text).toContain(`| ${version} | ${ABOUT_VERSION[version]} |`);
    for (const [defect, why] of Object.entries(WITHOUT_SWITCH)) expect(text).toContain(`| ${defect} | ${why} |`);
  });
});

describe('D1: the notice of a permanent failure', () => {
  it.each([
    ['6.1', 0],
    ['6.1.0', 0],
    ['6.3', 1],
    ['mainline', 1],
  ] as const)('under %s reaches %d drivers', (version, told) => {
    const { machine, driver } = withQuirks({}, { kernel: { version, maxFreezes: 0 } });
    machine.detect();
    machine.runFor(10);
    expect(driver.diary.filter((entry) => entry === 'error perm-failure')).toHaveLength(told);
  });
});

describe('D2: the stall after a hot reset', () => {
  it.each([
    ['6.1.0', 0],
    ['6.1', 7],
    ['6.17', 7],
    ['mended', 0],
  ] as const)('under %s prints %d lines', (version, lines) => {
    const { machine } = withQuirks({}, { kernel: { version }, phbs: [{ powerManagement: 'present' }] });
    machine.detect();
    machine.runFor(100);
    expect(machine.kernel.log.texts().filter((text) => text.includes('not ready'))).toHaveLength(lines);
    expect(count(machine, SUCCESS)).toBe(1);
  });
});

describe('D4: a parent that is frozen whole', () => {
  it.each([
    ['only-half-frozen-takes-over', 'fd'],
    ['takes-over', 'fe'],
  ] as const)('%s: PE %s is recovered', (frozenParent, recovered) => {
    const { machine } = withQuirks({ frozenParent });
    machine.phb.freeze(0xfe);
    machine.detect();
    machine.runFor(20);
    expect(machine.eeh).toContain(`EEH: Recovering PHB#0-PE#${recovered}`);
    expect(machine.kernel.pe(0, 0xfe)!.in(PeState.ISOLATED)).toBe(recovered === 'fd');
  });
});

describe('D6: the order of events', () => {
  it.each([
    ['newest-first', [1, 0]],
    ['oldest-first', [0, 1]],
  ] as const)('%s', (eventOrder, order) => {
    const { machine } = withQuirks({ eventOrder }, { phbs: [{}, {}] });
    for (const domain of [0, 1]) machine.kernel.forceRecovery(machine.kernel.pe(domain, 0xfd)!);
    machine.runFor(20);
    const seen = machine.eeh.filter((line) => line.startsWith('EEH: Recovering'));
    expect(seen).toEqual(order.map((domain) => `EEH: Recovering PHB#${domain}-PE#fd`));
  });
});

describe('D7: the rescan lock', () => {
  it.each([
    ['whole-event', 20],
    ['around-hotplug', 1],
  ] as const)('%s: a rescan during a recovery is done within %d s', (recoveryLock, limitSeconds) => {
    const { machine } = withQuirks({ recoveryLock });
    machine.detect();
    machine.runFor(0.5);
    const start = machine.sim.now;
    machine.run(machine.kernel.rescan());
    const took = (machine.sim.now - start) / 1e9;
    expect(took).toBeLessThan(limitSeconds);
    expect(took < 1).toBe(recoveryLock === 'around-hotplug');
    machine.runFor(20);
    expect(machine.eeh.at(-1)).toBe(SUCCESS);
  });

  it('taken around hotplug only, an unaware device is unplugged and replugged as before', () => {
    const { machine, driver } = withQuirks({ recoveryLock: 'around-hotplug' }, { votes: 'unaware' });
    machine.detect();
    machine.runFor(20);
    expect(driver.diary).toEqual(['probe 0000:01:00.0', 'remove 0000:01:00.0', 'probe 0000:01:00.0']);
    expect(machine.kernel.context.rescanLock.holder).toBeUndefined();
  });

  /** Recovery of a PE that lost its cached bus between the error pass and the reset. */
  function resetWithoutCachedBus(quirks: Partial<KernelQuirks>) {
    const { machine, driver } = withQuirks(quirks);
    const pe = machine.kernel.pe(0, 0xfd)!;
    driver.errorHandlers!.errorDetected = function* () {
      yield* delay(0);
      pe.clearState(PeState.PRI_BUS);
      return 'need reset';
    };
    machine.detect();
    machine.runFor(130);
    return machine;
  }

  it('taken again to find the bus of a PE without a cached one, recovery waits for itself for ever', () => {
    const machine = resetWithoutCachedBus({ busLookup: 'locks' });
    expect(machine.eeh.at(-1)).toBe('INFO: task eehd blocked for more than 120 seconds.');
    const { hungTasks } = machine.kernel.context.rescanLock;
    expect(hungTasks).toMatchObject([{ task: 'eehd', holder: 'eehd', because: 'holds-it-already' }]);
    expect(machine.sim.now - hungTasks[0]!.sinceNs).toBeGreaterThan(120e9);
  });

  it('then holds up whoever wants to rescan, who is told so by an error', () => {
    const machine = resetWithoutCachedBus({ busLookup: 'locks' });
    expect(() => machine.sim.complete('rescan', machine.kernel.rescan())).toThrow(
      'task "rescan" waits for the PCI rescan lock for ever: "eehd" has it (holder-hangs)',
    );
    expect(machine.kernel.context.rescanLock.hungTasks.map(({ task }) => task)).toEqual(['eehd', 'rescan']);
  });

  it('also tells those who were waiting when it was lost', () => {
    const { machine, driver } = withQuirks({ busLookup: 'locks' });
    driver.errorHandlers!.errorDetected = function* () {
      yield* delay(1e9);
      machine.kernel.pe(0, 0xfd)!.clearState(PeState.PRI_BUS);
      return 'need reset';
    };
    machine.detect();
    const waiting = machine.sim.spawn('rescan', machine.kernel.rescan());
    expect(() => machine.runFor(200)).toThrow(/waits for the PCI rescan lock for ever/);
    expect(waiting.state).toBe('failed');
  });

  it('asked for by two operators at once is given to one after the other', () => {
    const { machine } = withQuirks({}, { phbs: [{ functions: [0xf002] }] });
    const devices = ['0000:01:00.0', '0000:01:00.1'].map((name) => machine.kernel.device(name)!);
    const removals = devices.map((device) => machine.sim.spawn('remove', machine.kernel.removeDevice(device)));
    machine.runFor(1);
    expect(removals.map(({ state }) => state)).toEqual(['done', 'done']);
    expect(machine.kernel.context.rescanLock.hungTasks).toEqual([]);
  });

  it('is given to two rescans in turn, and nobody takes the second for the first asking again', () => {
    const { machine } = withQuirks({});
    const rescans = [1, 2].map(() => machine.sim.spawn('rescan', machine.kernel.rescan()));
    machine.runFor(1);
    expect(rescans.map(({ state }) => state)).toEqual(['done', 'done']);
    const { rescanLock } = machine.kernel.context;
    expect([rescanLock.holder, rescanLock.hungTasks]).toEqual([undefined, []]);
  });

  it('tells two threads of one name apart, and one thread from itself', () => {
    const { machine } = withQuirks({});
    const { rescanLock } = machine.kernel.context;
    const [first, second] = [{ name: 'worker' }, { name: 'worker' }];
    function* outer(thread: { name: string }, inner: { name: string }) {
      yield* rescanLock.hold(rescanLock.hold(delay(1), inner), thread);
    }
    const apart = [first, second].map((thread) => machine.sim.spawn('worker', rescanLock.hold(delay(10), thread)));
    machine.runFor(1);
    expect([apart.map(({ state }) => state), rescanLock.hungTasks]).toEqual([['done', 'done'], []]);
    machine.sim.spawn('worker', outer(first, first), { daemon: true });
    machine.runFor(130);
    expect(rescanLock.hungTasks).toMatchObject([{ task: 'worker', because: 'holds-it-already' }]);
  });

  it('not taken again, the same recovery comes to its end', () => {
    const machine = resetWithoutCachedBus({ busLookup: 'does-not-lock' });
    expect(machine.eeh.at(-1)).toBe(SUCCESS);
  });

  it.each([
    ['6.17', 'INFO: task eehd blocked for more than 120 seconds.'],
    ['mainline', SUCCESS],
    ['6.1', SUCCESS],
  ] as const)('under %s the removal of an unaware neighbour ends in "%s"', (version, last) => {
    const drivers = [new StubDriver(AWARE), new StubDriver('unaware', { name: 'other', deviceId: 0xf002 })];
    const phbs = [{ functions: [0xf002] }];
    const machine = new FakeMachine({ phbs, kernel: { drivers, version } }).boot();
    machine.detect();
    machine.runFor(140);
    expect(machine.eeh).toContain('EEH: Removing 0000:01:00.1 without EEH sensitive driver');
    expect(machine.eeh.at(-1)).toBe(last);
  });
});

describe('D8: the mark of a recovery that failed', () => {
  it.each([
    ['left-on-after-failure', true],
    ['cleared', false],
  ] as const)('is %s', (recoveringFlag, marked) => {
    const { machine } = withQuirks({ recoveringFlag }, { kernel: { maxFreezes: 0 } });
    const pe = machine.kernel.pe(0, 0xfd)!;
    machine.detect();
    machine.runFor(10);
    expect([pe.in(PeState.REMOVED), pe.in(PeState.RECOVERING)]).toEqual([true, marked]);
    const other = withQuirks({ recoveringFlag }).machine;
    const orphan = other.kernel.pe(0, 0xfd)!;
    orphan.clearState(PeState.PRI_BUS);
    orphan.edevs.length = 0;
    other.kernel.forceRecovery(orphan);
    other.runFor(1);
    expect(orphan.in(PeState.RECOVERING)).toBe(marked);
  });
});

describe('D9: the report of a dead hub', () => {
  const DEAD = { errorType: PciError.IOC, severity: Severity.IOC_DEAD };

  it('names no PE: the worker goes on with an unset one and dies, every PHB isolated, nothing unplugged', () => {
    const { machine } = withQuirks({}, { phbs: [{}, {}] });
    machine.opal.scripted.push(DEAD);
    machine.opal.raiseError();
    machine.runFor(2);
    expect(machine.eeh).toEqual([
      'EEH: dead IOC detected',
      'BUG: Unable to handle kernel data access',
      'note: eehd exited with irqs disabled',
    ]);
    expect(machine.kernel.devices).toHaveLength(4);
    expect([0, 1].map((domain) => machine.kernel.pe(domain, 'phb')!.in(PeState.ISOLATED))).toEqual([true, true]);
  });

  it('after which the rescan lock is lost with its holder', () => {
    const { machine } = withQuirks({});
    machine.opal.scripted.push(DEAD);
    machine.opal.raiseError();
    machine.runFor(2);
    const rescan = () => machine.sim.complete('rescan', machine.kernel.rescan());
    expect(rescan).toThrow('"eehd" has it (holder-died)');
    const failure = machine.sim.spawn('again', machine.kernel.rescan());
    expect(() => machine.runFor(200)).toThrow();
    expect(failure.state).toBe('failed');
    expect(new KernelHungTaskError(machine.kernel.context.rescanLock.hungTasks[0]!).hung.task).toBe('rescan');
  });

  it('takes the PE of the report before, if there was one', () => {
    const { machine } = withQuirks({}, { phbs: [{}, {}] });
    machine.phb.freeze(0xfd);
    machine.opal.scripted.push({ errorType: PciError.PE, severity: Severity.PE_ER, pe: 0xfdn }, DEAD);
    machine.opal.raiseError();
    machine.runFor(30);
    const dead = machine.eeh.indexOf('EEH: dead IOC detected');
    expect(machine.eeh.slice(dead + 1)).toEqual([
      "EEH: Beginning: 'error_detected(permanent failure)'",
      'PCI 0000:01:00.0#00fd: EEH: not actionable (1,1,1)',
      "EEH: Finished:'error_detected(permanent failure)'",
    ]);
    expect(machine.kernel.devices).toEqual([]);
  });

  it('mended, buries every PHB', () => {
    const { machine } = withQuirks({ deadHubPe: 'every-phb' }, { phbs: [{}, {}] });
    machine.opal.scripted.push(DEAD);
    machine.opal.raiseError();
    machine.runFor(2);
    expect(machine.kernel.devices).toEqual([]);
  });
});

describe('D10: the line about a parent that takes over', () => {
  it.each([
    ['parent-twice', 'fe'],
    ['child-and-parent', 'fd'],
  ] as const)('%s: the failure is of %s', (takeoverLine, first) => {
    const { machine } = withQuirks({ takeoverLine });
    machine.phb.freeze(0xfe, 1);
    machine.detect();
    const line = `EEH: Failure of PHB#0-PE#${first} will be handled at parent PHB#0-PE#fe.`;
    expect(machine.eeh).toContain(line);
  });
});

describe('D11: a device gone before a pass without votes', () => {
  it.each([
    ['null-write', 'note: eehd exited with irqs disabled'],
    ['skipped', SUCCESS],
  ] as const)('%s: the last line is "%s"', (missingDevice, last) => {
    const { machine, driver } = withQuirks({ missingDevice });
    const edev = edevOf(machine.kernel.device('0000:01:00.0')!)!;
    driver.errorHandlers!.slotReset = function* () {
      yield* delay(0);
      edev.device = undefined;
      return 'recovered';
    };
    machine.detect();
    machine.runFor(10);
    expect(machine.eeh.at(-1)).toBe(last);
  });
});

describe('D14: the vote "recovered" in the error pass', () => {
  it.each([
    ['straight-to-resume', 3],
    ['thaws-first', 0],
  ] as const)('%s: freeze bits %d are left', (recoveredVote, left) => {
    const { machine } = withQuirks({ recoveredVote }, { votes: { error: 'recovered', resume: 'present' } });
    machine.detect();
    machine.runFor(10);
    expect(machine.eeh.at(-1)).toBe(SUCCESS);
    expect(machine.phb.frozen.get(0xfd)).toBe(left);
    expect(machine.opal.calls.join()).not.toContain('RESET');
  });

  it('thaws first, and fails if that fails', () => {
    const { machine } = withQuirks({ recoveredVote: 'thaws-first' }, { votes: { error: 'recovered' } });
    machine.detect();
    machine.opal.fail.set('CLEAR', -6);
    machine.runFor(30);
    expect(machine.eeh.at(-1)).toBe("EEH: Finished:'error_detected(permanent failure)'");
  });
});

describe('D18: the first device that EEH sees, after the boot', () => {
  it.each([
    ['set-after-boot', 'cleared-silently'],
    ['set-with-first-device', 'checked'],
  ] as const)('%s: config reads are %s', (capableFlag, expected) => {
    const machine = new FakeMachine({ kernel: { quirks: { capableFlag } } });
    const { functions } = machine.phb;
    const late = [...functions];
    functions.clear();
    machine.boot();
    expect(machine.kernel.settings.enabled).toBe(false);
    for (const [bdfn, space] of late) functions.set(bdfn, space);
    machine.run(machine.kernel.rescan());
    expect(machine.kernel.settings.enabled).toBe(true);
    expect(machine.kernel.controllers[0]!.eeh).toBe(expected);
  });
});

describe('D19: a special event while recovery is off', () => {
  it.each([
    ['interrupt-stays-masked', 0],
    ['event-kept', 1],
  ] as const)('%s: %d recoveries', (droppedSpecialEvent, recoveries) => {
    const { machine } = withQuirks({ droppedSpecialEvent });
    machine.kernel.settings.recovery = 'off';
    machine.phb.freeze(0xfd);
    machine.opal.raiseError();
    machine.runFor(10);
    expect(count(machine, SUCCESS)).toBe(recoveries);
  });
});

describe('D20: a reset that fails', () => {
  it.each([
    ['leaves-keep', true],
    ['clears-keep', false],
  ] as const)('%s', (failedReset, kept) => {
    const { machine } = withQuirks({ failedReset });
    const pe = machine.kernel.pe(0, 0xfd)!;
    machine.detect();
    machine.opal.fail.set('CLEAR', -6);
    machine.runFor(30);
    expect([pe.in(PeState.REMOVED), pe.in(PeState.KEEP)]).toEqual([true, kept]);
  });

  it('in its reset calls leaves the same', () => {
    const { machine } = withQuirks({ failedReset: 'clears-keep' });
    machine.kernel.device('0000:01:00.0')!.resetWish = 'fundamental';
    machine.detect();
    machine.opal.fail.set('RESET', -6);
    machine.runFor(30);
    expect(machine.kernel.pe(0, 0xfd)!.in(PeState.KEEP)).toBe(false);
  });
});

describe('D21: a PHB that stays fenced through three resets', () => {
  it.each([
    ['reports-success', 'eeh_unfreeze_pe: Failure -5 enabling IO on PHB#0-PE#0'],
    ['reports-error', 'eeh_handle_normal_event: Cannot reset, err=-5'],
  ] as const)('%s: "%s"', (inactiveReset, line) => {
    const { machine } = withQuirks({ inactiveReset });
    machine.phb.condition = 'fenced';
    // Each thaw in the reenable step finds the PHB fenced; only the state after the reset is what differs.
    const status = machine.opal.pciEehFreezeStatus.bind(machine.opal);
    let duringReset = 0;
    machine.opal.pciEehFreezeStatus = function* (phb, pe) {
      const answer = yield* status(phb, pe);
      const reenable = machine.kernel.pe(0, 'phb')!.in(PeState.RESET) && ++duringReset % 3 !== 0;
      return reenable ? { ...answer, errorType: PciError.NO_ERROR } : answer;
    };
    machine.phb.resetsToCure = 99;
    machine.opal.raiseError();
    machine.runFor(60);
    expect(count(machine, 'EEH: PHB#0-PE#0: Slot inactive after reset: 0x0 (attempt 3)')).toBe(1);
    expect(machine.eeh).toContain(line);
    expect(machine.eeh.at(-1)).toBe("EEH: Finished:'error_detected(permanent failure)'");
  });
});

describe('D22: the end of a special event that no interrupt caused', () => {
  it.each([
    ['unbalanced', ['Unbalanced enable for IRQ 9']],
    ['balanced', []],
  ] as const)('%s', (interruptUnmask, lines) => {
    const { machine } = withQuirks({ interruptUnmask });
    machine.kernel.forceRecovery('hwcheck');
    machine.runFor(1);
    expect(machine.eeh).toEqual(lines);
  });
});

describe('D23: the dump of a PCI Express capability', () => {
  it.each([
    ['always-nine-dwords', 9],
    ['inside-256-bytes', 8],
  ] as const)('at 0xe0, %s: %d dwords', (pcieDump, dwords) => {
    const { machine } = withQuirks({ pcieDump });
    edevOf(machine.kernel.device('0000:01:00.0')!)!.pcieCapability = 0xe0;
    edevOf(machine.kernel.device('0000:01:00.0')!)!.aerCapability = 0;
    machine.detect();
    machine.runFor(10);
    const rows = machine.eeh.filter((line) => /^EEH: PCI-E [0-9a-f]{2}: /.test(line));
    expect(rows.join(' ').match(/\b[0-9a-f]{8}\b/g)).toHaveLength(dwords);
    expect(rows.every((row) => row.endsWith(' '))).toBe(true);
  });
});

describe('a kernel without any mendable defect', () => {
  it('recovers aware and unaware drivers, a fenced PHB, and a dead hub as the others do', () => {
    for (const votes of [AWARE, 'unaware'] as const) {
      const { machine } = withQuirks({}, { votes, kernel: { version: 'mended' } });
      machine.detect();
      machine.runFor(20);
      machine.phb.condition = 'fenced';
      machine.opal.raiseError();
      machine.runFor(20);
      expect(count(machine, SUCCESS)).toBe(2);
      expect(machine.phb.functions.get(ROOT_PORT)).toBeDefined();
      expect(machine.kernel.context.rescanLock.hungTasks).toEqual([]);
    }
  });
});
