/** One dump explained: the event, one sentence, the PEs and their parts in it, what to try. */
import type { EehEvent, LogContext } from './context.js';
import { type DecodedRegister, decodeRegisters, decodeUnanswered, formatPe, tceLog } from './decode.js';
import { formatAddress, readDmaAddress } from './dma-address.js';
import type { Dump } from './dump.js';
import { EVENTS, type EventClass, type Subject, type Suspect } from './events.js';
import { type Evidence, type Finding, gatherEvidence, Proof, type ProofLevel } from './evidence.js';
import { collectNotes, deviceText } from './notes.js';
import { classifyPes, findCulprit, type PeState } from './pe-roles.js';
import { formatRid, hasCause, type PestEntry } from './pest.js';
import { eehEventOf } from './same-event.js';
import { type Cause, decideCause } from './verdict.js';

export type Scope = 'bridge' | 'all-pes' | 'pes' | 'none';

export interface Explanation {
  readonly dump: Dump;
  readonly event: EventClass | 'dump-cut';
  readonly title: string;
  readonly sentence: string;
  readonly scope: Scope;
  readonly scopeText: string;
  readonly suspect: Suspect;
  /** How the event was found, in words. */
  readonly certainty: string;
  /** The bit that decided, "PBL[39]". */
  readonly decidedBy: string | undefined;
  /** LEM to root bit, "LEM[56]". */
  readonly chain: readonly string[];
  readonly culprit: number | undefined;
  readonly reportedPe: number | undefined;
  readonly address: bigint | undefined;
  readonly notes: readonly string[];
  readonly advice: readonly string[];
  readonly registers: readonly DecodedRegister[];
  readonly pes: readonly PeState[];
  /** What the words above are taken from; missing when only a header is there. */
  readonly reading: Reading | undefined;
}

/** The evidence of a dump, weighed. */
export interface Reading {
  readonly evidence: Evidence;
  readonly cause: Cause;
  readonly culprit: PeState | undefined;
}

export interface ExplainedDump extends Explanation {
  /** Number of an earlier dump (from 1) that shows the same event through other eyes. */
  readonly sameEventAs: number | undefined;
}

const CERTAINTY: Readonly<Record<ProofLevel, string>> = {
  [Proof.NEST]: 'nest FIR, first error',
  [Proof.CHAIN]: 'first-error chain',
  [Proof.FIRST]: 'first-error bits; the chain to them is not complete',
  [Proof.LEM]: 'LEM bits only',
  [Proof.STATUS]: 'error bits whose order is not known',
  [Proof.LEM_LATER]: 'LEM bits that did not come first',
  [Proof.RECORD]: 'PEST record only',
  [Proof.ROOT_PORT]: 'root port registers only',
  [Proof.ECHO]: 'fence bits only',
};

const FREEZE_ALL: readonly EventClass[] = ['link-lost', 'pcie-core'];
const CONFIG_REQUESTS: readonly EventClass[] = ['config-write-refused', 'config-write-timeout'];

function requestText(evidence: Evidence, entry: PestEntry | undefined): string {
  if (entry === undefined) return 'a request';
  if (hasCause(entry, 'CONFIG_READ')) return 'a config read';
  if (hasCause(entry, 'CONFIG_WRITE')) return 'a config write';
  if (entry.transactionType === 'mmio-store') return 'an MMIO store';
  if (entry.transactionType !== 'mmio-load') return 'a request';
  return evidence.chip.chip === 'phb4' ? 'an MMIO load' : 'an MMIO load or config read';
}

function accessText(evidence: Evidence, entry: PestEntry | undefined): string {
  const trap = evidence.chip.traps.find((candidate) => candidate.label === 'RxeTceErr');
  const logged = tceLog(evidence.dump, trap);
  if (logged !== undefined) return logged.direction;
  if (entry?.transactionType === 'dma-write') return 'DMA write';
  return entry?.transactionType.startsWith('dma-read') ? 'DMA read' : 'DMA';
}

/** A sender is named by the root port for messages, by the record otherwise. */
function ridOf(evidence: Evidence, event: EventClass, entry: PestEntry | undefined): string | undefined {
  const source = evidence.dump.words.get('sourceId')?.value ?? 0n;
  if (event === 'message-correctable' && source !== 0n) return formatRid(Number(source & 0xffffn));
  if (event.startsWith('message-') && source !== 0n) return formatRid(Number(source >> 16n));
  return entry === undefined || entry.requesterId === 0 ? undefined : formatRid(entry.requesterId);
}

function bitText(by: Finding): string {
  return by.about === undefined || by.about === '' ? by.name : `${by.name} ${by.about}`;
}

function subjectOf(
  evidence: Evidence,
  event: EventClass,
  named: { culprit: PeState | undefined; eeh: EehEvent | undefined; by: Finding | undefined },
): Subject {
  const { culprit, eeh, by } = named;
  // A record that may be a leftover names no subject.
  const sure = culprit?.role === 'possible' ? undefined : culprit;
  const device = sure !== undefined && eeh?.pe === sure.first ? deviceText(eeh) : undefined;
  const address = sure?.entry.location;
  const config = address?.kind === 'config' ? address : undefined;
  return {
    pe: sure === undefined ? 'a device' : `PE ${formatPe(sure.first)}${device === undefined ? '' : ` (${device})`}`,
    access: accessText(evidence, sure?.entry),
    at: address?.kind === 'dma' ? ` at PCI address ${formatAddress(address.address)}` : '',
    rid: ridOf(evidence, event, sure?.entry),
    configTarget:
      config === undefined
        ? undefined
        : `${formatRid(config.bdfn)} register 0x${config.register.toString(16).padStart(3, '0')}`,
    mayBeTimeout: evidence.chip.chip !== 'phb4',
    bit: by === undefined ? 'no bit' : bitText(by),
    request: CONFIG_REQUESTS.includes(event) ? 'a config write' : requestText(evidence, sure?.entry),
  };
}

