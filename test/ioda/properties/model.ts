/**
 * The reference for a whole IODA bridge: the state that matters for isolation, and what one operation may do to it.
 * Written from the facts alone; where caches or silent sources leave a choice it offers every outcome they allow, and
 * takes over the one that was seen. What the two bridges have in common is here, the rest in a model of each.
 */
import type {
  Answer,
  ChipLayout,
  Direction,
  DmaRequest,
  Half,
  InjectionRequest,
  MemoryAccess,
  MsiRequest,
} from './chip.js';
import type { ErrorDetail, ErrorRule } from './rules.js';
import { ShadowMemory } from './shadow-memory.js';

/** One thing an operation may do, all of it. */
export interface Outcome {
  readonly why: string;
  /** Name of a rule of the bridge. */
  readonly error?: string;
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

export const hex = (value: bigint | number): string => value.toString(16);
export const ones = (bytes: number): bigint => (1n << BigInt(8 * bytes)) - 1n;
export const ibm = (bit: number): bigint => 1n << BigInt(63 - bit);
export const FROZEN = ibm(0);
export const IS_FENCED: Outcome = { why: 'fenced' };

export abstract class BridgeModel {
  readonly memory = new ShadowMemory();
  readonly frozen: Record<Half, Set<number>> = { mmio: new Set<number>(), dma: new Set<number>() };
  /** PEs whose summary bit software wrote itself, and what it wrote: it may stand until the PE changes. */
  readonly summaryWritten = new Map<number, boolean>();
  localErrors = 0n;
  fenced = false;
  readonly m32 = new Map<number, number>();
  overlay: { readonly segment: number; readonly pe: number } | undefined;
  injection: InjectionRequest | undefined;

  constructor(
    readonly layout: ChipLayout,
    private readonly rules: Readonly<Record<string, ErrorRule>>,
  ) {}

  // ---- what each bridge has its own way for -----------------------------------------------------------------------

  abstract setRte(rid: number, rte: number): void;
  abstract forgetRid(rid: number | 'all'): void;
  abstract setPeltv(pe: number, row: readonly number[]): void;
  abstract setTve(index: number, value: bigint): void;
  /** Whose cached TCEs a step means that changed this window, or an entry of this table. */
  abstract ownerOfTve(index: number): number | 'all';
  /** What names the TCE of a table in a kill of one. */
  abstract killAddress(table: number, entry: number): bigint;
  abstract forgetPages(pe: number | 'all', address?: bigint): void;
  abstract setVector(isn: number, vector: { readonly pe: number; readonly priority: number }, held: Uint8Array): void;
  abstract config(rid: number, pe: number, direction: Direction, answer: Answer): Outcome[];
  abstract dma(request: DmaRequest): Outcome[];
  abstract msi(request: MsiRequest): Outcome[];
  abstract errorMessage(rid: number, kind: 'ERR_FATAL' | 'ERR_NONFATAL' | 'ERR_COR'): Outcome[];
  abstract strayCompletion(): Outcome[];
  /** PEs that fall with this one, itself not counted unless it is listed. */
  protected abstract row(pe: number): readonly number[];
  /** Address and mask that an injection is given for the requester, segment or page number `at`. */
  abstract injectionPlace(kind: InjectionRequest['kind'], at: number): { address: bigint; mask: bigint };
  /** Whether the operand of this operation is the one that the injection names. */
  protected abstract operandMatches(armed: InjectionRequest, operand: bigint): boolean;
  protected abstract readonly injectionStays: 'only if sticky' | 'always';
  /** One half of a PE as the chip holds it. */
  abstract pestWord(pe: number, half: Half): bigint;
  abstract resetTables(): void;
  /** Software fences the bridge. */
  abstract forceFence(): void;

  /** The chip is as new; memory keeps what it has. */
  resetChip(): void {
    this.frozen.mmio.clear();
    this.frozen.dma.clear();
    this.summaryWritten.clear();
    this.localErrors = 0n;
    this.fenced = false;
    this.overlay = undefined;
    this.injection = undefined;
    for (let segment = 0; segment < this.layout.segments; segment++) this.m32.set(segment, segment);
    this.resetTables();
  }

  // ---- freezes ----------------------------------------------------------------------------------------------------

  isFrozen(pe: number): boolean {
    return this.frozen.mmio.has(pe) || this.frozen.dma.has(pe);
  }

  /** Software sets or clears one half. */
  setFreeze(pe: number, half: Half, state: boolean): void {
    if (this.frozen[half].has(pe) === state) return;
    if (state) this.frozen[half].add(pe);
    else this.frozen[half].delete(pe);
    this.summaryWritten.delete(pe);
  }

  protected ruleOf(error: string): ErrorRule {
    const rule = this.rules[error];
    if (rule === undefined) throw new RangeError(`the model has no rule for "${error}"`);
    return rule;
  }

  /** PEs that this error would freeze. */
  victims({ error, pe }: Outcome): readonly number[] {
    const reach = error === undefined ? 'none' : this.ruleOf(error).reach;
    if (reach === 'all') return Array.from({ length: this.layout.peCount }, (_, each) => each);
    if (pe === undefined || reach === 'none' || reach === 'fence') return [];
    if (reach === 'single') return [pe];
    return reach === 'row' ? this.row(pe) : [...new Set([pe, ...this.row(pe)])];
  }

