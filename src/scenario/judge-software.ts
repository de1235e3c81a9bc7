/** Decides expectations of what software made of it: what the kernel said and did, and what reached the cards of that. */
import { PeState } from '../eeh/eeh-flags.js';
import type { TimeNs } from '../sim/time.js';
import { type Evidence, type Finding, metAt, open } from './evidence.js';
import type { PresenceSeen } from './observer.js';
import type { Expectation, StateOfSlot } from './scenario.js';

type Of<K extends Expectation['kind']> = Extract<Expectation, { kind: K }>;
type OfHardware =
  | Of<'freeze' | 'pest' | 'link' | 'link-error' | 'answered'>
  | Extract<Expectation, { kind: StateOfSlot }>;

export function findInSoftware(expectation: Exclude<Expectation, OfHardware>, evidence: Evidence): Finding {
  switch (expectation.kind) {
    case 'failed':
      return failed(expectation.pe, evidence);
    case 'still-recovering':
      return stillRecovering(expectation.pe, evidence);
    case 'unplugged':
      return unplugged(expectation.slot, evidence);
    case 'replugged':
      return replugged(expectation.slot, evidence);
    case 'removed':
      return removed(expectation.slot, evidence);
    case 'detected':
      return detected(expectation, evidence);
    case 'voted':
      return voted(expectation, evidence);
    case 'reset':
      return resetBy(expectation, evidence);
    case 'no-reset':
      return notReset(expectation.slot, evidence);
    case 'all-ones':
      return allOnes(expectation, evidence);
    case 'log':
    case 'no-log':
      return logged(expectation, evidence);
    case 'log-order':
      return loggedInOrder(expectation, evidence);
    case 'fenced':
    case 'not-fenced':
      return fenced(expectation, evidence);
    case 'dead':
      return announced(`EEH: dead ${labelOfPhb(expectation.phb)} detected`, evidence);
    case 'informative':
      return announced(`EEH: ${labelOfPhb(expectation.phb)} informative error detected`, evidence);
  }
}

const labelOfPhb = (phb: number): string => `PHB#${phb.toString(16)}`;

/** As the kernel names its PE; a PHB stands for PE 0 where it is given up. */
function labelOf(name: string, { system }: Evidence): string | undefined {
  const slot = system.slot(name);
  if (slot !== undefined)
    return slot.pe === undefined ? undefined : `${labelOfPhb(slot.phb)}-PE#${slot.pe.toString(16)}`;
  return system.peOf(name)?.label;
}

const from = ({ observer }: Evidence): TimeNs => observer.firstStrikeNs ?? Number.POSITIVE_INFINITY;

function failed(name: string, evidence: Evidence): Finding {
  const label = labelOf(name, evidence);
  if (label === undefined) return open('it has no PE');
  const wanted = `Unable to recover from failure from ${label}.`;
  const line = evidence.observer.log.find(({ text }) => text.includes(wanted));
  return line === undefined ? open('the kernel has not given it up') : metAt(line.timeNs, 'the kernel gave it up');
}

/** Known only at the end: nothing came of the recovery, neither good nor bad. */
function stillRecovering(name: string, { system }: Evidence): Finding {
  const pe = system.peOf(name);
  if (pe === undefined) return { state: 'not-met', because: 'the kernel has no PE for it' };
  if (pe.in(PeState.REMOVED)) return { state: 'not-met', because: 'the kernel gave it up' };
  if (!pe.in(PeState.RECOVERING)) return { state: 'not-met', because: 'nobody recovers it' };
  return { state: 'met', because: 'its recovery has no end' };
}

function presencesOf(slot: string, { observer }: Evidence): PresenceSeen[] {
  return observer.presences.filter((seen) => seen.slot === slot);
}

function unplugged(slot: string, evidence: Evidence): Finding {
  const gone = presencesOf(slot, evidence).find(({ what }) => what === 'gone');
  return gone === undefined ? open('the kernel never lost it') : metAt(gone.timeNs, 'the kernel removed its device');
}

/** Back for good only if a driver took it, where there is one that would. */
function replugged(name: string, evidence: Evidence): Finding {
  const seen = presencesOf(name, evidence);
  const gone = seen.findIndex(({ what }) => what === 'gone');
  if (gone < 0) return open('the kernel never lost it');
  const wantsDriver = evidence.system.slot(name)!.driver !== undefined;
  const back = seen.slice(gone).find(({ what }) => what === 'bound' || (what === 'found' && !wantsDriver));
  if (back !== undefined) return metAt(back.timeNs, wantsDriver ? 'found again, and bound' : 'found again');
  return open(seen.at(-1)!.what === 'gone' ? 'the kernel has not found it again' : 'no driver took it');
}

