/** What a faulting DMA address tells by itself, for the windows the OS sets up by default. Facts: phb4-diag 4.2, 5.1 row 5. */
import { bit, fieldMask } from '../hw/bits.js';

/** PCI address bit 59 (least significant bit = 0) selects the bypass window. */
const BYPASS = fieldMask(bit(63 - 59));
const WINDOW_32BIT_END = 0x8000_0000n;

export interface DmaAddressReading {
  readonly kind: 'bypass' | 'upper-bits-lost' | '32-bit';
  readonly text: string;
  readonly advice: string | undefined;
}

export function formatAddress(address: bigint): string {
  return `0x${address.toString(16).padStart(address > 0xffff_ffffn ? 16 : 8, '0')}`;
}

export function readDmaAddress(address: bigint): DmaAddressReading {
  if ((address & BYPASS) !== 0n) {
    const physical = formatAddress(address & ~BYPASS);
    return {
      kind: 'bypass',
      text: `The address has bit 59 set: the bypass window, memory address ${physical}. That lies beyond memory, or bypass is off.`,
      advice: undefined,
    };
  }
  if (address >= WINDOW_32BIT_END) {
    return {
      kind: 'upper-bits-lost',
      text: 'The address is above the 32-bit window (0 to 2 GiB) but lacks bit 59 of the bypass window: it looks like a memory address whose upper bits the device dropped.',
      advice: 'Boot with iommu=nobypass, or give the driver the DMA mask the device can really do.',
    };
  }
  return {
    kind: '32-bit',
    text: 'The address is in the 32-bit window (0 to 2 GiB), where every page must be mapped.',
    advice: undefined,
  };
}
