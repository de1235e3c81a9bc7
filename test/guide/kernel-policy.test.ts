import { NvmeDriver, PowerSystem, seconds } from 'phbsim';
import { expect, it } from 'vitest';

/** How long a machine with this kernel needs from the fault to "Recovery successful.", in whole virtual seconds. */
function recoverySeconds(version: '6.1.0' | '6.1'): number {
  const system = new PowerSystem({
    slots: new Map([[1, { device: 'nvme', driver: new NvmeDriver() }]]),
    kernel: { version },
  });
  system.boot();
  const { sim, kernel } = system;
  const startNs = sim.now;
  kernel.forceRecovery(kernel.pe(0, system.slot('slot1')!.pe!)!);
  sim.run({ untilNs: startNs + seconds(120) });
  const end = kernel.log.records.find(({ text }) => text === 'EEH: Recovery successful.');
  return Math.floor((end!.timeNs - startNs) / seconds(1));
}

it('no longer waits a minute for a card it does not let itself read', () => {
  expect(recoverySeconds('6.1.0')).toBe(4);
  expect(recoverySeconds('6.1')).toBe(71);
});
