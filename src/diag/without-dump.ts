/** The clear answer for a log that holds no register dump: what it holds instead, and what to capture. */
import { type EehEvent, LARGEST_POWERNV_PE, type LogContext } from './context.js';
import { deviceText } from './notes.js';

export interface FoundInstead {
  readonly kind: 'eeh-event' | 'rtas-eeh-event' | 'rtas-event' | 'hub-dump' | 'boot' | 'link-trace';
  readonly line: number;
  readonly text: string;
}

export interface WithoutDump {
  readonly summary: string;
  readonly found: readonly FoundInstead[];
  readonly advice: readonly string[];
}

const CAPTURE = [
  "The kernel prints the dump after 'EEH: Collect temporary log', with a line 'PHB4 PHB#... Diag-data' or the like on top.",
  'Capture dmesg (or journalctl -k -b -1 for the boot before) from the first EEH line to the line after the dump, and /sys/firmware/opal/msglog.',
];

export function isRtas(event: EehEvent): boolean {
  return event.pe !== undefined && event.pe > LARGEST_POWERNV_PE;
}

const BRIDGE_STATE = {
  frozen: 'frozen',
  fenced: 'fenced',
  dead: 'dead',
  informative: 'reported an informative error',
} as const;

function eehText(event: EehEvent): string {
  const device = deviceText(event);
  const what =
    event.pe === undefined
      ? `PHB#${event.phb.toString(16)} ${BRIDGE_STATE[event.kind]}`
      : `PE ${event.pe.toString(16)} of PHB#${event.phb.toString(16)} frozen`;
  const outcome = { recovered: ', recovered', 'not-recovered': ', given up by Linux', unknown: '' }[event.outcome];
  const location = event.location === undefined ? '' : `, at ${event.location}`;
  return `${what}${device === undefined ? '' : ` (${device})`}${location}${outcome}`;
}

function bootText(context: LogContext): FoundInstead[] {
  const first = context.bootedBridges[0];
  if (first === undefined) return [];
  const chips: Readonly<Record<string, string>> = {
    IODA1: 'P7IOC (POWER7)',
    IODA2: 'PHB3 (POWER8)',
    IODA3: 'PHB4 or PHB5 (POWER9, POWER10)',
  };
  const chip = chips[first.generation] ?? first.generation;
  return [
    { kind: 'boot', line: first.line, text: `a kernel boot with ${context.bootedBridges.length} bridges, ${chip}` },
  ];
}

function collect(context: LogContext): FoundInstead[] {
  const found: FoundInstead[] = context.events.map((event) => ({
    kind: isRtas(event) ? 'rtas-eeh-event' : 'eeh-event',
    line: event.line,
    text: eehText(event),
  }));
  for (const event of context.rtasEvents) {
    const code = event.referenceCode === undefined ? '' : `, reference code ${event.referenceCode}`;
    found.push({ kind: 'rtas-event', line: event.line, text: `RTAS event ${event.id}${code}` });
  }
  const steps = context.linkTraces.flatMap((trace) => trace.steps);
  const last = steps.at(-1);
  if (last !== undefined) {
    found.push({
      kind: 'link-trace',
      line: steps[0]!.line,
      text: `firmware's link training trace, ${steps.length} steps, last state "GEN${last.generation}:x${last.width}:${last.state}"`,
    });
  }
  return [...found, ...bootText(context)].sort((a, b) => a.line - b.line);
}

function adviceFor(found: readonly FoundInstead[], context: LogContext): string[] {
  const last = context.events.at(-1);
  if (found.some((entry) => entry.kind === 'rtas-eeh-event' || entry.kind === 'rtas-event')) {
    return [
      'This is a PowerVM guest or an RTAS log: the hypervisor keeps the bridge registers, so its kernel log never holds a dump. Ask for the platform error log of the same time (servicelog, errl).',
    ];
  }
  if (last !== undefined && last.stage !== 'recovery' && last.lastLine >= context.lineCount - 1) {
    return ['The log ends before the kernel printed the dump: it would be the next lines.', ...CAPTURE.slice(1)];
  }
  if (found.length > 0 && found.every((entry) => entry.kind === 'boot')) {
    return ['Nothing failed in this log. If a device failed later, capture that part.', ...CAPTURE];
  }
  return CAPTURE;
}

function summaryOf(found: readonly FoundInstead[], context: LogContext): string {
  const lines = `${context.lineCount} line${context.lineCount === 1 ? '' : 's'} read`;
  if (found.length === 0) {
    const eeh =
      context.eehLines === undefined
        ? 'and no EEH message'
        : `EEH messages from line ${context.eehLines.first}, but no freeze or fence`;
    return `No register dump in this log (${lines}), ${eeh}.`;
  }
  return `No register dump in this log (${lines}). It holds instead:`;
}

export function explainWithoutDump(context: LogContext): WithoutDump {
  const found = collect(context);
  return { summary: summaryOf(found, context), found, advice: adviceFor(found, context) };
}
