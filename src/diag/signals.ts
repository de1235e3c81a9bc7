/**
 * What an error bit says in the language of both chips, so that one set of rules reads PHB3 and PHB4 dumps.
 * Facts: phb4-diag 5.1 and 5.2, ioda2-phb3 7.6.
 */

/** Bits that can be the reason for a freeze or a fence. */
export const CAUSE_SIGNALS = [
  'injected',
  'tce-permission',
  'dma-no-window',
  'dma-out-of-window',
  'dma-window',
  'dma-secure',
  'rid-without-pe',
  'msi-wrong-pe',
  'msi-malformed',
  'msi-out-of-range',
  'poisoned',
  'completion-ur',
  'completion-ca',
  'completion-failed',
  'completion-timeout',
  'completion-lost',
  'completion-unexpected',
  'config-write-refused',
  'config-write-timeout',
  'config-request',
  'link-lost',
  'link-stuck',
  'pcie-core',
  'message-fatal',
  'message-nonfatal',
  'message-correctable',
  'malformed-tlp',
  'outbound-dropped',
  'mmio-no-window',
  'memory-timeout',
  'table-bar-disabled',
  'migration',
  'bad-register-access',
  'nest-hardware',
  'capp',
  'forced-fence',
  'internal',
] as const;
export type CauseSignal = (typeof CAUSE_SIGNALS)[number];

/** Bits that accompany a cause: they point on, repeat it, or only count. */
export type SideSignal =
  | 'summary' // points to another register
  | 'fence-echo' // set by every fence, whoever started it
  | 'refusal-echo' // the bridge answered a refused DMA read
  | 'ur-marker' // a packet was flagged unsupported; comes with completion-ur
  | 'link-noise'
  | 'link-retrain'
  | 'link-up'
  | 'corrected'
  | 'informational';

export type Signal = CauseSignal | SideSignal;

const CAUSES: ReadonlySet<string> = new Set(CAUSE_SIGNALS);

export function isCause(signal: Signal): signal is CauseSignal {
  return CAUSES.has(signal);
}
