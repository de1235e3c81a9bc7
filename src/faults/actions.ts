/** How each fault is done: through the knobs of the card, its link or the switch, never through the bridge. */

import { HUB_UNIT_NAMES } from '../ioda1/error-bits/units.js';
import type { RequestClass, WrongAnswer } from '../pcie/endpoint.js';
import type { Link } from '../pcie/link.js';
import type { LinkEnd } from '../pcie/link-end.js';
import type { ErrorMessage } from '../pcie/tlp.js';
import { addressOf, memoryWrite, PAGE_4K } from '../pcie/tlp.js';
import type { PacketClass, PacketDefect } from '../pcie/tlp-defects.js';
import type { RandomStream } from '../sim/random.js';
import type { TimeNs } from '../sim/time.js';
import { type HubErrorKind, hubUnitKey, type NestError } from './bridge-errors.js';
import { type FaultKind, FUNCTION_ERRORS, type FunctionError } from './catalogue.js';
import { DRAWN, type ParameterValue } from './parameters.js';
import type { CardTarget, FaultTarget, HubTarget, PageKind, PhbTarget } from './target.js';

/** One fault at the moment it strikes. */
export interface StrikeContext {
  readonly target: FaultTarget;
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  readonly random: RandomStream;
  /** Ends later what the fault does to `what`, unless another fault still does it then. */
  undoAfter(delayNs: TimeNs, what: object, end: () => void): void;
}

/** What came of it. `address`: where the card reached to. `missed`: nothing happened, and why. */
export interface StrikeOutcome {
  readonly missed?: string;
  readonly address?: bigint;
}

type Action = (context: StrikeContext) => StrikeOutcome;

const DONE: StrikeOutcome = {};
const NOT_MASTER: StrikeOutcome = { missed: 'the bus master bit of the card is off' };

const IO_DATA = Uint8Array.of(0, 0, 0, 0);

function onCard(action: (card: CardTarget, context: StrikeContext) => StrikeOutcome): Action {
  return (context) =>
    context.target.kind === 'card'
      ? action(context.target, context)
      : { missed: `${context.target.name} is not a card` };
}

const numberIn = ({ parameters }: StrikeContext, name: string): number => parameters[name] as number;
const choiceIn = ({ parameters }: StrikeContext, name: string): string => parameters[name] as string;

function strayWrite(card: CardTarget, address: bigint, bytes: number): StrikeOutcome {
  return card.endpoint.strayWrite(address, bytes) ? { address } : NOT_MASTER;
}

function strayRead(card: CardTarget, address: bigint, bytes: number): StrikeOutcome {
  if (!card.endpoint.busMaster) return NOT_MASTER;
  card.endpoint.strayRead(address, bytes);
  return { address };
}

/** The address that was asked for, if any. */
function addressIn({ parameters }: StrikeContext): bigint | undefined {
  const { address = DRAWN } = parameters;
  return address === DRAWN ? undefined : BigInt(address);
}

/** An access of `bytes` that stays inside a page of the given kind. */
function inPage(kind: PageKind, access: typeof strayWrite): Action {
  return onCard((card, context) => {
    const address = addressIn(context);
    if (address !== undefined) return access(card, address, numberIn(context, 'bytes'));
    const page = card.pages?.pick(kind, context.random);
    if (page === undefined) return { missed: `the driver of ${card.name} has no ${kind} page now` };
    return access(card, page, numberIn(context, 'bytes'));
  });
}

function message(kind: ErrorMessage): Action {
  return ({ target }) => {
    if (target.kind === 'phb' || target.kind === 'hub') return { missed: `${target.name} sends no messages` };
    if (target.kind === 'card') target.endpoint.sendErrorMessage(kind);
    else target.sendErrorMessage(kind);
    return DONE;
  };
}

function wrongAnswer(answer: WrongAnswer): Action {
  return onCard((card, context) => {
    const requests = choiceIn(context, 'requests') as RequestClass;
    card.endpoint.answerNextRequests(requests, answer, numberIn(context, 'count'));
    return DONE;
  });
}

