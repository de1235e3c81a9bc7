import { describe, expect, it } from 'vitest';
import { msbMask, msbMasks } from '../../src/hw/bits.js';
import { PHB3_TIMING } from '../../src/ioda2/timing.js';
import { configRead, memoryRead, memoryWrite } from '../../src/pcie/tlp.js';
import { booted, halves, hex, IVT, m32, PAGE_AT, PE, PELTV, RID, type Rig, RTT, TCES } from './rig.js';

const FROZEN = msbMask(0);
const MEMORY_END = 2 ** 30;
const dmaSummary = { DMA_CHAN_STATUS: '0000001c00000000' };
const statuses = (rig: Rig, address: bigint, rid = RID) => rig.dmaRead(address, 4, rid).map((tlp) => tlp.status);
const bypass = (start: bigint, end: bigint): bigint => ((start >> 24n) << 40n) | ((end >> 24n) << 16n) | (1n << 12n);

describe('a DMA through RTT, TVT and TCE', () => {
  it('writes and reads the page that the TCE names', () => {
    const rig = booted();
    rig.dmaWrite(0x1234n, [0xde, 0xad, 0xbe, 0xef]);
    expect(rig.memory.read32(PAGE_AT(1) + 0x234)).toBe(0xdead_beef);
    const [answer] = rig.dmaRead(0x1234n, 4);
    expect([...answer!.data!]).toEqual([0xde, 0xad, 0xbe, 0xef]);
    expect([answer!.tag, answer!.requesterId, answer!.byteCount]).toEqual([7, RID, 4]);
    expect(rig.errors()).toEqual({});
  });

  it('takes longer by each table entry that the caches do not hold', () => {
    const rig = booted();
    // From the packet's arrival to its answer, over the same wires each time.
    const answerNs = (address: bigint): number => {
      const before = rig.card.received.length;
      const start = rig.now;
      rig.card.send(memoryRead({ requesterId: RID, tag: 1 }, halves(address), 4));
      while (rig.card.received.length === before) rig.machine.sim.step();
      return rig.now - start;
    };
    const coldNs = answerNs(0x1000n);
    const hotNs = answerNs(0x1000n);
    const newPageNs = answerNs(0x3000n - 0x1000n);
    expect(coldNs - hotNs).toBe(2 * PHB3_TIMING.tableFetchNs.value);
    expect(newPageNs - hotNs).toBe(PHB3_TIMING.tableFetchNs.value);
  });

  it('is answered in pieces that end on read completion boundaries', () => {
    const rig = booted();
    const lengths = rig.dmaRead(0x1040n, 512).map((tlp) => tlp.lengthBytes);
    expect(lengths.reduce((sum, length) => sum + length)).toBe(512);
    expect((0x40 + lengths[0]!) % 128).toBe(0);
  });

  it('leaves a page fault with the PEST words of the catalogue, and drops the write', () => {
    const rig = booted();
    rig.setTce(1, 0n);
    rig.dmaWrite(0x1000n, [1, 2, 3, 4]);
    expect(rig.pest(PE)).toEqual(['8000b03a01000000', '8000000000001000']);
    expect(rig.errors()).toEqual({
      INA_ERR_STATUS: hex(msbMask(49)),
      LEM_FIR_ACCUM: hex(msbMask(58)),
      ...dmaSummary,
    });
    expect(rig.memory.read32(PAGE_AT(1))).toBe(0);
    expect(rig.pendingIsns()).toEqual([0x7ff]);
    expect([rig.read('PHB_INA_ERR_LOG_0'), rig.read('PHB_INA_ERR_LOG_1')]).toEqual([0x0100_0000n, 0x1000n]);
  });

  it.each([
    ['a read of a page only written', 0x3008n, 'read', '8200903a01000000', 49],
    ['a write of a page only read', 0x2008n, 'write', '8000903a01000000', 49],
    ['a read of an empty TCE', 0x4008n, 'read', '8200b03a01000000', 49],
    ['a read beyond the table', 0x20_0008n, 'read', '8200802301000000', 28],
    ['a write in a space that does not exist', 0x2000_0000_0000_1008n, 'write', '8000802301000000', 28],
    ['a read in the second window, which is closed', 0x0800_0000_0000_1008n, 'read', '8200802301000000', 26],
  ] as const)('freezes its PE for %s', (_, address, direction, pestA, bit) => {
    const rig = booted();
    if (direction === 'read') expect(statuses(rig, address)).toEqual(['CA']);
    else rig.dmaWrite(address, [1]);
    expect(rig.pest(PE)).toEqual([pestA, hex(FROZEN | (address & 0x1fff_ffff_ffff_ffffn))]);
    expect(rig.errors()).toMatchObject({ INA_ERR_STATUS: hex(msbMask(bit)), ...dmaSummary });
    expect(rig.frozenPes()).toEqual([PE]);
  });

  it('through an indirect table fails where an upper entry grants nothing', () => {
    const rig = booted();
    rig.setIoda('TVT', 2 * PE, (BigInt(TCES / 4096) << 16n) | (1n << 13n) | (1n << 8n) | 1n);
    rig.setTce(0, BigInt(TCES + 0x1000) | 3n);
    rig.memory.write64(TCES + 0x1000 + 8, BigInt(PAGE_AT(9)) | 3n);
    rig.dmaWrite(0x1000n, [9]);
    expect(rig.memory.read8(PAGE_AT(9))).toBe(9);
    rig.dmaWrite(0x20_1000n, [9]);
    expect(rig.pest(PE)[0]).toBe('8000b03a01000000');
    expect(rig.pest(PE)[1]).toBe(hex(FROZEN | 0x20_1000n));
  });

  it('may bypass translation between the bounds of its TVE, the end excluded', () => {
    const rig = booted();
    rig.setIoda('TVT', 2 * PE + 1, bypass(0n, 0x200_0000n));
    rig.dmaWrite(0x0800_0000_01ff_fff0n, [0x5a]);
    expect(rig.memory.read8(0x1ff_fff0)).toBe(0x5a);
    rig.dmaWrite(0x0800_0000_0200_0000n, [0x5a]);
    expect(rig.pest(PE)).toEqual(['8000802301000000', '8800000002000000']);
    expect(rig.memory.read8(0x200_0000)).toBe(0);
  });

  it('through a closed low bypass is refused until PHB_CONTROL opens it; a reset closes it again', () => {
    const rig = booted();
    rig.setIoda('TVT', 2 * PE, bypass(0n, 0x200_0000n));
    rig.dmaWrite(0x1000n, [0x5a]);
    expect(rig.frozenPes()).toEqual([PE]);
    rig.thaw(PE);
    rig.write('PHB_CONTROL', 0xf3a8_0edb_0000_0000n | msbMask(11));
    rig.dmaWrite(0x1000n, [0x5a]);
    expect(rig.memory.read8(0x1000)).toBe(0x5a);
    rig.etuReset('held');
    rig.leftAlone.add('PHB_CONTROL');
    rig.boot();
    rig.setIoda('TVT', 2 * PE, bypass(0n, 0x200_0000n));
    rig.dmaWrite(0x1000n, [0x77]);
    expect(rig.memory.read8(0x1000)).toBe(0x5a);
  });

  it('of a stopped PE is dropped or aborted without any record', () => {
    const rig = booted();
    rig.setIoda('PESTB', PE, FROZEN);
    rig.dmaWrite(0x1000n, [1]);
    expect(statuses(rig, 0x1000n)).toEqual(['CA']);
    expect(rig.memory.read8(PAGE_AT(1))).toBe(0);
    expect(rig.errors()).toEqual({});
  });

  it('under way when its PE freezes still arrives', () => {
    const rig = booted();
    rig.card.send(memoryWrite(RID, halves(0x1000n), Uint8Array.of(1)));
    rig.card.send(memoryRead({ requesterId: RID, tag: 9 }, halves(0x1000n), 4));
    rig.card.send(memoryWrite(RID, halves(0x5000n), Uint8Array.of(1)));
    rig.run(10_000);
    expect(rig.frozenPes()).toEqual([PE]);
    expect(rig.memory.read8(PAGE_AT(1))).toBe(1);
    expect(rig.card.got('CplD').map((tlp) => [...tlp.data!])).toEqual([[1, 0, 0, 0]]);
  });

  it.each([
    ['a write', memoryWrite(RID, halves(0x1000n), Uint8Array.of(1))],
    ['a read', memoryRead({ requesterId: RID, tag: 9 }, halves(0x1000n), 4)],
    ['a message interrupt', memoryWrite(RID, halves(0xffff_0000n), Uint8Array.of(0x10, 0, 0, 0))],
  ] as const)('under way when the AIB is fenced is lost: %s', (_, tlp) => {
    const rig = booted();
    rig.setIve(0x10, {});
    rig.dmaWrite(0x1000n, [7]);
    rig.write('PHB_OUT_ERR_INJECT', FROZEN);
    rig.machine.bus.beginLoad(m32(PE), 4);
    rig.run(780);
    rig.card.send(tlp);
    rig.run(10_000);
    expect(rig.fenced).toBe(true);
    expect([rig.memory.read8(PAGE_AT(1)), rig.card.got('CplD', 'Cpl'), rig.pq(0x10)]).toEqual([7, [], '00']);
  });

  it('does not pass the root port while its bus master bit is off', () => {
    const rig = booted();
    rig.setConfig(0, 4, [0x42, 0x01]);
    expect(statuses(rig, 0x1000n)).toEqual(['UR']);
    expect(rig.frozenPes()).toEqual([]);
  });
});

