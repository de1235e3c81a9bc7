import { describe, expect, it } from 'vitest';
import { CosimMachine, DEFAULT_COSIM_MACHINE } from '../../src/cosim/cosim-machine.js';
import { THREAD_SERVER } from '../../src/cosim/interrupt-presenter.js';
import { PRESENTER_PAGE } from '../../src/cosim/presenter-page.js';
import { linesOfDevice } from '../../src/cosim/qom-devices.js';
import { QtestSession } from '../../src/cosim/qtest-protocol.js';
import type { Phb3 } from '../../src/ioda2/phb3.js';
import { FORCE_INTERRUPT_2064, settled } from './support.js';

const THREAD = '/machine/chip[0]/core[1]/thread[0]';
const at = (offset: number): string => `0x${(PRESENTER_PAGE + offset).toString(16)}`;
const word = (value: number): string => `OK 0x${value.toString(16).padStart(16, '0')}`;

function thread() {
  const machine = new CosimMachine({ ...DEFAULT_COSIM_MACHINE, slots: ['empty'] });
  const { interrupts } = machine;
  const unasked: string[] = [];
  const qtest = new QtestSession(machine, (line) => unasked.push(line));
  const ask = (line: string): string => settled(qtest.execute(line));
  return {
    ...{ machine, interrupts, unasked, ask },
    poll: () => ask(`readl ${at(0)}`),
    accept: () => ask(`readl ${at(4)}`),
    end: (xirr: number) => ask(`writel ${at(4)} ${xirr}`),
    setPriority: (priority: number) => ask(`writeb ${at(4)} ${priority}`),
    setMfrr: (priority: number) => ask(`writeb ${at(12)} ${priority}`),
    present: (irq: number, priority: number) => interrupts.present(irq, THREAD_SERVER, priority),
    level: (irq: number, priority: number, asserted: boolean) =>
      interrupts.setLevel(irq, THREAD_SERVER, priority, asserted ? 'asserted' : 'released'),
  };
}

describe('a thread out of reset', () => {
  it('lets nothing in until its priority is set', () => {
    const { poll, present, setPriority } = thread();
    expect(poll()).toBe(word(0));
    expect(present(0x800, 5)).toBe(false);
    setPriority(0xff);
    expect(present(0x800, 5)).toBe(true);
    expect(poll()).toBe(word(0xff00_0800));
  });

  it('is the only server: a message to another one bounces', () => {
    const { interrupts, setPriority } = thread();
    setPriority(0xff);
    expect(interrupts.present(0x800, 0, 5)).toBe(false);
    expect(interrupts.pending()).toEqual([]);
  });
});

describe('a message', () => {
  it('raises the line, is taken by a load of XIRR, and ends by a store', () => {
    const { poll, accept, end, present, setPriority, unasked, ask } = thread();
    expect(ask(`irq_intercept_in ${THREAD}`)).toBe('OK');
    setPriority(0xff);
    present(0x810, 5);
    expect(unasked).toEqual(['IRQ raise 0']);
    expect(accept()).toBe(word(0xff00_0810));
    expect(unasked).toEqual(['IRQ raise 0', 'IRQ lower 0']);
    expect(poll()).toBe(word(0x0500_0000));
    expect(present(0x811, 5)).toBe(false);
    expect(end(0xff00_0810)).toBe('OK');
    expect(poll()).toBe(word(0xff00_0000));
    expect(present(0x811, 5)).toBe(true);
  });

  it('is pushed out by a more favoured one and comes back after it', () => {
    const { poll, accept, end, present, setPriority } = thread();
    setPriority(0xff);
    expect(present(0x810, 5)).toBe(true);
    expect(present(0x811, 5)).toBe(false);
    expect(present(0x812, 3)).toBe(true);
    expect(accept()).toBe(word(0xff00_0812));
    expect(poll()).toBe(word(0x0300_0000));
    end(0xff00_0812);
    expect(poll()).toBe(word(0xff00_0810));
  });

  it('goes back when the thread becomes more favoured, and shows again later', () => {
    const { poll, present, setPriority, interrupts } = thread();
    setPriority(0xff);
    present(0x810, 5);
    setPriority(5);
    expect(poll()).toBe(word(0x0500_0000));
    expect(interrupts.pending()).toEqual([0x810]);
    setPriority(6);
    expect(poll()).toBe(word(0x0600_0810));
    setPriority(6);
    expect(poll()).toBe(word(0x0600_0810));
  });

  it('of a bridge bounces and is presented again, as time passes, until the thread lets it in', () => {
    const { machine, ask, poll, setPriority } = thread();
    for (const command of FORCE_INTERRUPT_2064) expect(ask(command)).toMatch(/^OK/);
    expect(poll()).toBe(word(0));
    expect((machine.phbs[0] as Phb3).peekTable('RBA', 0)).not.toBe(0n);
    setPriority(0xff);
    expect(ask('clock_step 2000000')).toMatch(/^OK/);
    expect(poll()).toBe(word(0xff00_0810));
    expect((machine.phbs[0] as Phb3).peekTable('RBA', 0)).toBe(0n);
    expect(ask('readq 0x100100')).toBe('OK 0x0000200501000000');
  });
});

