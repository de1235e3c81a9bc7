/**
 * What went wrong last: on the hub, with the PHB, in a PE.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_eeh_next_error. Facts: ioda1-p7ioc 7.7, opal-pci 7.2.
 */
import { msbMask } from '../../hw/bits.js';
import { UNCORRECTABLE } from '../../pcie/aer-capability.js';
import type { Process } from '../../sim/process.js';
import { firstFrozen } from '../ioda-door.js';
import { OpalStatus, PciError, Severity } from '../opal-api.js';
import { type NextError, NO_ERROR } from '../opal-results.js';
import { AER } from '../pci-registers.js';
import { ROOT_PORT } from '../root-port.js';
import { readConfig } from './config.js';
import { notePeError, readEvents } from './eeh.js';
import { checkHub } from './hub-errors.js';
import type { P7iocPhb } from './phb.js';

/** LEM bit of the core: with a malformed packet behind it the whole PHB is lost. */
const LEM_CORE = msbMask(60);

const phbError = (severity: Severity): NextError => ({ ...NO_ERROR, errorType: PciError.PHB, severity });

/** OPAL_PCI_NEXT_ERROR. */
export function* nextError(phb: P7iocPhb): Process<NextError> {
  const ofHub = yield* checkHub(phb.hub);
  if (ofHub !== undefined) return ofHub;
  if (phb.broken) return phbError(Severity.PHB_DEAD);
  const { error } = phb;
  if (yield* phb.isFenced()) {
    error.setPending(false);
    return phbError(Severity.PHB_FENCED);
  }
  if (!error.pending && (yield* readEvents(phb)).some((word) => word !== 0n)) notePeError(phb);
  if (!error.pending) return NO_ERROR;
  if (error.class === 'ER' && (yield* malformedPacket(phb))) error.class = 'PHB';
  switch (error.class) {
    case 'ER':
      return yield* frozenPeError(phb);
    case 'PHB':
      error.setPending(false);
      return phbError(Severity.PHB_FENCED);
    case 'INF':
    case 'MAL':
      if (!awaitsDiagData(phb)) error.setPending(false);
      return phbError(Severity.INF);
    default:
      error.setPending(false);
      return NO_ERROR;
  }
}

/** The call for diagnostic data looks at what is pending; real firmware has nothing left for it. */
const awaitsDiagData = ({ error, profile, unit }: P7iocPhb): boolean =>
  profile.informativeErrors === 'corrected' && error.source === unit;

function* malformedPacket(phb: P7iocPhb): Process<boolean> {
  const fir = yield* phb.access.readAsb('PHB_LEM_FIR_ACCUM');
  if ((fir & LEM_CORE) === 0n || phb.rootCapabilities === undefined) return false;
  const uncorrectable = yield* readConfig(phb, ROOT_PORT, phb.rootCapabilities.aer + AER.UE_STATUS, 4);
  return (uncorrectable & UNCORRECTABLE.MALFORMED_TLP) !== 0;
}

function* frozenPeError(phb: P7iocPhb): Process<NextError> {
  const frozen = firstFrozen(yield* readEvents(phb));
  if (frozen === undefined) {
    phb.error.setPending(false);
    return NO_ERROR;
  }
  return {
    rc: OpalStatus.SUCCESS,
    firstFrozenPe: BigInt(frozen),
    errorType: PciError.PE,
    severity: Severity.PE_ER,
  };
}
