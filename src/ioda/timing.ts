/** The latencies inside a bridge; their values are each chip's own. */
import type { Figure } from '../hw/figure.js';
import type { MemoryTiming } from './dma-movement.js';
import type { RequestTiming } from './outbound-requests.js';

export interface BridgeTiming extends MemoryTiming, RequestTiming {
  /** From a request's arrival to its translation being usable, when all it needs is cached. */
  readonly inboundPipelineNs: Figure;
  /** One doubleword of a table from memory. */
  readonly tableFetchNs: Figure;
  /** Request timer of the core, for loads and configuration requests without completion. */
  readonly outboundTimeoutNs: Figure;
  /** From the release of the core resets to DL_PGRESET reading 0. */
  readonly coreResetNs: Figure;
  /** A change of the link's width, from the command until it is done. */
  readonly widthChangeNs: Figure;
}