describe('a level', () => {
  it('shows once, and again after its end while it is high', () => {
    const { poll, accept, end, level, setPriority } = thread();
    level(0xff8, 5, true);
    expect(poll()).toBe(word(0));
    setPriority(0xff);
    expect(accept()).toBe(word(0xff00_0ff8));
    level(0xff8, 5, true);
    expect(poll()).toBe(word(0x0500_0000));
    end(0xff00_0ff8);
    expect(accept()).toBe(word(0xff00_0ff8));
    level(0xff8, 5, false);
    end(0xff00_0ff8);
    expect(poll()).toBe(word(0xff00_0000));
  });

  it('pushed out comes back by itself', () => {
    const { accept, end, level, present, setPriority } = thread();
    setPriority(0xff);
    level(0xff8, 5, true);
    expect(present(0x800, 2)).toBe(true);
    expect(accept()).toBe(word(0xff00_0800));
    end(0xff00_0800);
    expect(accept()).toBe(word(0xff00_0ff8));
  });
});

describe('an edge', () => {
  it('waits for the thread, which no source would do for it', () => {
    const { interrupts, poll, setPriority } = thread();
    interrupts.signal(0xfff, THREAD_SERVER, 5);
    setPriority(0xff);
    expect(poll()).toBe(word(0xff00_0fff));
    interrupts.signal(0xffe, THREAD_SERVER, 3);
    expect(poll()).toBe(word(0xff00_0ffe));
  });
});

describe('an interrupt from another thread', () => {
  it('is number 2 at the priority of MFRR, and stays while that is favoured', () => {
    const { ask, poll, accept, end, setMfrr, setPriority } = thread();
    setPriority(0xff);
    expect(ask(`readb ${at(12)}`)).toBe(word(0xff));
    setMfrr(5);
    expect(ask(`readb ${at(12)}`)).toBe(word(5));
    expect(accept()).toBe(word(0xff00_0002));
    end(0xff00_0002);
    expect(poll()).toBe(word(0xff00_0002));
    expect(accept()).toBe(word(0xff00_0002));
    setMfrr(0xff);
    end(0xff00_0002);
    expect(poll()).toBe(word(0xff00_0000));
  });

  it('gives way to a more favoured message and is not lost', () => {
    const { accept, end, present, setMfrr, setPriority } = thread();
    setPriority(0xff);
    setMfrr(5);
    expect(present(0x800, 4)).toBe(true);
    expect(accept()).toBe(word(0xff00_0800));
    end(0xff00_0800);
    expect(accept()).toBe(word(0xff00_0002));
  });
});

describe("the controller's plain doors", () => {
  it('take and end what XISR shows', () => {
    const { interrupts, present, setPriority, poll } = thread();
    expect(interrupts.take()).toBeUndefined();
    setPriority(0xff);
    present(0x800, 5);
    expect(interrupts.take(THREAD_SERVER + 1)).toBeUndefined();
    expect(interrupts.take(THREAD_SERVER)).toEqual({ irq: 0x800, server: THREAD_SERVER, priority: 5 });
    interrupts.eoi(0x800);
    expect(poll()).toBe(word(0xff00_0000));
  });
});

describe('the line to the thread', () => {
  it('is told once for each change, also when it is driven by force', () => {
    const { ask, unasked } = thread();
    ask('irq_intercept_in thread[0]');
    for (const level of [1, 1, 0, 0]) expect(ask(`set_irq_in ${THREAD} unnamed-gpio-in 0 ${level}`)).toBe('OK');
    expect(unasked).toEqual(['IRQ raise 0', 'IRQ lower 0']);
  });

  it('leaves no device: what leaves the thread is nothing', () => {
    const { ask, unasked, present, setPriority } = thread();
    expect(ask(`irq_intercept_out ${THREAD}`)).toBe('OK');
    setPriority(0xff);
    present(0x800, 5);
    expect(unasked).toEqual([]);
    expect(ask(`set_irq_in ${THREAD} unnamed-gpio-in 1 1`)).toMatch(/^ERR/);
    expect(ask('set_irq_in /machine/chip[0] unnamed-gpio-in 0 1')).toMatch(/^ERR/);
    expect(ask('set_irq_in nothing unnamed-gpio-in 0 1')).toBe('FAIL Unknown device');
  });
});

describe('a device of the machine', () => {
  it('has a path from the root, or a last part that no other has', () => {
    expect(linesOfDevice(THREAD)).toBe('thread');
    expect(linesOfDevice('thread[0]')).toBe('thread');
    expect(linesOfDevice('interrupts')).toBe('sources');
    expect(linesOfDevice('phb[1]')).toBe('none');
    for (const unknown of ['', '/machine', 'msi', 'hread[0]', 'constructor'])
      expect(linesOfDevice(unknown)).toBeUndefined();
  });
});
