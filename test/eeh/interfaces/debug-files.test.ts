import { describe, expect, it } from 'vitest';
import { PeState } from '../../../src/eeh/eeh-flags.js';
import { EACCES, EFAULT, EINVAL, ENODEV, ENXIO, EOPNOTSUPP, ERANGE } from '../../../src/eeh/errno.js';
import { AWARE, StubDriver } from '../stub-driver.js';
import { DEBUG, User } from './user.js';

const DEVICE = '0000:01:00.0';

describe('the knobs of EEH', () => {
  it('read as recorded: on, five freezes an hour, recovery not disabled', () => {
    const user = new User();
    const read = (name: string): string => user.read(`${DEBUG}/${name}`);
    expect(['eeh_enable', 'eeh_max_freezes', 'eeh_disable_recovery'].map(read)).toEqual(['0x1\n', '5\n', 'N\n']);
  });

  it('switch EEH off and on again', () => {
    const user = new User();
    expect(user.write(`${DEBUG}/eeh_enable`, '0\n')).toBe(0);
    expect(user.read(`${DEBUG}/eeh_enable`)).toBe('0x0\n');
    expect(user.read('/proc/powerpc/eeh')).toBe('EEH Subsystem is globally disabled\neeh_total_mmio_ffs=0\n');
    expect(user.write(`${DEBUG}/eeh_enable`, '7')).toBe(0);
    expect(user.read(`${DEBUG}/eeh_enable`)).toBe('0x1\n');
    expect(user.write(`${DEBUG}/eeh_enable`, 'off')).toBe(EINVAL);
  });

  it('set the freezes an hour, of 32 bits', () => {
    const user = new User();
    expect(user.write(`${DEBUG}/eeh_max_freezes`, '100\n')).toBe(0);
    expect(user.machine.kernel.settings.maxFreezes).toBe(100);
    expect(user.write(`${DEBUG}/eeh_max_freezes`, '0x100000007')).toBe(0);
    expect(user.read(`${DEBUG}/eeh_max_freezes`)).toBe('7\n');
    expect(user.write(`${DEBUG}/eeh_max_freezes`, 'many')).toBe(EINVAL);
    expect(user.write(`${DEBUG}/eeh_max_freezes`, '99999999999999999999')).toBe(ERANGE);
  });

  it('drop new events while recovery is disabled; what is no switch is taken and changes nothing', () => {
    const user = new User({ kernel: { drivers: [new StubDriver(AWARE)] } });
    expect(user.write(`${DEBUG}/eeh_disable_recovery`, 'Y\n')).toBe(0);
    expect(user.read(`${DEBUG}/eeh_disable_recovery`)).toBe('Y\n');
    expect(user.write(`${DEBUG}/eeh_disable_recovery`, 'maybe')).toBe(0);
    user.machine.phb.freeze(0xfd);
    user.write(`${DEBUG}/eeh_dev_check`, DEVICE);
    expect(user.texts).toContain('EEH: Event dropped due to no_recover setting');
    expect(user.write(`${DEBUG}/eeh_disable_recovery`, '0')).toBe(0);
    expect(user.read(`${DEBUG}/eeh_disable_recovery`)).toBe('N\n');
  });
});

