import { describe, expect, it } from 'vitest';
import { PeState } from '../../../src/eeh/eeh-flags.js';
import { edevOf } from '../../../src/eeh/eeh-pe.js';
import { EACCES, EINVAL, EIO, ENODEV, ENOENT } from '../../../src/eeh/errno.js';
import { OpalStatus } from '../../../src/opal/opal-api.js';
import { AWARE, StubDriver } from '../stub-driver.js';
import { ENDPOINT_DIR, User } from './user.js';

const STATE = `${ENDPOINT_DIR}/eeh_pe_state`;

describe('the files of a device', () => {
  it('show what it is, as recorded after boot: mode 200 of an endpoint, 203 of a root port', () => {
    const user = new User();
    const read = (name: string): string => user.read(`${ENDPOINT_DIR}/${name}`);
    expect(['vendor', 'device', 'class'].map(read)).toEqual(['0x1014\n', '0xf001\n', '0x020000\n']);
    expect(['eeh_mode', 'eeh_pe_config_addr'].map(read)).toEqual(['0x200\n', '0xfd\n']);
    expect(user.read('/sys/bus/pci/devices/0000:00:00.0/eeh_mode')).toBe('0x203\n');
  });

  it('show the state of the hardware and the word of the kernel, healthy and frozen', () => {
    const user = new User();
    expect(user.read(STATE)).toBe('0x00000078 0x00000800\n');
    user.machine.phb.freeze(0xfd);
    expect(user.read(STATE)).toBe('0x00000000 0x00000801\n');
  });

  it('isolate a frozen PE by being read, and nobody recovers it', () => {
    const user = new User();
    user.machine.phb.freeze(0xfd);
    user.read(STATE);
    user.machine.runFor(10);
    const pe = user.machine.kernel.pe(0, 0xfd)!;
    expect(pe.in(PeState.ISOLATED)).toBe(true);
    expect([pe.in(PeState.RECOVERING), pe.freezeCount]).toEqual([false, 0]);
    expect(user.texts.filter((text) => text.includes('Recovering'))).toEqual([]);
  });

  it('thaw an isolated PE when anything is written, first MMIO, then DMA', () => {
    const user = new User();
    user.machine.phb.freeze(0xfd);
    user.read(STATE);
    user.machine.opal.calls.length = 0;
    expect(user.write(STATE, '\n')).toBe(0);
    expect(user.machine.opal.calls.filter((call) => call.startsWith('CLEAR'))).toEqual(['CLEAR(fd,1)', 'CLEAR(fd,2)']);
    expect(user.read(STATE)).toBe('0x00000078 0x00000800\n');
    expect(user.machine.kernel.device('0000:01:00.0')!.channel).toBe('normal');
  });

  it('leave a PE alone that is not isolated, also a frozen one', () => {
    const user = new User();
    user.machine.phb.freeze(0xfd);
    expect(user.write(STATE, '1')).toBe(0);
    expect(user.machine.opal.calls).toEqual([]);
  });

  it('answer EIO when the PE does not thaw', () => {
    const user = new User();
    user.machine.phb.freeze(0xfd);
    user.read(STATE);
    user.machine.opal.fail.set('CLEAR', OpalStatus.HARDWARE);
    expect(user.write(STATE, '1')).toBe(EIO);
    expect(user.machine.kernel.pe(0, 0xfd)!.in(PeState.ISOLATED)).toBe(true);
  });

  it('answer ENODEV for a record without PE', () => {
    const user = new User();
    edevOf(user.machine.kernel.device('0000:01:00.0')!)!.pe = undefined;
    expect([user.readError(STATE), user.write(STATE, '1')]).toEqual([ENODEV, ENODEV]);
  });

  it('cannot be written where they only show something, nor read where they only take something', () => {
    const user = new User();
    const writes = ['vendor', 'device', 'class', 'eeh_mode', 'eeh_pe_config_addr'];
    expect(writes.map((name) => user.write(`${ENDPOINT_DIR}/${name}`, '1'))).toEqual(writes.map(() => EACCES));
    expect(['remove', 'rescan'].map((name) => user.readError(`${ENDPOINT_DIR}/${name}`))).toEqual([EACCES, EACCES]);
  });

  it('are gone with the device while it is unplugged, and back after a rescan', () => {
    const user = new User();
    expect(user.write(`${ENDPOINT_DIR}/remove`, '1\n')).toBe(0);
    expect(user.files.list('/sys/bus/pci/devices')).toEqual(['0000:00:00.0']);
    expect([user.readError(STATE), user.write(STATE, '1')]).toEqual([ENOENT, ENOENT]);
    expect(user.write('/sys/bus/pci/rescan', '1\n')).toBe(0);
    expect(user.read(STATE)).toBe('0x00000078 0x00000800\n');
  });

  it('do nothing for a 0, and refuse what is no number', () => {
    const user = new User();
    const places = [`${ENDPOINT_DIR}/remove`, `${ENDPOINT_DIR}/rescan`, '/sys/bus/pci/rescan'];
    expect(places.map((place) => user.write(place, '0'))).toEqual([0, 0, 0]);
    expect(places.map((place) => user.write(place, 'now'))).toEqual([EINVAL, EINVAL, EINVAL]);
    expect(user.machine.opal.calls).toEqual([]);
    expect(user.files.exists(ENDPOINT_DIR)).toBe(true);
  });

  it('find a function again that went away on the same bus', () => {
    const user = new User({ phbs: [{ functions: [0xf002] }] });
    user.write('/sys/bus/pci/devices/0000:01:00.1/remove', '1');
    expect(user.files.exists('/sys/bus/pci/devices/0000:01:00.1')).toBe(false);
    expect(user.write(`${ENDPOINT_DIR}/rescan`, '1')).toBe(0);
    expect(user.files.exists('/sys/bus/pci/devices/0000:01:00.1')).toBe(true);
  });

  it('remove a device once, also if two ask for it', () => {
    const user = new User({ phbs: [{ functions: [0xf002] }] });
    const { kernel } = user.machine;
    const first = kernel.device('0000:01:00.0')!;
    user.machine.run(user.files.controls.removeDevice(first));
    user.machine.run(user.files.controls.removeDevice(first));
    expect(kernel.devices.map(({ name }) => name)).toEqual(['0000:00:00.0', '0000:01:00.1']);
  });
});

