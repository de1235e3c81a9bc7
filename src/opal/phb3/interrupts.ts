/**
 * Interrupt vectors: eight levels on the chip, 2040 messages in memory and in the chip's cache of them.
 * Source: skiboot hw/phb3.c: phb3_lsi_set_xive, phb3_msi_set_xive, phb3_pci_msi_check_q, phb3_pci_msi_eoi,
 * phb3_set_ive_pe, phb3_get_msi_32, phb3_get_msi_64, phb3_err_interrupt. Facts: ioda2-phb3 6.4.1, 6.4.4, opal-pci 5.7.
 */
import { ALL_ONES, getField, setField } from '../../hw/bits.js';
import { LSI_ER, LSI_INF } from '../../ioda2/lsi.js';
import { PHB_REGISTERS } from '../../ioda2/registers/phb.js';
import { IODA_TABLES, MEMORY_TABLES } from '../../ioda2/tables.js';
import type { Process } from '../../sim/process.js';
import { word } from '../field-words.js';
import { OpalStatus } from '../opal-api.js';
import type { MsiRequest } from '../opal-requests.js';
import type { MsiMessage, Routing, Xive } from '../opal-results.js';
import { isPe } from './mapping.js';
import type { Phb3 } from './phb3.js';
import { ISN_COUNT, MASKED, MSI_COUNT } from './tables.js';

/** Error levels, which firmware keeps for itself. */
export const FIRMWARE_LSIS = [LSI_INF, LSI_ER] as const;

const { LXIVT } = IODA_TABLES;
const { IVT } = MEMORY_TABLES;
/** Fields of the first doubleword of a vector; the rest of it is unused. */
const iveField = (name: string) => IVT.field(name).at;
const PE_BYTE = 6;
const P_BYTE = 4;
const Q_BYTE = 5;

/** Which source of this PHB a global interrupt number is. */
export function isnOf(phb: Phb3, irq: number): number | undefined {
  const isn = irq - phb.irqBase;
  return isn >= 0 && isn < ISN_COUNT ? isn : undefined;
}

/** OPAL_GET_XIVE: what was set last, not what the chip holds. */
export function getXive(phb: Phb3, isn: number): Xive {
  const isLsi = isn >= MSI_COUNT;
  const cached = isLsi ? phb.tables.lxive[isn - MSI_COUNT]! : phb.tables.ive[isn]!;
  const field = (name: 'SERVER' | 'PRIORITY') =>
    Number(getField(cached, isLsi ? LXIVT.field(name).at : iveField(name)));
  return { rc: OpalStatus.SUCCESS, server: field('SERVER'), priority: field('PRIORITY') };
}

/** OPAL_SET_XIVE. */
export function* setXive(phb: Phb3, isn: number, to: Routing): Process<number> {
  if (phb.broken) return OpalStatus.HARDWARE;
  return yield* isn >= MSI_COUNT ? setLsi(phb, isn - MSI_COUNT, to) : setMsi(phb, isn, to);
}

function routed(vector: bigint, fields: { server: typeof SERVER; priority: typeof SERVER }, to: Routing): bigint {
  return setField(setField(vector, fields.server, BigInt(to.server)), fields.priority, BigInt(to.priority));
}
const SERVER = iveField('SERVER');
const IVE_ROUTING = { server: SERVER, priority: iveField('PRIORITY') };
const LXIVE_ROUTING = { server: LXIVT.field('SERVER').at, priority: LXIVT.field('PRIORITY').at };

function* setLsi(phb: Phb3, lsi: number, to: Routing): Process<number> {
  phb.tables.lxive[lsi] = routed(phb.tables.lxive[lsi]!, LXIVE_ROUTING, to);
  yield* phb.access.selectEntry('LXIVT', lsi);
  const vector = yield* phb.access.readEntry();
  yield* phb.access.writeEntry(routed(vector, LXIVE_ROUTING, to));
  return OpalStatus.SUCCESS;
}

function* setMsi(phb: Phb3, isn: number, to: Routing): Process<number> {
  const { tables, access } = phb;
  tables.ive[isn] = routed(tables.ive[isn]!, IVE_ROUTING, to);
  tables.memory.write32(tables.iveAddress(isn), ((to.server << 8) | to.priority) >>> 0);
  yield* access.write(
    'PHB_IVC_UPDATE',
    update(isn, { ENABLE_SERVER: 1, ENABLE_PRIORITY: 1, SERVER: to.server, PRIORITY: to.priority }),
  );
  if (to.priority !== MASKED) return yield* replayQueued(phb, isn);
  // Whatever was pending is forgotten; the read makes sure the chip has written its last state.
  yield* access.read('PHB_IVC_UPDATE');
  tables.memory.write8(tables.iveAddress(isn) + P_BYTE, 0);
  tables.memory.write8(tables.iveAddress(isn) + Q_BYTE, 0);
  yield* access.write('PHB_IVC_UPDATE', update(isn, { ENABLE_P: 1, ENABLE_Q: 1, ENABLE_GENERATION: 1 }));
  return OpalStatus.SUCCESS;
}

