/** PHB3 behind the interface of the properties: the rig's doors, and a watch over every access the chip makes to memory. */
import { msbMask, msbMasks } from '../../../src/hw/bits.js';
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
import {
  booted,
  halves,
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
  RESERVED_PE,
  type Rig,
  RTT,
  sharedM64,
  singleM64,
  TCES,
} from '../rig.js';
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

const IVE_BYTES = 128;
const TABLE_BYTES = 6 * 4096;

const LAYOUT: ChipLayout = {
  peCount: 256,
  reservedPe: RESERVED_PE,
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
  m32: { base: M32_BASE, segmentBytes: M32_SEGMENT, pciStart: 0x8000_0000 },
  m64: { base: M64_BASE, segmentBytes: M64_SEGMENT },
};

/** Longer than any path through the chip and over the wire. */
const SETTLE_NS: TimeNs = us(20);
const LONGER_THAN_TIMEOUT_NS: TimeNs = ms(17);
const LSI_FIRST = 0x7f8;

const INJECT = { mmio: msbMask(1), config: msbMask(3), dma: msbMask(0) } as const;
const INJECT_DIRECTION = { read: msbMask(4), write: msbMask(5) } as const;
const INJECT_STICKY = msbMask(2);
const FORCE_FENCE = msbMasks(24, 25, 26, 27);
const BRIDGE_CONTROL = 0x3e;

type Half64 = 'PESTA' | 'PESTB';
const PEST_HALF: Readonly<Record<Half, Half64>> = { mmio: 'PESTA', dma: 'PESTB' };

export class Phb3Chip implements IodaChip {
  readonly layout = LAYOUT;
  private readonly watch: MemoryWatch;
  private sent: Tlp[] = [];

  constructor(readonly rig: Rig = booted()) {
    this.watch = new MemoryWatch(rig.memory);
    rig.link.up.observe((tlp) => this.sent.push(tlp));
    this.drain();
  }

  private get phb() {
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

  setTce(address: number, value: bigint): void {
    this.rig.memory.write64(address, value);
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

  setFreeze(pe: number, half: Half, frozen: boolean): void {
    this.rig.setIoda(PEST_HALF[half], pe, frozen ? msbMask(0) : 0n);
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

  load(address: number, size: AccessSize, answer: Answer): Observation {
    return this.observed(() => {
      this.rig.card.answers.push(answer);
      return this.rig.load(address, size);
    });
  }

  store(address: number, size: AccessSize, value: bigint): Observation {
    return this.observed(() => {
      this.rig.store(address, size, value);
    });
  }

  configRead(rid: number, pe: number, answer: Answer): Observation {
    return this.observed(() => {
      this.rig.card.answers.push(answer);
      return this.rig.config(rid, 0, 4, pe);
    });
  }

  configWrite(rid: number, pe: number, answer: Answer): Observation {
    return this.observed(() => {
      this.rig.card.answers.push(answer);
      this.rig.setConfig(rid, 0x40, [1, 2], pe);
      if (answer === 'nothing') this.rig.run(LONGER_THAN_TIMEOUT_NS);
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

  msi({ rid, isn, bits }: MsiRequest): Observation {
    const offset = (isn << 4) & 0xfe00;
    const at = bits === 32 ? { hi: 0, lo: (0xffff_0000 | offset) >>> 0 } : { hi: 0x1000_0000, lo: offset };
    return this.arriving(memoryWrite(rid, at, Uint8Array.of(isn & 0x1f, 0, 0, 0)));
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
    const { rig } = this;
    rig.write('UTL_PCIE_PORT_STATUS', ONES);
    rig.write('UTL_PCIE_PORT_IRQ_EN', kind === 'planned' ? LINK_IRQS & ~msbMask(11) : LINK_IRQS);
    const seen = this.observed(() => {
      rig.setConfig(0, BRIDGE_CONTROL, [0x42, 0]);
      rig.run(ms(1));
      rig.setConfig(0, BRIDGE_CONTROL, [0x02, 0]);
      rig.run(ms(400));
    });
    rig.write('UTL_PCIE_PORT_STATUS', ONES);
    rig.write('UTL_PCIE_PORT_IRQ_EN', LINK_IRQS);
    return seen;
  }

  private arriving(tlp: Tlp): Observation {
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
  private drain(answer?: bigint): Observation {
    const sent = describeSent(this.sent);
    this.sent = [];
    const { accesses } = this.watch;
    this.watch.accesses = [];
    return {
      ...{ answer, sent, interrupts: this.acceptInterrupts() },
      moved: accesses.filter(({ address }) => !inTables(address)),
      written: accesses.filter(({ direction }) => direction === 'write'),
    };
  }

  /** The processor takes what is pending and ends the messages; levels stay in service while they are up. */
  private acceptInterrupts(): number[] {
    const isns: number[] = [];
    for (let taken = this.rig.interrupts.take(); taken !== undefined; taken = this.rig.interrupts.take()) {
      const isn = taken.irq - IRQ_BASE;
      if (isn >= LSI_FIRST) continue;
      this.rig.interrupts.eoi(taken.irq);
      isns.push(isn);
    }
    return isns;
  }

  // ---- a look inside ----------------------------------------------------------------------------------------------

  initialTves(): readonly (readonly [index: number, value: bigint])[] {
    return Array.from({ length: 512 }, (_, index) => [index, this.phb.peekTable('TVT', index)] as const).filter(
      ([, value]) => value !== 0n,
    );
  }

  frozen(pe: number, half: Half): boolean {
    return this.phb.peekTable(PEST_HALF[half], pe) !== 0n;
  }

  summaryWord(word: number): bigint {
    return this.phb.peekTable('PEEV', word);
  }

  localErrors(): bigint {
    return this.phb.registers.peek('PHB_LEM_FIR_ACCUM');
  }

  isFenced(): boolean {
    return (this.phb.pbcq.nest.peek('NFIR') & msbMask(16)) !== 0n;
  }

  memory(address: number, length: number): Uint8Array {
    return this.watch.unseen(() => this.rig.memory.readBlock(address, length));
  }

  digest(): string {
    return this.rig.machine.sim.digest();
  }
}

function payload(seed: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => seed + at);
}

function inTables(address: number): boolean {
  return LAYOUT.tableRegions.some(([base, bytes]) => address >= base && address < base + bytes);
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
