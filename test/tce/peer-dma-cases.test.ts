import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bit, bits, fieldMask, getField, hiOf, loOf } from '../../src/hw/bits.js';
import { SystemMemory } from '../../src/hw/memory.js';
import {
  DmaDirection,
  DmaStatus,
  type DmaStatusName,
  DmaTranslation,
  dmaStatusName,
} from '../../src/ioda2/dma-translation.js';
import { PE_COUNT } from '../../src/ioda2/pe-state.js';
import { RidToPe } from '../../src/ioda2/rid-to-pe.js';
import { decodeTve, encodeUntranslatedTve, TveKind } from '../../src/tce/tve.js';

interface Recording {
  readonly source: string;
  readonly defaults: { readonly rte: number; readonly rttBar: string; readonly config: string };
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
  readonly cases: readonly PeerCase[];
}
interface PeerCase {
  readonly name: string;
  readonly rte?: number;
  readonly rttBar?: string;
  readonly config?: string;
  readonly tvt: Readonly<Record<string, string>>;
  readonly mem: Readonly<Record<string, string>>;
  readonly dma: readonly string[];
}
interface Dma {
  readonly direction: DmaDirection;
  readonly address: bigint;
  readonly reached: string;
  readonly bytes: number;
  readonly fault: string | undefined;
}

const RECORDING = JSON.parse(readFileSync(new URL('peer-dma-cases.json', import.meta.url), 'utf8')) as Recording;
const RID = 0x0100;
const MEMORY_BYTES = 2 ** 31;
const RTT_BAR = { ENABLE: bit(0), BASE: bits(14, 46) };
const CONFIG = { MSI32: bit(8), MSI64: bit(14) };

/** What the reason QEMU gave amounts to here; `OK` without memory behind is seen by the access, not the translation. */
const SAME_FAULT: Record<string, readonly DmaStatusName[]> = {
  'tce-permission': ['TCE_PAGE_FAULT', 'TCE_ACCESS_FAULT'],
  'indirect-tce': ['TCE_PAGE_FAULT'],
  tve: ['TVE_INVALID'],
  'address-space': ['BAD_ADDRESS_SPACE'],
  'rtt-disabled': ['RTT_DISABLED'],
  rte: ['NO_PE', 'INVALID_RTE'],
  'table-read': ['MEMORY_ERROR'],
  'msi-read': ['BAD_ADDRESS_SPACE'],
  'msi-write': ['MSI32', 'MSI64'],
  'no-memory': ['OK'],
};

const BEYOND_TABLE = 'the address is beyond the reach of the table, QEMU wraps around';
const ODD_PAGE = 'no such page size exists, QEMU takes any';
const BOUNDS = 'outside the bounds of the untranslated window, QEMU ignores them';
const ABOVE_50 = 'bits 58:50 lie outside every untranslated window, QEMU drops them';
const REAL_BITS = 'real addresses have 50 bits and the TCE is cut to them, QEMU keeps all';

