/**
 * The inbound DMA path: RID to PE, stopped PEs, address space, then TVE, TCE and real address.
 * Facts: ioda2-phb3 6.3.1 to 6.3.4, 6.6, 11 #5, #6, #29. Each failing status is one event of 7.6.
 */
import { fromHalves, hiOf, loOf } from '../hw/bits.js';
import type { SystemMemory } from '../hw/memory.js';
import type { CachedTce } from '../tce/cache.js';
import { DmaDirection, TceStatus, TceTranslation } from '../tce/translation.js';
import type { CapiMode, DecodedTve, LowBypass } from '../tce/tve.js';
import type { TceWalker } from '../tce/walk.js';
import { PE_COUNT } from './pe-state.js';
import { RidFailure, type RidToPe } from './rid-to-pe.js';

export { DmaDirection };

export const DmaStatus = {
  ...TceStatus,
  /** No DMA but an MSI, for the interrupt side; `pe` is valid and not stopped. */
  MSI32: 6,
  MSI64: 7,
  /** PESTB bit 0: refused without a record. */
  PE_STOPPED: 8,
  /** RTE 0xffff, and RTE 0x100 to 0xfffe: one event, no PE to charge. */
  NO_PE: 9,
  INVALID_RTE: 10,
  RTT_DISABLED: 11,
  BAD_ADDRESS_SPACE: 12,
} as const;
export type DmaStatus = (typeof DmaStatus)[keyof typeof DmaStatus];
export type DmaStatusName = keyof typeof DmaStatus;

const STATUS_NAMES = Object.keys(DmaStatus) as DmaStatusName[];
export function dmaStatusName(status: DmaStatus): DmaStatusName {
  return STATUS_NAMES[status]!;
}

/** What address bits 63:60 (LSB-0) and the MSI enables make of an address. */
export const AddressSpace = { DMA: 0, MSI32: 1, MSI64: 2, INVALID: 3 } as const;
export type AddressSpace = (typeof AddressSpace)[keyof typeof AddressSpace];

/** Positions in the high half of a PCI address. */
const SPACE_SHIFT_HI = 60 - 32;
const TVE_SELECT_SHIFT_HI = 59 - 32;
const MSI64_SPACE = 1;
const MSI32_FIRST = 0xffff_0000;

const TVES_PER_PE = 2;
const NOT_KNOWN = -1;

export interface DmaTranslationOptions {
  readonly memory: SystemMemory;
  readonly ridToPe: RidToPe;
  /** PESTB bit 0 per PE, owned by the PE state. */
  readonly peStopped: Uint8Array;
}

/** A translation in words, for tools and tests. */
export interface DmaOutcome {
  readonly status: DmaStatusName;
  readonly pe: number | undefined;
  readonly realAddress: bigint | undefined;
}

export class DmaTranslation {
  /** PHB3_CONFIG: which MSI ranges are taken out of the DMA space. */
  msi32: 'off' | 'on' = 'off';
  msi64: 'off' | 'on' = 'off';

  /** Results of the last `translate`. The PE charged, -1 when there is none. */
  pe = NOT_KNOWN;
  /** TVT index used, -1 when the request failed before. */
  tveIndex = NOT_KNOWN;

  private readonly ridToPe: RidToPe;
  private readonly peStopped: Uint8Array;
  private readonly tce: TceTranslation;

  constructor(options: DmaTranslationOptions) {
    this.ridToPe = options.ridToPe;
    this.peStopped = options.peStopped;
    this.tce = new TceTranslation({ memory: options.memory, peCount: PE_COUNT, tvesPerPe: TVES_PER_PE });
  }

  /** Valid after status OK. */
  get realAddress(): number {
    return this.tce.realAddress;
  }

  /** Where the last table walk ended: address and halves of the TCE, and the levels below it (0 = final). */
  get walker(): TceWalker {
    return this.tce.walker;
  }

  /** Table entries fetched from memory so far, wrapping at 32 bits: caches that hit save the time of a fetch. */
  get tableFetches(): number {
    return (this.ridToPe.fetches + this.walker.fetches) | 0;
  }

  // ---- the TVT and its modes --------------------------------------------------------------------------------------

  /** Cached TCEs of the old entry stay until software kills them. */
  setTve(index: number, hi: number, lo: number): void {
    this.tce.tves.set(index, hi, lo);
  }

  tveHi(index: number): number {
    return this.tce.tves.hi[index]!;
  }

  tveLo(index: number): number {
    return this.tce.tves.lo[index]!;
  }

