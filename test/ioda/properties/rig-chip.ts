/** What both chips do alike behind the interface of the properties: the card, the processor, and the watch over memory. */
import { msbMask } from '../../../src/hw/bits.js';
import type { AccessSize } from '../../../src/hw/host-port.js';
import {
  type ErrorMessage,
  errorMessage,
  MessageCode,
  memoryRead,
  memoryWrite,
  message,
  type Tlp,
} from '../../../src/pcie/tlp.js';
import { ms, type TimeNs, us } from '../../../src/sim/time.js';
import type * as p7ioc from '../../ioda1/rig.js';
import { halves } from '../../ioda1/rig.js';
import type * as phb3 from '../../ioda2/rig.js';
import type {
  Answer,
  ChipLayout,
  DmaRequest,
  Half,
  InjectionRequest,
  IodaChip,
  MsiRequest,
  Observation,
} from './chip.js';
import { MemoryWatch } from './memory-watch.js';

/** Longer than any path through the chip and over the wire. */
const SETTLE_NS: TimeNs = us(20);
const LONGER_THAN_TIMEOUT_NS: TimeNs = ms(17);
const INJECT = { mmio: msbMask(1), config: msbMask(3), dma: msbMask(0) } as const;
const INJECT_DIRECTION = { read: msbMask(4), write: msbMask(5) } as const;
const INJECT_STICKY = msbMask(2);
const BRIDGE_CONTROL = 0x3e;
const FROZEN = msbMask(0);

export const PEST_HALF = { mmio: 'PESTA', dma: 'PESTB' } as const satisfies Record<Half, string>;

/** Port events of the core that are enabled, with and without those of the link. */
export interface LinkEvents {
  readonly surprise: bigint;
  readonly planned: bigint;
}

/** The chip past its doors. */
interface Inside {
  readonly registers: { peek(name: 'PHB_LEM_FIR_ACCUM'): bigint };
  peekTable(table: 'PESTA' | 'PESTB' | 'PEEV', index: number): bigint;
}

export abstract class RigChip<R extends p7ioc.Rig | phb3.Rig> implements IodaChip {
  abstract readonly layout: ChipLayout;
  protected abstract readonly linkEvents: LinkEvents;
  protected abstract readonly phb: Inside;
  private readonly watch: MemoryWatch;
  private sent: Tlp[] = [];

  constructor(readonly rig: R) {
    this.watch = new MemoryWatch(rig.memory);
    rig.link.up.observe((tlp) => this.sent.push(tlp));
  }

  // ---- what each chip has its own way for -------------------------------------------------------------------------

  abstract setRte(rid: number, rte: number): void;
  abstract invalidateRtc(rid: number | 'all'): void;
  abstract setPeltv(pe: number, row: readonly number[]): void;
  abstract setTve(index: number, value: bigint): void;
  abstract openWindow(window: { readonly pe: number; readonly rid: number; readonly table: number }): bigint;
  abstract killTces(scope: { readonly pe: number | 'all'; readonly address?: bigint }): void;
  abstract setM32Segment(segment: number, pe: number): void;
  abstract setOverlay(state: 'on' | 'off', segment: number, pe: number): void;
  abstract setVector(isn: number, vector: { readonly pe: number; readonly priority: number }): void;
  abstract forceFence(): void;
  abstract reset(): void;
  abstract configRead(rid: number, pe: number, answer: Answer): Observation;
  abstract configWrite(rid: number, pe: number, answer: Answer): Observation;
  abstract msi(request: MsiRequest): Observation;
  abstract initialTves(): readonly (readonly [index: number, value: bigint])[];
  abstract isFenced(): boolean;
  abstract heldVector(isn: number): Uint8Array;
  abstract stateOf(what: { readonly pe: number } | { readonly isn: number }): string;
  /** The source number of a message interrupt; undefined for one of another kind. */
  protected abstract messageOf(irq: number): number | undefined;

  // ---- software ---------------------------------------------------------------------------------------------------

  setTce(address: number, value: bigint): void {
    this.rig.memory.write64(address, value);
  }

  setFreeze(pe: number, half: Half, frozen: boolean): void {
    this.rig.setIoda(PEST_HALF[half], pe, frozen ? FROZEN : 0n);
  }

  writeSummary(word: number, value: bigint): void {
    this.rig.setIoda('PEEV', word, value);
  }

  clearErrors(): void {
    this.rig.clearErrors();
  }

  inject({ kind, direction, address, mask, sticky }: InjectionRequest): void {
    this.rig.write('PHB_PAPR_ERR_INJ_CTL', 0n);
    this.rig.write('PHB_PAPR_ERR_INJ_ADDR', address);
    this.rig.write('PHB_PAPR_ERR_INJ_MASK', mask);
    const control = INJECT[kind] | INJECT_DIRECTION[direction] | (sticky ? INJECT_STICKY : 0n);
    this.rig.write('PHB_PAPR_ERR_INJ_CTL', control);
  }

  // ---- observed operations ----------------------------------------------------------------------------------------

  load(address: number, size: AccessSize, answer: Answer): Observation {
    return this.observed(() => {
      this.rig.card.answers.push(answer);
      return this.rig.load(address, size);
    });
  }

  store(address: number, size: AccessSize, value: bigint): Observation {
    return this.observed(() => {
      this.rig.store(address, size, value);
      return undefined;
    });
  }

