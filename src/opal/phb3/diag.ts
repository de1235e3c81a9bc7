/**
 * The diagnostic data of one PHB3, collected in the firmware's order. Registers come over the ASB, which works while
 * fenced; the root port's configuration space over the AIB unless that is fenced.
 * Source: skiboot hw/phb3.c: phb3_get_diag_data, phb3_read_phb_status. Facts: ioda2-phb3 9.2.
 */
import { encodePhb3DiagData, PHB3_LAYOUT, type Phb3DiagData } from '../../diag/phb3/layout.js';
import { PE_COUNT } from '../../ioda2/pe-state.js';
import type { PhbRegisterName } from '../../ioda2/registers/phb.js';
import type { Process } from '../../sim/process.js';
import { OpalStatus } from '../opal-api.js';
import type { DiagResult } from '../opal-results.js';
import { AER, CONFIG, EXPRESS } from '../pci-registers.js';
import { configRead } from './config.js';
import { clearErrors } from './error-clear.js';
import type { Phb3 } from './phb3.js';
import { ROOT_PORT } from './root-complex.js';
import { PEST_ENTRY_BYTES } from './tables.js';

type Fields = Phb3DiagData['fields'];
type FieldName = keyof Fields & string;
type ConfigField = readonly [field: FieldName, offset: number, size: 2 | 4];
type RegisterField = readonly [field: FieldName, register: PhbRegisterName];

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
  const { express, aer } = phb.rootCapabilities!;
  const fields: Record<string, bigint> = {};
  yield* readRoot(phb, path, fields, [['brdgCtl', CONFIG.BRIDGE_CONTROL, 2]]);
  for (const [field, register] of UTL) fields[field] = (yield* phb.access.readAsb(register)) >> 32n;
  yield* readRoot(phb, path, fields, [
    ['deviceStatus', express + EXPRESS.DEVCTL, 4],
    ['slotStatus', express + EXPRESS.SLTCTL, 4],
    ['linkStatus', express + EXPRESS.LNKCTL, 4],
    ['devCmdStatus', CONFIG.COMMAND, 4],
    ['devSecStatus', CONFIG.SECONDARY_STATUS, 2],
    ['rootErrorStatus', aer + AER.ROOT_ERROR_STATUS, 4],
    ['uncorrErrorStatus', aer + AER.UE_STATUS, 4],
    ['corrErrorStatus', aer + AER.CE_STATUS, 4],
    ['tlpHdr1', aer + AER.HEADER_LOG0, 4],
    ['tlpHdr2', aer + AER.HEADER_LOG1, 4],
    ['tlpHdr3', aer + AER.HEADER_LOG2, 4],
    ['tlpHdr4', aer + AER.HEADER_LOG3, 4],
    ['sourceId', aer + AER.ERROR_SOURCE, 4],
  ]);
  fields['nFir'] = yield* phb.access.readNest('NFIR');
  fields['nFirMask'] = yield* phb.access.readNest('NFIR_MASK');
  fields['nFirWOF'] = yield* phb.access.readNest('NFIR_WOF');
  for (const [field, register] of ETU) fields[field] = yield* phb.access.readAsb(register);
  const pestA = yield* readPest(phb, 'PESTA', 0);
  const pestB = yield* readPest(phb, 'PESTB', 8);
  return { fields: fields, pestA, pestB };
}

function* readRoot(
  phb: Phb3,
  path: 'aib' | 'asb',
  fields: Record<string, bigint>,
  wanted: readonly ConfigField[],
): Process<void> {
  for (const [field, offset, size] of wanted) {
    fields[field] = BigInt((yield* configRead(phb, { bdfn: ROOT_PORT, offset, size }, path)).value);
  }
}

/** Only the upper halves hold anything. */
const UTL: readonly RegisterField[] = [
  ['portStatusReg', 'UTL_PCIE_PORT_STATUS'],
  ['rootCmplxStatus', 'UTL_RC_STATUS'],
  ['busAgentStatus', 'UTL_SYS_BUS_AGENT_STATUS'],
];

const ETU: readonly RegisterField[] = [
  ['phbPlssr', 'PHB_CPU_LOADSTORE_STATUS'],
  ['phbCsr', 'PHB_DMA_CHAN_STATUS'],
  ['lemFir', 'PHB_LEM_FIR_ACCUM'],
  ['lemErrorMask', 'PHB_LEM_ERROR_MASK'],
  ['lemWOF', 'PHB_LEM_WOF'],
  ['phbErrorStatus', 'PHB_ERR_STATUS'],
  ['phbFirstErrorStatus', 'PHB_ERR1_STATUS'],
  ['phbErrorLog0', 'PHB_ERR_LOG_0'],
  ['phbErrorLog1', 'PHB_ERR_LOG_1'],
  ['mmioErrorStatus', 'PHB_OUT_ERR_STATUS'],
  ['mmioFirstErrorStatus', 'PHB_OUT_ERR1_STATUS'],
  ['mmioErrorLog0', 'PHB_OUT_ERR_LOG_0'],
  ['mmioErrorLog1', 'PHB_OUT_ERR_LOG_1'],
  ['dma0ErrorStatus', 'PHB_INA_ERR_STATUS'],
  ['dma0FirstErrorStatus', 'PHB_INA_ERR1_STATUS'],
  ['dma0ErrorLog0', 'PHB_INA_ERR_LOG_0'],
  ['dma0ErrorLog1', 'PHB_INA_ERR_LOG_1'],
  ['dma1ErrorStatus', 'PHB_INB_ERR_STATUS'],
  ['dma1FirstErrorStatus', 'PHB_INB_ERR1_STATUS'],
  ['dma1ErrorLog0', 'PHB_INB_ERR_LOG_0'],
  ['dma1ErrorLog1', 'PHB_INB_ERR_LOG_1'],
];

/** The chip knows whether a PE is frozen, memory knows why. */
function* readPest(phb: Phb3, table: 'PESTA' | 'PESTB', byteInEntry: 0 | 8): Process<bigint[]> {
  const entries: bigint[] = [];
  yield* phb.access.walkTableAsb(table);
  for (let pe = 0; pe < PE_COUNT; pe++) {
    const inMemory = phb.port.memory.read64(phb.tables.addresses.pest + pe * PEST_ENTRY_BYTES + byteInEntry);
    entries.push((yield* phb.access.readEntryAsb()) | inMemory);
  }
  return entries;
}