/** Defects of data: a packet that carries none cannot show them. */
const NEEDS_DATA: readonly PacketDefect[] = ['length-not-payload', 'payload-too-long'];
const WITHOUT_DATA: readonly PacketClass[] = ['read', 'message'];

function damaged(defectOf: (context: StrikeContext) => PacketDefect): Action {
  return onCard((card, context) => {
    const defect = defectOf(context);
    const packets = choiceIn(context, 'packet') as PacketClass;
    if (NEEDS_DATA.includes(defect) && WITHOUT_DATA.includes(packets)) {
      return { missed: `a ${packets} carries no data: ${defect} fits a write or a completion` };
    }
    if (defect === 'byte-enables' && !REQUESTS.includes(packets)) {
      return { missed: `a ${packets} has no byte enables: ${defect} fits a write or a read` };
    }
    card.endpoint.damageNextPackets(packets, defect, numberIn(context, 'count'));
    return DONE;
  });
}
const REQUESTS: readonly PacketClass[] = ['write', 'read'];

function onLink(action: (link: Link, context: StrikeContext) => void): Action {
  return onCard((card, context) => {
    if (!card.link.isUp) return { missed: `the link of ${card.name} is down` };
    action(card.link, context);
    return DONE;
  });
}

/** The end that sends what goes in the direction of the fault. */
function sender(link: Link, context: StrikeContext): LinkEnd {
  return choiceIn(context, 'direction') === 'up' ? link.down : link.up;
}

function receiver(link: Link, context: StrikeContext): LinkEnd {
  return choiceIn(context, 'direction') === 'up' ? link.up : link.down;
}

function hitNext(damage: 'packetDamage' | 'symbolDamage' | 'dllpDamage'): Action {
  return onLink((link, context) => sender(link, context)[damage].hitNext(numberIn(context, 'count')));
}

function noise(link: Link, context: StrikeContext): void {
  const damage = sender(link, context).packetDamage;
  damage.hitShare(numberIn(context, 'percent'), 100);
  context.undoAfter(numberIn(context, 'for'), damage, () => damage.hitShare(0, 1));
}

function holdCredits(link: Link, context: StrikeContext): void {
  const end = receiver(link, context);
  end.holdCredits();
  context.undoAfter(numberIn(context, 'for'), end, () => end.releaseCredits());
}

const failLanes: Action = onCard((card, context) => {
  const { maxWidth } = card.link.options;
  const first = numberIn(context, 'first');
  if (first >= maxWidth) return { missed: `the slot of ${card.name} has lanes 0 to ${maxWidth - 1}` };
  card.link.failLanes(...Array.from({ length: maxWidth - first }, (_, i) => first + i));
  return DONE;
});

/** Only links of 8 GT/s and more equalize. Such a one can be below a switch, whatever the speed of the bridge above. */
const FIRST_EQUALISED = 3;

const failEqualisations: Action = onCard((card, context) => {
  const { maxSpeed } = card.link.options;
  if (maxSpeed < FIRST_EQUALISED) return { missed: `the link of ${card.name} never tries 8 GT/s` };
  card.link.failNextEqualisations(numberIn(context, 'count'));
  return DONE;
});

