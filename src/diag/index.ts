/**
 * `phbsim/diag`: explains what froze a PE, from the logs of a real machine. Needs no Node API, so it works in a browser too.
 *
 * `explain` takes text or bytes; `LogStream` takes a log in pieces; `toJson`, `formatReport` and `formatHtml` show the answer.
 */
import { explainBytes, explainHexText } from './binary.js';
import { type ExplainOptions, explainLog, type LogExplanation } from './explain.js';

export { type BytesKind, dumpFromBytes, explainBinary, explainBytes, NotALogError } from './binary.js';
export type { Dump, DumpWord, PestRun } from './dump.js';
export { type ExplainedDump, type ExplainOptions, explainLog, type LogExplanation, LogStream } from './explain.js';
export {
  type AdviceItem,
  type Alternative,
  CAUSE_TYPES,
  type CauseType,
  CERTAINTIES,
  type Certainty,
  type EvidenceItem,
  FAULT_CHIPS,
  type FaultCause,
  type FaultChip,
  type FaultDevice,
  type FaultEvent,
  type Recovery,
  SEVERITIES,
  type Severity,
} from './fault/fault.js';
export { formatHtml } from './html/page.js';
export { toJson, toPlain } from './json.js';
export { formatReport } from './report.js';
export { readTlpHeader, type TlpReading } from './tlp.js';

/** Explains a log given as text, or as bytes: text, binary diag data, or either of them as hexadecimal digits. */
export function explain(input: string | Uint8Array, options: ExplainOptions = {}): LogExplanation {
  if (typeof input !== 'string') return explainBytes(input, options);
  return explainHexText(input) ?? explainLog(input, options);
}
