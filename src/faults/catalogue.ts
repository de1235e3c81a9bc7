/**
 * Every fault by name: what misbehaves, what may be set about it, and what the bridge should make of it.
 * What the bridge does with each is facts ioda2-phb3 7.6; the events are those of ioda2/error-bits/events.
 */
import type { ErrorEventName } from '../ioda2/error-bits/events.js';
import type { TargetKind } from './target.js';

export interface FaultParameter {
  readonly about: string;
  readonly least: number;
  readonly most: number;
  readonly byDefault: number;
}

export interface FaultDeclaration {
  readonly about: string;
  readonly hits: readonly TargetKind[];
  readonly parameters: Readonly<Record<string, FaultParameter>>;
  /** What the hardware should do with it. */
  readonly outcome: string;
  /** The error event of the bridge it leads to, if any by itself. */
  readonly event?: ErrorEventName;
}

const BYTES: FaultParameter = { about: 'length of the access', least: 1, most: 4096, byDefault: 64 };
const COUNT: FaultParameter = { about: 'how many', least: 1, most: 1000, byDefault: 1 };
const CARD = ['card'] as const;

export const FAULTS = {
  'dma-write-unmapped': {
    about: 'The card writes to a page of its window that its driver never mapped.',
    hits: CARD,
    parameters: { bytes: BYTES },
    outcome: 'The TCE grants nothing: the write is dropped and the PE freezes.',
    event: 'tce-page-fault',
  },
  'dma-read-unmapped': {
    about: 'The card reads from a page of its window that its driver never mapped.',
    hits: CARD,
    parameters: { bytes: BYTES },
    outcome: 'The TCE grants nothing: the read is answered with Completer Abort and the PE freezes.',
    event: 'tce-page-fault',
  },
  'dma-write-readonly': {
    about: 'The card writes to a page that its driver mapped for reading only.',
    hits: CARD,
    parameters: { bytes: BYTES },
    outcome: 'The TCE does not grant writing: the write is dropped and the PE freezes.',
    event: 'tce-access-fault',
  },
  'dma-read-writeonly': {
    about: 'The card reads from a page that its driver mapped for writing only, such as a receive buffer.',
    hits: CARD,
    parameters: { bytes: BYTES },
    outcome: 'The TCE does not grant reading: the read is answered with Completer Abort and the PE freezes.',
    event: 'tce-access-fault',
  },
  'dma-outside-window': {
    about: 'The card writes to an address behind the end of its window.',
    hits: CARD,
    parameters: { bytes: BYTES },
    outcome: 'The TVE does not cover the address: the write is dropped and the PE freezes.',
    event: 'tve-range',
  },
  'poisoned-write': {
    about: 'The next DMA writes of the card carry the poison bit.',
    hits: CARD,
    parameters: { count: COUNT },
    outcome: 'The bridge drops the write and freezes the PE.',
    event: 'poisoned-write',
  },
  'foreign-msi': {
    about: 'The card raises a message interrupt that belongs to another PE.',
    hits: CARD,
    parameters: { vector: { about: 'number of the vector', least: 0, most: 2039, byDefault: 0 } },
    outcome: 'The vector names another PE: no interrupt, and the PE freezes.',
    event: 'msi-pe-mismatch',
  },
  'completer-abort': {
    about: 'The card answers the next loads from its registers with Completer Abort.',
    hits: CARD,
    parameters: { count: COUNT },
    outcome: 'The load returns all ones and the PE freezes.',
    event: 'mmio-load-ca',
  },
  'unsupported-request': {
    about: 'The card answers the next loads from its registers with Unsupported Request.',
    hits: CARD,
    parameters: { count: COUNT },
    outcome: 'The load returns all ones and the PE freezes.',
    event: 'mmio-load-ur',
  },
  'completion-timeout': {
    about: 'The card does not answer the next accesses to its registers.',
    hits: CARD,
    parameters: { count: COUNT },
    outcome: 'The load runs into the timeout of the bridge, returns all ones, and the PE freezes.',
    event: 'mmio-load-timeout',
  },
  'err-fatal': {
    about: 'An ERR_FATAL message, without a cause.',
    hits: ['card', 'switch'],
    parameters: {},
    outcome: 'The PE of the sender freezes, and every PE its PELT-V names.',
    event: 'err-fatal',
  },
  'err-nonfatal': {
    about: 'An ERR_NONFATAL message, without a cause.',
    hits: ['card', 'switch'],
    parameters: {},
    outcome: 'The PE of the sender freezes, and every PE its PELT-V names.',
    event: 'err-nonfatal',
  },
  'err-corr': {
    about: 'An ERR_COR message, without a cause.',
    hits: ['card', 'switch'],
    parameters: {},
    outcome:
      'An informational interrupt; nothing freezes. Firmware finds no frozen PE and clears nothing: it comes again.',
    event: 'err-corr',
  },
  'link-bounce': {
    about: 'The link drops by itself and trains again; the card loses its state.',
    hits: CARD,
    parameters: {},
    outcome: 'Surprise down at the port above: an error message, or the link event of the bridge.',
  },
  'link-lost': {
    about: 'The card is pulled, or dies: the link drops and stays down.',
    hits: CARD,
    parameters: {},
    outcome: 'Surprise down at the port above; no reset brings the card back.',
  },
  fence: {
    about: 'A fatal error of the power bus queue, set through its FIR as a service processor can.',
    hits: ['phb'],
    parameters: {},
    outcome: 'The bridge is fenced: nothing passes, loads return all ones, and only a reset of the whole bridge helps.',
  },
  'card-deaf': {
    about: 'The card stops answering and sending until its next fundamental reset; the link stays up.',
    hits: CARD,
    parameters: {},
    outcome: 'The next load runs into the timeout of the bridge, and the PE freezes.',
    event: 'mmio-load-timeout',
  },
} as const satisfies Record<string, FaultDeclaration>;

export type FaultKind = keyof typeof FAULTS;
export const FAULT_KINDS = Object.keys(FAULTS) as readonly FaultKind[];
