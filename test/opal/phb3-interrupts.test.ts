import { describe, expect, it } from 'vitest';
import { OpalStatus } from '../../src/opal/opal-api.js';
import { FirmwareRig } from './flat-chip.js';

const { SUCCESS, PARAMETER } = OpalStatus;
const ONES = 0xffff_ffff_ffff_ffffn;

describe('interrupt vectors', () => {
  it('belong to the PHB whose numbers they carry', () => {
    const { opal, ...rig } = FirmwareRig.booted();
    const run = FirmwareRig.prototype.run.bind(rig);
    for (const irq of [0x7ff, 0x1000]) {
      expect(run(opal.setXive(irq, 0, 5))).toBe(PARAMETER);
      expect(run(opal.getXive(irq)).rc).toBe(PARAMETER);
    }
    expect(run(opal.getXive(0xff8))).toEqual({ rc: SUCCESS, server: 0, priority: 0xff });
    expect(run(opal.setXive(0xff8, 0x20, 5))).toBe(SUCCESS);
    expect(run(opal.getXive(0xff8))).toEqual({ rc: SUCCESS, server: 0x20, priority: 5 });
    run(opal.setXive(0x812, 0x24, 6));
    expect(run(opal.getXive(0x812))).toEqual({ rc: SUCCESS, server: 0x24, priority: 6 });
  });

  it('of messages tell address and data', () => {
    const rig = FirmwareRig.booted();
    expect(rig.run(rig.opal.getMsi32(0, 5, 0x123, 1))).toEqual({ rc: SUCCESS, address: 0xffff_1200n, data: 3 });
    expect(rig.run(rig.opal.getMsi64(0, 5, 0x123, 1))).toEqual({
      rc: SUCCESS,
      address: 0x1000_0000_0000_1200n,
      data: 3,
    });
    for (const [pe, isn, range] of [
      [256, 0, 1],
      [0, 2048, 1],
      [0, 0, 2],
    ] as const) {
      expect(rig.run(rig.opal.getMsi64(0, pe, isn, range)).rc).toBe(PARAMETER);
    }
    expect(rig.run(rig.opal.pciSetXivePe(0, 256, 0))).toBe(PARAMETER);
    expect(rig.run(rig.opal.pciSetXivePe(0, 0, 2048))).toBe(PARAMETER);
  });

  it('replay a queued message, unless the PHB is fenced or its lock never comes free', () => {
    const rig = FirmwareRig.booted();
    const ive = rig.opal.deviceTree()[0]!.tables!.ivt.address + 0x10 * 128;
    const queue = () => rig.chip.memory.write8(ive + 5, 1);
    queue();
    rig.run(rig.opal.pciMsiEoi(0, 0x810));
    expect(rig.chip.written('PHB_FFI_REQUEST')).toEqual([0x1000_0000_0000_0100n]);
    rig.chip.answer('PHB_FFI_LOCK', ONES);
    queue();
    rig.run(rig.opal.pciMsiEoi(0, 0x810));
    rig.chip.answer('PHB_FFI_LOCK', 1n << 63n);
    rig.run(rig.opal.pciMsiEoi(0, 0x810));
    expect(rig.chip.log).toContainEqual(expect.stringContaining('forced interrupt lock'));
    expect(rig.chip.written('PHB_FFI_REQUEST')).toHaveLength(1);
  });

  it('that the chip queued during the flush are replayed too', () => {
    const rig = FirmwareRig.booted();
    const ive = rig.opal.deviceTree()[0]!.tables!.ivt.address + 0x10 * 128;
    rig.chip.answer('PHB_IVC_UPDATE', () => {
      rig.chip.memory.write8(ive + 5, 1);
      return 0n;
    });
    rig.run(rig.opal.pciMsiEoi(0, 0x810));
    expect(rig.chip.written('PHB_FFI_REQUEST')).toHaveLength(1);
  });
});
