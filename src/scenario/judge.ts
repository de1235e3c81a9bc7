/** Decides each expectation from what was observed: met and when, not met and why, or not yet. */
import { hex64 } from '../hw/bits.js';
import type { SystemSlot } from '../machine/system.js';
import { LINK_STATES } from '../pcie/link.js';
import { formatTime, type TimeNs } from '../sim/time.js';
import { type Evidence, type Finding, metAt, open } from './evidence.js';
import { findInSoftware } from './judge-software.js';
import type { FreezeSeen, LinkSeen } from './observer.js';
import type { Expectation, ExpectationKind } from './scenario.js';

export interface Verdict extends Finding {
  readonly expectation: Expectation;
}

/** Looks at an expectation now. `open` at the end of the run means not met. */
export function judge(expectation: Expectation, evidence: Evidence): Verdict {
  const finding = find(expectation, evidence);
  const { withinNs } = expectation;
  const first = evidence.observer.firstStrikeNs;
  if (finding.state !== 'met' || finding.timeNs === undefined || withinNs === undefined || first === undefined) {
    return { expectation, ...finding };
  }
  if (finding.timeNs - first <= withinNs) return { expectation, ...finding };
  const late = `too late, ${formatTime(finding.timeNs - first)} after the fault: ${finding.because}`;
  return { expectation, state: 'not-met', timeNs: finding.timeNs, because: late };
}

function find(expectation: Expectation, evidence: Evidence): Finding {
  const slotOf = (name: string): SystemSlot => evidence.system.slot(name)!;
  switch (expectation.kind) {
    case 'freeze':
      return frozen(expectation, evidence);
    case 'pest':
      return pest(expectation, evidence);
    case 'untouched':
      return untouched(slotOf(expectation.slot), evidence);
    case 'recovered':
      return recovered(slotOf(expectation.slot), evidence);
    case 'left-frozen':
      return leftFrozen(slotOf(expectation.slot), evidence);
    case 'link':
      return linkUp(expectation, evidence);
    case 'link-error':
      return linkError(expectation, evidence);
    case 'stalled':
      return stalled(expectation.slot, evidence);
    case 'answered':
      return answered(slotOf(expectation.slot), expectation.status);
    default:
      return findInSoftware(expectation, evidence);
  }
}

/** Freezes of the PE that an error caused, from the first fault on. */
function freezesOf(name: string, { observer }: Evidence): FreezeSeen[] {
  const first = observer.firstStrikeNs;
  if (first === undefined) return [];
  return observer.freezesOf(name).filter((freeze) => freeze.timeNs >= first && freeze.cause !== undefined);
}

/** What the operator has recovered by force may never have failed: then software's own freeze counts. */
function lastFreeze(name: string, evidence: Evidence): FreezeSeen | undefined {
  const first = evidence.observer.firstStrikeNs ?? Number.POSITIVE_INFINITY;
  const all = evidence.observer.freezesOf(name).filter((freeze) => freeze.timeNs >= first);
  return freezesOf(name, evidence).at(-1) ?? all.at(-1);
}

function frozen(expectation: Extract<Expectation, { kind: 'freeze' }>, evidence: Evidence): Finding {
  const all = freezesOf(expectation.pe, evidence);
  const { causes, times } = expectation;
  const fitting = all.filter((freeze) => causes === undefined || causes.includes(freeze.cause!.event));
  const found = fitting[times - 1];
  if (found !== undefined) {
    const count = times > 1 ? ` for the ${ordinal(times)} time` : '';
    return metAt(found.timeNs, `froze${count}: ${found.cause!.event}`);
  }
  const other = all.find((freeze) => !fitting.includes(freeze));
  if (other !== undefined) return open(`froze, but of ${other.cause!.event}`);
  return open(all.length === 0 ? 'its PE never froze' : `froze ${all.length} times only`);
}