/** Known only at the end. */
function removed(name: string, { system }: Evidence): Finding {
  const { device } = system.slot(name)!;
  if (device === undefined) return { state: 'met', because: 'the kernel does not have it' };
  return { state: 'not-met', because: 'the kernel has it' };
}

function detected({ pe, by, times }: Of<'detected'>, evidence: Evidence): Finding {
  const { system, observer } = evidence;
  const label = system.peOf(pe)?.label ?? labelOf(pe, evidence);
  const phb = /^phb\d+$/.test(pe);
  const wanted = phb ? label?.replace(/-PE#.*/, '') : label;
  const all = observer.told.recoveries.filter((each) => each.label === wanted && each.timeNs >= from(evidence));
  const found = all.filter((each) => each.by === by)[times - 1];
  if (found !== undefined) return metAt(found.timeNs, `noticed by ${by}`);
  if (all.length === 0) return open('the kernel noticed nothing');
  return open(`noticed by ${all.map((each) => each.by).join(', ')}`);
}

function voted({ slot, callback, vote }: Of<'voted'>, evidence: Evidence): Finding {
  const { busId } = evidence.system.slot(slot)!;
  const all = evidence.observer.told.votes.filter((each) => each.busId === busId && each.callback === callback);
  const found = all.find((each) => each.vote === vote);
  if (found !== undefined) return metAt(found.timeNs, `its driver said '${vote}'`);
  return open(all.length === 0 ? `its driver was not asked` : `its driver said '${all.at(-1)!.vote}'`);
}

function resetBy({ slot, by }: Of<'reset'>, evidence: Evidence): Finding {
  const all = evidence.observer.resets.filter((each) => each.timeNs >= from(evidence) && each.slots.includes(slot));
  const found = all.find(({ kind }) => kind === by);
  if (found !== undefined) return metAt(found.timeNs, `${by} reset`);
  return open(all.length === 0 ? 'no reset reached it' : `${all.map(({ kind }) => kind).join(', ')} reset only`);
}

/** Known only at the end. */
function notReset(slot: string, evidence: Evidence): Finding {
  const found = evidence.observer.resets.find((each) => each.timeNs >= from(evidence) && each.slots.includes(slot));
  if (found === undefined) return { state: 'met', because: 'no reset reached it' };
  return { state: 'not-met', timeNs: found.timeNs, because: `${found.kind} reset` };
}

function allOnes({ slot, times }: Of<'all-ones'>, evidence: Evidence): Finding {
  const all = evidence.observer.ones.filter((seen) => seen.slot === slot && seen.timeNs >= from(evidence));
  const found = all[times - 1];
  return found === undefined
    ? open(`${all.length} loads gave all ones`)
    : metAt(found.timeNs, `${times} loads gave all ones`);
}

const fits = (text: string, pattern: string | RegExp): boolean =>
  typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text);
const quotedLine = (text: string): string => `"${text.split('\n')[0]!}"`;

function logged({ kind, pattern }: Of<'log' | 'no-log'>, { observer }: Evidence): Finding {
  const line = observer.log.find(({ text }) => fits(text, pattern));
  if (kind === 'log') {
    return line === undefined ? open('the kernel has not said so') : metAt(line.timeNs, quotedLine(line.text));
  }
  if (line === undefined) return { state: 'met', because: 'the kernel never said so' };
  return { state: 'not-met', timeNs: line.timeNs, because: quotedLine(line.text) };
}

/** Each line after the one before; others may stand between. */
function loggedInOrder({ patterns }: Of<'log-order'>, { observer }: Evidence): Finding {
  let next = 0;
  for (const { text, timeNs } of observer.log) {
    if (!fits(text, patterns[next]!)) continue;
    next++;
    if (next === patterns.length) return metAt(timeNs, `${patterns.length} lines in this order`);
  }
  const missing = String(patterns[next]);
  return open(next === 0 ? `no line has ${missing}` : `after ${next} of them no line has ${missing}`);
}

function fenced({ kind, phb }: Of<'fenced' | 'not-fenced'>, { observer }: Evidence): Finding {
  const found = observer.phbs.find((each) => each.what === 'fenced' && each.phb === phb);
  if (kind === 'fenced') return found === undefined ? open('it never fenced') : metAt(found.timeNs, 'fenced');
  if (found === undefined) return { state: 'met', because: 'never fenced' };
  return { state: 'not-met', timeNs: found.timeNs, because: 'it fenced' };
}

function announced(start: string, { observer }: Evidence): Finding {
  const line = observer.log.find(({ text }) => text.startsWith(start));
  return line === undefined ? open('the kernel has not said so') : metAt(line.timeNs, quotedLine(line.text));
}
