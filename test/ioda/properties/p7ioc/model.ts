/** The reference for a P7IOC PHB, in `bigint` and the plainest form. Facts: ioda1-p7ioc 4, 5, 6, 7.5 to 7.9, 12.8. */
import type { Answer, Direction, DmaRequest, Half, InjectionRequest, MsiRequest } from '../chip.js';
import { BridgeModel, configEnd, FROZEN, hex, IS_FENCED, ibm, type Outcome, ones, refusal } from '../model.js';
import { pestOf } from '../rules.js';
import { LAYOUT } from './chip.js';
import { entryOf, PES, RIDS, requesterEntry } from './dialect.js';
import { type ErrorName, RULES } from './rules.js';
import { type CachedTce, TranslationModel } from './translation-model.js';

const MSI32_FIRST = 0xffff_0000n;
const MASKED = 0xff;
/** Address bits that an outbound injection compares. */
const INJECTED_ADDRESS = 0xffff_ffff_0000n;
const BUS_OF_CONFIG = 0xffn << 52n;

export class P7iocModel extends BridgeModel {
  protected readonly injectionStays = 'always';
  #translation!: TranslationModel;
  readonly #rows = new Map<number, readonly number[]>();
  readonly #vectors = new Map<number, { pe: number; priority: number }>();
  /** PE of each valid entry of the MVT; all are for bus 1. */
  readonly #entries = new Map<number, number>();
  /** Messages that came while their vector was masked. */
  readonly #waiting = new Set<number>();
  readonly #words: Record<Half, Map<number, bigint>> = { mmio: new Map(), dma: new Map() };

  constructor() {
    super(LAYOUT, RULES);
    this.resetChip();
  }

