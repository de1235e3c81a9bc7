/**
 * What recorded firmware stored into its tables in memory. Recorders see registers, not stores; but firmware stores
 * before it tells the chip, so registers, calls and the kernel's console say what and when: RTT, PELT-V and IVT can be
 * worked out. Source: skiboot hw/phb3.c: phb3_init_ioda_cache, phb3_set_pe, phb3_set_peltv, phb3_msi_set_xive,
 * phb3_pci_msi_eoi. Facts: ioda2-phb3 4.7, 5.1, 5.2, 5.4, 6.4.4.
 */
import { fieldMask, getField } from '../hw/bits.js';
import { PHB_REGISTERS } from '../ioda2/registers/phb.js';
import { MEMORY_TABLES } from '../ioda2/tables.js';
import type { RecordedAccess, RecordedMemory, RecordedNote, RecordedStep, Recording } from './recording.js';

const CALL = /^OPAL (PCI_SET_PE|PCI_SET_PELTV|PCI_SET_XIVE_PE) (null|\[.*\]) (-?\d+) \d+$/;
/** The kernel gives a bus to a PE; the domain is the number of the PHB. */
const ASSOCIATED =
  /pci ([0-9a-f]{4}):[0-9a-f]{2} .*Secondary bus 0x([0-9a-f]+)(?:\.\.0x[0-9a-f]+)? associated with PE#([0-9a-f]+)/;

const RESERVED_PE = 0xff;
const EMPTY_VECTOR = 0x0000_00ff_0000_0000n;
const RTE_BYTES = 2;
const PELTV_ROW_BYTES = MEMORY_TABLES.PELTV.entryBits / 8;
const IVE_BYTES = MEMORY_TABLES.IVT.entryBits / 8;
const RIDS_PER_BUS = 256;
const ROOT_BUS = 0;

const BARS = { PHB_RTT_BAR: 'rtt', PHB_PELTV_BAR: 'peltv', PHB_IVT_BAR: 'ivt' } as const;
type Bar = keyof typeof BARS;
const BAR_AT = new Map((Object.keys(BARS) as Bar[]).map((bar) => [PHB_REGISTERS.get(bar).offset, bar]));
const IVC_UPDATE = PHB_REGISTERS.get('PHB_IVC_UPDATE').offset;

const update = (value: bigint, field: string): number =>
  Number(getField(value, PHB_REGISTERS.field('PHB_IVC_UPDATE', field).at));

interface Association {
  readonly bus: number;
  readonly pe: number;
}

/** Tables of one PHB, as far as the recording has come. */
class FirmwareTables {
  rtt: number | undefined;
  peltv: number | undefined;
  ivt: number | undefined;
  /** What the kernel has announced, until the calls that do it. */
  announced: Association | undefined;
  rowsOfAnnounced = 0;
  readonly peOfBus = new Map<number, number>();
  readonly rows = new Map<number, Uint8Array>();
}

/** The recording with firmware's stores into RTT, PELT-V and IVT in their places. */
export function withMemoryWrites(recording: Recording): Recording {
  const firmware = new FirmwareStores();
  return { ...recording, steps: recording.steps.flatMap((step) => [...firmware.before(step), step]) };
}

class FirmwareStores {
  readonly #tables = new Map<number, FirmwareTables>();
  #lastAnnounced: number | undefined;

  /** The stores that firmware made before this step. */
  before(step: RecordedStep): RecordedMemory[] {
    if (step.kind === 'note') return this.#noted(step);
    return step.kind === 'access' && step.direction === 'write' ? this.#written(step) : [];
  }

  #of(phb: number): FirmwareTables {
    const known = this.#tables.get(phb) ?? new FirmwareTables();
    this.#tables.set(phb, known);
    return known;
  }

  // ---- registers ----------------------------------------------------------------------------------------------------

  #written(access: RecordedAccess): RecordedMemory[] {
    // Before the processor reaches the page, firmware comes through the side path.
    const offset = access.window === 'phb' ? access.offset : access.asbOffset;
    if (offset === undefined) return [];
    const tables = this.#of(access.phb);
    const bar = BAR_AT.get(offset);
    if (bar !== undefined) return tableAppears(bar, access, tables);
    return offset === IVC_UPDATE && tables.ivt !== undefined ? vectorUpdated(access, tables.ivt) : [];
  }

  // ---- console and calls --------------------------------------------------------------------------------------------

  #noted(note: RecordedNote): RecordedMemory[] {
    const announced = ASSOCIATED.exec(note.text);
    if (announced) {
      const [phb, bus, pe] = announced.slice(1).map((hex) => Number.parseInt(hex, 16)) as [number, number, number];
      this.#of(phb).announced = { bus, pe };
      this.#lastAnnounced = phb;
      return [];
    }
    const call = CALL.exec(note.text);
    if (call?.[3] !== '0') return [];
    const args = call[2] === 'null' ? undefined : (JSON.parse(call[2]!) as string[]).map(Number);
    // Early calls were recorded without arguments: they do what the kernel has just announced.
    const phb = args?.[0] ?? this.#lastAnnounced;
    if (phb === undefined) return [];
    const tables = this.#of(phb);
    if (call[1] === 'PCI_SET_PE') return busMapped(note, tables, args);
    if (call[1] === 'PCI_SET_PELTV') return rowChanged(note, tables, args);
    return args ? vectorOwned(note, tables, args) : [];
  }
}