/** A dump without a reason on the PCI side: the state of the link is the next best thing to know. */
function linkSentence(evidence: Evidence, event: EventClass): string {
  const asks = event === 'nest-hardware' || event === 'nest-fence';
  return asks && evidence.link?.active === false ? ' The PCIe link is down.' : '';
}

function peList(states: readonly PeState[]): string {
  const names = states.map((state) =>
    state.first === state.last ? formatPe(state.first) : `${formatPe(state.first)}-${formatPe(state.last)}`,
  );
  const shown = names.slice(0, 6).join(', ');
  return names.length > 6 ? `${shown} and ${names.length - 6} more` : shown;
}

function scopeOf(evidence: Evidence, event: EventClass, states: readonly PeState[]): { scope: Scope; text: string } {
  if (evidence.dead) return { scope: 'bridge', text: 'Every device behind the PHB is cut off.' };
  if (evidence.fenced)
    return {
      scope: 'bridge',
      text: 'The whole PHB is fenced: every device behind it is cut off until a complete reset.',
    };
  const frozen = states.filter((state) => state.entry.mmioFrozen || state.entry.dmaStopped);
  const isAll = FREEZE_ALL.includes(event) || states.some((state) => state.openEnded);
  if (isAll && frozen.length > 0) return { scope: 'all-pes', text: 'All PEs of the PHB are frozen.' };
  if (frozen.length === 0) {
    const text = evidence.dump.pest.length === 0 ? 'The dump lists no frozen PE.' : 'No PE is frozen any more.';
    return { scope: 'none', text };
  }
  const one = frozen.length === 1 && frozen[0]!.first === frozen[0]!.last;
  return {
    scope: 'pes',
    text: `Frozen: PE ${peList(frozen)}. ${one ? 'Other PEs' : 'The other PEs'} of the PHB keep working.`,
  };
}

/** Only the header is there: nothing to decode. */
function explainEmpty(dump: Dump, eeh: EehEvent | undefined): Explanation {
  const seen =
    eeh === undefined
      ? ''
      : ` Linux had found the ${eeh.kind === 'fenced' ? 'PHB fenced' : `PE ${formatPe(eeh.pe ?? 0)} frozen`} before (line ${eeh.line}).`;
  return {
    dump,
    event: 'dump-cut',
    title: 'dump cut after its header',
    sentence: `Only the header of the dump is in the log: the registers that name the cause are missing.${seen}`,
    scope: eeh?.kind === 'fenced' ? 'bridge' : 'none',
    scopeText: eeh?.kind === 'fenced' ? 'The whole PHB is fenced, says Linux.' : 'Not known.',
    suspect: 'unknown',
    certainty: 'nothing to read',
    decidedBy: undefined,
    chain: [],
    culprit: undefined,
    reportedPe: eeh?.pe,
    address: undefined,
    notes: [],
    advice: ['Capture the lines after the header: dmesg, or journalctl -k for earlier boots.'],
    registers: [],
    pes: [],
    reading: undefined,
  };
}

export function explainDump(dump: Dump, context: LogContext): Explanation {
  const eeh = eehEventOf(dump, context);
  if (dump.words.size === 0 && dump.pest.length === 0 && !dump.fenceDetected) return explainEmpty(dump, eeh);
  const evidence = gatherEvidence(dump);
  const pes = classifyPes(evidence);
  const culprit = findCulprit(pes);
  const cause = decideCause(evidence, pes, culprit);
  const { event, proof, by } = cause;
  const description = EVENTS[event];
  const { scope, text } = scopeOf(evidence, event, pes);
  const sure = culprit?.role === 'possible' ? undefined : culprit;
  const address = sure?.entry.location;
  const dmaAddress = address?.kind === 'dma' ? address.address : undefined;
  const reading = dmaAddress === undefined ? undefined : readDmaAddress(dmaAddress, dump.chip).advice;
  return {
    dump,
    event,
    title: description.title,
    sentence: `${description.sentence(subjectOf(evidence, event, { culprit, eeh, by }))}${linkSentence(evidence, event)}`,
    scope,
    scopeText: text,
    suspect: description.suspect,
    certainty: proof === undefined ? 'no bit names a reason' : CERTAINTY[proof],
    decidedBy: by?.name,
    chain: evidence.chain.map((entry) => entry.name),
    culprit: culprit?.first,
    reportedPe: eeh?.pe,
    address: dmaAddress,
    notes: collectNotes({ evidence, states: pes, culprit: sure ?? culprit, event, eeh, context }),
    advice: [...(reading === undefined ? [] : [reading]), ...description.advice],
    registers: evidence.dead ? decodeUnanswered(dump) : decodeRegisters(dump),
    pes,
    reading: { evidence, cause, culprit },
  };
}
