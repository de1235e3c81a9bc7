import { describe, expect, it } from 'vitest';
import { NicDriver } from '../../src/eeh/drivers/nic-driver.js';
import type { OpalCalls, PhbNode } from '../../src/eeh/firmware.js';
import { LinuxKernel } from '../../src/eeh/kernel.js';
import { PBCQ_SCOM_RANGES } from '../../src/ioda2/registers/pbcq.js';
import { PowerNv8 } from '../../src/machine/powernv8.js';
import { Opal } from '../../src/opal/opal.js';
import { Nic } from '../../src/pcie/nic.js';
import type { Process } from '../../src/sim/process.js';
import { ms, seconds } from '../../src/sim/time.js';

/** Chip, link, card, firmware and kernel, put together as a machine does it. */
class Stack {
  readonly machine = new PowerNv8({
    phbs: 2,
    slot: (sim, phb) => new Nic(sim, `slot${phb}`, { framePeriodNs: ms(2) }),
  });
  readonly driver = new NicDriver();
  readonly kernel: LinuxKernel;

  constructor() {
    const port = this.machine.cpu();
    const scom = (bank: 'nest' | 'pci' | 'spci', index: number): number => {
      return PBCQ_SCOM_RANGES[bank].base + PBCQ_SCOM_RANGES[bank].strideOfPhb * index;
    };
    const phbs = [0, 1].map((index) => ({
      ...{ index, nest: scom('nest', index), pci: scom('pci', index), spci: scom('spci', index) },
    }));
    const opal = new Opal(port, { heapBase: 0x3000_0000, phbs });
    this.run(opal.boot());
    const calls: OpalCalls = opal;
    const nodes: readonly PhbNode[] = opal.deviceTree();
    this.kernel = new LinuxKernel(this.machine.sim, port, calls, {
      phbs: nodes,
      firmwareInterrupts: opal.firmwareInterrupts(),
      drivers: [this.driver],
    });
    this.run(this.kernel.boot());
  }

  run(body: Process<void>): void {
    this.machine.sim.run({ process: this.machine.sim.spawn('test', body) });
  }

  runFor(ns: number): void {
    this.machine.sim.run({ untilNs: this.machine.sim.now + ns });
  }

  packets(name: string): number {
    return this.driver.card(this.kernel.device(name)!)!.packets;
  }
}

describe('the kernel on a simulated PHB3', () => {
  it('recovers a card that wrote to an unmapped page, while its neighbour keeps receiving', () => {
    const stack = new Stack();
    const { kernel, driver } = stack;
    stack.runFor(ms(50));
    const [victim, neighbour] = ['0000:01:00.0', '0001:01:00.0'];
    expect(stack.packets(victim)).toBeGreaterThan(10);
    const device = kernel.device(victim)!;
    const { table } = kernel.peSetup.peOf(device)!.dma!;
    for (const buffer of driver.card(device)!.buffers) stack.run(table.lose(buffer.dmaAddress));
    const before = kernel.log.records.length;
    stack.runFor(seconds(1));
    const during = [stack.packets(victim), stack.packets(neighbour)];
    stack.runFor(seconds(5));
    const texts = kernel.log.records.slice(before).map((record) => record.text);
    expect(texts).toContain('EEH: Frozen PE#fd on PHB#0 detected');
    expect(texts.filter((text) => text === 'PHB3 PHB#0 Diag-data (Version: 1)')).toHaveLength(1);
    expect(texts.at(-1)).toBe('EEH: Recovery successful.');
    stack.runFor(seconds(1));
    expect(stack.packets(victim)).toBeGreaterThan(during[0]! + 100);
    expect(stack.packets(neighbour)).toBeGreaterThan(during[1]! + 2500);
    expect(texts.join()).not.toContain('PHB#1');
  });
});
