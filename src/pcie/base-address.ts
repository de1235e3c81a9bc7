/**
 * Which base address register, if any, a memory or I/O request hits. Source: PCI Local Bus 3.0 6.2.5.
 * Where BARs of one function overlap, the one declared first answers, the expansion ROM last (M).
 */
import { BAR_NAMES, type BarRegister, type BarSpec, ROM_ENABLE } from './config-header.js';
import type { ConfigSpace } from './config-space.js';
import { isInputOutput, type Tlp } from './tlp.js';

export interface BarHit {
  /** The number of the BAR; `rom`: the expansion ROM. */
  readonly bar: number | 'rom';
  readonly offset: number;
}

export class BaseAddresses {
  private readonly romBytes: number;

  constructor(
    private readonly config: ConfigSpace<BarRegister | 'ROM_BAR'>,
    private readonly bars: readonly BarSpec[],
  ) {
    this.romBytes = sizeOf(config.declares('ROM_BAR') ? (config.layout.ROM_BAR.writable ?? 0) : 0);
  }

  match(tlp: Tlp): BarHit | undefined {
    const space = isInputOutput(tlp) ? 'io' : 'memory';
    for (const bar of this.bars) {
      if ((bar.kind === 'io' ? 'io' : 'memory') !== space) continue;
      const offset = this.offsetIn(bar, tlp);
      if (offset >= 0 && offset + tlp.lengthBytes <= bar.sizeBytes) return { bar: bar.index, offset };
    }
    return space === 'memory' ? this.matchRom(tlp) : undefined;
  }

  /** The address software has given a BAR. */
  base(index: number): bigint {
    const bar = this.bars.find((b) => b.index === index);
    if (bar === undefined) return 0n;
    const low = BigInt(this.config.get(BAR_NAMES[index]!) & ~typeBits(bar)) & 0xffff_ffffn;
    return bar.kind === 'memory64' ? (BigInt(this.config.get(BAR_NAMES[index + 1]!)) << 32n) | low : low;
  }

  private offsetIn(bar: BarSpec, tlp: Tlp): number {
    const low = (this.config.get(BAR_NAMES[bar.index]!) & ~typeBits(bar)) >>> 0;
    const high = bar.kind === 'memory64' ? this.config.get(BAR_NAMES[bar.index + 1]!) : 0;
    // Exact as long as the difference is within 53 bits; farther apart it is outside any BAR anyway.
    return (tlp.addressHi - high) * 0x1_0000_0000 + (tlp.addressLo - low);
  }

  /** A ROM answers only with its own enable set as well. */
  private matchRom(tlp: Tlp): BarHit | undefined {
    if (this.romBytes === 0 || tlp.addressHi !== 0) return undefined;
    const register = this.config.get('ROM_BAR');
    if ((register & ROM_ENABLE) === 0) return undefined;
    const offset = tlp.addressLo - ((register & ~(this.romBytes - 1)) >>> 0);
    return offset >= 0 && offset + tlp.lengthBytes <= this.romBytes ? { bar: 'rom', offset } : undefined;
  }
}

function typeBits(bar: BarSpec): number {
  return bar.kind === 'io' ? 0x3 : 0xf;
}

/** What the writable bits of a register say about its size. */
function sizeOf(writable: number): number {
  const address = (writable & ~ROM_ENABLE) >>> 0;
  return address === 0 ? 0 : 2 ** (31 - Math.clz32(address & -address));
}
