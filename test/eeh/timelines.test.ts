/**
 * The timelines of facts eeh-linux 17 on a whole machine, step by step in virtual time. Tolerance: one poll interval of
 * the firmware, 100 ms, for each reset that stands before the step, and 10 ms for the accesses, which facts count as 0.
 * Those of IODA1 come with that chip.
 */
import { describe, expect, it } from 'vitest';
import { CARD, DISK, DISK_ID, FullMachine, type FullMachineOptions } from './full-machine.js';
import { AWARE, StubDriver, type StubVotes } from './stub-driver.js';

const POLL_MS = 100;
const ACCESSES_MS = 10;
const SUCCESS = 'EEH: Recovery successful.';
const FAILED = "EEH: Finished:'error_detected(permanent failure)'";
const disk = (votes: StubVotes | 'unaware' = AWARE): StubDriver =>
  new StubDriver(votes, { deviceId: DISK_ID, name: 'nvme' });

function machine(options: Partial<FullMachineOptions> & { readonly driver?: StubDriver } = {}): FullMachine {
  return new FullMachine({ slots: { 1: DISK }, drivers: [options.driver ?? disk()], ...options });
}

/** The step stood in the log at its time. */
function expectAt(full: FullMachine, text: string, nominalMs: number, resets = 1): void {
  const time = full.at(text);
  expect(time, `"${text}" at ${time} ms instead of ${nominalMs} ms`).toBeGreaterThanOrEqual(nominalMs - 1);
  const latest = nominalMs + resets * POLL_MS + ACCESSES_MS;
  expect(time, `"${text}" at ${time} ms instead of ${nominalMs} ms`).toBeLessThanOrEqual(latest);
}

const AT_ONCE = [
  'EEH: Recovering PHB#0-PE#fd',
  'EEH: Frozen PHB#0-PE#fd detected',
  'EEH: This PCI device has failed 1 times',
  "EEH: Beginning: 'error_detected(IO frozen)'",
  'EEH: Collect temporary log',
  'EEH: of node=0000:01:00.0',
  'PHB3 PHB#0 Diag-data (Version: 1)',
];

describe('17.1: a frozen PE with an aware driver', () => {
  it('takes 71.9 s: reset, settle time, a minute of waiting for a blocked child, and another reset', () => {
    const full = machine();
    full.detect();
    full.runFor(80);
    for (const line of [...AT_ONCE, 'EEH: Reset without hotplug activity']) expectAt(full, line, 0, 0);
    for (const [waited, atMs] of [
      [1023, 5143],
      [2047, 6167],
      [4095, 8215],
      [8191, 12_311],
      [16_383, 20_503],
      [32_767, 36_887],
    ] as const) {
      expectAt(full, `not ready ${waited}ms after bus reset; waiting`, atMs);
    }
    expectAt(full, 'not ready 65535ms after bus reset; giving up', 69_655);
    for (const line of ["EEH: Beginning: 'slot_reset'", "EEH: Beginning: 'resume'", SUCCESS])
      expectAt(full, line, 71_855, 2);
  });

  it.each<[string, number, Partial<FullMachineOptions>, number]>([
    ['a card without power management', 4000, { slots: { 1: CARD }, drivers: [new StubDriver(AWARE)] }, 1],
    ['a kernel from before the rework of the reset delays', 4000, { kernel: { version: '6.1.0' } }, 1],
    ['a registered hotplug slot, without a second reset', 69_655, { registeredSlots: 'yes' }, 1],
  ])('with %s takes %i ms', (_, nominalMs, options, resets) => {
    const full = machine(options);
    full.detect();
    full.runFor(80);
    expectAt(full, SUCCESS, nominalMs, resets);
  });

  it('whose driver asked for a fundamental reset takes 2200 ms: nobody waits for the bus', () => {
    const full = machine();
    full.system.slot('slot1')!.device!.resetWish = 'fundamental';
    full.detect();
    full.runFor(10);
    expectAt(full, SUCCESS, 2200);
    expect(full.has('not ready')).toBe(false);
  });

  it.each<[string, number, Partial<FullMachineOptions>]>([
    ['', 69_795, {}],
    [' that is a registered hotplug slot', 67_725, { registeredSlots: 'yes' }],
  ])('below a switch port%s takes %i ms', (_, nominalMs, options) => {
    const full = machine({ slots: { 1: DISK, 2: DISK }, ...options });
    full.detect();
    full.runFor(80);
    expectAt(full, 'not ready 1023ms after bus reset; waiting', 2070 + 120 + 1023);
    expectAt(full, SUCCESS, nominalMs, 2);
  });

  it('below a switch port that does not report its link takes 74735 ms: everybody waits a second for it', () => {
    const full = machine({ slots: { 1: DISK, 2: DISK }, ports: { linkReporting: 'no' } });
    full.detect();
    full.runFor(80);
    expectAt(full, 'not ready 1023ms after bus reset; waiting', 4050 + 1100 + 1023);
    expectAt(full, SUCCESS, 74_735, 2);
  });

  it('whose driver can recover is not reset: all happens at once', () => {
    const full = machine({ driver: disk({ error: 'can recover', mmio: 'recovered', resume: 'present' }) });
    full.detect();
    full.runFor(5);
    for (const line of ['EEH: Enable I/O for affected devices', "EEH: Beginning: 'mmio_enabled'", SUCCESS]) {
      expectAt(full, line, 0, 0);
    }
    expect(full.has('Reset with')).toBe(false);
  });

  it('with sleeps rounded as the timer wheel does takes what was measured, 13 % more at most', () => {
    const full = machine({ kernel: { sleepRounding: 'timer-wheel' } });
    full.detect();
    full.runFor(100);
    const took = full.at(SUCCESS);
    expect(took).toBeGreaterThan(75_000);
    expect(took).toBeLessThan(71_855 * 1.13);
    const between = full.at('giving up') - full.at('not ready 32767ms');
    // A sleep of 32 768 ms was measured as 34 816 ms.
    expect(between).toBeGreaterThan(33_800);
    expect(between).toBeLessThan(35_900);
  });
});

