/** The reference for PHB3. Facts: ioda2-phb3 4.6, 6, 7.6 to 7.9. */
import type { Answer, Direction, DmaRequest, Half, InjectionRequest, MsiRequest } from '../chip.js';
import { BridgeModel, configEnd, FROZEN, hex, type Outcome, ones, refusal } from '../model.js';
import { pestOf } from '../rules.js';
import { LAYOUT, type Phb3Layout } from './chip.js';
import { PES, RIDS } from './dialect.js';
import { type ErrorName, RULES } from './rules.js';
import { type Fault, PERMISSION, TranslationModel } from './translation-model.js';

const MSI32_FIRST = 0xffff_0000n;
const MSI64_FIRST = 1n << 60n;
const MASKED = 0xff;
const DMA_FAULT: Readonly<Record<Fault, 'tve' | 'page-fault' | 'access-fault' | 'memory'>> = {
  ...{ invalid: 'tve', range: 'tve', memory: 'memory' },
  ...{ 'page-fault': 'page-fault', 'access-fault': 'access-fault' },
};

export class Phb3Model extends BridgeModel {
  declare readonly layout: Phb3Layout;
  protected readonly injectionStays = 'only if sticky';
  private translation: TranslationModel;

  constructor() {
    super(LAYOUT, RULES);
    this.translation = new TranslationModel(this.memory, this.layout);
    this.resetChip();
  }

  resetTables(): void {
    this.translation = new TranslationModel(this.memory, this.layout);
  }

  // ---- software ---------------------------------------------------------------------------------------------------

  setRte(rid: number, rte: number): void {
    this.memory.write16(this.layout.rtt + 2 * rid, rte);
  }

  forgetRid(rid: number | 'all'): void {
    if (!this.fenced) this.translation.forgetRid(rid);
  }

  setPeltv(pe: number, row: readonly number[]): void {
    const bytes = new Uint8Array(32);
    for (const other of row) bytes[other >> 3]! |= 0x80 >> (other & 7);
    this.memory.write(this.layout.peltv + 32 * pe, bytes);
  }

  setTve(index: number, value: bigint): void {
    if (!this.fenced) this.translation.tves.set(index, value);
  }

  ownerOfTve(index: number): number {
    return index >> 1;
  }

  killAddress(_table: number, entry: number): bigint {
    return BigInt(entry) << 12n;
  }

  forgetPages(pe: number | 'all', address?: bigint): void {
    if (!this.fenced) this.translation.forgetPages(pe, address);
  }

  /** Memory holds the vector as software wrote it, fence or not. */
  setVector(isn: number, _vector: unknown, held: Uint8Array): void {
    this.memory.write(this.layout.ivt + this.layout.iveBytes * isn, held);
  }

  /** The fence is the queue's own: no error of the bridge. */
  forceFence(): void {
    this.fenced = true;
  }

  injectionPlace(kind: InjectionRequest['kind'], at: number): { address: bigint; mask: bigint } {
    const { m32 } = this.layout;
    if (kind === 'config') return { address: BigInt(RIDS[at]!) << 44n, mask: 0xffffn << 44n };
    if (kind === 'dma') return { address: BigInt(at) << 12n, mask: ~0xfffn & ones(8) };
    return { address: BigInt(m32.base + PES[at]! * m32.segmentBytes), mask: 0xffff_ff80_0000n };
  }

  protected operandMatches({ kind, address, mask }: InjectionRequest, operand: bigint): boolean {
    return (operand & (kind === 'mmio' ? ones(6) : ones(8)) & mask) === (address & mask);
  }

  // ---- freezes ----------------------------------------------------------------------------------------------------

  protected row(pe: number): number[] {
    const bytes = this.memory.read(this.layout.peltv + 32 * pe, 32);
    return Array.from({ length: 256 }, (_, other) => other).filter(
      (other) => (bytes[other >> 3]! & (0x80 >> (other & 7))) !== 0,
    );
  }

  /** The chip holds the freeze bit alone. */
  pestWord(pe: number, half: Half): bigint {
    return this.frozen[half].has(pe) ? FROZEN : 0n;
  }

