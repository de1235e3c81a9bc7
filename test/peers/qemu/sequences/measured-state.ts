/** Measured answers of what holds values: registers, tables, SCOMs, configuration space. */
import { PHB_REGISTERS } from '../../../../src/ioda2/registers/phb.js';
import { big, MEASURED, type MeasuredSequence, Script, small } from '../measured.js';
import { CARD, config, ioda, ONES, pass, phb, ROOT_PORT, type Step, scom } from '../steps.js';
import { NUMBERED, OPEN, TRAINED } from './opening.js';

const offsetOf = (name: Parameters<typeof PHB_REGISTERS.get>[0]): number => PHB_REGISTERS.get(name).offset;
const CONFIG_DATA = offsetOf('PHB_CONFIG_DATA');
const IODA_DATA = offsetOf('PHB_IODA_DATA0');
const BITS = Array.from({ length: 64 }, (_, at) => 1n << BigInt(at));

interface Kept {
  readonly ones: bigint;
  readonly zero: bigint;
  /** All that was read after single bits, taken together. */
  readonly walk: bigint;
}

/** After a single bit: what a fixed value shows whatever is written, else the bit itself where it is kept. */
const afterBit = ({ ones, zero, walk }: Kept, one: bigint): bigint =>
  ones === zero && zero === walk ? walk : one & walk;

function keeps(script: Script, kept: Kept, put: (value: bigint) => readonly Step[], look: readonly Step[]): void {
  script.do(...put(ONES)).sees(look, kept.ones);
  script.do(...put(0n)).sees(look, kept.zero);
  for (const one of BITS) script.do(...put(one)).sees(look, afterBit(kept, one));
  script.do(...put(0n));
}

// ---- registers ------------------------------------------------------------------------------------------------------

const { registers, ioda: selectors, scom: scoms, config: spaces } = MEASURED;
const OFFSETS = Array.from({ length: 512 }, (_, index) => 8 * index);

function registersAtReset(): Script {
  const first = new Map(registers.reset.map(([offset, value]) => [small(offset), big(value)]));
  const second = new Map(registers.again.map(([offset, value]) => [small(offset), big(value)]));
  const script = new Script('registers at reset').do(...OPEN);
  for (const offset of OFFSETS) script.sees(phb.read(offset), first.get(offset) ?? 0n);
  for (const offset of OFFSETS) script.sees(phb.read(offset), second.get(offset) ?? first.get(offset) ?? 0n);
  return script;
}

function* registersKept(): Generator<Script> {
  let offset = 0;
  for (const [count, ones, zero, walk] of registers.keeps) {
    for (const end = offset + 8 * count; offset < end; offset += 8) {
      // Both are doors: their values are those of what lies behind.
      if (offset === CONFIG_DATA || offset === IODA_DATA) continue;
      const place = offset;
      const script = new Script(`register ${place.toString(16)}`).do(...TRAINED);
      const kept = { ones: big(ones), zero: big(zero), walk: big(walk) };
      keeps(script, kept, (value) => [phb.write(place, value)], [phb.read(place)]);
      yield script;
    }
  }
}

/** Narrow loads were made while all registers but three were 0, and their upper halves too. */
function registersInParts(): Script {
  const script = new Script('registers in parts').do(...OPEN);
  for (const [offset, size, value] of registers.parts) script.sees(phb.read(small(offset), size), big(value));
  for (const [offset, value] of registers.beyond) script.sees(phb.read(small(offset)), big(value));
  return script;
}

// ---- tables ---------------------------------------------------------------------------------------------------------

const INDEX = 0x3ffn;

/** The address after so many accesses to a table whose index goes round after `period`. */
const stepped = (first: bigint, count: number, period: number): bigint => (first & ~INDEX) | BigInt(count % period);

