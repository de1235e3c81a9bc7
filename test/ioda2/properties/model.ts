/**
 * The reference for a whole IODA bridge: the state that matters for isolation, and what one operation may do to it.
 * Written from the facts alone; where caches or silent sources leave a choice it offers every outcome they allow, and
 * takes over the one that was seen. Facts: ioda2-phb3 4.6, 6, 7.6 to 7.9.
 */
import type { Answer, ChipLayout, Direction, DmaRequest, InjectionRequest, MemoryAccess, MsiRequest } from './chip.js';
import { type ErrorDetail, type ErrorName, type ErrorRule, pestOf, RULES } from './error-model.js';
import { ShadowMemory } from './shadow-memory.js';
import { type Fault, PERMISSION, TranslationModel } from './translation-model.js';

/** One thing an operation may do, all of it. */
export interface Outcome {
  readonly why: string;
  readonly error?: ErrorName;
  readonly pe?: number;
  readonly detail?: ErrorDetail;
  readonly answer?: bigint;
  readonly sent?: readonly string[];
  readonly moved?: readonly MemoryAccess[];
  readonly writes?: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  readonly interrupts?: readonly number[];
  /** What caches and injections remember of it. */
  readonly remember?: () => void;
}

const MSI32_FIRST = 0xffff_0000n;
const MSI64_FIRST = 1n << 60n;
const MASKED = 0xff;
const DMA_FAULT: Readonly<Record<Fault, 'tve' | 'page-fault' | 'access-fault' | 'memory'>> = {
  ...{ invalid: 'tve', range: 'tve', memory: 'memory' },
  ...{ 'page-fault': 'page-fault', 'access-fault': 'access-fault' },
};
const hex = (value: bigint | number): string => value.toString(16);
export const ones = (bytes: number): bigint => (1n << BigInt(8 * bytes)) - 1n;

export class IodaModel {
  readonly memory = new ShadowMemory();
  translation: TranslationModel;
  readonly frozen = { mmio: new Set<number>(), dma: new Set<number>() };
  /** PEs whose summary bit software wrote itself, and what it wrote: it may stand until the PE changes. */
  readonly summaryWritten = new Map<number, boolean>();
  localErrors = 0n;
  fenced = false;
  readonly m32 = new Map<number, number>();
  overlay: { readonly segment: number; readonly pe: number } | undefined;
  injection: InjectionRequest | undefined;

  constructor(readonly layout: ChipLayout) {
    this.translation = this.newTranslation();
    this.resetChip();
  }

  private newTranslation(): TranslationModel {
    return new TranslationModel(this.memory, this.layout);
  }

  /** The chip is as new; memory keeps what it has. */
  resetChip(): void {
    this.translation = this.newTranslation();
    this.frozen.mmio.clear();
    this.frozen.dma.clear();
    this.summaryWritten.clear();
    this.localErrors = 0n;
    this.fenced = false;
    this.overlay = undefined;
    this.injection = undefined;
    for (let segment = 0; segment < 256; segment++) this.m32.set(segment, segment);
  }

  // ---- freezes ----------------------------------------------------------------------------------------------------

  isFrozen(pe: number): boolean {
    return this.frozen.mmio.has(pe) || this.frozen.dma.has(pe);
  }

  setFreeze(pe: number, half: 'mmio' | 'dma', state: boolean): void {
    if (this.frozen[half].has(pe) === state) return;
    if (state) this.frozen[half].add(pe);
    else this.frozen[half].delete(pe);
    this.summaryWritten.delete(pe);
  }

  /** PEs that this error would freeze. */
  victims({ error, pe }: Outcome): number[] {
    const reach = error === undefined ? 'none' : (RULES[error] as ErrorRule).reach;
    if (reach === 'all') return Array.from({ length: this.layout.peCount }, (_, each) => each);
    if (pe === undefined || reach === 'none' || reach === 'fence') return [];
    return reach === 'single' ? [pe] : this.row(pe);
  }

  private row(pe: number): number[] {
    const bytes = this.memory.read(this.layout.peltv + 32 * pe, 32);
    return Array.from({ length: 256 }, (_, other) => other).filter(
      (other) => (bytes[other >> 3]! & (0x80 >> (other & 7))) !== 0,
    );
  }

  fences({ error }: Outcome): boolean {
    return error !== undefined && (RULES[error] as ErrorRule).reach === 'fence';
  }

  localErrorOf({ error }: Outcome): bigint {
    return error === undefined ? 0n : 1n << BigInt(63 - RULES[error].lem);
  }

  /** What the outcome leaves in memory: its data, and the cause with each PE that goes from thawed to frozen. */
  writesOf(outcome: Outcome): { readonly address: number; readonly bytes: Uint8Array }[] {
    const { error, detail = {}, writes = [] } = outcome;
    if (error === undefined) return [...writes];
    const entry = pestBytes(pestOf(error, detail));
    const thawed = this.victims(outcome).filter((pe) => !this.isFrozen(pe));
    return [...writes, ...thawed.map((pe) => ({ address: this.layout.pest + 16 * pe, bytes: entry }))];
  }

  /** The outcome took place. */
  commit(outcome: Outcome): void {
    for (const { address, bytes } of this.writesOf(outcome)) this.memory.write(address, bytes);
    outcome.remember?.();
    for (const pe of this.victims(outcome)) {
      this.setFreeze(pe, 'mmio', true);
      this.setFreeze(pe, 'dma', true);
    }
    this.localErrors |= this.localErrorOf(outcome);
    if (this.fences(outcome)) this.fenced = true;
  }

