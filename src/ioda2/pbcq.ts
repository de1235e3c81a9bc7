/**
 * The power bus queue in front of a PHB: BARs, nest FIR and fence, interrupt routing, the ASB side path, ETU reset.
 * Sources: skiboot hw/phb3.c: phb3_probe_pbcq, phb3_creset, phb3_fenced; qemu pnv_phb3_pbcq.c. Facts: ioda2-phb3 3.3 to 3.5, 7.8.
 */
import { ALL_ONES, fieldMask, getField, getFieldOfHalves, hiOf, msbMask, msbMasks } from '../hw/bits.js';
import type { AccessSize } from '../hw/host-port.js';
import { LocalErrorMacro, lemCellsOf } from '../hw/lem.js';
import { RegisterFile } from '../hw/register-file.js';
import type { SystemBus } from '../hw/system-bus.js';
import type { Trace } from '../sim/trace.js';
import { PBCQ_NEST_REGISTERS, PBCQ_PCI_REGISTERS, PBCQ_SCOM_RANGES, PBCQ_SPCI_REGISTERS } from './registers/pbcq.js';
import { PHB_REGISTER_SPACE_BYTES } from './registers/phb.js';
import { FENCED, UNKNOWN_REGISTER } from './trace.js';

/** What lies behind the queue. */
export interface PbcqClient {
  registerLoad(path: 'mmio' | 'asb', offset: number, size: AccessSize, ticket: number): void;
  registerStore(path: 'mmio' | 'asb', offset: number, size: AccessSize, value: bigint): void;
  windowLoad(address: number, size: AccessSize, ticket: number): void;
  windowStore(address: number, size: AccessSize, value: bigint): void;
  fenced(): void;
  etuReset(state: 'held' | 'released'): void;
  capiMode(state: 'on' | 'off'): void;
  routingChanged(): void;
  /** Source id of the LSIs as the PHB has it. */
  lsiSourceId(): number;
  /** Transactions under way: loads and configuration cycles, or requests from below. */
  outstanding(side: 'outbound' | 'inbound'): boolean;
}

type RangeName = keyof typeof PBCQ_SCOM_RANGES;
const RANGE_NAMES = Object.keys(PBCQ_SCOM_RANGES) as RangeName[];

const AIB_FENCE = msbMask(16);
/** Software sets these to force a fence. */
const FORCE_FENCE = msbMasks(24, 25, 26, 27);
const ETU_RESET_HELD = msbMask(0);
/** Asked at every access: their places and halves. */
const NFIR_SLOT = PBCQ_NEST_REGISTERS.get('NFIR').slot;
const AIB_FENCE_HI = hiOf(AIB_FENCE);
const ETU_RESET_SLOT = PBCQ_PCI_REGISTERS.get('ETU_RESET').slot;
const ETU_RESET_HELD_HI = hiOf(ETU_RESET_HELD);
const ASB_ADDRESS_SLOT = PBCQ_SPCI_REGISTERS.get('ASB_ADDRESS').slot;
const ASB_OFFSET = PBCQ_SPCI_REGISTERS.field('ASB_ADDRESS', 'OFFSET').at;
const ASB_DATA = PBCQ_SPCI_REGISTERS.get('ASB_DATA').offset;
/** A BAR holds a 50-bit bus address, its top bit in bit 0. */
const BAR_SHIFT = 14n;
const BUS_ADDRESS_SPACE = 2 ** 50;
const LSI_COUNT = 8;
/** Message sources a PHB can have, LSIs included. */
const MOST_SOURCES = 2048;
const INTERRUPT_NUMBERS = 0x7ffff;
/** One bit of CQ_STATUS for each direction (M). */
const CQ_OUTBOUND = msbMask(0);
const CQ_INBOUND = msbMask(1);
/** Cause shown in the trace when no trap bit fenced. */
const BY_SOFTWARE = 64;

const enableAt = (field: string) => PBCQ_NEST_REGISTERS.field('BAR_ENABLE', field).at;

