/** What may be set about a fault: whole numbers, durations, and choices, each with its limits and its default. */
import type { TimeNs } from '../sim/time.js';

export interface NumberParameter {
  readonly about: string;
  readonly least: number;
  readonly most: number;
  readonly byDefault: number;
}

export interface DurationParameter {
  readonly about: string;
  readonly leastNs: TimeNs;
  readonly mostNs: TimeNs;
  readonly byDefaultNs: TimeNs;
}

export interface ChoiceParameter<T extends string = string> {
  readonly about: string;
  readonly choices: readonly T[];
  readonly byDefault: T;
}

/** A PCI address of 64 bits, as `0x...`; without it chance draws one that fits. */
export interface AddressParameter {
  readonly about: string;
  readonly drawn: string;
}

export type FaultParameter = NumberParameter | DurationParameter | ChoiceParameter | AddressParameter;
/** Durations are ns; addresses are text. */
export type ParameterValue = number | string;

export function number(about: string, range: Omit<NumberParameter, 'about'>): NumberParameter {
  return { about, ...range };
}

export function duration(about: string, range: Omit<DurationParameter, 'about'>): DurationParameter {
  return { about, ...range };
}

/** The first choice is the default. */
export function oneOf<T extends string>(about: string, choices: readonly T[]): ChoiceParameter<T> {
  return { about, choices, byDefault: choices[0]! };
}

export const DRAWN = 'drawn';
export const ADDRESS: AddressParameter = {
  about: 'where it reaches to, whatever is mapped there',
  drawn: 'one that fits',
};
export const BYTES = number('length of the access', { least: 1, most: 4096, byDefault: 64 });
export const COUNT = number('how many', { least: 1, most: 1000, byDefault: 1 });
export const DIRECTION = oneOf('up: what the card sends; down: what is sent to it', ['up', 'down']);
export const PACKET = oneOf('which of its packets', ['write', 'read', 'completion', 'message']);
export const REQUESTS = oneOf('to its registers, or to its configuration space', ['memory', 'configuration']);

export function defaultOf(parameter: FaultParameter): ParameterValue {
  if ('drawn' in parameter) return DRAWN;
  return 'byDefaultNs' in parameter ? parameter.byDefaultNs : parameter.byDefault;
}

/** `1 to 1000, default 1` */
export function rangeOf(parameter: FaultParameter): string {
  if ('drawn' in parameter) return `\`0x...\`, default ${parameter.drawn}`;
  if ('choices' in parameter) return `${parameter.choices.join(', ')}; default ${parameter.byDefault}`;
  if ('least' in parameter) return `${parameter.least} to ${parameter.most}, default ${parameter.byDefault}`;
  const [least, most, byDefault] = [parameter.leastNs, parameter.mostNs, parameter.byDefaultNs].map(inLargestUnit);
  return `${least} to ${most}, default ${byDefault}`;
}

const ADDRESS_TEXT = /^0x[0-9a-f]{1,16}$/i;

/** Why a value does not do. */
export function complaint(parameter: FaultParameter, value: ParameterValue): string | undefined {
  if ('drawn' in parameter) {
    return value === DRAWN || ADDRESS_TEXT.test(String(value)) ? undefined : 'give an address such as 0x1000';
  }
  if ('choices' in parameter) {
    return parameter.choices.some((choice) => choice === value) ? undefined : `give ${parameter.choices.join(' or ')}`;
  }
  const whole = 'least' in parameter;
  const [least, most] = whole ? [parameter.least, parameter.most] : [parameter.leastNs, parameter.mostNs];
  const fits = typeof value === 'number' && value >= least && value <= most && (!whole || Number.isInteger(value));
  return fits ? undefined : `give a ${whole ? 'whole number' : 'time in ns'} from ${least} to ${most}`;
}

const UNITS: readonly (readonly [number, string])[] = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'us'],
];

function inLargestUnit(ns: TimeNs): string {
  const [size, unit] = UNITS.find(([size]) => ns >= size) ?? [1, 'ns'];
  return `${ns / size} ${unit}`;
}
