/**
 * Which block each register of set A and B drives: the wiring between software's accesses and the blocks that own the behaviour.
 * Facts: ioda2-phb3 3.2.1, 3.2.4. Error, link and UTL registers attach in their own blocks.
 */
import { fieldMask, getField, hiOf, loOf } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import type { InboundOrder } from '../ioda/inbound-order.js';
import type { IodaAccess } from '../ioda/ioda-access.js';
import type { OutboundRequests } from '../ioda/outbound-requests.js';
import { wireLocks, wireMemoryWindows, wireTables } from '../ioda/register-hooks.js';
import type { DmaTranslation } from './dma-translation.js';
import type { ErrorPipeline } from './error-pipeline.js';
import type { InboundPath } from './inbound.js';
import type { LsiUnit } from './lsi.js';
import type { MsiUnit } from './msi.js';
import type { OutboundWindows } from './outbound-windows.js';
import type { PeState } from './pe-state.js';
import { PHB_REGISTERS, type PhbRegisterName } from './registers/phb.js';
import type { RidToPe } from './rid-to-pe.js';
import type { IodaTableName } from './tables.js';

export interface WiredBlocks {
  readonly registers: RegisterFile<PhbRegisterName>;
  readonly ioda: IodaAccess<IodaTableName>;
  readonly lsi: LsiUnit;
  readonly msi: MsiUnit;
  readonly windows: OutboundWindows;
  readonly ridToPe: RidToPe;
  readonly translation: DmaTranslation;
  readonly peState: PeState;
  readonly errors: ErrorPipeline;
  readonly inbound: InboundPath;
  readonly order: InboundOrder;
  readonly requests: OutboundRequests;
}

const fieldAt = (register: PhbRegisterName, field: string) => PHB_REGISTERS.field(register, field).at;

/** TCE_KILL holds DMA address bits 60:12 in place, so the field is the address but for its low 12 bits. */
const TCE_KILL_ADDRESS = fieldMask(fieldAt('PHB_TCE_KILL', 'ADDRESS'));

export function wireRegisters(blocks: WiredBlocks): void {
  wireTableBars(blocks);
  wireMemoryWindows(blocks.registers, blocks.windows);
  wireInvalidations(blocks);
  wireTables(blocks.registers, blocks.ioda);
  wireLocks(blocks.registers, ['PHB_FFI_LOCK', 'PHB_LOCK0', 'PHB_LOCK1']);
  wireInterrupts(blocks);
  wireConfiguration(blocks);
  wireReadSync(blocks);
  wireQuiesce(blocks);
}

function wireTableBars({ registers, ridToPe, errors, peState, msi }: WiredBlocks): void {
  const base = (name: 'PHB_RTT_BAR' | 'PHB_PELTV_BAR' | 'PHB_PEST_BAR' | 'PHB_IVT_BAR'): number | undefined => {
    if (registers.field(name, 'ENABLE') === 0n) return undefined;
    return Number(registers.get(name) & fieldMask(fieldAt(name, 'BASE')));
  };
  registers.attach('PHB_RTT_BAR', { onWrite: () => ridToPe.setBase(base('PHB_RTT_BAR')) });
  registers.attach('PHB_PELTV_BAR', { onWrite: () => errors.setPeltvBase(base('PHB_PELTV_BAR')) });
  registers.attach('PHB_PEST_BAR', { onWrite: () => peState.setPestBase(base('PHB_PEST_BAR')) });
  registers.attach('PHB_IVT_BAR', {
    onWrite: () => msi.vectors.setTable(base('PHB_IVT_BAR'), Number(registers.field('PHB_IVT_BAR', 'LENGTH'))),
  });
}

function wireInvalidations({ registers, ridToPe, translation, msi }: WiredBlocks): void {
  registers.attach('PHB_RTC_INVALIDATE', {
    onWrite: (value) => {
      if (getField(value, fieldAt('PHB_RTC_INVALIDATE', 'ALL')) === 1n) ridToPe.invalidateAll();
      else ridToPe.invalidate(Number(getField(value, fieldAt('PHB_RTC_INVALIDATE', 'RID'))));
    },
  });
  registers.attach('PHB_TCE_KILL', {
    onWrite: (value) => {
      const asks = (field: string): boolean => getField(value, fieldAt('PHB_TCE_KILL', field)) === 1n;
      const pe = Number(getField(value, fieldAt('PHB_TCE_KILL', 'PE')));
      if (asks('ALL')) translation.invalidateTceAll();
      if (asks('BY_PE')) translation.invalidateTceByPe(pe);
      const page = value & TCE_KILL_ADDRESS;
      if (asks('ONE_PAGE')) translation.invalidateTcePage(pe, hiOf(page), loOf(page));
    },
  });
  registers.attach('PHB_IVC_INVALIDATE', {
    onWrite: (value) => {
      if (getField(value, fieldAt('PHB_IVC_INVALIDATE', 'ALL')) === 1n) msi.vectors.invalidateAll();
      else msi.vectors.invalidate(Number(getField(value, fieldAt('PHB_IVC_INVALIDATE', 'ISN'))));
    },
  });
  registers.attach('PHB_IVC_UPDATE', { onWrite: (value) => msi.vectors.update(value) });
}

