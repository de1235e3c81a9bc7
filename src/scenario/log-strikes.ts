/**
 * From the cause that a log tells to what has to strike the simulated machine, so that its bridge ends in the same state.
 * Facts: ioda2-phb3 7.6; kinds are those of faults/catalogue.
 */
import type { EventClass } from '../diag/events.js';
import type { CauseType, FaultEvent } from '../diag/fault/fault.js';
import type { PeState } from '../diag/pe-roles.js';
import { hasCause, isConfigCycle } from '../diag/pest.js';
import type { FaultKind } from '../faults/catalogue.js';
import { NEST_ERRORS, type NestError } from '../faults/catalogue.js';
import { NFIR_BITS } from '../ioda2/error-bits/nfir.js';
import { P7IOC_FATAL } from '../machine/p7ioc-faults.js';

export interface Strike {
  readonly kind: FaultKind;
  readonly with?: Readonly<Record<string, string | number>>;
  /** A configuration request has to come, or nothing goes wrong. */
  readonly needsConfigRead?: boolean;
  /** The bridge freezes nothing by itself. */
  readonly informative?: boolean;
  /** How it differs from what the log tells. */
  readonly remark?: string;
}

/** Why there is nothing that could strike, and what to do instead. */
export interface NoStrike {
  readonly why: string;
  readonly remedy: string;
}

export type StrikeOrNot = Strike | NoStrike;

const MSI64_BASE = 1n << 60n;
const MSI_STRIDE = 16n;
const LAST_VECTOR = 2039n;

function culpritOf(event: FaultEvent): PeState | undefined {
  return event.primary?.reading?.culprit;
}

function isConfig(event: FaultEvent): boolean {
  const entry = culpritOf(event)?.entry;
  if (entry !== undefined) return isConfigCycle(entry);
  return event.cause.type === 'config-error';
}

/** A request that the card answers wrongly: a load of its driver, or a configuration cycle. */
function wrongAnswer(kind: FaultKind): (event: FaultEvent) => Strike {
  return (event) => {
    if (!isConfig(event)) return { kind };
    const entry = culpritOf(event)?.entry;
    const wrote = entry !== undefined && hasCause(entry, 'CONFIG_WRITE');
    return {
      kind,
      with: { requests: 'configuration' },
      needsConfigRead: true,
      ...(wrote
        ? { remark: 'The log tells of a configuration write; here the operator reads configuration space.' }
        : {}),
    };
  };
}

function dma(read: FaultKind, write: FaultKind): (event: FaultEvent) => Strike {
  return (event) => {
    const { direction } = event.cause;
    if (direction === 'read') return { kind: read, ...sameAddress(event) };
    const remark = 'The log does not tell whether it was a read or a write; here it is a write.';
    return { kind: write, ...sameAddress(event), ...(direction === undefined ? { remark } : {}) };
  };
}

/** On a chip of the same kind the windows are the same, so the address is as wrong as it was in the log. */
function sameAddress({ chip, cause: { address } }: FaultEvent): Pick<Strike, 'with'> {
  const isSimulated = chip === 'phb3' || chip === 'p7ioc';
  return isSimulated && address !== undefined ? { with: { address: `0x${address.toString(16)}` } } : {};
}

function outsideWindow(event: FaultEvent): Strike {
  const remark = event.cause.direction === 'read' ? 'The log tells of a read; here it is a write.' : undefined;
  return { kind: 'dma-outside-window', ...sameAddress(event), ...(remark === undefined ? {} : { remark }) };
}

function foreignMsi({ cause }: FaultEvent): Strike {
  const vector = ((cause.address ?? 0n) - MSI64_BASE) / MSI_STRIDE;
  return vector > 0n && vector <= LAST_VECTOR
    ? { kind: 'foreign-msi', with: { vector: Number(vector) } }
    : { kind: 'foreign-msi' };
}

function poisoned(event: FaultEvent): Strike {
  const type = culpritOf(event)?.entry.transactionType;
  return { kind: type === 'mmio-load' || type === 'dma-read-response' ? 'poisoned-completion' : 'poisoned-write' };
}

/** The bits of the nest FIR that the dump holds, as one of the errors that can be set there. */
function nestError(event: FaultEvent): Strike {
  const words = event.primary?.dump.words;
  const fir = (words?.get('nFir')?.value ?? 0n) | (words?.get('nFirWOF')?.value ?? 0n);
  const names = NFIR_BITS.filter(({ bit }) => ((fir >> BigInt(63 - bit)) & 1n) === 1n).map(({ name }) => name);
  const kinds = Object.keys(NEST_ERRORS) as NestError[];
  const found = kinds.find((kind) => NEST_ERRORS[kind].every((name) => names.includes(name)));
  if (found !== undefined && event.chip === 'phb3') return { kind: 'fence', with: { error: found } };
  return {
    ...FENCE,
    remark: 'No error of the catalogue sets these bits of the nest FIR; here another one of it fences the bridge.',
  };
}

/** Of the class that fences, also where firmware looks before the kernel does. */
const FENCE: Strike = { kind: 'fence', with: { error: 'bus-data' } };

/** Firmware finds the end of a bridge when it is asked about a frozen PE; at a fence it resets the bridge and asks no more. */
const DEATH: Strike = {
  kind: 'dma-write-unmapped',
  remark: 'The log does not tell what ended the bridge; here its power bus queue breaks down while a card is frozen.',
};

/** What the diag data call the traps in which a fatal error of a P7IOC bridge shows. */
const FIRST_ERROR: Readonly<Record<string, string>> = { PHB: 'phbFirstErrorStatus', OUT: 'mmioFirstErrorStatus' };

