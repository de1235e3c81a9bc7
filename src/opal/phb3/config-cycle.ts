/**
 * One configuration cycle through CONFIG_ADDRESS and CONFIG_DATA, unchecked.
 * Source: skiboot hw/phb3.c: PHB3_PCI_CFG_READ, PHB3_PCI_CFG_WRITE. Facts: ioda2-phb3 3.5, 6.1.
 */
import { PHB_REGISTERS } from '../../ioda2/registers/phb.js';
import type { Process } from '../../sim/process.js';
import { word } from '../field-words.js';
import { type ConfigTarget, swapped } from '../pci-config.js';
import type { Phb3 } from './phb3.js';

/** CONFIG_ADDRESS of a target, charged to `pe`. */
export function configAddress({ bdfn, offset }: { bdfn: number; offset: number }, pe: number): bigint {
  return word(PHB_REGISTERS, 'PHB_CONFIG_ADDRESS', { ENABLE: 1, BDFN: bdfn, REGISTER: offset, PE: pe });
}

export function* readByMmio(phb: Phb3, target: ConfigTarget): Process<number> {
  const { offset, size } = target;
  yield* phb.access.write('PHB_CONFIG_ADDRESS', configAddress(target, phb.tables.peOf(target.bdfn)));
  const data = yield* phb.port.load(phb.access.addressOf('PHB_CONFIG_DATA') + (offset & 3), size);
  return swapped(Number(data), size);
}

/** The side path moves 8 bytes: the dword stands in the upper half, PCI byte 0 leftmost. */
export function* readByAsb(phb: Phb3, target: ConfigTarget): Process<number> {
  const { offset, size } = target;
  yield* phb.access.writeAsb('PHB_CONFIG_ADDRESS', configAddress(target, phb.tables.peOf(target.bdfn)));
  const data = yield* phb.access.readAsb('PHB_CONFIG_DATA');
  const dword = swapped(Number(data >> 32n), 4);
  return Math.floor(dword / 2 ** (8 * (offset & (4 - size)))) % 2 ** (8 * size);
}

export function* writeByMmio(phb: Phb3, target: ConfigTarget, value: number): Process<void> {
  const { offset, size } = target;
  yield* phb.access.write('PHB_CONFIG_ADDRESS', configAddress(target, phb.tables.peOf(target.bdfn)));
  const data = phb.access.addressOf('PHB_CONFIG_DATA') + (offset & 3);
  yield* phb.port.store(data, size, BigInt(swapped(value, size)));
}
