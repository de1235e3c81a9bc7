/** From an event of a log to a machine, what strikes it, and what is expected: the scenario before it was tried. */

import { CHIPS } from '../diag/chip.js';
import type { FaultEvent, Recovery } from '../diag/fault/fault.js';
import { type DiagLayout, formatDiagData, formatPest } from '../diag/layout.js';
import { FAULTS, type FaultDeclaration } from '../faults/catalogue.js';
import { FENCE, isFence, type NoStrike, type Strike, strikeOf } from './log-strikes.js';

export interface Hope {
  /** An item of `expect`, in flow style. */
  readonly item: string;
  /** Said when the simulated bridge does not get there: what the log has. Absent: then nothing is said. */
  readonly inLog?: string;
  /** Of the dump: the label of the line. */
  readonly label?: string;
  /** Without it the scenario is no answer. */
  readonly essential?: true;
  /** Says all that this other item says. */
  readonly covers?: string;
}

export interface ScenarioDraft {
  readonly machine: readonly string[];
  readonly faults: readonly string[];
  readonly actions: readonly string[];
  readonly hopes: readonly Hope[];
  readonly remarks: readonly string[];
}

export class NoScenarioError extends Error {
  override readonly name = 'NoScenarioError';
}

/** Buses of the slots behind a switch: one after the other, or on P7IOC each with an aligned range of 32. */
const SLOT_BUSES = {
  phb3: { first: 3, last: 10, step: 1 },
  p7ioc: { first: 0x20, last: 0xe0, step: 0x20 },
} as const;
const BUS_ALONE = 1;
const STRIKE_MS = 50;
/** A recovery takes about 3 s. */
const BETWEEN_STRIKES_S = 5;
const USUAL_LIMIT = 5;
const MOST_STRIKES = 20;

interface Place {
  readonly slots: number;
  /** Number of the slot that is hit. */
  readonly target: number;
  readonly phb: number;
  readonly bus: number;
}

/** Bus of the function that the log charges: of the PEST record, else of the device that Linux named. */
function busOf(event: FaultEvent): number | undefined {
  const record = event.primary?.reading?.culprit;
  if (record !== undefined && record.entry.requesterId !== 0) return record.entry.requesterId >> 8;
  const device = event.devices.find(({ part }) => part !== 'noticed');
  return device === undefined ? undefined : Number.parseInt(device.address.slice(5, 7), 16);
}

/** That of the log, if the simulated chip has as many. */
export function phbOf({ phb }: FaultEvent, phbs: number): number {
  return phb !== undefined && phb < phbs ? phb : 0;
}

/** A card on the same bus as in the log, so that its requester ID is the same: behind a switch, unless it is alone. */
function placeOf(event: FaultEvent, phbs: number): Place {
  const bus = busOf(event);
  const phb = phbOf(event, phbs);
  if (bus === BUS_ALONE) return { slots: 1, target: 1, phb, bus };
  const { first, last, step } = SLOT_BUSES[event.chip === 'p7ioc' ? 'p7ioc' : 'phb3'];
  if (bus === undefined || bus < first || bus > last || (bus - first) % step !== 0) {
    return { slots: 2, target: 1, phb, bus: first };
  }
  const target = (bus - first) / step + 1;
  return { slots: Math.max(2, target), target, phb, bus };
}

const callbackVotes = (recovery: Recovery | undefined): string =>
  (recovery?.steps ?? []).map(({ text }) => text).join('\n');

/** The driver that answers the kernel as the one in the log did. */
function driverOf(event: FaultEvent): string {
  const said = callbackVotes(event.recovery);
  const trace = event.evidence.find(({ text }) => text.startsWith('call trace:'))?.text ?? '';
  if (/slot_reset|eeh_report_reset/.test(trace)) {
    const times = Math.max(1, Math.min(strikesOf(event) - 1, MOST_STRIKES));
    return `{ like: recovering, breaks-again: { in: slot_reset, by: mmio, times: ${times} } }`;
  }
  if (/: disconnect$/m.test(said)) return '{ like: recovering, votes: { error_detected: disconnect } }';
  if (/: can recover$/m.test(said)) return /: need reset$/m.test(said) ? MMIO_THEN_RESET : 'can-recover';
  if (/Reset with hotplug|without EEH sensitive driver/.test(said)) return 'unaware';
  return 'recovering';
}

