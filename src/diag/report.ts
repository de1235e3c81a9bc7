/** An explanation as text for a person: verdict first, then registers, then PEs. */
import { type DecodedBit, type DecodedRegister, formatPe } from './decode.js';
import { formatAddress } from './dma-address.js';
import type { Dump } from './dump.js';
import type { ExplainedDump, LogExplanation } from './explain.js';
import type { EvidenceItem, FaultChip, FaultEvent, Severity } from './fault/fault.js';
import { peText } from './fault/parts.js';
import { type PeState, ROLE_TEXT } from './pe-roles.js';
import { causeTexts, formatRid, type PestEntry, typeText } from './pest.js';
import type { WithoutDump } from './without-dump.js';

const WIDTH = 110;
const FORM: Readonly<Record<Dump['form'], string>> = {
  linux: 'kernel dump',
  opal: 'firmware console dump',
  binary: 'binary diag-data',
};

/** Breaks a paragraph at blanks; leading blanks stay, following lines are indented by `indent`. */
function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  const [lead = ''] = /^ */.exec(text) ?? [];
  let line = lead;
  for (const part of text.slice(lead.length).split(' ')) {
    const isFirst = line.trim() === '';
    if (!isFirst && line.length + 1 + part.length > WIDTH) {
      lines.push(line);
      line = ' '.repeat(indent) + part;
    } else {
      line += isFirst ? part : ` ${part}`;
    }
  }
  return [...lines, line];
}

function bitLine(bit: DecodedBit): string {
  const mark = bit.first ? '*' : ' ';
  const kind = bit.class === undefined || bit.class === 'none' || bit.class === 'INF1' ? '' : `  (${bit.class})`;
  return `${mark} ${bit.name}${bit.about === undefined || bit.about === '' ? '' : ` ${bit.about}`}${kind}`;
}

function registerLines(register: DecodedRegister): string[] {
  const label = register.label.padEnd(24);
  const values = register.words.map((entry) => entry.value.toString(16).padStart(entry.digits, '0')).join(' ');
  const notes = register.notes.join('; ');
  if (register.bits.length === 0 || register.compact)
    return wrap(`   ${label} ${values}${notes === '' ? '' : `  ${notes}`}`, 28);
  return [
    `   ${label} ${values}`,
    ...register.bits.flatMap((bit) => wrap(`     ${bitLine(bit)}`, 9)),
    ...(notes === '' ? [] : wrap(`       ${notes}`, 9)),
  ];
}

function addressText(entry: PestEntry): string {
  switch (entry.location.kind) {
    case 'not-recorded':
      return 'address not recorded';
    case 'config':
      return `config ${formatRid(entry.location.bdfn)} register 0x${entry.location.register.toString(16).padStart(3, '0')}`;
    case 'dma':
      return `PCI address ${formatAddress(entry.location.address)}`;
    case 'mmio':
      return `MMIO address ${formatAddress(entry.location.address)}`;
  }
}

function recordText(entry: PestEntry): string {
  if (!entry.hasRecord) return '';
  const parts = [
    `type ${typeText(entry)}`,
    ...causeTexts(entry),
    `LEM[${entry.lemBit}]`,
    ...(entry.requesterId === 0 ? [] : [`RID ${formatRid(entry.requesterId)}`]),
    ...(entry.transactionType === 'msi' ? [`MSI data 0x${entry.msiData.toString(16)}`] : []),
    addressText(entry),
  ];
  return parts.join(', ');
}

function frozenText(entry: PestEntry): string {
  if (entry.mmioFrozen && entry.dmaStopped) return 'MMIO+DMA frozen';
  if (entry.mmioFrozen) return 'MMIO frozen';
  return entry.dmaStopped ? 'DMA stopped' : 'not frozen';
}

