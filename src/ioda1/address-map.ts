/** Where hub, PHB registers and windows stand from the two ranges that the GX controller gives the hub. Facts: ioda1-p7ioc 1.3. */

/** GX BAR 1: hub registers, PHB registers, IO windows. */
export const MWIN1_BYTES = 0x2_0000_0000;
/** GX BARs 2 to 4 together: M32 and M64 windows. */
export const MWIN2_BYTES = 0x60_0000_0000;

/** Both register windows of a PHB. */
export const PHB_WINDOW_BYTES = 0x1_0000;
/** The side path: hard-wired, works while a PHB is fenced. */
export const asbOffset = (phb: number): number => PHB_WINDOW_BYTES * phb;
/** The fast path, as firmware programs it. */
export const aibOffset = (phb: number): number => 0x8_0000 + PHB_WINDOW_BYTES * phb;

/** Of what firmware gives each PHB; sizes are those of the windows, M32 half of the range it has. */
export const IO_WINDOW = { bytes: 0x80_0000, offset: (phb: number): number => 0x0100_0000 + 0x80_0000 * phb };
export const M32_RANGE_BYTES = 0x1_0000_0000;
export const M32_WINDOW = {
  bytes: 0x8000_0000,
  offset: (phb: number): number => M32_RANGE_BYTES * phb + 0x8000_0000,
  pciStart: 0x8000_0000,
};
export const M64_WINDOW = { bytes: 0x8_0000_0000, offset: (phb: number): number => 0x8_0000_0000 * (phb + 1) };

/** BUIDs of a hub, as firmware programs them; nine bits. Facts: ioda1-p7ioc 1.5. */
export const BUID = {
  rgc: 0x010,
  lsi: (phb: number): number => 0x040 + 0x40 * phb,
  msi: (phb: number): number => 0x060 + 0x40 * phb,
} as const;

const BUID_SHIFT = 4;
const HUB_SHIFT = 13;
export const BUID_BITS = 9;

/** Number of an interrupt as the processor sees it: hub, bus unit, level. */
export function interruptNumber(hubId: number, buid: number, level: number): number {
  return hubId * 2 ** HUB_SHIFT + (buid << BUID_SHIFT) + level;
}

export interface InterruptPlace {
  readonly hubId: number;
  readonly buid: number;
  readonly level: number;
}

export function interruptPlace(irq: number): InterruptPlace {
  return {
    hubId: Math.floor(irq / 2 ** HUB_SHIFT),
    buid: (irq >>> BUID_SHIFT) & (2 ** BUID_BITS - 1),
    level: irq & (2 ** BUID_SHIFT - 1),
  };
}
