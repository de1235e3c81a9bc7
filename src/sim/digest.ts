/** The run digest: 64 bits in two 32-bit lanes over every dispatched event and every trace record. Not cryptographic. */

const LANE_A = 0x9e3779b9 | 0;
const LANE_B = 0x7f4a7c15 | 0;
const MUL_A = 0x85ebca6b | 0;
const MUL_B = 0xc2b2ae35 | 0;
const SPREAD_ODD = 0x27d4eb2f;
const SPREAD_EVEN = 0x165667b2;
const TWO_32 = 0x1_0000_0000;

const FNV_BASIS = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

/** A stable 31-bit hash of a name (FNV-1a over UTF-16 units): the same in every run, whatever was loaded first. */
export function hashName(name: string): number {
  let h = FNV_BASIS;
  for (let i = 0; i < name.length; i++) {
    h = Math.imul(h ^ name.charCodeAt(i), FNV_PRIME);
  }
  return h >>> 1;
}

export class Digest {
  private laneA = LANE_A;
  private laneB = LANE_B;
  private readonly scratch = new Int32Array(4);
  private readonly double = new DataView(new ArrayBuffer(8));

  /** A dispatched event. `ticks` is its time in 1/8 ns. */
  event(ticks: number, handlerHash: number, a: number, b: number): void {
    const scratch = this.scratch;
    const aWord = a | 0;
    const bWord = b | 0;
    if (aWord !== a || bWord !== b) this.doubles(a, b);
    scratch[0] = ticks;
    scratch[1] = (ticks / TWO_32) ^ handlerHash;
    scratch[2] = aWord;
    scratch[3] = bWord;
    this.words(scratch, 0, 4);
  }

  pair(x: number, y: number): void {
    this.scratch[0] = x;
    this.scratch[1] = y;
    this.words(this.scratch, 0, 2);
  }

  /**
   * Words `from` up to `end`, an even number of them. From any state, different pairs lead to different states: both lanes are
   * one-to-one in what they add, and so is the way the pair (x, y) is spread over the two, for one of its factors is even.
   */
  words(source: Int32Array, from: number, end: number): void {
    const imul = Math.imul;
    let laneA = this.laneA;
    let laneB = this.laneB;
    for (let i = from; i < end; i += 2) {
      const x = source[i]!;
      const y = source[i + 1]!;
      laneA = imul(laneA ^ (x + imul(y, SPREAD_ODD)), MUL_A);
      laneA = (laneA << 13) | (laneA >>> 19);
      laneB = imul(laneB + y + imul(x, SPREAD_EVEN), MUL_B);
      laneB ^= (laneB >>> 15) ^ laneA;
    }
    this.laneA = laneA;
    this.laneB = laneB;
  }

  /** Numbers that are no 32-bit integers, by their bit patterns. */
  private doubles(a: number, b: number): void {
    this.bits(a);
    this.bits(b);
  }

  private bits(x: number): void {
    this.double.setFloat64(0, x);
    this.pair(this.double.getInt32(0), this.double.getInt32(4));
  }

  /** 16 hex digits. Reading the digest does not change it. */
  hex(): string {
    const a = finish(this.laneA ^ Math.imul(this.laneB, LANE_A));
    const b = finish(this.laneB ^ Math.imul(a, LANE_B));
    return hex32(a) + hex32(b);
  }
}

function finish(lane: number): number {
  let h = lane;
  h = Math.imul(h ^ (h >>> 16), MUL_A);
  h = Math.imul(h ^ (h >>> 13), MUL_B);
  return h ^ (h >>> 16);
}

function hex32(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, '0');
}
