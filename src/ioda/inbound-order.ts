/**
 * When requests from below take effect in memory: in the order of their arrival, so a posted write is never overtaken, and
 * how far they have got. Facts: ioda2-phb3 3.1 (ordering), 6.7; PCI Express base specification 2.4.1.
 */
import type { Simulator } from '../sim/simulator.js';
import type { TimeNs } from '../sim/time.js';

export class InboundOrder {
  readonly #sim: Simulator;
  readonly #pipelineNs: TimeNs;
  #lastEffectNs: TimeNs = 0;
  #lastPostedNs: TimeNs = 0;
  #readsStarted = 0;
  #readsEnded = 0;

  constructor(sim: Simulator, pipelineNs: TimeNs) {
    this.#sim = sim;
    this.#pipelineNs = pipelineNs;
  }

  /** Time at which a posted write or message that arrives now takes effect. */
  posted(workNs: TimeNs): TimeNs {
    this.#lastPostedNs = this.#effect(workNs);
    return this.#lastPostedNs;
  }

  /** Time at which a read that arrives now has its data. */
  read(workNs: TimeNs): TimeNs {
    this.#readsStarted++;
    return this.#effect(workNs);
  }

  #effect(workNs: TimeNs): TimeNs {
    this.#lastEffectNs = Math.max(this.#lastEffectNs, this.#sim.now + this.#pipelineNs + workNs);
    return this.#lastEffectNs;
  }

  /** From then on memory shows all that was posted so far. */
  get postedLandNs(): TimeNs {
    return this.#lastPostedNs;
  }

  readEnded(): void {
    this.#readsEnded++;
  }

  /** Names the reads that have arrived so far, for `haveEnded`. */
  get readMark(): number {
    return this.#readsStarted;
  }

  /** True when all reads up to the mark have their data. Reads end in order. */
  haveEnded(readMark: number): boolean {
    return this.#readsEnded >= readMark;
  }
}
