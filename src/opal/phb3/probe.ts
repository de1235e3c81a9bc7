/**
 * What firmware learns from a PBCQ before it touches the PHB behind it: where its windows are, and that its interrupts are
 * routed. Source: skiboot hw/phb3.c: phb3_probe_pbcq, phb3_calculate_windows. Facts: ioda2-phb3 8.1.
 */
import { getField } from '../../hw/bits.js';
import type { HostPort } from '../../hw/host-port.js';
import { PBCQ_NEST_REGISTERS, PBCQ_SPCI_REGISTERS } from '../../ioda2/registers/pbcq.js';
import type { Process } from '../../sim/process.js';
import { word } from '../field-words.js';
import { type PbcqBases, Phb3Access } from './access.js';

export interface MmioWindow {
  readonly base: number;
  readonly bytes: number;
}

/** A PBCQ with a usable PHB behind it. */
export interface PbcqUnit {
  readonly index: number;
  readonly access: Phb3Access;
  readonly registerBase: number;
  readonly irqBase: number;
  readonly windows: { readonly m64: MmioWindow; readonly m32: MmioWindow };
  /** Those of the queue itself, without the ones that are not set up. */
  readonly mmioWindows: readonly MmioWindow[];
  readonly bases: PbcqBases;
}

/** Why a PBCQ is left alone. */
export type ProbeSkip = 'CAPI mode' | 'no register BAR' | 'no MMIO window';

export interface PbcqPlace extends PbcqBases {
  readonly index: number;
}

const TWO_GIB = 0x8000_0000;
/** BARs hold bus addresses shifted left so that their bit 49 is leftmost. */
const BAR_SHIFT = 14n;
/** 2048 interrupts per PHB: the top 8 of 19 bits are compared. */
const IRSN_COMPARED = 0xff << 11;
const LSI_SOURCE_ID = 0xff;
const ISN_BITS = 11;
const CHIP_BITS_FROM = 13;

/** First interrupt number of a PHB on Murano and Venice; block 0 of a chip is for other units. */
export function irqBaseOf(chip: number, index: number): number {
  return (chip << CHIP_BITS_FROM) | ((index + 1) << ISN_BITS);
}

export function* probePbcq(port: HostPort, place: PbcqPlace, chip: number): Process<PbcqUnit | ProbeSkip> {
  const access = new Phb3Access(port, place);
  const capp = yield* access.readSpci('AIB_CAPP_ENABLE');
  if (getField(capp, PBCQ_SPCI_REGISTERS.field('AIB_CAPP_ENABLE', 'CAPI').at) === 1n) return 'CAPI mode';
  const phbBar = yield* access.readNest('PHB_BAR');
  if (phbBar === 0n) return 'no register BAR';
  const asbBar = yield* access.readPci('ASB_BAR');
  if (asbBar !== phbBar) yield* access.writePci('ASB_BAR', phbBar);
  const windows = yield* readWindows(access);
  const sorted = assignWindows(windows);
  if (sorted === undefined) return 'no MMIO window';
  const irqBase = irqBaseOf(chip, place.index);
  yield* routeInterrupts(access, irqBase, windows);
  access.registerBase = Number(phbBar >> BAR_SHIFT);
  const { nest, pci, spci } = place;
  const registerBase = access.registerBase;
  const mmioWindows = windows.filter((window) => window.bytes > 0);
  return {
    index: place.index,
    access,
    registerBase,
    irqBase,
    windows: sorted,
    mmioWindows,
    bases: { nest, pci, spci },
  };
}

/** The two windows of the queue; no bytes where one is not set up. */
function* readWindows(access: Phb3Access): Process<[MmioWindow, MmioWindow]> {
  const first = yield* readWindow(access, 'MMIO_BAR0', 'MMIO_MASK0');
  const second = yield* readWindow(access, 'MMIO_BAR1', 'MMIO_MASK1');
  return [first, second];
}

function* readWindow(
  access: Phb3Access,
  bar: 'MMIO_BAR0' | 'MMIO_BAR1',
  mask: 'MMIO_MASK0' | 'MMIO_MASK1',
): Process<MmioWindow> {
  const base = (yield* access.readNest(bar)) >> BAR_SHIFT;
  const compared = yield* access.readNest(mask);
  if (compared === 0n) return { base: 0, bytes: 0 };
  return { base: Number(base), bytes: Number((BigInt.asUintN(64, ~compared) >> BAR_SHIFT) + 1n) };
}

/** The larger window is M64, the smaller M32; a lone one gives its upper half to M32, of which 2 GiB are used. */
export function assignWindows(windows: readonly [MmioWindow, MmioWindow]): PbcqUnit['windows'] | undefined {
  const [large, small] = windows[0].bytes >= windows[1].bytes ? windows : [windows[1], windows[0]];
  if (large.bytes === 0) return undefined;
  if (small.bytes >= TWO_GIB) return { m64: large, m32: { base: small.base, bytes: TWO_GIB } };
  const half = large.bytes / 2;
  return {
    m64: { base: large.base, bytes: half },
    m32: { base: large.base + half, bytes: Math.min(half, TWO_GIB) },
  };
}

function* routeInterrupts(
  access: Phb3Access,
  irqBase: number,
  windows: readonly [MmioWindow, MmioWindow],
): Process<void> {
  const enabled = yield* access.readNest('BAR_ENABLE');
  yield* access.writeNest('IRSN_COMPARE', word(PBCQ_NEST_REGISTERS, 'IRSN_COMPARE', { BASE: irqBase }));
  yield* access.writeNest('IRSN_MASK', word(PBCQ_NEST_REGISTERS, 'IRSN_MASK', { MASK: IRSN_COMPARED }));
  yield* access.writeNest('LSI_SOURCE_ID', word(PBCQ_NEST_REGISTERS, 'LSI_SOURCE_ID', { LSI_SOURCE_ID }));
  const used = word(PBCQ_NEST_REGISTERS, 'BAR_ENABLE', {
    PHB: 1,
    MMIO0: windows[0].bytes > 0 ? 1 : 0,
    MMIO1: windows[1].bytes > 0 ? 1 : 0,
    IRSN_RX: 1,
    IRSN_TX: 1,
  });
  yield* access.writeNest('BAR_ENABLE', enabled | used);
  // Read back for the firmware's log, as the real one does.
  yield* access.readNest('IRSN_COMPARE');
  yield* access.readNest('IRSN_MASK');
}

/** The LSI source id a PHB is given must equal the one of its PBCQ. */
export const PHB_LSI_SOURCE_ID = LSI_SOURCE_ID;
export const M32_PCI_START = TWO_GIB;
