/**
 * A recording of the kernel, cut at its marks: the OPAL calls of each with arguments and return code, and the lines of the
 * kernel log that EEH, the PCI core, the platform and drivers inside EEH's passes printed. The rest is left out.
 */
import { type CallRecord, meaningfulWords } from './linux-calls.js';
import { isAccess, type RecordedAccess, type RecordedNote, type RecordedStep, type Recording } from './recording.js';

/** What happened before the first mark. */
export const BOOT = 'boot';

export interface RecordedMark {
  /** Everything the recorder wrote behind its mark, unique within the recording. */
  readonly text: string;
  readonly calls: readonly CallRecord[];
  readonly lines: readonly LogLine[];
}

export interface LogLine {
  readonly timeUs: number;
  readonly text: string;
}

const MARK = /@@MARK (.*)$/;
const LINE = /\[\s*(\d+)\.(\d{6})\] (.*)$/;
const CALL = /^OPAL (\w+) (null|\[.*\]) (-?\d+) (\d+)$/;
const CONFIG_CALL = /^PCI_CONFIG_(READ|WRITE)_/;
/** PHB_CONFIG_ADDRESS as the recording names it. */
const CONFIG_ADDRESS = 0x140;
const CONFIG_DATA = { first: 0x130, last: 0x133 } as const;

/** `L20` of `L20 force-recover-nvme-pe` */
export function codeOf(mark: string): string {
  return /^\S+/.exec(mark)?.[0] ?? mark;
}

const RELEVANT: readonly RegExp[] = [
  /^EEH: /,
  /^PCI [0-9a-f]{4}:\S+ EEH: /,
  /^(pci|pci_bus) /,
  /^PCI(: Probing| host bridge to)/,
  /^(pnv|eeh)_\w+/,
  /^(nvme|e1000e) [0-9a-f]{4}:\S+ (enabling device|not ready|ready|Going to break|eeh_dev_check)/,
  /^nvme nvme\d+: (pci function|frozen state|restart after|\d+\/\d+\/\d+ )/,
  /^PHB3 PHB#/,
  /^(brdgCtl|UtlSts|RootSts|RootErrSts|RootErrLog1?|nFir|PhbSts|Lem|PhbErr|OutErr|InAErr|InBErr|PE\[...\]): /,
  /^Unbalanced enable for IRQ/,
];

/** Whether a line is one of those that are compared. */
export function isRelevant(text: string): boolean {
  return RELEVANT.some((pattern) => pattern.test(text));
}

interface OpenMark {
  text: string;
  fromUs: number;
  calls: CallRecord[];
  lines: LogLine[];
}

export function marksOf(recording: Recording): RecordedMark[] {
  const marks: OpenMark[] = [{ text: BOOT, fromUs: Number.NEGATIVE_INFINITY, calls: [], lines: [] }];
  const lines: LogLine[] = [];
  let linuxRuns = false;
  for (const [index, step] of recording.steps.entries()) {
    if (step.kind !== 'note') continue;
    const call = CALL.exec(step.text);
    if (call !== null) {
      marks.at(-1)!.calls.push(callOf(call, recording.steps, index));
      continue;
    }
    const line = lineOf(step);
    if (/Linux version/.test(step.text)) linuxRuns = true;
    const mark = MARK.exec(step.text);
    if (mark !== null && line !== undefined) {
      marks.push({ text: mark[1]!.trim(), fromUs: line.timeUs, calls: [], lines: [] });
    } else if (linuxRuns && line !== undefined && isRelevant(line.text)) lines.push(line);
  }
  // A record without end of line reaches the console late; its stamp tells where it belongs.
  for (const line of [...lines].sort((a, b) => a.timeUs - b.timeUs)) {
    marks.findLast(({ fromUs }) => fromUs <= line.timeUs)!.lines.push(line);
  }
  return marks;
}

function lineOf(step: RecordedNote): LogLine | undefined {
  const line = LINE.exec(step.text);
  return line === null ? undefined : { timeUs: Number(line[1]) * 1e6 + Number(line[2]), text: line[3]!.trimEnd() };
}

function callOf(match: RegExpExecArray, steps: readonly RecordedStep[], index: number): CallRecord {
  const [, name = '', words = 'null', rc, us] = match;
  const { timeUs } = steps[index]!;
  const common = { name, rc: Number(rc), timeUs };
  if (words !== 'null') {
    return { ...common, args: meaningfulWords(name, (JSON.parse(words) as string[]).map(BigInt)) };
  }
  if (!CONFIG_CALL.test(name)) return { ...common, args: undefined };
  return { ...common, args: configWords(name, accessesOf(steps, index, timeUs + Number(us) + SLACK_US)) };
}

/** Accesses made while the call ran, in order of time; some were written down just before it. */
function accessesOf(steps: readonly RecordedStep[], index: number, untilUs: number): RecordedAccess[] {
  const first = steps[index]!.timeUs;
  const found: RecordedAccess[] = [];
  for (let i = Math.max(0, index - NEIGHBOURS); i < Math.min(steps.length, index + NEIGHBOURS); i++) {
    const step = steps[i]!;
    if (isAccess(step) && step.timeUs >= first && step.timeUs <= untilUs) found.push(step);
  }
  return found.sort((a, b) => a.timeUs - b.timeUs);
}

const NEIGHBOURS = 40;
/** The clocks of the tracer and of the recorder are not one. */
const SLACK_US = 4;

/** The tracer did not run yet: the bridge's register shows what was accessed. */
function configWords(name: string, accesses: readonly RecordedAccess[]): readonly bigint[] | undefined {
  const first = accesses.findIndex(
    ({ offset, window, direction }) => window === 'phb' && direction === 'write' && offset === CONFIG_ADDRESS,
  );
  const address = accesses[first];
  const data = accesses
    .slice(first + 1)
    .find(({ offset, window }) => window === 'phb' && offset >= CONFIG_DATA.first && offset <= CONFIG_DATA.last);
  if (address === undefined || data === undefined) return undefined;
  const bdfn = (address.value >> 44n) & 0xffffn;
  const offset = ((address.value >> 32n) & 0xffcn) + BigInt(data.offset - CONFIG_DATA.first);
  const place = [BigInt(address.phb), bdfn, offset];
  return name.includes('_READ_') ? place : [...place, swapped(data.value, data.size)];
}

/** The bytes lie in the register page as on the bus. */
function swapped(value: bigint, size: number): bigint {
  let result = 0n;
  for (let i = 0; i < size; i++) result = (result << 8n) | ((value >> BigInt(8 * i)) & 0xffn);
  return result;
}
