/**
 * Registers that the diagnostic data of P7IOC and PHB3 have in common, in the order in which firmware reads them; where
 * they stand in the data is each chip's own. Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_eeh_read_phb_status;
 * skiboot hw/phb3.c: phb3_read_phb_status. Facts: ioda1-p7ioc 9.2, ioda2-phb3 9.2.
 */
import type { Process } from '../sim/process.js';
import { AER, CONFIG, EXPRESS } from './pci-registers.js';
import type { RootCapabilities } from './root-port.js';

/** Only the upper halves hold anything. */
const UTL = [
  ['portStatusReg', 'UTL_PCIE_PORT_STATUS'],
  ['rootCmplxStatus', 'UTL_RC_STATUS'],
  ['busAgentStatus', 'UTL_SYS_BUS_AGENT_STATUS'],
] as const;

const ETU = [
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
] as const;

type DiagRegister = (typeof UTL)[number][1] | (typeof ETU)[number][1];

/** How a bridge reads them while it may be fenced. */
export interface DiagSource {
  readAsb(register: DiagRegister): Process<bigint>;
  /** Configuration space of the root port; ones if it is refused. */
  readRootPort(offset: number, size: 2 | 4): Process<number>;
}

type Fields = Record<string, bigint>;
type ConfigField = readonly [field: string, offset: number, size: 2 | 4];

/** The root port with the registers of its core. */
export function* readCore(source: DiagSource, { express, aer }: RootCapabilities): Process<Fields> {
  const fields: Fields = {};
  fields['brdgCtl'] = BigInt(yield* source.readRootPort(CONFIG.BRIDGE_CONTROL, 2));
  for (const [field, register] of UTL) fields[field] = (yield* source.readAsb(register)) >> 32n;
  const rootPort: readonly ConfigField[] = [
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
  ];
  for (const [field, offset, size] of rootPort) fields[field] = BigInt(yield* source.readRootPort(offset, size));
  return fields;
}

/** Error registers of the bridge itself. */
export function* readErrorRegisters(source: DiagSource): Process<Fields> {
  const fields: Fields = {};
  for (const [field, register] of ETU) fields[field] = yield* source.readAsb(register);
  return fields;
}
