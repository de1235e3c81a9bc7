/**
 * QEMU's qtest protocol: a line in, a reply out, over whatever the target is. Knows no socket and no chip.
 *
 * Forms and semantics are those of qemu softmmu/qtest.c on a big-endian guest: 16, 32 and 64-bit values are what the
 * guest's processor would load or store, blocks are bytes in order of address. Replies are `OK`, `OK VALUE`,
 * `FAIL reason` (understood, but not to be had) and `ERR reason` (not understood); where QEMU aborts, this answers ERR.
 * As on any machine without I/O ports and modules, nothing is found at a port and no module can be loaded. One command is
 * an extension: `opal`, a call of firmware.
 */
import type { AccessSize } from '../hw/host-port.js';
import {
  CommandError,
  echoed,
  parseAddress,
  parseBase64,
  parseHexBytes,
  parseInt32,
  parseNanoseconds,
  parsePort,
  parseSize,
  parseWord,
  shown,
} from './qtest-words.js';

/** Work in slices: whoever drives it may do something else at each yield. */
export type Work<T> = Generator<undefined, T, undefined>;
export type LineLevel = 'raise' | 'lower';
export type LineListener = (irq: number, level: LineLevel) => void;
/** Which of a device's lines: those that come to it, or those that leave it. */
export type Pins = 'in' | 'out';

/** What a client gets at. Block methods take any alignment. */
export interface QtestTarget {
  load(address: number, size: AccessSize): bigint;
  store(address: number, size: AccessSize, value: bigint): void;
  readBlock(address: number, length: number): Uint8Array;
  writeBlock(address: number, bytes: Uint8Array): void;
  fill(address: number, length: number, byte: number): void;
  /** Virtual time in whole nanoseconds. */
  readonly clockNs: number;
  /** Lets time pass up to then; nothing if that is past. */
  advanceTo(timeNs: number): Work<void>;
  /** Lets time pass up to the next thing that happens. */
  advanceToNextEvent(): Work<void>;
  /** Reports the interrupt lines of a device until the returned function is called; undefined: no such device. */
  intercept(device: string, pins: Pins, listener: LineListener): (() => void) | undefined;
  /** Drives a line that comes to a device. */
  setLine(device: string, line: number, level: LineLevel): 'done' | 'no device' | 'no line';
  /** Calls firmware by token or name, with numbers as words, and lets it run to its end; its return code. */
  callFirmware(call: string, words: readonly string[]): Work<bigint>;
}

export type Reply = string | Work<string>;

/** Longest block of read, write and their base64 forms: both request and reply stay within a line of a little over 1 MiB. */
export const MAX_BLOCK_BYTES = 2 ** 19;
export const MAX_FILL_BYTES = 2 ** 26;

const SIZES: Readonly<Record<string, AccessSize>> = { b: 1, w: 2, l: 4, q: 8 };
/** What a port that nobody answers for reads as. */
const PORT_ONES: Readonly<Record<string, string>> = { b: '00ff', w: 'ffff', l: 'ffffffff' };
/** QEMU's word for the lines of a device that have no list of their own. */
const UNNAMED_LINES = 'unnamed-gpio-in';

type Command = (words: readonly string[]) => Reply;

/** One client's side of the conversation. */
export class QtestSession {
  private readonly commands: ReadonlyMap<string, Command>;
  private readonly raised = new Set<number>();
  private intercepted: { device: string; end: () => void } | undefined;

  constructor(
    private readonly target: QtestTarget,
    /** Takes the lines that come unasked. */
    private readonly notify: (line: string) => void,
  ) {
    this.commands = new Map<string, Command>([
      ...Object.entries(SIZES).map(([letter, size]): [string, Command] => [`read${letter}`, (w) => this.load(w, size)]),
      ...Object.entries(SIZES).map(([letter, size]): [string, Command] => [
        `write${letter}`,
        (w) => this.store(w, size),
      ]),
      ['read', (words) => `OK 0x${this.readBlock(words, 1).toString('hex')}`],
      ['b64read', (words) => `OK ${this.readBlock(words, 0).toString('base64')}`],
      ['write', (words) => this.writeBlock(words, parseHexBytes)],
      ['b64write', (words) => this.writeBlock(words, parseBase64)],
      ['memset', (words) => this.fill(words)],
      ['endianness', () => 'OK big'],
      ['clock_step', (words) => this.clockStep(words[1])],
      ['clock_set', (words) => this.clockSet(words[1])],
      ['irq_intercept_in', (words) => this.intercept(words[1], 'in')],
      ['irq_intercept_out', (words) => this.intercept(words[1], 'out')],
      ['set_irq_in', (words) => this.setLine(words)],
      ...Object.entries(PORT_ONES).map(([letter, ones]): [string, Command] => [
        `in${letter}`,
        (w) => readPort(w, ones),
      ]),
      ...Object.keys(PORT_ONES).map((letter): [string, Command] => [`out${letter}`, writePort]),
      ['module_load', loadModule],
      ['opal', (words) => this.opal(words)],
    ]);
  }

