/** The verdict on a dump of registers, together with what Linux said of the same fault. */

import type { DmaWindow } from '../context/machine-map.js';
import { type EehEvent, isNear, type LogContext } from '../context.js';
import { formatPe } from '../decode.js';
import { formatAddress } from '../dma-address.js';
import type { Evidence } from '../evidence.js';
import type { ExplainedDump, Reading } from '../interpret.js';
import type { PeState } from '../pe-roles.js';
import { causeTexts, formatRid, hasCause, typeText } from '../pest.js';
import { isCause } from '../signals.js';
import { adviceFor } from './advice.js';
import { causeTypeOf } from './cause-of-event.js';
import { certaintyOf } from './certainty.js';
import type {
  Alternative,
  CauseType,
  EvidenceItem,
  FaultCause,
  FaultChip,
  FaultEvent,
  Incident,
  Severity,
} from './fault.js';
import { devicesOf, evidence, recoveryOf } from './parts.js';

/** A fenced bridge whose dump stops before the registers of the PCI side, with its link down. */
function isLinkLossOfCutDump({ evidence: { fenced, hasLem, link } }: Reading, event: string): boolean {
  return fenced && !hasLem && link?.active === false && ['nest-hardware', 'nest-fence', 'link-down'].includes(event);
}

function directionOf(explained: ExplainedDump, { culprit }: Reading): 'read' | 'write' | undefined {
  if (/\bDMA read\b/.test(explained.sentence)) return 'read';
  if (/\bDMA write\b/.test(explained.sentence)) return 'write';
  const entry = culprit?.entry;
  if (entry === undefined) return undefined;
  if (hasCause(entry, 'CONFIG_READ') || entry.transactionType === 'mmio-load') return 'read';
  if (hasCause(entry, 'CONFIG_WRITE') || entry.transactionType === 'mmio-store') return 'write';
  if (entry.transactionType === 'msi') return 'write';
  return undefined;
}

/** The PE to charge; nobody when its record may be a leftover, or tells of another kind of error. */
function faultedPeOf({ reading, event, culprit: pe }: ExplainedDump): number | undefined {
  const culprit = reading?.culprit;
  if (culprit === undefined || culprit.role === 'possible' || event === 'dead') return undefined;
  if (event === 'completion-timeout' && !hasCause(culprit.entry, 'COMPLETER_ABORT')) return undefined;
  return pe;
}

function addressOf(culprit: PeState | undefined): bigint | undefined {
  const location = culprit?.entry.location;
  return location?.kind === 'dma' || location?.kind === 'mmio' ? location.address : undefined;
}

/** Firmware forces a fence when it resets a bridge; one that Linux found before any reset is a test's. */
function isForcedByHand({ event, dump }: ExplainedDump, eeh: EehEvent | undefined): boolean {
  return event === 'forced-fence' && dump.chip === 'phb3' && eeh?.kind === 'fenced';
}

function causeOf(explained: ExplainedDump, reading: Reading, eeh: EehEvent | undefined): FaultCause {
  const sure = reading.culprit?.role === 'possible' ? undefined : reading.culprit;
  const rid = sure?.entry.requesterId ?? 0;
  const details = {
    address: addressOf(sure),
    direction: directionOf(explained, { ...reading, culprit: sure }),
    requester: rid === 0 ? undefined : formatRid(rid),
  };
  if (isLinkLossOfCutDump(reading, explained.event)) return { type: 'link-loss', certainty: 'likely', ...details };
  if (isForcedByHand(explained, eeh)) return { type: 'operator-injected', certainty: 'possible', ...details };
  return { type: causeTypeOf(explained.event, sure), certainty: certaintyOf(explained), ...details };
}

function severityOf(explained: ExplainedDump, eeh: EehEvent | undefined): Severity {
  if (explained.event === 'dead' || eeh?.kind === 'dead') return 'phb-dead';
  if (explained.scope === 'bridge' || eeh?.kind === 'fenced') return 'phb-fenced';
  const frozen = explained.pes.some(({ entry }) => entry.mmioFrozen || entry.dmaStopped);
  return frozen || eeh?.kind === 'frozen' ? 'pe-frozen' : 'informative';
}

function frozenPesOf(explained: ExplainedDump, eeh: EehEvent | undefined): number[] {
  const pes = new Set<number>();
  for (const { first, last, entry, role } of explained.pes) {
    if (role === 'artefact' || (!entry.mmioFrozen && !entry.dmaStopped)) continue;
    for (let pe = first; pe <= last; pe++) pes.add(pe);
  }
  if (pes.size === 0 && eeh?.pe !== undefined) pes.add(eeh.pe);
  return [...pes].sort((a, b) => a - b);
}

