/** From the events a dump ends in to the cause types of the report. Facts: vfio-eeh-rtas 5.8.4, phb4-diag 5.1. */
import type { EventClass } from '../events.js';
import type { PeState } from '../pe-roles.js';
import { hasCause } from '../pest.js';
import type { CauseType } from './fault.js';

const TYPE_OF: Readonly<Record<EventClass | 'dump-cut', CauseType>> = {
  dead: 'unknown',
  injected: 'operator-injected',
  'dma-unmapped': 'dma-iommu-fault',
  'dma-refused': 'dma-iommu-fault',
  'dma-permission': 'dma-permission',
  'dma-out-of-window': 'dma-iommu-fault',
  'dma-no-window': 'dma-iommu-fault',
  'dma-window': 'dma-iommu-fault',
  'dma-secure': 'dma-permission',
  'rid-without-pe': 'dma-not-capable',
  'msi-wrong-pe': 'msi-error',
  'msi-malformed': 'msi-error',
  'msi-out-of-range': 'msi-error',
  poisoned: 'pcie-ue',
  'completion-ur': 'unsupported-request',
  'completion-ca': 'completer-abort',
  'completion-error': 'mmio-error',
  'completion-timeout': 'completion-timeout',
  'completion-lost': 'completion-timeout',
  'completion-unexpected': 'pcie-ue',
  'config-write-refused': 'config-error',
  'config-write-timeout': 'completion-timeout',
  'config-request': 'config-error',
  'link-lost': 'link-loss',
  'link-down': 'link-loss',
  'link-stuck': 'link-loss',
  'pcie-core': 'link-loss',
  'message-fatal': 'pcie-ue',
  'message-nonfatal': 'pcie-ue',
  'message-correctable': 'pcie-ce',
  'malformed-tlp': 'pcie-ue',
  'outbound-dropped': 'mmio-error',
  'mmio-no-window': 'mmio-error',
  'memory-timeout': 'dma-timeout',
  'table-bar-disabled': 'internal-error',
  migration: 'internal-error',
  'bad-register-access': 'internal-error',
  'nest-hardware': 'internal-error',
  capp: 'internal-error',
  'forced-fence': 'unknown',
  'nest-fence': 'unknown',
  internal: 'internal-error',
  'software-freeze': 'unknown',
  'link-noise': 'pcie-ce',
  corrected: 'pcie-ce',
  informational: 'unknown',
  'nothing-recorded': 'unknown',
  'dump-cut': 'unknown',
};

export function causeTypeOf(event: EventClass | 'dump-cut', culprit: PeState | undefined): CauseType {
  const config = culprit !== undefined && hasCause(culprit.entry, 'CONFIG_READ', 'CONFIG_WRITE');
  if (event === 'completion-error' && config) return 'config-error';
  return TYPE_OF[event];
}

/** Events whose name already is a guess, however clear the bits are. */
export const GUESSED_EVENTS: readonly (EventClass | 'dump-cut')[] = [
  'pcie-core',
  'internal',
  'completion-error',
  'nest-hardware',
  'link-down',
  'dma-refused',
  'dma-window',
  'memory-timeout',
];