function store(step: RecordedAccess | RecordedNote, address: number, bytes: Uint8Array): RecordedMemory {
  return { kind: 'memory', timeUs: step.timeUs, address, bytes, line: step.kind === 'access' ? step.line : 0 };
}

function rtes(pe: number, count: number): Uint8Array {
  return Uint8Array.from({ length: RTE_BYTES * count }, (_, at) => (at % RTE_BYTES === 0 ? pe >> 8 : pe & 0xff));
}

/** A table is filled once, before the chip learns of it; a complete reset finds it as it is. */
function tableAppears(bar: Bar, access: RecordedAccess, tables: FirmwareTables): RecordedMemory[] {
  const base = Number(access.value & fieldMask(PHB_REGISTERS.field(bar, 'BASE').at));
  const table = BARS[bar];
  if (base === 0 || tables[table] === base) return [];
  tables[table] = base;
  if (table === 'rtt') return [store(access, base, rtes(RESERVED_PE, MEMORY_TABLES.RTT.entries))];
  if (table === 'peltv') return [store(access, base, new Uint8Array(PELTV_ROW_BYTES * MEMORY_TABLES.PELTV.entries))];
  const vectors = new DataView(new ArrayBuffer(IVE_BYTES * MEMORY_TABLES.IVT.entries));
  for (let isn = 0; isn < MEMORY_TABLES.IVT.entries; isn++) vectors.setBigUint64(IVE_BYTES * isn, EMPTY_VECTOR);
  return [store(access, base, new Uint8Array(vectors.buffer))];
}

/** Firmware stores a vector's fields in memory and then tells the cache the same. */
function vectorUpdated(access: RecordedAccess, ivt: number): RecordedMemory[] {
  const { value } = access;
  const vector = ivt + IVE_BYTES * update(value, 'ISN');
  const stores: RecordedMemory[] = [];
  if (update(value, 'ENABLE_PRIORITY') === 1) {
    const server = update(value, 'SERVER');
    stores.push(store(access, vector, Uint8Array.of(0, server >> 8, server & 0xff, update(value, 'PRIORITY'))));
  }
  if (update(value, 'ENABLE_P') === 1) {
    stores.push(store(access, vector + 4, Uint8Array.of((update(value, 'GENERATION') << 1) | update(value, 'P'))));
  }
  if (update(value, 'ENABLE_Q') === 1) stores.push(store(access, vector + 5, Uint8Array.of(update(value, 'Q'))));
  return stores;
}

function vectorOwned(note: RecordedNote, { ivt }: FirmwareTables, args: readonly number[]): RecordedMemory[] {
  const [, pe, isn] = args as [number, number, number];
  return ivt === undefined ? [] : [store(note, ivt + IVE_BYTES * isn + 6, Uint8Array.of(pe >> 8, pe & 0xff))];
}

/** Whether a call maps or unmaps was not recorded: a bus that has the PE loses it, another one gets it. */
function busMapped(note: RecordedNote, tables: FirmwareTables, args: readonly number[] | undefined): RecordedMemory[] {
  const target = args ? { bus: Math.floor(args[2]! / RIDS_PER_BUS), pe: args[1]! } : tables.announced;
  if (target === undefined || tables.rtt === undefined) return [];
  const unmaps = tables.peOfBus.get(target.bus) === target.pe;
  if (unmaps) tables.peOfBus.delete(target.bus);
  else tables.peOfBus.set(target.bus, target.pe);
  tables.rowsOfAnnounced = 0;
  const pe = unmaps ? RESERVED_PE : target.pe;
  return [store(note, tables.rtt + RTE_BYTES * RIDS_PER_BUS * target.bus, rtes(pe, RIDS_PER_BUS))];
}

/** A new PE goes into its own row first, then into the row of the bus above. */
function rowChanged(note: RecordedNote, tables: FirmwareTables, args: readonly number[] | undefined): RecordedMemory[] {
  const first = tables.rowsOfAnnounced++ === 0;
  const child = args?.[2] ?? tables.announced?.pe;
  const parent = args?.[1] ?? (first ? child : tables.peOfBus.get(ROOT_BUS));
  if (parent === undefined || child === undefined || tables.peltv === undefined) return [];
  const row = tables.rows.get(parent) ?? new Uint8Array(PELTV_ROW_BYTES);
  const bit = 0x80 >> (child & 7);
  row[child >> 3] = args?.[3] === 0 ? row[child >> 3]! & ~bit : row[child >> 3]! | bit;
  tables.rows.set(parent, row);
  return [store(note, tables.peltv + PELTV_ROW_BYTES * parent, Uint8Array.from(row))];
}
