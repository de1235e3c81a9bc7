/**
 * Writes the scenario that brings the simulated bridge into the state a log tells of, and goes on with its recovery.
 * It is run once while it is written: what the bridge does not repeat becomes a comment, not an expectation.
 */
import type { FaultEvent } from '../diag/fault/fault.js';
import { CHIPS } from '../machine/chips.js';
import { draftHubScenario, draftSilentHub } from './hub-draft.js';
import { draftScenario, type Hope, NoScenarioError, type ScenarioDraft } from './log-draft.js';
import { readScenario } from './read-scenario.js';
import { type RunResult, runScenario } from './runner.js';

export { NoScenarioError } from './log-draft.js';

export interface LogScenario {
  /** From here the log comes: a name without a path. */
  readonly source: string;
  /** Counted from 1. */
  readonly number: number;
  readonly event: FaultEvent;
}

const WIDTH = 118;

export function scenarioFromLog(log: LogScenario): string {
  return tried(log, draftOf(log.event));
}

function draftOf(event: FaultEvent): ScenarioDraft {
  const { chip, hub, primary } = event;
  if (hub !== undefined) return draftHubScenario(event, hub);
  const { mostPhbs } = CHIPS[chip === 'p7ioc' ? 'p7ioc' : 'phb3'];
  if (chip === 'p7ioc' && primary?.event === 'dead') return draftSilentHub(event, mostPhbs);
  return draftScenario(event, mostPhbs);
}

function tried(log: LogScenario, draft: ScenarioDraft): string {
  const result = runScenario(readScenario('scenario', textOf(log, draft, draft.hopes)));
  const kept: Hope[] = [];
  const missed: string[] = [];
  for (const [i, hope] of draft.hopes.entries()) {
    const { state, because } = result.verdicts[i]!;
    if (state === 'met') kept.push(hope);
    else if (hope.essential === true) throw new NoScenarioError(`the simulated bridge does not get there: ${because}`);
    else if (hope.inLog !== undefined) missed.push(`${hope.inLog}; here: ${seen(hope, because, result)}`);
  }
  const covered = kept.map(({ covers }) => covers);
  const items = kept.filter(({ item }) => !covered.includes(item));
  return textOf(log, { ...draft, remarks: [...draft.remarks, ...missed] }, items);
}

/** For a line of a dump, the line of the same label that the simulated kernel printed. */
function seen({ label }: Hope, because: string, { observer }: RunResult): string {
  if (label === undefined) return because;
  const line = observer.log.find(({ text }) => text.startsWith(label));
  return line === undefined ? 'no such line' : line.text.slice(label.length).trim().replace(/\s+/g, ' ');
}

/** Small letters, digits and hyphens. */
function nameOf({ source, number }: LogScenario): string {
  const stem = source
    .toLowerCase()
    .replace(/\.[a-z]{1,4}$/, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return `${stem === '' ? 'log' : stem.slice(0, 60).replace(/-+$/, '')}-event-${number}`;
}

/** Binary data have no lines. */
function linesOf({ lines: { first, last } }: FaultEvent): string {
  return first === 0 ? '' : `lines ${first} to ${last} of `;
}

function textOf(log: LogScenario, draft: ScenarioDraft, hopes: readonly Hope[]): string {
  const { event, source, number } = log;
  const from = `Written by phbsim explain --scenario from ${linesOf(event)}${source} (event ${number}).`;
  const about = `${event.verdict} So says the log; here the same strikes a simulated machine.`;
  const remarks = draft.remarks.length === 0 ? [] : ['Not as in the log:', ...draft.remarks.map((each) => `- ${each}`)];
  return [
    ...[from, ...remarks].flatMap((each) => wrapped(each, '# ', '#   ')),
    `name: ${nameOf(log)}`,
    'about: >',
    ...wrapped(about, '  ', '  '),
    'machine:',
    ...draft.machine,
    'faults:',
    ...draft.faults,
    ...(draft.actions.length === 0 ? [] : ['actions:', ...draft.actions]),
    'expect:',
    ...hopes.map(({ item }) => `  - ${item}`),
    '',
  ].join('\n');
}

/** Text of a log may hold anything; a comment ends with its line. */
function wrapped(text: string, first: string, rest: string): string[] {
  const lines: string[] = [];
  let line = first;
  for (const part of text.split(/[\s\p{Cc}\u2028\u2029]+/u).filter((each) => each !== '')) {
    const isEmpty = line === first || line === rest;
    if (!isEmpty && line.length + 1 + part.length > WIDTH) {
      lines.push(line);
      line = rest + part;
    } else line += isEmpty ? part : ` ${part}`;
  }
  return [...lines, line];
}
