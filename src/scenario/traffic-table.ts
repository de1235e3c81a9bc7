/** The packets of each slot by phase of the run, and as a bar over the whole of it. */
import { formatTime, type TimeNs } from '../sim/time.js';
import type { RunResult } from './runner.js';

export interface Phase {
  readonly name: 'before' | 'during' | 'after';
  readonly fromNs: TimeNs;
  readonly toNs: TimeNs;
}

export interface SlotTraffic {
  readonly slot: string;
  readonly packets: Readonly<Record<Phase['name'], number>>;
  readonly total: number;
}

/** Before the first fault; until the last recovery or surrender; after it. */
export function phasesOf({ observer, verdicts, startNs, endNs }: RunResult): Phase[] {
  const first = observer.firstStrikeNs ?? endNs;
  const ends = verdicts.filter(({ expectation }) => expectation.kind === 'recovered' || expectation.kind === 'failed');
  const thaws = observer.freezes.map((freeze) => freeze.thawedNs ?? first);
  const last = Math.max(
    first,
    observer.strikes.at(-1)?.timeNs ?? first,
    ...ends.map(({ timeNs }) => timeNs ?? first),
    ...thaws,
  );
  return [
    { name: 'before', fromNs: startNs, toNs: first },
    { name: 'during', fromNs: first, toNs: last },
    { name: 'after', fromNs: last, toNs: endNs },
  ];
}

export function trafficTable(result: RunResult): SlotTraffic[] {
  const phases = phasesOf(result);
  return result.system.slots.map(({ name }) => {
    const packetsIn = ({ fromNs, toNs }: Phase): number => result.traffic.between(name, fromNs, toNs);
    const [before, during, after] = phases.map(packetsIn) as [number, number, number];
    return { slot: name, packets: { before, during, after }, total: result.traffic.total(name) };
  });
}

const BAR_CELLS = 60;
/** Against the usual: half of it or more, less, none. */
const CELLS = { working: '#', slow: '+', still: '.' } as const;

export function formatTraffic(result: RunResult): string[] {
  const phases = phasesOf(result);
  const head = phases.map((phase) => `${phase.name} (${formatTime(phase.toNs - phase.fromNs)})`);
  const widths = head.map((title) => title.length);
  const rows = trafficTable(result).map(({ slot, packets, total }) => {
    const cells = phases.map((phase, i) => String(packets[phase.name]).padStart(widths[i]!));
    return `${slot.padEnd(8)}${cells.join('   ')}   ${String(total).padStart(8)}`;
  });
  return [
    `${' '.repeat(8)}${head.join('   ')}   ${'total'.padStart(8)}`,
    ...rows,
    '',
    ...result.system.slots.map(({ name }) => `${name.padEnd(8)}|${bar(result, name)}|`),
    `${' '.repeat(9)}0 ${formatTime(result.endNs - result.startNs).padStart(BAR_CELLS - 2)}`,
    `${' '.repeat(9)}${CELLS.working} as usual   ${CELLS.slow} less than half   ${CELLS.still} nothing`,
  ];
}

/** Each cell: how busy the slot was, against its usual self. */
function bar(result: RunResult, slot: string): string {
  const { startNs, endNs, traffic } = result;
  const step = (endNs - startNs) / BAR_CELLS;
  const counts = Array.from({ length: BAR_CELLS }, (_, i) =>
    traffic.between(slot, startNs + i * step, startNs + (i + 1) * step),
  );
  const busy = counts.filter((count) => count > 0).sort((a, b) => a - b);
  const usual = busy[Math.floor(busy.length / 2)] ?? 1;
  return counts.map((count) => (count === 0 ? CELLS.still : count * 2 < usual ? CELLS.slow : CELLS.working)).join('');
}
