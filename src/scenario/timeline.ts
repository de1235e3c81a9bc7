/** The run as a person reads it: one line for each thing that happened, hardware and software in one order of time. */

import { bdfnName } from '../eeh/pci/device.js';
import { FAULTS, type FaultDeclaration } from '../faults/catalogue.js';
import type { PlannedFault } from '../faults/engine.js';
import { defaultOf } from '../faults/parameters.js';
import { fromHalves, hex64 } from '../hw/bits.js';
import type { Chip } from '../machine/chip.js';
import { LINK_STATES } from '../pcie/link.js';
import { MessageCode } from '../pcie/tlp.js';
import { malformation } from '../pcie/tlp-checks.js';
import type { StallReason } from '../pcie/transmit-queue.js';
import { formatTime, type TimeNs } from '../sim/time.js';
import type { ErrorSeen, FreezeSeen, LinkErrorSeen, LinkSeen, Observer, PacketSeen } from './observer.js';
import type { RunResult } from './runner.js';

export interface TimelineEntry {
  /** From the moment when the drivers were up. */
  readonly timeNs: TimeNs;
  readonly who: string;
  readonly what: string;
}

/** Lines of the kernel's log that tell the story; the whole log is a section of its own. */
const STORY = [
  /^EEH: Frozen PE#/,
  /^EEH: Fenced PHB/,
  /^EEH: dead PHB/,
  /^EEH: PHB#.* informative error/,
  /^EEH: IOC informative error/,
  /^EEH: dead IOC/,
  /^BUG: /,
  /^EEH: Clear non-existing/,
  /^EEH: Recovering /,
  /has failed \d+ times in the last hour/,
  /driver reports: '(?!none)/,
  /^EEH: Enable I\/O/,
  /^EEH: Enabled DMA/,
  /^EEH: Reset with/,
  /^EEH: Sleep /,
  /^EEH: Recovery successful/,
  /^EEH: Unable to recover/,
  /will be handled at parent/,
  /: up, \d+ receive buffers/,
];

type Add = (timeNs: TimeNs, who: string, what: string) => void;

export function timelineOf(result: RunResult): TimelineEntry[] {
  const { startNs } = result;
  const entries: TimelineEntry[] = [];
  const add: Add = (timeNs, who, what) => {
    if (timeNs >= startNs) entries.push({ timeNs: timeNs - startNs, who, what });
  };
  for (const tell of [tellFaults, tellBridge, tellFirmware, tellLoads, tellLinks, tellKernel, tellTraffic]) {
    tell(result, add);
  }
  // Equal times keep the order in which kinds stand above: cause before consequence.
  const inOrder = entries
    .map((entry, index) => ({ entry, index }))
    .sort((a, b) => a.entry.timeNs - b.entry.timeNs || a.index - b.index)
    .map(({ entry }) => entry);
  return withoutRepeats(inOrder);
}

/** What happens over and over is told once, with how often and until when. */
function withoutRepeats(entries: readonly TimelineEntry[]): TimelineEntry[] {
  const told: TimelineEntry[] = [];
  let first = 0;
  for (let i = 1; i <= entries.length; i++) {
    if (i < entries.length && isSame(entries[i]!, entries[first]!)) continue;
    const repeats = i - first - 1;
    told.push(...entries.slice(first, repeats > 1 ? first + 1 : i));
    if (repeats > 1) {
      const until = formatTime(entries[i - 1]!.timeNs);
      told.push({ ...entries[first + 1]!, what: `the same ${repeats} times more, until ${until}` });
    }
    first = i;
  }
  return told;
}

const isSame = (a: TimelineEntry, b: TimelineEntry): boolean => a.who === b.who && a.what === b.what;

function tellFaults({ observer }: RunResult, add: Add): void {
  for (const { fault, timeNs, missed, address } of observer.strikes) {
    const where = address === undefined ? '' : `  ${hex64(address)}`;
    add(
      timeNs,
      fault.target,
      `fault: ${describeFault(fault)}${where}${missed === undefined ? '' : `  missed: ${missed}`}`,
    );
  }
  for (const { action, timeNs, missed } of observer.actions) {
    const of = action.target === undefined ? '' : ` ${action.target}`;
    add(timeNs, 'operator', `${action.kind}${of}${missed === undefined ? '' : `  missed: ${missed}`}`);
  }
  for (const packet of observer.strays) {
    add(packet.timeNs, packet.slot, `${describePacket(packet)}  RID ${bdfnName(packet.tlp.requesterId)}`);
  }
}

/** What of the target it is, and which error, where a kind of fault has several. */
function describeFault({ kind, parameters = {} }: PlannedFault): string {
  const { parameters: declared }: FaultDeclaration = FAULTS[kind];
  const parts = ['unit', 'error'].flatMap((name) => {
    const parameter = declared[name];
    return parameter === undefined ? [] : [`${name} ${parameters[name] ?? defaultOf(parameter)}`];
  });
  return parts.length === 0 ? kind : `${kind}  ${parts.join(', ')}`;
}

