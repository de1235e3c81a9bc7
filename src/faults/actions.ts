/** How each fault is done: through the knobs of the card, its link or the switch, never through the bridge. */
import type { ErrorMessage } from '../pcie/tlp.js';
import { addressOf } from '../pcie/tlp.js';
import type { RandomStream } from '../sim/random.js';
import type { FaultKind } from './catalogue.js';
import type { CardTarget, FaultTarget, PageKind } from './target.js';

/** One fault at the moment it strikes. */
export interface StrikeContext {
  readonly target: FaultTarget;
  readonly parameters: Readonly<Record<string, number>>;
  readonly random: RandomStream;
}

/** What came of it. `address`: where the card reached to. `missed`: nothing happened, and why. */
export interface StrikeOutcome {
  readonly missed?: string;
  readonly address?: bigint;
}

type Action = (context: StrikeContext) => StrikeOutcome;

const DONE: StrikeOutcome = {};
const NOT_MASTER: StrikeOutcome = { missed: 'the bus master bit of the card is off' };

/** The 64-bit MSI range, and the distance of two vectors in it. */
const MSI64_BASE = 1n << 60n;
const MSI_STRIDE = 16n;
const MSI_DATA = Uint8Array.of(0, 0, 0, 0);

function onCard(action: (card: CardTarget, context: StrikeContext) => StrikeOutcome): Action {
  return (context) =>
    context.target.kind === 'card'
      ? action(context.target, context)
      : { missed: `${context.target.name} is not a card` };
}

function strayWrite(card: CardTarget, address: bigint, bytes: number): StrikeOutcome {
  return card.endpoint.strayWrite(address, bytes) ? { address } : NOT_MASTER;
}

function strayRead(card: CardTarget, address: bigint, bytes: number): StrikeOutcome {
  if (!card.endpoint.busMaster) return NOT_MASTER;
  card.endpoint.strayRead(address, bytes);
  return { address };
}

/** An access of `bytes` that stays inside a page of the given kind. */
function inPage(kind: PageKind, access: typeof strayWrite): Action {
  return onCard((card, { parameters, random }) => {
    const page = card.pages?.pick(kind, random);
    if (page === undefined) return { missed: `the driver of ${card.name} has no ${kind} page now` };
    return access(card, page, parameters['bytes']!);
  });
}

function message(kind: ErrorMessage): Action {
  return ({ target }) => {
    if (target.kind === 'phb') return { missed: `${target.name} sends no messages` };
    if (target.kind === 'card') target.endpoint.sendErrorMessage(kind);
    else target.sendErrorMessage(kind);
    return DONE;
  };
}

function wrongAnswer(answer: 'CA' | 'UR' | 'nothing'): Action {
  return onCard((card, { parameters }) => {
    card.endpoint.answerNextRequests('memory', answer, parameters['count']!);
    return DONE;
  });
}

export const FAULT_ACTIONS: Readonly<Record<FaultKind, Action>> = {
  'dma-write-unmapped': inPage('unmapped', strayWrite),
  'dma-read-unmapped': inPage('unmapped', strayRead),
  'dma-write-readonly': inPage('read-only', strayWrite),
  'dma-read-writeonly': inPage('write-only', strayRead),
  'dma-outside-window': onCard((card, { parameters, random }) => {
    if (card.pages === undefined) return { missed: `${card.name} has no DMA window now` };
    const { windowEnd, pageBytes } = card.pages;
    const beyond = windowEnd > FOUR_GIB ? windowEnd : FOUR_GIB;
    return strayWrite(card, beyond + BigInt(random.below(2 ** 20) * pageBytes), parameters['bytes']!);
  }),
  'poisoned-write': onCard((card, { parameters }) => {
    card.endpoint.dma.poisonNextWrites(parameters['count']!);
    return DONE;
  }),
  'foreign-msi': onCard((card, { parameters }) => {
    const address = MSI64_BASE + BigInt(parameters['vector']!) * MSI_STRIDE;
    return card.endpoint.dma.write(addressOf(address), MSI_DATA) ? { address } : NOT_MASTER;
  }),
  'completer-abort': wrongAnswer('CA'),
  'unsupported-request': wrongAnswer('UR'),
  'completion-timeout': wrongAnswer('nothing'),
  'err-fatal': message('ERR_FATAL'),
  'err-nonfatal': message('ERR_NONFATAL'),
  'err-corr': message('ERR_COR'),
  'link-bounce': onCard((card) => {
    if (!card.link.isUp) return { missed: `the link of ${card.name} is down already` };
    card.link.surpriseDown();
    return DONE;
  }),
  'link-lost': onCard((card) => {
    if (!card.link.cardInserted) return { missed: `${card.name} is gone already` };
    card.link.surpriseRemove();
    return DONE;
  }),
  fence: ({ target }) => {
    if (target.kind !== 'phb') return { missed: `${target.name} is not a PHB` };
    target.writeNest('NFIR_OR', NFIR_FENCE);
    return DONE;
  },
  'card-deaf': onCard((card) => {
    card.endpoint.stopResponding();
    return DONE;
  }),
};

/** What op-test sets to fence a PHB3. Source: op-test OpTestEEH.py. */
const NFIR_FENCE = 0x0000_00f0_0000_0000n;

/** Below it stand the windows of other devices. */
const FOUR_GIB = 2n ** 32n;
