/**
 * Register and interrupt control of the hub: its interrupt tables and its one interrupt, table lock, and resets of PHBs.
 * Facts: ioda1-p7ioc 3.5, 3.6. Sources: skiboot p7ioc hw/p7ioc-inits.c: p7ioc_init_RGC; skiboot p7ioc hw/p7ioc.c:
 * p7ioc_rgc_set_xive; skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_reset.
 */
import { getField, msbMask, setField } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import { TableStore } from '../hw/table.js';
import { IODA_ADDRESS_FIELDS, type IodaTable } from '../ioda/ioda-access.js';
import { PHBS_PER_HUB } from './error-bits/units.js';
import { InterruptSources } from './interrupt-sources.js';
import { HUB_REGISTERS, type HubRegisterName } from './registers/hub.js';
import { RGC_TABLE_NAMES, RGC_TABLES, type RgcTableName } from './tables.js';

export interface RgcClient {
  /** False if the interrupt does not get out. */
  interrupt(buid: number, level: number, server: number, priority: number): boolean;
  phbReset(phb: number, state: 'held' | 'released'): void;
}

/** The level that errors of the hub raise. */
export const RGC_ERROR_LEVEL = 0;
const INDEX = HUB_REGISTERS.field('RGC_IODA_ADDR', 'INDEX').at;
const BY_SELECTOR = new Map(RGC_TABLE_NAMES.map((name) => [RGC_TABLES[name].selector, name]));
const phbResetBit = (phb: number): bigint => msbMask(32 + phb);

export class Rgc {
  readonly #registers: RegisterFile<HubRegisterName>;
  readonly #client: RgcClient;
  readonly #sources: InterruptSources;
  #erring = false;
  readonly #hrt = new TableStore(RGC_TABLES.HRT);

  constructor(registers: RegisterFile<HubRegisterName>, client: RgcClient) {
    this.#registers = registers;
    this.#client = client;
    this.#sources = new InterruptSources({
      state: RGC_TABLES.IST,
      vectors: RGC_TABLES.XIVT,
      ...{ kind: 'level', once: RGC_ERROR_LEVEL },
      send: (level, server, priority) => this.#send(level, server, priority),
    });
    registers.attach('RGC_IODA_DATA', {
      onRead: () => this.#read(),
      onWrite: (value) => this.#write(value),
    });
    // Taken by reading; it guards nothing: firmware takes it once, never frees it, and goes on.
    registers.attach('RGC_IODA_LOCK', {
      onRead: (stored) => {
        registers.setField('RGC_IODA_LOCK', 'LOCK', 1n);
        return stored;
      },
    });
    registers.attach('RGC_BUID', { onWrite: () => this.#sources.refreshAll() });
    registers.attach('RGC_CCRR', { onWrite: (_, old) => this.#resetsWritten(old) });
  }

  /** For tools: a table without the door. */
  table(name: RgcTableName): IodaTable {
    return { HRT: this.#hrt, IST: this.#sources.state, XIVT: this.#sources.vectors }[name];
  }

  /**
   * Once when the first error comes up, not as long as any stands: firmware that leaves one standing hears of no other.
   * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_creset clears RGC 18 after a fence for that.
   */
  setErrorLevel(asserted: boolean): void {
    if (asserted === this.#erring) return;
    this.#erring = asserted;
    if (asserted) this.#sources.raise(RGC_ERROR_LEVEL);
    else this.#sources.lower(RGC_ERROR_LEVEL);
  }

  get buid(): number {
    return Number(this.#registers.field('RGC_BUID', 'BUID'));
  }

  interruptEnded(buid: number, level: number): void {
    if (buid === this.buid) this.#sources.ended(level);
  }

  #send(level: number, server: number, priority: number): boolean {
    return this.buid !== 0 && this.#client.interrupt(this.buid, level, server, priority);
  }

  // ---- tables behind RGC_IODA_ADDR --------------------------------------------------------------------------------

  #current(): { table: IodaTable | undefined; index: number } {
    const address = this.#registers.get('RGC_IODA_ADDR');
    const name = BY_SELECTOR.get(Number(getField(address, IODA_ADDRESS_FIELDS.TABLE.at)));
    if (name === undefined) return { table: undefined, index: 0 };
    const table = this.table(name);
    return { table, index: Number(getField(address, INDEX)) & (table.entries - 1) };
  }

  #read(): bigint {
    const { table, index } = this.#current();
    return table?.read(index) ?? 0n;
  }

  /** Only stores step the index (M): initialisation reads back after each of them. */
  #write(value: bigint): void {
    const { table, index } = this.#current();
    if (!table) return;
    table.write(index, value);
    const address = this.#registers.get('RGC_IODA_ADDR');
    if (getField(address, IODA_ADDRESS_FIELDS.AUTOINCREMENT.at) === 0n) return;
    this.#registers.set('RGC_IODA_ADDR', setField(address, INDEX, BigInt((index + 1) & (table.entries - 1))));
  }

  // ---- CCRR -------------------------------------------------------------------------------------------------------

  #resetsWritten(old: bigint): void {
    const changed = old ^ this.#registers.get('RGC_CCRR');
    for (let phb = 0; phb < PHBS_PER_HUB; phb++) {
      if ((changed & phbResetBit(phb)) === 0n) continue;
      this.#client.phbReset(phb, (old & phbResetBit(phb)) === 0n ? 'held' : 'released');
    }
  }
}