function wireInterrupts({ registers, lsi, msi }: WiredBlocks): void {
  registers.attach('PHB_LSI_SOURCE_ID', {
    onWrite: () => lsi.setSourceId(Number(registers.field('PHB_LSI_SOURCE_ID', 'LSI_SOURCE_ID'))),
  });
  registers.attach('PHB_FFI_REQUEST', {
    onWrite: (value) => {
      if (getField(value, fieldAt('PHB_FFI_REQUEST', 'LOCK_CLEAR')) === 1n)
        registers.setField('PHB_FFI_LOCK', 'LOCK', 0n);
      msi.force(Number(getField(value, fieldAt('PHB_FFI_REQUEST', 'ISN'))));
    },
  });
}

function wireConfiguration({ registers, windows, translation, msi, errors }: WiredBlocks): void {
  registers.attach('PHB_PHB3_CONFIG', {
    onWrite: (value) => {
      const on = (field: string): boolean => registers.field('PHB_PHB3_CONFIG', field) === 1n;
      // Firmware writes this bit alone to drop what the TCE cache holds.
      if (value === fieldMask(fieldAt('PHB_PHB3_CONFIG', 'TCE_64B'))) translation.invalidateTceAll();
      windows.setM32Enable(on('M32') ? 'enabled' : 'disabled');
      translation.msi32 = on('MSI_32') ? 'on' : 'off';
      translation.msi64 = on('MSI_64') ? 'on' : 'off';
    },
  });
  registers.attach('PHB_CONTROL', {
    onWrite: () => {
      msi.vectors.setStride(registers.field('PHB_CONTROL', 'IVE_128') === 1n ? 'long' : 'short');
      msi.vectors.setCaching(registers.field('PHB_CONTROL', 'IVC_ENABLE') === 1n ? 'on' : 'off');
      translation.setLowBypass(registers.field('PHB_CONTROL', 'NON_TRANSLATE_32') === 1n ? 'allowed' : 'refused');
    },
  });
  registers.attach('PHB_ERR_INJECT', {
    onWrite: () => void errors.takeInjected(['PHB'], { pe: undefined, summary: 'both' }),
  });
}

/** START reads 1 until all DMA reads that had arrived when it was written have their data; then COMPLETE does (M). */
function wireReadSync({ registers, order }: WiredBlocks): void {
  let mark = 0;
  const bitOf = (field: string): bigint => fieldMask(fieldAt('PHB_DMARD_SYNC', field));
  registers.attach('PHB_DMARD_SYNC', {
    onRead: (stored) => {
      if ((stored & bitOf('START')) === 0n || !order.haveEnded(mark)) return stored;
      registers.set('PHB_DMARD_SYNC', bitOf('COMPLETE'));
      return bitOf('COMPLETE');
    },
    onWrite: (value) => {
      if ((value & bitOf('START')) === 0n) return;
      mark = order.readMark;
      registers.set('PHB_DMARD_SYNC', bitOf('START'));
    },
  });
}

/** Source: qemu pnv_phb3_reg_write: with auto-reset nothing is stored. The idle bits read 1 when idle (M). */
function wireQuiesce({ registers, inbound, requests }: WiredBlocks): void {
  const name = 'PHB_QUIESCE_DMA_G';
  const bitOf = (field: string): bigint => fieldMask(fieldAt(name, field));
  registers.attach(name, {
    onRead: (stored) =>
      stored |
      (inbound.isIdle ? bitOf('DMA_RESPONSE') : 0n) |
      (requests.isIdle ? bitOf('MMIO_RESPONSE') : 0n) |
      bitOf('TCE_RESPONSE'),
    onWrite: (value) => {
      const released = (value & bitOf('AUTORESET')) !== 0n;
      registers.set(name, released ? 0n : value & bitOf('QUIESCE'));
      inbound.setQuiesce(registers.field(name, 'QUIESCE') === 1n ? 'quiesced' : 'running');
    },
  });
}
