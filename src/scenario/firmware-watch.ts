/** The register accesses by which software finds out about a freeze: the first ones after it, decoded. */
import { fromHalves, getField, hex64 } from '../hw/bits.js';
import { MMIO_LOAD, MMIO_STORE, SCOM_READ, SCOM_WRITE } from '../hw/system-bus.js';
import { PBCQ_SCOM_RANGES } from '../ioda2/registers/pbcq.js';
import { PHB_REGISTERS } from '../ioda2/registers/phb.js';
import { iodaTableBySelector } from '../ioda2/tables.js';
import type { PowerNv8 } from '../machine/powernv8.js';
import type { TimeNs } from '../sim/time.js';
import type { TraceRecord } from '../sim/trace.js';

export interface RegisterAccess {
  readonly timeNs: TimeNs;
  readonly phb: number;
  readonly text: string;
}

const REGISTER_PAGE = 0x1000;
/** So many are kept of each freeze: enough to see how it was found. */
const KEPT = 14;
const ADDRESS_FIELDS = {
  table: PHB_REGISTERS.field('PHB_IODA_ADDR', 'TABLE').at,
  index: PHB_REGISTERS.field('PHB_IODA_ADDR', 'INDEX').at,
  step: PHB_REGISTERS.field('PHB_IODA_ADDR', 'AUTOINCREMENT').at,
};
/** Kernel and firmware look here on every configuration access: no news. */
const DULL = ['PHB_CONFIG_ADDRESS', 'PHB_CONFIG_DATA', 'PHB_TCE_KILL'];

export class FirmwareWatch {
  readonly accesses: RegisterAccess[] = [];
  private left = 0;
  private watched = 0;
  private viaAsb: string | undefined;
  private selected: { table: string; index: number; step: number } | undefined;

  constructor(private readonly machine: PowerNv8) {
    const { trace } = machine.sim;
    trace.subscribe((record) => this.mmio(record), [MMIO_LOAD, MMIO_STORE]);
    trace.subscribe((record) => this.scom(record), [SCOM_READ, SCOM_WRITE]);
  }

  /** A PE froze, or the PHB is fenced. */
  cutOff(phb: number): void {
    this.watched = phb;
    this.left = KEPT;
  }

  private mmio({ time, kind, values }: TraceRecord): void {
    if (this.left === 0) return;
    const [high, low, , valueHi, valueLo] = values;
    const offset = high! * 2 ** 32 + low! - this.machine.addressMap.phbBase(this.watched);
    const register = offset >= 0 && offset < REGISTER_PAGE ? PHB_REGISTERS.byOffset(offset) : undefined;
    if (register === undefined) return;
    const value = fromHalves(valueHi!, valueLo!);
    this.keep(time, this.describe(register.name, kind.id === MMIO_LOAD.id ? 'load' : 'store', value));
  }

  /** A table entry is told by its name, not by the two registers it takes. */
  private describe(name: string, direction: 'load' | 'store', value: bigint): string | undefined {
    if (DULL.includes(name)) return undefined;
    if (name === 'PHB_IODA_ADDR' && direction === 'store') {
      const table = iodaTableBySelector(Number(getField(value, ADDRESS_FIELDS.table)));
      const field = (name: keyof typeof ADDRESS_FIELDS): number => Number(getField(value, ADDRESS_FIELDS[name]));
      this.selected = { table: table ?? 'no table', index: field('index'), step: field('step') };
      return undefined;
    }
    const shown = hex64(value);
    if (name === 'PHB_IODA_DATA0' && this.selected !== undefined) {
      const { table, index, step } = this.selected;
      this.selected = { table, step, index: index + step };
      return direction === 'load' ? `reads ${table}[${index}] -> ${shown}` : `writes ${table}[${index}] = ${shown}`;
    }
    return direction === 'load' ? `reads ${name} -> ${shown}` : `writes ${name} = ${shown}`;
  }

  private scom({ time, kind, values }: TraceRecord): void {
    if (this.left === 0) return;
    const [, address, , valueHi, valueLo] = values;
    const value = fromHalves(valueHi!, valueLo!);
    const direction = kind.id === SCOM_READ.id ? 'load' : 'store';
    const nest = this.registerAt('nest', address!);
    const spci = this.registerAt('spci', address!);
    if (nest !== undefined) this.keep(time, this.describe(nest, direction, value));
    else if (spci === 'ASB_ADDRESS') this.viaAsb = PHB_REGISTERS.byOffset(Number(value))?.name;
    else if (spci === 'ASB_DATA' && this.viaAsb !== undefined)
      this.keep(time, this.describe(this.viaAsb, direction, value));
  }

  private registerAt(range: 'nest' | 'spci', address: number): string | undefined {
    const { base, strideOfPhb, registers, bank } = PBCQ_SCOM_RANGES[range];
    const register = address - base - strideOfPhb * this.watched;
    return register < 0 || register >= registers ? undefined : bank.byOffset(register)?.name;
  }

  private keep(timeNs: TimeNs, text: string | undefined): void {
    if (text === undefined) return;
    this.accesses.push({ timeNs, phb: this.watched, text });
    this.left--;
  }
}
