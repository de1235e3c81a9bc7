/** The comparison with real firmware as text and as plain data. */
import { hex64 } from '../hw/bits.js';
import { FIRMWARE_SWITCHES } from '../opal/firmware-profile.js';
import type { AccessOutcome } from './access-alignment.js';
import { registerName } from './firmware-board.js';
import {
  type CallComparison,
  type ComparedAccess,
  countPhase,
  type FirmwareComparison,
  isExplained,
  type PhaseComparison,
  type PhaseCounts,
} from './firmware-comparison.js';
import type { FirmwareAccess } from './firmware-phases.js';

const grouped = (count: number): string => count.toLocaleString('en-US');
const COLUMNS = ['calls', 'accesses', 'same', 'different', 'missing', 'extra'] as const;

export function formatFirmwareComparison(comparison: FirmwareComparison): string {
  const { recording, phases } = comparison;
  const width = Math.max(5, ...phases.map((phase) => phase.name.length));
  const row = (name: string, cells: readonly string[], reason: string): string =>
    `${name.padEnd(width)}  ${cells.map((cell, index) => cell.padStart(COLUMNS[index]!.length)).join('  ')}  ${reason}`.trimEnd();
  return [
    `Recording  ${recording.name}: ${recording.source}`,
    `Profile    ${profileText(comparison)}`,
    '',
    row('phase', [...COLUMNS], 'reason'),
    ...phases.map((phase) => {
      const counts = countPhase(phase);
      const cells = COLUMNS.map((column) => grouped(counts[column]));
      return row(phase.name, cells, reasonText(phase, counts));
    }),
    '',
    ...legend(comparison),
    summaryText(comparison),
  ].join('\n');
}

/** What the switches behind the differences do. */
function legend({ phases }: FirmwareComparison): string[] {
  const names = [...new Set(phases.flatMap((phase) => countPhase(phase).reasons))].sort();
  const width = Math.max(0, ...names.map((name) => name.length));
  const lines = names.map((name) => `${name.padEnd(width)}  ${FIRMWARE_SWITCHES[name].corrected}`);
  return lines.length === 0 ? [] : ['What was mended', ...lines, ''];
}

function profileText({ profile }: FirmwareComparison): string {
  return typeof profile === 'string' ? profile : JSON.stringify(profile);
}

/** Also what no column has: return codes and memory. */
function reasonText({ calls, memory }: PhaseComparison, { reasons, unexplained }: PhaseCounts): string {
  const codes = calls.filter(({ returned }) => returned !== undefined && returned.recorded !== returned.ours).length;
  const failed = calls.filter((call) => call.failure !== undefined).length;
  return [
    ...reasons,
    ...(codes > 0 ? [`${codes} return ${codes > 1 ? 'codes' : 'code'}`] : []),
    ...(memory.length > 0 ? [`${grouped(memory.length)} ${memory.length > 1 ? 'words' : 'word'} of memory`] : []),
    ...(failed > 0 ? [`${failed} not finished`] : []),
    ...(unexplained > 0 ? [`${grouped(unexplained)} UNEXPLAINED`] : []),
  ].join(', ');
}

function summaryText(comparison: FirmwareComparison): string {
  const counts = comparison.phases.map(countPhase);
  const sum = (of: (count: PhaseCounts) => number): number => counts.reduce((total, each) => total + of(each), 0);
  const words = comparison.phases.reduce((total, phase) => total + phase.memoryWords, 0);
  const same = counts.filter((each) => each.differences === 0).length;
  const unexplained = sum((each) => each.unexplained);
  return [
    `${same} of ${counts.length} phases are the same: ${grouped(sum((each) => each.same))} of ` +
      `${grouped(sum((each) => each.accesses))} accesses in ${grouped(sum((each) => each.calls))} calls, ` +
      `${grouped(words)} changed words of memory compared`,
    isExplained(comparison)
      ? 'Nothing is unexplained.'
      : `${grouped(unexplained)} ${unexplained === 1 ? 'difference is' : 'differences are'} unexplained; --phase NAME shows more.`,
  ].join('\n');
}

const MARKS: Readonly<Record<AccessOutcome, string>> = { same: ' ', different: '*', missing: '<', extra: '>' };
const SIDE = 56;