function table(row: (typeof selectors)[number]): Script {
  const [selector, writePeriod, readPeriod, stores, keepsAll, afterWrite, afterRead, stays, stray, ...masks] = row;
  const script = new Script(`table selector ${selector}`).do(...OPEN);
  const address = phb.read('PHB_IODA_ADDR');
  script.do(ioda.select(selector, 0, 'step'));
  for (let count = 1; count <= writePeriod + 1; count++) {
    script.do(ioda.writeData(stores === 1 && keepsAll === 1 ? (BigInt(count) << 32n) | BigInt(count) : 0n));
    script.sees(address, stepped(big(afterWrite), count, writePeriod));
  }
  script.do(ioda.select(selector, 0, 'step'));
  for (let count = 1; count <= readPeriod + 1; count++) {
    // The last write went round to the first entry.
    const marked = count === 1 || count === readPeriod + 1 ? writePeriod + 1 : count;
    const value = stores === 1 && keepsAll === 1 ? (BigInt(marked) << 32n) | BigInt(marked) : 0n;
    script.sees(ioda.readData(), value);
    script.sees(address, stepped(big(afterRead), count, readPeriod));
  }
  // Not a step: the address stays as it was written, also with an index beyond the table.
  script.do(ioda.select(selector, 0x1ff)).sees(ioda.readData(), markOf(row, 0x1ff % readPeriod));
  script.sees(address, big(stays));
  script.do(phb.write('PHB_IODA_ADDR', (ONES & ~(0x1fn << 48n)) | (BigInt(selector) << 48n)));
  // The index of all ones is the last entry.
  script.sees(ioda.readData(), markOf(row, readPeriod - 1)).sees(address, big(stray));
  if (masks[0] !== null && masks[1] !== null && masks[2] !== null) {
    const kept = { ones: big(masks[0]), zero: big(masks[1]), walk: big(masks[2]) };
    keeps(script, kept, (value) => ioda.write(selector, 0, value), ioda.read(selector, 0));
  }
  return script;
}

function markOf([, writePeriod, , stores, keepsAll]: (typeof selectors)[number], entry: number): bigint {
  if (stores === 0 || keepsAll === 0) return 0n;
  const marked = BigInt(entry === 0 ? writePeriod + 1 : entry + 1);
  return (marked << 32n) | marked;
}

// ---- SCOM -----------------------------------------------------------------------------------------------------------

const ASB = { address: 0, status: 1, data: 2 } as const;

function* scomsKept(): Generator<Script> {
  for (const range of ['nest', 'pci', 'spci'] as const) {
    const reset = new Script(`scom ${range} at reset`);
    for (const [register, value] of scoms[range]) reset.sees(scom.read(range, small(register)), big(value));
    yield reset;
    for (const [register, , ones, zero, walk] of scoms[range]) {
      const at = small(register);
      const script = new Script(`scom ${range} ${register}`);
      const kept = { ones: big(ones), zero: big(zero), walk: big(walk) };
      keeps(script, kept, (value) => [scom.write(range, at, value)], [scom.read(range, at)]);
      yield script;
    }
  }
}

function sidePath(): Script {
  const script = new Script('the register page through the ASB').do(...OPEN);
  for (const [written, read, data, status] of scoms.asb) {
    script.do(scom.write('spci', ASB.address, big(written))).sees(scom.read('spci', ASB.address), big(read));
    script.sees(scom.read('spci', ASB.data), big(data)).sees(scom.read('spci', ASB.status), big(status));
  }
  const [offset, value] = scoms.asbStore;
  script.do(scom.write('spci', ASB.address, big(offset)), scom.write('spci', ASB.data, big(value)));
  return script.sees(phb.read(small(offset)), big(value));
}

// ---- configuration space --------------------------------------------------------------------------------------------

const BUS_NUMBERS = 0x18;
const BRIDGE_CONTROL = 0x3c;
const SECONDARY_RESET = 0x0040_0000;
const COMMAND = 0x04;
const BAR0 = 0x10;
const RESET_TAKES_NS = 1_000_000_000;
const numbered = (numbers: number): Step[] => config.write({ id: ROOT_PORT, register: BUS_NUMBERS }, 4, numbers);
const CARD_NUMBERED: readonly Step[] = [...TRAINED, ...numbered(0x00ff_0100)];

