/** A card that does what a test tells it: keeps every packet it got, and answers requests from its own bytes. */

import { completion, completionWithData } from '../../src/pcie/completion.js';
import type { Link, LinkPartner } from '../../src/pcie/link.js';
import type { Tlp, TlpSink } from '../../src/pcie/tlp.js';

/** `poisoned`: data that are marked as wrong. `nothing`: the request is swallowed. */
export type Answer = 'data' | 'poisoned' | 'UR' | 'CA' | 'CRS' | 'nothing';

const CONFIG_BYTES = 4096;

export class Card implements TlpSink, LinkPartner {
  readonly maxSpeed = 3;
  readonly maxWidth = 8;
  readonly received: Tlp[] = [];
  readonly config = new Uint8Array(CONFIG_BYTES);
  /** What it answers to the next requests; `data` when the list is empty. */
  readonly answers: Answer[] = [];
  /** Byte it returns for each byte of a memory read. */
  memoryByte = (address: number): number => address & 0xff;
  resets = 0;
  private link: Link | undefined;

  constructor() {
    this.config.set([0x14, 0x10, 0x01, 0xf0, 0x46, 0x01, 0x10, 0x00]);
  }

  plugInto(link: Link): void {
    this.link = link;
    link.down.attach(this);
    link.insertCard(this);
  }

  resetBy(): void {
    this.resets++;
  }

  receive(tlp: Tlp): void {
    this.received.push(tlp);
    if (tlp.kind === 'MWr' || tlp.kind === 'Msg' || tlp.kind === 'Cpl' || tlp.kind === 'CplD') return;
    const answer = this.answers.shift() ?? 'data';
    if (answer === 'nothing') return;
    if (answer === 'data') this.send(this.success(tlp));
    else if (answer === 'poisoned') this.send({ ...this.success(tlp), poisoned: true });
    else this.send(completion(tlp, 0x0100, answer));
  }

  send(tlp: Tlp): void {
    this.link?.down.send(tlp);
  }

  /** Packets of these kinds, in order of arrival. */
  got(...kinds: Tlp['kind'][]): Tlp[] {
    return this.received.filter((tlp) => kinds.includes(tlp.kind));
  }

  private success(tlp: Tlp): Tlp {
    const register = tlp.register ?? 0;
    if (tlp.kind === 'CfgWr0' || tlp.kind === 'CfgWr1') {
      this.config.set(tlp.data ?? [], register);
      return completion(tlp, 0x0100, 'SC');
    }
    const data =
      tlp.kind === 'MRd'
        ? Uint8Array.from({ length: tlp.lengthBytes }, (_, at) => this.memoryByte(tlp.addressLo + at))
        : this.config.slice(register, register + tlp.lengthBytes);
    return completionWithData(tlp, 0x0100, data);
  }
}
