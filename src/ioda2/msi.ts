/**
 * Message interrupts: address and data to a source number, the vector in memory, the P/Q state machine, FFI.
 * Sources: qemu pnv_phb3_msi.c: phb3_msi_try_send, phb3_msi_reject; skiboot hw/phb3.c: phb3_pci_msi_check_q. Facts: ioda2-phb3 6.4.
 * The vector cache (IVC) is off under newest firmware and not modelled: every access reads memory.
 */
import { getField, msbMask, setField } from '../hw/bits.js';
import type { SystemMemory } from '../hw/memory.js';
import { TableStore } from '../hw/table.js';
import type { Tlp } from '../pcie/tlp.js';
import { Priority } from '../sim/priority.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import type { ErrorEventName } from './error-bits/events.js';
import { IODA_TABLES, MEMORY_TABLES } from './tables.js';
import { PHB3_TIMING } from './timing.js';

/** Sources a PHB has at all; the last eight are the LSIs. */
export const MSI_SOURCES = MEMORY_TABLES.IVT.entries;

/** Only the first doubleword of a vector counts, whatever the stride. */
const IVE = MEMORY_TABLES.IVT;
const VECTOR_BYTES = 8;
const at = (name: string) => IVE.field(name).at;

const MASKED = 0xff;
const SERVER_LINK_BITS = 2;
const ISNS_PER_WORD = 64;
const MSI_ALIGNMENT_BYTES = 16;
const MSI_MOST_BYTES = 16;

/** Presents one message; false if presentation bounced it. */
export type PresentMessage = (isn: number, server: number, priority: number) => boolean;

/** Sources count from the start of each range: the last 64 KiB below 4 GiB, and 1 MiB at 2^60. */
function offsetInRange(tlp: Tlp): number {
  return tlp.addressLo & (tlp.addressHi === 0 ? 0xffff : 0xf_ffff);
}

export class MsiUnit {
  /** Interrupts bounced by presentation, until they are presented again. */
  readonly rba = new TableStore(IODA_TABLES.RBA);
  readonly #sim: Simulator;
  readonly #memory: SystemMemory;
  readonly #present: PresentMessage;
  readonly #represent: HandlerId;
  #represents: EventId | undefined;
  #base: number | undefined;
  #entries = 0;
  #strideBytes = 16;

  constructor(parts: { sim: Simulator; name: string; memory: SystemMemory }, present: PresentMessage) {
    this.#sim = parts.sim;
    this.#memory = parts.memory;
    this.#present = present;
    this.#represent = parts.sim.handler(`${parts.name} rejected interrupts`, () => this.#representRejected());
  }

  /** PHB_IVT_BAR: base and number of vectors; `undefined` while disabled. */
  setTable(base: number | undefined, entries: number): void {
    this.#base = base;
    this.#entries = entries;
  }

  /** PHB_CONTROL bit 24: vectors stand 128 bytes apart, else 16. */
  setStride(bytes: 16 | 128): void {
    this.#strideBytes = bytes;
  }

  /** A write into an MSI range. Returns the error it meets, if any; the caller has checked that the PE may interrupt. */
  receive(tlp: Tlp, pe: number): ErrorEventName | undefined {
    if (tlp.lengthBytes > MSI_MOST_BYTES) return 'msi-size';
    if (tlp.addressLo % MSI_ALIGNMENT_BYTES !== 0) return 'msi-alignment';
    const isn = (offsetInRange(tlp) >>> 4) | ((tlp.data?.[0] ?? 0) & 0x1f);
    if (this.#base === undefined) return 'table-bar-disabled';
    if (isn >= this.#entries || isn >= MSI_SOURCES) return 'msi-source';
    const vector = this.#vector(isn);
    if (!this.#memory.contains(vector, VECTOR_BYTES)) return 'fetch-ue';
    if (Number(getField(this.#memory.read64(vector), at('PE'))) !== pe) return 'msi-pe-mismatch';
    this.#trigger(isn, vector);
    return undefined;
  }

  /** FFI_REQUEST: software raises a source through the same path, without a PE check. */
  force(isn: number): void {
    if (this.#base === undefined || isn >= this.#entries) return;
    const vector = this.#vector(isn);
    if (this.#memory.contains(vector, VECTOR_BYTES)) this.#trigger(isn, vector);
  }

  #vector(isn: number): number {
    return (this.#base ?? 0) + isn * this.#strideBytes;
  }

  /** Facts: ioda2-phb3 6.4.3. A source already queued drops; a pending or masked one queues; else it is presented. */
  #trigger(isn: number, vector: number): void {
    const entry = this.#memory.read64(vector);
    if (getField(entry, at('Q')) === 1n) return;
    if (getField(entry, at('P')) === 1n) this.#setBit(vector, 'Q');
    else this.#send(isn, vector);
  }

  /** P and Q live in bytes of their own: software writes the rest of the entry at the same time. */
  #send(isn: number, vector: number): void {
    const entry = this.#memory.read64(vector);
    const field = (name: string): number => Number(getField(entry, at(name)));
    if (field('PRIORITY') === MASKED) {
      this.#setBit(vector, 'Q');
      return;
    }
    this.#setBit(vector, 'P');
    if (!this.#present(isn, field('SERVER') >> SERVER_LINK_BITS, field('PRIORITY'))) this.#rejected(isn);
  }

  #setBit(vector: number, name: 'P' | 'Q'): void {
    const byte = Math.floor(at(name).first / 8);
    const within = { first: at(name).first % 8, last: at(name).first % 8 };
    const old = BigInt(this.#memory.read8(vector + byte));
    this.#memory.write8(vector + byte, Number(setField(old, within, 1n, 8)));
  }

  #rejected(isn: number): void {
    const word = Math.floor(isn / ISNS_PER_WORD);
    this.rba.write(word, this.rba.read(word) | msbMask(isn % ISNS_PER_WORD));
    this.#represents ??= this.#sim.schedule(PHB3_TIMING.interruptRepresent.ns, Priority.CHIP, this.#represent);
  }

  /** Each bounced interrupt is sent anew as if it were neither pending nor queued. Source: qemu phb3_msi_resend. */
  #representRejected(): void {
    this.#represents = undefined;
    for (let isn = 0; isn < MSI_SOURCES; isn++) {
      const word = Math.floor(isn / ISNS_PER_WORD);
      const mask = msbMask(isn % ISNS_PER_WORD);
      const rejected = this.rba.read(word);
      if ((rejected & mask) === 0n) continue;
      this.rba.write(word, rejected & ~mask);
      const vector = this.#vector(isn);
      if (this.#base !== undefined && this.#memory.contains(vector, VECTOR_BYTES)) this.#send(isn, vector);
    }
  }

  reset(): void {
    this.#base = undefined;
    this.#entries = 0;
    this.#strideBytes = 16;
    this.rba.resetAll();
    if (this.#represents !== undefined) this.#sim.cancel(this.#represents);
    this.#represents = undefined;
  }
}