/** Values are written down as the device sees them; the data window is little-endian. */
function wire(value: string): bigint {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(small(value));
  return BigInt(bytes.readUInt32BE());
}

const look = (id: number, register: number): Step[] => config.read({ id, register }, 4);

function configAddresses(): Script {
  const script = new Script('configuration addresses').do(...TRAINED);
  for (const [address, data, size, raw] of spaces.address) {
    script.do(phb.write('PHB_CONFIG_ADDRESS', big(address)));
    script.sees(phb.read('PHB_CONFIG_ADDRESS'), big(address)).sees(phb.read(small(data), size), big(raw));
  }
  return script;
}

function topology(): Script {
  const script = new Script('bus numbers').do(...TRAINED);
  for (const [numbers, ids, training] of spaces.topology) {
    script.do(...numbered(small(numbers)));
    for (const [bus, id] of ids) script.sees(look(bus << 8, 0), wire(id));
    script.sees(phb.read('PHB_PCIE_DLP_TRAIN_CTL'), big(training));
  }
  return script;
}

function busReset(): Script {
  const [before, during, after] = spaces.busReset;
  const bridgeControl = (value: number): Step[] => config.write({ id: ROOT_PORT, register: BRIDGE_CONTROL }, 4, value);
  const script = new Script('reset of the secondary bus').do(...NUMBERED);
  const seen = (registers: readonly number[], values: readonly string[]): void => {
    for (const [at, value] of values.entries()) script.sees(look(CARD, registers[at]!), wire(value));
  };
  seen([COMMAND, BAR0], before);
  script.do(...bridgeControl(SECONDARY_RESET));
  seen([0, COMMAND, BAR0], during);
  script.do(...bridgeControl(0), pass(RESET_TAKES_NS));
  seen([0, COMMAND, BAR0], after);
  return script;
}

interface Space {
  readonly name: 'root_port' | 'edu' | 'e1000e' | 'nvme';
  readonly id: number;
  readonly opening: readonly Step[];
}
const SPACES: readonly Space[] = [
  { name: 'root_port', id: ROOT_PORT, opening: TRAINED },
  // Its bus had no number when it was asked.
  { name: 'edu', id: CARD, opening: TRAINED },
  { name: 'e1000e', id: CARD, opening: CARD_NUMBERED },
  { name: 'nvme', id: CARD, opening: CARD_NUMBERED },
];

function* configSpace({ name, id, opening }: Space): Generator<Script> {
  const { dwords, above } = spaces[name];
  const card = name === 'root_port' ? 'edu' : name;
  const each = dwords.flatMap(([first, count, reset, ones, zero]) =>
    Array.from({ length: count }, (_, index) => ({ register: first + 4 * index, reset, ones, zero })),
  );
  const atReset = new Script(`configuration space of ${name}`, card).do(...opening);
  for (const { register, reset } of each) atReset.sees(look(id, register), wire(reset));
  yield atReset.sees(look(id, 0x100), wire(above));
  const put = (register: number, value: number): Step[] => config.write({ id, register }, 4, value);
  const written = (script: Script, { register, ones, zero }: (typeof each)[number]): Script =>
    script
      .do(...put(register, 0xffff_ffff))
      .sees(look(id, register), wire(ones))
      .do(...put(register, 0))
      .sees(look(id, register), wire(zero));
  const script = new Script(`configuration space of ${name} written`, card).do(...opening);
  for (const dword of each) if (dword.register !== BRIDGE_CONTROL || id !== ROOT_PORT) written(script, dword);
  yield script;
  // Ones there reset the bus below.
  for (const dword of each.filter(({ register }) => register === BRIDGE_CONTROL && id === ROOT_PORT))
    yield written(new Script('bridge control written').do(...opening), dword);
}

export const MEASURED_STATE: readonly MeasuredSequence[] = [
  registersAtReset(),
  ...registersKept(),
  registersInParts(),
  ...selectors.map(table),
  ...scomsKept(),
  sidePath(),
  configAddresses(),
  topology(),
  busReset(),
  ...SPACES.flatMap((space) => [...configSpace(space)]),
].map(({ sequence }) => sequence);