describe('without EEH', () => {
  it('a device has no EEH files, and the rest of them', () => {
    const user = new User({ kernel: { eeh: 'off' } });
    expect(user.files.list(ENDPOINT_DIR)).toEqual(['class', 'config', 'device', 'remove', 'rescan', 'vendor']);
    expect(user.readError(STATE)).toBe(ENOENT);
  });

  it('that was switched off later, the files stay until the device goes', () => {
    const user = new User();
    user.write('/sys/kernel/debug/powerpc/eeh_enable', '0');
    expect(user.read(STATE)).toBe('0x00000078 0x00000800\n');
  });
});

describe('links and folders of a device', () => {
  it('lead to its driver, and to the bus below a bridge', () => {
    const user = new User({ kernel: { drivers: [new StubDriver(AWARE)] } });
    expect(user.files.realPath(`${ENDPOINT_DIR}/driver`)).toBe('/sys/bus/pci/drivers/nic');
    expect(user.files.list('/sys/bus/pci/devices/0000:00:00.0/pci_bus')).toEqual(['0000:01']);
    expect(user.files.exists(`${ENDPOINT_DIR}/pci_bus`)).toBe(false);
    expect(user.files.exists('/sys/bus/pci/devices/0000:00:00.0/driver')).toBe(false);
  });
});