describe('the caches on the way', () => {
  it('keep translating with a TCE that was removed, until it is killed', () => {
    const rig = booted();
    rig.dmaWrite(0x1000n, [1]);
    rig.setTce(1, 0n);
    rig.dmaWrite(0x1000n, [2]);
    expect(rig.memory.read8(PAGE_AT(1))).toBe(2);
    rig.write('PHB_TCE_KILL', msbMask(2) | 0x1000n | 6n);
    rig.write('PHB_TCE_KILL', msbMask(1) | 6n);
    rig.dmaWrite(0x1000n, [3]);
    expect(rig.memory.read8(PAGE_AT(1))).toBe(3);
    expect(rig.frozenPes()).toEqual([]);
  });

  it.each([
    ['the page', msbMask(2) | 0x1000n | BigInt(PE)],
    ['its PE', msbMask(1) | BigInt(PE)],
    ['all', msbMask(0)],
  ] as const)('forget a TCE when software kills %s', (_, kill) => {
    const rig = booted();
    rig.dmaWrite(0x1000n, [1]);
    rig.setTce(1, 0n);
    rig.write('PHB_TCE_KILL', kill);
    rig.dmaWrite(0x1000n, [2]);
    expect(rig.memory.read8(PAGE_AT(1))).toBe(1);
    expect(rig.frozenPes()).toEqual([PE]);
  });

  it('forget all TCEs when PHB3_CONFIG gets its bit 2 alone', () => {
    const rig = booted();
    rig.dmaWrite(0x1000n, [1]);
    rig.setTce(1, 0n);
    rig.write('PHB_PHB3_CONFIG', msbMask(2));
    rig.dmaWrite(0x1000n, [2]);
    expect(rig.frozenPes()).toEqual([PE]);
  });

  it('keep charging the old PE after an RTT change, until the RID is invalidated', () => {
    const rig = booted();
    rig.dmaWrite(0x1000n, [1]);
    rig.memory.write16(RTT + 2 * RID, 9);
    rig.write('PHB_RTC_INVALIDATE', BigInt(RID + 1) << 32n);
    rig.dmaWrite(0x5000n, [1]);
    expect(rig.frozenPes()).toEqual([PE]);
    rig.thaw(PE);
    rig.write('PHB_RTC_INVALIDATE', BigInt(RID) << 32n);
    rig.dmaWrite(0x5000n, [1]);
    expect(rig.frozenPes()).toEqual([9]);
  });
});