describe('17.2: a frozen PE with an unaware driver', () => {
  it('is unplugged, reset, and plugged in again after 5 s: 9000 ms', () => {
    const driver = disk('unaware');
    const full = machine({ driver });
    full.detect();
    full.runFor(20);
    for (const line of [...AT_ONCE, 'EEH: Reset with hotplug activity', '[PE# fd] Releasing PE'])
      expectAt(full, line, 0, 0);
    expectAt(full, 'EEH: Sleep 5s ahead of complete hotplug', 4000);
    expectAt(full, "EEH: Beginning: 'resume'", 9000);
    expectAt(full, SUCCESS, 9000);
    expect(driver.diary).toEqual(['probe 0000:01:00.0', 'remove 0000:01:00.0', 'probe 0000:01:00.0']);
  });

  it('is reset hot, whatever its driver asked for: the devices are gone by then', () => {
    const full = machine({ driver: disk('unaware') });
    full.system.slot('slot1')!.device!.resetWish = 'fundamental';
    full.detect();
    full.runFor(20);
    expectAt(full, SUCCESS, 9000);
  });

  it('below a switch port takes 7070 ms', () => {
    const full = machine({ slots: { 1: DISK, 2: DISK }, driver: disk('unaware') });
    full.detect();
    full.runFor(20);
    expectAt(full, 'EEH: Sleep 5s ahead of complete hotplug', 2070);
    expectAt(full, SUCCESS, 7070);
  });

  it('whose driver is aware but has no error_detected binds too late for the resume pass', () => {
    const full = machine({ driver: disk({ reset: 'recovered', resume: 'present' }) });
    full.detect();
    full.runFor(20);
    expectAt(full, 'driver bound too late', 9000);
  });
});

