/**
 * One PHB3 brought up by the firmware of this project, with a card that tests command in PE 5. Software goes through
 * OPAL calls and the processor's loads and stores, the card through packets.
 */
import { msbMask } from '../../src/hw/bits.js';
import { SyncHost } from '../../src/hw/sync-host.js';
import { PBCQ_NEST_REGISTERS, PBCQ_SCOM_RANGES, type PbcqNestRegisterName } from '../../src/ioda2/registers/pbcq.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../src/ioda2/registers/phb.js';
import { PowerNv8 } from '../../src/machine/powernv8.js';
import { Opal } from '../../src/opal/opal.js';
import {
  BusCompare,
  PeAction,
  PeltvAction,
  ResetAssert,
  ResetScope,
  RidCompare,
  WindowType,
} from '../../src/opal/opal-api.js';
import { type ErrorMessage, errorMessage, memoryRead, memoryWrite, type Tlp } from '../../src/pcie/tlp.js';
import { delay, type Process } from '../../src/sim/process.js';
import { ms, us } from '../../src/sim/time.js';
import { Card } from './card.js';
import { halves, hex, M32_BASE, M32_SEGMENT, PE, RID } from './rig.js';

const HEAP = 0x3000_0000;
const MEMORY_BYTES = 2 ** 30;
/** Memory of the operating system: its TCE table, and the page that TCE 1 maps for reading and writing. */
const TCE_TABLE = 0x0100_0000;
export const DMA_PAGE = 0x0200_0000;
const { nest, pci, spci } = PBCQ_SCOM_RANGES;
const ALL_OF_RID = { bus: BusCompare.ALL, device: RidCompare.COMPARE, function: RidCompare.COMPARE };

export class FirmwareBench {
  readonly card = new Card();
  readonly machine = new PowerNv8({ memory: { sizeBytes: MEMORY_BYTES }, slot: () => this.card });
  readonly opal: Opal;
  private readonly host = new SyncHost(this.machine.bus);

  constructor() {
    const phbs = [{ index: 0, nest: nest.base, pci: pci.base, spci: spci.base }];
    this.opal = new Opal(this.machine.cpu(), { heapBase: HEAP, phbs });
    this.call(this.opal.boot());
    this.call(this.resetSlot(ResetScope.PCI_FUNDAMENTAL));
  }

  /** What an operating system does before it lets a driver loose: bus numbers, PE, windows, one DMA page. */
  withCardInPe(pe: number): this {
    const { opal } = this;
    this.call(opal.pciConfigWrite(0, { bdfn: 0, offset: 0x18, size: 4 }, 0x00ff_0100));
    this.call(opal.pciConfigWrite(0, { bdfn: 0, offset: 0x04, size: 2 }, 0x0146));
    this.call(opal.pciSetPe(0, { pe, rid: RID, match: ALL_OF_RID, action: PeAction.MAP }));
    this.call(opal.pciSetPeltv(0, pe, pe, PeltvAction.ADD));
    this.call(opal.pciMapPeMmioWindow(0, { pe, type: WindowType.M32, window: 0, segment: pe }));
    this.call(
      opal.pciMapPeDmaWindow(0, {
        ...{ pe, window: 2 * pe, levels: 1, pageBytes: 0x1000n },
        ...{ tableAddress: BigInt(TCE_TABLE), tableBytes: 0x1000n },
      }),
    );
    this.setTce(1, BigInt(DMA_PAGE) | 3n);
    return this;
  }

  call<T>(process: Process<T>): T {
    return this.machine.sim.complete('test', process);
  }

  /** A reset by its OPAL call, polled to its end as an operating system does. */
  *resetSlot(scope: number): Process<number> {
    for (let waitMs = yield* this.opal.pciReset(0, scope, ResetAssert.ASSERT); ; waitMs = yield* this.opal.pciPoll(0)) {
      if (waitMs <= 0) return waitMs;
      yield* delay(ms(waitMs));
    }
  }

  setTce(page: number, tce: bigint): void {
    this.machine.memory.write64(TCE_TABLE + 8 * page, tce);
  }

  get tables() {
    return this.opal.deviceTree()[0]!.tables!;
  }

  // ---- the chip by its doors --------------------------------------------------------------------------------------

  read(name: PhbRegisterName): bigint {
    return this.host.load(this.address(name), 8);
  }

  write(name: PhbRegisterName, value: bigint): void {
    this.host.store(this.address(name), 8, value);
  }

  private address(name: PhbRegisterName): number {
    return this.machine.addressMap.phbBase(0) + PHB_REGISTERS.get(name).offset;
  }

  asbRead(name: PhbRegisterName): bigint {
    this.host.scomWrite(spci.base, BigInt(PHB_REGISTERS.get(name).offset));
    return this.host.scomRead(spci.base + 2);
  }

  nest(name: PbcqNestRegisterName): bigint {
    return this.host.scomRead(nest.base + PBCQ_NEST_REGISTERS.get(name).offset);
  }

  setNest(name: PbcqNestRegisterName, value: bigint): void {
    this.host.scomWrite(nest.base + PBCQ_NEST_REGISTERS.get(name).offset, value);
  }

  load(address = M32_BASE + PE * M32_SEGMENT): bigint {
    return this.host.load(address, 4);
  }

  /** PEs that PEEV names. */
  frozenPes(): number[] {
    this.write('PHB_IODA_ADDR', msbMask(0) | (20n << 48n));
    const words = [0, 1, 2, 3].map(() => this.read('PHB_IODA_DATA0'));
    return Array.from({ length: 256 }, (_, pe) => pe).filter((pe) => (words[pe >> 6]! & msbMask(pe & 63)) !== 0n);
  }

  /** The PEST entry as diagnostics show it: memory, with the freeze bits of the chip. */
  pest(pe: number): [a: string, b: string] {
    const entry = this.tables.pest.address + 16 * pe;
    const { memory, phbs } = this.machine;
    return [
      hex(memory.read64(entry) | phbs[0]!.peekTable('PESTA', pe)),
      hex(memory.read64(entry + 8) | phbs[0]!.peekTable('PESTB', pe)),
    ];
  }

  // ---- the card ---------------------------------------------------------------------------------------------------

  dmaWrite(address: bigint, data: readonly number[]): void {
    this.arriving(memoryWrite(RID, halves(address), Uint8Array.from(data)));
  }

  /** Status of the completions of a read. */
  dmaRead(address: bigint): (string | undefined)[] {
    const before = this.card.got('Cpl', 'CplD').length;
    this.arriving(memoryRead({ requesterId: RID, tag: 3 }, halves(address), 4));
    return this.card
      .got('Cpl', 'CplD')
      .slice(before)
      .map(({ status }) => status);
  }

  sendError(kind: ErrorMessage): void {
    this.arriving(errorMessage(RID, kind));
  }

  private arriving(tlp: Tlp): void {
    this.card.send(tlp);
    this.machine.sim.run({ untilNs: this.machine.sim.now + us(20) });
  }
}
