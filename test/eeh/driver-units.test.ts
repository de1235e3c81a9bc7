/** Scripts of drivers and their deeds, access by access: what is touched, in which order, and how often. */
import { describe, expect, it } from 'vitest';
import { firstTimes, hang, load, loadWithDecodingOff, staleRing } from '../../src/eeh/drivers/deeds.js';
import { scriptOf } from '../../src/eeh/drivers/driver-plan.js';
import type { Deed } from '../../src/eeh/drivers/scripted-driver.js';
import type { DriverServices } from '../../src/eeh/drivers/services.js';
import type { PciDevice } from '../../src/eeh/pci/device.js';
import { NIC_CONTROL, NIC_REGISTERS } from '../../src/pcie/nic-registers.js';
import type { Process } from '../../src/sim/process.js';
import { Simulator } from '../../src/sim/simulator.js';
import { ms } from '../../src/sim/time.js';

/** What a deed does to its device, with a command register that reads 0x0147. */
class Desk {
  readonly sim = new Simulator();
  readonly seen: string[] = [];

  get services(): DriverServices {
    const { sim, seen } = this;
    const note = (line: string): void => void seen.push(line);
    return {
      sim,
      *read32(_: unknown, bar: number, offset: number, callers: readonly string[]): Process<number> {
        note(`load ${bar}+${offset} ${callers.join()}`);
        return 0;
      },
      *write32(_: unknown, bar: number, offset: number, value: number): Process<void> {
        note(`store ${bar}+${offset}=${value}`);
      },
      *readConfig(_: unknown, at: number, size: number): Process<number> {
        note(`config ${at}/${size}`);
        return 0x0147;
      },
      *writeConfig(_: unknown, at: number, size: number, value: number): Process<void> {
        note(`config ${at}/${size}=${value.toString(16)}`);
      },
      *allocate(_: unknown, bytes: number, direction: string) {
        note(`allocate ${bytes} ${direction}`);
        return { realAddress: 0x1000, bytes, dmaAddress: 0x0800_0000_1234_5000 };
      },
      *free(_: unknown, { dmaAddress }: { dmaAddress: number }): Process<void> {
        note(`free ${dmaAddress.toString(16)}`);
      },
    } as unknown as DriverServices;
  }

  run(deed: Deed, driver = 'phbnic'): string[] {
    const device = { name: '0000:01:00.0', driver: driver === '' ? undefined : { name: driver } } as PciDevice;
    this.sim.complete('deed', deed(device, this.services));
    return this.seen;
  }
}

describe('a deed', () => {
  it('loads as often as it is told, from the first register or from another, under the name of its driver', () => {
    const frame = 'phbnic_error_handler+0x2c/0x90 [phbnic]';
    expect(new Desk().run(load(2))).toEqual([`load 0+0 ${frame}`, `load 0+0 ${frame}`]);
    expect(new Desk().run(load(1, { bar: 2, offset: 8 }))).toEqual([`load 2+8 ${frame}`]);
    expect(new Desk().run(load(0))).toEqual([]);
    expect(new Desk().run(load(1), '')).toEqual(['load 0+0 pci_error_handler+0x2c/0x90 [pci]']);
  });

  it('loads with decoding off between two writes of the command register, which is given back', () => {
    expect(new Desk().run(loadWithDecodingOff({ bar: 1, offset: 4 }))).toEqual([
      'config 4/2',
      'config 4/2=145',
      'load 1+4 phbnic_error_handler+0x2c/0x90 [phbnic]',
      'config 4/2=147',
    ]);
    expect(new Desk().run(loadWithDecodingOff())[2]).toMatch(/^load 0\+0 /);
  });

  it('leaves the card a ring that was freed: reset first, both halves of its address, receiving last', () => {
    const at = (register: keyof typeof NIC_REGISTERS) => NIC_REGISTERS[register].at;
    const address = 0x0800_0000_1234_5000;
    expect(new Desk().run(staleRing())).toEqual([
      'allocate 4096 both',
      `free ${address.toString(16)}`,
      `store 0+${at('CONTROL')}=${NIC_CONTROL.RESET}`,
      `store 0+${at('RX_RING_LO')}=${0x1234_5000}`,
      `store 0+${at('RX_RING_HI')}=${0x0800_0000}`,
      `store 0+${at('RX_RING_SIZE')}=2`,
      `store 0+${at('RX_TAIL')}=1`,
      `store 0+${at('CONTROL')}=${NIC_CONTROL.RECEIVE}`,
    ]);
  });

  it('waits as long as it is told', () => {
    const desk = new Desk();
    desk.run(hang(ms(7)));
    expect([desk.sim.now, desk.seen]).toEqual([ms(7), []]);
  });

  it('waits for ever if it is not told', () => {
    const desk = new Desk();
    expect(() => desk.run(hang())).toThrow('deed');
  });

  it('is done the first times only', () => {
    const times = (count: number) => {
      const desk = new Desk();
      const deed = firstTimes(count, load(1));
      for (let i = 0; i < 4; i++) desk.run(deed);
      return desk.seen.length;
    };
    expect([-1, 0, 1, 2, 4, 5].map(times)).toEqual([0, 0, 1, 2, 4, 4]);
  });
});

describe('the script of a plan', () => {
  it('is empty for an empty plan, and has the votes and the wish of another', () => {
    expect(scriptOf({})).toEqual({});
    expect(
      scriptOf({ like: 'can-recover', reset: 'fundamental', votes: { slot_reset: 'disconnect', resume: 'missing' } }),
    ).toEqual({
      ...{ resetWish: 'fundamental', slot_reset: { vote: 'disconnect' }, resume: { vote: 'missing' } },
    });
  });

  it('has its loads before it hangs, and what it breaks behind the work of the driver, once', () => {
    const script = scriptOf({
      votes: { slot_reset: 'recovered' },
      loads: { in: 'slot_reset', count: 3 },
      hangs: { in: 'slot_reset', forNs: ms(5) },
      breaksAgain: { in: 'slot_reset', by: 'mmio' },
    });
    const { vote, before, after } = script.slot_reset!;
    expect([vote, before?.length, after?.length]).toEqual(['recovered', 2, 1]);
    const desk = new Desk();
    expect(desk.run(before![0]!)).toHaveLength(3);
    desk.run(before![1]!);
    expect([desk.sim.now, desk.seen.length]).toEqual([ms(5), 3]);
    expect(desk.run(after![0]!)).toHaveLength(3 + 4);
    expect(desk.run(after![0]!)).toHaveLength(3 + 4);
  });

  it('breaks as often as told, by DMA where that is told', () => {
    const { after } = scriptOf({ breaksAgain: { in: 'resume', by: 'dma', times: 2 } }).resume!;
    const desk = new Desk();
    for (let i = 0; i < 3; i++) desk.run(after![0]!);
    expect(desk.seen.filter((line) => line.startsWith('allocate'))).toHaveLength(2);
  });
});
