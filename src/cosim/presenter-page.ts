/**
 * The register page of the interrupt presentation controller of one thread, where QEMU's powernv8 has it.
 * Source: qemu hw/intc/xics_pnv.c: pnv_icp_read, pnv_icp_write; a doubleword goes as two words.
 */
import { fromHalves, hiOf, loOf } from '../hw/bits.js';
import type { AccessSize } from '../hw/host-port.js';
import type { BusTarget, SystemBus } from '../hw/system-bus.js';
import { type InterruptPresenter, THREAD_SERVER } from './interrupt-presenter.js';

const PAGE_BYTES = 0x1000;
export const PRESENTER_PAGE = 0x3_ffff_8000_0000 + THREAD_SERVER * PAGE_BYTES;

/** Offsets of the words. */
const XIRR_POLL = 0x00;
const XIRR = 0x04;
const MFRR = 0x0c;
/** Three words of storage that nothing looks at. */
const LINKS: readonly number[] = [0x10, 0x14, 0x18];
const ONES = 0xffff_ffff;

export class PresenterPage implements BusTarget {
  private readonly links = new Uint32Array(LINKS.length);

  constructor(
    private readonly bus: SystemBus,
    private readonly presenter: InterruptPresenter,
  ) {}

  claims(address: number): boolean {
    return address >= PRESENTER_PAGE && address < PRESENTER_PAGE + PAGE_BYTES;
  }

  load(address: number, size: AccessSize, ticket: number): void {
    const offset = address - PRESENTER_PAGE;
    const value =
      size === 8 ? fromHalves(this.read(offset, 4), this.read(offset + 4, 4)) : BigInt(this.read(offset, size));
    this.bus.complete(ticket, value);
  }

  store(address: number, size: AccessSize, value: bigint): void {
    const offset = address - PRESENTER_PAGE;
    if (size === 8) {
      this.write(offset, 4, hiOf(value));
      this.write(offset + 4, 4, loOf(value));
    } else this.write(offset, size, loOf(value));
  }

  /** The byte of a register is its first one; other parts of a word read ones. */
  private read(offset: number, size: AccessSize): number {
    const { presenter } = this;
    const part = size === 4 ? 'word' : size === 1 && offset % 4 === 0 ? 'byte' : 'other';
    const word = offset - (offset % 4);
    if (word === XIRR_POLL) return part === 'byte' ? presenter.xirr >>> 24 : presenter.xirr;
    if (word === XIRR && part === 'word') return presenter.takeShown();
    if (word === XIRR && part === 'byte') return presenter.xirr >>> 24;
    if (word === MFRR && part === 'byte') return presenter.mfrr;
    const link = LINKS.indexOf(word);
    return link !== -1 && part === 'word' ? this.links[link]! : ONES;
  }

  private write(offset: number, size: AccessSize, value: number): void {
    const { presenter } = this;
    const link = LINKS.indexOf(offset);
    if (size === 4 && offset === XIRR) presenter.end(value);
    else if (size === 1 && offset === XIRR) presenter.setPriority(value);
    else if (size === 1 && offset === MFRR) presenter.mfrr = value;
    else if (size === 4 && link !== -1) this.links[link] = value;
  }
}