describe('a requester without a PE', () => {
  it.each([0xffff, 0x100, 0xfffe])('with RTE %i is refused as information', (rte) => {
    const rig = booted();
    rig.setRte(RID, rte);
    rig.dmaWrite(0x1000n, [1]);
    expect(statuses(rig, 0x1000n)).toEqual(['CA']);
    rig.msi(0x10);
    rig.sendError('ERR_FATAL');
    expect(rig.errors()).toEqual({
      INA_ERR_STATUS: hex(msbMask(40)),
      LEM_FIR_ACCUM: hex(msbMask(53)),
      DMA_CHAN_STATUS: '0000001800000000',
    });
    expect([rig.frozenPes(), rig.pendingIsns(), rig.fenced]).toEqual([[], [0x7fe], false]);
  });

  it.each([
    ['a write', (rig: Rig) => rig.dmaWrite(0x1000n, [1])],
    ['a read', (rig: Rig) => expect(statuses(rig, 0x1000n)).toEqual([])],
    ['a message', (rig: Rig) => rig.sendError('ERR_NONFATAL')],
    ['a poisoned write', (rig: Rig) => poisoned(rig)],
  ] as const)('because the RTT BAR is disabled fences the bridge: %s', (_, act) => {
    const rig = booted();
    rig.write('PHB_RTC_INVALIDATE', FROZEN);
    rig.write('PHB_RTT_BAR', BigInt(RTT));
    act(rig);
    expect(rig.errors()).toMatchObject({ INA_ERR_STATUS: hex(msbMask(32)), LEM_WOF: hex(msbMask(42)) });
    expect(rig.fenced).toBe(true);
  });

  it.each([
    ['the RTT', (rig: Rig) => rig.write('PHB_RTT_BAR', FROZEN | 0x40_0000_0000n)],
    ['the TCE table', (rig: Rig) => rig.setIoda('TVT', 2 * PE, 0x0004_0000_0000_0101n)],
    ['the page', (rig: Rig) => rig.setTce(1, BigInt(MEMORY_END) | 3n)],
  ] as const)('or page fences the bridge where memory does not hold %s', (_, arrange) => {
    const rig = booted();
    rig.write('PHB_RTC_INVALIDATE', FROZEN);
    arrange(rig);
    expect(statuses(rig, 0x1000n)).toEqual([]);
    expect(rig.errors()).toMatchObject({ INA_ERR_STATUS: hex(msbMask(36)), LEM_FIR_ACCUM: hex(msbMask(40)) });
    expect(rig.fenced).toBe(true);
  });
});

