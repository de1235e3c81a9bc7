/**
 * Error injection as partitions ask for it: finds addresses that belong to the PE and arms the chip's comparator.
 * Source: skiboot hw/phb3.c: phb3_err_inject and its mem32, mem64, cfg, dma and finalize steps. Facts: ioda2-phb3 7.9.
 */
import { ALL_ONES, fieldMask, getField } from '../../hw/bits.js';
import { PHB_REGISTERS } from '../../ioda2/registers/phb.js';
import { IODA_TABLES } from '../../ioda2/tables.js';
import type { Process } from '../../sim/process.js';
import { WINDOW_BITS } from '../../tce/tve.js';
import { entryBits, word } from '../field-words.js';
import { arm, type Comparator, controlOf, disarm, type InjectionKind, injectedOperation } from '../injection.js';
import { InjectType, OpalStatus } from '../opal-api.js';
import type { InjectRequest } from '../opal-requests.js';
import { isPe } from './mapping.js';
import type { Phb3 } from './phb3.js';
import { RESERVED_PE } from './tables.js';
import { singlePeOf } from './windows.js';

/** What the comparator is loaded with, or why not. */
type Answer = Comparator | { readonly refused: number };

const { M64BT, M32DT, TVT } = IODA_TABLES;

/** OPAL_PCI_ERR_INJECT. The type was looked at before the driver was asked. */
export function* injectError(phb: Phb3, request: InjectRequest): Process<number> {
  const { pe } = request;
  if (!isPe(pe) || pe === RESERVED_PE) return OpalStatus.PARAMETER;
  // What was armed before is disarmed, also when the request then turns out to be impossible.
  if (phb.profile.refusedInjection === 'skiboot') yield* disarm(phb.access);
  const operation = injectedOperation(request.function);
  if (operation === undefined) return OpalStatus.PARAMETER;
  const answer = comparatorOf(phb, operation.kind, request);
  if ('refused' in answer) return answer.refused;
  if (phb.profile.refusedInjection === 'corrected') yield* disarm(phb.access);
  return yield* arm(phb.access, answer, controlOf(operation));
}

function comparatorOf(phb: Phb3, kind: InjectionKind, request: InjectRequest): Answer {
  if (kind === 'io') return REFUSED;
  if (kind === 'config') return configComparator(phb, request);
  if (kind === 'dma') return dmaComparator(phb, request);
  return request.type === InjectType.IOA_BUS_ERR64
    ? memory64Comparator(phb, request)
    : memory32Comparator(phb, request);
}

const REFUSED: Answer = { refused: OpalStatus.PARAMETER };

/** A range of addresses that belongs to the PE. */
interface Range {
  readonly start: bigint;
  readonly length: bigint;
}

/** The caller's address if it lies in the range; else the start of the range, compared as far as its length allows. */
function chooseWithin({ start, length }: Range, { address, mask }: InjectRequest): { address: bigint; mask: bigint } {
  if (address >= start && address < start + length) return { address, mask };
  const lowestBit = length & -length;
  return { address: start, mask: BigInt.asUintN(64, ~(lowestBit - 1n)) };
}

// ---- MMIO: processor-side addresses, of which the comparator keeps the low 48 bits ------------------------------------------

const ADDRESS_BITS = fieldMask(PHB_REGISTERS.field('PHB_PAPR_ERR_INJ_ADDR', 'MMIO').at);

function outbound(range: Range, request: InjectRequest): Answer {
  const { address, mask } = chooseWithin(range, request);
  return { address: address & ADDRESS_BITS, mask: mask & ADDRESS_BITS };
}

/** The segment that holds the caller's address, else the first run of neighbouring segments. */
function memory32Comparator(phb: Phb3, request: InjectRequest): Answer {
  const { m32 } = phb.unit.windows;
  const segmentBytes = BigInt(m32.bytes / M32DT.entries);
  const isOurs = (segment: number): boolean =>
    getField(phb.tables.m32[segment]!, M32DT.field('PE').at) === BigInt(request.pe);
  const first = phb.tables.m32.findIndex((_, segment) => isOurs(segment));
  if (first < 0) return REFUSED;
  const startOf = (segment: number): bigint => BigInt(m32.base) + BigInt(segment) * segmentBytes;
  for (let segment = first; segment < M32DT.entries; segment++) {
    const range = { start: startOf(segment), length: segmentBytes };
    if (isOurs(segment) && request.address >= range.start && request.address < range.start + segmentBytes) {
      return outbound(range, request);
    }
  }
  let last = first;
  while (last + 1 < M32DT.entries && isOurs(last + 1)) last++;
  return outbound({ start: startOf(first), length: BigInt(last - first + 1) * segmentBytes }, request);
}

