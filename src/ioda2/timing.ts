/**
 * Latencies of PHB3 inside the chip. No source states them: every figure is a choice unless it says otherwise. These
 * are what a bridge has by default. Outbound request legs belong to the system bus, wires to the link.
 */
import type { Figure } from '../hw/figure.js';
import { ms, us } from '../sim/time.js';

export interface Phb3Timing {
  /** From a request's arrival to its translation being usable, when RID and page are cached. */
  readonly inboundPipelineNs: Figure;
  /** One doubleword of a table (RTE, TCE, IVE) from memory. */
  readonly tableFetchNs: Figure;
  /** Data of a DMA read from memory. */
  readonly memoryReadNs: Figure;
  /** A posted DMA write until other bus masters see it. */
  readonly memoryWriteNs: Figure;
  /** UTL request timer for loads and configuration requests without completion. */
  readonly outboundTimeoutNs: Figure;
  /** The ETU's own wait for the core's answer; firmware keeps the core's timer shorter. */
  readonly completionTableNs: Figure;
  /** Pause before a configuration request that was answered with CRS is sent again, where CRS is not visible to software. */
  readonly crsRetryNs: Figure;
  /** A message interrupt that presentation bounced is presented again; the codes of PHB_INTREP_TIMER are unknown. */
  readonly interruptRepresentNs: Figure;
  /** A change of the link's width, from the command until it is done. */
  readonly widthChangeNs: Figure;
  /** From the release of the core resets to DL_PGRESET reading 0. */
  readonly coreResetNs: Figure;
}

export const PHB3_TIMING: Phb3Timing = {
  inboundPipelineNs: { value: 60, known: 'assumed', source: '(M)' },
  tableFetchNs: { value: 180, known: 'assumed', source: '(M)' },
  memoryReadNs: { value: 220, known: 'assumed', source: '(M)' },
  memoryWriteNs: { value: 120, known: 'assumed', source: '(M)' },
  outboundTimeoutNs: { value: ms(16), known: 'stated', source: 'skiboot hw/phb3.c: phb3_init_utl (Init_82, value 7)' },
  completionTableNs: { value: ms(32), known: 'assumed', source: '(M) longer than the request timer of the core' },
  crsRetryNs: { value: us(100), known: 'assumed', source: '(M)' },
  interruptRepresentNs: { value: ms(1), known: 'assumed', source: '(M)' },
  widthChangeNs: {
    value: ms(10),
    known: 'assumed',
    source: '(M) skiboot hw/phb3.c: phb3_link_update looks every 1 ms, gives it 10 ms to begin and 100 ms to end',
  },
  coreResetNs: {
    value: ms(1),
    known: 'assumed',
    source: 'skiboot hw/phb3.c: phb3_wait_dlp_reset polls for it, up to 0.4 s',
  },
};
