/**
 * The register interface of the network card, as data: BAR0, and the descriptors of its rings. The card is invented;
 * it behaves as such cards do. Little-endian throughout.
 *
 * A ring is an array of 16-byte descriptors in host memory. The driver fills descriptors and writes TAIL (the index
 * after the last one it filled); the card works from HEAD up to TAIL and writes the status of each when it is done.
 */
import type { ConfigLayout } from './config-space.js';

export const NIC_CAUSE = { RECEIVED: 0x01, SENT: 0x02, LINK: 0x04, DMA_ERROR: 0x08, OVERRUN: 0x10 } as const;
export const NIC_CONTROL = { RECEIVE: 0x1, TRANSMIT: 0x2, RESET: 0x4 } as const;
export const NIC_STATUS = { LINK_UP: 0x1, RECEIVE_HALTED: 0x2, TRANSMIT_HALTED: 0x4 } as const;

const ALL = 0xffff_ffff;
const ALL_CAUSES = 0x1f;
export const NIC_ID = 0x3143_494e;
export const MAX_RING = 4096;

export type NicRegister =
  | 'CONTROL'
  | 'STATUS'
  | 'CAUSE'
  | 'MASK'
  | 'SCRATCH'
  | 'ID'
  | `${'RX' | 'TX'}_${'RING_LO' | 'RING_HI' | 'RING_SIZE' | 'HEAD' | 'TAIL'}`
  | 'RX_FRAMES'
  | 'RX_DROPPED'
  | 'TX_FRAMES'
  | 'DMA_ERRORS';

export const NIC_REGISTERS: ConfigLayout<NicRegister> = {
  CONTROL: {
    at: 0x00,
    size: 4,
    writable: 0x7,
    fields: NIC_CONTROL,
    about: 'receive on, transmit on, reset (clears itself)',
  },
  STATUS: { at: 0x04, size: 4, fields: NIC_STATUS, about: 'network link; rings halted by a DMA error, until reset' },
  CAUSE: { at: 0x08, size: 4, writeOneClears: ALL_CAUSES, fields: NIC_CAUSE, about: 'what happened; write 1 to clear' },
  MASK: { at: 0x0c, size: 4, writable: ALL_CAUSES, fields: NIC_CAUSE, about: 'causes that interrupt (1 = does)' },
  SCRATCH: { at: 0x10, size: 4, writable: ALL, about: 'storage for software' },
  ID: { at: 0x14, size: 4, reset: NIC_ID, about: 'the letters NIC1' },
  RX_RING_LO: { at: 0x20, size: 4, writable: 0xffff_fff0, about: 'bus address of the receive ring' },
  RX_RING_HI: { at: 0x24, size: 4, writable: ALL, about: 'bus address of the receive ring, upper half' },
  RX_RING_SIZE: { at: 0x28, size: 4, writable: 0x1fff, about: 'descriptors in the ring, 0 = no ring, at most 4096' },
  RX_HEAD: { at: 0x2c, size: 4, about: 'next descriptor the card will use' },
  RX_TAIL: { at: 0x30, size: 4, writable: 0xfff, about: 'doorbell: first descriptor the card may not use' },
  TX_RING_LO: { at: 0x40, size: 4, writable: 0xffff_fff0, about: 'bus address of the transmit ring' },
  TX_RING_HI: { at: 0x44, size: 4, writable: ALL, about: 'bus address of the transmit ring, upper half' },
  TX_RING_SIZE: { at: 0x48, size: 4, writable: 0x1fff, about: 'descriptors in the ring, 0 = no ring, at most 4096' },
  TX_HEAD: { at: 0x4c, size: 4, about: 'next descriptor the card will send' },
  TX_TAIL: { at: 0x50, size: 4, writable: 0xfff, about: 'doorbell: first descriptor the card may not use' },
  RX_FRAMES: { at: 0x60, size: 4, about: 'frames written to memory' },
  RX_DROPPED: { at: 0x64, size: 4, about: 'frames dropped for want of a descriptor' },
  TX_FRAMES: { at: 0x68, size: 4, about: 'frames sent' },
  DMA_ERRORS: { at: 0x6c, size: 4, about: 'DMA reads that failed' },
};

/** A descriptor: address (8), length (4), status (4). */
export const DESCRIPTOR_BYTES = 16;
export const DESCRIPTOR_LENGTH_AT = 8;
export const DESCRIPTOR_STATUS_AT = 12;
export const DESCRIPTOR_DONE = 0x1;

export const NIC_REGISTER_BAR = 0;
export const NIC_REGISTER_BYTES = 0x4000;
/** On-card packet memory, plain storage. */
export const NIC_MEMORY_BAR = 2;
export const NIC_MEMORY_BYTES = 0x1_0000;
