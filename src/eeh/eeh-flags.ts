/** Flag values of the EEH data model. Source: linux arch/powerpc/include/asm/eeh.h; facts: eeh-linux 2, 3. */

export const PeType = { INVALID: 0x1, PHB: 0x2, DEVICE: 0x4, BUS: 0x8, VF: 0x10 } as const;

export const PeState = {
  /** Frozen or fenced, recovery wanted. */
  ISOLATED: 0x1,
  /** An event is queued or being handled. */
  RECOVERING: 0x2,
  CFG_BLOCKED: 0x4,
  /** Full reset in progress. */
  RESET: 0x8,
  /** Keep the PE through the unplug that recovery does. */
  KEEP: 0x100,
  /** Block config space by itself while isolated. */
  CFG_RESTRICTED: 0x200,
  /** Permanently failed; the state word does not change any more. */
  REMOVED: 0x400,
  PRI_BUS: 0x800,
} as const;

export const DevMode = {
  BRIDGE: 0x1,
  ROOT_PORT: 0x2,
  DS_PORT: 0x4,
  IRQ_DISABLED: 0x8,
  /** Unplugged during recovery, still listed in its PE. */
  DISCONNECTED: 0x10,
  /** The driver bound after the error: leave it alone. */
  NO_HANDLER: 0x100,
  SYSFS: 0x200,
  REMOVED: 0x400,
} as const;
/** What survives a new probe. */
export const DEV_MODE_KEPT_BY_PROBE = 0xffffff00;

/** Result bits of a state query; "active" is both ACTIVE bits. */
export const QueryState = {
  UNAVAILABLE: 0x1,
  NOT_SUPPORT: 0x2,
  RESET_ACTIVE: 0x4,
  MMIO_ACTIVE: 0x8,
  DMA_ACTIVE: 0x10,
  MMIO_ENABLED: 0x20,
  DMA_ENABLED: 0x40,
} as const;
export const QUERY_HEALTHY =
  QueryState.MMIO_ACTIVE | QueryState.DMA_ACTIVE | QueryState.MMIO_ENABLED | QueryState.DMA_ENABLED;
const QUERY_ACTIVE = QueryState.MMIO_ACTIVE | QueryState.DMA_ACTIVE;

export function isActive(state: number): boolean {
  return (state & QUERY_ACTIVE) === QUERY_ACTIVE;
}

/** The names drivers and log lines use for the state of a device's channel. */
export type ChannelState = 'normal' | 'frozen' | 'perm-failure';

/** Values are the kernel's, they show in log lines. */
export const EehOption = { DISABLE: 0, ENABLE: 1, THAW_MMIO: 2, THAW_DMA: 3, FREEZE: 4 } as const;
export type EehOptionValue = (typeof EehOption)[keyof typeof EehOption];

export type ResetOption = 'deactivate' | 'hot' | 'fundamental';
export type LogSeverity = 'temporary' | 'permanent';
/** Whether PEs handed to a guest are part of an operation. */
export type PassedPes = 'include-passed' | 'skip-passed';

/** Times and limits. Source: eeh.h, eeh.c, eeh_driver.c, eeh_pe.c as named in the facts, section 1. */
export const EehLimits = {
  resetHoldMs: 250,
  resetSettleMs: 1800,
  maxFreezes: 5,
  freezeWindowSeconds: 3600,
  ignoredReadsReport: 2_100_000,
  stateWaitMs: 300_000,
  stateStepMinMs: 1000,
  stateStepMaxMs: 300_000,
  hotplugPauseMs: 5000,
  resetAttempts: 3,
  unfreezeAttempts: 3,
  bridgePowerOnMs: 2000,
  bridgeNoReportMs: 1000,
  bridgeLinkStepMs: 20,
  bridgeLinkTimeoutMs: 5000,
  stackTraceFrames: 64,
} as const;