/** Other reasons that bits of this dump name; an echo of the first one is none. */
function alternativesOf(
  explained: ExplainedDump,
  reading: Reading,
  { cause, eeh }: { cause: FaultCause; eeh: EehEvent | undefined },
): Alternative[] {
  const found: Alternative[] = [];
  const add = (type: CauseType, why: string): void => {
    if (type !== cause.type && found.every((known) => known.type !== type))
      found.push({ type, certainty: 'possible', why });
  };
  if (isLinkLossOfCutDump(reading, explained.event)) {
    add(
      'internal-error',
      `${explained.decidedBy ?? 'a bit of the nest side'} is set: the nest side may have come first.`,
    );
  }
  if (explained.event === 'forced-fence' && cause.type === 'operator-injected') {
    add('internal-error', 'Errors of the power bus, the foreign link and the CAPP would set the same four bits.');
  }
  const hasOneBit = reading.evidence.chip.chip !== 'phb4' && cause.certainty !== 'certain';
  const oneBit = 'One bit stands for an aborted request and for one that was not answered in time.';
  if (hasOneBit && explained.event === 'completion-ca') add('completion-timeout', oneBit);
  if (hasOneBit && explained.event === 'completion-timeout') add('completer-abort', oneBit);
  if (eeh?.deviceGone === true && GONE_TYPES.includes(cause.type)) {
    add('link-loss', 'Its configuration space read as ones afterwards: the device was out of reach.');
  }
  if (cause.type === 'unsupported-request' && hasNoise(reading.evidence)) {
    add('link-loss', 'The link counted errors just before: the device may have been cut off.');
  }
  if (cause.type === 'pcie-ue' || explained.event === 'pcie-core')
    add('link-loss', 'A lost link raises the same bits.');
  if (cause.certainty === 'certain') return found;
  for (const finding of reading.evidence.findings) {
    if (found.length >= 3) break;
    if (!isCause(finding.signal) || finding.name === reading.cause.by?.name) continue;
    const type = causeTypeOf(SIGNAL_EVENT[finding.signal] ?? (finding.signal as never), undefined);
    if (type !== 'unknown')
      add(type, `${finding.name}${finding.about === undefined ? '' : ` (${finding.about})`} is set too.`);
  }
  return found;
}

/** What a lost device looks like to the bridge. */
const GONE_TYPES: readonly CauseType[] = ['unsupported-request', 'completion-timeout', 'completer-abort'];

/** Signals that are no event by themselves. */
const SIGNAL_EVENT: Readonly<Record<string, 'dma-refused' | 'completion-error'>> = {
  'tce-permission': 'dma-refused',
  'completion-failed': 'completion-error',
};

function hasNoise({ findings }: Evidence): boolean {
  return findings.some((finding) => finding.signal === 'link-noise');
}

function isLinkLoss({ reading, event }: ExplainedDump): boolean {
  return reading !== undefined && isLinkLossOfCutDump(reading, event);
}

/** A bus scan reads through the reserved PE: its record may be the very request, or a leftover of an earlier one. */
function probeVerdict({ reading, event }: ExplainedDump): string | undefined {
  const culprit = reading?.culprit;
  if (event !== 'completion-timeout' || culprit?.role !== 'possible' || !hasCause(culprit.entry, 'CONFIG_READ')) {
    return undefined;
  }
  const rid = culprit.entry.requesterId;
  const target = rid === 0 ? 'a device' : formatRid(rid);
  return `A request got no answer in time, most likely the first config read of ${target} while the bus was scanned (reserved PE ${formatPe(culprit.first)}); the whole bridge fenced itself.`;
}

function verdictOf(incident: Incident, explained: ExplainedDump, context: LogContext): string {
  if (isLinkLoss(explained)) return linkLossVerdict(incident, explained);
  if (explained.reading === undefined) return fencedCutVerdict(incident.eeh, context) ?? explained.sentence;
  return probeVerdict(explained) ?? explained.sentence;
}

function linkLossVerdict(incident: Incident, explained: ExplainedDump): string {
  const by = explained.decidedBy === undefined ? '' : `; ${explained.decidedBy} on the nest side came with it`;
  const words = incident.eeh === undefined ? '' : ' while it was in use';
  return `The PCIe link went down${words} and the bridge fenced itself${by}. The dump ends before the registers that say what came first.`;
}

function fencedCutVerdict(eeh: EehEvent | undefined, context: LogContext): string | undefined {
  if (eeh?.kind !== 'fenced') return undefined;
  const reset = eeh.complaints.find(({ text }) => text.includes('reflashing'));
  if (!isNear(context.capiLines, eeh)) {
    return 'The whole bridge was fenced; the log ends before the registers that name the reason.';
  }
  const why = reset === undefined ? '' : ` while its driver was resetting (reflashing) the card`;
  return `The bridge of a CAPI card was fenced${why}; in CAPI mode every freeze becomes a fence, and the log ends before the registers that name the reason.`;
}

/** How far the faulting address is from the DMA windows that boot lines gave the PE. */
function reachOf({ dump, culprit, address }: ExplainedDump, { machine }: LogContext): string | undefined {
  if (address === undefined || culprit === undefined) return undefined;
  for (const phb of dump.phbNumbers) {
    const windows = machine.windowsOf(phb, culprit);
    if (windows.length === 0) continue;
    const inside = windows.find(({ first, last }) => first <= address && address <= last);
    if (inside !== undefined) {
      return `The address lies inside window ${inside.number} of the PE (${formatAddress(inside.first)} to ${formatAddress(inside.last)}): the page is not mapped there.`;
    }
    const nearest = windows.reduce((best, next) => (distance(next, address) < distance(best, address) ? next : best));
    return `The address is ${formatAddress(distance(nearest, address))} bytes beyond window ${nearest.number} of the PE (${formatAddress(nearest.first)} to ${formatAddress(nearest.last)}).`;
  }
  return undefined;
}

