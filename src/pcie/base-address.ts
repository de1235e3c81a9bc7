/**
 * Which base address register, if any, a memory request hits. Source: PCI Local Bus 3.0 6.2.5.
 */
import { BAR_NAMES, type BarRegister, type BarSpec } from './config-header.js';
import type { ConfigSpace } from './config-space.js';
import type { Tlp } from './tlp.js';

export interface BarHit {
  readonly bar: number;
  readonly offset: number;
}

export class BaseAddresses {
  constructor(
    private readonly config: ConfigSpace<BarRegister>,
    private readonly bars: readonly BarSpec[],
  ) {}

  /** I/O BARs never hit: nothing on these machines forwards I/O. */
  match(tlp: Tlp): BarHit | undefined {
    for (const bar of this.bars) {
      if (bar.kind === 'io') continue;
      const offset = this.offsetIn(bar, tlp);
      if (offset >= 0 && offset + tlp.lengthBytes <= bar.sizeBytes) return { bar: bar.index, offset };
    }
    return undefined;
  }

  /** The address software has given a BAR. */
  base(index: number): bigint {
    const bar = this.bars.find((b) => b.index === index);
    if (bar === undefined) return 0n;
    const low = BigInt(this.config.get(BAR_NAMES[index]!) & ~(bar.kind === 'io' ? 0x3 : 0xf)) & 0xffff_ffffn;
    return bar.kind === 'memory64' ? (BigInt(this.config.get(BAR_NAMES[index + 1]!)) << 32n) | low : low;
  }

  private offsetIn(bar: BarSpec, tlp: Tlp): number {
    const low = (this.config.get(BAR_NAMES[bar.index]!) & ~0xf) >>> 0;
    const high = bar.kind === 'memory64' ? this.config.get(BAR_NAMES[bar.index + 1]!) : 0;
    // Exact as long as the difference is within 53 bits; farther apart it is outside any BAR anyway.
    return (tlp.addressHi - high) * 0x1_0000_0000 + (tlp.addressLo - low);
  }
}
