import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { PHB3_SWITCHES, phb3Profile } from '../../src/ioda2/profile.js';
import {
  atomicRequest,
  configRead,
  configWrite,
  ioRead,
  ioWrite,
  MessageCode,
  memoryRead,
  memoryWrite,
  type Tlp,
} from '../../src/pcie/tlp.js';
import { booted, halves, hex, m32, PAGE_AT, PE, RID, type Rig } from './rig.js';

const FROZEN = msbMask(0);
const FROM = { requesterId: RID, tag: 3 };
const ONE_MISS = 0x10;
const unsupported = {
  INA_ERR_STATUS: hex(msbMask(18)),
  LEM_FIR_ACCUM: hex(msbMask(56)),
  DMA_CHAN_STATUS: '0000001800000000',
};

function send(rig: Rig, tlp: Tlp): (string | undefined)[] {
  const before = rig.card.got('Cpl', 'CplD').length;
  rig.card.send(tlp);
  rig.run(5000);
  return rig.card
    .got('Cpl', 'CplD')
    .slice(before)
    .map((answer) => `${answer.tag} ${answer.status}`);
}

describe('a request of a kind that has no place above the root port', () => {
  it.each([
    ['an I/O read', ioRead(FROM, 0x1000, 4)],
    ['an I/O write', ioWrite(FROM, 0x1000, Uint8Array.of(1, 2, 3, 4))],
    ['a configuration read', configRead(FROM, { target: 0, register: 0, type: 0 }, 4)],
    ['a configuration write', configWrite(FROM, { target: 0, register: 4, type: 1 }, Uint8Array.of(1))],
    ['a fetch-and-add', atomicRequest('FetchAdd', FROM, halves(0x1000n), Uint8Array.of(1, 0, 0, 0))],
    ['a swap', atomicRequest('Swap', FROM, halves(0x1000n), Uint8Array.of(1, 0, 0, 0))],
    ['a compare-and-swap', atomicRequest('CAS', FROM, halves(0x1000n), new Uint8Array(8))],
  ] as const)('is answered as unsupported and is information INA 18: %s', (_, tlp) => {
    const rig = booted();
    expect(send(rig, tlp)).toEqual(['3 UR']);
    expect(rig.errors()).toEqual(unsupported);
    expect([rig.frozenPes(), rig.memory.read32(PAGE_AT(1)), rig.pendingIsns()]).toEqual([[], 0, [0x7fe]]);
  });

  it('is not answered once software made it fence the bridge', () => {
    const rig = booted();
    rig.write('PHB_INA_ERR_AIB_FENCE_ENABLE', msbMask(18));
    expect(send(rig, ioRead(FROM, 0x1000, 4))).toEqual([]);
    expect(rig.fenced).toBe(true);
  });

  it('if it is a message nobody knows is dropped as the same information, if it may be ignored without a word', () => {
    const rig = booted();
    rig.sendMessage(MessageCode.PME_TURN_OFF);
    expect(rig.errors()).toEqual({});
    rig.sendMessage(0x7e);
    expect(rig.errors()).toEqual(unsupported);
  });
});

describe('a memory request across a 4 KiB boundary', () => {
  it.each([
    ['write', memoryWrite(RID, halves(0x1ffcn), new Uint8Array(8).fill(0x5a))],
    ['read', memoryRead(FROM, halves(0x1ffcn), 8)],
  ] as const)('is malformed: the %s moves no byte and all PEs freeze', (_, tlp) => {
    const rig = booted();
    rig.setTce(2, BigInt(PAGE_AT(2)) | 3n);
    expect(send(rig, tlp)).toEqual([]);
    expect(rig.errors()).toMatchObject({ ERR_STATUS: hex(msbMask(32)) });
    expect([rig.memory.read32(PAGE_AT(1) + 0xffc), rig.memory.read32(PAGE_AT(2)), rig.frozenPes().length]).toEqual([
      0, 0, 256,
    ]);
  });
});

describe('poisoned data that answer', () => {
  it('a load freeze its PE, and the processor gets all ones', () => {
    const rig = booted();
    rig.card.answers.push('poisoned');
    expect(rig.load(m32(PE))).toBe(0xffff_ffffn);
    expect(rig.pest(PE)).toEqual(['8404002900000000', '8000000000000000']);
    expect(rig.errors()).toMatchObject({ INA_ERR_STATUS: hex(msbMask(24)), CPU_LOADSTORE_STATUS: '0000001c00000000' });
  });

  it('a configuration read freeze the PE it names', () => {
    const rig = booted();
    rig.card.answers.push('poisoned');
    expect(rig.config(RID, 0, 4, 9)).toBe(0xffff_ffffn);
    expect(rig.frozenPes()).toEqual([9]);
  });
});

