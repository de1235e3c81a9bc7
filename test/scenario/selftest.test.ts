import { describe, expect, it } from 'vitest';
import type { SlotOptions } from '../../src/machine/topology.js';
import { isPeOk, selftest } from '../../src/scenario/procedures/selftest.js';
import { DEBUG, DEVICES, UserSpace } from '../../src/scenario/procedures/user-space.js';
import { delay, type Process } from '../../src/sim/process.js';
import { ms } from '../../src/sim/time.js';
import { AWARE, StubDriver } from '../eeh/stub-driver.js';
import { UserMachine } from './user-machine.js';

const nic = (driver: SlotOptions['driver'], phb = 0): SlotOptions => {
  return { device: 'nic', driver, phb, framePeriodNs: ms(10) };
};
const NVME = 0x0010;

/** A disk with power management, whose driver lives through resets. */
function disk(): SlotOptions {
  return { device: 'nvme', driver: () => new StubDriver(AWARE, { name: 'nvme', deviceId: NVME }) };
}

describe('the selftest of the kernel', () => {
  it('breaks every endpoint, sees it come back, and leaves bridges alone', () => {
    const machine = new UserMachine([nic('recovering'), nic('unaware'), nic('none')]);
    const result = machine.run(selftest(machine.user));
    expect(result).toMatchObject({ status: 0, failed: [] });
    expect(result.tested).toEqual(['0000:03:00.0', '0000:04:00.0', '0000:05:00.0']);
    expect(machine.printed.slice(0, 9)).toEqual([
      ...['0000:00:00.0', '0000:01:00.0', '0000:02:00.0', '0000:02:01.0', '0000:02:02.0'].map(
        (name) => `${name}, Skipped: bridge`,
      ),
      ...result.tested.map((name) => `${name}, Added`),
      'Found 3 breakable devices...',
    ]);
    expect(machine.lines('0000:03:00.0, waited')).toEqual([0, 1, 2].map((i) => `0000:03:00.0, waited ${i}/60`));
    expect(machine.lines('0000:03:00.0, Rec')).toEqual(['0000:03:00.0, Recovered after 3 seconds']);
    expect(machine.lines('0000:04:00.0, Rec')).toEqual(['0000:04:00.0, Recovered after 8 seconds']);
    expect(machine.printed.at(-1)).toBe('0 devices failed to recover (3 tested)');
    const texts = machine.system.kernel.log.texts();
    expect(texts.filter((text) => text.includes('Going to break: [mem'))).toHaveLength(3);
    expect(texts.filter((text) => text === 'EEH: Recovery successful.')).toHaveLength(3);
    expect(machine.system.kernel.settings.maxFreezes).toBe(5000);
  });

  it('does not see a device without aware driver for five seconds and more', () => {
    const machine = new UserMachine([nic('unaware')]);
    const path = `${DEVICES}/0000:01:00.0/eeh_pe_state`;
    let goneMs = 0;
    function* watch(): Process<void> {
      for (;;) {
        yield* delay(ms(10));
        if (!machine.files.exists(path)) goneMs += 10;
      }
    }
    machine.system.sim.spawn('watch', watch(), { daemon: true });
    expect(machine.run(selftest(machine.user)).status).toBe(0);
    expect(goneMs).toBeGreaterThanOrEqual(5000);
    expect(goneMs).toBeLessThan(12_000);
  });

  it('fails a device whose bus reset stalls for 65 seconds, and passes it on a kernel that does not stall', () => {
    const stalling = new UserMachine([disk()]);
    expect(stalling.run(selftest(stalling.user))).toEqual({
      ...{ status: 1, tested: ['0000:01:00.0'], failed: ['0000:01:00.0'] },
    });
    expect(stalling.lines('0000:01:00.0, waited').at(-1)).toBe('0000:01:00.0, waited 60/60');
    expect(stalling.printed.slice(-4)).toEqual([
      '0000:01:00.0, Failed to recover!',
      '1 devices failed to recover (1 tested)',
      // Recovery still blocks its configuration space.
      '-01:00.0 Class 0108: Device 1b36:0010 (rev 02)',
      '+01:00.0 Class 0108: Device 1b36:0010 (rev ff)',
    ]);
    stalling.system.sim.run({ untilNs: stalling.system.sim.now + ms(20_000) });
    expect(stalling.run(isPeOk(stalling.user, '0000:01:00.0'))).toBe(true);

    const older = new UserMachine([disk()], { kernel: { quirks: { busResetWait: 'for-bridge' } } });
    expect(older.run(selftest(older.user)).status).toBe(0);
    const [recovered] = older.lines('0000:01:00.0, Recovered');
    expect(Number(/after (\d+)/.exec(recovered!)![1])).toBeLessThan(10);
  });

  it('passes the same device when it may wait longer', () => {
    const machine = new UserMachine([disk()]);
    expect(machine.run(selftest(machine.user, { maxWaitSeconds: 90 })).status).toBe(0);
    expect(machine.printed.some((line) => /waited \d+\/90$/.test(line))).toBe(true);
  });

  it('fails a device whose driver gives it up, and shows that lspci misses it', () => {
    const unable = (): StubDriver => new StubDriver({ error: 'disconnect' }, { name: 'unable' });
    const machine = new UserMachine([{ device: 'nic', driver: unable }]);
    const result = machine.run(selftest(machine.user, { maxWaitSeconds: 3 }));
    expect(result).toMatchObject({ status: 1, failed: ['0000:01:00.0'] });
    expect(machine.printed.slice(-3)).toEqual([
      '0000:01:00.0, Failed to recover!',
      '1 devices failed to recover (1 tested)',
      '-01:00.0 Class 0200: Device 1014:f001',
    ]);
  });

  it('does not break a device whose PE went bad in the meantime', () => {
    const machine = new UserMachine([nic('recovering'), nic('recovering', 1)]);
    const { sim, kernel } = machine.system;
    function* spoil(): Process<void> {
      yield* delay(ms(1000));
      kernel.pe(1, 0xfd)!.markIsolated();
    }
    sim.spawn('spoil', spoil(), { daemon: true });
    const { status, tested, failed } = machine.run(selftest(machine.user));
    expect([status, tested, failed]).toEqual([1, ['0000:01:00.0', '0001:01:00.0'], ['0001:01:00.0']]);
    expect(machine.printed).toContain('Skipping 0001:01:00.0, Initial PE state is not ok');
    expect(kernel.log.texts().filter((text) => text.includes('Going to break'))).toHaveLength(1);
  });

  it('leaves out ahci, PEs that are bad already, and virtual functions', () => {
    const machine = new UserMachine([
      { device: 'nvme', driver: () => new StubDriver(AWARE, { name: 'ahci', deviceId: NVME }) },
      nic('recovering', 1),
      nic('none', 2),
    ]);
    machine.system.kernel.pe(1, 0xfd)!.markIsolated();
    const files = machine.files;
    class WithVirtualFunction extends UserSpace {
      override exists(path: string): boolean {
        return path.endsWith('0002:01:00.0/physfn') || super.exists(path);
      }
    }
    const user = new WithVirtualFunction(files, (line) => machine.printed.push(line));
    expect(machine.run(selftest(user))).toEqual({ status: 0, tested: [], failed: [] });
    expect(machine.printed.filter((line) => !line.includes('bridge'))).toEqual([
      "0000:01:00.0, Skipped: ahci doesn't support recovery",
      '0001:01:00.0, Skipped: Bad initial PE state',
      '0002:01:00.0, Skipped: virtfn',
      'Found 0 breakable devices...',
      '0 devices failed to recover (0 tested)',
    ]);
  });

  it('goes on when a device cannot be broken, and finds it well', () => {
    const machine = new UserMachine([nic('none')]);
    for (const resource of machine.system.kernel.device('0000:01:00.0')!.resources) resource.pciAddress = undefined;
    expect(machine.run(selftest(machine.user)).status).toBe(0);
    expect(machine.printed).toContain(`sh: ${DEBUG}/eeh_dev_break: No such device or address`);
    expect(machine.printed).toContain('0000:01:00.0, Recovered after 0 seconds');
  });

  it('is skipped without EEH, and without the files it works with', () => {
    const off = new UserMachine([nic('none')], { kernel: { eeh: 'off' } });
    expect(off.run(selftest(off.user)).status).toBe(4);
    expect(off.printed).toEqual(['EEH not supported on this system, skipping']);

    const machine = new UserMachine([nic('none')]);
    class Bare extends UserSpace {
      override exists(): boolean {
        return false;
      }
    }
    const bare = new Bare(machine.files, (line) => machine.printed.push(line));
    expect(machine.run(selftest(bare)).status).toBe(4);
    expect(machine.printed).toEqual(['debugfs EEH testing files are missing. Is debugfs mounted?']);
    expect(machine.system.kernel.settings.maxFreezes).toBe(5);
  });
});
