/**
 * Latencies of PHB3 inside the chip. No source states them: every figure is a choice unless it says otherwise. These
 * are what a bridge has by default. Outbound request legs belong to the system bus, wires to the link.
 */
import type { Figure } from '../hw/figure.js';
import type { BridgeTiming } from '../ioda/timing.js';
import { ms, us } from '../sim/time.js';

export interface Phb3Timing extends BridgeTiming {
  /** A message interrupt that presentation bounced is presented again; the codes of PHB_INTREP_TIMER are unknown. */
  readonly interruptRepresentNs: Figure;
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
