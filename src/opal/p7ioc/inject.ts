/**
 * Error injection as partitions ask for it: finds addresses that belong to the PE and arms the chip's comparator, which
 * stays armed after it fired.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_err_inject and its mem32, io32, cfg, dma and finalize steps.
 * Facts: ioda1-p7ioc 7.9, opal-pci 5.13.
 */
import { fieldMask, getField, setField } from '../../hw/bits.js';
import { PHB_REGISTERS } from '../../ioda1/registers/phb.js';
import { IODA_TABLES } from '../../ioda1/tables.js';
import type { Process } from '../../sim/process.js';
import {
  arm,
  BOTH_DIRECTIONS,
  type Comparator,
  controlOf,
  disarm,
  type InjectionKind,
  injectedOperation,
} from '../injection.js';
import { BusCompare, InjectType, OpalStatus } from '../opal-api.js';
import type { InjectRequest } from '../opal-requests.js';
import { isPe } from './mapping.js';
import type { MmioWindow, P7iocPhb } from './phb.js';
import { NO_REQUESTER, RESERVED_PE, segmentPe } from './tables.js';

const { IODT, PELTM, TVT } = IODA_TABLES;
const comparedField = (name: string) => PHB_REGISTERS.field('PHB_PAPR_ERR_INJ_MASK', name).at;
const COMPARED = {
  MMIO: comparedField('MMIO'),
  IO: comparedField('IO'),
  BUS: comparedField('BUS'),
  TVE: comparedField('TVE'),
} as const;
type ComparedField = keyof typeof COMPARED;
const maskOf = (field: ComparedField): bigint => fieldMask(COMPARED[field]);

/** The first chips want both directions for errors outbound. */
const DD1_0 = 0x00a2_0001;

/** OPAL_PCI_ERR_INJECT. The type was looked at before the driver was asked. */
export function* injectError(phb: P7iocPhb, request: InjectRequest): Process<number> {
  const { access, profile, tables } = phb;
  if (request.type === InjectType.IOA_BUS_ERR64) return OpalStatus.UNSUPPORTED;
  if (!isPe(request.pe) || request.pe === RESERVED_PE) return OpalStatus.PARAMETER;
  // What was armed before is disarmed, also when the request then turns out to be impossible.
  if (profile.refusedInjection === 'skiboot') yield* disarm(access);
  if (tables.peltm[request.pe] === NO_REQUESTER) return OpalStatus.PARAMETER;
  if (profile.refusedInjection === 'skiboot') yield* disarm(access);
  const operation = injectedOperation(request.function);
  const comparator = operation && comparatorOf(phb, operation.kind, request);
  if (operation === undefined || comparator === undefined) return OpalStatus.PARAMETER;
  if (profile.refusedInjection === 'corrected') yield* disarm(access);
  const control = controlOf(operation);
  return yield* arm(access, comparator, phb.revision === DD1_0 ? control | BOTH_DIRECTIONS : control);
}

/** Undefined: the PE has nothing of the kind. */
function comparatorOf(phb: P7iocPhb, kind: InjectionKind, request: InjectRequest): Comparator | undefined {
  switch (kind) {
    case 'memory':
      return segmentComparator({ segments: phb.tables.m32, window: phb.m32Window, field: 'MMIO' }, request);
    case 'io':
      return segmentComparator({ segments: phb.tables.io, window: phb.ioWindow, field: 'IO' }, request);
    case 'config':
      return configComparator(phb, request);
    case 'dma':
      return dmaComparator(phb, request.pe);
  }
}

interface SegmentedWindow {
  readonly segments: readonly bigint[];
  readonly window: MmioWindow;
  /** What of an address the comparator looks at. */
  readonly field: ComparedField;
}

/**
 * The caller's address with the caller's mask, if it lies in a segment of the PE; else the PE's first segment. Segments
 * that nobody mapped count as those of PE 0.
 */
function segmentComparator(
  { segments, window, field }: SegmentedWindow,
  { pe, address, mask }: InjectRequest,
): Comparator | undefined {
  const length = BigInt(window.bytes / IODT.entries);
  const startOf = (segment: number): bigint => BigInt(window.base) + BigInt(segment) * length;
  const starts = segments.flatMap((segment, index) => (segmentPe(segment) === pe ? [startOf(index)] : []));
  const first = starts[0];
  if (first === undefined) return undefined;
  const asked = starts.some((start) => address >= start && address < start + length);
  return asked ? { address, mask } : { address: first & maskOf(field), mask: maskOf(field) };
}

const BUS_BITS = 8;

/** The PE's bus numbers; a PE of any bus has none that could be named. */
function configComparator({ tables }: P7iocPhb, { pe, address, mask }: InjectRequest): Comparator | undefined {
  const requesters = tables.peltm[pe]!;
  const compare = Number(getField(requesters, PELTM.field('BUS_VALID').at));
  if (compare < BusCompare.BITS_3) return undefined;
  // Code n compares the top n + 1 bits.
  const comparedBits = BigInt.asUintN(BUS_BITS, -1n << BigInt(BusCompare.ALL - compare));
  const bus = getField(requesters, PELTM.field('BUS').at) & comparedBits;
  if ((getField(address, COMPARED.BUS) & comparedBits) === bus) return { address, mask };
  return { address: setField(0n, COMPARED.BUS, bus), mask: maskOf('BUS') };
}

/** The chip compares four bits of a window's number, which for more than the first sixteen are those of another. */
const COMPARABLE_WINDOWS = 16;

/** What the caller asked for does not count: the windows of the PE decide. */
function dmaComparator({ tables, profile }: P7iocPhb, pe: number): Comparator | undefined {
  const field = (tve: bigint, name: string): bigint => getField(tve, TVT.field(name).at, TVT.entryBits);
  const isComparable = (tve: bigint, window: number): boolean =>
    window < COMPARABLE_WINDOWS && field(tve, 'TABLE_SIZE') !== 0n;
  const window = tables.tve.findIndex(
    (tve, index) =>
      field(tve, 'PE') === BigInt(pe) && (profile.injectionWindow === 'skiboot' || isComparable(tve, index)),
  );
  if (window < 0) return undefined;
  return { address: setField(0n, COMPARED.TVE, BigInt(window)), mask: maskOf('TVE') };
}
