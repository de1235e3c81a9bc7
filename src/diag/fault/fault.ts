/** One event of a log, joined from all that tells of it, with its verdict: what `--json` prints. */
import type { AerMessage } from '../context/aer-message.js';
import type { LinkTrace } from '../context/link-trace.js';
import type { RtasRecord } from '../context/rtas-record.js';
import type { EehEvent, PassedDevice } from '../context.js';
import type { Suspect } from '../events.js';
import type { ExplainedDump } from '../interpret.js';
import type { HubClass } from '../p7ioc/hub-text.js';
import type { CauseType } from './cause-type.js';

export { CAUSE_TYPES, type CauseType } from './cause-type.js';

/** From sure to guessed. */
export const CERTAINTIES = ['certain', 'likely', 'possible'] as const;
export type Certainty = (typeof CERTAINTIES)[number];

export const SEVERITIES = ['pe-frozen', 'phb-fenced', 'phb-dead', 'informative'] as const;
export type Severity = (typeof SEVERITIES)[number];

export const FAULT_CHIPS = ['p7ioc', 'phb3', 'phb4', 'phb5', 'rtas', 'unknown'] as const;
export type FaultChip = (typeof FAULT_CHIPS)[number];

export interface FaultCause {
  readonly type: CauseType;
  readonly certainty: Certainty;
  readonly address: bigint | undefined;
  readonly direction: 'read' | 'write' | undefined;
  /** Bus, device and function: "02:06.0". */
  readonly requester: string | undefined;
}

export interface Alternative {
  readonly type: CauseType;
  readonly certainty: Certainty;
  readonly why: string;
}

export interface EvidenceItem {
  readonly text: string;
  readonly line: number | undefined;
  /** Worth knowing, but no reason for the verdict. */
  readonly aside?: boolean;
}

export interface AdviceItem {
  readonly text: string;
  readonly why: string;
}

export type PePart = 'faulted' | 'noticed' | 'named';

export interface FaultDevice {
  readonly address: string;
  readonly driver: string | undefined;
  /** "144d:a808" */
  readonly ids: string | undefined;
  readonly name: string | undefined;
  readonly pe: number | undefined;
  readonly part: PePart;
}

export interface Recovery {
  readonly failures: number | undefined;
  readonly limit: number | undefined;
  readonly outcome: 'recovered' | 'not-recovered' | 'unknown';
  readonly steps: readonly EvidenceItem[];
  /** What speaks against the outcome that Linux printed. */
  readonly doubts: readonly EvidenceItem[];
}

/** An error that a unit of the hub above the bridges found. */
export interface HubError {
  /** As the dump names it: "RGC", "BI Upbound", "CI Port 0". */
  readonly unit: string;
  readonly kind: HubClass;
}

export interface FaultEvent {
  readonly chip: FaultChip;
  readonly phb: number | undefined;
  readonly lines: { readonly first: number; readonly last: number };
  readonly severity: Severity;
  readonly title: string;
  /** One sentence for a tired person. */
  readonly verdict: string;
  /** Where the fault was found: "all registers", "the kernel's words". */
  readonly basis: string;
  readonly suspect: Suspect;
  readonly location: string | undefined;
  readonly reportedPe: number | undefined;
  readonly faultedPe: number | undefined;
  readonly frozenPes: readonly number[];
  readonly cause: FaultCause;
  readonly alternatives: readonly Alternative[];
  readonly evidence: readonly EvidenceItem[];
  readonly advice: readonly AdviceItem[];
  readonly devices: readonly FaultDevice[];
  readonly recovery: Recovery | undefined;
  /** The dump the verdict is from. */
  readonly primary: ExplainedDump | undefined;
  readonly dumps: readonly ExplainedDump[];
  readonly rtas: RtasRecord | undefined;
  /** A dump of the hub of a P7IOC, instead of one of a bridge. */
  readonly hub?: HubError;
}

/** What belongs to one event, before anybody judges it. */
export interface Incident {
  readonly eeh: EehEvent | undefined;
  readonly dumps: readonly ExplainedDump[];
  readonly rtas: RtasRecord | undefined;
  readonly trace: LinkTrace | undefined;
  readonly withoutPe: PassedDevice | undefined;
  readonly aer: AerMessage | undefined;
}

const RANK: Readonly<Record<Certainty, number>> = { certain: 0, likely: 1, possible: 2 };

export function isSurer(a: Certainty, b: Certainty): boolean {
  return RANK[a] < RANK[b];
}
