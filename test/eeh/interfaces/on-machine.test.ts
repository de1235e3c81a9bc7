import { describe, expect, it } from 'vitest';
import { KernelFiles } from '../../../src/eeh/interfaces/files.js';
import { Shell } from '../../../src/eeh/interfaces/shell.js';
import { PHB_REGISTERS } from '../../../src/ioda2/registers/phb.js';
import { PowerSystem } from '../../../src/machine/system.js';
import { ms, seconds } from '../../../src/sim/time.js';
import { DEBUG } from './user.js';

/** Somebody at the shell of a whole machine with one network card. */
class Seat {
  readonly system: PowerSystem;
  readonly shell: Shell;

  constructor(driver: 'recovering' | 'unaware' | 'none') {
    const slots = new Map([[1, { device: 'nic', driver, framePeriodNs: ms(10) } as const]]);
    this.system = new PowerSystem({ slots, seed: 'seat' });
    this.system.boot();
    this.shell = new Shell(new KernelFiles(this.system.kernel));
  }

  sh(line: string): string[] {
    const results = this.system.sim.complete('shell', this.shell.run(line));
    return results.flatMap(({ text, errors }) => [...text.split('\n').slice(0, -1), ...errors]);
  }

  runFor(ns: number): void {
    this.system.sim.run({ untilNs: this.system.sim.now + ns });
  }

  peekRegister(name: 'PHB_OUT_ERR_INJECT' | 'PHB_INA_ERR_INJECT' | 'PHB_INB_ERR_INJECT'): bigint {
    const address = this.system.phbNode(0).registers + PHB_REGISTERS.get(name).offset;
    return this.system.sim.complete('peek', this.system.machine.cpu('tool').load(address, 8));
  }
}

const STATE = 'cat /sys/bus/pci/devices/0000:01:00.0/eeh_pe_state';

describe('the files of the kernel on a simulated PHB3', () => {
  it('break a device, which freezes its PE and is noticed by the check, not by the break', () => {
    const seat = new Seat('none');
    seat.sh(`dmesg -C; echo 0000:01:00.0 > ${DEBUG}/eeh_dev_break`);
    expect(seat.sh('dmesg').map((line) => line.slice(15))).toEqual([
      expect.stringMatching(/^pci 0000:01:00\.0: Going to break: \[mem 0x[0-9a-f]{12}-0x[0-9a-f]{12}\]$/),
    ]);
    expect(seat.system.machine.phbs[0]!.peState.isFrozen(0xfd)).toBe(true);
    seat.sh(`echo 0000:01:00.0 > ${DEBUG}/eeh_dev_check`);
    seat.runFor(seconds(20));
    const log = seat.sh('dmesg').join('\n');
    expect(log).toContain('pci 0000:01:00.0: eeh_dev_check_failure(0000:01:00.0) = 1');
    expect(log).toContain('EEH: Recovery successful.');
    expect(seat.sh(STATE)).toEqual(['0x00000078 0x00000800']);
  });

  it('reach the three registers that raise test errors where the chip has them', () => {
    const seat = new Seat('none');
    const names = {
      err_injct_outbound: 'PHB_OUT_ERR_INJECT',
      err_injct_inboundA: 'PHB_INA_ERR_INJECT',
      err_injct_inboundB: 'PHB_INB_ERR_INJECT',
    } as const;
    for (const [file, register] of Object.entries(names)) {
      const path = `${DEBUG}/PCI0000/${file}`;
      expect(seat.sh(`cat ${path}; echo 0x40 > ${path}; cat ${path}`)).toEqual(['0x0', '0x40']);
      expect(seat.peekRegister(register)).toBe(0x40n);
      seat.sh(`echo 0 > ${path}`);
    }
  });

  it('fence the bridge by the outbound one, and a plain lspci finds that out', () => {
    const seat = new Seat('recovering');
    seat.sh(`echo 0x8000000000000000 > ${DEBUG}/PCI0000/err_injct_outbound`);
    expect(seat.system.kernel.log.texts()).not.toContain('EEH: Recovering PHB#0, location: N/A');
    seat.sh('lspci');
    seat.runFor(seconds(20));
    const texts = seat.system.kernel.log.texts();
    expect(texts).toContain('EEH: Recovering PHB#0, location: N/A');
    expect(texts.at(-1)).toContain('Recovery successful.');
  });

  it('inject an error of a config read, which that read finds itself: refused, all ones', () => {
    const seat = new Seat('none');
    seat.sh(`echo fd:0:4:0:0 > ${DEBUG}/PCI0000/err_injct`);
    // One read is hit; the frozen PE still answers those that follow.
    expect(seat.sh('lspci -nx -s 1:0.0')[1]).toMatch(/^00: ff ff ff ff (?!ff ff ff ff)/);
    expect(seat.sh('cat /proc/powerpc/eeh').at(-1)).toBe('eeh_slot_resets=1');
    seat.runFor(seconds(20));
    expect(seat.sh('lspci -n -s 1:0.0')).toEqual(['01:00.0 0200: 1014:f001']);
  });

  it('print diag data of a healthy bridge', () => {
    const seat = new Seat('none');
    expect(seat.sh(`dmesg -C; echo 1 > ${DEBUG}/PCI0000/dump_diag_regs; dmesg`)[0]).toContain(
      'PHB3 PHB#0 Diag-data (Version: 1)',
    );
  });

  it('unplug and find a device again, with its driver', () => {
    const seat = new Seat('unaware');
    seat.sh('echo 1 > /sys/bus/pci/devices/0000:01:00.0/remove');
    expect(seat.sh('ls /sys/bus/pci/devices; ls /sys/bus/pci/drivers/phbnic')).toEqual([
      ...['0000:00:00.0', 'bind', 'unbind'],
    ]);
    seat.sh('echo 1 > /sys/bus/pci/rescan');
    expect(seat.sh('ls /sys/bus/pci/drivers/phbnic')).toEqual(['0000:01:00.0', 'bind', 'unbind']);
    const before = seat.system.slots[0]!.packets;
    seat.runFor(ms(100));
    expect(seat.system.slots[0]!.packets).toBeGreaterThan(before);
  });
});
