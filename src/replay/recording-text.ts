/**
 * The project's own recording format: one access a line, readable and small once gzipped.
 *
 *     phbsim-recording 1
 *     name: boot-3dev
 *     source: OPAL 7.0 on QEMU 7.2 powernv8
 *     values: binding
 *
 *     R +21 nest0 42 8 ffff900000000000
 *     W +4 spci0 02 8 0211230000000000 @840
 *     # +5 [    0.162] Chip 0 Found PBCQ0
 *     M +0 200020000 00ff00ff
 *     I +9 3fffe40000c10 0000000000002000
 *     X +2 P7IOC PHB0.PHB_IODA_ADDR at 0x3ef00080220
 *
 * `+n` are microseconds since the line before; `@` names the PHB register that an ASB access reached.
 */
import { hex64 } from '../hw/bits.js';
import {
  isAccessSize,
  type RecordedAccess,
  type RecordedStep,
  type Recording,
  RecordingError,
  type WindowName,
} from './recording.js';

export const FORMAT_LINE = 'phbsim-recording 1';

const ACCESS = /^([RW]) \+(\d+) (phb|nest|pci|spci)(\d+) ([0-9a-f]+) ([1248]) ([0-9a-f]{1,16})(?: @([0-9a-f]+))?$/;
const NOTE = /^# \+(\d+) (.*)$/;
const MEMORY = /^M \+(\d+) ([0-9a-f]+) ((?:[0-9a-f]{2})+)$/;
const INTERVENTION = /^I \+(\d+) ([0-9a-f]+) ([0-9a-f]{16})$/;
const FOREIGN = /^X \+(\d+) (.+)$/;
const HEADER = /^(name|source|values): (.*)$/;

export function formatRecordingText(recording: Recording): string {
  const lines = [
    FORMAT_LINE,
    `name: ${recording.name}`,
    `source: ${recording.source}`,
    `values: ${recording.values}`,
    '',
  ];
  let timeUs = 0;
  for (const step of recording.steps) {
    lines.push(formatStep(step, Math.max(0, step.timeUs - timeUs)));
    timeUs = Math.max(timeUs, step.timeUs);
  }
  return `${lines.join('\n')}\n`;
}

function formatStep(step: RecordedStep, afterUs: number): string {
  switch (step.kind) {
    case 'note':
      // A note is one line here, whatever the console printed.
      return `# +${afterUs} ${step.text.replace(/\s*[\r\n]+\s*/g, ' ')}`;
    case 'memory':
      return `M +${afterUs} ${step.address.toString(16)} ${Buffer.from(step.bytes).toString('hex')}`;
    case 'foreign':
      return `X +${afterUs} ${step.what}`;
    case 'intervention':
      return `I +${afterUs} ${step.address.toString(16)} ${hex64(step.value)}`;
    case 'access': {
      const tag = step.direction === 'read' ? 'R' : 'W';
      const value = step.value.toString(16).padStart(step.size * 2, '0');
      const asb = step.asbOffset === undefined ? '' : ` @${step.asbOffset.toString(16)}`;
      return `${tag} +${afterUs} ${step.window}${step.phb} ${step.offset.toString(16)} ${step.size} ${value}${asb}`;
    }
  }
}

export function parseRecordingText(file: string, text: string): Recording {
  const lines = text.split('\n');
  const header = new Map<string, string>();
  const steps: RecordedStep[] = [];
  let timeUs = 0;
  lines.forEach((line, index) => {
    if (index === 0 || line === '') return;
    const field = steps.length === 0 ? HEADER.exec(line) : null;
    if (field) {
      header.set(field[1]!, field[2]!);
      return;
    }
    const step = parseStep(line, timeUs, index + 1);
    if (!step) {
      throw new RecordingError(
        file,
        index + 1,
        `unreadable line ${JSON.stringify(line.slice(0, 60))}`,
        'Expected R, W, X, I, M or # lines as `phbsim replay --save` writes them.',
      );
    }
    timeUs = step.timeUs;
    steps.push(step);
  });
  return {
    name: header.get('name') ?? 'unnamed',
    source: header.get('source') ?? 'unknown',
    values: header.get('values') === 'advisory' ? 'advisory' : 'binding',
    steps,
  };
}

function parseStep(line: string, timeUs: number, lineNumber: number): RecordedStep | undefined {
  const access = ACCESS.exec(line);
  if (access) return accessOf(access, timeUs, lineNumber);
  const note = NOTE.exec(line);
  if (note) return { kind: 'note', timeUs: timeUs + Number(note[1]), text: note[2]! };
  const foreign = FOREIGN.exec(line);
  if (foreign) return { kind: 'foreign', timeUs: timeUs + Number(foreign[1]), what: foreign[2]!, line: lineNumber };
  const injected = INTERVENTION.exec(line);
  if (injected) {
    const address = Number.parseInt(injected[2]!, 16);
    const value = BigInt(`0x${injected[3]}`);
    return { kind: 'intervention', timeUs: timeUs + Number(injected[1]), address, value, line: lineNumber };
  }
  const memory = MEMORY.exec(line);
  if (!memory) return undefined;
  return {
    kind: 'memory',
    timeUs: timeUs + Number(memory[1]),
    address: Number.parseInt(memory[2]!, 16),
    bytes: Uint8Array.from(Buffer.from(memory[3]!, 'hex')),
    line: lineNumber,
  };
}

function accessOf(match: RegExpExecArray, timeUs: number, line: number): RecordedAccess | undefined {
  const size = Number(match[6]);
  // A value cut short would pass for another one.
  if (!isAccessSize(size) || match[7]!.length !== 2 * size) return undefined;
  const access: RecordedAccess = {
    kind: 'access',
    timeUs: timeUs + Number(match[2]),
    direction: match[1] === 'R' ? 'read' : 'write',
    window: match[3] as WindowName,
    phb: Number(match[4]),
    offset: Number.parseInt(match[5]!, 16),
    size,
    value: BigInt(`0x${match[7]}`),
    line,
  };
  return match[8] === undefined ? access : { ...access, asbOffset: Number.parseInt(match[8], 16) };
}