  // ---- from the processor -----------------------------------------------------------------------------------------

  loadOrStore(address: number, size: number, direction: Direction, answer: Answer, value: bigint): Outcome[] {
    const failed = direction === 'read' ? { answer: ones(size) } : {};
    if (this.fenced) return [{ why: 'fenced', ...failed }];
    const target = this.window(address);
    if (!target) return [{ why: 'no window', error: 'no-window', ...failed }];
    const { pe, pciAddress } = target;
    if (this.frozen.mmio.has(pe)) return [{ why: `PE ${pe} is frozen`, ...failed }];
    if (this.injectionHits('mmio', direction, BigInt(address) & ones(6))) {
      const error = direction === 'read' ? 'papr-load' : 'papr-store';
      return [{ why: 'injected', error, pe, detail: { address: BigInt(address) }, ...failed, ...this.spent() }];
    }
    if (direction === 'write') {
      return [{ why: 'posted', sent: [`MWr ${hex(pciAddress)} ${value.toString(16).padStart(2 * size, '0')}`] }];
    }
    return [{ why: answer, pe, sent: [`MRd ${hex(pciAddress)} ${size}`], ...loadEnd(answer, pciAddress, size) }];
  }

  private window(address: number): { pe: number; pciAddress: bigint } | undefined {
    const { m32, m64 } = this.layout;
    if (address >= m64.base && address < m64.base + 256 * m64.segmentBytes) {
      const segment = Math.floor((address - m64.base) / m64.segmentBytes);
      const pe = this.overlay?.segment === segment ? this.overlay.pe : segment;
      return { pe, pciAddress: BigInt(address) };
    }
    if (address < m32.base || address >= m32.base + 256 * m32.segmentBytes) return undefined;
    const offset = address - m32.base;
    return {
      pe: this.m32.get(Math.floor(offset / m32.segmentBytes))!,
      pciAddress: BigInt(m32.pciStart + offset),
    };
  }

  /** Frozen or not: PHB3 lets configuration cycles pass. */
  config(rid: number, pe: number, direction: Direction, answer: Answer): Outcome[] {
    const read = direction === 'read';
    const failed = read ? { answer: ones(4) } : {};
    if (this.fenced) return [{ why: 'fenced', ...failed }];
    const bus = rid >> 8;
    if (bus === 0) return [{ why: 'no such device on the root bus', error: 'config-target', ...failed }];
    if (this.injectionHits('config', direction, BigInt(rid) << 44n)) {
      return [
        { why: 'injected', error: read ? 'papr-config-read' : 'papr-config-write', pe, ...failed, ...this.spent() },
      ];
    }
    const nobody = bus === 1 && (rid & 0xf8) !== 0;
    const kind = `${read ? 'CfgRd' : 'CfgWr'}${bus === 1 ? 0 : 1} ${hex(rid)}`;
    const sent = nobody ? [] : [kind];
    const ending = nobody ? 'UR' : answer;
    if (ending === 'data') return [{ why: 'answered', sent, ...(read ? { answer: this.layout.deviceIdentity } : {}) }];
    const error: ErrorName = read
      ? ending === 'UR'
        ? 'completion-ur'
        : 'completion-ca'
      : ending === 'nothing'
        ? 'config-write-lost'
        : ending === 'UR'
          ? 'config-write-ur'
          : 'config-write-ca';
    return [{ why: ending, error, pe, sent, ...failed }];
  }

  private injectionHits(kind: InjectionRequest['kind'], direction: Direction, address: bigint): boolean {
    const armed = this.injection;
    if (armed?.kind !== kind || armed.direction !== direction) return false;
    return (address & armed.mask) === (armed.address & armed.mask);
  }

  private spent(): Pick<Outcome, 'remember'> {
    if (this.injection?.sticky) return {};
    return {
      remember: () => {
        this.injection = undefined;
      },
    };
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
        return { why: `moves at ${hex(result.real)}`, ...this.movement(request, result.real), ...remember };
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

  private movement({ direction, length, seed }: DmaRequest, real: number): Partial<Outcome> {
    if (real + length > this.layout.memoryBytes) return { error: 'memory' };
    const moved = [{ direction, address: real, length }];
    if (direction === 'read') {
      return { moved, sent: [`CplD ${Buffer.from(this.memory.read(real, length)).toString('hex')}`] };
    }
    return { moved, writes: [{ address: real, bytes: Uint8Array.from({ length }, (_, at) => seed + at) }] };
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

  /** Bridge control is not in reach of a fenced bridge, so the link stays up. */
  linkDown(kind: 'planned' | 'surprise'): Outcome[] {
    return [kind === 'surprise' && !this.fenced ? { why: 'link down', error: 'link-down' } : { why: 'nothing' }];
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

/** A refused read is answered with Completer Abort, a refused write is dropped. */
function refusal({ direction }: DmaRequest): Partial<Outcome> {
  return direction === 'read' ? { sent: ['Cpl CA'] } : {};
}

function loadEnd(answer: Answer, pciAddress: bigint, size: number): Partial<Outcome> {
  if (answer !== 'data') return { answer: ones(size), error: answer === 'UR' ? 'completion-ur' : 'completion-ca' };
  let value = 0n;
  for (let at = 0n; at < BigInt(size); at++) value = (value << 8n) | ((pciAddress + at) & 0xffn);
  return { answer: value };
}
