/** What a reader should know besides the verdict: who only noticed, what is old, how the link was, what is missing. */
import type { EehEvent, LogContext } from './context.js';
import { formatPe, laneText } from './decode.js';
import { readDmaAddress } from './dma-address.js';
import { word } from './dump.js';
import type { EventClass } from './events.js';
import type { Evidence } from './evidence.js';
import type { PeState } from './pe-roles.js';
import { formatRid, hasCause } from './pest.js';
import { saysAbort } from './verdict.js';

export interface NoteInput {
  readonly evidence: Evidence;
  readonly states: readonly PeState[];
  readonly culprit: PeState | undefined;
  readonly event: EventClass;
  readonly eeh: EehEvent | undefined;
  readonly context: LogContext;
}

const LINK_EVENTS: readonly EventClass[] = [
  'completion-ur',
  'completion-timeout',
  'completion-lost',
  'completion-ca',
  'link-lost',
  'link-down',
];

export function deviceText(eeh: EehEvent | undefined): string | undefined {
  const device = eeh?.devices[0];
  if (device === undefined) return undefined;
  return device.driver === undefined ? device.address : `${device.address}, ${device.driver}`;
}

function reportedNote({ eeh, culprit, states }: NoteInput): string[] {
  if (eeh?.pe === undefined || culprit === undefined || eeh.pe === culprit.first) return [];
  const device = deviceText(eeh);
  const name = `PE ${formatPe(eeh.pe)}${device === undefined ? '' : ` (${device})`}`;
  const noticed = states.find((state) => state.first <= eeh.pe! && eeh.pe! <= state.last);
  if (noticed === undefined) return [`Linux reported ${name}; the dump has no record of it.`];
  return [
    `Linux reported ${name}, but the chip charges PE ${formatPe(culprit.first)}: ${name.split(' (')[0]} only noticed.`,
  ];
}

/** The answer came from a bridge above the target. Facts: phb4-diag 5.1 row 12. */
function answeringBridgeNote({ event, culprit, eeh }: NoteInput): string[] {
  const device = eeh?.devices[0]?.address;
  const rid = culprit?.entry.requesterId ?? 0;
  if (event !== 'completion-ur' || rid === 0 || device === undefined || eeh?.pe !== culprit?.first) return [];
  const answer = formatRid(rid);
  const target = device.slice(5);
  if (answer === target) return [`The device itself (${target}) answered: it is alive but refused the address.`];
  if (answer.slice(0, 2) >= target.slice(0, 2)) return [];
  return [
    `The answer came from ${answer}, a bridge above ${target}: the device, or the link below that bridge, is gone.`,
  ];
}

function lanes(evidence: Evidence): string {
  const text = laneText(word(evidence.dump, 'phbPcieDlpErrorStatus'));
  return text === '' ? '' : `, on ${text}`;
}

function linkNotes({ evidence, event }: NoteInput): string[] {
  const { link, findings } = evidence;
  const notes: string[] = [];
  const asCause = LINK_EVENTS.includes(event);
  if (link !== undefined && !link.active) notes.push(`The link is down now (${link.text}).`);
  else if (link !== undefined && asCause) notes.push(`The link is up: gen${link.generation} x${link.width}.`);
  const noise = findings.filter((finding) => finding.signal === 'link-noise');
  if (noise.length > 0 && event !== 'link-noise') {
    const what = [...new Set(noise.map((finding) => finding.about ?? finding.name))].slice(0, 3).join('; ');
    const weight = asCause
      ? 'A bad link is a likely reason, link errors were counted'
      : 'Link errors were counted too, not the reason here';
    notes.push(`${weight}: ${what}${lanes(evidence)}.`);
  } else if (lanes(evidence) !== '' && event !== 'link-noise') {
    notes.push(`Lane errors were counted too${lanes(evidence)}.`);
  }
  if (findings.some((finding) => finding.signal === 'link-retrain')) {
    notes.push('The link retrained: compare its speed and width with what card and slot can do.');
  }
  return notes;
}