describe('a message interrupt', () => {
  it.each([
    ['too big', 0xffff_0000n, 32, 2],
    ['misaligned', 0xffff_0008n, 4, 3],
  ] as const)('that is %s fences the bridge also when its PE is stopped or it has none', (_, address, bytes, bit) => {
    for (const arrange of [(rig: Rig) => rig.setIoda('PESTB', PE, FROZEN), (rig: Rig) => rig.setRte(RID, 0xffff)]) {
      const rig = booted();
      arrange(rig);
      rig.dmaWrite(address, new Array<number>(bytes).fill(0));
      expect(rig.errors()).toMatchObject({ INA_ERR_STATUS: hex(msbMask(bit)) });
      expect(rig.fenced).toBe(true);
    }
  });

  it('belongs to the PE its requester had when it arrived', () => {
    const rig = booted();
    const wireNs = rig.wireNs();
    rig.setIve(ONE_MISS, {});
    rig.card.send(memoryWrite(RID, halves(0xffff_0000n), Uint8Array.of(ONE_MISS, 0, 0, 0)));
    rig.run(Math.ceil(wireNs) + 5);
    rig.setRte(RID, 9);
    expect(rig.pendingIsns()).toEqual([]);
    rig.run(5000);
    expect([rig.frozenPes(), rig.pendingIsns()]).toEqual([[], [ONE_MISS]]);
  });

  it('pays for a test error of the inbound traps', () => {
    const rig = booted();
    rig.setIve(ONE_MISS, {});
    rig.write('PHB_INA_ERR_INJECT', msbMask(26));
    rig.msi(ONE_MISS);
    expect([rig.frozenPes(), rig.pq(ONE_MISS)]).toEqual([[PE], '00']);
  });
});

describe('the profile of the chip', () => {
  it('has the recommended choice first, and takes single switches', () => {
    const defaults = phb3Profile();
    for (const [name, { values, rule }] of Object.entries(PHB3_SWITCHES)) {
      expect(defaults[name as keyof typeof defaults]).toBe(values[0]);
      expect(rule).toBeGreaterThan(0);
    }
    expect(phb3Profile({ dmaReadRefusal: 'UR' })).toEqual({ ...defaults, dmaReadRefusal: 'UR' });
  });

  it.each(PHB3_SWITCHES.dmaReadRefusal.values)('may say that a refused DMA read is answered with %s', (status) => {
    const rig = booted({ phbProfile: { dmaReadRefusal: status } });
    expect(rig.dmaRead(0x5000n, 4).map((tlp) => tlp.status)).toEqual([status]);
    expect(rig.dmaRead(0x1000n, 4).map((tlp) => tlp.status)).toEqual([status]);
  });

  it('may say that a message interrupt without a PE hangs the way in, until the bridge is reset', () => {
    const rig = booted({ phbProfile: { messageWithoutPe: 'hangs' } });
    rig.setRte(RID, 0x100);
    rig.msi(ONE_MISS);
    rig.setRte(RID, PE);
    rig.dmaWrite(0x1000n, [1]);
    expect(rig.memory.read8(PAGE_AT(1))).toBe(1);
    rig.setRte(RID, 0xffff);
    rig.msi(ONE_MISS);
    rig.setRte(RID, PE);
    rig.dmaWrite(0x1000n, [2]);
    expect([rig.memory.read8(PAGE_AT(1)), rig.dmaRead(0x1000n, 4)]).toEqual([1, []]);
    expect(rig.load(m32(PE, 4))).toBe(0x0405_0607n);
    expect(rig.errors()).toMatchObject({ INA_ERR_STATUS: hex(msbMask(40)) });
    rig.etuReset('held');
    rig.boot();
    rig.dmaWrite(0x1000n, [3]);
    expect(rig.memory.read8(PAGE_AT(1))).toBe(3);
  });
});

describe('CAPI mode', () => {
  /** What firmware writes for an accelerator in DMA mode: bit 51 clear. Source: skiboot hw/phb3.c: enable_capi_mode. */
  const CAPI_DMA_TVE = 0x0000_00ff_ffff_0200n;

  it('takes an untranslated TVE without bit 51, and only 64-bit message interrupts, as firmware sets it up', () => {
    const rig = booted();
    rig.setIoda('TVT', 2 * PE, CAPI_DMA_TVE);
    rig.dmaWrite(0x70_1000n, [0x5a]);
    expect([rig.frozenPes(), rig.memory.read8(0x70_1000)]).toEqual([[PE], 0]);
    rig.thaw(PE);
    rig.setSpci(3, msbMask(0) | msbMask(1));
    rig.write('PHB_PHB3_CONFIG', msbMask(2));
    rig.write('PHB_PHB3_CONFIG', msbMask(14));
    rig.dmaWrite(0x70_1000n, [0x5a]);
    expect([rig.frozenPes(), rig.memory.read8(0x70_1000)]).toEqual([[], 0x5a]);
    rig.endInterrupts();
    rig.setIve(ONE_MISS, {});
    rig.dmaWrite(0x1000_0000_0000_0000n, [ONE_MISS, 0, 0, 0]);
    expect(rig.pendingIsns()).toEqual([ONE_MISS]);
  });

  it('outlives a reset of the bridge, until software takes it back', () => {
    const rig = booted();
    rig.setSpci(3, msbMask(0));
    rig.etuReset('held');
    rig.boot();
    rig.setIoda('TVT', 2 * PE, CAPI_DMA_TVE);
    rig.dmaWrite(0x70_1000n, [0x5a]);
    expect(rig.memory.read8(0x70_1000)).toBe(0x5a);
    rig.setSpci(3, 0n);
    rig.dmaWrite(0x70_1000n, [0x77]);
    expect([rig.frozenPes(), rig.memory.read8(0x70_1000)]).toEqual([[PE], 0x5a]);
  });
});
