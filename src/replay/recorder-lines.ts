/**
 * JSON lines as written by a recorder inside an emulator: `[t,"R"|"W",unit,offset,size,value(,"asb:OFF")]` for accesses,
 * `[t,"#",line]` for the console, other tags for calls and interrupts. Times in microseconds since the first access.
 */
import {
  isAccessSize,
  type RecordedAccess,
  type RecordedStep,
  type Recording,
  RecordingError,
  type WindowName,
} from './recording.js';

const UNIT = /^(phb|nest|pci|spci)(\d+)$/;
/** The recorded system announces what its operator writes past it. */
const INTERVENTION = /@@MARK QTEST (0x[0-9a-f]{1,16}) (0x[0-9a-f]{1,16})/;
const HEX = /^[0-9a-f]{1,16}$/;

export function parseRecorderLines(file: string, text: string): Recording {
  const lines = text.split('\n');
  const meta = parseMeta(file, lines[0] ?? '');
  const steps: RecordedStep[] = [];
  lines.forEach((line, index) => {
    if (index === 0 || line === '') return;
    steps.push(parseLine({ file, line: index + 1 }, line));
  });
  return { name: meta.name, source: [...softwareOf(steps), meta.source].join(' on '), values: 'binding', steps };
}

function parseMeta(file: string, line: string): { name: string; source: string } {
  const parsed = parseJson({ file, line: 1 }, line);
  const meta = isObject(parsed) && isObject(parsed['meta']) ? parsed['meta'] : {};
  const text = (key: string, otherwise: string): string => {
    const value = meta[key];
    return typeof value === 'string' ? value : otherwise;
  };
  return { name: text('name', 'unnamed'), source: text('qemu', 'unknown recorder') };
}

/** What software ran, by what it said on the console; the operating system first. */
const BANNERS: readonly (readonly [RegExp, string])[] = [
  [/\bLinux version (\d[\w.-]*)/, 'Linux'],
  [/\bOPAL v(\d[\w.-]*) starting/, 'OPAL'],
];

function softwareOf(steps: readonly RecordedStep[]): string[] {
  const console = steps.flatMap((step) => (step.kind === 'note' ? [step.text] : []));
  return BANNERS.flatMap(([banner, name]) => {
    const version = console.map((line) => banner.exec(line)?.[1]).find((found) => found !== undefined);
    return version === undefined ? [] : [`${name} ${version}`];
  });
}

interface Place {
  readonly file: string;
  readonly line: number;
}

function parseLine(place: Place, line: string): RecordedStep {
  const parsed = parseJson(place, line);
  if (!Array.isArray(parsed) || typeof parsed[0] !== 'number' || typeof parsed[1] !== 'string') {
    throw malformed(place, 'a line must be [time, tag, ...]');
  }
  const [timeUs, tag, ...rest] = parsed as [number, string, ...unknown[]];
  if (tag === 'R' || tag === 'W') return parseAccess(place, timeUs, tag, rest);
  const injected = tag === '#' ? INTERVENTION.exec(String(rest[0])) : null;
  if (injected) {
    return {
      kind: 'intervention',
      timeUs,
      address: Number(injected[1]),
      value: BigInt(injected[2]!),
      line: place.line,
    };
  }
  return { kind: 'note', timeUs, text: tag === '#' ? String(rest[0]) : `${tag} ${rest.map(noteText).join(' ')}` };
}

function noteText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function parseAccess(place: Place, timeUs: number, tag: 'R' | 'W', rest: unknown[]): RecordedAccess {
  const [unit, offset, size, value, asb] = rest;
  const match = typeof unit === 'string' ? UNIT.exec(unit) : null;
  if (!match) throw malformed(place, `unknown unit ${JSON.stringify(unit)}; known are phbN, nestN, pciN, spciN`);
  if (typeof offset !== 'string' || !HEX.test(offset))
    throw malformed(place, `offset ${JSON.stringify(offset)} is no hex number`);
  if (!isAccessSize(size)) throw malformed(place, `size ${JSON.stringify(size)} is not 1, 2, 4 or 8`);
  if (typeof value !== 'string' || !HEX.test(value))
    throw malformed(place, `value ${JSON.stringify(value)} is no hex number`);
  const access: RecordedAccess = {
    kind: 'access',
    timeUs,
    direction: tag === 'R' ? 'read' : 'write',
    window: match[1] as WindowName,
    phb: Number(match[2]),
    offset: Number.parseInt(offset, 16),
    size,
    value: BigInt(`0x${value}`),
    line: place.line,
  };
  return typeof asb === 'string' && asb.startsWith('asb:')
    ? { ...access, asbOffset: Number.parseInt(asb.slice(4), 16) }
    : access;
}

function parseJson(place: Place, line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    throw malformed(place, 'the line is not JSON');
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(place: Place, problem: string): RecordingError {
  return new RecordingError(
    place.file,
    place.line,
    problem,
    'The recording may be cut or edited; record or copy it anew.',
  );
}