  /** Its data, and the cause with each PE that goes from thawed to frozen. */
  override writesOf(outcome: Outcome): { readonly address: number; readonly bytes: Uint8Array }[] {
    const { error, detail = {}, writes = [] } = outcome;
    if (error === undefined) return [...writes];
    const entry = pestBytes(pestOf(this.ruleOf(error), detail));
    const thawed = this.victims(outcome).filter((pe) => !this.isFrozen(pe));
    return [...writes, ...thawed.map((pe) => ({ address: this.layout.pest + 16 * pe, bytes: entry }))];
  }

  // ---- from the processor -----------------------------------------------------------------------------------------

  /** Frozen or not: PHB3 lets configuration cycles pass. */
  config(rid: number, pe: number, direction: Direction, answer: Answer): Outcome[] {
    const read = direction === 'read';
    const failed = read ? { answer: ones(4) } : {};
    if (this.fenced) return [{ why: 'fenced', ...failed }];
    if (rid >> 8 === 0) return [{ why: 'no such device on the root bus', error: 'config-target', ...failed }];
    if (this.injectionHits('config', direction, BigInt(rid) << 44n)) {
      const error = read ? 'papr-config-read' : 'papr-config-write';
      return [{ why: 'injected', error, pe, ...failed, ...this.spent() }];
    }
    const { ending, ...end } = configEnd({ rid, direction, answer }, this.layout);
    if (ending === 'data') return [end];
    const error: ErrorName = read
      ? ending === 'UR'
        ? 'completion-ur'
        : 'completion-ca'
      : ending === 'nothing'
        ? 'config-write-lost'
        : ending === 'UR'
          ? 'config-write-ur'
          : 'config-write-ca';
    return [{ ...end, error, pe }];
  }

  // ---- from devices -----------------------------------------------------------------------------------------------

  dma(request: DmaRequest): Outcome[] {
    if (this.fenced) return [{ why: 'fenced' }];
    // The form of a message is looked at before anybody asks who sent it.
    const malformed = isMalformedMessage(request) ? [{ why: 'no message', error: 'msi-form' as const }] : [];
    if (malformed.length > 0 && !request.poisoned) return malformed;
    return this.charged(request.rid, refusal(request), (pe) => this.dmaOf(pe, request));
  }

  /** Once for each PE that the requester may be taken for. */
  private charged(rid: number, refused: Partial<Outcome>, go: (pe: number) => Outcome[]): Outcome[] {
    return this.translation.pesOf(rid).flatMap((pe) => {
      if (pe === undefined) return [{ why: 'no PE', error: 'no-pe' as const, ...refused }];
      const used = (outcome: Outcome): Outcome => ({
        ...outcome,
        remember: () => {
          this.translation.ridUsed(rid, pe);
          outcome.remember?.();
        },
      });
      if (this.frozen.dma.has(pe)) return [used({ why: `PE ${pe} is stopped`, ...refused })];
      return go(pe).map(used);
    });
  }

  private dmaOf(pe: number, request: DmaRequest): Outcome[] {
    const { rid, direction, address, poisoned } = request;
    const detail = { rid, address };
    const refused = refusal(request);
    if (poisoned && direction === 'write') return [{ why: 'poisoned', error: 'poisoned', pe, detail }];
    if (direction === 'write' && isMessage(address)) {
      return [this.message(pe, request, request.length > 1 ? (request.seed + 1) & 0xff : 0)];
    }
    if (this.injectionHits('dma', direction, address)) {
      const spent = this.spent().remember;
      const remember = (): void => {
        spent?.();
        this.lookedUp(pe, address, PERMISSION[direction]);
      };
      return [{ why: 'injected', error: `papr-dma-${direction}`, pe, detail, ...refused, remember }];
    }
    // A read of a message range belongs to no address space (M).
    if (address >> 60n !== 0n || isMessage(address)) {
      return [{ why: 'no address space', error: `tve-${direction}`, pe, detail, ...refused }];
    }
    return this.translation.translate(pe, address, PERMISSION[direction]).map((result): Outcome => {
      if (!('fault' in result)) {
        const { entry } = result;
        const remember = entry ? { remember: () => this.translation.pageUsed(entry) } : {};
        return { why: `moves at ${hex(result.real)}`, ...this.movementOrError(request, result.real), ...remember };
      }
      const fault = DMA_FAULT[result.fault];
      if (fault === 'memory') return { why: 'no memory', error: 'memory', pe, detail };
      return { why: result.fault, error: `${fault}-${direction}`, pe, detail, ...refused };
    });
  }

