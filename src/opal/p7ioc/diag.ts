/**
 * The diagnostic data of one P7IOC PHB, collected in the firmware's order. Registers come by the side path, which works
 * while fenced; the root port's configuration space by the fast path unless that is fenced.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_get_diag_data, p7ioc_eeh_read_phb_status. Facts: ioda1-p7ioc 9.2, 12.5.
 */
import { encodeDiagData } from '../../diag/layout.js';
import { P7IOC_LAYOUT } from '../../diag/p7ioc/layout.js';
import { PE_COUNT } from '../../ioda1/tables.js';
import type { Process } from '../../sim/process.js';
import type { FreezeHalf } from '../ioda-door.js';
import { OpalStatus } from '../opal-api.js';
import type { DiagResult } from '../opal-results.js';
import { type DiagSource, readCore, readErrorRegisters } from '../phb-diag.js';
import { ROOT_PORT } from '../root-port.js';
import { configRead } from './config.js';
import { clearErrors } from './error-clear.js';
import { noteNextError } from './hub-errors.js';
import type { P7iocPhb } from './phb.js';

/** A PHB that never came up has none; what is read of its root port is ones anyway. */
const NO_CAPABILITIES = { express: 0, aer: 0 };

/** OPAL_PCI_GET_PHB_DIAG_DATA2 into a buffer of `length` bytes. */
export function* getDiagData(phb: P7iocPhb, length: number): Process<DiagResult> {
  if (length < P7IOC_LAYOUT.totalBytes) return { rc: OpalStatus.PARAMETER, data: new Uint8Array(0) };
  const data = yield* collect(phb);
  // An informational error of the PHB itself, not of the crossbar in front of it, is done with once somebody has seen it.
  const { error } = phb;
  if (error.pending && error.class === 'INF' && error.source.startsWith('PHB')) {
    yield* clearErrors(phb);
    error.setPending(false);
    if (phb.profile.informativeErrors === 'corrected') yield* noteNextError(phb.hub);
  }
  return { rc: OpalStatus.SUCCESS, data };
}

function* collect(phb: P7iocPhb): Process<Uint8Array> {
  const source: DiagSource = {
    readAsb: (register) => phb.access.readAsb(register),
    readRootPort: function* (offset, size) {
      return (yield* configRead(phb, { bdfn: ROOT_PORT, offset, size }, 'side-path')).value;
    },
  };
  const core = yield* readCore(source, phb.rootCapabilities ?? NO_CAPABILITIES);
  const fields = { ...core, ...(yield* readErrorRegisters(source)) };
  const pestA = yield* readPeStates(phb, 'PESTA');
  const pestB = yield* readPeStates(phb, 'PESTB');
  return encodeDiagData(P7IOC_LAYOUT, { fields, pestA, pestB });
}

/** Real firmware selects by one path and reads by the other: behind a fence the selection is lost. */
function* readPeStates({ access, profile }: P7iocPhb, half: FreezeHalf): Process<bigint[]> {
  const states: bigint[] = [];
  yield* access.walkTable(half, profile.fencedPeStates === 'corrected' ? 'asb' : 'aib');
  for (let pe = 0; pe < PE_COUNT; pe++) states.push(yield* access.readEntryAsb());
  return states;
}