function pest(expectation: Extract<Expectation, { kind: 'pest' }>, evidence: Evidence): Finding {
  const all = freezesOf(expectation.pe, evidence);
  const found = all.find(({ pest: { a, b } }) => (expectation.a ?? a) === a && (expectation.b ?? b) === b);
  if (found !== undefined) return metAt(found.timeNs, `PESTA ${hex64(found.pest.a)} PESTB ${hex64(found.pest.b)}`);
  const seen = all[0]?.pest;
  return open(seen === undefined ? 'its PE never froze' : `PESTA ${hex64(seen.a)} PESTB ${hex64(seen.b)}`);
}

/** Known only at the end: nothing may happen to it, and its driver goes on. */
function untouched(slot: SystemSlot, evidence: Evidence): Finding {
  const { observer, traffic, system, startNs } = evidence;
  const first = observer.firstStrikeNs ?? system.sim.now;
  const freeze = observer.freezesOf(slot.name).find((each) => each.timeNs >= first);
  if (freeze !== undefined)
    return {
      state: 'not-met',
      timeNs: freeze.timeNs,
      because: `its PE froze (${freeze.cause?.event ?? 'by software'})`,
    };
  const registers = slot.place.nic?.registers;
  const lost = registers === undefined ? 0 : registers.get('RX_DROPPED') + registers.get('DMA_ERRORS');
  if (lost > 0) return { state: 'not-met', because: `its card lost ${lost} packets` };
  if (slot.driverKind === 'none') return idle(slot, evidence, first);
  if (slot.device?.driver === undefined) return { state: 'not-met', because: 'it has no driver' };
  const before = traffic.between(slot.name, startNs, first);
  const since = traffic.between(slot.name, first, system.sim.now);
  const gap = traffic.longestGap(slot.name, first, system.sim.now);
  const figures = `${before} packets before, ${since} since, none lost, longest pause ${formatTime(gap)}`;
  if (before === 0 || since === 0) return { state: 'not-met', because: `no traffic: ${figures}` };
  const allowed = LONGEST_PAUSE * usualGap(slot.name, evidence, first);
  return gap > allowed
    ? { state: 'not-met', because: `it stood still: ${figures}` }
    : { state: 'met', because: figures };
}

/** Nobody works with it: it stays where it is, and its link, which a reset would take down, stays up. */
function idle(slot: SystemSlot, { observer }: Evidence, first: TimeNs): Finding {
  if (slot.device === undefined) return { state: 'not-met', because: 'the kernel does not have it' };
  const { name } = slot.place.socket.link;
  const fell = observer.links.find((seen) => seen.link === name && seen.timeNs >= first && seen.speed === 0);
  if (fell !== undefined) return { state: 'not-met', timeNs: fell.timeNs, because: 'its link went down' };
  return { state: 'met', because: 'no freeze, no reset, no unplug; nobody drives it' };
}

/** A pause this many times the usual one is a pause. */
const LONGEST_PAUSE = 5;

function usualGap(slot: string, { traffic, startNs }: Evidence, first: TimeNs): TimeNs {
  const before = traffic.between(slot, startNs, first);
  return Math.max((first - startNs) / Math.max(1, before), traffic.longestGap(slot, startNs, first) / 2);
}

/** Thawed, with a driver, and packets come again. */
function recovered(slot: SystemSlot, evidence: Evidence): Finding {
  const since = cameBack(slot, evidence);
  if (typeof since === 'string') return open(since);
  const { device } = slot;
  if (device === undefined) return open('the kernel has removed it');
  if (device.driver === undefined) return open('it has no driver');
  if (device.channel !== 'normal') return open(`its channel is ${device.channel}`);
  if (slot.driver?.progress === undefined) return metAt(since, 'thawed, and its driver is there');
  const progress = evidence.traffic.firstProgressAfter(slot.name, since);
  if (progress === undefined) return open('its driver has received nothing since');
  return metAt(progress, 'the driver receives again');
}