  /** A request that fails for another reason may have been translated before. */
  private lookedUp(pe: number, address: bigint, permission: number): void {
    for (const result of this.translation.translate(pe, address, permission)) {
      if ('real' in result && result.entry) this.translation.pageUsed(result.entry);
    }
  }

  private movementOrError(request: DmaRequest, real: number): Partial<Outcome> {
    if (real + request.length > this.layout.memoryBytes) return { error: 'memory' };
    return this.movement(request, real);
  }

  msi({ rid, isn, bits }: MsiRequest): Outcome[] {
    const offset = BigInt((isn << 4) & 0xfe00);
    const address = bits === 32 ? MSI32_FIRST | offset : MSI64_FIRST | offset;
    const write = { rid, address, length: 4, direction: 'write', seed: isn & 0x1f, poisoned: false } as const;
    return this.fenced ? [{ why: 'fenced' }] : this.charged(rid, {}, (pe) => [this.message(pe, write, 0)]);
  }

  /** A write into the message ranges. The source number travels in address bits 19:4 and data bits 4:0 together. */
  private message(pe: number, { rid, address, seed }: DmaRequest, secondByte: number): Outcome {
    const isn = Number((address >> 4n) & (address < MSI64_FIRST ? 0xfffn : 0xffffn)) | (seed & 0x1f);
    const detail = { rid, address, data: secondByte * 256 + seed };
    if (isn >= this.layout.ivtEntries) return { why: 'no such source', error: 'msi-source', pe, detail };
    const at = this.layout.ivt + this.layout.iveBytes * isn;
    const vector = this.memory.read(at, 8);
    if (vector[6]! * 256 + vector[7]! !== pe) return { why: 'vector of another PE', error: 'msi-mismatch', pe, detail };
    const present = (vector[4]! & 1) === 1;
    const queued = (vector[5]! & 1) === 1;
    if (queued) return { why: 'already queued' };
    if (present || vector[3] === MASKED) {
      return { why: 'queued', writes: [{ address: at + 5, bytes: Uint8Array.of(vector[5]! | 1) }] };
    }
    return { why: 'presented', writes: [{ address: at + 4, bytes: Uint8Array.of(vector[4]! | 1) }], interrupts: [isn] };
  }

  errorMessage(rid: number, kind: 'ERR_FATAL' | 'ERR_NONFATAL' | 'ERR_COR'): Outcome[] {
    if (this.fenced) return [{ why: 'fenced' }];
    // A frozen PE's messages still propagate: the check of DMA stopped is not on their way.
    return this.translation.pesOf(rid).map((pe): Outcome => {
      if (pe === undefined) return { why: 'no PE', error: 'no-pe' };
      return { why: kind, error: kind, pe, detail: { rid }, remember: () => this.translation.ridUsed(rid, pe) };
    });
  }

  /** The catalogue does not list it; LEM 45 is its name among the fatal ones. */
  strayCompletion(): Outcome[] {
    return [{ why: 'ignored' }, ...(this.fenced ? [] : [{ why: 'fatal', error: 'unexpected-completion' as const }])];
  }
}

function pestBytes(words: readonly [a: bigint, b: bigint]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(16));
  words.forEach((word, at) => {
    bytes.setBigUint64(8 * at, word);
  });
  return new Uint8Array(bytes.buffer);
}

function isMalformedMessage({ direction, address, length }: DmaRequest): boolean {
  return direction === 'write' && isMessage(address) && (length > 16 || address % 16n !== 0n);
}

function isMessage(address: bigint): boolean {
  return address >> 60n === 1n || (address >= MSI32_FIRST && address < 1n << 32n);
}
