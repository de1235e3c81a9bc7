/**
 * Names what an access of a recording touched: a register, an entry of an on-chip table, a byte of configuration space.
 * Follows the selectors that software wrote before: CONFIG_ADDRESS, IODA_ADDR, ASB_ADDRESS.
 */
import { getField } from '../hw/bits.js';
import type { NamedRegisterBank } from '../hw/register.js';
import { PBCQ_NEST_REGISTERS, PBCQ_PCI_REGISTERS, PBCQ_SPCI_REGISTERS } from '../ioda2/registers/pbcq.js';
import { PHB_REGISTERS } from '../ioda2/registers/phb.js';
import { IODA_TABLES, type IodaTableName, iodaTableBySelector } from '../ioda2/tables.js';
import { formatBdf } from '../pcie/tlp.js';
import type { RecordedAccess, WindowName } from './recording.js';

export type ReadTarget =
  | { readonly kind: 'register'; readonly window: WindowName; readonly register: string }
  | { readonly kind: 'table'; readonly table: IodaTableName; readonly index: number }
  | { readonly kind: 'config'; readonly target: number; readonly offset: number }
  | { readonly kind: 'undeclared'; readonly window: WindowName; readonly offset: number };

const BANKS: Readonly<Record<WindowName, NamedRegisterBank>> = {
  phb: PHB_REGISTERS,
  nest: PBCQ_NEST_REGISTERS,
  pci: PBCQ_PCI_REGISTERS,
  spci: PBCQ_SPCI_REGISTERS,
};

const offsetOf = (name: (typeof PHB_REGISTERS.names)[number]): number => PHB_REGISTERS.get(name).offset;
const CONFIG_ADDRESS = offsetOf('PHB_CONFIG_ADDRESS');
const CONFIG_DATA = offsetOf('PHB_CONFIG_DATA');
const IODA_ADDR = offsetOf('PHB_IODA_ADDR');
const IODA_DATA0 = offsetOf('PHB_IODA_DATA0');
const ASB_ADDRESS = PBCQ_SPCI_REGISTERS.get('ASB_ADDRESS').offset;
const ASB_DATA = PBCQ_SPCI_REGISTERS.get('ASB_DATA').offset;

const configField = (value: bigint, field: string): number =>
  Number(getField(value, PHB_REGISTERS.field('PHB_CONFIG_ADDRESS', field).at));
const iodaField = (value: bigint, field: string): number =>
  Number(getField(value, PHB_REGISTERS.field('PHB_IODA_ADDR', field).at));

/** The selectors of one PHB as the writes seen so far left them. */
export class SelectorTracker {
  #configAddress = 0n;
  #asbOffset = 0;
  #iodaTable: IodaTableName | undefined;
  #iodaIndex = 0;
  #iodaStep = 0;

  /** What this access touches; then its effect on the selectors. */
  touch(access: RecordedAccess): ReadTarget {
    const place = this.#place(access);
    const target = this.#name(place);
    if (access.direction === 'write') this.#written(access, place);
    if (target.kind === 'table') this.#iodaIndex = (target.index + this.#iodaStep) % IODA_TABLES[target.table].entries;
    return target;
  }

  /** An access to the ASB data register is one to the PHB register behind it. */
  #place(access: RecordedAccess): { window: WindowName; offset: number } {
    if (access.window === 'spci' && access.offset === ASB_DATA) return { window: 'phb', offset: this.#asbOffset };
    return { window: access.window, offset: access.offset };
  }

  #name({ window, offset }: { window: WindowName; offset: number }): ReadTarget {
    if (window === 'phb' && offset >= CONFIG_DATA && offset < CONFIG_DATA + 4) {
      const register = configField(this.#configAddress, 'REGISTER') & ~3;
      return { kind: 'config', target: this.#configTarget(), offset: register + offset - CONFIG_DATA };
    }
    if (window === 'phb' && offset === IODA_DATA0 && this.#iodaTable) {
      const index = this.#iodaIndex % IODA_TABLES[this.#iodaTable].entries;
      return { kind: 'table', table: this.#iodaTable, index };
    }
    const register = BANKS[window].byOffset(offset);
    return register ? { kind: 'register', window, register: register.name } : { kind: 'undeclared', window, offset };
  }

  #configTarget(): number {
    const field = (name: string): number => configField(this.#configAddress, name);
    return (field('BUS') << 8) | (field('DEVICE') << 3) | field('FUNCTION');
  }

  #written(access: RecordedAccess, place: { window: WindowName; offset: number }): void {
    if (access.window === 'spci' && access.offset === ASB_ADDRESS) this.#asbOffset = Number(access.value & 0xfffn);
    if (place.window !== 'phb') return;
    if (place.offset === CONFIG_ADDRESS) this.#configAddress = access.value;
    if (place.offset === IODA_ADDR) {
      this.#iodaTable = iodaTableBySelector(iodaField(access.value, 'TABLE'));
      this.#iodaIndex = iodaField(access.value, 'INDEX');
      this.#iodaStep = iodaField(access.value, 'AUTOINCREMENT');
    }
  }
}

/** `nest.NFIR`, `TVT[12]`, `config 01:00.0 +0x10`. */
export function formatTarget(target: ReadTarget): string {
  switch (target.kind) {
    case 'register':
      return target.window === 'phb' ? target.register : `${target.window}.${target.register}`;
    case 'table':
      return `${target.table}[${target.index}]`;
    case 'config':
      return `config ${formatBdf(target.target)} +0x${target.offset.toString(16)}`;
    case 'undeclared':
      return `${target.window} +0x${target.offset.toString(16)}`;
  }
}
