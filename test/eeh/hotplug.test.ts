import { describe, expect, it } from 'vitest';
import { FakeMachine } from './fake-machine.js';
import { AWARE, StubDriver } from './stub-driver.js';

describe('removal and rescan of a device', () => {
  it('make the calls and print the lines that were recorded', () => {
    const driver = new StubDriver(AWARE);
    const machine = new FakeMachine({ kernel: { drivers: [driver] } }).boot();
    machine.run(machine.kernel.removeDevice(machine.kernel.device('0000:01:00.0')!));
    expect(machine.kernel.log.texts()).toEqual([
      'pci 0000:01:00.0: Removing from iommu group 0',
      'pci 0000:01     : [PE# fd] Releasing PE',
      'pci 0000:01     : [PE# fd] Removing DMA window #0',
      'pci 0000:01     : [PE# fd] Disabling 64-bit DMA bypass',
    ]);
    expect(machine.opal.calls).toEqual([
      ...['MAP_DMA(fd,1fa,0)', 'MAP_DMA_REAL(fd,1fb,0)', 'MAP_MMIO(ff,0)', 'SET_PELTV(fe,fd,0)'],
      ...['CLEAR(fd,3)', 'SET_PELTV(fd,fd,0)', 'SET_PE(fd,100,0)'],
    ]);
    expect(machine.kernel.pe(0, 0xfd)).toBeUndefined();

    machine.opal.calls.length = 0;
    const bars = [0, 2].map((bar) => machine.kernel.devices.map((device) => device.cpuAddress(bar)));
    const found = machine.run(machine.kernel.rescan());
    expect(found.map((device) => device.name)).toEqual(['0000:01:00.0']);
    expect(bars.flat().every((address) => address === undefined)).toBe(true);
    expect(found[0]!.cpuAddress(0)).toBe(0x3ff8_0000_0000);
    const calls = machine.opal.calls.filter((call) => !call.startsWith('CFGW'));
    expect(calls).toEqual([
      ...['CLEAR(fd,3)', 'SET_PE(fd,100,1)', 'CLEAR(fd,3)', 'SET_PELTV(fd,fd,1)', 'SET_PELTV(fe,fd,1)'],
      ...['MAP_MMIO(fd,0)', 'MAP_MMIO(fd,0)', 'MAP_DMA(fd,1fa,2)', 'MAP_DMA_REAL(fd,1fb,40000000)'],
    ]);
    expect(driver.diary).toEqual(['probe 0000:01:00.0', 'remove 0000:01:00.0', 'probe 0000:01:00.0']);
    expect(machine.kernel.pe(0, 0xfd)!.edevs).toHaveLength(1);
  });

  it('leave a device that is still there alone', () => {
    const machine = new FakeMachine({ phbs: [{ functions: [0xf002] }] }).boot();
    machine.run(machine.kernel.removeDevice(machine.kernel.device('0000:01:00.1')!));
    expect(machine.kernel.log.texts()).toEqual(['pci 0000:01:00.1: Removing from iommu group 0']);
    const found = machine.run(machine.kernel.rescan());
    expect(found.map((device) => device.name)).toEqual(['0000:01:00.1']);
    expect(machine.kernel.log.texts()).toContain('pci 0000:01:00.1: Added to existing PE#fd');
    expect(machine.kernel.pe(0, 0xfd)!.edevs.map((edev) => edev.bdfn)).toEqual([0x100, 0x101]);
  });

  it('take a bridge with everything below it, and find both again', () => {
    const machine = new FakeMachine().boot();
    machine.run(machine.kernel.removeDevice(machine.kernel.device('0000:00:00.0')!));
    expect(machine.kernel.devices).toEqual([]);
    expect(machine.kernel.tree.allPhbPes[0]!.children).toEqual([]);
    machine.run(machine.kernel.rescan());
    expect(machine.kernel.devices.map((device) => device.name)).toEqual(['0000:00:00.0', '0000:01:00.0']);
    expect(machine.kernel.pe(0, 0xfd)!.parent).toBe(machine.kernel.pe(0, 0xfe));
  });

  it('find a card that vanished during recovery gone, and call that a success', () => {
    const driver = new StubDriver('unaware');
    const machine = new FakeMachine({ kernel: { drivers: [driver] } }).boot();
    machine.detect();
    machine.runFor(5);
    machine.phb.card = 'gone';
    machine.runFor(10);
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
    expect(machine.kernel.devices.map((device) => device.name)).toEqual(['0000:00:00.0']);
    expect(driver.diary.at(-1)).toBe('remove 0000:01:00.0');
  });

  it('wait for a recovery that is running', () => {
    const driver = new StubDriver(AWARE);
    const machine = new FakeMachine({ kernel: { drivers: [driver] } }).boot();
    machine.detect();
    machine.runFor(1);
    machine.run(machine.kernel.rescan());
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
  });
});

describe('devices whose config space must not be touched while frozen', () => {
  it('are blocked while isolated, and neither dumped nor restored then', () => {
    const driver = new StubDriver(AWARE, { deviceId: 0x1657 });
    const machine = new FakeMachine({
      phbs: [{ deviceId: 0x1657, vendorId: 0x14e4 }],
      kernel: { drivers: [driver] },
    }).boot();
    const pe = machine.kernel.pe(0, 0xfd)!;
    expect(pe.state).toBe(0xa00);
    machine.detect();
    expect(pe.state & 0x5).toBe(0x5);
    machine.runFor(20);
    expect(machine.eeh.join()).not.toContain('of node');
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
    expect(pe.state).toBe(0xa00);
  });
});
