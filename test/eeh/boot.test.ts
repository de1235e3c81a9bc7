import { describe, expect, it } from 'vitest';
import { edevOf } from '../../src/eeh/eeh-pe.js';
import { FakeMachine } from './fake-machine.js';
import { StubDriver } from './stub-driver.js';

function booted(machine: FakeMachine): FakeMachine {
  machine.sim.run({ process: machine.sim.spawn('boot', machine.kernel.boot()) });
  return machine;
}

describe('boot', () => {
  it('prints what a real kernel printed for the same set-up', () => {
    const { kernel } = booted(new FakeMachine({ phbs: [{}, {}] }));
    const texts = kernel.log.texts();
    // Formats taken from a recorded boot; page size, BAR addresses and ids are this machine's.
    for (const line of [
      'EEH: PowerNV platform initialized',
      'PCI: Probing PCI hardware',
      'PCI host bridge to bus 0000:00',
      'pci 0000:00:00.0: [1014:03dc] type 01 class 0x060400',
      'pci 0000:01:00.0: [1014:f001] type 00 class 0x020000',
      'pci 0000:01:00.0: BAR 0 [mem 0x00000000-0x00003fff]',
      'pci 0000:00:00.0: PCI bridge to [bus 01]',
      'pci_bus 0000:01: Configuring PE for bus',
      'pci 0000:00     : [PE# fe] Secondary bus 0x0000000000000000 associated with PE#fe',
      'pci 0000:00:00.0: Configured PE#fe',
      'pci 0000:01     : [PE# fd] Secondary bus 0x0000000000000001 associated with PE#fd',
      'pci 0000:01:00.0: Configured PE#fd',
      'pci 0000:01     : [PE# fd] Setting up 32-bit TCE table at 0..80000000',
      'pci 0000:01     : [PE# fd] Setting up window#0 0..7fffffff pg=1000',
      'pci 0000:01     : [PE# fd] Enabling 64-bit DMA bypass',
      'pci 0001:01:00.0: Adding to iommu group 1',
      'EEH: Capable adapter found: recovery enabled.',
      'PCI: Probing PCI hardware done',
    ]) {
      expect(texts).toContain(line);
    }
  });

  it('sets PEs up by the calls a real kernel makes, in its order', () => {
    const { opal } = booted(new FakeMachine());
    const calls = opal.calls.filter((call) => !call.startsWith('CFGW') && !call.startsWith('STATUS'));
    expect(calls).toEqual([
      ...['CLEAR(ff,3)', 'CLEAR(fe,3)', 'RESET(0,6,1)'],
      ...['SET_PE(fe,0,1)', 'CLEAR(fe,3)', 'SET_PELTV(fe,fe,1)'],
      ...['CLEAR(fd,3)', 'SET_PE(fd,100,1)', 'CLEAR(fd,3)', 'SET_PELTV(fd,fd,1)', 'SET_PELTV(fe,fd,1)'],
      ...['MAP_MMIO(fd,0)', 'MAP_MMIO(fd,0)', 'MAP_DMA(fd,1fa,2)', 'MAP_DMA_REAL(fd,1fb,40000000)'],
    ]);
  });

  it('asks for the freeze of the reserved PE or the own one after each config access, and never once EEH runs', () => {
    const machine = booted(new FakeMachine());
    expect(machine.opal.calls.filter((call) => call === 'STATUS(ff)').length).toBeGreaterThan(50);
    machine.opal.calls.length = 0;
    machine.run(machine.kernel.services.readConfig(machine.kernel.device('0000:01:00.0')!, 4, 4));
    expect(machine.opal.calls).toEqual([]);
  });

  it('clears what a probe of nobody froze, and prints diag data only if that fails', () => {
    const machine = new FakeMachine();
    machine.phb.freeze(0xff);
    booted(machine);
    expect(machine.opal.calls).toContain('CLEAR(ff,3)');
    expect(machine.phb.frozen.get(0xff)).toBe(0);
    expect(machine.eeh.join('\n')).not.toContain('Failure');

    const stuck = new FakeMachine();
    stuck.phb.freeze(0xff);
    stuck.opal.fail.set('CLEAR', -6);
    booted(stuck);
    expect(stuck.eeh).toContain('pnv_pci_handle_eeh_config: Failure -5 clearing frozen PHB#0-PE#ff');
    expect(stuck.eeh).toContain('pnv_pci_dump_phb_diag_data: Unrecognized ioType 0');
  });

  it('gives EEH records as recorded: root port mode 0x203 in PE fe below the PHB PE, endpoint 0x200 in PE fd below that', () => {
    const { kernel } = booted(new FakeMachine());
    const port = edevOf(kernel.device('0000:00:00.0')!)!;
    const endpoint = edevOf(kernel.device('0000:01:00.0')!)!;
    expect([port.mode, endpoint.mode]).toEqual([0x203, 0x200]);
    expect([port.pe?.address, endpoint.pe?.address]).toEqual([0xfe, 0xfd]);
    expect(endpoint.pe?.parent).toBe(port.pe);
    expect(port.pe?.parent).toBe(kernel.pe(0, 'phb'));
    expect(endpoint.pe?.state).toBe(0x800);
    // Its record is taken before the kernel switches memory on; bus master is added for the restore.
    expect(port.configSpace[1]! & 0x6).toBe(0x4);
  });

  it('puts several functions of a device into one PE, which then is a bus PE', () => {
    const { kernel } = booted(new FakeMachine({ phbs: [{ functions: [0xf002, 0xf003] }] }));
    const pe = kernel.pe(0, 0xfd)!;
    expect(pe.edevs.map((edev) => edev.bdfn)).toEqual([0x100, 0x101, 0x102]);
    expect(pe.type).toBe(0x8);
    expect(kernel.log.texts()).toContain('pci 0000:01:00.1: Added to existing PE#fd');
  });

  it('touches only listed devices when firmware lists them', () => {
    const { kernel } = booted(new FakeMachine({ phbs: [{ devices: 'listed' }] }));
    expect(kernel.devices.map((device) => device.name)).toEqual(['0000:00:00.0', '0000:01:00.0']);
  });

  it('spends the last M64 BAR on the 64-bit window', () => {
    const machine = new FakeMachine({ phbs: [{}] });
    const { node } = machine.kernel.controllers[0]!;
    const m64 = { cpuBase: 2 ** 40, pciBase: 2 ** 40, sizeBytes: 2 ** 36, bar: 15 };
    const other = new FakeMachine({ kernel: { phbs: [{ ...node, m64 }] } });
    booted(other);
    expect(other.opal.calls).toContain('SET_MEM_WINDOW(f)');
    expect(other.opal.calls).toContain('MMIO_ENABLE(2,f,1)');
  });

  it('falls back to a complete reset when firmware cannot empty the tables', () => {
    const machine = new FakeMachine();
    machine.opal.fail.set('RESET', -6);
    booted(machine);
    expect(machine.kernel.log.texts()[0]).toBe('  Error -6 performing IODA table reset !');
    expect(machine.opal.calls).toContain('RESET(0,1,1)');
  });

  it('keeps EEH off when told so, and when there is nothing to watch', () => {
    const off = booted(new FakeMachine({ kernel: { eeh: 'off' } }));
    expect(off.eeh).toContain('EEH: Recovery disabled by kernel parameter.');
    off.detect();
    expect(off.kernel.events.queued).toEqual([]);
    expect(off.kernel.statistics.totalMmioFfs).toBe(1);

    const nothing = booted(new FakeMachine({ kernel: { phbs: [] } }));
    expect(nothing.eeh).toContain('EEH: No capable adapters found: recovery disabled.');
  });

  it('binds drivers at its end and reports one that refuses', () => {
    const driver = new StubDriver({ error: 'need reset' });
    driver.probeRc = -5;
    const { kernel } = booted(new FakeMachine({ kernel: { drivers: [driver] } }));
    expect(driver.diary).toEqual(['probe 0000:01:00.0']);
    expect(kernel.log.texts()).toContain('nic: probe of 0000:01:00.0 failed with error -5');
    expect(kernel.device('0000:01:00.0')!.driver).toBeUndefined();
  });
});
