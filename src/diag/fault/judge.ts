/** The verdict on one incident: from registers where there are any, else from the words of kernel and firmware. */
import type { LogContext } from '../context.js';
import { type FaultEvent, type Incident, isSurer } from './fault.js';
import { judgeAer } from './judge-aer.js';
import { judgeDump } from './judge-dump.js';
import { judgeRtasRecord } from './judge-rtas.js';
import { judgeTrace } from './judge-trace.js';
import { judgeWithoutPe } from './judge-without-pe.js';
import { judgeWords } from './judge-words.js';

export function judge(incident: Incident, context: LogContext): FaultEvent {
  const readings = incident.dumps.map((dump) => judgeDump(incident, dump, context));
  const [first, ...others] = readings;
  if (first !== undefined) {
    return others.reduce((best, next) => (isSurer(next.cause.certainty, best.cause.certainty) ? next : best), first);
  }
  if (incident.rtas !== undefined) return judgeRtasRecord(incident.rtas);
  if (incident.trace !== undefined) return judgeTrace(incident.trace);
  if (incident.withoutPe !== undefined) return judgeWithoutPe(incident.withoutPe, context);
  if (incident.aer !== undefined) return judgeAer(incident.aer, context);
  return judgeWords(incident.eeh!, context);
}
