import { describe, expect, it } from 'vitest';
import { msbMask, msbMasks } from '../../src/hw/bits.js';
import { memoryWrite } from '../../src/pcie/tlp.js';
import { ms } from '../../src/sim/time.js';
import { booted, halves, hex, m32, PE, RESERVED_PE, RID, type Rig } from './rig.js';

/** Registers of the root port that errors show in. Facts: ioda2-phb3 8.3. */
const AT = { ueStatus: 0x104, ueMask: 0x108, ceStatus: 0x110, rootStatus: 0x130, source: 0x134 } as const;
const UE = {
  surpriseDown: 0x20,
  poisoned: 0x1000,
  timeout: 0x4000,
  unexpected: 0x1_0000,
  malformed: 0x4_0000,
} as const;

/** A dword of the root port, little-endian as software sees it. */
function rootPort(rig: Rig, register: number): number {
  const bytes = rig.config(0, register);
  return Number(((bytes >> 24n) | ((bytes >> 8n) & 0xff00n) | ((bytes << 8n) & 0xff_0000n) | (bytes << 24n)) & ONES_32);
}
const ONES_32 = 0xffff_ffffn;
const setRootPort = (rig: Rig, register: number, value: number): void =>
  rig.setConfig(0, register, [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24]);

/** As firmware leaves masks, severities and root error command. Facts: ioda2-phb3 8.2, Init 61 to 76. */
function asFirmware(): Rig {
  const rig = booted();
  setRootPort(rig, AT.ueMask, 0x0008_d000);
  setRootPort(rig, 0x10c, 0x0007_2030);
  setRootPort(rig, 0x114, 0x2000);
  setRootPort(rig, 0x12c, 7);
  return rig;
}

const inb = (bit: number, lem: number) => ({ INB_ERR_STATUS: hex(msbMask(bit)), LEM_FIR_ACCUM: hex(msbMask(lem)) });

describe('an error of the root port itself', () => {
  it('is a message of 00:00.0: a lost link freezes all through the UTL, and the message adds INB 57 and LEM 36', () => {
    const rig = asFirmware();
    rig.link.surpriseRemove();
    expect(rootPort(rig, AT.ueStatus)).toBe(UE.surpriseDown);
    // Root error status: fatal, first uncorrectable is fatal; its source is the port.
    expect([rootPort(rig, AT.rootStatus), rootPort(rig, AT.source)]).toEqual([0x54, 0]);
    expect(rig.errors()).toMatchObject({
      ERR_STATUS: hex(msbMask(32)),
      INB_ERR_STATUS: hex(msbMask(57)),
      LEM_FIR_ACCUM: hex(msbMasks(36, 60)),
    });
    expect(rig.frozenPes()).toHaveLength(256);
    // One cause in all of them: the event of the core came first.
    expect([rig.pest(RESERVED_PE)[0], rig.pest(PE)[0]]).toEqual(['8701003c00000000', '8701003c00000000']);
  });

  it('charges the PE of RID 0 and its row where only the message gets through', () => {
    const rig = asFirmware();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    rig.setPeltv(RESERVED_PE, [12]);
    rig.link.surpriseRemove();
    expect(rig.errors()).toMatchObject(inb(57, 36));
    expect(rig.frozenPes()).toEqual([12, RESERVED_PE]);
    expect(rig.pest(12)[0]).toBe('8710002400000000');
  });

  it('masked in its AER says nothing: so firmware takes links down', () => {
    const rig = asFirmware();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0xad42_8000_0000_0000n);
    setRootPort(rig, AT.ueMask, 0x0008_d020);
    rig.setConfig(0, 0x3e, [0x42, 0x00]);
    expect([rootPort(rig, AT.ueStatus), rig.errors(), rig.frozenPes()]).toEqual([0, {}, []]);
  });

  it.each([
    { enables: 'device control and SERR', registers: { 80: 0x00, 4: 0x06 } },
    { enables: 'root control and command', registers: { 100: 0x10, 300: 0x00 } },
  ])('is not told to the bridge without $enables, but recorded', ({ registers }) => {
    const rig = asFirmware();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    for (const [register, value] of Object.entries(registers)) rig.setConfig(0, Number(register), [value, 0x00]);
    rig.link.surpriseRemove();
    expect(rootPort(rig, AT.ueStatus)).toBe(UE.surpriseDown);
    expect([rig.errors(), rig.frozenPes()]).toEqual([{}, []]);
  });

  it('gets through by the root error command alone', () => {
    const rig = asFirmware();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    rig.setConfig(0, 0x64, [0x10, 0]);
    rig.link.surpriseRemove();
    expect(rig.errors()).toMatchObject(inb(57, 36));
  });

  it('a malformed packet is dropped and raises the core: all PEs freeze, LEM 60, and AER tells firmware which', () => {
    const rig = asFirmware();
    rig.card.send(memoryWrite(RID, halves(0x1000n), new Uint8Array(256)));
    rig.run(5000);
    expect(rootPort(rig, AT.ueStatus)).toBe(UE.malformed);
    expect(rig.frozenPes()).toHaveLength(256);
    expect(rig.errors()).toMatchObject({ ERR_STATUS: hex(msbMask(32)), LEM_FIR_ACCUM: hex(msbMasks(36, 60)) });
    expect(rootPort(rig, 0x11c)).toBe(0x4000_0040);
  });

  it('a malformed packet that AER masks vanishes with no more than its status bit', () => {
    const rig = asFirmware();
    setRootPort(rig, AT.ueMask, UE.malformed);
    rig.card.send(memoryWrite(RID, halves(0x1000n), new Uint8Array(256)));
    rig.run(5000);
    expect([rootPort(rig, AT.ueStatus), rig.errors(), rig.frozenPes()]).toEqual([UE.malformed, {}, []]);
  });

  it('a poisoned packet, or a completion that never came, shows in AER, masked as firmware has it', () => {
    const rig = asFirmware();
    rig.card.answers.push('nothing');
    rig.load(m32(PE));
    rig.thaw(PE);
    rig.card.send({ ...memoryWrite(RID, halves(0x1000n), Uint8Array.of(1)), poisoned: true });
    rig.run(5000);
    setRootPort(rig, 0x114, 0);
    expect(rig.read('PHB_INB_ERR_STATUS')).toBe(0n);
    rig.thaw(PE);
    rig.card.answers.push('nothing');
    setRootPort(rig, AT.ueMask, 0);
    rig.load(m32(PE));
    expect(rootPort(rig, AT.ueStatus) & UE.timeout).toBe(UE.timeout);
    // Advisory: the bridge deals with it, so the port calls it correctable.
    expect(rig.read('PHB_INB_ERR_STATUS')).toBe(msbMask(59));
    expect(rootPort(rig, AT.ceStatus)).toBe(0x2000);
  });

  it('an answer that comes after its request was given up is fatal under the severities of firmware', () => {
    const rig = asFirmware();
    rig.card.answers.push('nothing');
    rig.load(m32(PE));
    rig.thaw(PE);
    const [request] = rig.card.got('MRd');
    rig.card.send({ ...request!, kind: 'CplD', status: 'SC', data: new Uint8Array(4), completerId: RID });
    rig.run(5000);
    expect(rootPort(rig, AT.ueStatus) & UE.unexpected).toBe(UE.unexpected);
    expect(rig.errors()).toMatchObject({ INB_ERR_STATUS: hex(msbMask(57)) });
    expect(rig.frozenPes()).toEqual([RESERVED_PE]);
  });
});

