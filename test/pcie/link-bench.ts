/** A link with a card below it, and what arrives at its two ends. */
import { Link, type LinkPartner, type LinkState } from '../../src/pcie/link.js';
import { addressOf, memoryWrite, type Tlp } from '../../src/pcie/tlp.js';
import { Simulator } from '../../src/sim/simulator.js';

export const MS = 1e6;

/** A card that notes its resets. */
export class Card implements LinkPartner {
  readonly resets: string[] = [];
  constructor(
    readonly maxSpeed: 1 | 2 | 3 = 3,
    readonly maxWidth: 1 | 2 | 4 | 8 | 16 = 8,
  ) {}
  resetBy(kind: 'fundamental' | 'hot'): void {
    this.resets.push(kind);
  }
  resetReleased(): void {
    this.resets.push('released');
  }
}

export function bench(options: ConstructorParameters<typeof Link>[2] = { maxSpeed: 3, maxWidth: 8 }) {
  const sim = new Simulator({ seed: 'link' });
  const link = new Link(sim, 'link', options);
  const received: { tlp: Tlp; at: number }[] = [];
  link.up.attach({ receive: (tlp) => received.push({ tlp, at: sim.now }) });
  const down: Tlp[] = [];
  link.down.attach({ receive: (tlp) => down.push(tlp) });
  const errors: string[] = [];
  link.onError((error, at) => errors.push(`${error} at ${at}`));
  const states: LinkState[] = [];
  link.onChange(() => {
    if (states.at(-1) !== link.state) states.push(link.state);
  });
  return { sim, link, received, down, states, errors, run: (ns: number) => sim.run({ untilNs: sim.now + ns }) };
}

export function trained(options?: ConstructorParameters<typeof Link>[2], card = new Card()) {
  const b = bench(options);
  b.link.insertCard(card);
  b.link.setPerst('deasserted');
  b.run(260 * MS);
  b.states.length = 0;
  return { ...b, card };
}

export const write = (bytes: number, address = 0x1_0000_0000n): Tlp =>
  memoryWrite(0x100, addressOf(address), new Uint8Array(bytes));