/** Every access of one phase, the recorded one on the left. */
export function formatPhase(phase: PhaseComparison): string {
  return [
    `${phase.name}  (* differs, < only in the recording, > only here)`,
    ...phase.calls.flatMap(callLines),
    ...phase.memory.map(({ address, recorded, ours, reasons }) => {
      const place = `memory 0x${address.toString(16)} ${hex64(recorded)}`;
      return `* ${place.padEnd(SIDE)}${hex64(ours)}${reasonMark(reasons)}`;
    }),
    ...(phase.memoryWords > 0 ? [`  ${grouped(phase.memoryWords)} changed words of memory compared`] : []),
  ].join('\n');
}

function callLines({ name, args, accesses, returned, failure }: CallComparison): string[] {
  const lines = ['', `${name}(${args.map((arg) => arg.toString(16)).join(', ')})`, ...accesses.map(accessLine)];
  if (failure !== undefined) lines.push(`> not finished: ${failure}`);
  if (returned !== undefined) {
    const [mark, why] = returned.recorded === returned.ours ? [' ', ''] : ['*', reasonMark(returned.reasons)];
    lines.push(`${mark} ${`returns ${returned.recorded}`.padEnd(SIDE)}returns ${returned.ours}${why}`);
  }
  return lines;
}

function accessLine({ outcome, recorded, ours, reasons }: ComparedAccess): string {
  const mark = outcome === 'same' ? '' : reasonMark(reasons);
  return `${MARKS[outcome]} ${sideText(recorded).padEnd(SIDE)}${sideText(ours)}${mark}`.trimEnd();
}

const reasonMark = (reasons: readonly string[] | undefined): string => `  [${reasons?.join(' or ') ?? 'UNEXPLAINED'}]`;

function sideText(access: FirmwareAccess | undefined): string {
  if (access === undefined) return '';
  const { direction, size, value, afterUs } = access;
  const wait = afterUs > 0 ? `+${grouped(afterUs)} us ` : '';
  return `${wait}${direction === 'read' ? 'R' : 'W'} ${registerName(access)} ${value.toString(16).padStart(2 * size, '0')}`;
}

/** For machines: the counts of every phase, and each difference. */
export function firmwareComparisonToJson(comparison: FirmwareComparison, only?: string): unknown {
  const { recording, phases } = comparison;
  return {
    ...{ recording: recording.name, source: recording.source, profile: comparison.profile },
    explained: isExplained(comparison),
    phases: phases
      .filter((phase) => only === undefined || phase.name === only)
      .map((phase) => ({
        ...{ name: phase.name, ...countPhase(phase), memoryWords: phase.memoryWords },
        calls: phase.calls.flatMap((call) => jsonCall(call, only === undefined ? 'differences' : 'all')),
        memory: phase.memory.map(({ address, recorded, ours, reasons }) => ({
          ...{ address: `0x${address.toString(16)}`, recorded: hex64(recorded), ours: hex64(ours) },
          reasons: reasons ?? [],
        })),
      })),
  };
}

function jsonCall(call: CallComparison, shown: 'differences' | 'all'): unknown[] {
  const { name, args, accesses, returned, failure } = call;
  const listed = accesses.filter((each) => shown === 'all' || each.outcome !== 'same');
  const isSame = listed.length === 0 && failure === undefined && returned?.recorded === returned?.ours;
  if (shown === 'differences' && isSame) return [];
  return [
    {
      ...{ name, args: args.map((arg) => `0x${arg.toString(16)}`) },
      accesses: listed.map(({ outcome, recorded, ours, reasons }) => ({
        ...{ outcome, recorded: jsonAccess(recorded), ours: jsonAccess(ours) },
        ...(outcome === 'same' ? {} : { reasons: reasons ?? [] }),
      })),
      ...(returned === undefined ? {} : { returned }),
      ...(failure === undefined ? {} : { failure }),
    },
  ];
}

function jsonAccess(access: FirmwareAccess | undefined): unknown {
  if (access === undefined) return null;
  const { direction, window, size, value, afterUs } = access;
  return { direction, window, register: registerName(access), size, value: `0x${value.toString(16)}`, afterUs };
}