export const FAULT_ACTIONS: Readonly<Record<FaultKind, Action>> = {
  'dma-write-unmapped': inPage('unmapped', strayWrite),
  'dma-read-unmapped': inPage('unmapped', strayRead),
  'dma-write-readonly': inPage('read-only', strayWrite),
  'dma-read-writeonly': inPage('write-only', strayRead),
  'dma-outside-window': onCard((card, context) => {
    const wanted = addressIn(context);
    if (wanted !== undefined) return strayWrite(card, wanted, numberIn(context, 'bytes'));
    if (card.pages === undefined) return { missed: `${card.name} has no DMA window now` };
    const { windowEnd, pageBytes } = card.pages;
    const beyond = windowEnd > FOUR_GIB ? windowEnd : FOUR_GIB;
    const address = beyond + BigInt(context.random.below(2 ** 20) * pageBytes);
    return strayWrite(card, address, numberIn(context, 'bytes'));
  }),
  'poisoned-write': onCard((card, context) => {
    card.endpoint.dma.poisonNextWrites(numberIn(context, 'count'));
    return DONE;
  }),
  'foreign-msi': onCard((card, context) => {
    const { address, data } = card.message(numberIn(context, 'vector'));
    return card.endpoint.dma.write(addressOf(address), data) ? { address } : NOT_MASTER;
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
  fence: onPhb((phb, context) => phb.raiseFatal(choiceIn(context, 'error') as NestError)),
  'reset-stuck': onPhb((phb) => phb.jamReset()),
  'hub-error': onHub((hub, context) => {
    const unit = HUB_UNIT_NAMES.find((name) => hubUnitKey(name) === choiceIn(context, 'unit'))!;
    return hub.report(unit, choiceIn(context, 'error') as HubErrorKind);
  }),
  'io-request': onCard(({ endpoint }) => {
    if (!endpoint.busMaster) return NOT_MASTER;
    endpoint.transmit({ ...IO_WRITE, requesterId: endpoint.rid, data: IO_DATA });
    return DONE;
  }),
  'foreign-requester': onCard(({ endpoint, pages }, context) => {
    if (!endpoint.busMaster) return NOT_MASTER;
    const drawn = (): bigint => BigInt(context.random.below(2 ** 20) * (pages?.pageBytes ?? PAGE_4K));
    const address = addressIn(context) ?? drawn();
    const data = new Uint8Array(numberIn(context, 'bytes')).fill(STRAY_BYTE);
    endpoint.transmit(memoryWrite(NOBODYS_RID, addressOf(address), data));
    return { address };
  }),
  'card-deaf': onCard((card) => {
    card.endpoint.stopResponding();
    return DONE;
  }),
  'request-retry': wrongAnswer('CRS'),
  'poisoned-completion': onCard((card, context) => {
    card.endpoint.damageNextPackets('completion', 'poisoned', numberIn(context, 'count'));
    return DONE;
  }),
  'malformed-tlp': damaged((context) => choiceIn(context, 'defect') as PacketDefect),
  '4k-crossing': damaged(() => 'crosses-4k'),
  'ecrc-error': damaged(() => 'damaged-digest'),
  'function-error': onCard((card, context) => {
    card.endpoint.raiseUncorrectable(FUNCTION_ERRORS[choiceIn(context, 'error') as FunctionError]);
    return DONE;
  }),
  'lcrc-error': hitNext('packetDamage'),
  'receiver-error': hitNext('symbolDamage'),
  'bad-dllp': hitNext('dllpDamage'),
  'link-noise': onLink(noise),
  'link-retrain': onLink((link) => link.retrain()),
  'lane-failure': failLanes,
  'equalization-failure': failEqualisations,
  'credit-stall': onLink(holdCredits),
};

function onPhb(action: (phb: PhbTarget, context: StrikeContext) => void): Action {
  return (context) => {
    if (context.target.kind !== 'phb') return { missed: `${context.target.name} is not a PHB` };
    action(context.target, context);
    return DONE;
  };
}

/** An action that says why it missed. */
function onHub(action: (hub: HubTarget, context: StrikeContext) => string | undefined): Action {
  return (context) => {
    if (context.target.kind !== 'hub') return { missed: `${context.target.name} is not a hub` };
    const missed = action(context.target, context);
    return missed === undefined ? DONE : { missed };
  };
}

/** The tag is one that no card here uses for requests of its own. */
const IO_WRITE = { kind: 'IOWr', tag: 0xff, addressHi: 0, addressLo: 0x1000, lengthBytes: 4 } as const;
/** The last function of the last device of the last bus. */
const NOBODYS_RID = 0xffff;
const STRAY_BYTE = 0xee;

/** Below it stand the windows of other devices. */
const FOUR_GIB = 2n ** 32n;
