import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { ms } from '../../src/sim/time.js';
import { booted, configAddress, hex, m32, ONES, PE, RID, Rig } from './rig.js';

/** Registers of the card: vendor 0x1014, device 0xf001; 0x40.. as written. */
const DEVICE = RID;
const information = (bit: number) => ({
  OUT_ERR_STATUS: hex(msbMask(bit)),
  LEM_FIR_ACCUM: hex(msbMask(15)),
  CPU_LOADSTORE_STATUS: '0000001800000000',
});

describe('a configuration cycle', () => {
  it('shows bytes in PCI order: little-endian numbers read swapped, in every size and place', () => {
    const rig = booted();
    rig.card.config.set([0x11, 0x22, 0x33, 0x44], 0x40);
    const read = (at: number, size: 1 | 2 | 4) => rig.config(DEVICE, 0x40 + at, size);
    expect(read(0, 4)).toBe(0x1122_3344n);
    expect([read(0, 2), read(2, 2)]).toEqual([0x1122n, 0x3344n]);
    expect([0, 1, 2, 3].map((at) => read(at, 1))).toEqual([0x11n, 0x22n, 0x33n, 0x44n]);
    expect(rig.config(0, 0, 4)).toBe(0x1410_dc03n);
    expect([rig.config(0, 0, 2), rig.config(0, 2, 2), rig.config(0, 3, 1)]).toEqual([0x1410n, 0xdc03n, 0x03n]);
  });

  it('writes only the bytes it covers', () => {
    const rig = booted();
    rig.setConfig(DEVICE, 0x40, [1, 2, 3, 4]);
    rig.setConfig(DEVICE, 0x41, [0xbb]);
    rig.setConfig(DEVICE, 0x42, [0xcc, 0xdd]);
    expect(rig.config(DEVICE, 0x40)).toBe(0x01bb_ccddn);
    rig.setConfig(0, 0x3c, [0x5a]);
    rig.setConfig(0, 0x18, [0x00, 0x01]);
    expect([rig.config(0, 0x3c, 1), rig.config(0, 0x18, 4)]).toEqual([0x5an, 0x0001_ff00n]);
  });

  it('goes out as type 0 on the secondary bus and as type 1 below it', () => {
    const rig = booted();
    rig.config(0x0100, 0x104);
    rig.config(0x0200, 0x104);
    rig.setConfig(0x0100, 0x48, [1]);
    rig.setConfig(0x0207, 0x4a, [1, 2]);
    rig.run(2000);
    expect(
      rig.card.received.map(({ kind, targetId, register, lengthBytes }) => [kind, targetId, register, lengthBytes]),
    ).toEqual([
      ['CfgRd0', 0x0100, 0x104, 4],
      ['CfgRd1', 0x0200, 0x104, 4],
      ['CfgWr0', 0x0100, 0x48, 1],
      ['CfgWr1', 0x0207, 0x4a, 2],
    ]);
  });

  it('ignores the low two bits of the register in CONFIG_ADDRESS: the bytes come from where the data are touched', () => {
    const rig = booted();
    rig.write('PHB_CONFIG_ADDRESS', configAddress(DEVICE, 0x03, PE));
    expect(rig.host.load(rig.address('PHB_CONFIG_DATA'), 2)).toBe(0x1410n);
  });

  it.each([
    ['crosses its doubleword', 3, 2],
    ['is misaligned', 1, 2],
    ['is misaligned at its end', 2, 4],
    ['has eight bytes', 0, 8],
  ] as const)('that %s reads all ones, writes nothing and is information OUT 25', (_, at, size) => {
    const rig = booted();
    rig.selectConfig(DEVICE, 0x40);
    const address = rig.address('PHB_CONFIG_DATA') + at;
    expect(rig.host.load(address, size)).toBe((1n << BigInt(8 * size)) - 1n);
    rig.host.store(address, size, 0n);
    expect(rig.errors()).toEqual(information(25));
    expect(rig.card.received).toEqual([]);
  });

  it('without the enable bit reads all ones, writes nothing and is information OUT 24', () => {
    const rig = booted();
    rig.write('PHB_CONFIG_ADDRESS', configAddress(DEVICE, 0, PE) & ~msbMask(0));
    expect(rig.host.load(rig.address('PHB_CONFIG_DATA'), 4)).toBe(0xffff_ffffn);
    rig.host.store(rig.address('PHB_CONFIG_DATA'), 4, 0n);
    expect(rig.errors()).toEqual(information(24));
    expect(rig.card.received).toEqual([]);
  });

  it.each([0x0001, 0x0008, 0x00ff])('to device %i of the root bus is information OUT 26', (rid) => {
    const rig = booted();
    expect(rig.config(rid, 0)).toBe(0xffff_ffffn);
    rig.setConfig(rid, 0x40, [0]);
    expect(rig.errors()).toEqual(information(26));
    expect(rig.frozenPes()).toEqual([]);
  });

  it('cannot reach the root port while the core is in reset, and says nothing; to other buses it is OUT 26', () => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    rig.write('PHB_RESET', 0n);
    expect(rig.config(0, 0)).toBe(0xffff_ffffn);
    rig.setConfig(0, 0x3c, [0x77]);
    expect(rig.errors()).toEqual({});
    expect(rig.config(DEVICE, 0)).toBe(0xffff_ffffn);
    expect(rig.errors()).toEqual(information(26));
    rig.write('PHB_RESET', 0xd000_0000_0000_0000n);
    rig.run(ms(5));
    expect(rig.config(0, 0x3c, 1)).toBe(0n);
  });

  it('with the link down is information OUT 27 but still reaches the root port', () => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    rig.write('PHB_RESET', 0xd000_0000_0000_0000n);
    expect(rig.config(DEVICE, 0)).toBe(0xffff_ffffn);
    rig.setConfig(DEVICE, 0x40, [0]);
    expect(rig.errors()).toEqual(information(27));
    expect(rig.config(0, 0, 2)).toBe(0x1410n);
  });

  it.each([
    ['UR', '8440002b00000000', 1],
    ['CA', '8480002b00000000', 0],
    ['nothing', '8480002b00000000', 0],
  ] as const)('that reads and ends with %s returns all ones and freezes the PE it names', (answer, pestA, bit) => {
    const rig = booted();
    rig.card.answers.push(answer);
    const before = rig.now;
    expect(rig.config(DEVICE, 0, 2, 42)).toBe(0xffffn);
    if (answer === 'nothing') expect(rig.now - before).toBeGreaterThan(ms(16));
    expect(rig.errors()).toEqual({
      INA_ERR_STATUS: hex(msbMask(bit)),
      LEM_FIR_ACCUM: hex(msbMask(43)),
      CPU_LOADSTORE_STATUS: '0000001c00000000',
    });
    expect(rig.pest(42)).toEqual([pestA, '8000000000000000']);
    expect(rig.frozenPes()).toEqual([42]);
  });

  it.each([
    ['UR', '2d40000c00000000'],
    ['CA', '2d80000c00000000'],
  ] as const)('that writes and ends with %s freezes the PE it names as OUT 17', (answer, cause) => {
    const rig = booted();
    rig.card.answers.push(answer);
    rig.setConfig(DEVICE, 0x40, [1], 42);
    rig.run(5000);
    expect(rig.errors()).toEqual({
      OUT_ERR_STATUS: hex(msbMask(17)),
      LEM_FIR_ACCUM: hex(msbMask(12)),
      CPU_LOADSTORE_STATUS: '0000001c00000000',
    });
    expect(rig.pest(42)[0]).toBe(hex(BigInt(`0x${cause}`) | msbMask(0)));
  });

  it('that writes and is never answered is information OUT 29', () => {
    const rig = booted();
    rig.card.answers.push('nothing');
    rig.setConfig(DEVICE, 0x40, [1]);
    rig.run(ms(17));
    expect(rig.errors()).toEqual(information(29));
    expect(rig.frozenPes()).toEqual([]);
  });

  it('to a bus or device that nobody has is an unsupported request', () => {
    const rig = booted();
    expect(rig.config(0x0108, 0)).toBe(0xffff_ffffn);
    expect(rig.pest(PE)[0]).toBe('8440002b00000000');
    rig.thaw(PE);
    rig.setConfig(0, 0x1a, [0x0f]);
    rig.setConfig(0x1000, 0x40, [0]);
    expect(rig.pest(PE)[0]).toBe('ad40000c00000000');
    expect(rig.card.received).toEqual([]);
  });

  it('reaches every device number of the secondary bus once the root port forwards ARI', () => {
    const rig = booted();
    rig.setConfig(0, 0x70, [0x20, 0x00]);
    rig.config(0x0108, 0);
    expect(rig.card.received.map((tlp) => tlp.targetId)).toEqual([0x0108]);
  });

  it('that meets a retry shows the vendor 0x0001 at once where software can see it', () => {
    const rig = booted();
    rig.card.answers.push('CRS', 'CRS');
    expect(rig.config(DEVICE, 0)).toBe(0x0100_ffffn);
    expect(rig.config(DEVICE, 0, 2)).toBe(0x0100n);
    expect(rig.config(DEVICE, 0)).toBe(0x1410_01f0n);
    expect(rig.frozenPes()).toEqual([]);
  });

  it('that meets a retry is sent again until the device answers, where software cannot see it', () => {
    const rig = booted();
    rig.setConfig(0, 0x64, [0x07, 0x00]);
    rig.card.answers.push('CRS', 'CRS', 'CRS');
    expect(rig.config(DEVICE, 0)).toBe(0x1410_01f0n);
    rig.card.answers.push('CRS');
    rig.setConfig(0, 0x64, [0x17, 0x00]);
    expect(rig.config(DEVICE, 4, 2)).toBe(0x4601n);
    expect(rig.card.got('CfgRd0')).toHaveLength(6);
  });

  it('that meets retries for ever ends with the timeout', () => {
    const rig = booted();
    rig.card.answers.push(...new Array<'CRS'>(1000).fill('CRS'));
    expect(rig.config(DEVICE, 8)).toBe(0xffff_ffffn);
    expect(rig.pest(PE)[0]).toBe('8480002b00000000');
    rig.run(ms(50));
    expect(rig.card.got('CfgRd0').length).toBeLessThan(200);
  });

  it('that timed out is not sent again under a tag that has a new owner', () => {
    const rig = booted();
    rig.card.answers.push(...new Array<'CRS'>(1000).fill('CRS'));
    rig.config(DEVICE, 8);
    rig.thaw(PE);
    rig.card.answers.splice(0, 1000, ...new Array<'nothing'>(256).fill('nothing'));
    for (let n = 0; n < 256; n++) rig.machine.bus.beginLoad(m32(PE, 4 * n), 4);
    rig.run(ms(1));
    expect(rig.card.got('MRd')).toHaveLength(256);
  });

  it('does not care whether its PE is frozen', () => {
    const rig = booted();
    rig.card.answers.push('UR');
    rig.config(DEVICE, 0);
    expect(rig.frozenPes()).toEqual([PE]);
    expect(rig.config(DEVICE, 0)).toBe(0x1410_01f0n);
    expect(rig.load(m32(PE))).toBe(0xffff_ffffn);
  });
});

