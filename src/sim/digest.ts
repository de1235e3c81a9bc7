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
  private readonly double = new DataView(new ArrayBuffer(8));

  /** A dispatched event. `ticks` is its time in 1/8 ns. */
  event(ticks: number, handlerHash: number, a: number, b: number): void {
    this.pair(ticks | 0, ((ticks / TWO_32) | 0) ^ handlerHash);
    const aWord = a | 0;
    const bWord = b | 0;
    if (aWord === a && bWord === b) {
      this.pair(aWord, bWord);
    } else {
      this.number(a);
      this.number(b);
    }
  }

  /** Four pairs of words, as `pair` would take them one by one. */
  record(p: number, q: number, a: number, b: number, c: number, d: number, e: number, f: number): void {
    let laneA = stepA(this.laneA, spreadA(p, q));
    let laneB = stepB(this.laneB, spreadB(p, q), laneA);
    laneA = stepA(laneA, spreadA(a, b));
    laneB = stepB(laneB, spreadB(a, b), laneA);
    laneA = stepA(laneA, spreadA(c, d));
    laneB = stepB(laneB, spreadB(c, d), laneA);
    laneA = stepA(laneA, spreadA(e, f));
    this.laneB = stepB(laneB, spreadB(e, f), laneA);
    this.laneA = laneA;
  }

  /** Two words: from any state, different pairs lead to different states. */
  pair(x: number, y: number): void {
    this.laneA = stepA(this.laneA, spreadA(x, y));
    this.laneB = stepB(this.laneB, spreadB(x, y), this.laneA);
  }

  /** Any double, by its bit pattern. */
  private number(x: number): void {
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

// (x, y) to (spreadA, spreadB) is one-to-one, for one of the factors is even: no pair of words is lost, and both words reach both
// lanes without one having to wait for the other.
function spreadA(x: number, y: number): number {
  return (x + Math.imul(y, SPREAD_ODD)) | 0;
}

function spreadB(x: number, y: number): number {
  return (y + Math.imul(x, SPREAD_EVEN)) | 0;
}

function stepA(lane: number, word: number): number {
  const mixed = Math.imul(lane ^ word, MUL_A);
  return (mixed << 13) | (mixed >>> 19);
}

function stepB(lane: number, word: number, laneA: number): number {
  const mixed = Math.imul((lane + word) | 0, MUL_B);
  return mixed ^ (mixed >>> 15) ^ laneA;
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