describe('17.3: a fenced PHB', () => {
  it('found by a load is reset completely: 4350 ms, without the "Fenced" line', () => {
    const full = machine();
    full.fence();
    full.load('slot1');
    full.runFor(10);
    for (const line of [
      'EEH: Recovering PHB#0, location: N/A',
      'EEH: Frozen PHB#0-PE#0 detected',
      'PHB3 PHB#0 Diag-data',
    ]) {
      expectAt(full, line, 0, 0);
    }
    expect(full.has('Fenced')).toBe(false);
    for (const line of ["EEH: Beginning: 'slot_reset'", SUCCESS]) expectAt(full, line, 4350);
  });

  it('found by firmware is announced first, and has no stack', () => {
    const full = machine();
    full.fence();
    full.interrupt();
    full.runFor(10);
    const [first, second, third] = full.eeh;
    expect([first, second]).toEqual([
      'EEH: Fenced PHB#0 detected, location: N/A',
      'EEH: Recovering PHB#0, location: N/A',
    ]);
    expect(third).toContain('has failed 1 times');
    expectAt(full, SUCCESS, 4350);
  });

  it.each<[string, readonly StubDriver[], string]>([
    ['one of two drivers is unaware', [disk(), new StubDriver('unaware')], 'partial'],
    ['no driver is aware', [new StubDriver('unaware'), disk('unaware')], 'complete'],
  ])('takes 5 s more if %s', (_, drivers, extent) => {
    const full = machine({ slots: { 1: { device: ['nvme', 'nic'], driver: 'none' } }, drivers });
    full.fence();
    full.load('slot1.0');
    full.runFor(20);
    expectAt(full, `EEH: Sleep 5s ahead of ${extent} hotplug`, extent === 'partial' ? 4350 : 4310);
    expectAt(full, SUCCESS, extent === 'partial' ? 9350 : 9310);
  });

  it('whose reset never works is tried three times and given up', () => {
    const full = machine();
    full.system.machine.phbs[0]!.pbcq.jamReset();
    full.fence();
    full.load('slot1');
    full.runFor(940);
    const attempts = [1, 2, 3].map((attempt) => full.at(`Slot inactive after reset: 0x2 (attempt ${attempt})`));
    for (const [index, time] of attempts.entries()) expect(time - (attempts[index - 1] ?? 0)).toBeGreaterThan(4310);
    // Its PEs are unavailable: three tries to thaw the first one, 300 s each.
    expectAt(full, 'eeh_handle_normal_event: Cannot reset, err=-5', attempts[2]! + 2020 + 900_000);
    expect(full.has('EEH: Unable to recover from failure from PHB#0-PE#0.')).toBe(true);
    expect(full.kernel.devices).toEqual([]);
  });

  it('is more than its root port: that PE alone takes 4000 ms and three restores of the port', () => {
    const full = machine();
    full.kernel.forceRecovery(full.kernel.pe(0, 0xfe)!);
    full.runFor(10);
    expectAt(full, 'EEH: Reset without hotplug activity', 20);
    expectAt(full, SUCCESS, 2200 + 1800 + 3 * 20);
    expect(full.has('not ready')).toBe(false);
  });
});

describe('17.4: a dead PHB', () => {
  it('that firmware reports is buried at once', () => {
    const full = machine();
    full.kill();
    full.interrupt();
    full.runFor(5);
    for (const line of ['EEH: dead PHB#0 detected, location: N/A', FAILED, '[PE# fe] Releasing PE'])
      expectAt(full, line, 0, 0);
    expect(full.kernel.devices).toEqual([]);
    expect(full.has('Recovering')).toBe(false);
  });

  it('that a load finds is waited for twice five minutes, and firmware has to wait with its report', () => {
    const full = machine();
    full.kill();
    full.load('slot1');
    full.runFor(1);
    full.interrupt();
    full.runFor(620);
    expectAt(full, 'EEH: Failure of PHB#0-PE#fe will be handled at parent PHB#0-PE#fe.', 0, 0);
    expectAt(full, 'EEH: Permanent failure', 300_000);
    expectAt(full, 'EEH: Unable to recover from failure from PHB#0-PE#fe.', 300_000);
    // A port that reads as ones seems to be switched off and gets its 2 s.
    expectAt(full, FAILED, 600_000 + 2020);
    const waits = full.kernel.log.texts().filter((text) => text.startsWith('pnv_ioda_get_pe_state: Failure -6'));
    expect(waits.length).toBeGreaterThan(600);
    expectAt(full, 'EEH: dead PHB#0 detected', 602_020);
  });
});

