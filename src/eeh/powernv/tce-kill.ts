/**
 * How the kernel drops TCEs that a bridge may have cached: by PE and page, or by where the entries stand in memory.
 * Source: linux powernv/pci-ioda.c: pnv_pci_phb3_tce_invalidate, pnv_pci_p7ioc_tce_invalidate. Facts: ioda1-p7ioc 6.6.
 */
import { setField } from '../../hw/bits.js';
import type { HostPort } from '../../hw/host-port.js';
import type { NamedRegisterBank } from '../../hw/register.js';
import { PHB_REGISTERS as IODA1_REGISTERS } from '../../ioda1/registers/phb.js';
import { PHB_REGISTERS as IODA2_REGISTERS } from '../../ioda2/registers/phb.js';
import type { Process } from '../../sim/process.js';
import type { TceInvalidation } from './tce-table.js';

/** The register, as the device tree gives it. */
export interface TceKillRegister {
  readonly port: HostPort;
  readonly address: number;
}

/** Whose window it is, and its pages. */
export interface KilledWindow {
  readonly pe: number;
  readonly pageShift: number;
}

/** The field takes the address in units of 4 KiB, whatever the page size. */
const GRANULE_SHIFT = 12;
/** One store drops both entries of a pair. */
const PAIR_BYTES = 16;
const TCE_BYTES = 8;

export class Ioda2TceKill implements TceInvalidation {
  constructor(
    private readonly register: TceKillRegister,
    private readonly window: KilledWindow,
  ) {}

  /** Everything that is cached for the PE. */
  *all(): Process<void> {
    yield* this.store({ BY_PE: 1 });
  }

  *entries(page: number, count: number): Process<void> {
    for (let i = 0; i < count; i++) {
      yield* this.store({ ONE_PAGE: 1, ADDRESS: (page + i) * 2 ** (this.window.pageShift - GRANULE_SHIFT) });
    }
  }

  private *store(fields: Readonly<Record<string, number>>): Process<void> {
    yield* this.register.port.store(
      this.register.address,
      8,
      word(IODA2_REGISTERS, 'PHB_TCE_KILL', { ...fields, PE: this.window.pe }),
    );
  }
}

export class Ioda1TceKill implements TceInvalidation {
  constructor(private readonly register: TceKillRegister) {}

  *entries(_page: number, count: number, entryAddress: number): Process<void> {
    const end = entryAddress + (count - 1) * TCE_BYTES;
    for (let at = entryAddress - (entryAddress % PAIR_BYTES); at <= end; at += PAIR_BYTES) {
      const value = word(IODA1_REGISTERS, 'PHB_TCE_KILL', { PAIR: 1, ADDRESS: at / PAIR_BYTES });
      yield* this.register.port.store(this.register.address, 8, value);
    }
  }
}

function word(bank: NamedRegisterBank, register: string, fields: Readonly<Record<string, number>>): bigint {
  return Object.entries(fields).reduce(
    (value, [name, field]) => setField(value, bank.field(register, name).at, BigInt(field)),
    0n,
  );
}
