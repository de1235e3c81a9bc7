/** Puts together what tells of the same fault: Linux' words, the kernel's dump, the firmware's dump. */
import type { EehEvent, LogContext } from '../context.js';
import type { ExplainedDump } from '../interpret.js';
import { eehEventOf } from '../same-event.js';
import type { Incident } from './fault.js';

const NOTHING: Incident = {
  eeh: undefined,
  dumps: [],
  rtas: undefined,
  trace: undefined,
  withoutPe: undefined,
  aer: undefined,
};

/** An event has its dump and ended: what is printed after it is another one. */
function isOver(
  eeh: EehEvent,
  { dump }: ExplainedDump,
  incidents: readonly Pick<Incident, 'eeh' | 'dumps'>[],
): boolean {
  const hasDump = incidents.some((incident) => incident.eeh === eeh && incident.dumps.length > 0);
  return dump.firstLine > eeh.lastLine && hasDump;
}

function ofDumps(dumps: readonly ExplainedDump[], context: LogContext): Incident[] {
  const incidents: { eeh: EehEvent | undefined; dumps: ExplainedDump[] }[] = [];
  const byNumber = new Map<number, (typeof incidents)[number]>();
  for (const [i, dump] of dumps.entries()) {
    const twin = dump.sameEventAs === undefined ? undefined : byNumber.get(dump.sameEventAs);
    const told = dump.dump.form === 'linux' ? eehEventOf(dump.dump, context) : undefined;
    const eeh = told !== undefined && isOver(told, dump, incidents) ? undefined : told;
    const open = twin ?? (eeh === undefined ? undefined : incidents.find((incident) => incident.eeh === eeh));
    const incident = open ?? { eeh, dumps: [] };
    if (open === undefined) incidents.push(incident);
    incident.dumps.push(dump);
    byNumber.set(i + 1, incident);
  }
  return incidents.map((incident) => ({ ...NOTHING, ...incident }));
}

function firstLine(incident: Incident): number {
  const lines = [
    incident.eeh?.line,
    ...incident.dumps.map(({ dump }) => dump.firstLine),
    incident.rtas?.line,
    incident.trace?.line,
    incident.withoutPe?.line,
    incident.aer?.line,
  ];
  return Math.min(...lines.filter((line) => line !== undefined));
}

/** Everything in the log that is an event of its own, in the order of the lines. */
export function joinIncidents(dumps: readonly ExplainedDump[], context: LogContext): Incident[] {
  const incidents = ofDumps(dumps, context);
  const told = new Set(incidents.map((incident) => incident.eeh));
  for (const eeh of context.events) {
    if (!told.has(eeh)) incidents.push({ ...NOTHING, eeh });
  }
  for (const rtas of context.rtasEvents) incidents.push({ ...NOTHING, rtas });
  for (const trace of context.linkTraces) {
    const failed = [trace.wentDownLine, trace.timedOutLine, trace.fencedLine].some((line) => line !== undefined);
    if (failed || trace.trainedInReset) incidents.push({ ...NOTHING, trace });
  }
  for (const withoutPe of context.withoutPe) incidents.push({ ...NOTHING, withoutPe });
  for (const aer of context.aerMessages) incidents.push({ ...NOTHING, aer });
  return incidents.sort((a, b) => firstLine(a) - firstLine(b));
}
