/** OPAL_PCI_RESET. Source: skiboot core/pci-opal.c: opal_pci_reset. Facts: opal-pci 6.2. */
import type { Process } from '../sim/process.js';
import { OpalStatus, ResetAssert, ResetScope, slotIdText } from './opal-api.js';
import type { SlotPlace } from './platform.js';

export interface ResetRequest {
  readonly scope: number;
  readonly assert: number;
}

/** What a scope does; its name is there where the log tells of errors. */
interface Reset {
  readonly run: Process<number> | undefined;
  readonly name?: 'complete' | 'fundamental' | 'hot';
}

/** Milliseconds to wait before the first poll, 0 when done, or a negative code. */
export function* resetSlot(
  place: SlotPlace,
  { scope, assert }: ResetRequest,
  log: (line: string) => void,
): Process<number> {
  if (assert !== ResetAssert.ASSERT && assert !== ResetAssert.DEASSERT) return OpalStatus.PARAMETER;
  const { run, name } = resetOf(place, scope);
  if (run === undefined) return OpalStatus.UNSUPPORTED;
  // Releasing a reset happens by itself.
  if (assert === ResetAssert.DEASSERT) return OpalStatus.SUCCESS;
  const rc = yield* run;
  if (rc < 0 && name !== undefined) log(`SLOT-${slotIdText(place.slot.id)}: Error ${rc} on ${name} reset`);
  return rc;
}

function resetOf({ slot, phb }: SlotPlace, scope: number): Reset {
  const ofPhb = slot.bridge === undefined;
  switch (scope) {
    case ResetScope.PHB_COMPLETE:
      return { run: ofPhb ? slot.completeReset?.() : undefined, name: 'complete' };
    case ResetScope.PCI_FUNDAMENTAL:
      return { run: slot.fundamentalReset?.(), name: 'fundamental' };
    case ResetScope.PCI_HOT:
      return { run: slot.hotReset?.(), name: 'hot' };
    case ResetScope.PHB_ERROR:
      return { run: ofPhb ? phb.resetErrors?.() : undefined };
    case ResetScope.PCI_IODA_TABLE:
      return { run: ofPhb ? phb.resetTables?.() : undefined };
    default:
      return { run: undefined };
  }
}