function poisoned(rig: Rig): void {
  rig.card.send({ ...memoryWrite(RID, halves(0x1000n), Uint8Array.of(1)), poisoned: true });
  rig.run(5000);
}

describe('a packet that should not be', () => {
  it('if a poisoned write freezes its PE and is dropped', () => {
    const rig = booted();
    poisoned(rig);
    expect(rig.pest(PE)).toEqual(['8004002901000000', '8000000000001000']);
    expect(rig.errors()).toMatchObject({ INA_ERR_STATUS: hex(msbMask(24)), LEM_FIR_ACCUM: hex(msbMask(41)) });
    expect(rig.memory.read8(PAGE_AT(1))).toBe(0);
  });

  it('if a configuration request from below is answered as unsupported', () => {
    const rig = booted();
    rig.card.send(configRead({ requesterId: RID, tag: 3 }, { target: 0, register: 0, type: 1 }, 4));
    rig.run(5000);
    expect(rig.card.got('Cpl').map((tlp) => [tlp.tag, tlp.status])).toEqual([[3, 'UR']]);
  });

  it('if a completion nobody waits for, or a message nobody knows, is dropped', () => {
    const rig = booted();
    rig.card.send({ ...memoryRead({ requesterId: 0, tag: 250 }, halves(0n), 4), kind: 'Cpl', status: 'SC' });
    rig.sendMessage(0x19);
    expect(rig.errors()).toEqual({});
  });
});

describe('an error message', () => {
  it.each([
    ['ERR_FATAL', 57, 36, '8710002401000000'],
    ['ERR_NONFATAL', 58, 37, '8720002501000000'],
  ] as const)('%s freezes exactly the PEs of the row of its sender, all with one cause', (kind, bit, lem, pestA) => {
    const rig = booted();
    rig.setPeltv(PE, [6, 64, 255]);
    rig.sendError(kind);
    expect(rig.frozenPes()).toEqual([PE, 6, 64, 255]);
    for (const pe of [PE, 6, 64, 255]) expect(rig.pest(pe)).toEqual([pestA, '8000000000000000']);
    expect(rig.errors()).toEqual({
      INB_ERR_STATUS: hex(msbMask(bit)),
      LEM_FIR_ACCUM: hex(msbMask(lem)),
      ...dmaSummary,
    });
    expect(rig.pendingIsns()).toEqual([0x7ff]);
  });

  it('ERR_COR only informs', () => {
    const rig = booted();
    rig.sendError('ERR_COR');
    expect(rig.errors()).toEqual({
      INB_ERR_STATUS: hex(msbMask(59)),
      LEM_FIR_ACCUM: hex(msbMask(38)),
      DMA_CHAN_STATUS: '0000001800000000',
    });
    expect([rig.frozenPes(), rig.pendingIsns()]).toEqual([[], [0x7fe]]);
  });

  it('ERR_COR freezes where the enables of the first chips are programmed', () => {
    const rig = booted();
    rig.write('PHB_INB_ERR_FREEZE_ENABLE', 0x0000_6000_0000_0070n);
    rig.sendError('ERR_COR');
    expect(rig.pest(PE)[0]).toBe('8702002601000000');
  });

  it('of a PE that is not in its own row freezes only the others', () => {
    const rig = booted();
    for (let byte = 0; byte < 32; byte++) rig.memory.write8(PELTV + 32 * PE + byte, 0);
    rig.setPeltv(PE, [17]);
    rig.sendError('ERR_FATAL');
    expect(rig.frozenPes()).toEqual([17]);
  });

  it.each([
    ['disabled', BigInt(PELTV), 32],
    ['outside of memory', FROZEN | 0x40_0000_0000n, 36],
  ] as const)('fences the bridge when the PELT-V is %s', (_, bar, bit) => {
    const rig = booted();
    rig.write('PHB_PELTV_BAR', bar);
    rig.sendError('ERR_FATAL');
    expect(rig.errors()).toMatchObject({ INB_ERR_STATUS: hex(msbMask(57)), INA_ERR_STATUS: hex(msbMask(bit)) });
    expect(rig.fenced).toBe(true);
  });
});

