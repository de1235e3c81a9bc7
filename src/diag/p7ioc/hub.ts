/**
 * Diag data of the P7IOC hub: its binary form and the kernel's text of it.
 * Facts: ioda1-p7ioc 9.1, 9.3; eeh-linux 13.6. Source: linux powernv/eeh-powernv.c: pnv_eeh_get_and_dump_hub_diag.
 */
import { consecutive, type DiagField } from '../layout.js';

export const HUB_DIAG_BYTES = 128;

export const HUB_DIAG_TYPES = { RGC: 1, BI: 2, CI: 3, MISC: 4, I2C: 5 } as const;
export type HubDiagType = keyof typeof HUB_DIAG_TYPES;

const COMMON = [
  ...['gemXfir', 'gemRfir', 'gemRirqfir', 'gemMask', 'gemRwof'],
  ...['lemFir', 'lemErrMask', 'lemAction0', 'lemAction1', 'lemWof'],
] as const;
const FIRST_COMMON = 8;
const UNION = 88;

/** What follows the common part, and the byte behind it that tells instances apart. */
const SPECIFIC: Readonly<Record<HubDiagType, { readonly words: readonly string[]; readonly instanceAt?: number }>> = {
  RGC: { words: ['rgcStatus', 'rgcLdcp'] },
  BI: { words: ['biLdcp0', 'biLdcp1', 'biLdcp2', 'biFenceStatus'], instanceAt: 120 },
  CI: { words: ['ciPortStatus', 'ciPortLdcp'], instanceAt: 104 },
  MISC: { words: [] },
  I2C: { words: [] },
};

export interface HubDiagData {
  readonly type: HubDiagType;
  /** Doublewords by their name; absent ones are 0. */
  readonly words: Readonly<Record<string, bigint>>;
  /** BI: 0 upbound, 1 downbound. CI: the port. */
  readonly instance?: number;
}

const fieldsOf = (type: HubDiagType): DiagField<string>[] => [
  ...consecutive(FIRST_COMMON, 8, COMMON),
  ...consecutive(UNION, 8, SPECIFIC[type].words),
];

/** A run of bytes of the structure. */
export interface HubDiagPart {
  readonly at: number;
  readonly bytes: number;
}

/** What firmware stores of the structure; the caller's buffer keeps the rest. */
export function hubDiagParts(type: HubDiagType): readonly HubDiagPart[] {
  const { words, instanceAt } = SPECIFIC[type];
  return [
    { at: 0, bytes: 2 },
    { at: FIRST_COMMON, bytes: 8 * (COMMON.length + words.length) },
    ...(instanceAt === undefined ? [] : [{ at: instanceAt, bytes: 1 }]),
  ];
}

export function encodeHubDiagData({ type, words, instance = 0 }: HubDiagData): Uint8Array {
  const bytes = new Uint8Array(HUB_DIAG_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, HUB_DIAG_TYPES[type]);
  for (const { name, offset } of fieldsOf(type)) view.setBigUint64(offset, words[name] ?? 0n);
  const { instanceAt } = SPECIFIC[type];
  if (instanceAt !== undefined) view.setUint8(instanceAt, instance);
  return bytes;
}

/** The type word of a buffer, whether or not it is one anybody knows. */
export function hubDiagTypeNumber(bytes: Uint8Array): number {
  return bytes.length < 2 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint16(0);
}

/** Undefined: no such type, or a buffer that is too short. */
export function decodeHubDiagData(bytes: Uint8Array): HubDiagData | undefined {
  const number = hubDiagTypeNumber(bytes);
  const type = (Object.keys(HUB_DIAG_TYPES) as HubDiagType[]).find((each) => HUB_DIAG_TYPES[each] === number);
  if (type === undefined || bytes.length < HUB_DIAG_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const words = Object.fromEntries(fieldsOf(type).map(({ name, offset }) => [name, view.getBigUint64(offset)]));
  const { instanceAt } = SPECIFIC[type];
  return { type, words, ...(instanceAt === undefined ? {} : { instance: view.getUint8(instanceAt) }) };
}

/** The kernel's records; the header ends in an empty line. */
export function formatHubDiagData(data: HubDiagData): string[] {
  const { type } = data;
  const lines = [`P7IOC diag-data for ${titleOf(data)}\n`];
  const add = (label: string, names: readonly string[]): void => {
    const values = names.map((name) => data.words[name] ?? 0n);
    if (values.every((value) => value === 0n)) return;
    const text = values.map((value) => value.toString(16).padStart(16, '0')).join(' ');
    lines.push(`  ${`${label}:`.padEnd(4)} ${text}`);
  };
  add('GEM', COMMON.slice(0, 5));
  add('LEM', COMMON.slice(5));
  add(type, SPECIFIC[type].words);
  return lines;
}

function titleOf({ type, instance = 0 }: HubDiagData): string {
  if (type === 'BI') return `BI ${instance === 0 ? 'Upbound' : 'Downbound'}`;
  return type === 'CI' ? `CI Port ${instance}` : type;
}
