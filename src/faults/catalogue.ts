/**
 * Every fault by name: what misbehaves, what may be set about it, and what the bridge should make of it.
 * What the bridges do with each is facts ioda2-phb3 7.6 and ioda1-p7ioc 7.6; the events are those of a PHB3, and of a
 * P7IOC where they differ.
 */
import type { ErrorEventName as Ioda1EventName } from '../ioda1/error-bits/events.js';
import { HUB_UNIT_NAMES } from '../ioda1/error-bits/units.js';
import type { ErrorEventName } from '../ioda2/error-bits/events.js';
import type { CorrectableError, UncorrectableError } from '../pcie/aer-capability.js';
import { HUB_ERRORS, hubUnitKey, NEST_ERRORS, type NestError } from './bridge-errors.js';
import {
  ADDRESS,
  BYTES,
  COUNT,
  DIRECTION,
  duration,
  type FaultParameter,
  number,
  oneOf,
  PACKET,
  REQUESTS,
} from './parameters.js';
import type { TargetKind } from './target.js';

export { NEST_ERRORS, type NestError } from './bridge-errors.js';

/** Chips of bridges that machines have. */
export type FaultChip = 'phb3' | 'p7ioc';

export interface FaultDeclaration {
  readonly about: string;
  readonly hits: readonly TargetKind[];
  readonly parameters: Readonly<Record<string, FaultParameter>>;
  /** What the hardware should do with it. */
  readonly outcome: string;
  /** Chips whose machines can have it; all, if none is named. */
  readonly chips?: readonly FaultChip[];
  /** Error events of the bridge it leads to by itself: the first one, or another where there are several ways. */
  readonly events?: readonly ErrorEventName[];
  /** Those of a P7IOC, where it has others. */
  readonly p7iocEvents?: readonly Ioda1EventName[];
  /** Error status it leaves in the AER capabilities of the card and of the port above. */
  readonly aer?: readonly (UncorrectableError | CorrectableError)[];
}

const CARD = ['card'] as const;

/** Errors a function can find by itself, and the AER error each is. */
export const FUNCTION_ERRORS = {
  internal: 'INTERNAL',
  'completion-timeout': 'COMPLETION_TIMEOUT',
  'completer-abort': 'COMPLETER_ABORT',
  'unexpected-completion': 'UNEXPECTED_COMPLETION',
} as const satisfies Record<string, UncorrectableError>;
export type FunctionError = keyof typeof FUNCTION_ERRORS;

