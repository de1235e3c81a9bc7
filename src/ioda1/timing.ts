/**
 * Latencies of P7IOC inside the chip. No source states them: every figure is a choice unless it says otherwise.
 * Facts: ioda1-p7ioc 10. Outbound request legs belong to the system bus, wires to the link.
 */
import type { BridgeTiming } from '../ioda/timing.js';
import { ms, us } from '../sim/time.js';

export type P7iocTiming = BridgeTiming;

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
