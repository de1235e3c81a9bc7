/**
 * Message interrupts: address and data to a source number, the vector, the P/Q state machine, rejection, FFI.
 * Sources: qemu pnv_phb3_msi.c: phb3_msi_try_send, phb3_msi_reject; skiboot hw/phb3.c: phb3_pci_msi_check_q. Facts: ioda2-phb3 6.4.
 */
import { msbMask } from '../hw/bits.js';
import type { SystemMemory } from '../hw/memory.js';
import { TableStore } from '../hw/table.js';
import type { Tlp } from '../pcie/tlp.js';
import { Priority } from '../sim/priority.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import type { ErrorEventName } from './error-bits/events.js';
import { InterruptVectors, MSI_SOURCES, type VectorFault } from './interrupt-vectors.js';
import { IODA_TABLES } from './tables.js';
import type { Phb3Timing } from './timing.js';

const MASKED = 0xff;
const SERVER_LINK_BITS = 2;
const ISNS_PER_WORD = 64;
const MSI_ALIGNMENT_BYTES = 16;
const MSI_MOST_BYTES = 16;

/** Presents one message; false if presentation bounced it. */
export type PresentMessage = (isn: number, server: number, priority: number) => boolean;

const FAULT_EVENTS: Readonly<Record<VectorFault, ErrorEventName>> = {
  'table-disabled': 'table-bar-disabled',
  'out-of-range': 'msi-source',
  'memory-error': 'fetch-ue',
};

/** What is wrong with the form of a write into an MSI range. Comes before any look-up. Facts: ioda2-phb3 6.4.2 step 1. */
export function messageFault(tlp: Tlp): 'msi-size' | 'msi-alignment' | undefined {
  if (tlp.lengthBytes > MSI_MOST_BYTES) return 'msi-size';
  return tlp.addressLo % MSI_ALIGNMENT_BYTES === 0 ? undefined : 'msi-alignment';
}

/**
 * The source a message names: bits 10:5 stand in the address, 4:0 in the data. Addresses count from the start of each
 * range: the last 64 KiB below 4 GiB, and 1 MiB at 2^60. Source: qemu pnv_phb3_msi_send.
 */
export function messageSource(tlp: Tlp): number {
  const offset = tlp.addressLo & (tlp.addressHi === 0 ? 0xffff : 0xf_ffff);
  return (offset >>> 4) | ((tlp.data?.[0] ?? 0) & 0x1f);
}

export class MsiUnit {
  readonly vectors: InterruptVectors;
  /** Interrupts bounced by presentation, until they are presented again. */
  readonly rba = new TableStore(IODA_TABLES.RBA);
  readonly #sim: Simulator;
  readonly #timing: Phb3Timing;
  readonly #present: PresentMessage;
  readonly #represent: HandlerId;
  #represents: EventId | undefined;

  constructor(
    parts: { sim: Simulator; name: string; memory: SystemMemory; timing: Phb3Timing },
    present: PresentMessage,
  ) {
    this.#sim = parts.sim;
    this.#timing = parts.timing;
    this.#present = present;
    this.vectors = new InterruptVectors(parts.memory);
    this.#represent = parts.sim.handler(`${parts.name} rejected interrupts`, () => this.#representRejected());
  }

  /** A message of a PE that may interrupt. Returns the error it meets, if any. */
  receive(isn: number, pe: number): ErrorEventName | undefined {
    const fault = this.vectors.load(isn);
    if (fault !== undefined) return FAULT_EVENTS[fault];
    if (this.vectors.pe !== pe) return 'msi-pe-mismatch';
    this.#trigger(isn);
    return undefined;
  }

  /** FFI_REQUEST: software raises a source through the same path, without a PE check. */
  force(isn: number): void {
    if (this.vectors.load(isn) === undefined) this.#trigger(isn);
  }

  /** Facts: ioda2-phb3 6.4.3. A source already queued drops; a pending or masked one queues; else it is presented. */
  #trigger(isn: number): void {
    const { vectors } = this;
    if (vectors.queued) return;
    if (vectors.presented) vectors.queue();
    else this.#send(isn);
  }

  #send(isn: number): void {
    const { vectors } = this;
    if (vectors.priority === MASKED) {
      vectors.queue();
      return;
    }
    vectors.present();
    if (!this.#present(isn, vectors.server >>> SERVER_LINK_BITS, vectors.priority)) this.#rejected(isn);
  }

  #rejected(isn: number): void {
    const word = Math.floor(isn / ISNS_PER_WORD);
    this.rba.write(word, this.rba.read(word) | msbMask(isn % ISNS_PER_WORD));
    this.#represents ??= this.#sim.schedule(this.#timing.interruptRepresentNs.value, Priority.CHIP, this.#represent);
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
      if (this.vectors.load(isn) === undefined) this.#send(isn);
    }
  }

  reset(): void {
    this.vectors.reset();
    this.rba.resetAll();
    if (this.#represents !== undefined) this.#sim.cancel(this.#represents);
    this.#represents = undefined;
  }
}
