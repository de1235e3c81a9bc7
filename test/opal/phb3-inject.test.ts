import { describe, expect, it } from 'vitest';
import { InjectFunction, OpalStatus } from '../../src/opal/opal-api.js';
import { CARD, type FirmwareRig, rigWithCard } from './flat-chip.js';

const { SUCCESS, PARAMETER, UNSUPPORTED } = OpalStatus;
const ONES = 0xffff_ffff_ffff_ffffn;
const M64_BASE = 0x3b00_0000_0000n;
const MIB = 1n << 20n;
const M32 = 1;
const M64 = 2;
const NON_SPLIT = 2;

describe('error injection', () => {
  const { LD_MEM_ADDR, ST_CFG_DATA, DMA_RD_ADDR, LD_IO_ADDR } = InjectFunction;
  const request = { pe: 5, type: 0, function: LD_MEM_ADDR as number, address: 0n, mask: 0n };

  function mapped(match = { bus: 7, device: 1, function: 1 }): FirmwareRig {
    const rig = rigWithCard();
    rig.run(rig.opal.pciSetPe(0, { pe: 5, rid: CARD, match, action: 1 }));
    return rig;
  }

  const inject = (rig: FirmwareRig, change: Partial<typeof request>) =>
    rig.run(rig.opal.pciErrInject(0, { ...request, ...change }));

  it.each([
    ['an unknown type', { type: 2 }, 0],
    ['the reserved PE', { pe: 255 }, 0],
    ['no PE', { pe: 256 }, 0],
    ['an I/O function', { function: LD_IO_ADDR }, 1],
    ['a PE without a segment', { function: LD_MEM_ADDR }, 1],
    ['a PE without a 64-bit window', { type: 1 }, 1],
    ['an unmapped PE, 64-bit', { pe: 6, type: 1 }, 1],
    ['an unmapped PE, configuration', { pe: 6, function: ST_CFG_DATA }, 1],
  ])('is refused for %s, and disarms only when the PE and type were right', (_, change, disarmed) => {
    const rig = mapped();
    expect(inject(rig, change)).toBe(PARAMETER);
    expect(rig.chip.written('PHB_PAPR_ERR_INJ_CTL')).toHaveLength(disarmed);
    expect(rig.chip.written('PHB_PAPR_ERR_INJ_ADDR')).toEqual([]);
  });

  it('is not supported where the PE has no DMA window', () => {
    const rig = mapped();
    expect(inject(rig, { function: DMA_RD_ADDR })).toBe(UNSUPPORTED);
    expect(inject(rig, { function: DMA_RD_ADDR, type: 1 })).toBe(UNSUPPORTED);
  });

  const armed = (rig: FirmwareRig) =>
    (['ADDR', 'MASK', 'CTL'] as const).map((part) => rig.chip.written(`PHB_PAPR_ERR_INJ_${part}`).at(-1));

  it("takes the caller's address where the PE owns it", () => {
    const rig = mapped();
    for (const segment of [3, 7]) {
      rig.run(rig.opal.pciMapPeMmioWindow(0, { pe: 5, type: M32, window: 0, segment }));
    }
    const address = 0x3fe0_0380_1000n;
    expect(inject(rig, { address, mask: 0xffff_ffff_f000n })).toBe(SUCCESS);
    expect(armed(rig)).toEqual([address, 0xffff_ffff_f000n, 0x4800_0000_0000_0000n]);
    expect(inject(rig, { address: 0x3fe0_0200_0000n })).toBe(SUCCESS);
    expect(armed(rig)).toEqual([0x3fe0_0180_0000n, 0xffff_ff80_0000n, 0x4800_0000_0000_0000n]);
  });

  it('compares a run of three segments only as far as one of them', () => {
    const rig = mapped();
    for (const segment of [2, 3, 4]) {
      rig.run(rig.opal.pciMapPeMmioWindow(0, { pe: 5, type: M32, window: 0, segment }));
    }
    expect(inject(rig, {})).toBe(SUCCESS);
    expect(armed(rig).slice(0, 2)).toEqual([0x3fe0_0100_0000n, 0xffff_ff80_0000n]);
  });

  it('finds the window of a device PE, of one PE or shared', () => {
    const rig = mapped();
    rig.run(rig.opal.pciMapPeMmioWindow(0, { pe: 6, type: M64, window: 0, segment: 0 }));
    rig.run(rig.opal.pciSetPhbMemWindow(0, { type: M64, window: 0, address: M64_BASE, size: 32n * MIB }));
    rig.run(rig.opal.pciPhbMmioEnable(0, M64, 0, NON_SPLIT));
    rig.run(rig.opal.pciMapPeMmioWindow(0, { pe: 5, type: M64, window: 2, segment: 0 }));
    rig.run(rig.opal.pciSetPhbMemWindow(0, { type: M64, window: 2, address: M64_BASE + 64n * MIB, size: 64n * MIB }));
    rig.run(rig.opal.pciPhbMmioEnable(0, M64, 2, NON_SPLIT));
    expect(inject(rig, { type: 1 })).toBe(SUCCESS);
    expect(armed(rig)[0]).toBe(M64_BASE + 64n * MIB);
    expect(armed(rig)[1]).toBe(0xffff_fc00_0000n);
  });

  it('compares the whole requester for a PE of one device', () => {
    const rig = mapped();
    expect(inject(rig, { function: ST_CFG_DATA })).toBe(SUCCESS);
    expect(armed(rig)).toEqual([0x0010_0000_0000_0000n, 0x0fff_f000_0000_0000n, 0x1400_0000_0000_0000n]);
    expect(inject(rig, { function: ST_CFG_DATA, address: 0x0010_0000_0000_0000n, mask: ONES })).toBe(SUCCESS);
    expect(armed(rig)[1]).toBe(0x0fff_f000_0000_0000n);
  });

  it('compares the whole address of the root port, the first requester there is', () => {
    const rig = rigWithCard();
    rig.run(rig.opal.pciSetPe(0, { pe: 5, rid: 0, match: { bus: 7, device: 1, function: 1 }, action: 1 }));
    expect(inject(rig, { function: ST_CFG_DATA })).toBe(SUCCESS);
    expect(armed(rig).slice(0, 2)).toEqual([0n, 0x0fff_f000_0000_0000n]);
  });

  it('takes a DMA address inside the window', () => {
    const rig = mapped();
    rig.run(
      rig.opal.pciMapPeDmaWindow(0, {
        ...{ pe: 5, window: 10, levels: 1, tableAddress: 0x10_0000n },
        ...{ tableBytes: 0x1000n, pageBytes: 0x1_0000n },
      }),
    );
    expect(inject(rig, { function: DMA_RD_ADDR, address: 0x123_0000n, mask: 0xff00n })).toBe(SUCCESS);
    expect(armed(rig)).toEqual([0x123_0000n, 0xff00n, 0x8800_0000_0000_0000n]);
  });
});
