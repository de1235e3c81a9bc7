/**
 * Message interrupts: from address and data to an entry of the MVT, a vector of the MXIVT and a level.
 * Facts: ioda1-p7ioc 6.4. Sources: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_get_msi_32, p7ioc_get_msi_64, p7ioc_set_mve;
 * skiboot doc opal-pci-set-xive-pe-37.
 */
import { getField } from '../hw/bits.js';
import { TableStore } from '../hw/table.js';
import type { Tlp } from '../pcie/tlp.js';
import type { ErrorEventName } from './error-bits/events.js';
import { InterruptSources, type SendInterrupt } from './interrupt-sources.js';
import { ridFilter } from './rid-filter.js';
import { IODA_TABLES } from './tables.js';

const MVT = IODA_TABLES.MVT;
const MSI32_FIRST = 0xffff_0000;
/** In the high half of a 64-bit message address: the space, and the entry. */
const MSI64_SPACE = 0x9;
const SPACE_SHIFT = 28;
const MSI64_ENTRY_SHIFT = 16;
const MSI32_ENTRY_SHIFT = 4;
const ENTRY_MASK = 0xff;
/** Address bits of a 32-bit message above the entry's that must be zero. */
const MSI32_UNUSED = 0xf000;
const MESSAGE_BYTES = 4;

interface ValidationEntry {
  readonly valid: boolean;
  readonly pe: number;
  readonly mask: number;
  readonly value: number;
}
const INVALID: ValidationEntry = { valid: false, pe: 0, mask: 0, value: 0 };

export class MsiUnit {
  readonly sources: InterruptSources;
  readonly mvt = new TableStore(MVT, {
    onWrite: (index) => {
      this.#entries[index] = this.#decode(index);
    },
  });
  /** Which message ranges are taken out of the DMA space. */
  msi32: 'off' | 'on' = 'off';
  msi64: 'off' | 'on' = 'off';
  readonly #entries: ValidationEntry[] = new Array<ValidationEntry>(MVT.entries).fill(INVALID);

  constructor(send: SendInterrupt) {
    const { MIST: state, MXIVT: vectors } = IODA_TABLES;
    this.sources = new InterruptSources({ state, vectors, kind: 'message', send });
  }

  /** True where a write is no DMA but a message interrupt. */
  isMessageAddress(addressHi: number, addressLo: number): boolean {
    if (addressHi === 0) return addressLo >= MSI32_FIRST && this.msi32 === 'on';
    return addressHi >>> SPACE_SHIFT === MSI64_SPACE && this.msi64 === 'on';
  }

  /** What is wrong with the form of a message; comes before any look-up. */
  formFault(tlp: Tlp): 'msi-size' | 'msi-alignment' | undefined {
    if (tlp.lengthBytes !== MESSAGE_BYTES) return 'msi-size';
    return tlp.addressLo % MESSAGE_BYTES === 0 ? undefined : 'msi-alignment';
  }

  /** A well-formed message of a requester whose PE is not stopped. Returns the error it meets, if any. */
  receive(tlp: Tlp): ErrorEventName | undefined {
    const entry = this.#entryOf(tlp);
    if (entry === undefined) return 'msi-address';
    if (!entry.valid) return 'mve-invalid';
    if ((tlp.requesterId & entry.mask) !== entry.value) return 'mve-requester';
    const data = messageData(tlp);
    if (data >= this.sources.vectors.entries) return 'msi-data';
    if (Number(this.sources.vectors.field(data, 'PE')) !== entry.pe) return 'msi-pe-mismatch';
    this.sources.raise(data);
    return undefined;
  }

  #entryOf(tlp: Tlp): ValidationEntry | undefined {
    const isNarrow = tlp.addressHi === 0;
    if (isNarrow && (tlp.addressLo & MSI32_UNUSED) !== 0) return undefined;
    const index = isNarrow ? tlp.addressLo >>> MSI32_ENTRY_SHIFT : tlp.addressHi >>> MSI64_ENTRY_SHIFT;
    return this.#entries[index & ENTRY_MASK];
  }

  #decode(index: number): ValidationEntry {
    const entry = this.mvt.read(index);
    const field = (name: string): number => Number(getField(entry, MVT.field(name).at));
    return { valid: field('VALID') === 1, pe: field('PE'), ...ridFilter(field) };
  }

  reset(): void {
    this.sources.reset();
    this.mvt.resetAll();
    this.msi32 = 'off';
    this.msi64 = 'off';
  }
}

/** Message data are little-endian: the vector. */
export function messageData(tlp: Tlp): number {
  const data = tlp.data ?? new Uint8Array(MESSAGE_BYTES);
  return ((data[3] ?? 0) * 2 ** 24 + ((data[2] ?? 0) << 16) + ((data[1] ?? 0) << 8) + (data[0] ?? 0)) >>> 0;
}
