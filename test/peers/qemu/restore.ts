/**
 * Puts QEMU back as it started: its PHB3 has no reset, but everything it holds can be written. After each sequence what
 * that touched gets its first value; `drift` reads everything and says what is not as it was, so that a sequence never
 * depends on those before it without somebody noticing.
 */
import { PBCQ_SCOM_RANGES } from '../../../src/ioda2/registers/pbcq.js';
import { PHB_REGISTERS } from '../../../src/ioda2/registers/phb.js';
import { IODA_TABLE_NAMES, IODA_TABLES } from '../../../src/ioda2/tables.js';
import type { QtestBackend } from './backend.js';
import { keyOf, type Place, Places } from './places.js';
import { nest, OPEN } from './sequences/opening.js';
import {
  CARD,
  config,
  fill,
  ioda,
  phb,
  REGISTER_PAGE_BYTES,
  ROOT_PORT,
  SCOM_RANGES,
  type Step,
  scom,
} from './steps.js';

type Put = (value: bigint) => readonly Step[];

/** A piece of state: how to read it, how to write it, and when its turn is. */
interface Cell {
  readonly name: string;
  readonly look: readonly Step[];
  readonly put: Put;
}

const offsetOf = (name: Parameters<typeof PHB_REGISTERS.get>[0]): number => PHB_REGISTERS.get(name).offset;
const DOORS = new Set([offsetOf('PHB_CONFIG_DATA'), offsetOf('PHB_IODA_DATA0')]);
const LOCKS = ['PHB_FFI_LOCK', 'PHB_LOCK0', 'PHB_LOCK1'];
/** A look at them takes them. */
const LOOKED_AT_BY_WRITING = new Set([offsetOf('PHB_FFI_LOCK')]);
const BAR_ENABLE = nest('BAR_ENABLE');
const ASB_DATA = 2;
const BUS_NUMBERS = 0x18;
const SLOT_CONTROL = 0x60;
const SLOT_STATUS = 0x62;
const COMMAND_COMPLETED = 0x0010;
const CONVENTIONAL_BYTES = 0x100;
const CONFIG_BYTES: Readonly<Record<number, number>> = { [ROOT_PORT]: 0x1000, [CARD]: CONVENTIONAL_BYTES };

/** The card answers only behind a numbered bus. */
const NUMBER_BUSES = config.write({ id: ROOT_PORT, register: BUS_NUMBERS }, 4, 0x00ff_0100);

const registerCells: readonly Cell[] = Array.from({ length: REGISTER_PAGE_BYTES / 8 }, (_, index) => 8 * index)
  .filter((offset) => !DOORS.has(offset))
  .map((offset) => ({
    name: `register ${offset}`,
    look: LOOKED_AT_BY_WRITING.has(offset) ? [] : [phb.read(offset)],
    put: (value) => [phb.write(offset, value)],
  }));

const tableCells: readonly Cell[] = IODA_TABLE_NAMES.flatMap((table) =>
  Array.from({ length: IODA_TABLES[table].entries }, (_, index) => ({
    name: `table ${table} ${index}`,
    look: ioda.read(table, index),
    put: (value: bigint) => ioda.write(table, index, value),
  })),
);

const scomCells: readonly Cell[] = SCOM_RANGES.flatMap((range) =>
  Array.from({ length: PBCQ_SCOM_RANGES[range].registers }, (_, index) => index)
    .filter((index) => range !== 'spci' || index !== ASB_DATA)
    .map((index) => ({
      name: `${range} ${index}`,
      look: [scom.read(range, index)],
      put: (value: bigint) => [scom.write(range, index, value)],
    })),
);

const configCells = (id: number): Cell[] =>
  Array.from({ length: CONFIG_BYTES[id]! / 4 }, (_, index) => 4 * index).map((register) => ({
    name: `config ${id} ${register}`,
    look: config.read({ id, register }, 4),
    // The answer lies as the bytes do: it goes back the way it came.
    put: (value) => [
      ...config.read({ id, register }, 4).slice(0, 1),
      phb.write('PHB_CONFIG_DATA', value, 4),
      // A write of the control half is a command, and its completion stands in the status half until a one clears it.
      ...(id === ROOT_PORT && register === SLOT_CONTROL
        ? config.write({ id, register: SLOT_STATUS }, 2, COMMAND_COMPLETED)
        : []),
    ],
  }));
const rootPortCells = configCells(ROOT_PORT);
const cardCells = configCells(CARD);

