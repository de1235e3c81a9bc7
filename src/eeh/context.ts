/** What every part of the kernel holds: time, log, the firmware, the port to the machine, and what it was booted with. */
import type { HostPort } from '../hw/host-port.js';
import type { Mutex } from '../sim/mutex.js';
import type { Simulator } from '../sim/simulator.js';
import type { OpalCalls } from './firmware.js';
import type { KernelLog } from './log.js';
import type { PciController } from './pci/device.js';
import type { KernelClock } from './sleep.js';

/** Behaviour that differs between kernel versions (facts: eeh-linux 22). */
export interface KernelQuirks {
  /** D1: the failure pass runs after the channels were given up, so it tells no driver. */
  readonly permanentFailureNotice: 'drivers-not-told' | 'drivers-told';
  /** D2: the bus reset waits for the child through config space that recovery has blocked. */
  readonly busResetWait: 'for-blocked-child' | 'for-bridge';
}

/** Linux 6.1.192. */
export const LX61_QUIRKS: KernelQuirks = {
  permanentFailureNotice: 'drivers-not-told',
  busResetWait: 'for-blocked-child',
};

export interface KernelContext {
  readonly sim: Simulator;
  readonly port: HostPort;
  readonly opal: OpalCalls;
  readonly log: KernelLog;
  readonly clock: KernelClock;
  readonly quirks: KernelQuirks;
  /** In order of the device tree. */
  readonly controllers: readonly PciController[];
  /** The lock every removal, rescan and recovery of PCI devices holds. */
  readonly rescanLock: Mutex;
}