  /** `setTve` with a 64-bit value. */
  writeTve(index: number, value: bigint): void {
    this.setTve(index, hiOf(value), loOf(value));
  }

  readTve(index: number): bigint {
    return fromHalves(this.tveHi(index), this.tveLo(index));
  }

  decodedTve(index: number): DecodedTve {
    return this.tce.tves.decoded(index);
  }

  /** SPCI CAPI enable: entries with page size 0 are untranslated even with bit 51 clear. */
  setCapiMode(mode: CapiMode): void {
    this.tce.tves.setCapiMode(mode);
  }

  /** Untranslated DMA below 4 GiB through the even TVEs: refused by Murano and Venice; Naples, PHB_CONTROL bit 11. */
  setLowBypass(lowBypass: LowBypass): void {
    this.tce.tves.setLowBypass(lowBypass);
  }

  // ---- PHB_TCE_KILL -----------------------------------------------------------------------------------------------

  invalidateTceAll(): void {
    this.tce.cache.invalidateAll();
  }

  invalidateTceByPe(pe: number): void {
    this.tce.cache.invalidatePe(pe);
  }

  invalidateTcePage(pe: number, addressHi: number, addressLo: number): void {
    this.tce.cache.invalidatePage(pe, addressHi, addressLo);
  }

  cachedTces(): CachedTce[] {
    return this.tce.cache.contents();
  }

  // ---- the path ---------------------------------------------------------------------------------------------------

  addressSpace(addressHi: number, addressLo: number): AddressSpace {
    const space = addressHi >>> SPACE_SHIFT_HI;
    if (space === 0) {
      return addressHi === 0 && addressLo >= MSI32_FIRST && this.msi32 === 'on' ? AddressSpace.MSI32 : AddressSpace.DMA;
    }
    return space === MSI64_SPACE && this.msi64 === 'on' ? AddressSpace.MSI64 : AddressSpace.INVALID;
  }

  /** True where a write is no DMA but a message interrupt. */
  isMessageAddress(addressHi: number, addressLo: number): boolean {
    const space = this.addressSpace(addressHi, addressLo);
    return space === AddressSpace.MSI32 || space === AddressSpace.MSI64;
  }

  /** PESTB bit 0. */
  isStopped(pe: number): boolean {
    return this.peStopped[pe] !== 0;
  }

  /** One access that stays inside one page. Halves are unsigned. */
  translate(rid: number, addressHi: number, addressLo: number, direction: DmaDirection): DmaStatus {
    this.tveIndex = NOT_KNOWN;
    const pe = this.ridToPe.lookup(rid);
    if (pe < 0) return this.withoutPe(pe as RidFailure);
    this.pe = pe;
    if (this.peStopped[pe] !== 0) return DmaStatus.PE_STOPPED;
    const space = this.addressSpace(addressHi, addressLo);
    if (space !== AddressSpace.DMA) return notDma(space, direction);
    const index = pe * TVES_PER_PE + ((addressHi >>> TVE_SELECT_SHIFT_HI) & 1);
    this.tveIndex = index;
    return this.tce.translate(index, addressHi, addressLo, direction);
  }

  private withoutPe(failure: RidFailure): DmaStatus {
    this.pe = NOT_KNOWN;
    switch (failure) {
      case RidFailure.NO_PE:
        return DmaStatus.NO_PE;
      case RidFailure.INVALID_RTE:
        return DmaStatus.INVALID_RTE;
      case RidFailure.BAR_DISABLED:
        return DmaStatus.RTT_DISABLED;
      case RidFailure.MEMORY_ERROR:
        return DmaStatus.MEMORY_ERROR;
    }
  }

  /** `translate` with a 64-bit address and an answer in words. */
  translateAddress(rid: number, address: bigint, direction: DmaDirection): DmaOutcome {
    const status = this.translate(rid, hiOf(address), loOf(address), direction);
    return {
      status: dmaStatusName(status),
      pe: this.pe < 0 ? undefined : this.pe,
      realAddress: status === DmaStatus.OK ? BigInt(this.realAddress) : undefined,
    };
  }
}

/** A read of an MSI range is no interrupt and no DMA either (M). */
function notDma(space: AddressSpace, direction: DmaDirection): DmaStatus {
  if (space === AddressSpace.INVALID || direction === DmaDirection.READ) return DmaStatus.BAD_ADDRESS_SPACE;
  return space === AddressSpace.MSI32 ? DmaStatus.MSI32 : DmaStatus.MSI64;
}
