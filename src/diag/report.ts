/** An explanation as text for a person: verdict first, then registers, then PEs. */
import { type DecodedBit, type DecodedRegister, formatPe } from './decode.js';
import { formatAddress } from './dma-address.js';
import type { Dump } from './dump.js';
import type { ExplainedDump, LogExplanation } from './explain.js';
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

function phbName(dump: Dump): string {
  // PHB5 prints and reports itself as PHB4; only the firmware console leaves it open.
  const newer = dump.form === 'opal' ? 'PHB4 or PHB5' : 'PHB4';
  const chip = dump.chip === 'phb3' ? 'PHB3' : newer;
  if (dump.phbText === undefined) return `${chip}, number unknown`;
  const number = dump.phbNumbers[0];
  const isDecimal = dump.form === 'linux' && dump.chip === 'phb4' && number !== undefined && number > 9;
  const other = isDecimal ? ` (PHB#${number.toString(16)} in other messages)` : '';
  return `${chip} PHB#${dump.phbText}${other}`;
}

function headline(dump: Dump, index: number): string {
  const where = dump.form === 'binary' ? '' : `, lines ${dump.firstLine}-${dump.lastLine}`;
  return `${index}. ${phbName(dump)}: ${FORM[dump.form]}${where}`;
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

function dumpReport(explained: ExplainedDump, index: number): string[] {
  const { dump } = explained;
  const lines = [headline(dump, index), ...wrap(`   ${explained.sentence}`, 3)];
  if (explained.sameEventAs !== undefined)
    lines.push(`   The same event as dump ${explained.sameEventAs}, seen by the other side.`);
  if (explained.event !== 'dump-cut') lines.push(`   ${explained.scopeText}`);
  lines.push('');
  if (explained.chain.length > 0) lines.push(...wrap(`   First error  ${chainText(explained.chain)}`, 16));
  lines.push(
    `   Known from   ${explained.decidedBy === undefined ? '' : `${explained.decidedBy}: `}${explained.certainty}`,
    `   Suspect      ${explained.suspect}`,
  );
  for (const note of explained.notes) lines.push(...wrap(`   Note         ${note}`, 16));
  for (const advice of explained.advice) lines.push(...wrap(`   Try          ${advice}`, 16));
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

function withoutReport(without: WithoutDump): string[] {
  return [
    ...wrap(without.summary, 2),
    ...without.found.flatMap((entry) => wrap(`  line ${entry.line}: ${entry.text}`, 4)),
    ...without.advice.flatMap((advice) => wrap(`  ${advice}`, 2)),
  ];
}

export function formatReport(explanation: LogExplanation, name: string): string {
  const { dumps, without } = explanation;
  if (without !== undefined) return [`${name}`, ...withoutReport(without)].join('\n');
  const count = dumps.length === 1 ? '1 register dump' : `${dumps.length} register dumps`;
  const sections = dumps.map((dump, i) => dumpReport(dump, i + 1).join('\n'));
  return [`${name}: ${count} in ${explanation.lineCount} lines`, ...sections].join('\n\n');
}
