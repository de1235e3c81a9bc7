/** Why a packet from below did not get through, as the trace says; and PE 0, which is a PE like any other. */
import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { phb3Profile } from '../../src/ioda2/profile.js';
import { DROP_REASON, INBOUND_DROPPED } from '../../src/ioda2/trace.js';
import { completion } from '../../src/pcie/completion.js';
import { errorMessage, ioRead, MessageCode, memoryRead, memoryWrite, message, type Tlp } from '../../src/pcie/tlp.js';
import { booted, halves, hex, PAGE_AT, PE, RID, type Rig, TCES } from './rig.js';

const STOPPED = msbMask(0);
const ISN = 0x10;
const FROM = { requesterId: RID, tag: 3 };
const REASONS = Object.keys(DROP_REASON) as (keyof typeof DROP_REASON)[];

const write = memoryWrite(RID, halves(0x1000n), Uint8Array.of(1, 2, 3, 4));
const read = memoryRead(FROM, halves(0x1000n), 4);
const interrupt = memoryWrite(RID, halves(0xffff_0000n), Uint8Array.of(ISN, 0, 0, 0));
const stray = completion({ ...read, requesterId: 0, tag: 0x1f }, RID, 'SC');

/** Sends the packet; the reasons of what was dropped, with requester, address and bytes. */
function drops(rig: Rig, tlp: Tlp): string[] {
  const seen: string[] = [];
  const end = rig.machine.sim.trace.subscribe(
    ({ values: [reason, requester, hi, lo, bytes] }) => {
      const address = (hi! * 2 ** 32 + lo!).toString(16);
      seen.push(
        `${REASONS.find((name) => DROP_REASON[name] === reason)} ${requester!.toString(16)} ${address} ${bytes}`,
      );
    },
    [INBOUND_DROPPED],
  );
  rig.card.send(tlp);
  rig.run(10_000);
  end();
  return seen;
}

describe('a packet from below that does not get through leaves its reason in the trace', () => {
  it.each<[string, Tlp, string, (rig: Rig) => void]>([
    ['a write of a stopped PE', write, 'pe-stopped 100 1000 4', (rig) => rig.setIoda('PESTB', PE, STOPPED)],
    ['a read of a stopped PE', read, 'pe-stopped 100 1000 4', (rig) => rig.setIoda('PESTB', PE, STOPPED)],
    ['a poisoned write', { ...write, poisoned: true }, 'refused 100 1000 4', () => {}],
    [
      'a message interrupt of a stopped PE',
      interrupt,
      'pe-stopped 100 ffff0000 4',
      (rig) => rig.setIoda('PESTB', PE, STOPPED),
    ],
    ['a message interrupt without a PE', interrupt, 'no-pe 100 ffff0000 4', (rig) => rig.setRte(RID, 0xffff)],
    [
      'a message interrupt beyond the table',
      memoryWrite(RID, halves(0xffff_fe00n), Uint8Array.of(31, 0, 0, 0)),
      'refused 100 fffffe00 4',
      (rig) => rig.write('PHB_IVT_BAR', msbMask(0) | 0x40_0010n),
    ],
    [
      'a message interrupt that meets a test error',
      interrupt,
      'refused 100 ffff0000 4',
      (rig) => rig.write('PHB_INA_ERR_INJECT', msbMask(24)),
    ],
    ['a write to a page that grants nothing', write, 'refused 100 1000 4', (rig) => rig.setTce(1, 0n)],
    ['a write without a PE', write, 'no-pe 100 1000 4', (rig) => rig.setRte(RID, 0xffff)],
    [
      'a write that meets a test error',
      write,
      'refused 100 1000 4',
      (rig) => rig.write('PHB_INA_ERR_INJECT', msbMask(24)),
    ],
    ['an answer nobody asked for', stray, 'unexpected 0 0 0', () => {}],
    ['a request that has no place here', ioRead(FROM, 0x1000, 4), 'refused 100 1000 4', () => {}],
    ['a message that may be ignored', message(RID, MessageCode.PME_TURN_OFF), 'refused 100 0 0', () => {}],
    ['a write to a fenced bridge', write, 'fenced 100 1000 4', (rig) => rig.setNest('NFIR_OR', msbMask(16))],
  ])('%s', (_, tlp, reason, arrange) => {
    const rig = booted();
    arrange(rig);
    expect(drops(rig, tlp)).toEqual([reason]);
  });

  it.each<[string, Tlp]>([
    ['a write', write],
    ['an error message', errorMessage(RID, 'ERR_COR')],
    ['an interrupt pin', message(RID, MessageCode.ASSERT_INTA)],
  ])('and none if it does: %s', (_, tlp) => {
    expect(drops(booted(), tlp)).toEqual([]);
  });

  it('a hung bridge drops all that follows the message which hung it', () => {
    const rig = booted({ phbProfile: { messageWithoutPe: 'hangs' } });
    expect(phb3Profile().messageWithoutPe).toBe('dropped');
    rig.setRte(RID, 0xffff);
    expect(drops(rig, interrupt)).toEqual(['no-pe 100 ffff0000 4']);
    rig.setRte(RID, PE);
    expect(drops(rig, write)).toEqual(['hung 100 1000 4']);
  });

  it('an entry of the RTT that is wrong in another way than all ones hangs nothing', () => {
    const rig = booted({ phbProfile: { messageWithoutPe: 'hangs' } });
    rig.setRte(RID, 0x1234);
    drops(rig, interrupt);
    rig.setRte(RID, PE);
    expect(drops(rig, write)).toEqual([]);
  });
});

