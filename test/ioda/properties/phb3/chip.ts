/** PHB3 behind the interface of the properties. */
import { msbMask, msbMasks } from '../../../../src/hw/bits.js';
import { memoryWrite } from '../../../../src/pcie/tlp.js';
import { ms } from '../../../../src/sim/time.js';
import {
  booted,
  IRQ_BASE,
  IVT,
  LINK_IRQS,
  M32_BASE,
  M32_SEGMENT,
  M64_BASE,
  M64_SEGMENT,
  ONES,
  PELTV,
  PEST,
  type Rig,
  RTT,
  sharedM64,
  singleM64,
  TCES,
} from '../../../ioda2/rig.js';
import type { Answer, ChipLayout, MsiRequest, Observation } from '../chip.js';
import { RigChip } from '../rig-chip.js';

const PE_COUNT = 256;
const IVE_BYTES = 128;
const TABLE_BYTES = 6 * 4096;

export interface Phb3Layout extends ChipLayout {
  readonly rtt: number;
  readonly peltv: number;
  readonly pest: number;
  readonly ivt: number;
  readonly ivtEntries: number;
  readonly iveBytes: number;
}

export const LAYOUT: Phb3Layout = {
  peCount: PE_COUNT,
  segments: PE_COUNT,
  rtt: RTT,
  peltv: PELTV,
  pest: PEST,
  ivt: IVT,
  ivtEntries: 0x800,
  iveBytes: IVE_BYTES,
  tceTables: TCES,
  memoryBytes: 2 ** 30,
  deviceIdentity: 0x1410_01f0n,
  tableRegions: [
    [RTT, 0x2_0000],
    [PELTV, 0x2000],
    [PEST, 0x1000],
    [IVT, 0x800 * IVE_BYTES],
    [TCES, TABLE_BYTES],
  ],
  stateRegion: [PEST, 16 * PE_COUNT],
  m32: { base: M32_BASE, segmentBytes: M32_SEGMENT, pciStart: 0x8000_0000 },
  m64: { base: M64_BASE, segmentBytes: M64_SEGMENT },
  configOfFrozen: 'passes',
  summaryWrites: 'last',
};

const LSI_FIRST = 0x7f8;
const FORCE_FENCE = msbMasks(24, 25, 26, 27);

export class Phb3Chip extends RigChip<Rig> {
  readonly layout = LAYOUT;
  protected readonly linkEvents = { surprise: LINK_IRQS, planned: LINK_IRQS & ~msbMask(11) };

  constructor(rig: Rig = booted()) {
    super(rig);
    this.drain();
  }

  protected get phb() {
    return this.rig.machine.phbs[0]!;
  }

  // ---- software ---------------------------------------------------------------------------------------------------

  setRte(rid: number, rte: number): void {
    this.rig.memory.write16(RTT + 2 * rid, rte);
  }

  invalidateRtc(rid: number | 'all'): void {
    this.rig.write('PHB_RTC_INVALIDATE', rid === 'all' ? msbMask(0) : BigInt(rid) << 32n);
  }

  setPeltv(pe: number, row: readonly number[]): void {
    this.rig.memory.fill(PELTV + 32 * pe, 32, 0);
    this.rig.setPeltv(pe, row);
  }

  setTve(index: number, value: bigint): void {
    this.rig.setIoda('TVT', index, value);
  }

  openWindow({ pe, table }: { pe: number; table: number }): bigint {
    this.setTve(2 * pe, (BigInt(TCES / 4096 + table) << 16n) | 0x101n);
    return 0n;
  }

  killTces({ pe, address }: { pe: number | 'all'; address?: bigint }): void {
    if (pe === 'all') this.rig.write('PHB_TCE_KILL', msbMask(0));
    else if (address === undefined) this.rig.write('PHB_TCE_KILL', msbMask(1) | BigInt(pe));
    else this.rig.write('PHB_TCE_KILL', msbMask(2) | (address & 0x1fff_ffff_ffff_f000n) | BigInt(pe));
  }

  setM32Segment(segment: number, pe: number): void {
    this.rig.setIoda('M32DT', segment, BigInt(pe) << 48n);
  }

  setOverlay(state: 'on' | 'off', segment: number, pe: number): void {
    // The shared window stands in entry 0 after initialisation and moves behind the overlay.
    this.rig.setIoda('M64BT', 1, sharedM64(M64_BASE, 256 * M64_SEGMENT));
    const overlay = singleM64(M64_BASE + segment * M64_SEGMENT, M64_SEGMENT, pe);
    this.rig.setIoda('M64BT', 0, state === 'on' ? overlay : 0n);
  }

  setVector(isn: number, { pe, priority }: { pe: number; priority: number }): void {
    this.rig.setIve(isn, { pe, priority });
    this.rig.write('PHB_IVC_INVALIDATE', BigInt(isn) << 32n);
  }

  forceFence(): void {
    this.rig.setNest('NFIR_OR', FORCE_FENCE);
  }

  reset(): void {
    const { rig } = this;
    if (!rig.fenced) this.forceFence();
    const saved = rig.nest('NFIR');
    rig.etuReset('held');
    rig.run(ms(10));
    rig.setNest('NFIR_AND', ~saved & ONES);
    rig.boot();
    this.drain();
  }

  // ---- observed operations ----------------------------------------------------------------------------------------

  configRead(rid: number, pe: number, answer: Answer): Observation {
    return this.configuring(answer, () => this.rig.config(rid, 0, 4, pe));
  }

  configWrite(rid: number, pe: number, answer: Answer): Observation {
    return this.configuring(answer, () => void this.rig.setConfig(rid, 0x40, [1, 2], pe));
  }

  msi({ rid, isn, bits }: MsiRequest): Observation {
    const offset = (isn << 4) & 0xfe00;
    const at = bits === 32 ? { hi: 0, lo: (0xffff_0000 | offset) >>> 0 } : { hi: 0x1000_0000, lo: offset };
    return this.arriving(memoryWrite(rid, at, Uint8Array.of(isn & 0x1f, 0, 0, 0)));
  }

  protected messageOf(irq: number): number | undefined {
    return irq - IRQ_BASE >= LSI_FIRST ? undefined : irq - IRQ_BASE;
  }

  // ---- a look inside ----------------------------------------------------------------------------------------------

  initialTves(): readonly (readonly [index: number, value: bigint])[] {
    return Array.from({ length: 512 }, (_, index) => [index, this.phb.peekTable('TVT', index)] as const).filter(
      ([, value]) => value !== 0n,
    );
  }

  isFenced(): boolean {
    return (this.phb.pbcq.nest.peek('NFIR') & msbMask(16)) !== 0n;
  }

  heldVector(isn: number): Uint8Array {
    return this.memory(IVT + IVE_BYTES * isn, 8);
  }

  stateOf(what: { readonly pe: number } | { readonly isn: number }): string {
    return 'pe' in what ? this.bytes(PEST + 16 * what.pe, 16) : this.bytes(IVT + IVE_BYTES * what.isn, 8);
  }
}