function peLines(state: PeState): string[] {
  const name = state.first === state.last ? formatPe(state.first) : `${formatPe(state.first)}-${formatPe(state.last)}`;
  const words = `${state.entry.a.toString(16).padStart(16, '0')} ${state.entry.b.toString(16).padStart(16, '0')}`;
  const same = state.sameAs === undefined ? '' : ` (same words as PE ${formatPe(state.sameAs)})`;
  const role = `${ROLE_TEXT[state.role]}${same}, ${frozenText(state.entry)}${state.openEnded ? ', perhaps more after it' : ''}`;
  const record =
    state.role === 'artefact' || state.role === 'all-ones' || state.sameAs !== undefined ? '' : recordText(state.entry);
  return [`   ${name.padEnd(9)}${words}  ${role}`, ...(record === '' ? [] : wrap(`            ${record}`, 12))];
}

/** More runs than this are counted, not shown: nobody reads 512 lines. */
const SHOWN_RUNS = 24;

function peSection(pes: readonly PeState[]): string[] {
  if (pes.length === 0) return [];
  const shown = pes.slice(0, SHOWN_RUNS).flatMap(peLines);
  const hidden = pes.length - SHOWN_RUNS;
  return ['   PEs', ...shown, ...(hidden > 0 ? [`   ... and ${hidden} more runs of PEs; --json has them all`] : [])];
}

/** Bits of one register that came together stand side by side: "REGB[28]+[35]". */
function chainText(chain: readonly string[]): string {
  const steps: string[] = [];
  let register = '';
  for (const name of chain) {
    const [own = '', bit = ''] = name.split('[');
    if (own === register) steps[steps.length - 1] += `+[${bit}`;
    else steps.push(name);
    register = own;
  }
  return steps.join(' -> ');
}

/** Registers and PEs of one dump. */
function dumpReport(explained: ExplainedDump): string[] {
  const { dump } = explained;
  const where = dump.form === 'binary' ? '' : `, lines ${dump.firstLine}-${dump.lastLine}`;
  const lines = [`   ${capital(FORM[dump.form])}${where}`];
  if (explained.chain.length > 0) lines.push(...wrap(`   First error  ${chainText(explained.chain)}`, 16));
  lines.push(
    `   Known from   ${explained.decidedBy === undefined ? '' : `${explained.decidedBy}: `}${explained.certainty}`,
  );
  for (const problem of dump.problems) lines.push(`   Text damage  line ${problem.line}: ${problem.text}`);
  if (explained.registers.length > 0) {
    lines.push(
      '',
      '   Registers (zero ones left out; * = first error of its register)',
      ...explained.registers.flatMap(registerLines),
    );
  }
  const section = peSection(explained.pes);
  return section.length === 0 ? lines : [...lines, '', ...section];
}

const CHIP: Readonly<Record<FaultChip, string>> = {
  p7ioc: 'P7IOC',
  phb3: 'PHB3',
  phb4: 'PHB4',
  phb5: 'PHB5',
  rtas: 'PowerVM guest',
  unknown: 'bridge of unknown kind',
};

const SEVERITY: Readonly<Record<Severity, string>> = {
  'pe-frozen': 'PE FROZEN',
  'phb-fenced': 'BRIDGE FENCED',
  'phb-dead': 'BRIDGE DEAD',
  informative: 'FOR INFORMATION',
};

function phbText({ phb, chip }: FaultEvent): string {
  if (phb === undefined) return '';
  const text = phb.toString(16);
  // Headers of PHB4 dumps are decimal, every other line is hex.
  return ` PHB#${text}${phb > 9 && chip !== 'rtas' ? ` (${phb} in the dump)` : ''}`;
}

function headline(event: FaultEvent, index: number): string {
  const { first, last } = event.lines;
  const where = last === 0 ? '' : `, lines ${first}-${last}`;
  return `${index}. ${SEVERITY[event.severity]}: ${event.title}, ${CHIP[event.chip]}${phbText(event)}${where}`;
}

function itemText({ text, line }: EvidenceItem): string {
  // Binary data have no lines.
  return line === undefined || line === 0 ? text : `${text} (line ${line})`;
}

function peRoles(event: FaultEvent): string[] {
  const { reportedPe, faultedPe, devices } = event;
  if (faultedPe === undefined && reportedPe === undefined) return [];
  if (faultedPe === undefined) return wrap(`   Reported     ${peText(reportedPe!, devices)}`, 16);
  const lines = wrap(`   Faulted      ${peText(faultedPe, devices)}`, 16);
  if (reportedPe === undefined || reportedPe === faultedPe) return lines;
  return [...lines, ...wrap(`   Only noticed ${peText(reportedPe, devices)}`, 16)];
}

