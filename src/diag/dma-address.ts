/**
 * What a faulting DMA address tells by itself, for the windows the OS sets up by default.
 * Facts: phb4-diag 4.2, 5.1 row 5; of a P7IOC ioda1-p7ioc 1.3, 4.6, 6.3, 6.4.
 */
import { bit, fieldMask } from '../hw/bits.js';
import type { DiagChip } from './layout.js';

/** PCI address bit 59 (least significant bit = 0) selects the bypass window. */
const BYPASS = fieldMask(bit(63 - 59));
const WINDOW_32BIT_END = 0x8000_0000n;
const SEGMENT_BYTES = 0x1000_0000n;
const MSI_32BIT = 0xffff_0000n;
const END_32BIT = 0x1_0000_0000n;

export interface DmaAddressReading {
  readonly text: string;
  readonly advice: string | undefined;
}

/** How an address leads to a window: the PE and bit 59 choose, or 256 MiB segments do and there is no bypass. */
interface DmaSpace {
  readonly hasBypass: boolean;
  readonly read: (address: bigint) => DmaAddressReading;
}

export function formatAddress(address: bigint): string {
  return `0x${address.toString(16).padStart(address > 0xffff_ffffn ? 16 : 8, '0')}`;
}

const only = (text: string): DmaAddressReading => ({ text, advice: undefined });

function readOfPe(address: bigint): DmaAddressReading {
  if ((address & BYPASS) !== 0n) {
    const physical = formatAddress(address & ~BYPASS);
    return only(
      `The address has bit 59 set: the bypass window, memory address ${physical}. That lies beyond memory, or bypass is off.`,
    );
  }
  if (address < WINDOW_32BIT_END) {
    return only('The address is in the 32-bit window (0 to 2 GiB), where every page must be mapped.');
  }
  return {
    text: 'The address is above the 32-bit window (0 to 2 GiB) but lacks bit 59 of the bypass window: it looks like a memory address whose upper bits the device dropped.',
    advice: 'Boot with iommu=nobypass, or give the driver the DMA mask the device can really do.',
  };
}

/** Segment and TVE have the same number; a PE has a run of them. Behind them come the windows of MMIO, which no TVE covers. */
function readOfSegments(address: bigint): DmaAddressReading {
  if (address < WINDOW_32BIT_END) {
    const number = address / SEGMENT_BYTES;
    const range = `${formatAddress(number * SEGMENT_BYTES)} to ${formatAddress((number + 1n) * SEGMENT_BYTES - 1n)}`;
    return only(
      `The address is in segment ${number} of the eight 256 MiB segments for DMA (${range}): TVE ${number} must be of this PE, and every page must be mapped.`,
    );
  }
  if (address >= END_32BIT) {
    return {
      text: 'The address is above 4 GiB, where this chip has no bypass and Linux sets up no DMA window: it looks like a memory address that was never mapped, or one in the M64 window of a bridge.',
      advice:
        'See that the driver hands its device the addresses that the DMA API gave it: here all of them are below 2 GiB.',
    };
  }
  if (address >= MSI_32BIT) {
    return only(
      'The address is in the last 64 KiB below 4 GiB, which are for MSIs: whatever is no MSI finds no DMA window.',
    );
  }
  return {
    text: 'The address is between 2 and 4 GiB, in the M32 window, where BARs of devices are: Linux sets up no TVE for it, so that no device reaches another one.',
    advice:
      'See that the driver hands its device the addresses that the DMA API gave it: here all of them are below 2 GiB.',
  };
}

const OF_PE: DmaSpace = { hasBypass: true, read: readOfPe };
const SPACES: Readonly<Record<DiagChip, DmaSpace>> = {
  p7ioc: { hasBypass: false, read: readOfSegments },
  phb3: OF_PE,
  phb4: OF_PE,
};

export function readDmaAddress(address: bigint, chip: DiagChip): DmaAddressReading {
  return SPACES[chip].read(address);
}

/** Without a bypass every DMA is translated always. */
export function hasBypass(chip: DiagChip): boolean {
  return SPACES[chip].hasBypass;
}

export type DmaWindowKind = 'bypass' | '32-bit' | 'none';

/** The windows that the OS sets up: 0 to 2 GiB, and bypass where the chip has it. */
export function dmaWindowOf(address: bigint, chip: DiagChip): DmaWindowKind {
  if (hasBypass(chip) && (address & BYPASS) !== 0n) return 'bypass';
  return address < WINDOW_32BIT_END ? '32-bit' : 'none';
}