/** Every case that differs: our status and why ours is right. */
const DIFFERENT: Record<string, readonly [DmaStatusName, string]> = {
  '1level 4K, TCE RPN bits above bit 13 set': ['OK', REAL_BITS],
  'tts=1: one page beyond table (index 512; wraps in QEMU?)': ['TVE_RANGE', BEYOND_TABLE],
  'tts=2: one page beyond table (index 1024; wraps in QEMU?)': ['TVE_RANGE', BEYOND_TABLE],
  'tts=3: one page beyond table (index 2048; wraps in QEMU?)': ['TVE_RANGE', BEYOND_TABLE],
  'tts=5: one page beyond table (index 8192; wraps in QEMU?)': ['TVE_RANGE', BEYOND_TABLE],
  'tts=11: one page beyond table (index 524288; wraps in QEMU?)': ['TVE_RANGE', BEYOND_TABLE],
  'iova bit 58 set, inside 4K table by low bits': ['TVE_RANGE', BEYOND_TABLE],
  'odd page size field 2 (2^13)': ['TVE_INVALID', ODD_PAGE],
  'odd page size field 3 (2^14)': ['TVE_INVALID', ODD_PAGE],
  'odd page size field 4 (2^15)': ['TVE_INVALID', ODD_PAGE],
  'odd page size field 6 (2^17)': ['TVE_INVALID', ODD_PAGE],
  'odd page size field 9 (2^20)': ['TVE_INVALID', ODD_PAGE],
  'odd page size field 12 (2^23)': ['TVE_INVALID', ODD_PAGE],
  'odd page size field 16 (2^27)': ['TVE_INVALID', ODD_PAGE],
  'odd page size field 18 (2^29)': ['TVE_INVALID', ODD_PAGE],
  'odd page size field 21 (2^32)': ['TVE_INVALID', ODD_PAGE],
  'odd page size field 31 (2^42)': ['TVE_INVALID', ODD_PAGE],
  'bypass TVE bit51 in TVE1, iova 1<<59|addr': ['TVE_RANGE', BOUNDS],
  'bypass TVE bit51 in TVE0, iova addr': ['TVE_RANGE', BOUNDS],
  'bypass with skiboot bounds [0,16MB), access beyond the end': ['TVE_RANGE', BOUNDS],
  'bypass, iova bits 50..58 set': ['TVE_RANGE', ABOVE_50],
  'DMA read of 0xffff0000, 32BIT_MSI_EN=0, bypass': ['TVE_RANGE', BOUNDS],
  'RTE = 0x0': ['TVE_RANGE', BOUNDS],
  'RTE = 0x1': ['TVE_RANGE', BOUNDS],
  'RTE = 0x2': ['TVE_RANGE', BOUNDS],
  'RTE = 0x3': ['TVE_RANGE', BOUNDS],
  'RTE = 0x7f': ['TVE_RANGE', BOUNDS],
  'RTE = 0xfe': ['TVE_RANGE', BOUNDS],
  'RTE = 0xff': ['TVE_RANGE', BOUNDS],
  'RTT BAR low bits below 64K alignment set (ignored bits 47..63)': ['TVE_RANGE', BOUNDS],
};

/** What a case with ignored bounds shows still holds once the bounds cover everything. */
type Bounds = 'as-recorded' | 'widened';

function build(peer: PeerCase, bounds: Bounds) {
  const { rte = RECORDING.defaults.rte, rttBar = RECORDING.defaults.rttBar, config = RECORDING.defaults.config } = peer;
  const memory = new SystemMemory({ sizeBytes: MEMORY_BYTES });
  const bar = BigInt(rttBar);
  const rtt = Number(bar & fieldMask(RTT_BAR.BASE));
  if (memory.contains(rtt, 0x2_0000)) memory.write16(rtt + RID * 2, rte);
  for (const [at, value] of Object.entries(peer.mem)) memory.write64(Number(at), BigInt(value));
  const ridToPe = new RidToPe(memory);
  ridToPe.setBase(getField(bar, RTT_BAR.ENABLE) === 1n ? rtt : undefined);
  const dma = new DmaTranslation({ memory, ridToPe, peStopped: new Uint8Array(PE_COUNT) });
  dma.msi32 = getField(BigInt(config), CONFIG.MSI32) === 1n ? 'on' : 'off';
  dma.msi64 = getField(BigInt(config), CONFIG.MSI64) === 1n ? 'on' : 'off';
  for (const [index, value] of Object.entries(peer.tvt)) dma.writeTve(Number(index), boundsOf(BigInt(value), bounds));
  // QEMU knows no floor for untranslated windows; the bounds are what is compared here.
  if (bounds === 'widened') dma.setLowBypass('allowed');
  return { memory, dma };
}

function boundsOf(tve: bigint, bounds: Bounds): bigint {
  const untranslated = decodeTve(tve).kind === TveKind.UNTRANSLATED;
  return untranslated && bounds === 'widened' ? encodeUntranslatedTve(0, 2 ** 50 - 2 ** 24) : tve;
}