export const FAULTS = {
  'dma-write-unmapped': {
    about: 'The card writes to a page of its window that its driver never mapped.',
    hits: CARD,
    parameters: { bytes: BYTES, address: ADDRESS },
    outcome: 'The TCE grants nothing: the write is dropped and the PE freezes.',
    events: ['tce-page-fault'],
  },
  'dma-read-unmapped': {
    about: 'The card reads from a page of its window that its driver never mapped.',
    hits: CARD,
    parameters: { bytes: BYTES, address: ADDRESS },
    outcome: 'The TCE grants nothing: the read is answered with Completer Abort and the PE freezes.',
    events: ['tce-page-fault'],
  },
  'dma-write-readonly': {
    about: 'The card writes to a page that its driver mapped for reading only.',
    hits: CARD,
    parameters: { bytes: BYTES, address: ADDRESS },
    outcome: 'The TCE does not grant writing: the write is dropped and the PE freezes.',
    events: ['tce-access-fault'],
  },
  'dma-read-writeonly': {
    about: 'The card reads from a page that its driver mapped for writing only, such as a receive buffer.',
    hits: CARD,
    parameters: { bytes: BYTES, address: ADDRESS },
    outcome: 'The TCE does not grant reading: the read is answered with Completer Abort and the PE freezes.',
    events: ['tce-access-fault'],
  },
  'dma-outside-window': {
    about: 'The card writes to an address behind the end of its window.',
    hits: CARD,
    parameters: { bytes: BYTES, address: ADDRESS },
    outcome: 'The TVE does not cover the address: the write is dropped and the PE freezes.',
    events: ['tve-range'],
  },
  'poisoned-write': {
    about: 'The next DMA writes of the card carry the poison bit.',
    hits: CARD,
    parameters: { count: COUNT },
    outcome: 'The bridge drops the write and freezes the PE.',
    events: ['poisoned-write'],
    aer: ['ADVISORY_NONFATAL'],
  },
  'foreign-msi': {
    about: 'The card raises a message interrupt that belongs to another PE.',
    hits: CARD,
    parameters: { vector: { about: 'number of the vector', least: 0, most: 2039, byDefault: 0 } },
    outcome: 'The vector names another PE: no interrupt, and the PE freezes.',
    events: ['msi-pe-mismatch'],
  },
  'completer-abort': {
    about: 'The card answers the next requests with Completer Abort.',
    hits: CARD,
    parameters: { requests: REQUESTS, count: COUNT },
    outcome: 'The load returns all ones and the PE freezes.',
    events: ['mmio-load-ca'],
    aer: ['ADVISORY_NONFATAL'],
  },
  'unsupported-request': {
    about: 'The card answers the next requests with Unsupported Request.',
    hits: CARD,
    parameters: { requests: REQUESTS, count: COUNT },
    outcome: 'The load returns all ones and the PE freezes.',
    events: ['mmio-load-ur'],
    aer: ['ADVISORY_NONFATAL'],
  },
  'completion-timeout': {
    about: 'The card does not answer the next requests.',
    hits: CARD,
    parameters: { requests: REQUESTS, count: COUNT },
    outcome: 'The load runs into the timeout of the bridge, returns all ones, and the PE freezes.',
    events: ['mmio-load-timeout'],
  },
  'err-fatal': {
    about: 'An ERR_FATAL message, without a cause.',
    hits: ['card', 'switch'],
    parameters: {},
    outcome: 'The PE of the sender freezes, and every PE its PELT-V names.',
    events: ['err-fatal'],
  },
  'err-nonfatal': {
    about: 'An ERR_NONFATAL message, without a cause.',
    hits: ['card', 'switch'],
    parameters: {},
    outcome: 'The PE of the sender freezes, and every PE its PELT-V names.',
    events: ['err-nonfatal'],
  },
  'err-corr': {
    about: 'An ERR_COR message, without a cause.',
    hits: ['card', 'switch'],
    parameters: {},
    outcome: 'An informational interrupt; nothing freezes. Firmware clears nothing, so that further ones stay silent.',
    events: ['err-corr'],
  },
  'io-request': {
    about: 'The card sends a write to I/O space upward, where there is none.',
    hits: CARD,
    parameters: {},
    outcome: 'The bridge has no such request and refuses it: an informational error, and nothing freezes.',
    events: ['request-unsupported'],
  },
  'foreign-requester': {
    about: 'The card writes to memory in the name of a function that does not exist.',
    hits: CARD,
    parameters: { bytes: BYTES, address: ADDRESS },
    outcome: 'The write belongs to the PE that firmware keeps for strangers: that one freezes, and no card with it.',
    events: ['tve-invalid'],
    p7iocEvents: ['tve-requester'],
  },
  'link-bounce': {
    about: 'The link drops by itself and trains again; the card loses its state.',
    hits: CARD,
    parameters: {},
    outcome: 'Surprise down at the port above: an error message, or the link event of the bridge.',
    aer: ['SURPRISE_DOWN'],
  },
  'link-lost': {
    about: 'The card is pulled, or dies: the link drops and stays down.',
    hits: CARD,
    parameters: {},
    outcome: 'Surprise down at the port above; no reset brings the card back.',
    aer: ['SURPRISE_DOWN'],
  },
  fence: {
    about: 'A fatal error of the bridge, set through a register that a service processor reaches.',
    hits: ['phb'],
    parameters: { error: oneOf('what the bridge found', Object.keys(NEST_ERRORS) as NestError[]) },
    outcome: 'The bridge is fenced: nothing passes, loads return all ones, and only a reset of the whole bridge helps.',
  },
  'reset-stuck': {
    about: 'From now on the bridge does not come out of reset, whoever resets it.',
    hits: ['phb'],
    parameters: {},
    outcome: 'Nothing at once. The next reset of the whole bridge fails, and firmware has no use for it any more.',
  },
  'card-deaf': {
    about: 'The card stops answering and sending until its next fundamental reset; the link stays up.',
    hits: CARD,
    parameters: {},
    outcome: 'The next load runs into the timeout of the bridge, and the PE freezes.',
    events: ['mmio-load-timeout'],
  },
  'request-retry': {
    about: 'The card answers the next requests with Configuration Request Retry Status, as if it were not ready.',
    hits: CARD,
    parameters: { requests: { ...REQUESTS, byDefault: 'configuration' }, count: COUNT },
    outcome:
      'The bridge repeats a configuration read until the card answers. A load has no such answer: its PE freezes.',
  },
  'poisoned-completion': {
    about: 'The next completions with data of the card carry the poison bit.',
    hits: CARD,
    parameters: { count: COUNT },
    outcome: 'The load returns all ones and the PE freezes.',
    events: ['poisoned-completion'],
    aer: ['ADVISORY_NONFATAL'],
  },
  'malformed-tlp': {
    about: 'The next packets of the card break a rule of their format.',
    hits: CARD,
    parameters: {
      packet: PACKET,
      defect: oneOf('the broken rule', ['undefined-type', 'length-not-payload', 'payload-too-long', 'byte-enables']),
      count: COUNT,
    },
    outcome:
      'The port above drops the packet. Below the root port alone the core reports it and every PE freezes; a switch port sends an error message, and all below the switch freezes.',
    events: ['utl-error', 'err-nonfatal'],
    p7iocEvents: ['utl-fatal', 'err-nonfatal'],
    aer: ['MALFORMED_TLP'],
  },
  '4k-crossing': {
    about: 'The next requests of the card reach over a boundary of 4 KiB.',
    hits: CARD,
    parameters: { packet: oneOf('which of its packets', ['write', 'read']), count: COUNT },
    outcome: 'Malformed, as the port above sees it: dropped, and reported as such.',
    events: ['utl-error', 'err-nonfatal'],
    p7iocEvents: ['utl-fatal', 'err-nonfatal'],
    aer: ['MALFORMED_TLP'],
  },
  'ecrc-error': {
    about: 'The next packets of the card leave with a wrong end-to-end CRC.',
    hits: CARD,
    parameters: { packet: PACKET, count: COUNT },
    outcome: 'Switches pass the packet on; the root port checks and drops it.',
    aer: ['ECRC'],
  },
  'function-error': {
    about: 'The function finds an error of its own, records it, and says so if its registers let it.',
    hits: CARD,
    parameters: { error: oneOf('what it finds', Object.keys(FUNCTION_ERRORS) as FunctionError[]) },
    outcome: 'An error message under the identifier of the function: its PE freezes, other functions in it too.',
    events: ['err-fatal', 'err-nonfatal'],
    aer: ['INTERNAL'],
  },
  'lcrc-error': {
    about: 'The next packets on the link of the card arrive with a wrong link CRC.',
    hits: CARD,
    parameters: { direction: DIRECTION, count: COUNT },
    outcome: 'The receiver answers with a NAK and the sender replays. Nothing is lost, nothing freezes.',
    aer: ['BAD_TLP'],
  },
  'receiver-error': {
    about: 'The next packets on the link of the card arrive so garbled that the receiver sees no packet.',
    hits: CARD,
    parameters: { direction: DIRECTION, count: COUNT },
    outcome: 'At 8 GT/s the link goes through recovery, else the replay timer runs out; the sender replays.',
    aer: ['RECEIVER'],
  },
  'bad-dllp': {
    about: 'The next acknowledgements and credit updates on the link of the card arrive damaged.',
    hits: CARD,
    parameters: { direction: DIRECTION, count: COUNT },
    outcome: 'The replay timer runs out and the sender replays what had come; credits are told again.',
    aer: ['BAD_DLLP'],
  },
  'link-noise': {
    about: 'For a while a share of the packets on the link of the card arrives with a wrong link CRC.',
    hits: CARD,
    parameters: {
      for: duration('how long', { leastNs: 1, mostNs: 10e9, byDefaultNs: 1e6 }),
      percent: number('the share', { least: 1, most: 100, byDefault: 10 }),
      direction: DIRECTION,
    },
    outcome:
      'Replays. After three of a packet in vain the link retrains; if that does not help it drops, and the card loses its state.',
    aer: ['BAD_TLP'],
  },
  'link-retrain': {
    about: 'The link of the card goes through recovery.',
    hits: CARD,
    parameters: {},
    outcome: 'Packets wait until it is over. None is lost on the link, nothing freezes.',
  },
  'lane-failure': {
    about: 'Lanes of the link of the card, from one number up, carry no signal any more.',
    hits: CARD,
    parameters: { first: number('the first that fails', { least: 0, most: 15, byDefault: 4 }) },
    outcome: 'The link retrains with half of its lanes, or fewer; without lane 0 it drops and stays down.',
    aer: ['RECEIVER'],
  },
  'equalization-failure': {
    about: 'The next attempts of the link of the card to reach 8 GT/s fail.',
    hits: CARD,
    parameters: { count: COUNT },
    outcome: 'Nothing at once. When the link trains next, after a reset for example, it stays at 2.5 GT/s.',
  },
  'credit-stall': {
    about: 'A receiver on the link of the card keeps its buffers: for a while no credits go back to the sender.',
    hits: CARD,
    parameters: { for: duration('how long', { leastNs: 1, mostNs: 10e9, byDefaultNs: 100e3 }), direction: DIRECTION },
    outcome: 'Packets in this direction wait once credits are used up. Nothing is lost unless somebody loses patience.',
  },
  'hub-error': {
    about: 'A unit of the hub above the bridges finds an error.',
    hits: ['hub'],
    chips: ['p7ioc'],
    parameters: {
      unit: oneOf('which unit', HUB_UNIT_NAMES.map(hubUnitKey)),
      error: oneOf('how bad it is; no unit has all of them', HUB_ERRORS),
    },
    outcome:
      'Informational ones and malfunctions interrupt and change nothing. One of a bridge fences it. A clock or register error is reported as the end of the hub, a fatal one is: nothing behind it answers any more.',
  },
} as const satisfies Record<string, FaultDeclaration>;

export type FaultKind = keyof typeof FAULTS;
export const FAULT_KINDS = Object.keys(FAULTS) as readonly FaultKind[];
