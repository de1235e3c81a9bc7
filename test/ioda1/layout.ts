/** Where the rig puts windows and tables, and which PE, requester and interrupts its card has. */
import { interruptNumber } from '../../src/ioda1/address-map.js';

export const ONES = 0xffff_ffff_ffff_ffffn;
export const HUB_ID = 1;
export const MWIN1 = 0x3a0_0000_0000;
export const MWIN2 = 0x3d0_0000_0000;
/** The card: bus 1, device 0, function 0. */
export const RID = 0x0100;
export const PE = 5;
export const CATCH_ALL = 127;
export const TCES = 0x50_0000;
export const PAGE_AT = (page: number): number => TCES + 0x10_0000 + page * 4096;
/** DMA window 2, the 256 MiB from 0x20000000, is the card's. */
export const TVE = 2;
export const WINDOW = BigInt(TVE) << 28n;

export const asb = (phb: number): number => MWIN1 + phb * 0x1_0000;
export const aib = (phb: number): number => MWIN1 + 0x8_0000 + phb * 0x1_0000;
export const IO_SEGMENT = 0x1_0000;
export const M32_SEGMENT = 0x100_0000;
export const M64_SEGMENT = 0x1000_0000;
/** Segment of a window of a PHB, where PE n has segment n. */
export const io = (pe: number, offset = 0, phb = 0): number =>
  MWIN1 + 0x100_0000 + phb * 0x80_0000 + pe * IO_SEGMENT + offset;
export const m32 = (pe: number, offset = 0, phb = 0): number =>
  MWIN2 + phb * 0x1_0000_0000 + 0x8000_0000 + pe * M32_SEGMENT + offset;
export const m64 = (pe: number, offset = 0, phb = 0): number =>
  MWIN2 + (phb + 1) * 0x8_0000_0000 + pe * M64_SEGMENT + offset;

export const lsiIrq = (level: number, phb = 0): number => interruptNumber(HUB_ID, 0x40 + 0x40 * phb, level);
export const msiIrq = (vector: number, phb = 0): number =>
  interruptNumber(HUB_ID, 0x60 + 0x40 * phb + (vector >> 4), vector & 15);
export const RGC_IRQ = interruptNumber(HUB_ID, 0x10, 0);
