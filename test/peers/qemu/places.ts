/**
 * Follows a client's steps and says what each access reaches: a register, an entry of a table behind IODA_ADDR, a byte
 * of configuration space, a SCOM, memory. Knows what the client wrote, not what any chip did with it.
 */
import { ALL_ONES, fieldMask, getField, setField } from '../../../src/hw/bits.js';
import { PBCQ_SCOM_RANGES } from '../../../src/ioda2/registers/pbcq.js';
import { PHB_REGISTERS } from '../../../src/ioda2/registers/phb.js';
import { IODA_TABLES, iodaTableBySelector } from '../../../src/ioda2/tables.js';
import { scomOfBusAddress } from '../../../src/machine/xscom.js';
import { MEMORY_BYTES } from './live-qemu.js';
import { isPresenter, PHB_BASE, REGISTER_PAGE_BYTES, SCOM_RANGES, type ScomRange, type Step } from './steps.js';

export type Unit =
  | 'register'
  | 'register-part'
  | 'table'
  | 'config'
  | ScomRange
  | 'memory'
  | 'window'
  | 'presenter'
  | 'elsewhere';

export interface Place {
  readonly unit: Unit;
  /** Name of the register or table, `0x0f8` or `table 12` where there is none; for configuration `00:00.0`. */
  readonly name: string;
  /** Entry of the table, offset in configuration space, number of the SCOM, offset in the page, address. */
  readonly index: number;
  readonly path: 'mmio' | 'asb' | 'scom';
  readonly size: number;
}

export const keyOf = ({ unit, name, index }: Place): string =>
  unit === 'config' ? `config ${name} ${index & ~3}` : `${unit} ${name} ${index}`;

const offsetOf = (name: Parameters<typeof PHB_REGISTERS.get>[0]): number => PHB_REGISTERS.get(name).offset;
const fieldAt = (register: 'PHB_IODA_ADDR' | 'PHB_CONFIG_ADDRESS', name: string) =>
  PHB_REGISTERS.field(register, name).at;
const CONFIG_DATA = offsetOf('PHB_CONFIG_DATA');
const ASB_ADDRESS = 0;
const ASB_DATA = 2;
const ASB_OFFSET_MASK = 0xfffn;

const PRESENTER: Place = { unit: 'presenter', name: 'presenter', index: 0, path: 'mmio', size: 4 };

export class Places {
  private iodaAddress = 0n;
  private configAddress = 0n;
  private asbAddress = 0n;
  /** What a chip of plain storage would hold. */
  readonly stored = new Map<string, bigint>();
  /** Every value a place was given, first to last. */
  readonly given = new Map<string, bigint[]>();

  /** Where a step goes; its effects on the client's own doors are taken in. */
  follow(step: Step): Place | undefined {
    if (step.do === 'take') return PRESENTER;
    if (step.do === 'pass' || step.do === 'end-of-interrupt') return undefined;
    const size = 'size' in step ? step.size : 'bytes' in step ? step.bytes : step.data.length / 2;
    const place = this.placeOf(step.at, size);
    if (step.do === 'write') this.written(place, step.value);
    if (step.do === 'write-block') this.stored.set(keyOf(place), BigInt(`0x${step.data}`));
    if (place.unit === 'table' && step.do !== 'await') this.advance(place.index);
    return place;
  }

  private placeOf(address: number, size: number): Place {
    const scom = scomOfBusAddress(address);
    if (scom !== undefined) return this.scomPlace(scom, size);
    const offset = address - PHB_BASE;
    if (offset >= 0 && offset < REGISTER_PAGE_BYTES) return this.registerPlace(offset, size, 'mmio');
    if (isPresenter(address)) return { ...PRESENTER, size };
    const unit = address < MEMORY_BYTES ? 'memory' : address < PHB_BASE ? 'window' : 'elsewhere';
    return { unit, name: unit, index: address, path: 'mmio', size };
  }

