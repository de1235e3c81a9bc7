/** The register accesses by which software finds out about a freeze: the first ones after it, decoded. */
import { fromHalves, getField, hex64 } from '../hw/bits.js';
import { MMIO_LOAD, MMIO_STORE, SCOM_READ, SCOM_WRITE } from '../hw/system-bus.js';
import type { RegisterSight } from '../machine/chip.js';
import type { AnySystem } from '../machine/system.js';
import type { TimeNs } from '../sim/time.js';
import type { TraceRecord } from '../sim/trace.js';

export interface RegisterAccess {
  readonly timeNs: TimeNs;
  readonly phb: number;
  readonly text: string;
}

/** So many are kept of each freeze: enough to see how it was found. */
const KEPT = 14;
/** Kernel and firmware look here on every configuration access: no news. */
const DULL = ['PHB_CONFIG_ADDRESS', 'PHB_CONFIG_DATA', 'PHB_TCE_KILL'];

export class FirmwareWatch {
  readonly accesses: RegisterAccess[] = [];
  private left = 0;
  private watched = 0;
  private selected: { table: string; index: number; step: number } | undefined;
  private readonly sight: RegisterSight;

  constructor({ chip, machine }: AnySystem) {
    const { trace } = machine.sim;
    this.sight = chip.sight(machine);
    trace.subscribe((record) => this.mmio(record), [MMIO_LOAD, MMIO_STORE]);
    trace.subscribe((record) => this.scom(record), [SCOM_READ, SCOM_WRITE]);
  }

  /** A PE froze, or the PHB is fenced. */
  cutOff(phb: number): void {
    this.watched = phb;
    this.left = KEPT;
  }

  /** The chip above the bridges found an error: its registers have names whatever bridge is watched. */
  hubReported(): void {
    this.left = KEPT;
  }

  private mmio({ time, kind, values }: TraceRecord): void {
    if (this.left === 0) return;
    const [high, low, , valueHi, valueLo] = values;
    const register = this.sight.atAddress(this.watched, high! * 2 ** 32 + low!);
    if (register === undefined) return;
    const value = fromHalves(valueHi!, valueLo!);
    this.keep(time, this.describe(register, kind.id === MMIO_LOAD.id ? 'load' : 'store', value));
  }

  /** A table entry is told by its name, not by the two registers it takes. */
  private describe(name: string, direction: 'load' | 'store', value: bigint): string | undefined {
    if (DULL.includes(name)) return undefined;
    if (name === 'PHB_IODA_ADDR' && direction === 'store') {
      const { select } = this.sight;
      const field = (name: keyof typeof select): number => Number(getField(value, select[name]));
      const table = this.sight.tableOf(field('table')) ?? 'no table';
      this.selected = { table, index: field('index'), step: field('step') };
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
    const register = this.sight.atScom(this.watched, address!, value);
    if (register !== undefined) this.keep(time, this.describe(register, direction, value));
  }

  private keep(timeNs: TimeNs, text: string | undefined): void {
    if (text === undefined) return;
    this.accesses.push({ timeNs, phb: this.watched, text });
    this.left--;
  }
}
