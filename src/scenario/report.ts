/** The outcome of a run for people and for machines. */
import { formatRecord } from '../eeh/log.js';
import { hex64 } from '../hw/bits.js';
import { formatTime, type TimeNs } from '../sim/time.js';
import { wrap } from './problems.js';
import type { RunResult } from './runner.js';
import { formatTimeline, timelineOf } from './timeline.js';
import { formatTraffic, phasesOf, trafficTable } from './traffic-table.js';

export interface ReportOptions {
  /** Kernel and firmware log from power-on instead of from the first fault. */
  readonly log?: 'whole' | 'from-fault';
  /** The last trace records. */
  readonly trace?: number;
  /** The line that runs the same again. */
  readonly again: string;
}

const RULE = '-'.repeat(100);

export function allMet({ verdicts }: RunResult): boolean {
  return verdicts.every((verdict) => verdict.state === 'met');
}

export function formatRun(result: RunResult, options: ReportOptions): string {
  return [
    ...heading(result),
    ...section('What happened', formatTimeline(timelineOf(result))),
    ...section('Packets the drivers received', formatTraffic(result)),
    ...section(
      options.log === 'whole' ? 'Logs since power-on' : "The kernel's log since the fault",
      logLines(result, options),
    ),
    ...(options.trace === undefined
      ? []
      : section(`The last ${options.trace} trace records`, traceTail(result, options.trace))),
    ...section('Expected', verdictLines(result)),
    '',
    `digest ${result.digest}   ${summaryOf(result)}`,
    `again: ${options.again}`,
  ].join('\n');
}

function heading(result: RunResult): string[] {
  const { scenario, system, startNs } = result;
  const slots = system.slots.map((slot) => {
    const place =
      slot.busId === undefined ? 'not found' : `${slot.busId}, PHB${slot.phb} PE ${slot.pe?.toString(16) ?? 'none'}`;
    return `  ${slot.name}  ${slot.place.model}  ${place}  driver: ${slot.driverKind}`;
  });
  return [
    scenario.name,
    ...wrap(scenario.about, RULE.length),
    '',
    `${system.chip.describe(system.machine.phbs.length)}; seed "${system.sim.seed}"${profileOf(result)}`,
    ...slots,
    `Firmware and kernel took ${formatTime(startNs)} of virtual time to boot. Times below count from there; the kernel's log counts from power-on.`,
  ];
}

/** Where it is not the default one. */
function profileOf({ system }: RunResult): string {
  const { timing } = system.machine;
  return timing === system.chip.timing ? '' : `; timing profile "${timing.name}"`;
}

function section(title: string, lines: readonly string[]): string[] {
  return ['', `${title} ${RULE.slice(title.length + 1)}`, ...lines];
}

function logLines({ observer, system }: RunResult, { log }: ReportOptions): string[] {
  if (log === 'whole') {
    const firmware = system.firmwareLog.map(({ timeNs, text }) => `${formatTime(timeNs).padStart(18)}  opal: ${text}`);
    return [...firmware, ...system.kernel.log.lines()];
  }
  const from = observer.firstStrikeNs ?? 0;
  return observer.log.filter((record) => record.level !== 'debug' && record.timeNs >= from).flatMap(formatRecord);
}

function traceTail({ system }: RunResult, count: number): string[] {
  return system.sim.trace.tail(count).map(String);
}

function verdictLines({ verdicts, observer }: RunResult): string[] {
  const width = Math.max(...verdicts.map(({ expectation }) => expectation.text.length), 0);
  return verdicts.map(({ expectation, state, timeNs, because }) => {
    const mark = state === 'met' ? 'met    ' : 'NOT MET';
    const when =
      timeNs === undefined || observer.firstStrikeNs === undefined
        ? ''
        : `${afterFault(timeNs - observer.firstStrikeNs)}  `;
    return `${mark}  ${expectation.text.padEnd(width)}  ${when}${because}`;
  });
}

function afterFault(ns: TimeNs): string {
  return ns < 0 ? `${formatTime(-ns)} before` : `after ${formatTime(ns)}`;
}

function summaryOf(result: RunResult): string {
  const { verdicts } = result;
  const met = verdicts.filter((verdict) => verdict.state === 'met').length;
  return `${met} of ${verdicts.length} expectations met`;
}

/** Everything the text says, for programs. Times in ns from the moment when the drivers were up. */
export function runToJson(result: RunResult, options: ReportOptions): string {
  const { scenario, system, startNs, endNs, verdicts, digest } = result;
  const value = {
    name: scenario.name,
    about: scenario.about.trim(),
    seed: system.sim.seed,
    profile: system.machine.timing.name,
    met: allMet(result),
    expectations: verdicts.map(({ expectation, state, timeNs, because }) => ({
      ...{ text: expectation.text, kind: expectation.kind, state, because },
      ...(timeNs === undefined ? {} : { timeNs: timeNs - startNs }),
    })),
    slots: system.slots.map(({ name, phb, pe, busId, driverKind, packets }) => {
      return { name, phb, pe, device: busId, driver: driverKind, packets };
    }),
    bootNs: startNs,
    endNs: endNs - startNs,
    freezes: freezesOf(result),
    timeline: timelineOf(result),
    phases: phasesOf(result).map(({ name, fromNs, toNs }) => ({
      name,
      fromNs: fromNs - startNs,
      toNs: toNs - startNs,
    })),
    traffic: trafficTable(result),
    log: logLines(result, options),
    digest,
    again: options.again,
  };
  return JSON.stringify(value, undefined, 2);
}

function freezesOf({ observer, startNs }: RunResult): object[] {
  return observer.freezes.map(({ timeNs, thawedNs, phb, pe, who, cause, pest }) => ({
    ...{ timeNs: timeNs - startNs, phb, pe, who, cause: cause?.event ?? 'software' },
    ...{ pestA: hex64(pest.a), pestB: hex64(pest.b) },
    ...(thawedNs === undefined ? {} : { thawedNs: thawedNs - startNs }),
  }));
}
