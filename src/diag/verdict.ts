/** From evidence to a verdict: which event it was. Rules over bits only. Facts: phb4-diag 5.1, ioda2-phb3 7.6. */
import { type Dump, word } from './dump.js';
import type { EventClass } from './events.js';
import { type Evidence, type Finding, Proof, type ProofLevel } from './evidence.js';
import type { PeState } from './pe-roles.js';
import { hasCause, type PestEntry } from './pest.js';
import { type CauseSignal, isCause, type Signal } from './signals.js';

export interface Cause {
  readonly event: EventClass;
  readonly proof: ProofLevel | undefined;
  /** The bit that decided. */
  readonly by: Finding | undefined;
}

/** What a PEST record says by itself, when no register is left to ask. */
const RECORD_SIGNALS: readonly (readonly [test: (entry: PestEntry) => boolean, signal: CauseSignal])[] = [
  [(e) => hasCause(e, 'TCE_PAGE_FAULT', 'TCE_ACCESS_FAULT'), 'tce-permission'],
  [(e) => hasCause(e, 'CONFIG_WRITE'), 'config-write-refused'],
  [(e) => hasCause(e, 'UNSUPPORTED_REQUEST'), 'completion-ur'],
  [(e) => hasCause(e, 'COMPLETER_ABORT'), 'completion-ca'],
  [(e) => hasCause(e, 'FATAL'), 'message-fatal'],
  [(e) => hasCause(e, 'NONFATAL'), 'message-nonfatal'],
  [(e) => hasCause(e, 'TVT_RANGE'), 'dma-out-of-window'],
  [(e) => hasCause(e, 'TAG_REUSE'), 'internal'],
  [(e) => hasCause(e, 'DMA_RESPONSE_TIMEOUT'), 'memory-timeout'],
  [(e) => hasCause(e, 'CORE'), 'pcie-core'],
  [(e) => e.transactionType === 'msi' && hasCause(e, 'IODA_ERROR'), 'msi-wrong-pe'],
];

export function recordFinding(evidence: Evidence, culprit: PeState | undefined): Finding[] {
  if (culprit === undefined) return [];
  const { entry } = culprit;
  const found = RECORD_SIGNALS.find(([test]) => test(entry))?.[1] ?? evidence.chip.lem.byBit.get(entry.lemBit)?.signal;
  if (found === undefined) return [];
  return [{ name: `PEST of PE ${culprit.first.toString(16)}`, about: undefined, signal: found, proof: Proof.RECORD }];
}

function refineDma(entry: PestEntry | undefined): EventClass {
  if (entry === undefined || !hasCause(entry, 'TCE_PAGE_FAULT', 'TCE_ACCESS_FAULT')) return 'dma-refused';
  return hasCause(entry, 'TCE_PAGE_FAULT') ? 'dma-unmapped' : 'dma-permission';
}

function refineCompletion(entry: PestEntry | undefined): EventClass {
  if (entry === undefined || !hasCause(entry, 'UNSUPPORTED_REQUEST', 'COMPLETER_ABORT')) return 'completion-error';
  return hasCause(entry, 'UNSUPPORTED_REQUEST') ? 'completion-ur' : 'completion-ca';
}

/** Status of the root port: it received an abort; a timeout it counts as advisory leaves no uncorrectable bit. */
const RECEIVED_TARGET_ABORT = 0x1000n;
const ADVISORY_NONFATAL = 0x2000n;
const COMPLETION_TIMEOUT = 0x4000n;

/** PHB3 and P7IOC have one bit for an abort and for an answer that never came: the root port's own registers decide. */
export function saysTimeout(dump: Dump): boolean {
  if ((word(dump, 'uncorrErrorStatus') & COMPLETION_TIMEOUT) !== 0n) return true;
  return !saysAbort(dump) && (word(dump, 'corrErrorStatus') & ADVISORY_NONFATAL) !== 0n;
}

export function saysAbort(dump: Dump): boolean {
  return (word(dump, 'devSecStatus') & RECEIVED_TARGET_ABORT) !== 0n;
}

const SURPRISE_DOWN = 0x20n;
const MALFORMED = 0x4_0000n;

/** The bridge's bit only says that the core or a port found something; the root port's own AER may say what. */
function ownErrorOf(dump: Dump): EventClass | undefined {
  const uncorrectable = word(dump, 'uncorrErrorStatus');
  if ((uncorrectable & SURPRISE_DOWN) !== 0n) return 'link-lost';
  return (uncorrectable & MALFORMED) === 0n ? undefined : 'malformed-tlp';
}

/** A signal plus the culprit's record gives the event. */
function refine(signal: CauseSignal, evidence: Evidence, culprit: PeState | undefined): EventClass {
  const entry = culprit?.entry;
  const timedOut = (word(evidence.dump, 'uncorrErrorStatus') & 0x4000n) !== 0n;
  switch (signal) {
    case 'tce-permission':
      return refineDma(entry);
    case 'completion-failed': {
      const event = refineCompletion(entry);
      return event === 'completion-ur' || !timedOut ? event : 'completion-timeout';
    }
    case 'completion-ca':
      return evidence.chip.chip !== 'phb4' && saysTimeout(evidence.dump) ? 'completion-timeout' : 'completion-ca';
    case 'pcie-core':
    case 'message-fatal':
    case 'message-nonfatal':
      return ownErrorOf(evidence.dump) ?? signal;
    case 'completion-ur':
      return culprit?.role === 'faulted' && hasCause(culprit.entry, 'CONFIG_WRITE')
        ? 'config-write-refused'
        : 'completion-ur';
    default:
      return signal;
  }
}

const SIDE_EVENTS: readonly (readonly [Signal, EventClass])[] = [
  ['fence-echo', 'nest-fence'],
  ['link-noise', 'link-noise'],
  ['corrected', 'corrected'],
];

/** No bit names a reason: what is left to say. */
function withoutCause(evidence: Evidence, states: readonly PeState[]): EventClass {
  const has = (signal: Signal) => evidence.findings.some((finding) => finding.signal === signal);
  if (evidence.fenced || has('fence-echo')) return 'nest-fence';
  if (states.some((state) => state.role === 'no-own-cause')) return 'software-freeze';
  if (evidence.link !== undefined && !evidence.link.active && has('link-up') === false) return 'link-down';
  for (const [signal, event] of SIDE_EVENTS) if (has(signal)) return event;
  return evidence.findings.length > 0 ? 'informational' : 'nothing-recorded';
}

export function decideCause(evidence: Evidence, states: readonly PeState[], culprit: PeState | undefined): Cause {
  if (evidence.dead) return { event: 'dead', proof: undefined, by: undefined };
  const candidates = [...evidence.findings, ...recordFinding(evidence, culprit)]
    .filter((finding): finding is Finding & { signal: CauseSignal } => isCause(finding.signal))
    .sort((a, b) => a.proof - b.proof);
  const by = candidates[0];
  if (by === undefined) return { event: withoutCause(evidence, states), proof: undefined, by: undefined };
  return { event: refine(by.signal, evidence, culprit), proof: by.proof, by };
}
