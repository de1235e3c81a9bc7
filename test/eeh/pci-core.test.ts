import { describe, expect, it } from 'vitest';
import { E1000eDriver } from '../../src/eeh/drivers/e1000e-driver.js';
import { NvmeDriver } from '../../src/eeh/drivers/nvme-driver.js';
import { ENOSPC, ENOTTY } from '../../src/eeh/errno.js';
import type { PciDevice } from '../../src/eeh/pci/device.js';
import { ENDPOINT, FakeMachine, ROOT_PORT } from './fake-machine.js';

const FUNCTION_LEVEL_RESET = 0x1000_0000;
const PENDING = 0x0020;

function booted(): { machine: FakeMachine; device: PciDevice } {
  const machine = new FakeMachine().boot();
  return { machine, device: machine.kernel.device('0000:01:00.0')! };
}

describe('the reset file of a function', () => {
  it('is refused where the function cannot reset itself', () => {
    const { machine, device } = booted();
    expect(device.capabilities.deviceCapabilities & FUNCTION_LEVEL_RESET).toBe(0);
    expect(machine.run(machine.kernel.functionReset.reset(device))).toBe(ENOTTY);
    expect(machine.opal.calls).toEqual([]);
  });

  it('waits for what is pending, 700 ms at most, resets all the same, and gives BARs and command register back', () => {
    const { machine, device } = booted();
    device.capabilities.deviceCapabilities |= FUNCTION_LEVEL_RESET;
    const space = machine.phb.functions.get(ENDPOINT)!;
    space.set('DEVSTA', PENDING);
    const before = space.read(4, 2);
    const from = machine.sim.now;
    expect(machine.run(machine.kernel.functionReset.reset(device))).toBe(0);
    const tookMs = (machine.sim.now - from) / 1e6;
    expect(tookMs).toBeGreaterThan(800);
    expect(tookMs).toBeLessThan(801);
    expect(machine.kernel.log.texts()).toContain(
      'pci 0000:01:00.0: timed out waiting for pending transaction; performing function level reset anyway',
    );
    expect(machine.opal.calls).toContain('CFGW(100,4,2,400)');
    expect(space.read(4, 2)).toBe(before);
  });

  it('gives up on a function that never answers again', () => {
    const { machine, device } = booted();
    device.capabilities.deviceCapabilities |= FUNCTION_LEVEL_RESET;
    machine.phb.card = 'gone';
    const from = machine.sim.now;
    expect(machine.run(machine.kernel.functionReset.reset(device))).toBe(ENOTTY);
    expect((machine.sim.now - from) / 1e9).toBeGreaterThan(65.5);
  });
});

describe('message interrupts', () => {
  it('are not to be had from a device without the capability', () => {
    const { machine, device } = booted();
    device.capabilities.msix = 0;
    expect(machine.run(machine.kernel.services.enableMessages(device, 2))).toBe(ENOSPC);
    expect(machine.opal.calls).toEqual([]);
    machine.run(machine.kernel.services.disableMessages(device));
    machine.run(machine.kernel.services.requestMessage(device, 0));
    expect(machine.opal.calls).toEqual([]);
  });
});

describe('a BAR that does not take what it held', () => {
  it('is written eleven times before the kernel goes on', () => {
    const { machine, device } = booted();
    const { services } = machine.kernel;
    const saved = machine.run(services.saveState(device));
    const stubborn = { ...saved, header: saved.header.map((value, i) => (i === 4 ? value + 0x10 : value)) };
    machine.opal.calls.length = 0;
    machine.run(services.restoreState(device, stubborn));
    expect(machine.opal.calls.filter((call) => call.startsWith('CFGW(100,10,'))).toHaveLength(11);
  });
});

describe('the link below a port', () => {
  it('is left without power management below a device older than PCI Express 1.1, and the kernel says so', () => {
    const machine = new FakeMachine();
    machine.phb.functions.get(ENDPOINT)!.set('DEVCAP', 0);
    machine.sim.run({ process: machine.sim.spawn('boot', machine.kernel.boot()) });
    expect(machine.kernel.log.texts()).toContain(
      "pci 0000:01:00.0: disabling ASPM on pre-1.1 PCIe device.  You can enable it with 'pcie_aspm=force'",
    );
  });

  it('gets the common clock where both ends run on the slot clock and can save power, and trains anew', () => {
    const machine = new FakeMachine();
    const [port, card] = [ROOT_PORT, ENDPOINT].map((bdfn) => machine.phb.functions.get(bdfn)!);
    for (const space of [port!, card!]) space.set('LNKCAP', space.get('LNKCAP') | 0x0400);
    card!.set('LNKSTA', 0x1103);
    machine.sim.run({ process: machine.sim.spawn('boot', machine.kernel.boot()) });
    const link = machine.opal.calls.filter((call) => /^CFGW\((0,58|100,50),2,/.test(call));
    expect(link.slice(0, 4)).toEqual(expect.arrayContaining(['CFGW(100,50,2,40)', 'CFGW(0,58,2,40)']));
    expect(link.at(-1)).toMatch(/^CFGW\(0,58,2,\w*[26]\w\)$/);
  });
});

describe('the votes of real drivers', () => {
  const vote = (driver: NvmeDriver | E1000eDriver, state: PciDevice['channel']): unknown => {
    const { machine, device } = booted();
    machine.run(driver.probe(device, machine.kernel.services));
    return machine.run(driver.errorHandlers.errorDetected!(device, state));
  };

  it('are reset for a frozen channel and disconnect for a lost one; nvme can recover where nothing is frozen', () => {
    expect(vote(new NvmeDriver(), 'frozen')).toBe('need reset');
    expect(vote(new NvmeDriver(), 'normal')).toBe('can recover');
    expect(vote(new NvmeDriver(), 'perm-failure')).toBe('disconnect');
    expect(vote(new E1000eDriver(), 'frozen')).toBe('need reset');
    expect(vote(new E1000eDriver(), 'perm-failure')).toBe('disconnect');
  });

  it('nvme leaves its device disabled when it is removed', () => {
    const { machine, device } = booted();
    const driver = new NvmeDriver();
    expect(driver.matches(device)).toBe('no');
    machine.run(driver.probe(device, machine.kernel.services));
    machine.run(driver.remove(device));
    expect(machine.phb.functions.get(ENDPOINT)!.get('COMMAND') & 4).toBe(0);
  });
});