describe('eeh_dev_check', () => {
  it('asks firmware for the PHB and the PE, and logs that nothing is wrong, as recorded', () => {
    const user = new User({ kernel: { drivers: [new StubDriver(AWARE)] } });
    expect(user.write(`${DEBUG}/eeh_dev_check`, `${DEVICE}\n`)).toBe(0);
    expect(user.machine.opal.calls).toEqual(['STATUS(0)', 'STATUS(fd)']);
    expect(user.texts).toEqual([`nic ${DEVICE}: eeh_dev_check_failure(${DEVICE}) = 0`]);
    expect(user.machine.kernel.statistics.falsePositives).toBe(1);
  });

  it('finds a frozen PE and sets recovery going, with the stack of the write', () => {
    const user = new User({ kernel: { drivers: [new StubDriver(AWARE)] } });
    user.machine.phb.freeze(0xfd);
    expect(user.write(`${DEBUG}/eeh_dev_check`, DEVICE)).toBe(0);
    expect(user.texts).toContain(`nic ${DEVICE}: eeh_dev_check_failure(${DEVICE}) = 1`);
    user.machine.runFor(1);
    const frames = user.texts.filter((text) => text.startsWith('EEH: [')).map((text) => text.split(' ')[2]!);
    expect(frames.map((frame) => frame.split('+')[0])).toEqual([
      ...['__eeh_send_failure_event', 'eeh_dev_check_failure', 'eeh_dev_check_write', 'vfs_write', 'ksys_write'],
      ...['system_call_exception', 'system_call_common'],
    ]);
  });

  it('refuses a device without record', () => {
    const user = new User();
    user.machine.kernel.device(DEVICE)!.node.edev = undefined;
    expect(user.write(`${DEBUG}/eeh_dev_check`, DEVICE)).toBe(ENODEV);
    expect(user.texts).toEqual([`pci ${DEVICE}: No eeh_dev for this device!`]);
  });
});

describe('eeh_dev_break', () => {
  it('takes memory decoding away for one load that nobody looks at', () => {
    const user = new User({ kernel: { drivers: [new StubDriver(AWARE)] } });
    const device = user.machine.kernel.device(DEVICE)!;
    const address = device.cpuAddress(0)!;
    const { loads } = user.machine.port;
    user.machine.phb.functions.get(0x100)!.set('COMMAND', 0x0146);
    expect(user.write(`${DEBUG}/eeh_dev_break`, DEVICE)).toBe(0);
    expect(user.texts).toEqual([
      `nic ${DEVICE}: Going to break: [mem 0x${address.toString(16)}-0x${(address + 0x3fff).toString(16)}]`,
    ]);
    expect(user.machine.opal.calls).toEqual(['CFGW(100,4,2,144)', 'CFGW(100,4,2,146)']);
    expect(user.machine.port.loads).toBe(loads + 1);
  });

  it('does not detect what it broke', () => {
    const user = new User();
    user.machine.phb.freeze(0xfd);
    expect(user.write(`${DEBUG}/eeh_dev_break`, DEVICE)).toBe(0);
    user.machine.runFor(1);
    expect(user.machine.kernel.pe(0, 0xfd)!.in(PeState.ISOLATED)).toBe(false);
  });

  it('needs a memory BAR that has a place', () => {
    const user = new User();
    for (const resource of user.machine.kernel.device(DEVICE)!.resources) resource.pciAddress = undefined;
    expect(user.write(`${DEBUG}/eeh_dev_break`, DEVICE)).toBe(ENXIO);
    expect(user.texts).toEqual([`pci ${DEVICE}: Unable to find Memory BAR to cause EEH with`]);
    expect(user.machine.opal.calls).toEqual([]);
  });
});

describe('eeh_dev_can_recover', () => {
  it('says yes to a driver with error_detected and slot_reset only', () => {
    const answer = (votes: ConstructorParameters<typeof StubDriver>[0] | 'none'): number => {
      const drivers = votes === 'none' ? [] : [new StubDriver(votes)];
      return new User({ kernel: { drivers } }).write(`${DEBUG}/eeh_dev_can_recover`, DEVICE);
    };
    expect(answer(AWARE)).toBe(0);
    expect([answer('none'), answer('unaware')]).toEqual([EOPNOTSUPP, EOPNOTSUPP]);
    expect([answer({ error: 'can recover' }), answer({ reset: 'recovered' })]).toEqual([EOPNOTSUPP, EOPNOTSUPP]);
  });
});