  resetTables(): void {
    this.#translation = new TranslationModel(this.memory);
    for (const map of [this.#rows, this.#vectors, this.#entries, this.#words.mmio, this.#words.dma]) map.clear();
    this.#waiting.clear();
  }

  // ---- software ---------------------------------------------------------------------------------------------------

  setRte(rid: number, rte: number): void {
    const [pe, entry] = requesterEntry(rid, rte);
    if (!this.fenced) this.#translation.peltm.set(pe, entry);
  }

  forgetRid(): void {}

  setPeltv(pe: number, row: readonly number[]): void {
    if (!this.fenced) this.#rows.set(pe, row);
  }

  setTve(index: number, value: bigint): void {
    if (!this.fenced) this.#translation.tves.set(index, value);
  }

  ownerOfTve(): 'all' {
    return 'all';
  }

  killAddress(table: number, entry: number): bigint {
    return BigInt(this.layout.tceTables + 4096 * table + 8 * entry);
  }

  /** There is no kill by PE: without an address all go. */
  forgetPages(_pe: number | 'all', address?: bigint): void {
    if (!this.fenced) this.#translation.forget(address);
  }

  /** A message that waited goes out, and is ended before the next step. */
  setVector(isn: number, { pe, priority }: { pe: number; priority: number }): void {
    if (this.fenced) return;
    this.#vectors.set(isn, { pe, priority });
    this.#entries.set(entryOf(isn), pe);
    if (priority !== MASKED) this.#waiting.delete(isn);
  }

  /** By the trap: the error shows in the macro. */
  forceFence(): void {
    if (!this.fenced) this.localErrors |= ibm(0);
    this.fenced = true;
  }

  injectionPlace(kind: InjectionRequest['kind'], at: number): { address: bigint; mask: bigint } {
    const { m32 } = this.layout;
    if (kind === 'config') return { address: BigInt(RIDS[at]!) << 44n, mask: BUS_OF_CONFIG };
    if (kind === 'dma') return { address: BigInt(at), mask: 0xfn };
    return { address: BigInt(m32.base + PES[at]! * m32.segmentBytes), mask: 0xffff_ff00_0000n };
  }

  protected operandMatches({ kind, address, mask }: InjectionRequest, operand: bigint): boolean {
    const compared = { mmio: INJECTED_ADDRESS, config: BUS_OF_CONFIG, dma: 0xfn }[kind];
    return (operand & compared & mask) === (address & mask);
  }

  // ---- freezes ----------------------------------------------------------------------------------------------------

  protected row(pe: number): readonly number[] {
    return this.#rows.get(pe) ?? [];
  }

  pestWord(pe: number, half: Half): bigint {
    return this.#words[half].get(pe) ?? 0n;
  }

  /** A store replaces the word, details and all. */
  override setFreeze(pe: number, half: Half, state: boolean): void {
    super.setFreeze(pe, half, state);
    this.#words[half].set(pe, state ? FROZEN : 0n);
  }

  /** The charged PE keeps the first error's details; those that fall with it have none. */
  override commit(outcome: Outcome): void {
    const victims = this.victims(outcome);
    const before = victims.map((pe) => ({ pe, words: [this.pestWord(pe, 'mmio'), this.pestWord(pe, 'dma')] as const }));
    const thawed = new Set(victims.filter((pe) => !this.isFrozen(pe)));
    super.commit(outcome);
    for (const { pe, words } of before) {
      const isCharged = pe === outcome.pe || this.ruleOf(outcome.error!).reach === 'all';
      const [a, b] = thawed.has(pe) && isCharged ? pestOf(this.ruleOf(outcome.error!), outcome.detail ?? {}) : words;
      this.#words.mmio.set(pe, a | FROZEN);
      this.#words.dma.set(pe, b | FROZEN);
    }
  }

  // ---- from the processor -----------------------------------------------------------------------------------------

  /** The target's requester id says which PE pays, and a frozen one blocks the cycle. */
  config(rid: number, _pe: number, direction: Direction, answer: Answer): Outcome[] {
    const failed = direction === 'read' ? { answer: ones(4) } : {};
    if (this.fenced) return [{ why: 'fenced', ...failed }];
    const pe = this.#translation.peOf(rid);
    const detail = { rid };
    const refused: ErrorName = `config-${direction}-ur`;
    if (rid >> 8 === 0) return [{ why: 'no such device on the root bus', error: refused, pe, detail, ...failed }];
    if (this.frozen.mmio.has(pe)) return [{ why: `PE ${pe} is frozen`, ...failed }];
    if (this.injectionHits('config', direction, BigInt(rid) << 44n))
      return [{ why: 'injected', error: `papr-config-${direction}`, pe, detail, ...failed }];
    const { ending, ...end } = configEnd({ rid, direction, answer }, this.layout);
    if (ending === 'data') return [end];
    return [{ ...end, error: ending === 'UR' ? refused : `config-${direction}-ca`, pe, detail }];
  }

  // ---- from devices -----------------------------------------------------------------------------------------------

  dma(request: DmaRequest): Outcome[] {
    if (this.fenced) return [IS_FENCED];
    const { rid, direction, address, poisoned } = request;
    const detail = { rid, address };
    const pe = this.#translation.peOf(rid);
    const isWrite = direction === 'write';
    const isStopped = this.frozen.dma.has(pe);
    if (isWrite && poisoned)
      return [isStopped ? { why: 'stopped' } : { why: 'poisoned', error: 'poisoned', pe, detail }];
    if (isWrite && isMessage(address)) return [this.#messageWrite(request)];
    const refused = refusal(request);
    if (isStopped) return [{ why: 'stopped', ...refused }];
    const place = this.#translation.select(rid, address);
    if ('fault' in place) {
      const { fault } = place;
      const charged = place.pe ?? pe;
      if (this.frozen.dma.has(charged)) return [{ why: 'stopped', ...refused }];
      return [{ why: fault, error: `${fault}-${direction}`, pe: charged, detail, ...refused }];
    }
    if (this.frozen.dma.has(place.pe)) return [{ why: 'the PE of the window is stopped', ...refused }];
    const charged = { pe: place.pe, detail, ...refused };
    if (this.injectionHits('dma', direction, BigInt(place.index)))
      return [{ why: 'injected', error: `papr-dma-${direction}`, ...charged }];
    return this.#translation.tcesOf(place).map((tce) => this.#translated(request, place, tce, charged));
  }

  #translated(
    request: DmaRequest,
    place: { readonly offset: bigint; readonly shift: bigint },
    tce: CachedTce | 'no memory',
    charged: Partial<Outcome>,
  ): Outcome {
    const { direction, length } = request;
    const failed = (fault: 'memory' | 'page-fault' | 'access-fault'): Outcome => ({
      why: fault,
      error: `${fault}-${direction}`,
      ...charged,
    });
    if (tce === 'no memory') return failed('memory');
    const permission = tce.value & 3n;
    if (permission === 0n) return failed('page-fault');
    if ((permission & (direction === 'read' ? 1n : 2n)) === 0n) return failed('access-fault');
    const remember = { remember: () => this.#translation.used(tce) };
    const inPage = (1n << place.shift) - 1n;
    const real = Number((tce.value & ones(6) & ~inPage) | (place.offset & inPage));
    if (real + length > this.layout.memoryBytes) return { ...failed('memory'), ...remember };
    return { why: `moves at ${hex(real)}`, ...this.movement(request, real), ...remember };
  }

  msi({ rid, isn, bits }: MsiRequest): Outcome[] {
    const entry = BigInt(entryOf(isn));
    const address = bits === 32 ? MSI32_FIRST | (entry << 4n) : (9n << 60n) | (entry << 48n);
    return [this.fenced ? IS_FENCED : this.#message({ rid, address, data: isn })];
  }

  #messageWrite({ rid, address, length, seed }: DmaRequest): Outcome {
    if (length !== 4 || address % 4n !== 0n) return { why: 'no message', error: 'msi-form' };
    const bytes = Uint8Array.from({ length: 4 }, (_, at) => seed + at);
    return this.#message({ rid, address, data: new DataView(bytes.buffer).getUint32(0, true) });
  }

  #message({ rid, address, data }: { rid: number; address: bigint; data: number }): Outcome {
    const pe = this.#translation.peOf(rid);
    if (this.frozen.dma.has(pe)) return { why: 'stopped' };
    const detail = { rid, address, data: data & 0xffff };
    const isWide = address >> 60n === 9n;
    const refused = (error: ErrorName): Outcome => ({ why: error, error, pe, detail });
    if (!isWide && (address & 0xf000n) !== 0n) return refused('msi-entry');
    const entryPe = this.#entries.get(Number((isWide ? address >> 48n : address >> 4n) & 0xffn));
    if (entryPe === undefined) return refused('msi-entry');
    if (rid >> 8 !== 1) return refused('msi-mismatch');
    if (data > 255) return refused('msi-entry');
    const { pe: vectorPe, priority } = this.#vectors.get(data) ?? { pe: 0, priority: 0 };
    if (vectorPe !== entryPe) return refused('msi-mismatch');
    if (priority === MASKED) return { why: 'masked', remember: () => void this.#waiting.add(data) };
    return { why: 'presented', interrupts: [data] };
  }

  errorMessage(rid: number, kind: 'ERR_FATAL' | 'ERR_NONFATAL' | 'ERR_COR'): Outcome[] {
    if (this.fenced) return [IS_FENCED];
    return [{ why: kind, error: kind, pe: this.#translation.peOf(rid), detail: { rid } }];
  }

  strayCompletion(): Outcome[] {
    return [{ why: 'the core drops it' }];
  }
}

function isMessage(address: bigint): boolean {
  return address >> 60n === 9n || (address >= MSI32_FIRST && address < 1n << 32n);
}