/** When its PE was thawed, or its fenced bridge reset, for the last time; or why not. */
function cameBack(slot: SystemSlot, evidence: Evidence): TimeNs | string {
  const { observer } = evidence;
  const freeze = lastFreeze(slot.name, evidence);
  const ofPhb = observer.phbs.filter(({ phb }) => phb === slot.phb);
  const fence = ofPhb.findLast(({ what }) => what === 'fenced');
  if (fence !== undefined && fence.timeNs >= (freeze?.timeNs ?? 0)) {
    const reset = ofPhb.findLast(({ what, timeNs }) => what === 'reset' && timeNs > fence.timeNs);
    return reset?.timeNs ?? 'its bridge is still fenced';
  }
  if (freeze === undefined) return 'its PE never froze';
  return freeze.thawedNs ?? 'its PE is still frozen';
}

/** Known only at the end: frozen, and software has forgotten about it. */
function leftFrozen(slot: SystemSlot, evidence: Evidence): Finding {
  const freeze = freezesOf(slot.name, evidence).at(-1);
  if (freeze === undefined) return { state: 'not-met', because: 'its PE never froze' };
  if (freeze.thawedNs !== undefined) return { state: 'not-met', timeNs: freeze.thawedNs, because: 'its PE was thawed' };
  return { state: 'met', because: 'its PE is frozen, and nobody recovers it' };
}

/** Came up like this after the first fault. */
function linkUp(expectation: Extract<Expectation, { kind: 'link' }>, { observer, system }: Evidence): Finding {
  const first = observer.firstStrikeNs;
  if (first === undefined) return open('nothing has happened to its link yet');
  const { name } = system.slot(expectation.slot)!.place.socket.link;
  const ups = observer.links.filter((seen) => seen.link === name && seen.timeNs >= first && isTrained(seen));
  const { width, speed } = expectation;
  const found = ups.find((seen) => (width ?? seen.width) === seen.width && (speed ?? seen.speed) === seen.speed);
  if (found !== undefined) return metAt(found.timeNs, `its link came up, ${linkShape(found)}`);
  const last = ups.at(-1);
  return open(last === undefined ? 'its link never trained again' : `its link came up, but ${linkShape(last)}`);
}

const isTrained = ({ state, speed }: LinkSeen): boolean => LINK_STATES[state] === 'l0' && speed > 0;
const linkShape = ({ speed, width }: LinkSeen): string => `Gen${speed} x${width}`;

function linkError(expectation: Extract<Expectation, { kind: 'link-error' }>, { observer, system }: Evidence): Finding {
  const { slot, error, times } = expectation;
  const first = observer.firstStrikeNs ?? Number.POSITIVE_INFINITY;
  const { name } = system.slot(slot)!.place.socket;
  const all = observer.linkErrors.filter((seen) => seen.slot === name && seen.error === error && seen.timeNs >= first);
  const found = all[times - 1];
  if (found === undefined) return open(`its link had ${all.length} x ${error}`);
  return metAt(found.timeNs, `${times} x ${error}, found by the ${found.by}`);
}

function stalled(slot: string, { observer, system }: Evidence): Finding {
  const first = observer.firstStrikeNs ?? Number.POSITIVE_INFINITY;
  const { name } = system.slot(slot)!.place.socket;
  const found = observer.stalls.find((seen) => seen.slot === name && seen.timeNs >= first && seen.reason !== 'REPLAY');
  if (found === undefined) return open('no packet on its link waited for credits');
  return metAt(found.timeNs, `the ${found.by} waited for ${found.reason} credits`);
}

function answered(slot: SystemSlot, status: string): Finding {
  const reads = slot.place.card.strayReads;
  if (reads.some((read) => read.status === status)) return { state: 'met', because: `the read ended with ${status}` };
  return open(reads.length === 0 ? 'no stray read has ended' : `the read ended with ${reads[0]!.status}`);
}

const FOR_THE_END: readonly ExpectationKind[] = [
  'untouched',
  'left-frozen',
  'still-recovering',
  'removed',
  'no-reset',
  'no-log',
  'not-fenced',
];

/** Nothing that happens before decides it for good. */
export function waitsForEnd(expectation: Expectation): boolean {
  return FOR_THE_END.includes(expectation.kind);
}

function ordinal(n: number): string {
  const teen = n % 100 >= 11 && n % 100 <= 13;
  return `${n}${teen ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th')}`;
}