function recoveryLines({ recovery }: FaultEvent): string[] {
  if (recovery === undefined) return [];
  const { failures, limit, outcome, steps, doubts } = recovery;
  const words = {
    recovered: 'Linux says it recovered',
    'not-recovered': 'given up',
    unknown: 'outcome not in the log',
  };
  const count =
    failures === undefined ? '' : `, failure ${failures}${limit === undefined ? '' : ` of ${limit}`} in the hour`;
  return [
    ...wrap(`   Recovery     ${words[outcome]}${count}`, 16),
    ...steps.slice(-6).flatMap((step) => wrap(`                ${itemText(step)}`, 18)),
    ...doubts.flatMap((doubt) => wrap(`   But          ${itemText(doubt)}`, 16)),
  ];
}

function causeLine({ cause }: FaultEvent): string {
  const parts = [
    cause.direction,
    cause.requester === undefined ? undefined : `requester ${cause.requester}`,
    cause.address === undefined ? undefined : `address ${formatAddress(cause.address)}`,
  ].filter((part) => part !== undefined);
  return `   Cause        ${cause.type}, ${cause.certainty}${parts.length === 0 ? '' : ` (${parts.join(', ')})`}`;
}

function eventReport(event: FaultEvent, index: number): string[] {
  const others = event.dumps.filter((dump) => dump !== event.primary);
  return [
    headline(event, index),
    ...wrap(`   ${event.verdict}`, 3),
    ...(event.primary === undefined || event.primary.event === 'dump-cut' ? [] : [`   ${event.primary.scopeText}`]),
    '',
    causeLine(event),
    ...event.alternatives.flatMap((other) => wrap(`   Or           ${other.type}: ${other.why}`, 16)),
    `   Suspect      ${event.suspect}`,
    ...peRoles(event),
    ...(event.location === undefined ? [] : [`   Location     ${event.location}`]),
    ...event.evidence.flatMap((item) =>
      wrap(`   ${item.aside === true ? 'Note   ' : 'Because'}      ${itemText(item)}`, 16),
    ),
    ...event.advice.flatMap((item) => wrap(`   Try          ${item.text} ${item.why}`, 16)),
    ...recoveryLines(event),
    ...(event.primary === undefined ? [] : ['', ...dumpReport(event.primary)]),
    ...others.flatMap((dump) =>
      wrap(
        `   The ${FORM[dump.dump.form]} in lines ${dump.dump.firstLine}-${dump.dump.lastLine} shows the same event.`,
        3,
      ),
    ),
  ];
}

function withoutReport(without: WithoutDump, hasEvents: boolean): string[] {
  const boots = without.found.filter((entry) => !hasEvents || entry.kind === 'boot' || entry.kind === 'hub-dump');
  if (hasEvents) return boots.flatMap((entry) => wrap(`Line ${entry.line}: ${entry.text}`, 2));
  return [
    ...wrap(without.summary, 2),
    ...boots.flatMap((entry) => wrap(`  line ${entry.line}: ${entry.text}`, 4)),
    ...without.advice.flatMap((advice) => wrap(`  ${advice}`, 2)),
  ];
}

function capital(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}`;
}

export function formatReport(explanation: LogExplanation, name: string): string {
  const { events, without, lineCount } = explanation;
  const rest = without === undefined ? [] : withoutReport(without, events.length > 0);
  if (events.length === 0) return [name, ...rest].join('\n');
  const count = events.length === 1 ? '1 event' : `${events.length} events`;
  const sections = events.map((event, i) => eventReport(event, i + 1).join('\n'));
  const more =
    explanation.stoppedAt === undefined
      ? []
      : [
          `The log goes on with more events: from line ${explanation.stoppedAt} on, lines were only counted. Give that part by itself.`,
        ];
  return [
    `${name}: ${count}${lineCount === 0 ? '' : ` in ${lineCount} lines`}`,
    ...sections,
    ...more,
    ...(rest.length === 0 ? [] : [rest.join('\n')]),
  ].join('\n\n');
}
