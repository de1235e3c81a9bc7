import { describe, expect, it } from 'vitest';
import { MASKED_PRIORITY } from '../../src/hw/interrupts.js';
import { OpalStatus } from '../../src/opal/opal-api.js';
import { HUB_ID, lsiIrq, msiIrq, RGC_IRQ } from '../ioda1/layout.js';
import { P7iocFirmware } from './p7ioc-firmware.js';

const { SUCCESS, PARAMETER } = OpalStatus;

/** What the chip makes of a vector, by facts: ioda1-p7ioc 4.3. */
const demangled = (vector: bigint) => {
  const priority = Number((vector >> 32n) & 0xffn);
  const server = Number((vector >> 40n) & 0xffffn);
  return priority === 0xff ? 'masked' : { server: server * 8 + (priority >> 5), priority: (priority & 31) * 8 };
};

describe('the interrupt vectors', () => {
  const sources = [
    ['level 0 of PHB 0', lsiIrq(0), (f: P7iocFirmware) => f.table('LXIVT', 0)],
    ['level 7 of PHB 0', lsiIrq(7), (f: P7iocFirmware) => f.table('LXIVT', 7)],
    ['level 3 of PHB 5', lsiIrq(3, 5), (f: P7iocFirmware) => f.table('LXIVT', 3, 5)],
    ['message 0 of PHB 0', msiIrq(0), (f: P7iocFirmware) => f.table('MXIVT', 0)],
    ['message 255 of PHB 5', msiIrq(255, 5), (f: P7iocFirmware) => f.table('MXIVT', 255, 5)],
    ['the hub', RGC_IRQ, (f: P7iocFirmware) => f.hub.peekTable('XIVT', 0)],
  ] as const;

  it.each(sources)('of %s are masked at first, and give back what was set', (_name, irq, vector) => {
    const firmware = P7iocFirmware.booted({ phbs: [0, 5] });
    const { opal } = firmware;
    expect(firmware.run(opal.getXive(irq))).toEqual({ rc: SUCCESS, server: 0, priority: MASKED_PRIORITY });
    expect(demangled(vector(firmware))).toBe('masked');
    expect(firmware.run(opal.setXive(irq, 0x1235, 0x2d))).toBe(SUCCESS);
    expect(firmware.run(opal.getXive(irq))).toEqual({ rc: SUCCESS, server: 0x1235, priority: 0x2d });
    expect(demangled(vector(firmware))).toEqual({ server: 0x1235, priority: 0x28 });
    firmware.run(opal.setXive(irq, 0x1235, 0xff));
    expect(vector(firmware)).toBe(0x0000_00ff_0000_0000n);
    expect(firmware.run(opal.getXive(irq))).toEqual({ rc: SUCCESS, server: 0x1235, priority: 0xff });
  });

  it('of messages keep the PE that may use them', () => {
    const firmware = P7iocFirmware.booted();
    firmware.run(firmware.opal.pciSetXivePe(0, 9, 4));
    firmware.run(firmware.opal.setXive(msiIrq(4), 8, 5));
    expect((firmware.table('MXIVT', 4) >> 16n) & 0x7fn).toBe(9n);
    firmware.run(firmware.opal.pciSetXivePe(0, 10, 4));
    expect(demangled(firmware.table('MXIVT', 4))).toEqual({ server: 8, priority: 0 });
  });

  it.each([
    ['level 8 of a PHB', lsiIrq(0) + 8],
    ['message 256', msiIrq(255) + 1],
    ['the second level of the hub', RGC_IRQ + 1],
    ['a PHB that is not wired', lsiIrq(0, 1)],
    ['another hub', lsiIrq(0) - HUB_ID * 2 ** 13],
  ])('do not exist for %s', (_name, irq) => {
    const { opal, run } = ((f) => ({ opal: f.opal, run: f.run.bind(f) }))(P7iocFirmware.booted());
    expect(run(opal.setXive(irq, 0, 5))).toBe(PARAMETER);
    expect(run(opal.getXive(irq)).rc).toBe(PARAMETER);
    expect(run(opal.handleInterrupt(irq)).rc).toBe(PARAMETER);
  });

  it('are brought back by a complete reset as they were set', () => {
    const firmware = P7iocFirmware.booted();
    for (const irq of [lsiIrq(7), msiIrq(9)]) firmware.run(firmware.opal.setXive(irq, 0x1235, 0x2d));
    firmware.fence();
    firmware.reset(0, 1);
    for (const vector of [firmware.table('LXIVT', 7), firmware.table('MXIVT', 9)])
      expect(demangled(vector)).toEqual({ server: 0x1235, priority: 0x28 });
  });
});

describe('the interrupts that firmware keeps', () => {
  it('are the error level of each PHB and that of the hub', () => {
    const { opal } = P7iocFirmware.booted({ phbs: [0, 4] });
    expect(opal.firmwareInterrupts()).toEqual([RGC_IRQ, lsiIrq(7), lsiIrq(7, 4)]);
  });

  it('reach the server they were routed to', () => {
    const firmware = P7iocFirmware.booted();
    firmware.run(firmware.opal.setXive(lsiIrq(7), 0x15, 5));
    firmware.run(firmware.opal.setXive(RGC_IRQ, 0x20, 5));
    firmware.dmaWrite(0x4000n, [1]);
    firmware.breakUnit('MISC', 1);
    const { interrupts } = firmware.machine;
    expect([interrupts.take(), interrupts.take()]).toEqual([
      { irq: lsiIrq(7), server: 0x15, priority: 0 },
      { irq: RGC_IRQ, server: 0x20, priority: 0 },
    ]);
  });

  it('have no end that firmware could signal', () => {
    const { opal, run } = ((f) => ({ opal: f.opal, run: f.run.bind(f) }))(P7iocFirmware.booted());
    expect(run(opal.pciMsiEoi(0, msiIrq(0)))).toBe(OpalStatus.UNSUPPORTED);
  });
});