describe('what the own end of the link finds', () => {
  it.each([
    ['a packet with a bad LCRC', 0x40, (rig: Rig) => rig.link.down.damageNextPackets(1)],
    ['a receiver error', 0x01, (rig: Rig) => rig.link.report('receiver-error', 'up')],
    ['a bad DLLP', 0x80, (rig: Rig) => rig.link.report('bad-dllp', 'up')],
    ['a replay timer that ran out', 0x1000, (rig: Rig) => rig.link.report('replay-timer-timeout', 'up')],
    ['a replay number that rolled over', 0x100, (rig: Rig) => rig.link.report('replay-num-rollover', 'up')],
  ] as const)('%s is correctable: CE status, ERR_COR of the port, INB 59, no freeze', (_, status, disturb) => {
    const rig = asFirmware();
    disturb(rig);
    rig.dmaWrite(0x1000n, [7]);
    expect(rootPort(rig, AT.ceStatus)).toBe(status);
    expect([rootPort(rig, AT.rootStatus), rootPort(rig, AT.source)]).toEqual([0x01, 0]);
    expect([rig.errors(), rig.frozenPes()]).toMatchObject([inb(59, 38), []]);
    expect(rig.endInterrupts()).toEqual([0x7fe]);
  });

  it('masked, as firmware masks receiver errors while it takes the link down, only shows in the status', () => {
    const rig = asFirmware();
    setRootPort(rig, 0x114, 0x2001);
    rig.link.report('receiver-error', 'up');
    rig.link.report('bad-tlp', 'down');
    expect([rootPort(rig, AT.ceStatus), rig.errors()]).toEqual([0x01, {}]);
  });
});

describe('an error message from below', () => {
  it('stops at the root port while bridge control does not forward it', () => {
    const rig = asFirmware();
    rig.setConfig(0, 0x3e, [0x00, 0x00]);
    rig.sendError('ERR_FATAL');
    expect([rig.errors(), rootPort(rig, AT.rootStatus)]).toEqual([{}, 0]);
    expect(rig.config(0, 0x1e, 2)).toBe(0x0040n);
    rig.setConfig(0, 0x3e, [0x02, 0x00]);
    rig.sendError('ERR_FATAL');
    expect(rig.errors()).toMatchObject(inb(57, 36));
    expect([rootPort(rig, AT.rootStatus), rootPort(rig, AT.source)]).toEqual([0x54, RID << 16]);
  });

  it.each([
    ['ERR_COR', 0x1, 59, 38],
    ['ERR_NONFATAL', 0x2, 58, 37],
    ['ERR_FATAL', 0x4, 57, 36],
  ] as const)(
    '%s gets to the traps by its own enable, in root control or in the root error command',
    (kind, own, bit, lem) => {
      for (const register of [0x64, 0x12c]) {
        const rig = asFirmware();
        rig.setConfig(0, 0x64, [0x10, 0x00]);
        setRootPort(rig, 0x12c, 0);
        rig.setConfig(0, register, [(7 & ~own) | 0x10, 0x00]);
        rig.sendError(kind);
        expect(rig.errors()).toEqual({});
        rig.setConfig(0, register, [own, 0x00]);
        rig.sendError(kind);
        expect(rig.errors()).toMatchObject(inb(bit, lem));
      }
    },
  );

  it('that only informs leaves LEM 38, which firmware counts as recoverable, and interrupts once for ever', () => {
    const rig = asFirmware();
    for (let round = 0; round < 3; round++) rig.sendError('ERR_COR');
    expect(rig.endInterrupts()).toEqual([0x7fe]);
    expect([rig.errors(), rig.frozenPes()]).toMatchObject([inb(59, 38), []]);
    rig.clearErrors();
    rig.sendError('ERR_COR');
    expect(rig.endInterrupts()).toEqual([0x7fe]);
    rig.run(ms(1));
    expect(rig.pendingIsns()).toEqual([]);
  });
});
