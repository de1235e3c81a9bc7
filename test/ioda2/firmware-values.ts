/** Values that firmware programs, as far as the behaviour of errors follows from them. Facts: ioda2-phb3 7.3, 8.2. */
const ALL = 0xffff_ffff_ffff_ffffn;

/** The values firmware programs, per trap: LEM, freeze, fence, irq. Facts: ioda2-phb3 7.3. */
export const ENABLES = {
  PHB: [ALL, 0x0000_0000_8080_0000n, 0xffff_ffdd_0c00_ffc0n, 0x0000_0022_80b8_0000n],
  PHB_OUT: [0xfdff_ffff_ffbf_ffffn, 0x0000_4208_0000_0000n, 0x9cf3_bc00_f89c_700fn, 0x600c_42fc_0420_80f0n],
  PHB_INA: [ALL, 0xc000_03a9_0100_6000n, 0x3fff_5452_fe01_9fden, 0xc000_a3a9_0182_6020n],
  PHB_INB: [ALL, 0x0000_6000_0000_0060n, 0xfcff_80fb_ff7f_f08cn, 0x0000_6000_0080_0070n],
} as const;
export type TrapPrefix = keyof typeof ENABLES;
export const TRAPS = Object.keys(ENABLES) as readonly TrapPrefix[];
export const LEM_MASK = 0x4249_8e36_7f50_2eaen;
export const LINK_IRQS = 0xad52_8000_0000_0000n;