/** An MMIO window: the addresses with `(address & mask) === base`. A base with bits outside the mask matches none. */
interface Window {
  readonly base: bigint;
  readonly mask: bigint;
}

/** One of the three groups of SCOM registers, where this PHB has it. */
interface ScomRange {
  readonly name: RangeName;
  readonly first: number;
  readonly registers: number;
  readonly file: Pick<RegisterFile, 'has' | 'read' | 'write'>;
}

export class Pbcq {
  readonly nest = new RegisterFile(PBCQ_NEST_REGISTERS);
  readonly pci = new RegisterFile(PBCQ_PCI_REGISTERS);
  readonly spci = new RegisterFile(PBCQ_SPCI_REGISTERS);
  readonly #bus: SystemBus;
  readonly #client: PbcqClient;
  readonly #ranges: readonly ScomRange[];
  readonly #trace: Trace;
  readonly #source: number;
  readonly #nestFir: LocalErrorMacro;
  #registerBase: number | undefined;
  #windows: readonly Window[] = [];
  #fenceDriven = false;
  #jammed = false;

  constructor(parts: { bus: SystemBus; index: number; trace: Trace; source: number }, client: PbcqClient) {
    this.#bus = parts.bus;
    this.#client = client;
    this.#ranges = RANGE_NAMES.map((name) => {
      const { base, strideOfPhb, registers } = PBCQ_SCOM_RANGES[name];
      return { name, first: base + strideOfPhb * parts.index, registers, file: this[name] };
    });
    this.#trace = parts.trace;
    this.#source = parts.source;
    this.#nestFir = new LocalErrorMacro(
      lemCellsOf(this.nest, {
        fir: 'NFIR',
        mask: 'NFIR_MASK',
        action0: 'NFIR_ACTION0',
        action1: 'NFIR_ACTION1',
        wof: 'NFIR_WOF',
      }),
    );
    this.#attachNest();
    this.pci.attach('ETU_RESET', { onWrite: (_, old) => this.#etuResetWritten(old) });
    this.spci.attach('AIB_CAPP_ENABLE', {
      onWrite: (value) => this.#client.capiMode((value & msbMask(0)) === 0n ? 'off' : 'on'),
    });
  }

  #attachNest(): void {
    const decode = { onWrite: () => this.#decodeBars() };
    for (const name of ['MMIO_BAR0', 'MMIO_BAR1', 'MMIO_MASK0', 'MMIO_MASK1', 'PHB_BAR'] as const)
      this.nest.attach(name, decode);
    const route = { onWrite: () => this.#client.routingChanged() };
    for (const name of ['IRSN_COMPARE', 'IRSN_MASK', 'LSI_SOURCE_ID'] as const) this.nest.attach(name, route);
    this.nest.attach('BAR_ENABLE', {
      onWrite: () => {
        this.#decodeBars();
        this.#client.routingChanged();
      },
    });
    const errors = { onWrite: (_: bigint, old: bigint) => this.#nestErrorsWritten(old) };
    this.nest.attach('NFIR', errors);
    this.nest.attach('NFIR_OR', errors);
    this.nest.attach('NFIR_AND', { onWrite: () => this.#nestErrorsCleared() });
    this.nest.attach('CQ_STATUS', { onRead: () => this.#cqStatus() });
  }

  #cqStatus(): bigint {
    const waits = (side: 'outbound' | 'inbound'): boolean => this.#client.outstanding(side);
    return (waits('outbound') ? CQ_OUTBOUND : 0n) | (waits('inbound') ? CQ_INBOUND : 0n);
  }

  // ---- the processor bus ------------------------------------------------------------------------------------------

  #decodeBars(): void {
    const { nest } = this;
    const enabled = (field: string): boolean => getField(nest.get('BAR_ENABLE'), enableAt(field)) === 1n;
    this.#registerBase = enabled('PHB') ? Number(nest.get('PHB_BAR') >> BAR_SHIFT) : undefined;
    const windows: Window[] = [];
    if (enabled('MMIO0'))
      windows.push({ base: nest.get('MMIO_BAR0') >> BAR_SHIFT, mask: nest.get('MMIO_MASK0') >> BAR_SHIFT });
    if (enabled('MMIO1'))
      windows.push({ base: nest.get('MMIO_BAR1') >> BAR_SHIFT, mask: nest.get('MMIO_MASK1') >> BAR_SHIFT });
    this.#windows = windows;
  }

  claims(address: number): boolean {
    return this.#registerOffset(address) !== undefined || this.#inWindow(address);
  }

  load(address: number, size: AccessSize, ticket: number): void {
    const offset = this.#registerOffset(address);
    if (offset === undefined) this.#client.windowLoad(address, size, ticket);
    else this.#client.registerLoad('mmio', offset, size, ticket);
  }

  store(address: number, size: AccessSize, value: bigint): void {
    const offset = this.#registerOffset(address);
    if (offset === undefined) this.#client.windowStore(address, size, value);
    else this.#client.registerStore('mmio', offset, size, value);
  }

  #registerOffset(address: number): number | undefined {
    const base = this.#registerBase;
    if (base === undefined || address < base || address >= base + PHB_REGISTER_SPACE_BYTES) return undefined;
    return address - base;
  }

  #inWindow(address: number): boolean {
    if (address >= BUS_ADDRESS_SPACE) return false;
    const bits = BigInt(address);
    return this.#windows.some(({ base, mask }) => (bits & mask) === base);
  }

  // ---- SCOM -------------------------------------------------------------------------------------------------------

  #rangeOf(address: number): ScomRange | undefined {
    for (let i = 0; i < this.#ranges.length; i++) {
      const range = this.#ranges[i]!;
      if (address >= range.first && address < range.first + range.registers) return range;
    }
    return undefined;
  }

  claimsScom(address: number): boolean {
    return this.#rangeOf(address) !== undefined;
  }

  scomRead(address: number, ticket: number): void {
    const range = this.#rangeOf(address);
    if (range === undefined) {
      this.#bus.complete(ticket, 0n);
      return;
    }
    const register = address - range.first;
    if (range.name === 'spci' && register === ASB_DATA) {
      this.#client.registerLoad('asb', this.#asbOffset(), 8, ticket);
      return;
    }
    const known = range.file.has(register);
    if (!known) this.#unknown(range, register, 'read');
    this.#bus.complete(ticket, known ? range.file.read(register) : 0n);
  }

  scomWrite(address: number, value: bigint): void {
    const range = this.#rangeOf(address);
    if (range === undefined) return;
    const register = address - range.first;
    if (range.name === 'spci' && register === ASB_DATA) this.#client.registerStore('asb', this.#asbOffset(), 8, value);
    else if (range.file.has(register)) range.file.write(register, value);
    else this.#unknown(range, register, 'write');
  }

  #asbOffset(): number {
    return getFieldOfHalves(this.spci.hiAt(ASB_ADDRESS_SLOT), this.spci.loAt(ASB_ADDRESS_SLOT), ASB_OFFSET);
  }

  #unknown(range: ScomRange, register: number, direction: 'read' | 'write'): void {
    const window = this.#ranges.indexOf(range) + 1;
    this.#trace.emit(UNKNOWN_REGISTER, this.#source, window, register, direction === 'write' ? 1 : 0, 8);
  }

  // ---- fence and reset --------------------------------------------------------------------------------------------

  /** NFIR bit 16 is the fence, and firmware's only test for it. */
  get isFenced(): boolean {
    return (this.nest.hiAt(NFIR_SLOT) & AIB_FENCE_HI) !== 0;
  }

  /** An error behind the queue fences the AIB. */
  fence(cause: number): void {
    if (this.isFenced) return;
    this.#nestFir.report(AIB_FENCE);
    this.#fenceTook(cause);
  }

  #fenceTook(cause: number): void {
    this.#fenceDriven = true;
    this.#trace.emit(FENCED, this.#source, cause);
    this.#client.fenced();
  }

  #nestErrorsWritten(old: bigint): void {
    this.#nestFir.firChanged(old);
    if ((old & AIB_FENCE) !== 0n) {
      this.#reassertFence();
      return;
    }
    if (this.isFenced) this.#fenceTook(BY_SOFTWARE);
    else this.#forceFence();
  }

  /** A fence that is still driven comes back when cleared; only a reset of the ETU ends it (M). */
  #reassertFence(): void {
    if (this.#fenceDriven) this.nest.or('NFIR', AIB_FENCE);
    else this.#forceFence();
  }

  /** Fencing bits: those software forces a fence with (M), and unmasked ones whose two action bits say "freeze the unit". */
  #forceFence(): void {
    const { unmasked, action0, action1 } = this.#nestFir;
    const fencing = (this.nest.get('NFIR') & FORCE_FENCE) | (unmasked & action0 & action1);
    if (fencing !== 0n && !this.heldInReset) this.fence(BY_SOFTWARE);
  }

  /** A cleared bit leaves WOF too (M): firmware never writes the nest WOF and would find an old fence there for ever. */
  #nestErrorsCleared(): void {
    this.#reassertFence();
    this.#nestFir.wof &= this.#nestFir.fir;
  }

  get heldInReset(): boolean {
    return (this.pci.hiAt(ETU_RESET_SLOT) & ETU_RESET_HELD_HI) !== 0;
  }

  /** A defect: the ETU stays in its next reset for good. */
  jamReset(): void {
    this.#jammed = true;
  }

  #etuResetWritten(old: bigint): void {
    if (this.#jammed && (old & ETU_RESET_HELD) !== 0n) this.pci.or('ETU_RESET', ETU_RESET_HELD);
    const wasHeld = (old & ETU_RESET_HELD) !== 0n;
    if (wasHeld === this.heldInReset) return;
    this.#fenceDriven = false;
    this.#client.etuReset(this.heldInReset ? 'held' : 'released');
  }

  // ---- interrupts -------------------------------------------------------------------------------------------------

  /**
   * Global number of a message interrupt, or `undefined` while the queue does not route it. The range must be aligned to
   * its size, and its last eight numbers are the LSIs'. Source: qemu pnv_phb3_remap_irqs.
   */
  globalInterrupt(isn: number): number | undefined {
    const { base, count } = this.#interruptRange();
    return isn < Math.min(count - LSI_COUNT, MOST_SOURCES) ? base + isn : undefined;
  }

  /** As above, for an LSI: both ends must agree on the source id, and all eight must be in the range. */
  globalLsi(isn: number): number | undefined {
    const id = Number(this.nest.field('LSI_SOURCE_ID', 'LSI_SOURCE_ID'));
    if (id !== this.#client.lsiSourceId() || Math.floor(isn / LSI_COUNT) !== id) return undefined;
    const { base, count } = this.#interruptRange();
    return (id + 1) * LSI_COUNT <= count ? base + isn : undefined;
  }

  /** Both IRSN enables are needed (M): no source tells what one of them alone does. */
  #interruptRange(): { base: number; count: number } {
    const { nest } = this;
    const enables = nest.get('BAR_ENABLE');
    const routes = getField(enables, enableAt('IRSN_RX')) === 1n && getField(enables, enableAt('IRSN_TX')) === 1n;
    const base = Number(nest.field('IRSN_COMPARE', 'BASE'));
    const mask = Number(nest.field('IRSN_MASK', 'MASK'));
    const aligned = (base & ~mask & INTERRUPT_NUMBERS) === 0;
    return { base, count: routes && aligned ? (~mask + 1) & INTERRUPT_NUMBERS : 0 };
  }
}

/** Bits of a 64-bit register that a 50-bit address occupies; for the service firmware that programs BARs. */
export function barValue(address: number): bigint {
  return (BigInt(address) << BAR_SHIFT) & ALL_ONES;
}

/** The mask register of a window of this size, a power of two. */
export function barMask(sizeBytes: number): bigint {
  const address = fieldMask(PBCQ_NEST_REGISTERS.field('MMIO_MASK0', 'ADDRESS').at);
  return ~(BigInt(sizeBytes - 1) << BAR_SHIFT) & address;
}