function tellBridge(result: RunResult, add: Add): void {
  const { observer } = result;
  const { chip } = result.system;
  for (const error of observer.errors) {
    if (!isEcho(result, error)) add(error.timeNs, `PHB${error.phb}`, describeError(error, chip));
  }
  for (const together of frozenTogether(observer.freezes)) {
    if (together.length > MOST_SINGLE) {
      const [first] = together;
      const who = together.flatMap((freeze) => freeze.who);
      add(first!.timeNs, `PHB${first!.phb}`, `${together.length} PEs ${describeFreeze({ ...first!, who }, chip)}`);
      continue;
    }
    for (const freeze of together) {
      add(freeze.timeNs, peName(freeze), describeFreeze(freeze, chip));
      const echoes = observer.errors.filter((error) => isEchoOf(error, freeze));
      if (echoes.length > 0) add(echoes[0]!.timeNs, peName(freeze), `more errors while frozen: ${countEvents(echoes)}`);
    }
  }
  for (const freeze of observer.freezes) {
    const isNews = freeze.thawedNs !== undefined && (freeze.who.length > 0 || freeze.cause === undefined);
    if (isNews) add(freeze.thawedNs!, peName(freeze), 'thawed');
  }
  for (const { timeNs, phb, what } of observer.phbs) {
    add(timeNs, `PHB${phb}`, what === 'fenced' ? 'FENCED' : 'whole PHB in reset');
  }
  for (const { timeNs, what, unit, bits } of observer.hub) {
    const who = chip.unitName(unit);
    add(timeNs, 'hub', what === 'dead' ? `DEAD: an error of ${who} stopped its link` : `${who} reports ${hex64(bits)}`);
  }
}

function tellFirmware({ observer, system }: RunResult, add: Add): void {
  const own = system.opal.firmwareInterrupts();
  for (const { timeNs, irq } of observer.interrupts) {
    if (!own.includes(irq)) continue;
    add(timeNs, 'linux', `takes error interrupt 0x${irq.toString(16)} of the bridge and hands it to firmware`);
  }
  for (const { timeNs, text } of observer.firmware.accesses) add(timeNs, 'firmware', text);
  for (const { timeNs, text } of system.firmwareLog) add(timeNs, 'firmware', text);
}

/** A driver that goes on reading ones says nothing new until the next fault. */
function tellLoads({ observer }: RunResult, add: Add): void {
  const lastTold = new Map<string, TimeNs>();
  for (const { timeNs, slot, address } of observer.ones) {
    const told = lastTold.get(slot);
    const isNews =
      told === undefined || observer.strikes.some((strike) => strike.timeNs > told && strike.timeNs <= timeNs);
    if (!isNews) continue;
    lastTold.set(slot, timeNs);
    add(timeNs, 'linux', `load 0x${address.toString(16)} (${slot}) -> all ones`);
  }
}

function tellLinks(result: RunResult, add: Add): void {
  const last = new Map<string, string>();
  for (const link of result.observer.links) {
    const what = describeLink(link);
    if (last.get(link.link) !== what) add(link.timeNs, linkOwner(result, link.link), what);
    last.set(link.link, what);
  }
  const { linkErrors, stalls } = result.observer;
  const errors = linkErrors.map(({ error, ...rest }) => ({ ...rest, what: `link error: ${error}, found by the` }));
  const waits = stalls.map(({ reason, ...rest }) => ({ ...rest, what: `packets wait for ${NEEDS[reason]} at the` }));
  for (const together of byKind([...errors, ...waits], result.observer)) {
    const [first] = together;
    const until = formatTime(together.at(-1)!.timeNs - result.startNs);
    const more = together.length > 1 ? `, ${together.length} times until ${until}` : '';
    add(first!.timeNs, first!.slot, `${first!.what} ${first!.by}${more}`);
  }
}

const NEEDS: Readonly<Record<StallReason, string>> = {
  PH: 'posted header credits',
  PD: 'posted data credits',
  NPH: 'non-posted header credits',
  NPD: 'non-posted data credits',
  CPLH: 'completion header credits',
  CPLD: 'completion data credits',
  REPLAY: 'room in the replay buffer',
};

type LinkMoment = Pick<LinkErrorSeen, 'timeNs' | 'slot' | 'by'> & { readonly what: string };