/** A PE of a whole bus lives in the last window, a PE of one device in the others; only the first that carries it counts. */
function memory64Comparator(phb: Phb3, request: InjectRequest): Answer {
  const rid = phb.tables.rte.indexOf(request.pe);
  if (rid < 0) return REFUSED;
  const last = M64BT.entries - 1;
  const windows = ownsBus(phb, rid) ? [last] : Array.from({ length: last }, (_, window) => window);
  const ranges = windows.flatMap((window) => m64Range(phb.tables.m64[window]!, request.pe) ?? []);
  const asked = ranges.find(({ start, length }) => request.address >= start && request.address < start + length);
  const range = phb.profile.injectionWindows === 'corrected' ? (asked ?? ranges[0]) : ranges[0];
  return range === undefined ? REFUSED : outbound(range, request);
}

/** The next device number maps to the same PE: it is a PE of a bus. */
function ownsBus(phb: Phb3, rid: number): boolean {
  return phb.tables.rte[rid + 8] === phb.tables.rte[rid];
}

/** What of an enabled window belongs to a PE. */
function m64Range(m64: bigint, pe: number): Range | undefined {
  if ((m64 & entryBits(M64BT, 'ENABLE')) === 0n) return undefined;
  if ((m64 & entryBits(M64BT, 'SINGLE_PE')) !== 0n) {
    if (singlePeOf(m64) !== pe) return undefined;
    const mask = getField(m64, M64BT.field('SINGLE_MASK').at);
    return { start: getField(m64, M64BT.field('SINGLE_BASE').at) << 25n, length: ((1n << 25n) - mask) << 25n };
  }
  const bytes = ((1n << 30n) - getField(m64, M64BT.field('MASK').at)) << 20n;
  const segment = bytes / 256n;
  return { start: (getField(m64, M64BT.field('BASE').at) << 20n) + segment * BigInt(pe), length: segment };
}

// ---- configuration: the comparator holds bus, device and function --------------------------------------------------------

function configComparator(phb: Phb3, { pe, address, mask }: InjectRequest): Answer {
  const rid = phb.tables.rte.indexOf(pe);
  if (rid < 0) return REFUSED;
  const bus = ownsBus(phb, rid);
  const compared = word(PHB_REGISTERS, 'PHB_PAPR_ERR_INJ_MASK', bus ? { BUS: -1n } : { BDFN: -1n });
  const own = word(PHB_REGISTERS, 'PHB_PAPR_ERR_INJ_ADDR', bus ? { BUS: rid >> 8 } : { BDFN: rid });
  const requested = (address & compared) === own && address !== 0n;
  return requested ? { address, mask: mask & compared } : { address: own, mask: compared };
}

// ---- DMA: PCI addresses, all 64 bits -------------------------------------------------------------------------------------

function dmaComparator(phb: Phb3, request: InjectRequest): Answer {
  const select = request.type === InjectType.IOA_BUS_ERR64 ? 1 : 0;
  const length = dmaWindowBytes(phb.tables.tve[request.pe * 2 + select]!);
  if (length === undefined) return { refused: OpalStatus.UNSUPPORTED };
  const range = { start: BigInt(select) << BigInt(WINDOW_BITS), length };
  const { address, mask } =
    request.address === 0n ? chooseWithin(range, { ...request, address: -1n }) : chooseWithin(range, request);
  return { address: address & ALL_ONES, mask };
}

/** Bytes a TVE covers, taken as one level; undefined for one that is not set up. */
function dmaWindowBytes(tve: bigint): bigint | undefined {
  const field = (name: string): bigint => getField(tve, TVT.field(name).at);
  const pageSize = field('PAGE_SIZE');
  if (pageSize !== 0n) return 1n << (field('TABLE_SIZE') + 8n + pageSize + 11n);
  if (field('BYPASS') === 0n) return undefined;
  const at = (part: 'BYPASS_START' | 'BYPASS_END'): bigint => (field(`${part}_HIGH`) << 24n) | field(part);
  return (at('BYPASS_END') - at('BYPASS_START')) << 24n;
}
