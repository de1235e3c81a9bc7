/** Names and numbers of the OPAL PCI calls, as an operating system sees them. Source: skiboot include/opal-api.h. */

export const OpalStatus = {
  SUCCESS: 0,
  PARAMETER: -1,
  BUSY: -2,
  PARTIAL: -3,
  CONSTRAINED: -4,
  CLOSED: -5,
  HARDWARE: -6,
  UNSUPPORTED: -7,
  PERMISSION: -8,
  NO_MEM: -9,
  RESOURCE: -10,
  INTERNAL_ERROR: -11,
  BUSY_EVENT: -12,
  HARDWARE_FROZEN: -13,
  WRONG_STATE: -14,
  ASYNC_COMPLETION: -15,
  EMPTY: -16,
} as const;

/** `OPAL_HARDWARE`, or the number alone where the code has no name. */
export function opalStatusName(code: number): string {
  const known = Object.entries(OpalStatus).find(([, value]) => value === code);
  return known === undefined ? String(code) : `OPAL_${known[0]}`;
}

export const FreezeState = {
  NOT_FROZEN: 0,
  MMIO_FREEZE: 1,
  DMA_FREEZE: 2,
  MMIO_DMA_FREEZE: 3,
  RESET: 4,
  TEMP_UNAVAIL: 5,
  PERM_UNAVAIL: 6,
} as const;
export type FreezeState = (typeof FreezeState)[keyof typeof FreezeState];

export const FreezeAction = { MMIO: 1, DMA: 2, ALL: 3 } as const;

/** What is in error. */
export const PciError = { NO_ERROR: 0, IOC: 1, PHB: 2, PE: 3, PE_MMIO: 4, PE_DMA: 5 } as const;
export type PciError = (typeof PciError)[keyof typeof PciError];

export const Severity = { NO_ERROR: 0, IOC_DEAD: 1, PHB_DEAD: 2, PHB_FENCED: 3, PE_ER: 4, INF: 5 } as const;
export type Severity = (typeof Severity)[keyof typeof Severity];

export const InjectType = { IOA_BUS_ERR: 0, IOA_BUS_ERR64: 1 } as const;

export const InjectFunction = {
  LD_MEM_ADDR: 0,
  LD_MEM_DATA: 1,
  LD_IO_ADDR: 2,
  LD_IO_DATA: 3,
  LD_CFG_ADDR: 4,
  LD_CFG_DATA: 5,
  ST_MEM_ADDR: 6,
  ST_MEM_DATA: 7,
  ST_IO_ADDR: 8,
  ST_IO_DATA: 9,
  ST_CFG_ADDR: 10,
  ST_CFG_DATA: 11,
  DMA_RD_ADDR: 12,
  DMA_RD_DATA: 13,
  DMA_RD_MASTER: 14,
  DMA_RD_TARGET: 15,
  DMA_WR_ADDR: 16,
  DMA_WR_DATA: 17,
  DMA_WR_MASTER: 18,
  DMA_WR_TARGET: 19,
} as const;

export const WindowType = { M32: 1, M64: 2, IO: 3 } as const;
export const MmioEnable = { DISABLE: 0, SPLIT: 1, NON_SPLIT: 2 } as const;
export const MveEnable = { DISABLE: 0, ENABLE: 1 } as const;
export const BusCompare = { ANY: 0, BITS_3: 2, BITS_4: 3, BITS_5: 4, BITS_6: 5, BITS_7: 6, ALL: 7 } as const;
export const RidCompare = { IGNORE: 0, COMPARE: 1 } as const;
export const PeAction = { UNMAP: 0, MAP: 1 } as const;
export const PeltvAction = { REMOVE: 0, ADD: 1 } as const;

export const ResetScope = {
  PHB_COMPLETE: 1,
  PCI_LINK: 2,
  PHB_ERROR: 3,
  PCI_HOT: 4,
  PCI_FUNDAMENTAL: 5,
  PCI_IODA_TABLE: 6,
} as const;
export const ResetAssert = { DEASSERT: 0, ASSERT: 1 } as const;
export const ReinitScope = { PCI_DEV: 1000 } as const;
export const Presence = { EMPTY: 0, PRESENT: 1 } as const;
/** `OFFLINE` and `ONLINE` change what firmware knows of a slot, not its power. */
export const Power = { OFF: 0, ON: 1, OFFLINE: 2, ONLINE: 3 } as const;

/** Event bits that `handleInterrupt` and `pollEvents` report. They are levels. */
export const OpalEvent = { PCI_ERROR: 0x200n, MSG_PENDING: 0x800n } as const;
/** Bits that firmware hands out to whoever needs an event of its own. */
export const DYNAMIC_EVENTS = 0xffff_ffff_0000_0000n;

export const MessageType = {
  ASYNC_COMP: 0,
  MEM_ERR: 1,
  EPOW: 2,
  SHUTDOWN: 3,
  HMI_EVT: 4,
  DPO: 5,
  PRD: 6,
  OCC: 7,
  PRD2: 8,
} as const;

export const Quiesce = { HOLD: 1, REJECT: 2, LOCK_BREAK: 3, RESUME: 4, RESUME_FAST_REBOOT: 5 } as const;

const PCIE_SLOT = 1n << 63n;
const SLOT_BDFN_SHIFT = 16n;

/** A slot id is a PHB's own id, or this for the slot below the bridge `bdfn`. Source: skiboot core/pci-slot.c. */
export function slotId(phbId: number, bdfn: number): bigint {
  return PCIE_SLOT | (BigInt(bdfn) << SLOT_BDFN_SHIFT) | BigInt(phbId);
}

export interface SlotAddress {
  readonly phbId: number;
  /** Absent for the slot of the PHB itself. */
  readonly bdfn?: number;
}

/** Bits outside the two numbers do not count. Source: skiboot core/pci-slot.c: pci_slot_find. */
export function decodeSlotId(id: number | bigint): SlotAddress {
  const value = BigInt.asUintN(64, BigInt(id));
  const phbId = Number(value & 0xffffn);
  if ((value & PCIE_SLOT) === 0n) return { phbId };
  return { phbId, bdfn: Number((value >> SLOT_BDFN_SHIFT) & 0xffffn) };
}

/** 16 digits, as log lines have it. */
export const slotIdText = (id: bigint): string => BigInt.asUintN(64, id).toString(16).padStart(16, '0');
