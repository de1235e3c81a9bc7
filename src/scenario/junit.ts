/**
 * Outcomes of runs as JUnit XML, for continuous integration: a suite for each scenario, a case for each expectation.
 * Times are virtual seconds, so the same runs give the same bytes. Source: the schema of Jenkins' xUnit plugin, junit-10.xsd.
 */
import type { TimeNs } from '../sim/time.js';
import type { Verdict } from './judge.js';
import { allMet } from './report.js';
import type { RunResult } from './runner.js';

/** A scenario that ran, or one that could not be read. */
export type Outcome =
  | { readonly file: string; readonly result: RunResult; readonly again: string }
  | { readonly file: string; readonly error: string };

export function formatJunit(outcomes: readonly Outcome[]): string {
  const suites = outcomes.map((outcome) => ('error' in outcome ? unreadable(outcome) : suiteOf(outcome)));
  const sum = (count: keyof Counts): number => suites.reduce((total, suite) => total + suite.counts[count], 0);
  const totals = { tests: sum('tests'), failures: sum('failures'), errors: sum('errors') };
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name: 'phbsim', ...totals, time: secondsOf(sum('timeNs')) })}>`,
    ...suites.flatMap((suite) => suite.lines.map((line) => `  ${line}`)),
    '</testsuites>',
    '',
  ].join('\n');
}

interface Counts {
  readonly tests: number;
  readonly failures: number;
  readonly errors: number;
  readonly timeNs: TimeNs;
}

interface Suite {
  readonly counts: Counts;
  readonly lines: readonly string[];
}

function suiteOf({ file, result, again }: Extract<Outcome, { result: RunResult }>): Suite {
  const { scenario, verdicts, startNs, endNs, digest, system } = result;
  const failures = verdicts.filter(({ state }) => state !== 'met').length;
  const counts = { tests: verdicts.length, failures, errors: 0, timeNs: endNs - startNs };
  const properties = { seed: system.sim.seed, profile: system.machine.timing.name, digest, again };
  return suite(scenario.name, file, counts, [
    '<properties>',
    ...Object.entries(properties).map(([name, value]) => `  <property${attributes({ name, value })}/>`),
    '</properties>',
    ...verdicts.flatMap((verdict) => caseOf(verdict, result, again)),
  ]);
}

/** Something to fail, where there is no scenario whose expectations could. */
function unreadable({ file, error }: Extract<Outcome, { error: string }>): Suite {
  const [message] = error.split('\n');
  return suite(file, file, { tests: 1, failures: 0, errors: 1, timeNs: 0 }, [
    `<testcase${attributes({ name: 'can be read', classname: file, time: secondsOf(0) })}>`,
    `  <error${attributes({ message: message!, type: 'unreadable' })}>${escaped(error)}</error>`,
    '</testcase>',
  ]);
}

function suite(name: string, file: string, counts: Counts, lines: readonly string[]): Suite {
  const { timeNs, ...numbers } = counts;
  const head = attributes({ name, file, ...numbers, skipped: 0, time: secondsOf(timeNs) });
  return { counts, lines: [`<testsuite${head}>`, ...lines.map((line) => `  ${line}`), '</testsuite>'] };
}

function caseOf({ expectation, state, timeNs, because }: Verdict, result: RunResult, again: string): string[] {
  const first = result.observer.firstStrikeNs;
  const tookNs = timeNs === undefined || first === undefined ? 0 : Math.max(0, timeNs - first);
  const head = attributes({ name: expectation.text, classname: result.scenario.name, time: secondsOf(tookNs) });
  if (state === 'met') return [`<testcase${head}/>`];
  const told = [`expected: ${expectation.text}`, `seen: ${because}`, `again: ${again}`].join('\n');
  return [
    `<testcase${head}>`,
    `  <failure${attributes({ message: because, type: 'not-met' })}>${escaped(told)}</failure>`,
    '</testcase>',
  ];
}

const secondsOf = (ns: TimeNs): string => (ns / 1e9).toFixed(9);

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escaped(String(value)).replaceAll('\n', '&#10;')}"`)
    .join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};
/** What XML 1.0 has no place for, not even written as a number. */
const FORBIDDEN = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

function escaped(text: string): string {
  return text.replace(FORBIDDEN, '\ufffd').replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

export function anyNotMet(outcomes: readonly Outcome[]): boolean {
  return outcomes.some((outcome) => 'result' in outcome && !allMet(outcome.result));
}