  private scomPlace(scom: number, size: number): Place {
    for (const unit of SCOM_RANGES) {
      const { base, registers } = PBCQ_SCOM_RANGES[unit];
      const index = scom - base;
      if (index < 0 || index >= registers) continue;
      if (unit === 'spci' && index === ASB_DATA) {
        return this.registerPlace(Number(this.asbAddress & ASB_OFFSET_MASK), size, 'asb');
      }
      const bank = PBCQ_SCOM_RANGES[unit].bank;
      return { unit, name: bank.byOffset(index)?.name ?? `0x${index.toString(16)}`, index, path: 'scom', size };
    }
    return { unit: 'elsewhere', name: 'scom', index: scom, path: 'scom', size };
  }

  private registerPlace(offset: number, size: number, path: 'mmio' | 'asb'): Place {
    if (offset >= CONFIG_DATA && offset < CONFIG_DATA + 4) return this.configPlace(offset - CONFIG_DATA, size, path);
    const name = PHB_REGISTERS.byOffset(offset)?.name ?? `0x${offset.toString(16).padStart(3, '0')}`;
    if (size !== 8 || offset % 8 !== 0) return { unit: 'register-part', name, index: offset, path, size };
    if (name !== 'PHB_IODA_DATA0') return { unit: 'register', name, index: offset, path, size };
    const selector = Number(getField(this.iodaAddress, fieldAt('PHB_IODA_ADDR', 'TABLE')));
    const table = iodaTableBySelector(selector);
    const index = Number(getField(this.iodaAddress, fieldAt('PHB_IODA_ADDR', 'INDEX')));
    if (table === undefined) return { unit: 'table', name: `table ${selector}`, index: 0, path, size };
    return { unit: 'table', name: table, index: index & (IODA_TABLES[table].entries - 1), path, size };
  }

  private configPlace(byte: number, size: number, path: 'mmio' | 'asb'): Place {
    const field = (name: string): number => Number(getField(this.configAddress, fieldAt('PHB_CONFIG_ADDRESS', name)));
    const digits = (value: number): string => value.toString(16).padStart(2, '0');
    const name = `${digits(field('BUS'))}:${digits(field('DEVICE'))}.${field('FUNCTION')}`;
    const enabled = field('ENABLE') === 1;
    return { unit: 'config', name: enabled ? name : 'disabled', index: (field('REGISTER') & ~3) + byte, path, size };
  }

  private written(place: Place, value: bigint): void {
    if (place.unit === 'register') this.registerWritten(place, value);
    else if (place.unit === 'spci' && place.index === ASB_ADDRESS) this.asbAddress = value;
    const key = keyOf(place);
    this.stored.set(key, value);
    const values = this.given.get(key);
    if (values === undefined) this.given.set(key, [value]);
    else values.push(value);
  }

  private registerWritten(place: Place, value: bigint): void {
    if (place.name === 'PHB_IODA_ADDR') this.iodaAddress = value;
    else if (place.name === 'PHB_CONFIG_ADDRESS') this.configAddress = value;
    const register = PHB_REGISTERS.byOffset(place.index);
    if (register?.target === undefined) return;
    const target = PHB_REGISTERS.get(register.target);
    const key = keyOf({ ...place, name: target.name, index: target.offset });
    const old = this.stored.get(key) ?? 0n;
    this.stored.set(key, register.access === 'and-mask' ? old & value : (old | value) & ALL_ONES);
  }

  private advance(index: number): void {
    const auto = fieldMask(fieldAt('PHB_IODA_ADDR', 'AUTOINCREMENT'));
    const selector = Number(getField(this.iodaAddress, fieldAt('PHB_IODA_ADDR', 'TABLE')));
    const table = iodaTableBySelector(selector);
    if ((this.iodaAddress & auto) === 0n || table === undefined) return;
    const next = (index + 1) & (IODA_TABLES[table].entries - 1);
    this.iodaAddress = setField(this.iodaAddress, fieldAt('PHB_IODA_ADDR', 'INDEX'), BigInt(next));
  }
}