describe('a poisoned write of a stopped PE', () => {
  it('is dropped without a record, and the half of the PE that works goes on working', () => {
    const rig = booted();
    rig.setIoda('PESTB', PE, STOPPED);
    expect(drops(rig, { ...write, poisoned: true })).toEqual(['pe-stopped 100 1000 4']);
    expect(rig.errors()).toEqual({});
    expect(rig.ioda('PESTA', PE)).toBe(0n);
  });
});

describe('PE 0', () => {
  /** The card belongs to PE 0, whose first window is the rig's table. */
  function zero(): Rig {
    const rig = booted();
    rig.setRte(RID, 0);
    rig.setIoda('TVT', 0, (BigInt(TCES / 4096) << 16n) | (1n << 8n) | 1n);
    return rig;
  }

  it('reaches its memory and keeps its requester in the cache', () => {
    const rig = zero();
    rig.dmaWrite(0x1000n, [7]);
    rig.memory.write16(0x10_0000 + 2 * RID, PE);
    rig.dmaWrite(0x1001n, [8]);
    expect([rig.memory.read8(PAGE_AT(1)), rig.memory.read8(PAGE_AT(1) + 1)]).toEqual([7, 8]);
    rig.setTce(1, 0n);
    rig.write('PHB_TCE_KILL', msbMask(0));
    rig.dmaWrite(0x1002n, [9]);
    expect(rig.frozenPes()).toEqual([0]);
  });

  it.each<[string, Tlp]>([
    ['a page fault', memoryWrite(RID, halves(0x4000n), Uint8Array.of(1))],
    ['poisoned data', { ...write, poisoned: true }],
    ['an error message', errorMessage(RID, 'ERR_NONFATAL')],
    ['a message interrupt whose vector belongs to another', interrupt],
  ])('freezes for %s', (_, tlp) => {
    const rig = zero();
    rig.setIve(ISN, { pe: PE });
    drops(rig, tlp);
    expect(rig.frozenPes()).toEqual([0]);
    expect(rig.errors()).not.toEqual({});
  });

  it('meets test errors, of its DMA and of its interrupts', () => {
    for (const tlp of [write, interrupt]) {
      const rig = zero();
      rig.write('PHB_INA_ERR_INJECT', msbMask(24));
      drops(rig, tlp);
      expect(rig.frozenPes()).toEqual([0]);
      expect(rig.errors()).toMatchObject({ INA_ERR_STATUS: hex(msbMask(24)) });
    }
  });

  it('interrupts through its own vector', () => {
    const rig = zero();
    rig.setIve(ISN, { pe: 0 });
    rig.card.send(interrupt);
    rig.run(10_000);
    expect([rig.pendingIsns(), rig.frozenPes()]).toEqual([[ISN], []]);
  });
});