  fences({ error }: Outcome): boolean {
    return error !== undefined && this.ruleOf(error).reach === 'fence';
  }

  localErrorOf({ error }: Outcome): bigint {
    return error === undefined ? 0n : ibm(this.ruleOf(error).lem);
  }

  /** What the outcome leaves in memory. */
  writesOf({ writes = [] }: Outcome): { readonly address: number; readonly bytes: Uint8Array }[] {
    return [...writes];
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
    const detail = { address: BigInt(address) };
    const target = this.window(address);
    if (!target) return [{ why: 'no window', error: 'no-window', ...failed }];
    const { pe, pciAddress } = target;
    if (this.frozen.mmio.has(pe)) return [{ why: `PE ${pe} is frozen`, ...failed }];
    if (this.injectionHits('mmio', direction, BigInt(address))) {
      const error = direction === 'read' ? 'papr-load' : 'papr-store';
      return [{ why: 'injected', error, pe, detail, ...failed, ...this.spent() }];
    }
    if (direction === 'write') {
      return [{ why: 'posted', sent: [`MWr ${hex(pciAddress)} ${value.toString(16).padStart(2 * size, '0')}`] }];
    }
    const end = loadEnd(answer, pciAddress, size);
    return [{ why: answer, pe, detail, sent: [`MRd ${hex(pciAddress)} ${size}`], ...end }];
  }

  private window(address: number): { pe: number; pciAddress: bigint } | undefined {
    const { m32, m64, segments } = this.layout;
    if (address >= m64.base && address < m64.base + segments * m64.segmentBytes) {
      const segment = Math.floor((address - m64.base) / m64.segmentBytes);
      const pe = this.overlay?.segment === segment ? this.overlay.pe : segment;
      return { pe, pciAddress: BigInt(address) };
    }
    if (address < m32.base || address >= m32.base + segments * m32.segmentBytes) return undefined;
    const offset = address - m32.base;
    return {
      pe: this.m32.get(Math.floor(offset / m32.segmentBytes))!,
      pciAddress: BigInt(m32.pciStart + offset),
    };
  }

  protected injectionHits(kind: InjectionRequest['kind'], direction: Direction, operand: bigint): boolean {
    const armed = this.injection;
    if (armed?.kind !== kind || armed.direction !== direction) return false;
    return this.operandMatches(armed, operand);
  }

  protected spent(): Pick<Outcome, 'remember'> {
    if (this.injection?.sticky || this.injectionStays === 'always') return {};
    return {
      remember: () => {
        this.injection = undefined;
      },
    };
  }

  // ---- from devices -----------------------------------------------------------------------------------------------

  /** What moves once a request was translated. */
  protected movement({ direction, length, seed }: DmaRequest, real: number): Partial<Outcome> {
    const moved = [{ direction, address: real, length }];
    if (direction === 'read') {
      return { moved, sent: [`CplD ${Buffer.from(this.memory.read(real, length)).toString('hex')}`] };
    }
    return { moved, writes: [{ address: real, bytes: Uint8Array.from({ length }, (_, at) => seed + at) }] };
  }

  /** Bridge control is not in reach of a fenced bridge, so the link stays up. */
  linkDown(kind: 'planned' | 'surprise'): Outcome[] {
    return [kind === 'surprise' && !this.fenced ? { why: 'link down', error: 'link-down' } : { why: 'nothing' }];
  }
}

/** A refused read is answered with Completer Abort, a refused write is dropped. */
export function refusal({ direction }: DmaRequest): Partial<Outcome> {
  return direction === 'read' ? { sent: ['Cpl CA'] } : {};
}

/** How a configuration cycle over the link ends: its packet, and its value or the name of its error. */
export function configEnd(
  cycle: { readonly rid: number; readonly direction: Direction; readonly answer: Answer },
  layout: ChipLayout,
): Outcome & { readonly ending: Answer } {
  const { rid, direction, answer } = cycle;
  const read = direction === 'read';
  const bus = rid >> 8;
  // The root port knows that a point-to-point link has one device.
  const nobody = bus === 1 && (rid & 0xf8) !== 0;
  const ending = nobody ? 'UR' : answer;
  const sent = nobody ? [] : [`${read ? 'CfgRd' : 'CfgWr'}${bus === 1 ? 0 : 1} ${hex(rid)}`];
  const value = read ? { answer: ending === 'data' ? layout.deviceIdentity : ones(4) } : {};
  return { why: ending, ending, sent, ...value };
}

function loadEnd(answer: Answer, pciAddress: bigint, size: number): Partial<Outcome> {
  if (answer !== 'data') return { answer: ones(size), error: answer === 'UR' ? 'completion-ur' : 'completion-ca' };
  let value = 0n;
  for (let at = 0n; at < BigInt(size); at++) value = (value << 8n) | ((pciAddress + at) & 0xffn);
  return { answer: value };
}