function parse(text: string): Dma {
  const match = /^(read|write) (0x[0-9a-f]+) -> ([^(]+?)(?: \(([a-z-]+)\))?$/.exec(text);
  if (match === null) throw new Error(`unreadable case: ${text}`);
  const [, direction, address, reached, fault] = match;
  const bytes = reached!.split(' ').reduce((sum, part) => sum + Number.parseInt(part, 10), 0);
  return {
    direction: direction === 'read' ? DmaDirection.READ : DmaDirection.WRITE,
    address: BigInt(address!),
    reached: reached!,
    bytes,
    fault,
  };
}

/** Runs one DMA page by page: what it reached, in the recording's notation, and the statuses met. */
function run({ memory, dma }: ReturnType<typeof build>, request: Dma) {
  const statuses: DmaStatusName[] = [];
  const parts: { bytes: number; at: number | undefined }[] = [];
  for (let done = 0; done < request.bytes; ) {
    const address = request.address + BigInt(done);
    const bytes = Math.min(request.bytes - done, 4096 - Number(address & 0xfffn));
    const status = dma.translate(RID, hiOf(address), loOf(address), request.direction);
    statuses.push(dmaStatusName(status));
    const at = status === DmaStatus.OK && memory.contains(dma.realAddress, bytes) ? dma.realAddress : undefined;
    parts.push({ bytes, at });
    done += bytes;
  }
  return {
    statuses,
    reached: parts.map(({ bytes, at }) => `${bytes}@${at === undefined ? 'none' : `0x${at.toString(16)}`}`).join(' '),
  };
}

/** A refused DMA that spans two pages was recorded as one part or as two. */
const merged = (reached: string) =>
  reached.replace(/^(\d+)@none (\d+)@none$/, (_, a, b) => `${Number(a) + Number(b)}@none`);

const recorded = ({ reached, fault }: Dma) => ({ reached, fault });

/** What ours reached and, in QEMU's terms, why not all. */
function outcome(parts: ReturnType<typeof build>, request: Dma) {
  const { reached, statuses } = run(parts, request);
  const worst = statuses.find((status) => status !== 'OK') ?? 'OK';
  const explains = request.fault !== undefined && SAME_FAULT[request.fault]?.includes(worst);
  return { reached: merged(reached), fault: reached.includes('none') ? (explains ? request.fault : worst) : undefined };
}

describe(`DMA as recorded from ${RECORDING.source}`, () => {
  const agreeing = RECORDING.cases.filter(({ name }) => DIFFERENT[name] === undefined);
  const differing = RECORDING.cases.filter(({ name }) => DIFFERENT[name] !== undefined);

  it('stands in the fixture whole: 144 recorded, 6 not about translation', () => {
    expect(RECORDING.cases.length + RECORDING.leftOut.length).toBe(144);
    expect(differing.map(({ name }) => name).sort()).toEqual(Object.keys(DIFFERENT).sort());
  });

  it.each(agreeing)('$name', (peer) => {
    const parts = build(peer, 'as-recorded');
    for (const request of peer.dma.map(parse)) expect(outcome(parts, request)).toEqual(recorded(request));
  });

  it.each(differing)('differs: $name', (peer) => {
    const parts = build(peer, 'as-recorded');
    const [status] = DIFFERENT[peer.name]!;
    for (const request of peer.dma.map(parse)) {
      expect(run(parts, request).statuses).toEqual([status]);
      expect(outcome(parts, request)).not.toEqual(recorded(request));
    }
  });

  it.each(differing.filter(({ name }) => DIFFERENT[name]![1] === BOUNDS))('agrees with wide bounds: $name', (peer) => {
    const parts = build(peer, 'widened');
    for (const request of peer.dma.map(parse)) expect(outcome(parts, request)).toEqual(recorded(request));
  });
});