describe('the driver folder', () => {
  it('lists the devices of the driver, which can be taken from it and given back', () => {
    const driver = new StubDriver(AWARE);
    const user = new User({ kernel: { drivers: [driver] } });
    const folder = '/sys/bus/pci/drivers/nic';
    expect(user.files.list(folder)).toEqual(['0000:01:00.0', 'bind', 'unbind']);
    expect(user.files.realPath(`${folder}/0000:01:00.0`)).toBe(ENDPOINT_DIR);
    expect(user.write(`${folder}/unbind`, '0000:01:00.0\n')).toBe(0);
    expect(user.files.list(folder)).toEqual(['bind', 'unbind']);
    expect(user.files.exists(`${ENDPOINT_DIR}/driver`)).toBe(false);
    expect(user.write(`${folder}/bind`, '0000:01:00.0\n')).toBe(0);
    expect(driver.diary).toEqual(['probe 0000:01:00.0', 'remove 0000:01:00.0', 'probe 0000:01:00.0']);
  });

  it('refuses devices that are unknown, another driver’s, not wanted, bound, or that the driver gives up', () => {
    const driver = new StubDriver(AWARE);
    const other = new StubDriver(AWARE, { name: 'disk', deviceId: 0xf009 });
    const user = new User({ kernel: { drivers: [driver, other] } });
    const write = (path: string, name: string): number => user.write(`/sys/bus/pci/drivers/${path}`, name);
    expect([write('nic/unbind', '0000:09:00.0'), write('nic/bind', '0000:09:00.0')]).toEqual([ENODEV, ENODEV]);
    expect(write('disk/unbind', '0000:01:00.0')).toBe(ENODEV);
    expect(write('disk/bind', '0000:01:00.0')).toBe(ENODEV);
    expect(write('nic/bind', '0000:01:00.0')).toBe(-16);
    write('nic/unbind', '0000:01:00.0');
    driver.probeRc = -5;
    expect(write('nic/bind', '0000:01:00.0')).toBe(-5);
    expect(user.texts.at(-1)).toBe('nic: probe of 0000:01:00.0 failed with error -5');
    expect(user.files.list('/sys/bus/pci/drivers')).toEqual(['disk', 'nic']);
  });
});

describe('the configuration space of a device', () => {
  it('is read as the kernel reads it, and written in the widest pieces that fit', () => {
    const user = new User();
    const bytes = user.read(`${ENDPOINT_DIR}/config`);
    expect(bytes).toHaveLength(4096);
    expect([...bytes.slice(0, 4)].map((byte) => byte.charCodeAt(0))).toEqual([0x14, 0x10, 0x01, 0xf0]);
    user.machine.opal.calls.length = 0;
    expect(user.write(`${ENDPOINT_DIR}/config`, '\x14\x10\x01\xf0\x46\x01\x00')).toBe(0);
    expect(user.machine.opal.calls).toEqual(['CFGW(100,0,4,f0011014)', 'CFGW(100,4,2,146)', 'CFGW(100,6,1,0)']);
  });

  it('of a PE that is frozen and does not answer sets the recovery going, and reads as all ones', () => {
    const user = new User({ kernel: { drivers: [new StubDriver(AWARE)] } });
    user.machine.phb.freeze(0xfd);
    user.machine.phb.card = 'gone';
    const bytes = user.machine.run(user.files.config.read(user.machine.kernel.device('0000:01:00.0')!, 4, 4));
    expect([...bytes]).toEqual([0xff, 0xff, 0xff, 0xff]);
    user.machine.runFor(1);
    expect(user.texts).toContain('EEH: Recovering PHB#0-PE#fd');
  });

  it.each([
    ['is healthy after all', false],
    ['is passed to a guest', true],
  ])('of a device that is unplugged while firmware is asked is judged by the PE it had, which %s', (_, passed) => {
    const user = new User({ kernel: { drivers: [new StubDriver(AWARE)] } });
    const { kernel, phb } = user.machine;
    const device = kernel.device('0000:01:00.0')!;
    const pe = kernel.pe(0, 0xfd)!;
    const edev = edevOf(device)!;
    phb.card = 'gone';
    const ask = kernel.platform.getState.bind(kernel.platform);
    kernel.platform.getState = function* (asked) {
      if (edev.pe !== undefined) yield* kernel.removeDevice(device);
      if (passed) Object.defineProperty(pe, 'isPassed', { value: true });
      return yield* ask(asked);
    };
    const bytes = user.machine.run(user.files.config.read(device, 4, 4));
    expect([...bytes]).toEqual([0xff, 0xff, 0xff, 0xff]);
    expect([edev.pe, pe.falsePositives]).toEqual([undefined, passed ? 0 : 1]);
    expect(kernel.device('0000:01:00.0')).toBeUndefined();
  });

  it('has 256 bytes without extended space', () => {
    const user = new User();
    user.machine.kernel.device('0000:01:00.0')!.capabilities.configBytes = 256;
    expect(user.read(`${ENDPOINT_DIR}/config`)).toHaveLength(256);
  });
});
