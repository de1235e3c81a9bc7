/**
 * The diagnostic data of one PHB3, collected in the firmware's order. Registers come over the ASB, which works while
 * fenced; the root port's configuration space over the AIB unless that is fenced.
 * Source: skiboot hw/phb3.c: phb3_get_diag_data, phb3_read_phb_status. Facts: ioda2-phb3 9.2.
 */
import { encodePhb3DiagData, PHB3_LAYOUT, type Phb3DiagData } from '../../diag/phb3/layout.js';
import { PE_COUNT } from '../../ioda2/pe-state.js';
import type { Process } from '../../sim/process.js';
import { OpalStatus } from '../opal-api.js';
import type { DiagResult } from '../opal-results.js';
import { type DiagSource, readCore, readErrorRegisters } from '../phb-diag.js';
import { ROOT_PORT } from '../root-port.js';
import { configRead } from './config.js';
import { clearErrors } from './error-clear.js';
import type { Phb3 } from './phb3.js';
import { PEST_ENTRY_BYTES } from './tables.js';

/** OPAL_PCI_GET_PHB_DIAG_DATA2 into a buffer of `length` bytes. */
export function* getDiagData(phb: Phb3, length: number): Process<DiagResult> {
  const nothing = new Uint8Array(0);
  if (length < PHB3_LAYOUT.totalBytes) return { rc: OpalStatus.PARAMETER, data: nothing };
  if (phb.broken) return { rc: OpalStatus.HARDWARE, data: nothing };
  const fenced = yield* phb.checkFence();
  const data = encodePhb3DiagData(yield* collect(phb, fenced ? 'asb' : 'aib'));
  // An informational error is done with once somebody has seen it.
  if (phb.error.pending && phb.error.class === 'inf') {
    yield* clearErrors(phb);
    phb.clearError();
  }
  return { rc: OpalStatus.SUCCESS, data };
}

function* collect(phb: Phb3, path: 'aib' | 'asb'): Process<Phb3DiagData> {
  const { access } = phb;
  const source: DiagSource = {
    readAsb: (register) => access.readAsb(register),
    readRootPort: function* (offset, size) {
      return (yield* configRead(phb, { bdfn: ROOT_PORT, offset, size }, path)).value;
    },
  };
  const core = yield* readCore(source, phb.rootCapabilities!);
  const nest = {
    nFir: yield* access.readNest('NFIR'),
    nFirMask: yield* access.readNest('NFIR_MASK'),
    nFirWOF: yield* access.readNest('NFIR_WOF'),
  };
  const fields = { ...core, ...nest, ...(yield* readErrorRegisters(source)) };
  const pestA = yield* readPest(phb, 'PESTA', 0);
  const pestB = yield* readPest(phb, 'PESTB', 8);
  return { fields, pestA, pestB };
}

/** The chip knows whether a PE is frozen, memory knows why. */
function* readPest(phb: Phb3, table: 'PESTA' | 'PESTB', byteInEntry: 0 | 8): Process<bigint[]> {
  const { access, port, tables } = phb;
  const entries: bigint[] = [];
  yield* access.walkTableAsb(table);
  for (let pe = 0; pe < PE_COUNT; pe++) {
    const inMemory = port.memory.read64(tables.addresses.pest + pe * PEST_ENTRY_BYTES + byteInEntry);
    // As `readAsb`, without a process of its own for each of 512 entries.
    yield* access.selectAsb('PHB_IODA_DATA0');
    entries.push((yield* access.readSpci('ASB_DATA')) | inMemory);
  }
  return entries;
}
