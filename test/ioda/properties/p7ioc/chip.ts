/** PHB 0 of a P7IOC behind the interface of the properties. */
import { msbMask } from '../../../../src/hw/bits.js';
import { interruptPlace } from '../../../../src/ioda1/address-map.js';
import { memoryWrite } from '../../../../src/pcie/tlp.js';
import {
  booted,
  M32_SEGMENT,
  M64_SEGMENT,
  m32,
  m64,
  PE,
  RID,
  type Rig,
  TCES,
  TVE,
  tve,
  vector,
} from '../../../ioda1/rig.js';
import type { Answer, ChipLayout, MsiRequest, Observation } from '../chip.js';
import { RigChip } from '../rig-chip.js';
import { entryOf, requesterEntry } from './dialect.js';

const PE_COUNT = 128;
const TABLE_BYTES = 4096;
const WORD = (1n << 64n) - 1n;

export const LAYOUT: ChipLayout = {
  peCount: PE_COUNT,
  segments: PE_COUNT,
  tceTables: TCES,
  memoryBytes: 2 ** 30,
  deviceIdentity: 0x1410_01f0n,
  tableRegions: [[TCES, 6 * TABLE_BYTES]],
  // On the chip.
  stateRegion: [0, 0],
  m32: { base: m32(0), segmentBytes: M32_SEGMENT, pciStart: 0x8000_0000 },
  m64: { base: m64(0), segmentBytes: M64_SEGMENT },
  configOfFrozen: 'is blocked',
  summaryWrites: 'have no effect',
};

const SCRATCH = 0x40;
const FENCE_BIT = msbMask(0);
const TCE_64B = msbMask(2);
const PAIR = msbMask(0);
const MSI_BUID = 0x60;
/** An entry for whatever requester sits on bus 1. */
export const BUS_ONE = (7n << 40n) | (1n << 32n);
export const VALID = msbMask(0);

export class P7iocChip extends RigChip<Rig> {
  readonly layout = LAYOUT;
  protected readonly linkEvents = { surprise: 0xfe65_0000_0000_0000n, planned: 0x7e00_0000_0000_0000n };
  /** Segment of the M64 windows that is given to another PE than its own. */
  #overlaid: number | undefined;

  constructor(rig: Rig = booted()) {
    super(rig);
    this.drain();
  }

  protected get phb() {
    return this.rig.hub.phbs[0]!;
  }

  // ---- software ---------------------------------------------------------------------------------------------------

  setRte(rid: number, rte: number): void {
    const [pe, entry] = requesterEntry(rid, rte);
    this.rig.setIoda('PELTM', pe, entry);
  }

  /** There is no cache before the PELTM. */
  invalidateRtc(): void {}

  setPeltv(pe: number, row: readonly number[]): void {
    const bits = row.reduce((sum, other) => sum | (1n << BigInt(PE_COUNT - 1 - other)), 0n);
    this.rig.setPair('PELTV', pe, [bits >> 64n, bits & WORD]);
  }

  setTve(index: number, value: bigint): void {
    this.rig.setPair('TVT', index, [value >> 64n, value & WORD]);
  }

  openWindow({ pe, rid, table }: { pe: number; rid: number; table: number }): bigint {
    this.rig.setPair('TVT', table, tve({ table: TCES + TABLE_BYTES * table, pe, rid }));
    return BigInt(table) << 28n;
  }

  /** By the real address of one, which takes the other of its pair along; or all. */
  killTces({ address }: { address?: bigint }): void {
    const { rig } = this;
    if (address !== undefined) {
      rig.write('PHB_TCE_KILL', PAIR | address);
      return;
    }
    const config = rig.read('PHB_PHB2_CONFIG');
    rig.write('PHB_PHB2_CONFIG', config & ~TCE_64B);
    rig.write('PHB_PHB2_CONFIG', config | TCE_64B);
  }

  setM32Segment(segment: number, pe: number): void {
    this.rig.setIoda('M32DT', segment, BigInt(pe) << 57n);
  }

  setOverlay(state: 'on' | 'off', segment: number, pe: number): void {
    const before = this.#overlaid;
    if (before !== undefined) this.rig.setIoda('M64DT', before, BigInt(before) << 57n);
    this.#overlaid = state === 'on' ? segment : undefined;
    if (state === 'on') this.rig.setIoda('M64DT', segment, BigInt(pe) << 57n);
  }

  /** The entry of the messages goes to the PE of the vector last set. */
  setVector(isn: number, { pe, priority }: { pe: number; priority: number }): void {
    this.rig.setIoda('MVT', entryOf(isn), VALID | BUS_ONE | (BigInt(pe) << 16n));
    this.rig.setIoda('MXIVT', isn, vector({ pe, priority }));
  }

  forceFence(): void {
    this.rig.write('PHB_OUT_ERR_INJECT', FENCE_BIT);
  }

  reset(): void {
    this.rig.resetPhb(0);
    this.rig.boot();
    this.#overlaid = undefined;
    this.drain();
  }

  // ---- observed operations ----------------------------------------------------------------------------------------

  configRead(rid: number, _pe: number, answer: Answer): Observation {
    return this.configuring(answer, () => this.rig.config(rid, 0));
  }

  configWrite(rid: number, _pe: number, answer: Answer): Observation {
    return this.configuring(answer, () => void this.rig.setConfig(rid, SCRATCH, [1, 2]));
  }

  msi({ rid, isn, bits }: MsiRequest): Observation {
    const entry = entryOf(isn);
    const at =
      bits === 32
        ? { hi: 0, lo: (0xffff_0000 | (entry << 4)) >>> 0 }
        : { hi: (0x9000_0000 | (entry << 16)) >>> 0, lo: 0 };
    return this.arriving(memoryWrite(rid, at, Uint8Array.of(isn & 0xff, isn >> 8, 0, 0)));
  }

  protected messageOf(irq: number): number | undefined {
    const { buid, level } = interruptPlace(irq);
    return buid >= MSI_BUID && buid < MSI_BUID + 16 ? (buid - MSI_BUID) * 16 + level : undefined;
  }

  // ---- a look inside ----------------------------------------------------------------------------------------------

  /** The one that the rig leaves for its own card. */
  initialTves(): readonly (readonly [index: number, value: bigint])[] {
    const [first, second] = tve({ table: TCES, pe: PE, rid: RID });
    return [[TVE, (first << 64n) | second]];
  }

  isFenced(): boolean {
    return this.phb.isFenced;
  }

  heldVector(): Uint8Array {
    return new Uint8Array();
  }

  stateOf(what: { readonly pe: number } | { readonly isn: number }): string {
    const words =
      'pe' in what
        ? [this.pestWord(what.pe, 'mmio'), this.pestWord(what.pe, 'dma')]
        : [this.phb.peekTable('MXIVT', what.isn), this.phb.peekTable('MIST', what.isn)];
    return words.map((word) => word.toString(16)).join();
  }
}
