/** The explanation as one page of HTML that loads nothing: verdict, picture of the path, evidence, registers as bit fields. */
import { formatPe } from '../decode.js';
import type { LogExplanation } from '../explain.js';
import type { EvidenceItem, FaultEvent, Severity } from '../fault/fault.js';
import { peText } from '../fault/parts.js';
import { type PeState, ROLE_TEXT } from '../pe-roles.js';
import { causeTexts, typeText } from '../pest.js';
import { escapeHtml } from './escape.js';
import { drawPath } from './picture.js';
import { drawRegister } from './registers.js';
import { STYLE } from './style.js';

const SEVERITY: Readonly<Record<Severity, string>> = {
  'pe-frozen': 'PE frozen',
  'phb-fenced': 'Bridge fenced',
  'phb-dead': 'Bridge dead',
  informative: 'For information',
};

/** More rows than this tell nobody anything. */
const MOST_PES = 64;

function item({ text, line }: EvidenceItem): string {
  return `<li>${escapeHtml(text)}${line === undefined || line === 0 ? '' : ` <small>line ${line}</small>`}</li>`;
}

function list(title: string, items: readonly string[]): string {
  return items.length === 0 ? '' : `<h3>${title}</h3><ul>${items.join('')}</ul>`;
}

function facts(event: FaultEvent): string {
  const { cause, devices } = event;
  const rows: (readonly [string, string | undefined])[] = [
    ['Cause', `${cause.type}, ${cause.certainty}`],
    ['Direction', cause.direction],
    ['Address', cause.address === undefined ? undefined : `0x${cause.address.toString(16)}`],
    ['Requester', cause.requester],
    ['Faulted', event.faultedPe === undefined ? undefined : peText(event.faultedPe, devices)],
    ['Reported by Linux', event.reportedPe === undefined ? undefined : peText(event.reportedPe, devices)],
    ['Suspect', event.suspect],
    ['Location', event.location],
    ['Known from', event.basis],
  ];
  const shown = rows.filter(([, value]) => value !== undefined);
  return `<dl>${shown.map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value!)}</dd>`).join('')}</dl>`;
}

function peRow(state: PeState): string {
  const name =
    state.first === state.last ? formatPe(state.first) : `${formatPe(state.first)} to ${formatPe(state.last)}`;
  const { entry } = state;
  const record = entry.hasRecord ? [typeText(entry), ...causeTexts(entry), `LEM[${entry.lemBit}]`].join(', ') : '';
  const words = [entry.a, entry.b].map((word) => `<code>${word.toString(16).padStart(16, '0')}</code>`).join('<br>');
  return `<tr class="${state.role}"><th scope="row">${name}</th><td>${words}</td><td>${escapeHtml(ROLE_TEXT[state.role])}</td><td>${escapeHtml(record)}</td></tr>`;
}

function peTable(pes: readonly PeState[]): string {
  if (pes.length === 0) return '';
  const more = pes.length > MOST_PES ? `<p>and ${pes.length - MOST_PES} more</p>` : '';
  const head = '<tr><th>PE</th><th>words A and B</th><th>part</th><th>record</th></tr>';
  return `<h3>PEs</h3><table class="pes">${head}${pes.slice(0, MOST_PES).map(peRow).join('')}</table>${more}`;
}

function recovery(event: FaultEvent): string {
  if (event.recovery === undefined) return '';
  const { outcome, steps, doubts, failures } = event.recovery;
  const words = {
    recovered: 'Linux says it recovered',
    'not-recovered': 'given up',
    unknown: 'outcome not in the log',
  };
  const count = failures === undefined ? '' : `, failure ${failures} within the hour`;
  return `<h3>Recovery: ${words[outcome]}${count}</h3><ul>${steps.map(item).join('')}${doubts.map((doubt) => item({ ...doubt, text: `But: ${doubt.text}` })).join('')}</ul>`;
}

function eventSection(event: FaultEvent, index: number): string {
  const { chip, phb, lines } = event;
  const bridge = `${chip.toUpperCase()}${phb === undefined ? '' : ` PHB#${phb.toString(16)}`}`;
  const where = lines.last === 0 ? '' : `, lines ${lines.first} to ${lines.last}`;
  const alternatives = event.alternatives.map(({ type, why }) => `<li><b>${type}</b>: ${escapeHtml(why)}</li>`);
  const advice = event.advice.map(({ text, why }) => `<li>${escapeHtml(text)} <small>${escapeHtml(why)}</small></li>`);
  const registers = (event.primary?.registers ?? []).map(drawRegister).join('');
  return `<article id="event-${index}" class="${event.severity}"><header><span class="badge">${SEVERITY[event.severity]}</span><h2>${index}. ${escapeHtml(event.title)}</h2><p class="where">${escapeHtml(bridge)}${where}</p></header>
<p class="verdict">${escapeHtml(event.verdict)}</p>
${drawPath(event)}
${facts(event)}
${list('Also possible', alternatives)}
${list('What to try', advice)}
${list('Why', event.evidence.filter((entry) => entry.aside !== true).map(item))}
${list('Worth knowing', event.evidence.filter((entry) => entry.aside === true).map(item))}
${recovery(event)}
${peTable(event.primary?.pes ?? [])}
${registers === '' ? '' : `<h3>Registers</h3><p class="hint">Bit 0 is on the left. Filled: set. Dark: the first error of its register.</p>${registers}`}
</article>`;
}

/** What is on the page, where there is more than one thing. */
function contents(events: readonly FaultEvent[]): string {
  if (events.length < 2) return '';
  const rows = events.map(
    (event, i) =>
      `<li><a href="#event-${i + 1}">${SEVERITY[event.severity]}: ${escapeHtml(event.title)}</a> <small>${event.cause.type}, ${event.cause.certainty}, line ${event.lines.first}</small></li>`,
  );
  return `<nav aria-label="Events"><ol>${rows.join('')}</ol></nav>`;
}

export function formatHtml(explanation: LogExplanation, name: string): string {
  const { events, without, lineCount } = explanation;
  const title = `${escapeHtml(name)}: ${events.length === 1 ? '1 event' : `${events.length} events`}${lineCount === 0 ? '' : ` in ${lineCount} lines`}`;
  const rest =
    without === undefined
      ? ''
      : `<article><p>${escapeHtml(without.summary)}</p><ul>${without.found.map(item).join('')}</ul>${events.length > 0 ? '' : `<ul>${without.advice.map((text) => `<li>${escapeHtml(text)}</li>`).join('')}</ul>`}</article>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title><style>${STYLE}</style></head>
<body><h1>${title}</h1>${contents(events)}
${events.map((event, i) => eventSection(event, i + 1)).join('\n')}
${rest}</body></html>`;
}
