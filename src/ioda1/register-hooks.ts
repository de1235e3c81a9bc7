/**
 * Which block each register of set A drives: the wiring between software's accesses and the blocks that own the
 * behaviour. Facts: ioda1-p7ioc 3.9. Error, link and UTL registers attach in their own blocks.
 */
import { fieldMask, getField, hiOf, loOf } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import type { IodaAccess } from '../ioda/ioda-access.js';
import { wireLocks, wireMemoryWindows, wireTables } from '../ioda/register-hooks.js';
import type { DmaTranslation } from './dma-translation.js';
import type { MsiUnit } from './msi.js';
import type { OutboundWindows } from './outbound-windows.js';
import { PHB_REGISTERS, type PhbRegisterName } from './registers/phb.js';
import type { IodaTableName } from './tables.js';

export interface WiredBlocks {
  readonly registers: RegisterFile<PhbRegisterName>;
  readonly ioda: IodaAccess<IodaTableName>;
  readonly msi: MsiUnit;
  readonly windows: OutboundWindows;
  readonly translation: DmaTranslation;
  /** The bus unit ids changed: interrupts that could not get out may now. */
  readonly routingChanged: () => void;
}

const fieldAt = (register: PhbRegisterName, field: string) => PHB_REGISTERS.field(register, field).at;
const TCE_KILL_ADDRESS = fieldMask(fieldAt('PHB_TCE_KILL', 'ADDRESS'));
/** A single TCE is named by the bit below the address field too (M). */
const TCE_KILL_SECOND = 0x8n;

export function wireRegisters(blocks: WiredBlocks): void {
  wireMemoryWindows(blocks.registers, blocks.windows);
  wireIoWindow(blocks);
  wireTceKill(blocks);
  wireTables(blocks.registers, blocks.ioda);
  wireSecondWords(blocks);
  wireLocks(blocks.registers, ['PHB_LOCK0', 'PHB_LOCK1', 'PHB_LOCK2']);
  wireConfiguration(blocks);
  blocks.registers.attach('PHB_BUID', { onWrite: () => blocks.routingChanged() });
}

function wireIoWindow({ registers, windows }: WiredBlocks): void {
  const io = {
    onWrite: () =>
      windows.setIo(
        registers.get('PHB_IO_BASE_ADDR'),
        registers.get('PHB_IO_BASE_MASK'),
        registers.get('PHB_IO_START_ADDR'),
      ),
  };
  for (const name of ['PHB_IO_BASE_ADDR', 'PHB_IO_BASE_MASK', 'PHB_IO_START_ADDR'] as const) registers.attach(name, io);
}

function wireTceKill({ registers, translation }: WiredBlocks): void {
  registers.attach('PHB_TCE_KILL', {
    onWrite: (value) => {
      const pair = getField(value, fieldAt('PHB_TCE_KILL', 'PAIR')) === 1n;
      const address = value & (pair ? TCE_KILL_ADDRESS : TCE_KILL_ADDRESS | TCE_KILL_SECOND);
      if (pair) translation.cache.killPair(hiOf(address), loOf(address));
      else translation.cache.kill(hiOf(address), loOf(address));
    },
  });
}

function wireSecondWords({ registers, ioda }: WiredBlocks): void {
  registers.attach('PHB_IODA_DATA1', { onRead: () => ioda.readSecond(), onWrite: (value) => ioda.writeSecond(value) });
}

function wireConfiguration({ registers, windows, translation, msi }: WiredBlocks): void {
  registers.attach('PHB_PHB2_CONFIG', {
    onWrite: (_, old) => {
      const on = (field: string): boolean => registers.field('PHB_PHB2_CONFIG', field) === 1n;
      const wasOff = getField(old, fieldAt('PHB_PHB2_CONFIG', 'TCE_64B')) === 0n;
      // Off and on again is the only way to drop all that the TCE cache holds.
      if (wasOff && on('TCE_64B')) translation.cache.killAll();
      windows.io.enabled = on('IO');
      windows.m32.enabled = on('M32');
      msi.msi32 = on('MSI_32') ? 'on' : 'off';
      msi.msi64 = on('MSI_64') ? 'on' : 'off';
    },
  });
}