describe('files that take a device', () => {
  const names = ['eeh_dev_break', 'eeh_dev_can_recover', 'eeh_dev_check'];

  it('show how to call it', () => {
    const user = new User();
    for (const name of names) expect(user.read(`${DEBUG}/${name}`)).toBe('input format: <domain>:<bus>:<dev>.<fn>\n');
  });

  it.each(names)('%s refuses nothing, half a name, and devices that are not there', (name) => {
    const user = new User();
    const path = `${DEBUG}/${name}`;
    expect(user.write(path, '')).toBe(EFAULT);
    expect(user.write(path, 'nic')).toBe(EINVAL);
    expect(user.write(path, '0000:01:00')).toBe(EINVAL);
    expect(user.texts).toEqual([0, 3].map((got) => `eeh_debug_lookup_pdev: expected 4 args, got ${got}`));
    expect(['0000:02:00.0', '0001:01:00.0', '0000:01:01.0'].map((text) => user.write(path, text))).toEqual([
      ...[ENODEV, ENODEV, ENODEV],
    ]);
  });

  it('read no further than their buffer', () => {
    const user = new User();
    expect(user.write(`${DEBUG}/eeh_dev_check`, '00000000000:01:00.0')).toBe(0);
    expect(user.write(`${DEBUG}/eeh_dev_check`, '000000000000:01:00.0')).toBe(EINVAL);
  });
});

describe('eeh_force_recover', () => {
  const path = `${DEBUG}/eeh_force_recover`;

  it('recovers a healthy PE, also with recovery disabled', () => {
    const user = new User({ kernel: { drivers: [new StubDriver(AWARE)] } });
    user.write(`${DEBUG}/eeh_disable_recovery`, '1');
    expect(user.write(path, '0:fd\n')).toBe(0);
    user.machine.runFor(20);
    expect(user.texts[0]).toBe('EEH: Recovering PHB#0-PE#fd');
    expect(user.texts.at(-1)).toBe('EEH: Recovery successful.');
  });

  it('asks firmware on "hwcheck"', () => {
    const user = new User();
    expect(user.write(path, 'hwcheck\n')).toBe(0);
    user.machine.runFor(0.01);
    expect(user.machine.opal.calls.filter((call) => call.startsWith('NEXT'))).toEqual(['NEXT(0)']);
  });

  it('refuses other texts, PHBs and PEs, and reading', () => {
    const user = new User();
    expect(['', 'fd', 'x:y', '0:'].map((text) => user.write(path, text))).toEqual([EFAULT, EINVAL, EINVAL, EINVAL]);
    expect(['3:fd', '0:12'].map((text) => user.write(path, text))).toEqual([ENODEV, ENODEV]);
    expect(user.readError(path)).toBe(EINVAL);
    expect(user.machine.kernel.events.queued).toEqual([]);
  });
});

describe('what can only be read', () => {
  it('is the address cache: ranges ascending, addresses of 16 digits', () => {
    const user = new User({ phbs: [{}, {}] });
    const lines = user.read(`${DEBUG}/eeh_address_cache`).trimEnd().split('\n');
    expect(lines[0]).toMatch(/^mem addr range \[0x0000[0-9a-f]{12}-0x0000[0-9a-f]{12}\]: 0000:01:00\.0$/);
    expect(lines).toEqual([...lines].sort());
    expect(lines.some((line) => line.endsWith('0001:01:00.0'))).toBe(true);
    expect(user.write(`${DEBUG}/eeh_address_cache`, '1')).toBe(EACCES);
  });

  it('is the counters, all of them by name', () => {
    const user = new User();
    Object.assign(user.machine.kernel.statistics, {
      ...{ noDevice: 1, noNode: 2, ignoredChecks: 3, totalMmioFfs: 4, falsePositives: 5, slotResets: 6 },
    });
    expect(user.read('/proc/powerpc/eeh').split('\n')).toEqual([
      ...['EEH Subsystem is enabled', 'no device=1', 'no device node=2', 'no config address=0', 'check not wanted=3'],
      ...['eeh_total_mmio_ffs=4', 'eeh_false_positives=5', 'eeh_slot_resets=6', ''],
    ]);
    expect(user.write('/proc/powerpc/eeh', '1')).toBe(EACCES);
  });
});
