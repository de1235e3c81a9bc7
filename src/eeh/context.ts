/** What every part of the kernel holds: time, log, the firmware, the port to the machine, and what it was booted with. */
import type { HostPort } from '../hw/host-port.js';
import type { Simulator } from '../sim/simulator.js';
import type { OpalCalls } from './firmware.js';
import type { KernelQuirks } from './kernel-versions.js';
import type { KernelLog } from './log.js';
import type { PciController } from './pci/device.js';
import type { RescanLock } from './rescan-lock.js';
import type { KernelClock } from './sleep.js';

export interface KernelContext {
  readonly sim: Simulator;
  readonly port: HostPort;
  readonly opal: OpalCalls;
  readonly log: KernelLog;
  readonly clock: KernelClock;
  readonly quirks: KernelQuirks;
  /** Number of the processor that takes interrupts. */
  readonly bootProcessor: number;
  /** In order of the device tree. */
  readonly controllers: readonly PciController[];
  /** The lock every removal, rescan and recovery of PCI devices holds. */
  readonly rescanLock: RescanLock;
}