function update(isn: number, fields: Readonly<Record<string, number>>): bigint {
  return word(PHB_REGISTERS, 'PHB_IVC_UPDATE', { ...fields, ISN: isn });
}

/** Presents an interrupt again that came while the last one was in service. */
function* replayQueued(phb: Phb3, isn: number): Process<number> {
  const { tables, access } = phb;
  const queued = (): boolean => (tables.memory.read8(tables.iveAddress(isn) + Q_BYTE) & 1) !== 0;
  if (!queued()) {
    // Any register read flushes what the chip has posted to memory.
    yield* access.read('PHB_IVC_UPDATE');
    if (!queued()) return OpalStatus.SUCCESS;
  }
  if (!(yield* lockForcedInterrupt(phb))) return OpalStatus.SUCCESS;
  tables.memory.write8(tables.iveAddress(isn) + Q_BYTE, 0);
  yield* access.write('PHB_IVC_UPDATE', update(isn, { ENABLE_Q: 1 }));
  yield* access.write('PHB_FFI_REQUEST', word(PHB_REGISTERS, 'PHB_FFI_REQUEST', { LOCK_CLEAR: 1, ISN: isn }));
  return OpalStatus.SUCCESS;
}

/** Real firmware polls without bound; a lock that is never released would hang it, and us, at one instant (M). */
const LOCK_POLLS = 1_000_000;

/** False on a fenced PHB. */
function* lockForcedInterrupt(phb: Phb3): Process<boolean> {
  for (let poll = 0; poll < LOCK_POLLS; poll++) {
    const lock = yield* phb.access.read('PHB_FFI_LOCK');
    if (lock === 0n) return true;
    if (lock === ALL_ONES) return false;
  }
  phb.log('Timeout waiting for the forced interrupt lock');
  return false;
}

/** OPAL_PCI_MSI_EOI: ends the interrupt, and starts the next if one was queued. */
export function* msiEoi(phb: Phb3, irq: number): Process<number> {
  const { tables } = phb;
  if (phb.profile.eoiOwner === 'corrected' && !((isnOf(phb, irq) ?? MSI_COUNT) < MSI_COUNT))
    return OpalStatus.PARAMETER;
  const isn = irq & (ISN_COUNT - 1);
  const at = tables.iveAddress(isn) + P_BYTE;
  const generation = (tables.memory.read8(at) >> 1) & 3;
  const next = (generation + 1) & 3;
  tables.memory.write8(at, next << 1);
  // Conditional: if the entry was dropped and loaded again meanwhile, it carries the new generation already.
  const cleared = { ENABLE_P: 1, ENABLE_GENERATION: 1, CONDITIONAL: 1, MATCH_GENERATION: generation, GENERATION: next };
  yield* phb.access.write('PHB_IVC_UPDATE', update(isn, cleared));
  return yield* replayQueued(phb, isn);
}

/** OPAL_PCI_SET_XIVE_PE: which PE may raise a message interrupt. */
export function* setXivePe(phb: Phb3, pe: number, isn: number): Process<number> {
  const { tables } = phb;
  if (!isPe(pe) || !isIsn(isn)) return OpalStatus.PARAMETER;
  tables.ive[isn] = setField(tables.ive[isn]!, iveField('PE'), BigInt(pe));
  tables.memory.write16(tables.iveAddress(isn) + PE_BYTE, pe);
  yield* phb.access.write('PHB_IVC_INVALIDATE', word(PHB_REGISTERS, 'PHB_IVC_INVALIDATE', { ISN: isn }));
  return OpalStatus.SUCCESS;
}

const isIsn = (isn: number): boolean => Number.isInteger(isn) && isn >= 0 && isn < ISN_COUNT;

const NO_MESSAGE: MsiMessage = { rc: OpalStatus.PARAMETER, address: 0n, data: 0 };

const MSI_32_BASE = 0xffff_0000n;
const MSI_64_BASE = 1n << 60n;
/** The message address holds the source without its low five bits, which stand in the data. */
const SOURCE_IN_DATA = 0x1f;

function msiMessage(base: bigint, { pe, xive: isn, range }: MsiRequest): MsiMessage {
  if (!isPe(pe) || !isIsn(isn) || range !== 1) return NO_MESSAGE;
  const address = base | BigInt((isn & ~SOURCE_IN_DATA) << 4);
  return { rc: OpalStatus.SUCCESS, address, data: isn & SOURCE_IN_DATA };
}

/** OPAL_GET_MSI_32. */
export const getMsi32 = (request: MsiRequest): MsiMessage => msiMessage(MSI_32_BASE, request);
/** OPAL_GET_MSI_64. */
export const getMsi64 = (request: MsiRequest): MsiMessage => msiMessage(MSI_64_BASE, request);

/** One of the error levels fired: what it was is found out when somebody asks. */
export function errorInterrupt(phb: Phb3): void {
  if (phb.profile.errorEventOwner === 'corrected') phb.services.raisePciError(phb.id);
  else phb.services.raisePciError();
  if (!phb.broken) phb.error.pending = true;
}