function distance({ first, last }: DmaWindow, address: bigint): bigint {
  return address < first ? first - address : address - last;
}

/** Notes that other parts of the event tell better. */
const SAID_ELSEWHERE = /^Linux (?:reported|gave the PE up)/;

function evidenceOf(explained: ExplainedDump, reading: Reading | undefined, context: LogContext): EvidenceItem[] {
  const items = explained.chain.map((name) => evidence(chainText(explained, name), lineOfBit(explained, name)));
  if (explained.event === 'dead')
    items.push(evidence('the registers of the dump read as ones', firstLineOf(explained)));
  if (reading?.culprit !== undefined) {
    const { entry, first, line } = reading.culprit;
    const causes = causeTexts(entry).join(', ');
    const record = `${typeText(entry)}, ${causes === '' ? 'no cause bit' : causes}, LEM[${entry.lemBit}]`;
    const item = evidence(`PEST of PE ${formatPe(first)}: ${record}`, line);
    // A record that charges nobody is no reason.
    items.push(faultedPeOf(explained) === undefined ? { ...item, aside: true } : item);
  }
  if (items.length === 0 && explained.decidedBy !== undefined) items.push(evidence(explained.decidedBy));
  const reach = reachOf(explained, context);
  if (reach !== undefined) items.push(evidence(reach));
  for (const note of explained.notes) if (!SAID_ELSEWHERE.test(note)) items.push({ ...evidence(note), aside: true });
  return items;
}

function firstLineOf({ dump }: ExplainedDump): number {
  return [...dump.words.values()][0]?.line ?? dump.firstLine;
}

/** The line of the register that holds the bit. */
function lineOfBit({ dump, reading }: ExplainedDump, name: string): number | undefined {
  const register = name.split('[')[0];
  const trap = reading?.evidence.chip.traps.find((candidate) => candidate.table.register === register);
  return dump.words.get(trap === undefined ? 'lemFir' : trap.first)?.line;
}

function chainText(explained: ExplainedDump, name: string): string {
  const bit = explained.registers.flatMap((register) => register.bits).find((entry) => entry.name === name);
  return bit?.about === undefined || bit.about === '' ? name : `${name} ${bit.about}`;
}

function chipOf({ dump }: ExplainedDump): FaultChip {
  return dump.isPhb5 ? 'phb5' : dump.chip;
}

export function judgeDump(incident: Incident, explained: ExplainedDump, context: LogContext): FaultEvent {
  const { eeh, dumps } = incident;
  const { reading, dump } = explained;
  const cause: FaultCause =
    reading === undefined
      ? { type: 'unknown', certainty: 'possible', address: undefined, direction: undefined, requester: undefined }
      : causeOf(explained, reading, eeh);
  const linkLoss = isLinkLoss(explained);
  const phb = dump.phbNumbers.find((number) => number === eeh?.phb) ?? dump.phbNumbers[0] ?? eeh?.phb;
  const faultedPe = faultedPeOf(explained);
  const devices = devicesOf(eeh, phb, faultedPe, context);
  const verdict = verdictOf(incident, explained, context);
  const severity = severityOf(explained, eeh);
  const alternatives =
    reading === undefined ? cutAlternatives(eeh, context) : alternativesOf(explained, reading, { cause, eeh });
  return {
    chip: chipOf(explained),
    phb,
    lines: {
      first: Math.min(dump.firstLine, eeh?.line ?? dump.firstLine),
      last: Math.max(eeh?.lastLine ?? 0, ...dumps.map((each) => each.dump.lastLine)),
    },
    severity,
    title: linkLoss ? 'link lost' : explained.title,
    verdict,
    basis: explained.certainty,
    suspect: linkLoss ? 'link' : explained.suspect,
    location: eeh?.location,
    reportedPe: eeh?.pe,
    faultedPe,
    frozenPes: frozenPesOf(explained, eeh),
    cause,
    alternatives,
    evidence: evidenceOf(explained, reading, context),
    advice: adviceFor({ cause, explained, eeh, context, severity, linkLoss }),
    devices,
    recovery: recoveryOf(eeh),
    primary: explained,
    dumps,
    rtas: undefined,
  };
}

/** Nothing but a header: what usually fences a bridge of this kind. */
function cutAlternatives(eeh: EehEvent | undefined, context: LogContext): Alternative[] {
  if (eeh?.kind !== 'fenced' || !isNear(context.capiLines, eeh)) return [];
  return [
    { type: 'link-loss', certainty: 'possible', why: 'A card that resets itself drops the link.' },
    {
      type: 'internal-error',
      certainty: 'possible',
      why: 'The CAPP, which serves the card in the processor, may have failed first.',
    },
  ];
}