const MMIO_THEN_RESET = '{ like: can-recover, votes: { mmio_enabled: need reset } }';

/** How often the log says it failed within the hour. */
function strikesOf({ recovery }: FaultEvent): number {
  return Math.max(1, Math.min(recovery?.failures ?? 1, MOST_STRIKES));
}

function isBreakingAgain(driver: string): boolean {
  return driver.includes('breaks-again');
}

const flow = (values: Readonly<Record<string, string | number | undefined>>): string =>
  `{ ${Object.entries(values)
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key}: ${value}`]))
    .join(', ')} }`;
const quoted = (text: string): string => JSON.stringify(text);

function machineLines(event: FaultEvent, place: Place, driver: string): string[] {
  const chip = event.chip === 'p7ioc' ? 'p7ioc' : 'phb3';
  const failures = event.recovery?.failures ?? 0;
  const limit = event.recovery?.limit ?? USUAL_LIMIT;
  const slots = Array.from({ length: place.slots }, (_, i) => {
    const isTarget = i + 1 === place.target;
    const phb = place.phb === 0 ? undefined : place.phb;
    return `    ${i + 1}: ${flow({ device: 'nic', driver: isTarget ? driver : 'recovering', phb, 'frame-every': failures > 1 ? '10 ms' : undefined })}`;
  });
  const limits = limit === USUAL_LIMIT ? [] : [`  max-freezes: ${limit}`];
  return [`  chip: ${chip}`, ...limits, '  slots:', ...slots];
}

function faultLines(event: FaultEvent, strike: Strike, place: Place, driver: string): string[] {
  const slot = `slot${place.target}`;
  const phb = `phb${place.phb}`;
  const times = isBreakingAgain(driver) || driver.includes('disconnect') ? 1 : strikesOf(event);
  const again = times > 1 ? { times, every: `${BETWEEN_STRIKES_S} s` } : {};
  const line = (at: string, { kind, with: parameters = {} }: Strike, more = {}): string =>
    `  - ${flow({ at, kind, device: kind === 'fence' ? phb : slot, ...parameters, ...more })}`;
  const lines = [line(`${STRIKE_MS} ms`, strike, again)];
  if (event.severity === 'phb-dead') {
    lines.push(line(`${STRIKE_MS}.002 ms`, { kind: 'fence', with: { error: 'array-bad' } }));
  } else if (event.severity === 'phb-fenced' && !isFence(strike)) {
    lines.push(line(`${STRIKE_MS}.002 ms`, FENCE));
  } else if (diesForGood(event, strike, driver)) {
    lines.push(line(`${STRIKE_MS + (times - 1) * BETWEEN_STRIKES_S * 1000 + 1} ms`, { kind: 'link-lost' }));
  }
  return lines;
}

/** Linux gave it up although it had failed less often than it may, and its driver had not said so. */
function diesForGood({ recovery, severity }: FaultEvent, strike: Strike, driver: string): boolean {
  if (recovery?.outcome !== 'not-recovered' || severity !== 'pe-frozen' || strike.kind === 'link-lost') return false;
  const { failures = 1, limit = USUAL_LIMIT } = recovery;
  return failures <= limit && !driver.includes('disconnect') && !isBreakingAgain(driver);
}

function actionLines(strike: Strike, place: Place): string[] {
  if (strike.needsConfigRead !== true) return [];
  const domain = place.phb.toString(16).padStart(4, '0');
  const bus = place.bus.toString(16).padStart(2, '0');
  const file = `/sys/bus/pci/devices/${domain}:${bus}:00.0/config`;
  return [`  - ${flow({ at: `${STRIKE_MS + 1} ms`, do: 'read', file: quoted(file) })}`];
}

/** What the bridge does, then what its dump says, then what Linux makes of it. */
function hopesOf(event: FaultEvent, strike: Strike, place: Place): Hope[] {
  const slot = `slot${place.target}`;
  const phb = `phb${place.phb}`;
  const lastS = strikesOf(event) * BETWEEN_STRIKES_S + 10;
  const within = `${lastS} s`;
  const hopes: Hope[] = [];
  if (event.severity === 'phb-dead') hopes.push({ item: flow({ dead: phb, within }), essential: true });
  else if (event.severity === 'phb-fenced') hopes.push({ item: flow({ fenced: phb, within }), essential: true });
  else if (strike.informative === true) hopes.push({ item: flow({ untouched: slot }), essential: true });
  else if (strike.kind === 'foreign-requester') hopes.push({ item: flow({ 'not-fenced': phb }), essential: true });
  else hopes.push({ item: flow({ freeze: slot, within }), essential: true }, ...causeHopes(strike, slot, within));
  hopes.push(...pestHopes(event, strike, slot, within), ...dumpHopes(event, within));
  // Nobody recovers a stranger's PE: a run that waited for it would wait to its end.
  const outcomes = outcomeHopes(event, slot, within);
  hopes.push(...outcomes.filter(({ inLog }) => strike.kind !== 'foreign-requester' || inLog !== undefined));
  for (let other = 1; other <= place.slots; other++) {
    const alone = event.severity === 'pe-frozen' || event.severity === 'informative';
    if (other !== place.target && alone) hopes.push({ item: flow({ untouched: `slot${other}` }) });
  }
  if (event.severity === 'pe-frozen') hopes.push({ item: flow({ 'not-fenced': phb }) });
  return hopes;
}

function causeHopes({ kind }: Strike, slot: string, within: string): Hope[] {
  const { events = [] }: FaultDeclaration = FAULTS[kind];
  const [cause] = events;
  const covers = flow({ freeze: slot, within });
  return cause === undefined ? [] : [{ item: flow({ freeze: slot, cause, within }), covers }];
}

const word = (value: bigint): string => `0x${value.toString(16).padStart(16, '0')}`;

/** Both words, the first one, or the reason why neither. A stranger's PE has no slot to name it by. */
function pestHopes(event: FaultEvent, { kind }: Strike, slot: string, within: string): Hope[] {
  const culprit = event.primary?.reading?.culprit;
  if (culprit === undefined || !isSimulated(event) || event.primary?.event === 'dead') return [];
  const { a, b } = culprit.entry;
  const [line] = formatPest([...Array.from({ length: culprit.first }, () => ({ a: 0n, b: 0n })), { a, b }]);
  const printed = { item: flow({ log: quoted(line ?? ''), within }) };
  if (kind === 'foreign-requester') return [printed];
  return [
    { item: flow({ pest: slot, a: word(a), within }), inLog: `PESTA of the PE is ${word(a)} in the log` },
    { item: flow({ pest: slot, b: word(b), within }), covers: printed.item },
    { ...printed, inLog: `PESTB of the PE is ${word(b)} in the log` },
  ];
}

/** Words of the register dump as the kernel prints them: those of our chips have the same layout here. */
export function dumpHopes(event: FaultEvent, within: string): Hope[] {
  const dump = event.primary?.dump;
  if (dump === undefined || !isSimulated(event)) return [];
  // Linux asks firmware for no registers of a bridge that it finds dead.
  if (event.chip === 'phb3' && event.primary?.event === 'dead') return [];
  const layout: DiagLayout = CHIPS[dump.chip].layout;
  return layout.lines.flatMap((line): Hope[] => {
    if (line.fields.some((field) => !dump.words.has(field))) return [];
    const fields = Object.fromEntries(line.fields.map((field) => [field, dump.words.get(field)!.value]));
    const text = formatDiagData(layout, { fields, pestA: [], pestB: [] }, 0)[1];
    if (text === undefined) return [];
    const said = text.replace(/\s+/g, ' ');
    return [{ item: flow({ log: quoted(text), within }), inLog: `${said} in the log`, label: `${line.label}:` }];
  });
}

function isSimulated({ chip }: FaultEvent): boolean {
  return chip === 'phb3' || chip === 'p7ioc';
}

function outcomeHopes(event: FaultEvent, slot: string, within: string): Hope[] {
  const { recovery } = event;
  if (event.severity === 'informative') return [];
  const hopes: Hope[] = [];
  // To its end, also where the log stops before.
  if (recovery === undefined || recovery.outcome === 'unknown') hopes.push({ item: flow({ recovered: slot, within }) });
  if (recovery === undefined) return hopes;
  hopes.push(...outcomeSteps(event, within));
  if (recovery.outcome === 'recovered')
    hopes.push({ item: flow({ recovered: slot, within }), inLog: 'the device recovers' });
  if (recovery.outcome === 'not-recovered')
    hopes.push({ item: flow({ failed: slot, within }), inLog: 'Linux gives the device up' });
  return hopes;
}

/** What Linux said of how often it failed and how it ended. */
export function outcomeSteps({ recovery }: FaultEvent, within: string): Hope[] {
  if (recovery === undefined) return [];
  const hopes: Hope[] = [];
  const { failures } = recovery;
  if (failures !== undefined) {
    const text = `has failed ${failures} times in the last hour`;
    hopes.push({ item: flow({ log: quoted(text), within }), inLog: `"${text}"` });
  }
  for (const text of ['Recovery successful.', 'Unable to recover from failure']) {
    const step = recovery.steps.find((each) => text.startsWith(each.text));
    if (step === undefined) continue;
    hopes.push({ item: flow({ log: quoted(`EEH: ${text}`), within }), inLog: `"EEH: ${text}" (line ${step.line})` });
  }
  return hopes;
}

/** In the log of a simulated machine. */
const OUR_DRIVER = 'phbnic';
const CHIP_NAMES: Readonly<Record<FaultEvent['chip'], string>> = {
  p7ioc: 'a P7IOC',
  phb3: 'a PHB3',
  phb4: 'a PHB4 (POWER9)',
  phb5: 'a PHB5 (POWER10)',
  rtas: 'a PowerVM guest, whose bridge nobody sees',
  unknown: 'a bridge of unknown kind',
};

export function phbRemarks(event: FaultEvent, { phb }: { readonly phb: number }): string[] {
  return event.phb === undefined || event.phb === phb ? [] : [`PHB ${event.phb} of the log is PHB ${phb} here.`];
}

function remarksOf(event: FaultEvent, strike: Strike, place: Place): string[] {
  const remarks: string[] = [];
  if (!isSimulated(event)) {
    remarks.push(
      `The log is of ${CHIP_NAMES[event.chip]}. This scenario runs on a PHB3: same fault, same recovery; registers and PEST words differ.`,
    );
  }
  remarks.push(...phbRemarks(event, place));
  const bus = busOf(event);
  if (bus !== undefined && bus !== place.bus && strike.kind !== 'foreign-requester')
    remarks.push(
      `Bus ${bus.toString(16).padStart(2, '0')} of the log is bus ${place.bus.toString(16).padStart(2, '0')} here.`,
    );
  const drivers = event.devices.flatMap(({ driver }) =>
    driver === undefined || driver === OUR_DRIVER ? [] : [driver],
  );
  const names = [...new Set(drivers)];
  if (names.length > 0) remarks.push(`A network card and its driver stand in for ${names.join(', ')}.`);
  if (event.frozenPes.length > 1 && event.severity === 'pe-frozen')
    remarks.push(`The log has ${event.frozenPes.length} frozen PEs; PEs that only noticed are not repeated.`);
  if (event.recovery?.outcome === 'unknown')
    remarks.push('The log ends before the outcome; here the recovery goes on to its end.');
  if (event.primary?.event === 'dead')
    remarks.push('Here Linux prints no registers: it finds the bridge dead, and asks for none.');
  else if (event.cause.certainty !== 'certain')
    remarks.push(`The cause is ${event.cause.certainty}, not certain: the scenario is one way to get there.`);
  return strike.remark === undefined ? remarks : [...remarks, strike.remark];
}

/** `phbs`: how many the simulated chip has. */
export function draftScenario(event: FaultEvent, phbs: number): ScenarioDraft {
  const strike: Strike | NoStrike = strikeOf(event);
  if ('why' in strike) throw new NoScenarioError(`${strike.why}. ${strike.remedy}`);
  const place = placeOf(event, phbs);
  const driver = driverOf(event);
  return {
    machine: machineLines(event, place, driver),
    faults: faultLines(event, strike, place, driver),
    actions: actionLines(strike, place),
    hopes: hopesOf(event, strike, place),
    remarks: remarksOf(event, strike, place),
  };
}