  protected configuring(answer: Answer, cycle: () => bigint | undefined): Observation {
    return this.observed(() => {
      this.rig.card.answers.push(answer);
      const value = cycle();
      if (value === undefined && answer === 'nothing') this.rig.run(LONGER_THAN_TIMEOUT_NS);
      return value;
    });
  }

  dma({ rid, direction, address, length, seed, poisoned }: DmaRequest): Observation {
    const at = halves(address);
    const tlp =
      direction === 'read'
        ? memoryRead({ requesterId: rid, tag: 7 }, at, length)
        : { ...memoryWrite(rid, at, payload(seed, length)), ...(poisoned ? { poisoned } : {}) };
    return this.arriving(tlp);
  }

  errorMessage(rid: number, kind: ErrorMessage): Observation {
    return this.arriving(errorMessage(rid, kind));
  }

  pinMessage(rid: number, pin: number, asserted: boolean): Observation {
    return this.arriving(message(rid, (asserted ? MessageCode.ASSERT_INTA : MessageCode.DEASSERT_INTA) + pin));
  }

  strayCompletion(tag: number): Observation {
    return this.arriving({
      ...{ kind: 'Cpl', requesterId: 0, tag, addressHi: 0, addressLo: 0, lengthBytes: 0 },
      ...{ completerId: 0x0100, status: 'SC', byteCount: 4, lowerAddress: 0 },
    });
  }

  dropLink(kind: 'planned' | 'surprise'): Observation {
    const rig: p7ioc.Rig | phb3.Rig = this.rig;
    rig.write('UTL_PCIE_PORT_STATUS', ALL_ONES);
    rig.write('UTL_PCIE_PORT_IRQ_EN', this.linkEvents[kind]);
    const seen = this.observed(() => {
      rig.setConfig(0, BRIDGE_CONTROL, [0x42, 0]);
      rig.run(ms(1));
      rig.setConfig(0, BRIDGE_CONTROL, [0x02, 0]);
      rig.run(ms(400));
      return undefined;
    });
    rig.write('UTL_PCIE_PORT_STATUS', ALL_ONES);
    rig.write('UTL_PCIE_PORT_IRQ_EN', this.linkEvents.surprise);
    return seen;
  }

  protected arriving(tlp: Tlp): Observation {
    return this.observed(() => {
      this.rig.card.send(tlp);
      return undefined;
    });
  }

  private observed(operation: () => bigint | undefined): Observation {
    this.drain();
    const answer = operation();
    this.rig.run(SETTLE_NS);
    this.rig.card.answers.length = 0;
    return this.drain(answer);
  }

  /** What happened since the last look. */
  protected drain(answer?: bigint): Observation {
    const sent = describeSent(this.sent);
    this.sent = [];
    const { accesses } = this.watch;
    this.watch.accesses = [];
    return {
      ...{ answer, sent, interrupts: this.acceptInterrupts() },
      moved: accesses.filter(({ address }) => !this.inTables(address)),
      written: accesses.filter(({ direction }) => direction === 'write'),
    };
  }

  private inTables(address: number): boolean {
    return this.layout.tableRegions.some(([base, bytes]) => address >= base && address < base + bytes);
  }

  /** The processor takes what is pending and ends the messages; levels stay in service while they are up. */
  private acceptInterrupts(): number[] {
    const isns: number[] = [];
    const { interrupts } = this.rig;
    for (let taken = interrupts.take(); taken !== undefined; taken = interrupts.take()) {
      const isn = this.messageOf(taken.irq);
      if (isn === undefined) continue;
      interrupts.eoi(taken.irq);
      isns.push(isn);
    }
    return isns;
  }

  // ---- a look inside ----------------------------------------------------------------------------------------------

  pestWord(pe: number, half: Half): bigint {
    return this.phb.peekTable(PEST_HALF[half], pe);
  }

  summaryWord(word: number): bigint {
    return this.phb.peekTable('PEEV', word);
  }

  localErrors(): bigint {
    return this.phb.registers.peek('PHB_LEM_FIR_ACCUM');
  }

  frozen(pe: number, half: Half): boolean {
    return this.pestWord(pe, half) >> 63n === 1n;
  }

  memory(address: number, length: number): Uint8Array {
    return this.watch.unseen(() => this.rig.memory.readBlock(address, length));
  }

  protected bytes(address: number, length: number): string {
    return Buffer.from(this.memory(address, length)).toString('hex');
  }

  digest(): string {
    return this.rig.machine.sim.digest();
  }
}

const ALL_ONES = (1n << 64n) - 1n;

function payload(seed: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => seed + at);
}

function describeSent(tlps: readonly Tlp[]): string[] {
  const lines: string[] = [];
  let read = '';
  for (const tlp of tlps) {
    const data = Buffer.from(tlp.data ?? []).toString('hex');
    const address = ((BigInt(tlp.addressHi) << 32n) | BigInt(tlp.addressLo)).toString(16);
    if (tlp.kind === 'CplD') read += data;
    else if (tlp.kind === 'Cpl') lines.push(`Cpl ${tlp.status}`);
    else if (tlp.targetId !== undefined) lines.push(`${tlp.kind} ${tlp.targetId.toString(16)}`);
    else lines.push(`${tlp.kind} ${address} ${tlp.kind === 'MRd' ? tlp.lengthBytes : data}`);
  }
  return read === '' ? lines : [...lines, `CplD ${read}`];
}
