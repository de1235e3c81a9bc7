/**
 * Latencies of P7IOC inside the chip. No source states them: every figure is a choice unless it says otherwise.
 * Facts: ioda1-p7ioc 10. Outbound request legs belong to the system bus, wires to the link.
 */
import type { Figure } from '../hw/figure.js';
import { ms, us } from '../sim/time.js';

export interface P7iocTiming {
  /** From a request's arrival to its translation being usable, when the TCE is cached. */
  readonly inboundPipelineNs: Figure;
  /** One TCE from memory, through crossbar and GX. */
  readonly tableFetchNs: Figure;
  /** Data of a DMA read from memory. */
  readonly memoryReadNs: Figure;
  /** A posted DMA write until other bus masters see it. */
  readonly memoryWriteNs: Figure;
  /** Loads and configuration requests without completion. */
  readonly outboundTimeoutNs: Figure;
  /** The ETU's own wait for the core's answer. */
  readonly completionTableNs: Figure;
  /** Pause before a configuration request that was answered with CRS is sent again. */
  readonly crsRetryNs: Figure;
  /** From the release of the core resets to DL_PGRESET reading 0. */
  readonly coreResetNs: Figure;
  /** A change of the link's width, from the command until it is done. */
  readonly widthChangeNs: Figure;
}

const CHOSEN = { known: 'assumed', source: '(M)' } as const;

export const P7IOC_TIMING: P7iocTiming = {
  inboundPipelineNs: { value: 100, ...CHOSEN },
  tableFetchNs: { value: 400, ...CHOSEN },
  memoryReadNs: { value: 500, ...CHOSEN },
  memoryWriteNs: { value: 300, ...CHOSEN },
  outboundTimeoutNs: { value: ms(16), ...CHOSEN },
  completionTableNs: { value: ms(32), known: 'assumed', source: '(M) longer than the timer of the core' },
  crsRetryNs: { value: us(100), ...CHOSEN },
  coreResetNs: {
    value: us(500),
    known: 'assumed',
    source: '(M) skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_wait_dlp_reset polls every 1 ms, 400 times',
  },
  widthChangeNs: { value: ms(10), ...CHOSEN },
};