function addressNotes({ culprit, event, evidence }: NoteInput): string[] {
  if (!event.startsWith('dma-') || culprit === undefined) return [];
  const { location } = culprit.entry;
  if (location.kind === 'dma') return [readDmaAddress(location.address, evidence.chip.chip).text];
  return ['The DMA address was not recorded, as usual when the fault shows only after the TCE was fetched.'];
}

function stateNotes({ states, evidence, event }: NoteInput): string[] {
  const notes: string[] = [];
  for (const state of states) {
    const pe = `PE ${formatPe(state.first)}`;
    if (state.role === 'stale') {
      notes.push(
        `${pe}'s record names LEM bit ${state.entry.lemBit}, which is not set now: it is left from an earlier event.`,
      );
    }
    if (state.role === 'possible') {
      notes.push(
        `${pe} is the reserved PE of devices still being probed. Its record may be the request that failed, or a leftover of an earlier probe: both fit.`,
      );
    }
    if (state.role === 'artefact') {
      notes.push(`${pe} holds words no chip writes: firmware before 6.2 read past the table of a 256-PE bridge.`);
    }
    if (state.openEnded && state.first === 0) {
      notes.push(
        'PE 000 stands for PE 000 alone or for all PEs: the kernel prints no end of a run that reaches the last one.',
      );
    }
    if (
      state.role !== 'all-ones' &&
      hasCause(state.entry, 'CONFIG_WRITE') &&
      event !== 'config-write-refused' &&
      state.entry.location.kind === 'config'
    ) {
      notes.push(
        `${pe} also records a refused config write to ${formatRid(state.entry.location.bdfn)}; old firmware may charge the wrong PE for it.`,
      );
    }
  }
  if (evidence.chip.chip !== 'phb4' && event === 'completion-ca' && !saysAbort(evidence.dump)) {
    notes.push(
      'This chip has one bit for an aborted request and for one that was not answered in time: this may be a timeout.',
    );
  }
  return notes;
}

function contextNotes({ context, evidence, eeh, event }: NoteInput): string[] {
  const { dump } = evidence;
  const notes: string[] = [];
  if (dump.escalated !== undefined) {
    const { first, line } = dump.escalated;
    notes.push(
      `Firmware made a fence of the freeze of PE ${formatPe(first)} (line ${line}), as some chips need it for a load that fails.`,
    );
  }
  for (const { phb, line } of context.thawOnFence) {
    if (dump.phbNumbers.includes(phb))
      notes.push(`Firmware refused to thaw a PE, because the PHB was fenced (line ${line}).`);
  }
  for (const thaw of context.thawRefused) {
    if (!dump.phbNumbers.includes(thaw.phb)) continue;
    const why = evidence.fenced ? ' because the PHB was fenced' : '';
    notes.push(`Linux could not thaw PE ${formatPe(thaw.pe)} (error ${thaw.code}, line ${thaw.line})${why}.`);
  }
  if (eeh?.deviceGone) notes.push('The config space of the device read as ones when Linux looked: it did not answer.');
  if (event.startsWith('dma-') && context.bypassDisabledLine !== undefined) {
    notes.push(
      `The kernel runs without the IOMMU bypass (line ${context.bypassDisabledLine}): every DMA is translated, so a mapping mistake shows that would otherwise pass unnoticed.`,
    );
  }
  if (eeh?.outcome === 'recovered') notes.push('Linux reported the recovery as successful.');
  if (eeh?.outcome === 'not-recovered') notes.push('Linux gave the PE up.');
  return notes;
}

/** Only a source that prints zeros shows that something is missing. */
function missingNotes({ evidence: { dump, chip } }: NoteInput): string[] {
  if (!dump.printsZeros) return [];
  const missing = chip.layout.fields.filter((field) => !dump.words.has(field.name) && !field.name.startsWith('rsv'));
  if (missing.length === 0) return [];
  return [
    `The dump is cut: ${missing.length} of ${chip.layout.fields.length} registers are missing, from ${missing[0]!.name} on. The cause may be among them.`,
  ];
}

export function collectNotes(input: NoteInput): string[] {
  return [
    ...missingNotes(input),
    ...reportedNote(input),
    ...answeringBridgeNote(input),
    ...addressNotes(input),
    ...linkNotes(input),
    ...stateNotes(input),
    ...contextNotes(input),
  ];
}
