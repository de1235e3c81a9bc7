/**
 * A card: what is plugged in below a link, with one to eight functions. It deals out packets to the functions, joins
 * their interrupt pins, and logs what concerns none of them alone in all of them.
 * Source: PCI Express base specification 2.2.8.1, 6.2.4 (errors of multi-function devices), 7.3.1, 7.3.3.
 */
import type { CorrectableError, UncorrectableError } from './aer-capability.js';
import type { ConfigSpace } from './config-space.js';
import { type AdvisoryError, LINK_ERROR_STATUS } from './error-reporter.js';
import { InterruptWires } from './interrupt-wires.js';
import type { Link, LinkPartner } from './link.js';
import type { LinkSpeed, LinkWidth } from './link-profile.js';
import {
  type ErrorMessage,
  functionOf,
  isCompletion,
  isConfiguration,
  isForBusBelow,
  message,
  type Tlp,
  type TlpSink,
} from './tlp.js';
import { receiverFault } from './tlp-checks.js';

/** What a card stands in: a slot below a link, or a place on a conventional bus. */
export interface CardPort {
  readonly speed: LinkSpeed | 0;
  readonly width: LinkWidth | 0;
  /** False: the packet did not get out. */
  send(tlp: Tlp): boolean;
}

/** A function as its card sees it. */
export interface CardFunction extends TlpSink {
  readonly name: string;
  readonly config: ConfigSpace;
  readonly rid: number;
  readonly maxSpeed: LinkSpeed;
  readonly maxWidth: LinkWidth;
  readonly electricalDetectNs?: number;
  readonly trainingNs?: number;
  readonly takesPackets: boolean;
  /** True if a base address register holds the address of this memory or I/O request. */
  claims(tlp: Tlp): boolean;
  join(card: Card): void;
  resetBy(kind: 'fundamental' | 'hot'): void;
  resetReleased(): void;
  /** These record an error and return the message to send, if any. */
  noteUncorrectable(error: UncorrectableError, tlp: Tlp | undefined): ErrorMessage | undefined;
  noteAdvisory(error: AdvisoryError, tlp: Tlp | undefined): ErrorMessage | undefined;
  noteCorrectable(error: CorrectableError): ErrorMessage | undefined;
  sendErrorMessage(kind: ErrorMessage): void;
  /** A configuration request for a function the card does not have, or of type 1. */
  refuseConfiguration(tlp: Tlp): void;
}

const MOST_FUNCTIONS = 8;
const MULTI_FUNCTION = 0x80;

export class CardError extends Error {
  override readonly name = 'CardError';
}

export class Card implements TlpSink, LinkPartner {
  readonly maxSpeed: LinkSpeed;
  readonly maxWidth: LinkWidth;
  readonly electricalDetectNs?: number;
  readonly trainingNs?: number;
  /** The functions there are, in the order of their numbers. */
  readonly functions: readonly CardFunction[];
  private readonly first: CardFunction;
  private readonly wires: InterruptWires;
  private port: CardPort | undefined;
  private link: Link | undefined;

  /** `byNumber`: functions 0 to 7, with gaps where there is none. Function 0 must be there. */
  constructor(private readonly byNumber: readonly (CardFunction | undefined)[]) {
    const first = byNumber[0];
    if (first === undefined) throw new CardError('a card needs a function 0: give the first function number 0');
    if (byNumber.length > MOST_FUNCTIONS) {
      throw new CardError(`a card has at most ${MOST_FUNCTIONS} functions, not ${byNumber.length}`);
    }
    this.first = first;
    this.functions = byNumber.filter((each) => each !== undefined);
    if (new Set(this.functions).size < this.functions.length) {
      throw new CardError(`${first.name}: the same function stands twice on one card`);
    }
    this.maxSpeed = first.maxSpeed;
    this.maxWidth = first.maxWidth;
    if (first.electricalDetectNs !== undefined) this.electricalDetectNs = first.electricalDetectNs;
    if (first.trainingNs !== undefined) this.trainingNs = first.trainingNs;
    this.wires = new InterruptWires(MOST_FUNCTIONS, 'straight');
    for (const each of this.functions) this.adopt(each);
  }

  /** Puts the card into the slot below `link`. */
  plugInto(link: Link): void {
    if (link !== this.link) {
      link.onError((error, at) => {
        if (at === 'up' || error === 'surprise-down' || this.link !== link) return;
        this.report((each) => each.noteCorrectable(LINK_ERROR_STATUS[error]));
      });
    }
    this.link = link;
    this.connect({
      get speed() {
        return link.speed;
      },
      get width() {
        return link.width;
      },
      send: (tlp) => link.down.send(tlp),
    });
    link.down.attach(this);
    link.insertCard(this);
  }

