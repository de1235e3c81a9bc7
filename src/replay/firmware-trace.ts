/**
 * JSON lines of firmware run natively against a flat register file, call by call: `{"phase"}`, calls and returns, accesses
 * `{"i","t","sp":"mmio"|"xscom","op":"R"|"W","sz","a","v","o","reg"}`, memory `{"sp":"mem","a","b"}`, waits `{"sp":"time"}`.
 * Time is the 512 MHz time base; addresses are real.
 */
import {
  type ForeignAccess,
  isAccessSize,
  type RecordedAccess,
  type RecordedStep,
  type Recording,
  RecordingError,
  type WindowName,
} from './recording.js';

const TICKS_PER_US = 512;
const REGISTER_PREFIX = /^(PHB|PBCQ)(\d+)\.(?:(SPCI|PCI|PE)\+)?/;
/** Only a P7IOC has a hub; its bridges are called PHBn too, but are another chip. */
const HUB_REGISTER = /"reg":"IOC\./;
const HEX = /^0x[0-9a-f]{1,16}$/;
const WINDOWS: Readonly<Record<string, WindowName>> = { PE: 'nest', PCI: 'pci', SPCI: 'spci' };
/** Byte offset inside one PHB's 4 KiB register page. */
const PAGE_MASK = 0xfff;

export function parseFirmwareTrace(file: string, text: string): Recording {
  const reader = new TraceReader(file, HUB_REGISTER.test(text) ? 'P7IOC' : 'PHB3');
  text.split('\n').forEach((line, index) => {
    if (line !== '') reader.take(line, index + 1);
  });
  return {
    name: 'firmware-trace',
    source: 'firmware driver run natively against a flat register file',
    values: 'advisory',
    steps: reader.steps,
  };
}

class TraceReader {
  readonly steps: RecordedStep[] = [];
  #firstTicks: number | undefined;
  #timeUs = 0;

  constructor(
    private readonly file: string,
    private readonly chip: 'PHB3' | 'P7IOC',
  ) {}

  take(line: string, lineNumber: number): void {
    const entry = this.#parse(line, lineNumber);
    if (typeof entry['phase'] === 'string') {
      this.#note(`phase ${entry['phase']}`);
      return;
    }
    switch (entry['sp']) {
      case 'call':
        this.#note(`${String(entry['fn'])}(${Array.isArray(entry['args']) ? entry['args'].join(', ') : ''})`);
        return;
      case 'ret':
        this.#note(`returned ${String(entry['rc'])}`);
        return;
      case 'time':
        // The wait shows in the time of the next access too; polls that follow without an access need it here.
        this.#timeUs += Math.floor(numberOf(entry['ticks']) / TICKS_PER_US);
        this.#note(`waits ${Math.round(numberOf(entry['ticks']) / TICKS_PER_US)} us (${String(entry['fn'])})`);
        return;
      case 'mem':
        this.#memory(entry, lineNumber);
        return;
      case 'mmio':
      case 'xscom':
        this.steps.push(this.chip === 'PHB3' ? this.#access(entry, lineNumber) : this.#foreign(entry, lineNumber));
        return;
      default:
        throw this.#malformed(lineNumber, `unknown kind ${JSON.stringify(entry['sp'])}`);
    }
  }

  #note(text: string): void {
    this.steps.push({ kind: 'note', timeUs: this.#timeUs, text });
  }

  #memory(entry: Record<string, unknown>, line: number): void {
    const bytes = entry['b'];
    if (typeof bytes !== 'string' || !/^(?:[0-9a-f]{2})+$/.test(bytes))
      throw this.#malformed(line, 'memory line without bytes');
    this.steps.push({
      kind: 'memory',
      timeUs: this.#timeUs,
      address: Number(this.#hex(entry['a'], line)),
      bytes: Uint8Array.from(Buffer.from(bytes, 'hex')),
      line,
    });
  }

  #foreign(entry: Record<string, unknown>, line: number): ForeignAccess {
    this.#advanceTo(numberOf(entry['t']));
    const address = this.#hex(entry['a'], line).toString(16);
    return {
      kind: 'foreign',
      timeUs: this.#timeUs,
      what: `${this.chip} ${String(entry['reg'])} at 0x${address}`,
      line,
    };
  }

  #access(entry: Record<string, unknown>, line: number): RecordedAccess {
    const size = entry['sz'];
    if (!isAccessSize(size)) throw this.#malformed(line, `size ${JSON.stringify(size)} is not 1, 2, 4 or 8`);
    this.#advanceTo(numberOf(entry['t']));
    return {
      kind: 'access',
      timeUs: this.#timeUs,
      direction: entry['op'] === 'R' ? 'read' : 'write',
      ...this.#place(entry, line),
      size,
      value: this.#hex(entry['v'], line),
      line,
    };
  }

  #place(entry: Record<string, unknown>, line: number): { window: WindowName; phb: number; offset: number } {
    const register = String(entry['reg']);
    const match = REGISTER_PREFIX.exec(register);
    if (!match) {
      throw this.#malformed(line, `${register} is no register of a PHB3`);
    }
    const offset = Number(this.#hex(entry['o'], line));
    const window = match[1] === 'PHB' ? 'phb' : WINDOWS[match[3] ?? ''];
    if (!window) throw this.#malformed(line, `unknown register window in ${register}`);
    return { window, phb: Number(match[2]), offset: window === 'phb' ? offset & PAGE_MASK : offset };
  }

  #advanceTo(ticks: number): void {
    this.#firstTicks ??= ticks;
    this.#timeUs = Math.max(this.#timeUs, Math.floor((ticks - this.#firstTicks) / TICKS_PER_US));
  }

  #parse(line: string, lineNumber: number): Record<string, unknown> {
    try {
      const parsed: unknown = JSON.parse(line);
      if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
        return parsed as Record<string, unknown>;
    } catch {
      // falls through to the same message
    }
    throw this.#malformed(lineNumber, 'the line is not a JSON object');
  }

  #hex(value: unknown, line: number): bigint {
    if (typeof value === 'string' && HEX.test(value)) return BigInt(value);
    throw this.#malformed(line, `${JSON.stringify(value)} is no hex number`);
  }

  #malformed(line: number, problem: string): RecordingError {
    return new RecordingError(this.file, line, problem, 'Expected the lines of a PHB3 firmware trace.');
  }
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