describe('a fenced bridge', () => {
  it('takes nothing from below and answers nothing', () => {
    const rig = booted();
    rig.setNest('NFIR_OR', msbMask(24));
    rig.dmaWrite(0x1000n, [1]);
    expect(statuses(rig, 0x1000n)).toEqual([]);
    rig.msi(0x10);
    rig.sendError('ERR_FATAL');
    rig.sendMessage(0x20);
    expect(rig.memory.read8(PAGE_AT(1))).toBe(0);
    expect(rig.memory.read64(IVT + 0x10 * 128)).toBe(0n);
    expect(rig.errors()).toEqual({});
    expect(rig.pendingIsns()).toEqual([]);
  });
});

describe('QUIESCE_DMA_G', () => {
  const QUIESCE = msbMask(0);
  const IDLE = msbMasks(4, 5, 6);

  it('holds requests back without an error, and lets them go in order', () => {
    const rig = booted();
    rig.write('PHB_QUIESCE_DMA_G', QUIESCE | IDLE);
    rig.dmaWrite(0x1000n, [1]);
    rig.dmaWrite(0x1000n, [2]);
    expect(rig.dmaRead(0x1000n, 4)).toEqual([]);
    expect([rig.memory.read8(PAGE_AT(1)), rig.errors()]).toEqual([0, {}]);
    expect(rig.read('PHB_QUIESCE_DMA_G')).toBe(QUIESCE | IDLE);
    rig.write('PHB_QUIESCE_DMA_G', QUIESCE | msbMask(1));
    expect(rig.read('PHB_QUIESCE_DMA_G')).toBe(IDLE);
    rig.run(5000);
    expect(rig.card.got('CplD').map((tlp) => [...tlp.data!])).toEqual([[2, 0, 0, 0]]);
  });

  it('tells by its idle bits what is still under way', () => {
    const rig = booted();
    const { bus, sim } = rig.machine;
    rig.card.answers.push('nothing');
    const ticket = bus.beginLoad(m32(PE), 4);
    rig.run(3000);
    expect(rig.read('PHB_QUIESCE_DMA_G')).toBe(msbMasks(4, 6));
    while (!bus.isDone(ticket)) sim.step();
    bus.take(ticket);
    rig.thaw(PE);
    const read = bus.beginLoad(rig.address('PHB_QUIESCE_DMA_G'), 8);
    rig.run(750);
    rig.card.send(memoryRead({ requesterId: RID, tag: 1 }, halves(0x1000n), 4));
    while (!bus.isDone(read)) sim.step();
    expect(bus.take(read)).toBe(msbMasks(5, 6));
  });

  it('forgets what waited when the bridge is reset', () => {
    const rig = booted();
    rig.write('PHB_QUIESCE_DMA_G', QUIESCE);
    rig.dmaWrite(0x1000n, [1]);
    rig.etuReset('held');
    rig.boot();
    rig.write('PHB_QUIESCE_DMA_G', 0n);
    rig.run(5000);
    expect(rig.memory.read8(PAGE_AT(1))).toBe(0);
    rig.dmaWrite(0x1000n, [3]);
    expect(rig.memory.read8(PAGE_AT(1))).toBe(3);
  });
});