describe('17.5: a link that does not come back', () => {
  /** The card no longer trains, or is gone. */
  function lose(how: 'deaf' | 'pulled', driver: StubDriver): FullMachine {
    const full = machine({ driver });
    const { link } = full.system.slot('slot1')!.place.socket;
    full.freeze('slot1');
    full.mark();
    if (how === 'pulled') link.surpriseRemove();
    else link.failLanes(0);
    full.load('slot1');
    full.runFor(40);
    return full;
  }

  it('costs two resets that give up, each "successful", and the recovered vote of a driver that does not look', () => {
    const full = lose('deaf', disk());
    expectAt(full, 'Data Link Layer Link Active not set in 1000 msec', 6920);
    expectAt(full, "EEH: Beginning: 'slot_reset'", 11_020, 2);
    expectAt(full, SUCCESS, 11_020, 2);
  });

  it('is a failure for a driver that looks', () => {
    const full = lose('deaf', disk({ ...AWARE, reset: 'disconnect' }));
    expectAt(full, 'EEH: Unable to recover from failure from PHB#0-PE#fd.', 11_020, 2);
    expect(full.kernel.device('0000:01:00.0')).toBeUndefined();
  });

  it('because the card is gone takes firmware no time: 2820 ms', () => {
    const full = lose('pulled', disk());
    expectAt(full, 'Data Link Layer Link Active not set in 1000 msec', 2820);
    expectAt(full, SUCCESS, 2820);
  });

  it.each([
    ['deaf', 4100 + 1800 + 5000],
    ['pulled', 1800 + 5000],
  ] as const)('with an unaware driver (%s) ends after %i ms in success, without the device', (how, nominalMs) => {
    const full = lose(how, disk('unaware'));
    expectAt(full, SUCCESS, nominalMs);
    expect(full.has('Link Active not set')).toBe(false);
    expect(full.kernel.devices.map(({ name }) => name)).toEqual(['0000:00:00.0']);
  });
});

describe('17.6: detection by a config read alone', () => {
  const read = (full: FullMachine) => {
    const controller = full.kernel.controllers[0]!;
    const target = { controller, bdfn: 0x0100, node: controller.findNode(0x0100) };
    return full.run(full.kernel.config.read(target, 0, 4));
  };

  it('does not happen for a frozen PE: PHB3 answers config reads of it', () => {
    const full = machine();
    full.freeze('slot1');
    full.mark();
    expect(read(full)).toEqual({ status: 'ok', value: 0x0010_1b36 });
    full.runFor(5);
    expect(full.eeh).toEqual([]);
  });

  it('finds a fenced PHB: the reader is told that the device does not exist', () => {
    const full = machine();
    full.fence();
    expect(read(full)).toEqual({ status: 'not-found', value: 0xffff_ffff });
    full.runFor(10);
    expectAt(full, 'EEH: Recovering PHB#0, location: N/A', 0, 0);
    expectAt(full, SUCCESS, 4350);
  });
});

describe('17.7: the sixth freeze within an hour', () => {
  const QUICK: StubVotes = { error: 'can recover', mmio: 'recovered', resume: 'present' };

  function freezeFiveTimes(options: Partial<FullMachineOptions> = {}) {
    const driver = disk(QUICK);
    const full = machine({ driver, ...options });
    for (let freeze = 1; freeze <= 5; freeze++) {
      full.detect();
      full.runFor(10);
      expectAt(full, `has failed ${freeze} times in the last hour`, 0, 0);
      expectAt(full, SUCCESS, 0, 0);
    }
    return { full, driver };
  }

  it('disables the device at once, and no driver is told', () => {
    const { full, driver } = freezeFiveTimes();
    full.detect();
    full.runFor(10);
    const lines = [
      'EEH: PHB#0-PE#fd has failed 6 times in the last hour and has been permanently disabled.',
      'EEH: Unable to recover from failure from PHB#0-PE#fd.',
      'EEH: of node=0000:01:00.0',
      'PHB3 PHB#0 Diag-data',
      'EEH: not actionable (1,1,1)',
      FAILED,
    ];
    for (const line of lines) expectAt(full, line, 0, 0);
    expect(driver.diary.at(-1)).toBe('remove 0000:01:00.0');
    expect(driver.diary).not.toContain('error perm-failure');
    expect(full.run(full.kernel.rescan())).toEqual([]);
  });

  it('is the first of a new window more than an hour after the first', () => {
    const { full } = freezeFiveTimes();
    full.runFor(3600);
    full.detect();
    full.runFor(10);
    expectAt(full, 'has failed 1 times in the last hour', 0, 0);
  });

  it('counts by PE, also over the unplug and replug of an unaware driver', () => {
    const full = machine({ driver: disk('unaware'), maxFreezes: 1 });
    full.detect();
    full.runFor(15);
    full.detect();
    full.runFor(15);
    expectAt(full, 'has failed 2 times in the last hour and has been permanently disabled', 0, 0);
  });
});