describe('a configuration cycle through the ASB', () => {
  it('has its doubleword in the upper half, first PCI byte on top', () => {
    const rig = booted();
    rig.asbWrite('PHB_CONFIG_ADDRESS', configAddress(DEVICE, 0, PE));
    expect(rig.asbRead('PHB_CONFIG_DATA')).toBe(0x1410_01f0_0000_0000n);
    rig.asbWrite('PHB_CONFIG_ADDRESS', configAddress(0, 0x18, PE));
    expect(rig.asbRead('PHB_CONFIG_DATA')).toBe(0x0001_ff00_0000_0000n);
    expect(rig.asbRead(0x132)).toBe(0x0001_ff00_0000_0000n);
  });

  it('writes the whole doubleword', () => {
    const rig = booted();
    rig.asbWrite('PHB_CONFIG_ADDRESS', configAddress(DEVICE, 0x40, PE));
    rig.asbWrite('PHB_CONFIG_DATA', 0x0102_0304_0506_0708n);
    expect(rig.config(DEVICE, 0x40)).toBe(0x0102_0304n);
  });

  it('goes on while the AIB is fenced, for the root port and for devices', () => {
    const rig = booted();
    rig.setNest('NFIR_OR', msbMask(24));
    expect(rig.config(0, 0)).toBe(0xffff_ffffn);
    rig.asbWrite('PHB_CONFIG_ADDRESS', configAddress(0, 0x104, 0));
    expect(rig.asbRead('PHB_CONFIG_DATA')).toBe(0n);
    rig.asbWrite('PHB_CONFIG_ADDRESS', configAddress(DEVICE, 0, PE));
    expect(rig.asbRead('PHB_CONFIG_DATA')).toBe(0x1410_01f0_0000_0000n);
    expect(rig.asbIoda('PEEV', 0)).toBe(0n);
  });

  it('reads all ones while the bridge is held in reset, and before its core is up', () => {
    const rig = new Rig();
    rig.asbWrite('PHB_CONFIG_ADDRESS', configAddress(0, 0, 0));
    expect(rig.asbRead('PHB_CONFIG_DATA')).toBe(ONES);
    rig.etuReset('held');
    expect(rig.asbRead('PHB_CONFIG_DATA')).toBe(ONES);
  });

  it('that waits for a device gets all ones when the bridge is reset under it', () => {
    const rig = booted();
    const { bus, sim } = rig.machine;
    rig.card.answers.push('nothing');
    rig.asbWrite('PHB_CONFIG_ADDRESS', configAddress(DEVICE, 0, PE));
    rig.setSpci(0, 0x130n);
    const ticket = bus.beginScomRead(0x0901_3c02);
    rig.run(5000);
    expect(bus.isDone(ticket)).toBe(false);
    rig.etuReset('held');
    while (!bus.isDone(ticket)) sim.step();
    expect(bus.take(ticket)).toBe(0xffff_ffff_0000_0000n);
  });
});
