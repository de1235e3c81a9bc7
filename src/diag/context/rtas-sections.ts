/**
 * What stands behind the fixed part of an RTAS event record: flags of the extended part, subsystem, machine, and the
 * interpretation that a host may put into user data. Facts: vfio-eeh-rtas 5.8.4, 5.9.
 */
import type { CauseType } from '../fault/cause-type.js';

/** A host's own reading of the freeze, with the PEST words it was read from. */
export interface EehInterpretation {
  readonly cause: CauseType;
  /** How the host found the bridge. */
  readonly severity: 'pe-frozen' | 'phb-fenced' | 'phb-dead';
  readonly phb: number;
  readonly pe: number;
  readonly address: bigint | undefined;
  readonly requesterId: number | undefined;
  readonly injected: boolean;
  readonly pestA: bigint;
  readonly pestB: bigint;
}

const EXTENDED_PRESENT = 0x04;
const EXTENDED_AT = 8;
const EXTENDED_FLAGS: readonly (readonly [mask: number, text: string])[] = [
  [0x40, 'unrecoverable'],
  [0x20, 'recoverable'],
  [0x10, 'bypassed'],
  [0x08, 'predictive'],
];

/** "unrecoverable", "recoverable": records of every version have these flags. */
export function extendedFlagsOf(bytes: Uint8Array): string | undefined {
  const flags = bytes[EXTENDED_AT] ?? 0;
  if (((bytes[1] ?? 0) & EXTENDED_PRESENT) === 0 || (flags & 0x80) === 0) return undefined;
  return EXTENDED_FLAGS.find(([mask]) => (flags & mask) !== 0)?.[1];
}

const SUBSYSTEMS: readonly (readonly [first: number, last: number, text: string])[] = [
  [0x10, 0x1f, 'processor'],
  [0x20, 0x2f, 'memory'],
  [0x30, 0x3f, 'I/O hub, bridge or bus'],
  [0x40, 0x4f, 'I/O adapter'],
  [0x80, 0x8f, 'firmware'],
];

/** From the user header section. */
export function subsystemOf(userHeader: Uint8Array): string | undefined {
  const code = userHeader[8];
  return SUBSYSTEMS.find(([first, last]) => code !== undefined && code >= first && code <= last)?.[2];
}

const MAGIC = 0x45454849;
const HEAD = 8;
const INTERPRETATION_BYTES = 64;
const FLAGS = { ADDRESS: 1, REQUESTER: 2, INJECTED: 16 } as const;
const CAUSES: Readonly<Record<number, CauseType>> = {
  1: 'dma-iommu-fault',
  2: 'dma-permission',
  3: 'mmio-error',
  4: 'link-loss',
  5: 'pcie-ue',
  6: 'config-error',
  7: 'pcie-ce',
  10: 'dma-not-capable',
  11: 'msi-error',
  12: 'dma-timeout',
};
const SEVERITIES = { 3: 'phb-fenced', 4: 'phb-dead' } as const;

/** From a user data section; undefined if it holds something else. */
export function interpretationOf(userData: Uint8Array): EehInterpretation | undefined {
  if (userData.length < HEAD + INTERPRETATION_BYTES) return undefined;
  const view = new DataView(userData.buffer, userData.byteOffset + HEAD, INTERPRETATION_BYTES);
  if (view.getUint32(0) !== MAGIC || view.getUint16(4) !== 1) return undefined;
  const flags = view.getUint32(12);
  const injected = (flags & FLAGS.INJECTED) !== 0;
  return {
    cause: injected ? 'operator-injected' : (CAUSES[view.getUint16(8)] ?? 'unknown'),
    severity: SEVERITIES[view.getUint32(36) as keyof typeof SEVERITIES] ?? 'pe-frozen',
    phb: view.getUint32(16),
    pe: view.getUint32(20),
    address: (flags & FLAGS.ADDRESS) === 0 ? undefined : view.getBigUint64(24),
    requesterId: (flags & FLAGS.REQUESTER) === 0 ? undefined : view.getUint16(32),
    injected,
    pestA: view.getBigUint64(40),
    pestB: view.getBigUint64(48),
  };
}