  /** Takes its place without a link: on a conventional bus. */
  connect(port: CardPort): void {
    this.port = port;
  }

  get slot(): Link | undefined {
    return this.link;
  }
  get speed(): LinkSpeed | 0 {
    return this.port?.speed ?? 0;
  }
  get width(): LinkWidth | 0 {
    return this.port?.width ?? 0;
  }

  resetBy(kind: 'fundamental' | 'hot'): void {
    for (const number of this.byNumber.keys()) this.wires.drop(number);
    for (const each of this.functions) each.resetBy(kind);
  }

  resetReleased(): void {
    for (const each of this.functions) each.resetReleased();
  }

  receive(tlp: Tlp): void {
    const fault = this.fault(tlp);
    if (fault !== undefined) this.raise(fault, tlp);
    else if (isConfiguration(tlp)) this.configuration(tlp);
    else if (tlp.kind === 'Msg') for (const each of this.functions) each.receive(tlp);
    else this.owner(tlp).receive(tlp);
  }

  has(functionNumber: number): boolean {
    return this.byNumber[functionNumber] !== undefined;
  }

  claims(tlp: Tlp): boolean {
    return this.functions.some((each) => each.takesPackets && each.claims(tlp));
  }

  /** Sets status bits of the function that sent a request. */
  flag(requesterId: number, bits: number): void {
    this.functions.find((each) => each.rid === requesterId)?.config.or('STATUS', bits);
  }

  /** A packet of one of the functions. Pins that several functions drive are joined. */
  send(from: CardFunction, tlp: Tlp): void {
    const interrupt = tlp.kind === 'Msg' && InterruptWires.isInterrupt(tlp.messageCode ?? 0);
    if (!interrupt || this.functions.length === 1) {
      this.port?.send(tlp);
      return;
    }
    const codes = this.wires.follow(this.byNumber.indexOf(from), tlp.messageCode!);
    for (const code of codes) this.port?.send(message(tlp.requesterId, code));
  }

  /** An uncorrectable error that no function owns. */
  raise(error: UncorrectableError, tlp: Tlp): void {
    this.report((each) => each.noteUncorrectable(error, tlp));
  }

  /** An advisory error that no function owns. */
  advise(error: AdvisoryError, tlp: Tlp): void {
    this.report((each) => each.noteAdvisory(error, tlp));
  }

  private adopt(each: CardFunction): void {
    each.join(this);
    if (this.functions.length > 1) each.config.hook('HEADER_TYPE', { onRead: (stored) => stored | MULTI_FUNCTION });
  }

  /** Logged in all functions, but no kind of message is sent twice (6.2.4). */
  private report(note: (each: CardFunction) => ErrorMessage | undefined): void {
    const said: ErrorMessage[] = [];
    for (const each of this.functions) {
      if (!each.takesPackets) continue;
      const kind = note(each);
      if (kind === undefined || said.includes(kind)) continue;
      said.push(kind);
      each.sendErrorMessage(kind);
    }
  }

  /** The payload limit of a card is the largest of its functions (M); any of them may check digests. */
  private fault(tlp: Tlp): 'MALFORMED_TLP' | 'ECRC' | undefined {
    if (this.functions.length === 1) return receiverFault(tlp, this.first.config, 'above');
    const faults = this.functions.map((each) => receiverFault(tlp, each.config, 'above'));
    if (faults.every((fault) => fault === 'MALFORMED_TLP')) return 'MALFORMED_TLP';
    return faults.includes('ECRC') ? 'ECRC' : undefined;
  }

  /** A request of type 1 is for a bus below the one that has reached it: no function of a card is a bridge (7.3.3). */
  private configuration(tlp: Tlp): void {
    const target = isForBusBelow(tlp) ? undefined : this.byNumber[functionOf(tlp.targetId!)];
    if (target !== undefined) {
      target.receive(tlp);
      return;
    }
    this.advise('UNSUPPORTED_REQUEST', tlp);
    this.first.refuseConfiguration(tlp);
  }

  /** What nobody claims function 0 answers. */
  private owner(tlp: Tlp): CardFunction {
    const claims = isCompletion(tlp)
      ? (each: CardFunction) => each.rid === tlp.requesterId
      : (each: CardFunction) => each.claims(tlp);
    return this.functions.find(claims) ?? this.first;
  }
}
