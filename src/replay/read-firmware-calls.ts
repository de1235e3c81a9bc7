/** Reads a recording of firmware call by call, gzipped or not. The form is described in the head of the shipped file. */

import { PHBS_PER_HUB } from '../ioda1/error-bits/units.js';
import { hasWindow, type P7iocBoard, type Phb3Board, type RecordedBoard } from './firmware-board.js';
import type {
  CallerDeed,
  FirmwareAccess,
  FirmwareCall,
  FirmwareCallRecording,
  FirmwareMemory,
} from './firmware-phases.js';
import type { FirmwareWindow } from './firmware-windows.js';
import { CALLS_FORMAT_LINE, decodeText } from './read-recording.js';
import { isAccessSize, RecordingError } from './recording.js';

const REMEDY = `Wanted: a recording of firmware call by call, "${CALLS_FORMAT_LINE}", such as scenarios/recordings/skiboot-calls-phb3.calls.gz.`;

const HEADER = /^(name|source|registers|scom|hub|heap|memory): (.+)$/;
const PHASE = /^= (\S+)$/;
const CALL = /^C ([A-Z][A-Z0-9_]*)((?: [0-9a-f]{1,16})*)$/;
const RETURN = /^Z (-?\d{1,10})$/;
const ACCESS =
  /^([RW]) (phb|nest|pci|spci|hub|(?:aib|asb)[0-5]) ([0-9a-f]{1,8}) ([1248]) ([0-9a-f]{1,16})(?: x(\d{1,6}))?$/;
const WAIT = /^T (\d{1,11})$/;
const FILL = /^F ([0-9a-f]{1,13}) (\d{1,7}) ([0-9a-f]{2})$/;
const INTERRUPT = /^I ([0-9a-f]{1,8})$/;
const MEMORY = /^M ([0-9a-f]{1,13}) (\d{1,7}) (\d{1,6}) ([0-9a-f]{16})$/;
/** The number of a hub has seven bits. */
const MOST_HUB = 0x7f;
const MOST_MEMORY_BYTES = 2 ** 32;
/** More than any firmware does; a count that was damaged must not fill the memory. */
const MOST_ENTRIES = 500_000;

/** Throws a `RecordingError` where the input is no such recording, or a line of it makes no sense. */
export function readFirmwareCalls(file: string, bytes: Uint8Array): FirmwareCallRecording {
  const lines = decodeText(file, bytes, REMEDY).split('\n');
  if (lines[0] !== CALLS_FORMAT_LINE) {
    const begin = JSON.stringify(lines[0]!.slice(0, 24));
    throw new RecordingError(file, 1, `this is no recording of firmware calls: it begins with ${begin}`, REMEDY);
  }
  const reader = new CallsReader(file);
  for (const [index, line] of lines.entries()) if (index > 0) reader.take(line, index + 1);
  return reader.finish();
}

interface OpenPhase {
  readonly name: string;
  readonly boot: FirmwareAccess[];
  readonly steps: (FirmwareCall | CallerDeed)[];
  readonly memory: FirmwareMemory[];
}

class CallsReader {
  private readonly header = new Map<string, string>();
  private readonly phases: OpenPhase[] = [];
  private call: { name: string; args: readonly bigint[]; accesses: FirmwareAccess[]; line: number } | undefined;
  private boardRead: RecordedBoard | undefined;
  private afterUs = 0;
  private line = 1;
  private entries = 0;

  constructor(private readonly file: string) {}

  take(text: string, line: number): void {
    this.line = line;
    if (text === '' || text.startsWith('#')) return;
    const header = this.phases.length === 0 ? HEADER.exec(text) : null;
    if (header !== null) this.header.set(header[1]!, header[2]!);
    else if (!(this.takeStructure(text) || this.takeContents(text))) {
      throw this.problem(`unreadable line ${JSON.stringify(text.slice(0, 60))}`);
    }
  }

  finish(): FirmwareCallRecording {
    if (this.call !== undefined) throw this.problem(`${this.call.name} never returns: the file is cut`);
    const isEmpty = this.phases.every(({ boot, steps }) => boot.length + steps.length === 0);
    if (isEmpty) throw this.problem('no access and no call in it: nothing to compare');
    const [name, source] = [this.header.get('name') ?? 'unnamed', this.header.get('source') ?? 'unknown'];
    return { name, source, board: this.board(), phases: this.phases };
  }

  private takeStructure(text: string): boolean {
    const phase = PHASE.exec(text);
    if (phase !== null) this.begin(phase[1]!);
    const call = CALL.exec(text);
    if (call !== null) this.beginCall(call[1]!, call[2]!);
    const returned = RETURN.exec(text);
    if (returned !== null) this.endCall(Number(returned[1]));
    return (phase ?? call ?? returned) !== null;
  }

  private takeContents(text: string): boolean {
    const access = ACCESS.exec(text);
    if (access !== null) this.takeAccess(access);
    const wait = WAIT.exec(text);
    if (wait !== null) this.takeWait(Number(wait[1]));
    const fill = FILL.exec(text);
    if (fill !== null) {
      const [address, bytes] = [this.inMemory(Number.parseInt(fill[1]!, 16), Number(fill[2])), Number(fill[2])];
      this.deed({ kind: 'fill', address, bytes, value: Number.parseInt(fill[3]!, 16) });
    }
    const interrupt = INTERRUPT.exec(text);
    if (interrupt !== null) this.deed({ kind: 'interrupt', irq: Number.parseInt(interrupt[1]!, 16) });
    const memory = MEMORY.exec(text);
    if (memory !== null) this.takeMemory(memory);
    return (access ?? wait ?? fill ?? interrupt ?? memory) !== null;
  }