/** The fatal error of the catalogue that came first in a bridge of a P7IOC, if it was one of those. */
function fatalError({ chip, primary }: FaultEvent): NestError | undefined {
  if (chip !== 'p7ioc') return undefined;
  const kinds = Object.keys(P7IOC_FATAL) as NestError[];
  return kinds.find((kind) => {
    const { trap, bit } = P7IOC_FATAL[kind];
    const first = primary?.dump.words.get(FIRST_ERROR[trap] ?? '')?.value ?? 0n;
    return ((first >> BigInt(63 - bit)) & 1n) === 1n;
  });
}

const linkFault = ({ recovery }: FaultEvent): Strike => ({
  kind: recovery?.outcome === 'not-recovered' ? 'link-lost' : 'link-bounce',
});
const only = (strike: Strike) => () => strike;

const BY_EVENT: Partial<Readonly<Record<EventClass | 'dump-cut', (event: FaultEvent) => Strike>>> = {
  'dma-unmapped': dma('dma-read-unmapped', 'dma-write-unmapped'),
  'dma-refused': dma('dma-read-unmapped', 'dma-write-unmapped'),
  'dma-permission': dma('dma-read-writeonly', 'dma-write-readonly'),
  'dma-out-of-window': outsideWindow,
  'dma-window': outsideWindow,
  'dma-no-window': (event) =>
    culpritOf(event)?.first === 0xff
      ? { kind: 'foreign-requester', ...sameAddress(event) }
      : { ...outsideWindow(event), remark: 'Here the window exists, and the address is behind its end.' },
  'rid-without-pe': only({ kind: 'foreign-requester' }),
  'msi-wrong-pe': foreignMsi,
  'msi-out-of-range': foreignMsi,
  poisoned,
  'completion-ur': wrongAnswer('unsupported-request'),
  'completion-ca': wrongAnswer('completer-abort'),
  'completion-error': wrongAnswer('unsupported-request'),
  'completion-timeout': wrongAnswer('completion-timeout'),
  'completion-lost': wrongAnswer('completion-timeout'),
  'config-write-refused': wrongAnswer('unsupported-request'),
  'config-write-timeout': wrongAnswer('completion-timeout'),
  'message-fatal': only({ kind: 'err-fatal' }),
  'message-nonfatal': only({ kind: 'err-nonfatal' }),
  'message-correctable': only({ kind: 'err-corr', informative: true }),
  corrected: only({ kind: 'err-corr', informative: true }),
  'link-noise': only({ kind: 'lcrc-error', informative: true }),
  'malformed-tlp': only({ kind: 'malformed-tlp' }),
  'link-lost': linkFault,
  'link-down': linkFault,
  'pcie-core': linkFault,
  'forced-fence': nestError,
  'nest-fence': nestError,
  'nest-hardware': nestError,
  capp: nestError,
};

/** For logs without a dump that names more. */
const BY_TYPE: Partial<Readonly<Record<CauseType, (event: FaultEvent) => Strike>>> = {
  'dma-iommu-fault': dma('dma-read-unmapped', 'dma-write-unmapped'),
  'dma-permission': dma('dma-read-writeonly', 'dma-write-readonly'),
  'mmio-error': wrongAnswer('unsupported-request'),
  'config-error': wrongAnswer('unsupported-request'),
  'unsupported-request': wrongAnswer('unsupported-request'),
  'completer-abort': wrongAnswer('completer-abort'),
  'completion-timeout': wrongAnswer('completion-timeout'),
  'msi-error': foreignMsi,
  'link-loss': linkFault,
  'pcie-ue': only({ kind: 'err-nonfatal' }),
  'pcie-ce': only({ kind: 'err-corr', informative: true }),
};

/** Firmware calls a bridge of a P7IOC dead only if it never came up. */
const P7IOC_BRIDGE_ENDS: NoStrike = {
  why: 'no fault of the catalogue ends one bridge of a P7IOC: what strikes a bridge fences it, what ends the hub ends all six',
  remedy: 'scenarios/p7ioc-fenced-bridge.yaml and scenarios/p7ioc-dead-hub.yaml do either.',
};

/** What strikes first; a fence is added where the log tells of one. */
export function strikeOf(event: FaultEvent): StrikeOrNot {
  if (event.chip === 'p7ioc' && event.severity === 'phb-dead') return P7IOC_BRIDGE_ENDS;
  const dump = event.primary;
  const byEvent = dump === undefined || event.title === 'link lost' ? undefined : BY_EVENT[dump.event];
  const strike = (byEvent ?? BY_TYPE[event.cause.type])?.(event);
  if (strike !== undefined) return strike;
  if (event.severity === 'phb-fenced' || event.severity === 'phb-dead') {
    const error = fatalError(event);
    if (error !== undefined) return { kind: 'fence', with: { error } };
    if (event.severity === 'phb-dead') return DEATH;
    const remark =
      event.cause.type === 'unknown'
        ? 'The log does not tell what fenced the bridge; here it is a fatal error of another kind.'
        : `No fault of the catalogue leads to "${event.title}"; here a fatal error of another kind fences the bridge.`;
    return { ...FENCE, remark };
  }
  if (event.cause.type === 'unknown') {
    return {
      why: 'the log does not tell what went wrong, so there is nothing to let strike',
      remedy: 'Capture the register dump too (phbsim explain says where), or write a scenario: docs/scenarios.md.',
    };
  }
  return {
    why: `no fault of the catalogue leads to "${event.title}"`,
    remedy: 'phbsim run --faults lists what can strike; err_injct_inboundA and its like set single bits.',
  };
}

export function isFence(strike: Strike): boolean {
  return strike.kind === 'fence';
}

export { FENCE };
