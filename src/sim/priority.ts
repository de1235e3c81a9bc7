/** Who goes first when several events share one instant: the smaller number. Equal priorities go in order of scheduling. */
export const Priority = {
  /** Packets and link state: what is on the wire arrives before anyone looks. */
  LINK: 0,
  /** Blocks of the bridge chip. */
  CHIP: 1,
  /** Devices behind the bridge. */
  DEVICE: 2,
  /** Firmware, kernel, guest: every process runs here, after the hardware of the same instant has settled. */
  SOFTWARE: 3,
  /** Probes that look at an instant when all else is done. */
  OBSERVER: 4,
} as const;

export type PriorityLevel = (typeof Priority)[keyof typeof Priority];
