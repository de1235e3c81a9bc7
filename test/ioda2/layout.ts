/** Where the rig puts tables and windows, and which PE, requester and interrupts its card has. */
export const ONES = 0xffff_ffff_ffff_ffffn;
export const RTT = 0x10_0000;
export const PELTV = 0x20_0000;
export const PEST = 0x21_0000;
export const IVT = 0x40_0000;
export const TCES = 0x50_0000;
/** The card: bus 1, device 0, function 0. */
export const RID = 0x0100;
export const PE = 5;
export const RESERVED_PE = 255;
export const IRQ_BASE = 0x0800;
export const LSI_IRQ = IRQ_BASE + 0x7f8;
export const M32_BASE = 0x3fe0_0000_0000;
export const M64_BASE = 0x3b00_0000_0000;
export const M64_SEGMENT = 2 ** 28;
export const M32_SEGMENT = 2 ** 23;

export const PAGE_AT = (page: number): number => TCES + 0x10_0000 + page * 4096;

/** Segment of an M32 or M64 window, where PE n has segment n. */
export const m32 = (pe: number, offset = 0): number => M32_BASE + pe * M32_SEGMENT + offset;
export const m64 = (pe: number, offset = 0): number => M64_BASE + pe * M64_SEGMENT + offset;