  private begin(name: string): void {
    if (this.call !== undefined) throw this.problem(`phase ${name} begins inside ${this.call.name}`);
    if (this.phases.some((phase) => phase.name === name)) throw this.problem(`phase ${name} is there twice`);
    this.board();
    this.phases.push({ name, boot: [], steps: [], memory: [] });
    this.afterUs = 0;
  }

  private get phase(): OpenPhase {
    const phase = this.phases.at(-1);
    if (phase === undefined) throw this.problem('this stands before the first phase');
    return phase;
  }

  private beginCall(name: string, args: string): void {
    if (this.call !== undefined) throw this.problem(`${name} is called inside ${this.call.name}`);
    const words = args.split(' ').slice(1);
    this.call = { name, args: words.map((each) => BigInt(`0x${each}`)), accesses: [], line: this.line };
    this.afterUs = 0;
  }

  private endCall(returned: number): void {
    if (this.call === undefined) throw this.problem('a call returns that was not made');
    this.phase.steps.push({ kind: 'call', ...this.call, returned });
    this.call = undefined;
  }

  private takeAccess([, direction, window, register, size, value, repeat]: RegExpExecArray): void {
    const bytes = Number(size);
    const word = BigInt(`0x${value}`);
    if (!isAccessSize(bytes) || word >= 1n << BigInt(8 * bytes))
      throw this.problem(`0x${value} has more than ${size} bytes`);
    if (!hasWindow(this.board(), window as FirmwareWindow)) throw this.problem(`the board has no window "${window}"`);
    const access = {
      ...{ direction: direction === 'R' ? ('read' as const) : ('write' as const), window: window as FirmwareWindow },
      ...{ register: Number.parseInt(register!, 16), size: bytes, value: word },
    };
    const list = this.call?.accesses ?? this.bootAccesses();
    for (let left = this.counted(repeat ?? '1'); left > 0; left--) {
      list.push({ ...access, afterUs: this.afterUs });
      this.afterUs = 0;
    }
  }

  private bootAccesses(): FirmwareAccess[] {
    if (this.hasBooted) throw this.problem('an access outside a call, after firmware has booted');
    return this.phase.boot;
  }

  private takeWait(us: number): void {
    if (this.call === undefined && this.hasBooted) this.deed({ kind: 'sleep', us });
    else this.afterUs += us;
  }

  private get hasBooted(): boolean {
    return this.phases.some((phase) => phase.steps.length > 0);
  }

  private deed(deed: CallerDeed): void {
    if (this.call !== undefined) throw this.problem(`the caller does something inside ${this.call.name}`);
    this.phase.steps.push(deed);
  }

  private takeMemory([, start, stride, count, value]: RegExpExecArray): void {
    const { memory } = this.phase;
    for (let index = 0, all = this.counted(count!); index < all; index++) {
      const address = this.inMemory(Number.parseInt(start!, 16) + index * Number(stride), 8);
      memory.push({ address, value: BigInt(`0x${value}`) });
    }
  }

  private counted(count: string): number {
    this.entries += Number(count);
    if (this.entries > MOST_ENTRIES) throw this.problem(`more than ${MOST_ENTRIES} accesses and words of memory`);
    return Number(count);
  }

  private inMemory(address: number, bytes: number): number {
    const { memory } = this.board();
    if (address >= memory.base && address + bytes <= memory.base + memory.bytes) return address;
    throw this.problem(`0x${address.toString(16)} is not in the memory that the header gives`);
  }

  /** The header must be whole before the first phase. */
  private board(): RecordedBoard {
    this.boardRead ??= this.readBoard();
    return this.boardRead;
  }

  private readBoard(): RecordedBoard {
    const [heap] = this.numbers('heap', 1);
    const [base, bytes] = this.numbers('memory', 2);
    if (bytes! < 1 || bytes! > MOST_MEMORY_BYTES) throw this.problem(`memory of 0x${bytes!.toString(16)} bytes`);
    if (heap! < base! || heap! >= base! + bytes!) throw this.problem('the heap is not in memory');
    const rest = { heap: heap!, memory: { base: base!, bytes: bytes! } };
    return this.header.has('hub') ? { hub: this.readHub(), ...rest } : { ...this.readPhb3(), ...rest };
  }

  private readPhb3(): Pick<Phb3Board, 'registers' | 'scom'> {
    const [registers] = this.numbers('registers', 1);
    const [nest, pci, spci] = this.numbers('scom', 3);
    return { registers: registers!, scom: { nest: nest!, pci: pci!, spci: spci! } };
  }

  /** Its number, its windows, and the PHBs that are wired. */
  private readHub(): P7iocBoard['hub'] {
    const given = this.header.get('hub')!.split(' ').length;
    const [hubId, mwin1, mwin2, ...phbs] = this.numbers('hub', Math.max(given, 4));
    if (hubId! > MOST_HUB || phbs.some((phb, at) => phb >= PHBS_PER_HUB || phb <= (phbs[at - 1] ?? -1))) {
      throw this.problem('"hub:" names no hub with PHBs in order');
    }
    return { hubId: hubId!, mwin1: mwin1!, mwin2: mwin2!, phbs };
  }

  private numbers(field: string, count: number): number[] {
    const words = (this.header.get(field) ?? '').split(' ');
    const isNumbers = words.length === count && words.every((word) => /^[0-9a-f]{1,13}$/.test(word));
    if (!isNumbers)
      throw this.problem(`the header has no "${field}:" with ${count} hexadecimal number${count > 1 ? 's' : ''}`);
    return words.map((word) => Number.parseInt(word, 16));
  }

  private problem(what: string): RecordingError {
    return new RecordingError(this.file, this.line, what, REMEDY);
  }
}
