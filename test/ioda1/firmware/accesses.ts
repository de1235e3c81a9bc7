/** The recorded accesses of the firmware's P7IOC driver as one stream a phase: register reads and writes of the hub, and waits. */
import { readFileSync } from 'node:fs';
import type { AccessSize } from '../../../src/hw/host-port.js';
import { aibOffset, asbOffset } from '../../../src/ioda1/address-map.js';
import { type FirmwareAccess, type FirmwarePhase, isCall } from '../../../src/replay/firmware-phases.js';
import type { RegisterPlace } from '../../../src/replay/firmware-windows.js';
import { readFirmwareCalls } from '../../../src/replay/read-firmware-calls.js';

export type Step =
  | { readonly kind: 'read' | 'write'; readonly size: AccessSize; readonly offset: number; readonly value: bigint }
  | { readonly kind: 'wait'; readonly ns: number };

export interface Phase {
  readonly name: string;
  readonly steps: readonly Step[];
}

const FILE = 'scenarios/recordings/skiboot-calls-p7ioc.calls.gz';
const NS_PER_US = 1000;

export const readRecording = () => readFirmwareCalls(FILE, readFileSync(FILE));

/** Byte of the hub's registers. */
export function hubOffset({ window, register }: RegisterPlace): number {
  if (window === 'hub') return register;
  const phb = Number(window.slice(-1));
  return (window.startsWith('aib') ? aibOffset(phb) : asbOffset(phb)) + register;
}

const wait = (us: number): Step[] => (us === 0 ? [] : [{ kind: 'wait', ns: us * NS_PER_US }]);

const stepsOf = (access: FirmwareAccess): Step[] => [
  ...wait(access.afterUs),
  { kind: access.direction, size: access.size, offset: hubOffset(access), value: access.value },
];

function phaseOf({ name, boot, steps }: FirmwarePhase): Phase {
  const inCalls = steps.flatMap((step) => {
    if (isCall(step)) return step.accesses.flatMap(stepsOf);
    return step.kind === 'sleep' ? wait(step.us) : [];
  });
  return { name, steps: [...boot.flatMap(stepsOf), ...inCalls] };
}

/** Registers that the recorded firmware touches, in doublewords: of the hub, and of a PHB by either window. */
export function touchedRegisters(): Readonly<Record<'hub' | 'phb', readonly number[]>> {
  const accesses = readRecording().phases.flatMap(({ boot, steps }) => [
    ...boot,
    ...steps.filter(isCall).flatMap((call) => call.accesses),
  ]);
  const offsets = (side: readonly FirmwareAccess[]): number[] => [
    ...new Set(side.map(({ register }) => register - (register % 8))),
  ];
  const isHub = ({ window }: RegisterPlace): boolean => window === 'hub';
  return { hub: offsets(accesses.filter(isHub)), phb: offsets(accesses.filter((access) => !isHub(access))) };
}

export const readPhases = (): Phase[] => readRecording().phases.map(phaseOf);