  /** Never throws, whatever the line, and neither does the work it hands out. */
  execute(line: string): Reply {
    if (line === '') return 'ERR the line is empty';
    const words = line.split(' ');
    const command = this.commands.get(words[0]!);
    if (command === undefined) return `FAIL Unknown command '${echoed(words[0]!)}'`;
    try {
      return command(words);
    } catch (error) {
      return failure(error);
    }
  }

  /** The client is gone: its interrupt lines are no longer wanted. */
  close(): void {
    this.intercepted?.end();
    this.intercepted = undefined;
  }

  private load(words: readonly string[], size: AccessSize): string {
    const value = this.target.load(parseAddress(words[1]), size);
    return `OK 0x${value.toString(16).padStart(16, '0')}`;
  }

  private store(words: readonly string[], size: AccessSize): string {
    const address = parseAddress(words[1]);
    this.target.store(address, size, BigInt.asUintN(8 * size, parseWord(words[2], 'value')));
    return 'OK';
  }

  private readBlock(words: readonly string[], least: number): Buffer {
    const address = parseAddress(words[1]);
    const size = parseSize(words[2], MAX_BLOCK_BYTES);
    if (size < least) throw new CommandError('size must not be 0');
    const bytes = this.target.readBlock(address, size);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  private writeBlock(words: readonly string[], parse: (word: string | undefined, size: number) => Uint8Array): string {
    const address = parseAddress(words[1]);
    const size = parseSize(words[2], MAX_BLOCK_BYTES);
    this.target.writeBlock(address, parse(words[3], size));
    return 'OK';
  }

  private fill(words: readonly string[]): string {
    const address = parseAddress(words[1]);
    const size = parseSize(words[2], MAX_FILL_BYTES);
    this.target.fill(address, size, Number(parseWord(words[3], 'value') & 0xffn));
    return 'OK';
  }

  private clockStep(word: string | undefined): Reply {
    const { target } = this;
    if (word === undefined) return this.clockReply(target.advanceToNextEvent());
    return this.clockReply(target.advanceTo(target.clockNs + parseNanoseconds(word, 'step')));
  }

  private clockSet(word: string | undefined): Reply {
    return this.clockReply(this.target.advanceTo(parseNanoseconds(word, 'time')));
  }

  private *clockReply(work: Work<void>): Work<string> {
    try {
      yield* work;
      return `OK ${this.target.clockNs}`;
    } catch (error) {
      return failure(error);
    }
  }

  private intercept(device: string | undefined, pins: Pins): string {
    if (device === undefined) throw new CommandError('device is missing');
    const end = this.target.intercept(device, pins, (irq, level) => this.lineChanged(irq, level));
    if (end === undefined) return UNKNOWN_DEVICE;
    if (this.intercepted === undefined) {
      this.intercepted = { device, end };
      return 'OK';
    }
    end();
    return this.intercepted.device === device ? 'OK' : 'FAIL IRQ intercept already enabled';
  }

  private setLine([, device, list, line, level]: readonly string[]): string {
    if (device === undefined || list === undefined || line === undefined || level === undefined) {
      throw new CommandError('set_irq_in takes a device, a list of lines, a line and a level');
    }
    const change = parseInt32(level, 'level') === 0 ? 'lower' : 'raise';
    const outcome = this.target.setLine(device, parseInt32(line, 'line'), change);
    if (outcome === 'no device') return UNKNOWN_DEVICE;
    if (outcome === 'no line' || list !== UNNAMED_LINES) {
      throw new CommandError(`${shown(device)} has no line ${shown(line)} in '${shown(list)}'`);
    }
    return 'OK';
  }

  private *opal([, call, ...words]: readonly string[]): Work<string> {
    try {
      if (call === undefined) throw new CommandError('the call is missing: give a token or a name, or "boot"');
      return `OK ${yield* this.target.callFirmware(call, words)}`;
    } catch (error) {
      return failure(error);
    }
  }

  /** Only changes are told, and a line counts as low until it was seen high. */
  private lineChanged(irq: number, level: 'raise' | 'lower'): void {
    if (this.raised.has(irq) === (level === 'raise')) return;
    if (level === 'raise') this.raised.add(irq);
    else this.raised.delete(irq);
    this.notify(`IRQ ${level} ${irq}`);
  }
}

const UNKNOWN_DEVICE = 'FAIL Unknown device';

function readPort(words: readonly string[], ones: string): string {
  parsePort(words[1]);
  return `OK 0x${ones}`;
}

function writePort(words: readonly string[]): string {
  parsePort(words[1]);
  parseWord(words[2], 'value');
  return 'OK';
}

function loadModule(words: readonly string[]): string {
  if (words.length < 3) throw new CommandError('module_load takes a prefix and a name');
  return 'FAIL';
}

/** The reply to a command that ended in an error. */
function failure(error: unknown): string {
  const message = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ');
  if (error instanceof CommandError) return `ERR ${message}`;
  return `FAIL ${message.replace(/[^\x20-\x7e]/g, '?')}`;
}
