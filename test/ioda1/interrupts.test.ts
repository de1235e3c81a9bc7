import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { interruptNumber, interruptPlace } from '../../src/ioda1/address-map.js';
import { MessageCode, memoryWrite } from '../../src/pcie/tlp.js';
import { booted, HUB_ID, halves, lsiIrq, msiIrq, mve, PE, RID, type Rig, rule, vector } from './rig.js';

const ENTRY = 6;
const VECTOR = 0x23;

const withMsi = (rig = booted()): Rig => {
  rig.setIoda('MVT', ENTRY, mve(RID, PE));
  rig.setIoda('MXIVT', VECTOR, vector({ server: 0x15, priority: 5, pe: PE }));
  return rig;
};
const refused = (rig: Rig) => [rig.frozenPes(), rig.pest(PE)[0], rig.interrupts.pending()];

describe('interrupt numbers', () => {
  it('are hub, bus unit and level, as the tables of the facts count them', () => {
    expect([interruptNumber(0, 0x40, 7), interruptNumber(0, 0x1a0, 0), interruptNumber(1, 0x10, 0)]).toEqual([
      0x407, 0x1a00, 0x2100,
    ]);
    expect(interruptPlace(0x2100)).toEqual({ hubId: 1, buid: 0x10, level: 0 });
  });
});

describe('an LSI', () => {
  it('is presented by the bus unit of its PHB, to the server and priority of its vector', () => {
    const rig = booted();
    rig.setIoda('LXIVT', 2, vector({ server: 0x15, priority: 0x28 }));
    rig.sendMessage(MessageCode.ASSERT_INTC);
    expect(rig.interrupts.take()).toEqual({ irq: lsiIrq(2), server: 0x15, priority: 0x28 });
    expect(lsiIrq(2)).toBe((HUB_ID << 13) + 0x402);
  });

  it('loses the low three bits of its priority', () => {
    const rig = booted();
    rig.setIoda('LXIVT', 0, vector({ server: 7, priority: 0x2d }));
    rig.sendMessage(MessageCode.ASSERT_INTA);
    expect(rig.interrupts.take()).toMatchObject({ server: 7, priority: 0x28 });
  });

  it('comes again after its end while the level stands, and not once it is gone', () => {
    const rig = booted();
    rig.sendMessage(MessageCode.ASSERT_INTA);
    for (let again = 0; again < 3; again++) {
      expect(rig.interrupts.take()?.irq).toBe(lsiIrq(0));
      expect(rig.interrupts.pending()).toEqual([]);
      if (again === 2) rig.sendMessage(MessageCode.DEASSERT_INTA);
      rig.interrupts.eoi(lsiIrq(0));
    }
    expect(rig.interrupts.pending()).toEqual([]);
  });

  it('waits while it is masked', () => {
    const rig = booted();
    rig.setIoda('LXIVT', 1, vector({ priority: 0xff }));
    rig.sendMessage(MessageCode.ASSERT_INTB);
    expect(rig.interrupts.pending()).toEqual([]);
    expect(rig.ioda('LIST', 1)).toBe(msbMask(1));
    rig.setIoda('LXIVT', 1, vector({ priority: 5 }));
    expect(rig.interrupts.pending()).toEqual([lsiIrq(1)]);
    expect(rig.ioda('LIST', 1)).toBe(msbMask(0) | msbMask(1));
  });

  it('waits while the PHB has no bus unit, and comes when it gets one', () => {
    const rig = booted();
    rig.write('PHB_BUID', 0n);
    rig.sendMessage(MessageCode.ASSERT_INTA);
    expect(rig.interrupts.pending()).toEqual([]);
    rig.write('PHB_BUID', 0x0040_0060_0000_0000n);
    expect(rig.interrupts.pending()).toEqual([lsiIrq(0)]);
  });

  it('never hears its end while no rule of the crossbar knows the bus unit', () => {
    const rig = booted();
    rig.hubWrite('CI_RMATC_0', 0n);
    rig.sendMessage(MessageCode.ASSERT_INTA);
    expect(rig.endInterrupts()).toEqual([lsiIrq(0)]);
    const [match] = rule('buid', 2, (HUB_ID << 9) + 0x40, 0x1ff);
    rig.hubWrite('CI_RMATC_0', match);
    rig.interrupts.eoi(lsiIrq(0));
    expect(rig.interrupts.pending()).toEqual([lsiIrq(0)]);
  });

  it('does not take the end of another hub for its own', () => {
    const rig = booted();
    rig.sendMessage(MessageCode.ASSERT_INTA);
    rig.interrupts.take();
    rig.interrupts.eoi(lsiIrq(0) + (1 << 13));
    rig.interrupts.eoi(lsiIrq(3));
    expect(rig.ioda('LIST', 0)).toBe(msbMask(0) | msbMask(1));
  });
});

