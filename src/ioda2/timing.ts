/**
 * Latencies of PHB3 inside the chip. No source states them: every figure is a choice unless it says otherwise, and
 * stands here and nowhere else. Outbound request legs belong to the system bus, wires to the link.
 */

import type { Known } from '../hw/register.js';
import { ms, type TimeNs, us } from '../sim/time.js';

export interface TimingFigure {
  readonly ns: TimeNs;
  readonly known: Known;
  readonly source: string;
}

export const PHB3_TIMING = {
  /** From a request's arrival to its translation being usable, when RID and page are cached. */
  inboundPipeline: { ns: 60, known: 'assumed', source: '(M)' },
  /** One doubleword of a table (RTE, TCE, IVE) from memory. */
  tableFetch: { ns: 180, known: 'assumed', source: '(M)' },
  /** Data of a DMA read from memory. */
  memoryRead: { ns: 220, known: 'assumed', source: '(M)' },
  /** A posted DMA write until other bus masters see it. */
  memoryWrite: { ns: 120, known: 'assumed', source: '(M)' },
  /** UTL request timer for loads and configuration requests without completion. */
  outboundTimeout: { ns: ms(16), known: 'stated', source: 'skiboot hw/phb3.c: phb3_init_utl (Init_82, value 7)' },
  /** The ETU's own wait for the core's answer; firmware keeps the core's timer shorter. */
  completionTable: { ns: ms(32), known: 'assumed', source: '(M) longer than the request timer of the core' },
  /** Pause before a configuration request that was answered with CRS is sent again, where CRS is not visible to software. */
  crsRetry: { ns: us(100), known: 'assumed', source: '(M)' },
  /** A message interrupt that presentation bounced is presented again; the codes of PHB_INTREP_TIMER are unknown. */
  interruptRepresent: { ns: ms(1), known: 'assumed', source: '(M)' },
  /** A change of the link's width, from the command until it is done. */
  widthChange: {
    ns: ms(10),
    known: 'assumed',
    source: '(M) skiboot hw/phb3.c: phb3_link_update looks every 1 ms, gives it 10 ms to begin and 100 ms to end',
  },
  /** From the release of the core resets to DL_PGRESET reading 0. */
  coreReset: {
    ns: ms(1),
    known: 'assumed',
    source: 'skiboot hw/phb3.c: phb3_wait_dlp_reset polls for it, up to 0.4 s',
  },
} as const satisfies Record<string, TimingFigure>;