const busNumbers = rootPortCells.find(({ name }) => name === `config ${ROOT_PORT} ${BUS_NUMBERS}`)!;

/** The order of looking and of putting back: what makes the next reachable comes first. */
const OPEN_CELLS: readonly Cell[] = [...cardCells, ...rootPortCells, ...tableCells, ...registerCells];

export class Restorer {
  private constructor(
    private readonly qemu: QtestBackend,
    private readonly first: ReadonlyMap<string, bigint>,
  ) {}

  static async of(qemu: QtestBackend): Promise<Restorer> {
    return new Restorer(qemu, await snapshot(qemu));
  }

  /** What undoes what the steps did; answers nothing. */
  after(steps: readonly Step[]): readonly Step[] {
    const { names, memory } = touched(steps);
    const restore = (cells: readonly Cell[]): Step[] =>
      cells.filter(({ name }) => names.has(name)).flatMap(({ name, put }) => [...put(this.first.get(name) ?? 0n)]);
    const scoms = restore(scomCells);
    const back: Step[] = [...scoms, ...OPEN];
    if (OPEN_CELLS.some(({ name }) => names.has(name))) {
      const anyCard = cardCells.some(({ name }) => names.has(name));
      back.push(...(anyCard ? NUMBER_BUSES : []), ...restore(cardCells), ...restore(rootPortCells));
      back.push(...busNumbers.put(this.first.get(busNumbers.name)!), ...restore(tableCells), ...restore(registerCells));
      back.push(phb.write('PHB_CONFIG_ADDRESS', 0n), phb.write('PHB_IODA_ADDR', 0n));
    }
    const enables = this.first.get(`nest ${BAR_ENABLE}`)!;
    return [...back, scom.write('nest', BAR_ENABLE, enables), ...memory];
  }

  /** Names of the state that is not as it was at first. */
  async drift(): Promise<string[]> {
    const now = await snapshot(this.qemu);
    return [...this.first].filter(([name, value]) => now.get(name) !== value).map(([name]) => name);
  }
}

async function snapshot(qemu: QtestBackend): Promise<Map<string, bigint>> {
  const values = new Map<string, bigint>();
  const look = async (cells: readonly Cell[]): Promise<void> => {
    const shown = cells.filter((cell) => cell.look.length > 0);
    const found = await qemu.run(shown.flatMap((cell) => cell.look));
    for (const [at, { name }] of shown.entries()) values.set(name, BigInt(found[at]!));
  };
  await look(scomCells);
  await qemu.run(OPEN);
  await look(registerCells);
  await look(rootPortCells);
  await qemu.run(NUMBER_BUSES);
  await look(cardCells);
  await qemu.run(busNumbers.put(values.get(busNumbers.name)!));
  await look(tableCells);
  await qemu.run([phb.write('PHB_CONFIG_ADDRESS', 0n), phb.write('PHB_IODA_ADDR', 0n)]);
  await qemu.run([scom.write('nest', BAR_ENABLE, values.get(`nest ${BAR_ENABLE}`)!)]);
  return values;
}

/** State that steps may have changed, by cell, and memory as fills. */
function touched(steps: readonly Step[]): { names: ReadonlySet<string>; memory: readonly Step[] } {
  const places = new Places();
  const names = new Set<string>();
  const memory = new Map<string, Step>();
  for (const step of steps) {
    const place = places.follow(step);
    if (place === undefined) continue;
    const writes = step.do === 'write' || step.do === 'write-block' || step.do === 'fill';
    if (!writes && !LOCKS.includes(place.name)) continue;
    if (place.unit === 'memory') memory.set(keyOf(place), fill(place.index, place.size, 0));
    else for (const name of cellsOf(place)) names.add(name);
  }
  return { names, memory: [...memory.values()] };
}

function cellsOf(place: Place): string[] {
  const { unit, name, index } = place;
  switch (unit) {
    case 'register': {
      const target = PHB_REGISTERS.byOffset(index)?.target;
      return [`register ${index}`, ...(target === undefined ? [] : [`register ${offsetOf(target)}`])];
    }
    case 'table':
      return [`table ${name} ${index}`];
    case 'config':
      return name === '00:00.0' || name === '01:00.0'
        ? [`config ${name.startsWith('01') ? CARD : ROOT_PORT} ${index & ~3}`]
        : [];
    case 'nest':
    case 'pci':
    case 'spci':
      return [`${unit} ${index}`];
    default:
      return [];
  }
}