describe('a message interrupt', () => {
  it('of the right requester is presented by its vector, from a 32-bit and a 64-bit address', () => {
    const rig = withMsi();
    rig.msi(ENTRY, VECTOR);
    expect(rig.endInterrupts()).toEqual([msiIrq(VECTOR)]);
    rig.card.send(
      memoryWrite(RID, halves(0x9000_0000_0000_0000n | (BigInt(ENTRY) << 48n)), Uint8Array.of(VECTOR, 0, 0, 0)),
    );
    rig.run(10_000);
    expect(rig.endInterrupts()).toEqual([msiIrq(VECTOR)]);
    expect(rig.frozenPes()).toEqual([]);
  });

  it('has sixteen bus units of sixteen levels', () => {
    const rig = withMsi();
    rig.setIoda('MXIVT', 0xff, vector({ pe: PE }));
    rig.msi(ENTRY, 0xff);
    expect(rig.endInterrupts()).toEqual([(HUB_ID << 13) + 0x6ff]);
  });

  it('that comes while it is in service is presented once more after its end', () => {
    const rig = withMsi();
    rig.msi(ENTRY, VECTOR);
    rig.interrupts.take();
    rig.msi(ENTRY, VECTOR);
    rig.msi(ENTRY, VECTOR);
    expect(rig.interrupts.pending()).toEqual([]);
    expect(rig.ioda('MIST', VECTOR)).toBe(msbMask(0) | msbMask(1));
    rig.interrupts.eoi(msiIrq(VECTOR));
    expect(rig.endInterrupts()).toEqual([msiIrq(VECTOR)]);
    expect(rig.ioda('MIST', VECTOR)).toBe(0n);
  });

  it('waits while its vector is masked', () => {
    const rig = withMsi();
    rig.setIoda('MXIVT', VECTOR, vector({ priority: 0xff, pe: PE }));
    rig.msi(ENTRY, VECTOR);
    expect(rig.interrupts.pending()).toEqual([]);
    expect(rig.ioda('MIST', VECTOR)).toBe(msbMask(1));
    rig.setIoda('MXIVT', VECTOR, vector({ pe: PE }));
    expect(rig.interrupts.pending()).toEqual([msiIrq(VECTOR)]);
  });

  it('from a frozen PE is dropped and leaves no record', () => {
    const rig = withMsi();
    rig.setIoda('PESTB', PE, msbMask(0));
    rig.msi(ENTRY, VECTOR);
    expect(rig.interrupts.pending()).toEqual([]);
    expect(rig.errors()).toEqual({});
  });
});

describe('a message interrupt that its entry refuses', () => {
  it.each([
    ['an entry that is not valid', mve(RID, PE, 0), '8100802201000023', '0000004000000000'],
    ['an entry of another requester', mve(0x0200, PE), '8100802101000023', '0000001000000000'],
    ['a vector of another PE', mve(RID, 9), '8100802101000023', '0000001000000000'],
  ])('because of %s freezes its PE', (_name, entry, pesta, status) => {
    const rig = withMsi();
    rig.setIoda('MVT', ENTRY, entry);
    rig.msi(ENTRY, VECTOR);
    expect(refused(rig)).toEqual([[PE], pesta, [lsiIrq(7)]]);
    expect(rig.errors()['INA_ERR_STATUS']).toBe(status);
  });

  it('because its data name no vector freezes its PE', () => {
    const rig = withMsi();
    rig.msi(ENTRY, 0x123);
    expect(refused(rig)).toEqual([[PE], '8100802201000123', [lsiIrq(7)]]);
    expect(rig.errors()['INA_ERR_STATUS']).toBe('0000000100000000');
  });

  it('because its address is above the entries freezes its PE', () => {
    const rig = withMsi();
    rig.dmaWrite(0xffff_1060n, [VECTOR, 0, 0, 0]);
    expect(refused(rig)).toEqual([[PE], '8100802201000023', [lsiIrq(7)]]);
    expect(rig.errors()['INA_ERR_STATUS']).toBe('0000000100000000');
  });

  it.each([
    ['size', 0xffff_0060n, [1, 0], '2000000000000000'],
    ['alignment', 0xffff_0062n, [1, 0, 0, 0], '1000000000000000'],
  ])('because of its %s fences the PHB', (_name, address, data, status) => {
    const rig = withMsi();
    rig.dmaWrite(address, data);
    expect(rig.errors()['INA_ERR_STATUS']).toBe(status);
    expect(rig.hub.phbs[0]!.isFenced).toBe(true);
    expect(rig.errors()['LEM_FIR_ACCUM']).toBe('0000000000800000');
  });
});

describe('the message ranges', () => {
  it('are DMA where their decoders are off', () => {
    const rig = withMsi();
    rig.write('PHB_PHB2_CONFIG', 0x2008_8000_0000_0000n);
    rig.msi(ENTRY, VECTOR);
    expect(rig.frozenPes()).toEqual([PE]);
    expect(rig.pest(PE)[0]).toBe('8000802301000000');
  });

  it('are no place to read from', () => {
    const rig = withMsi();
    expect(rig.dmaRead(0xffff_0060n, 4)).toMatchObject([{ kind: 'Cpl', status: 'CA' }]);
  });
});
