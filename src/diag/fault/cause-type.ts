/** What can have gone wrong: the words of `--json`. */
export const CAUSE_TYPES = [
  'dma-iommu-fault',
  'dma-permission',
  'dma-not-capable',
  'dma-timeout',
  'mmio-error',
  'config-error',
  'msi-error',
  'link-loss',
  'completion-timeout',
  'unsupported-request',
  'completer-abort',
  'pcie-ue',
  'pcie-ce',
  'internal-error',
  'operator-injected',
  'unknown',
] as const;
export type CauseType = (typeof CAUSE_TYPES)[number];
