/**
 * The recorded initialisation of PHB 0 as it would be for another PHB of the hub: other windows for its registers, other
 * bits where the hub counts PHBs, and other addresses where a register holds one. Facts: ioda1-p7ioc 1.3, 1.5, 3.6.
 */
import type { Phase, Step } from './accesses.js';

const AIB = 0x8_0000;
const WINDOW = 0x1_0000;
const CCRR = 0x3e_1c00;
const CI_PORT_OF_PHB0 = 0x3d_2000;
const CI_PORT_BYTES = 0x1000;
const LINK_ERRORS_OPENED = 0x1249_a114_7f50_0f2cn;

/** What a register of a PHB holds more from one PHB to the next. */
const STEP_OF_VALUE: Readonly<Record<number, bigint>> = {
  256: (0x40n << 48n) | (0x40n << 32n),
  368: 0x80_0000n,
  400: 1n << 32n,
};

type Access = Extract<Step, { kind: 'read' | 'write' }>;
const isAccess = (step: Step): step is Access => step.kind === 'read' || step.kind === 'write';
const isOfPhb0 = ({ offset }: Access): boolean => offset < WINDOW || (offset >= AIB && offset < AIB + WINDOW);

/** Bits of a port and of a PHB, one PHB further on: ports have two bits each. */
function resetBits(value: bigint, phb: number): bigint {
  const ports = value >> 32n;
  const phbs = value & 0xffff_ffffn;
  return ((ports >> BigInt(2 * phb)) << 32n) | (phbs >> BigInt(phb));
}

function moved(access: Access, phb: number): Access {
  const { offset, value } = access;
  if (offset === CCRR) return { ...access, value: resetBits(value, phb) };
  if (offset >= CI_PORT_OF_PHB0 && offset < CI_PORT_OF_PHB0 + CI_PORT_BYTES)
    return { ...access, offset: offset + CI_PORT_BYTES * phb };
  if (!isOfPhb0(access)) return access;
  const step = STEP_OF_VALUE[offset % WINDOW] ?? 0n;
  return { ...access, offset: offset + WINDOW * phb, value: value + (access.size === 8 ? step * BigInt(phb) : 0n) };
}

/**
 * What the match value of each of a PHB's rules has more from one PHB to the next: LSIs, MSIs, registers, IO, M32. Not M64:
 * the recorded machine, which has but one PHB, put the hub's registers where the M64 window of PHB 2 would be.
 */
const RULE_STEPS = [0x400_0000n, 0x400_0000n, 0x1n, 0x80n, 0x1_0000n] as const;
const MATCH = 0x3d_0400;
const MASK = 0x3d_0408;
const RULE_BYTES = 16;
/** The recorded hub has nine rules before the catch-all. */
const FIRST_FREE_RULE = 9;
const AIB_BASE = 0x3e_1080;

/** The hub's rules and base address for another PHB, made of those it has for PHB 0. */
export function routingOf(phb: number, [probe]: readonly Phase[]): Phase[] {
  const recorded = (offset: number): bigint =>
    probe!.steps.filter(isAccess).findLast((step) => step.kind === 'write' && step.offset === offset)?.value ?? 0n;
  const write = (offset: number, value: bigint): Step => ({ kind: 'write', size: 8, offset, value });
  const rules = RULE_STEPS.flatMap((step, rule) => {
    const at = RULE_BYTES * (FIRST_FREE_RULE + RULE_STEPS.length * (phb - 1) + rule);
    const match = recorded(MATCH + RULE_BYTES * rule);
    const ports = (match >> 48n) >> BigInt(phb);
    return [
      write(MASK + at, recorded(MASK + RULE_BYTES * rule)),
      write(MATCH + at, (ports << 48n) | ((match & 0xffff_ffff_ffffn) + step * BigInt(phb))),
    ];
  });
  const base = write(AIB_BASE + 8 * phb, recorded(AIB_BASE) + BigInt(WINDOW * phb));
  return [{ name: `routing of PHB ${phb}`, steps: [base, ...rules] }];
}

/** From the first access to the PHB in initialisation to the link that is up, for PHB `phb`. */
export function initialisationOf(phb: number, [probe, slots]: readonly Phase[]): Phase[] {
  const steps = [...probe!.steps, ...slots!.steps];
  const touches = (step: Step): boolean => isAccess(step) && isOfPhb0(step) && step.offset >= AIB;
  const first = steps.findIndex(touches);
  const last = steps.findLastIndex(
    (step) => isAccess(step) && step.kind === 'write' && step.value === LINK_ERRORS_OPENED,
  );
  const own = steps.slice(first, last + 1).filter((step) => {
    if (!isAccess(step)) return true;
    const isPort = step.offset >= CI_PORT_OF_PHB0 && step.offset < CI_PORT_OF_PHB0 + CI_PORT_BYTES;
    return isOfPhb0(step) || step.offset === CCRR || isPort;
  });
  return [{ name: `PHB ${phb}`, steps: own.map((step) => (isAccess(step) ? moved(step, phb) : step)) }];
}

/** The initialisation of the hub without what it does to PHB 0. */
export function hubAlone([probe]: readonly Phase[]): Phase[] {
  const isOthers = (step: Step): boolean => !isAccess(step) || !(isOfPhb0(step) || step.offset === CCRR);
  return [{ name: 'hub', steps: probe!.steps.filter(isOthers) }];
}