/** What happened on a link between two faults, all of a kind together. */
function byKind(moments: readonly LinkMoment[], { strikes }: Observer): LinkMoment[][] {
  const groups = new Map<string, LinkMoment[]>();
  for (const moment of moments) {
    const before = strikes.findLastIndex((strike) => strike.timeNs <= moment.timeNs);
    const key = `${before} ${moment.slot} ${moment.what} ${moment.by}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [moment]);
    else group.push(moment);
  }
  return [...groups.values()];
}

function tellKernel({ observer }: RunResult, add: Add): void {
  for (const { timeNs, text } of observer.log) {
    if (STORY.some((pattern) => pattern.test(text))) add(timeNs, 'linux', text.split('\n')[0]!);
  }
}

function tellTraffic(result: RunResult, add: Add): void {
  const { observer, system, traffic } = result;
  for (const { name, phb } of system.slots) {
    const freezes = observer.freezesOf(name);
    const resets = observer.phbs.filter((each) => each.phb === phb && each.what === 'reset');
    const backs = [...freezes.map((freeze) => freeze.thawedNs), ...resets.map(({ timeNs }) => timeNs)];
    const moments = new Set<TimeNs>();
    for (const back of backs) {
      const progress = back === undefined ? undefined : traffic.firstProgressAfter(name, back);
      const again = freezes.some(({ timeNs }) => timeNs >= back! && timeNs < (progress ?? 0));
      if (progress !== undefined && !again) moments.add(progress);
    }
    for (const moment of moments) add(moment, name, 'the driver receives again');
  }
}

function describePacket({ tlp, maxPayloadBytes }: PacketSeen): string {
  const broken = malformation(tlp, { maxPayloadBytes, from: 'below' });
  const defects = [
    ...(tlp.poisoned === true ? ['poisoned'] : []),
    ...(tlp.digestDamaged === true ? ['with a wrong ECRC'] : []),
    ...(broken === undefined ? [] : [`malformed (${broken})`]),
  ];
  if (tlp.kind === 'Msg') return [messageName(tlp.messageCode), ...defects].join(' ');
  const address = hex64(fromHalves(tlp.addressHi, tlp.addressLo));
  return `${[tlp.kind, ...defects].join(' ')}  ${address}  ${tlp.lengthBytes} B`;
}

/** So many PEs at once are told one by one. */
const MOST_SINGLE = 8;

/** Freezes of one instant and one cause; they stand side by side. */
function frozenTogether(freezes: readonly FreezeSeen[]): FreezeSeen[][] {
  const groups: FreezeSeen[][] = [];
  for (const freeze of freezes) {
    const [first] = groups.at(-1) ?? [];
    const joins = first !== undefined && freeze.cause !== undefined && first.cause === freeze.cause;
    if (joins) groups.at(-1)!.push(freeze);
    else groups.push([freeze]);
  }
  return groups;
}

/** An error of a PE that is frozen already changes nothing any more. */
function isEcho({ observer }: RunResult, error: ErrorSeen): boolean {
  return observer.freezes.some((freeze) => isEchoOf(error, freeze));
}

function isEchoOf({ timeNs, phb, pe }: ErrorSeen, freeze: FreezeSeen): boolean {
  return (
    phb === freeze.phb &&
    pe === freeze.pe &&
    timeNs > freeze.timeNs &&
    timeNs < (freeze.thawedNs ?? Number.POSITIVE_INFINITY)
  );
}

function countEvents(errors: readonly ErrorSeen[]): string {
  const counts = new Map<string, number>();
  for (const { event } of errors) counts.set(event, (counts.get(event) ?? 0) + 1);
  return [...counts].map(([event, count]) => `${count} x ${event}`).join(', ');
}

function messageName(code: number | undefined): string {
  return Object.entries(MessageCode).find(([, each]) => each === code)?.[0] ?? 'Msg';
}

const peName = ({ phb, pe }: FreezeSeen): string => `PHB${phb} PE ${pe.toString(16)}`;

const TABLE_EVENTS: Readonly<Record<string, string>> = {
  'tce-page-fault': 'the TCE grants nothing',
  'tce-access-fault': 'the TCE does not grant this access',
  'tve-invalid': 'the TVE is not valid',
  'tve-range': 'the address is outside the TVE',
};

function describeError({ event, pe, address, requesterId }: ErrorSeen, chip: Chip): string {
  const verdict = TABLE_EVENTS[event];
  if (verdict !== undefined && pe !== undefined) {
    const tve = chip.dmaWindow(pe, address);
    return `RID ${bdfnName(requesterId)} -> PE ${pe.toString(16)} -> TVE ${tve} -> ${verdict}: ${event}`;
  }
  return `${event}${requesterId === 0 ? '' : `  RID ${bdfnName(requesterId)}`}${address === 0n ? '' : `  ${hex64(address)}`}`;
}

function describeFreeze({ cause, pest, who }: FreezeSeen, chip: Chip): string {
  const names = who.length === 0 ? '' : `  (${who.join(', ')})`;
  if (cause === undefined) return `frozen by software${names}`;
  const causes = chip.causesOf(pest.a, pest.b);
  const bits = causes.length === 0 ? '' : `  ${causes.join(' ')}`;
  return `FROZEN  PESTA ${hex64(pest.a)}  PESTB ${hex64(pest.b)}${bits}${names}`;
}

function describeLink({ state, speed, width }: LinkSeen): string {
  const name = LINK_STATES[state]!;
  if (name === 'l0') return `link up, Gen${speed} x${width}`;
  return `link: ${name}`;
}

/** A link by what hangs below it. */
function linkOwner({ system }: RunResult, link: string): string {
  const slot = system.slots.find((each) => each.place.socket.link.name === link);
  return slot?.place.socket.name ?? link.replace(/ link$/, '');
}

export function formatTimeline(entries: readonly TimelineEntry[]): string[] {
  const width = entries.reduce((widest, { who }) => Math.max(widest, who.length), 0);
  return entries.map(({ timeNs, who, what }) => `${formatTime(timeNs).padStart(19)}  ${who.padEnd(width)}  ${what}`);
}
