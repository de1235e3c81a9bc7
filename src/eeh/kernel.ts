/**
 * The Linux kernel as far as EEH goes: boot (PHBs, enumeration, PEs, EEH records, drivers), the threads that detect and
 * recover, and what tools may look at. It holds the firmware's calls and a host port, nothing of the chip.
 */
import type { HostPort } from '../hw/host-port.js';
import { FreezeAction, OpalStatus, ResetAssert, ResetScope } from '../opal/opal-api.js';
import type { Process } from '../sim/process.js';
import type { Simulator } from '../sim/simulator.js';
import type { AddressCache } from './address-cache.js';
import type { KernelContext } from './context.js';
import type { PciDriver } from './drivers/driver.js';
import type { DriverCore } from './drivers/driver-core.js';
import type { DriverServices } from './drivers/services.js';
import type { EehCheck } from './eeh-core.js';
import type { EehEvents } from './eeh-events.js';
import type { EehIo } from './eeh-io.js';
import { EEHD } from './eeh-locking.js';
import type { EehNormalEvent } from './eeh-normal-event.js';
import type { EehPe } from './eeh-pe.js';
import { EehProbe } from './eeh-probe.js';
import type { EehReport, Uevent } from './eeh-report.js';
import { EehSettings, type EehStatistics } from './eeh-settings.js';
import type { EehSpecialEvent } from './eeh-special-event.js';
import type { EehTree } from './eeh-tree.js';
import type { OpalCalls, PhbNode } from './firmware.js';
import type { HotplugSlots } from './hotplug-slot.js';
import { coreParts, driverParts, recoveryParts } from './kernel-parts.js';
import { DEFAULT_KERNEL_VERSION, type KernelQuirks, type KernelVersion, quirksOf } from './kernel-versions.js';
import { KernelLog } from './log.js';
import type { PassedPes } from './passthrough.js';
import type { PcieResetState } from './passthrough-state.js';
import { configTarget, type PciConfig } from './pci/config.js';
import { PciController, type PciDevice } from './pci/device.js';
import type { DeviceEnable } from './pci/enable.js';
import type { PciHotplug } from './pci/hotplug.js';
import type { DeviceRegistration } from './pci/registration.js';
import { HEADER } from './pci/regs.js';
import type { PciResources } from './pci/resources.js';
import type { PciScan } from './pci/scan.js';
import type { SysfsReset } from './pci/sysfs-reset.js';
import type { EehPlatform } from './powernv/eeh-platform.js';
import { DEFAULT_DMA, type DmaOptions } from './powernv/iommu.js';
import { OpalEvents } from './powernv/opal-events.js';
import type { PeSetup } from './powernv/pe-setup.js';
import { RescanLock } from './rescan-lock.js';
import { KernelClock, type SleepRounding } from './sleep.js';

export interface KernelOptions {
  /** The PHB nodes of the device tree, in its order. */
  readonly phbs: readonly PhbNode[];
  /** Bound at the end of the boot, in this order. */
  readonly drivers?: readonly PciDriver[];
  /** Command line eeh=off */
  readonly eeh?: 'on' | 'off';
  /** Command line eeh=early_log: diag data printed when captured instead of during recovery. */
  readonly earlyLog?: 'on' | 'off';
  readonly maxFreezes?: number;
  readonly dma?: Partial<DmaOptions>;
  /** System memory the kernel may use for tables and buffers. */
  readonly memory?: { readonly start: number; readonly sizeBytes: number };
  readonly sleepRounding?: SleepRounding;
  /** Number of the processor that boots and takes every interrupt. */
  readonly bootProcessor?: number;
  /** opal-interrupts of the device tree. */
  readonly firmwareInterrupts?: readonly number[];
  /** ibm,heartbeat-ms */
  readonly heartbeatMs?: number;
  /** Sets every switch of the kernel's defects; default 6.1. */
  readonly version?: KernelVersion;
  /** Single switches, over those of the version. */
  readonly quirks?: Partial<KernelQuirks>;
}

const DEFAULT_MEMORY = { start: 0x0100_0000, sizeBytes: 0x0800_0000 };

export class LinuxKernel {
  readonly log: KernelLog;
  readonly settings = new EehSettings();
  readonly tree: EehTree;
  readonly events: EehEvents;
  readonly check: EehCheck;
  readonly platform: EehPlatform;
  readonly io: EehIo;
  readonly config: PciConfig;
  readonly addressCache: AddressCache;
  readonly peSetup: PeSetup;
  readonly driverCore: DriverCore;
  readonly services: DriverServices;
  readonly hotplug: PciHotplug;
  /** The reset files of sysfs. */
  readonly functionReset: SysfsReset;
  readonly slots: HotplugSlots;
  /** For owners of PEs outside the kernel. */
  readonly passed: PassedPes;
  readonly resetLine: PcieResetState;
  /** What the parts of the kernel share. */
  readonly context: KernelContext;
  private readonly scan: PciScan;
  private readonly resources: PciResources;
  private readonly enable: DeviceEnable;
  private readonly registration: DeviceRegistration;
  private readonly report: EehReport;
  private readonly normal: EehNormalEvent;
  private readonly special: EehSpecialEvent;
  private readonly opalEvents: OpalEvents;

  constructor(
    sim: Simulator,
    port: HostPort,
    opal: OpalCalls,
    private readonly options: KernelOptions,
  ) {
    this.log = new KernelLog(sim);
    const ctx: KernelContext = {
      ...{ sim, port, opal, log: this.log },
      clock: new KernelClock(sim, options.sleepRounding ?? 'nominal'),
      quirks: { ...quirksOf(options.version ?? DEFAULT_KERNEL_VERSION), ...options.quirks },
      bootProcessor: options.bootProcessor ?? 0,
      controllers: options.phbs.map((node, index) => new PciController(node, index)),
      rescanLock: new RescanLock(sim, this.log),
    };
    this.context = ctx;
    const { settings } = this;
    if (options.eeh === 'off') settings.forceDisabled = 'yes';
    settings.earlyLog = options.earlyLog ?? 'off';
    settings.maxFreezes = options.maxFreezes ?? settings.maxFreezes;

    const memory = options.memory ?? DEFAULT_MEMORY;
    const core = coreParts(ctx, settings, { memory, dma: { ...DEFAULT_DMA, ...options.dma } });
    ({ config: this.config, scan: this.scan, resources: this.resources, peSetup: this.peSetup } = core);
    ({ enable: this.enable, tree: this.tree, platform: this.platform, events: this.events } = core);
    ({ cache: this.addressCache, check: this.check } = core);
    this.opalEvents = new OpalEvents(ctx, {
      lines: core.lines,
      onPciError: () => this.onPciError(),
      interrupts: options.firmwareInterrupts ?? [],
      ...(options.heartbeatMs === undefined ? {} : { heartbeatMs: options.heartbeatMs }),
    });
    const { tree, cache, peSetup, eehConfig } = core;
    const probe = new EehProbe(ctx, {
      settings,
      tree,
      config: eehConfig,
      cache,
      peSetup,
      start: () => this.startEeh(),
    });

    const driver = driverParts(ctx, port, core, probe);
    ({ io: this.io, drivers: this.driverCore, services: this.services, hotplug: this.hotplug } = driver);
    ({ functionReset: this.functionReset, registration: this.registration } = driver);

    const recovery = recoveryParts(ctx, { settings, core, driver, unmaskInterrupt: () => this.unmaskIfEnabled() });
    ({ slots: this.slots, passed: this.passed, resetLine: this.resetLine } = recovery);
    ({ report: this.report, normal: this.normal, special: this.special } = recovery);
  }

  /** Ends when the drivers are bound; the threads run on. */
  *boot(): Process<void> {
    for (const controller of this.context.controllers) yield* this.initPhb(controller);
    yield* this.opalEvents.requestInterrupts();
    this.log.info('EEH: PowerNV platform initialized');
    this.log.info('PCI: Probing PCI hardware');
    yield* this.context.rescanLock.hold(this.probePci(), 'boot');
    this.finishEehSetup();
    this.log.info('PCI: Probing PCI hardware done');
    yield* this.readCacheLineSizes();
    yield* this.slots.register();
    this.startThreads();
    for (const driver of this.options.drivers ?? []) {
      yield* this.context.rescanLock.hold(this.driverCore.register(driver), 'boot');
    }
  }

  get controllers(): readonly PciController[] {
    return this.context.controllers;
  }

  get devices(): PciDevice[] {
    return this.controllers.flatMap((controller) => controller.buses().flatMap((bus) => [...bus.devices]));
  }

  /** By bus id, `0000:01:00.0`. */
  device(name: string): PciDevice | undefined {
    return this.devices.find((device) => device.name === name);
  }

  get statistics(): EehStatistics {
    return this.settings.statistics;
  }

  get uevents(): readonly Uevent[] {
    return this.report.uevents;
  }

  /** By domain and PE number; `phb` for the PE that stands for the whole PHB. */
  pe(domain: number, number: number | 'phb'): EehPe | undefined {
    const controller = this.controllers.find((each) => each.domain === domain);
    if (controller === undefined) return undefined;
    return number === 'phb' ? this.tree.phbPe(controller) : this.tree.find(controller, number);
  }

  /** Hot removal by an operator. */
  *removeDevice(device: PciDevice): Process<void> {
    yield* this.context.rescanLock.hold(this.hotplug.removeDevice(device), 'remove');
  }

  /** What writing to the rescan file of sysfs does. */
  *rescan(): Process<PciDevice[]> {
    return yield* this.context.rescanLock.hold(this.rescanLocked(), 'rescan');
  }

  /** EEH is off from here on, so that nothing recovers what the reboot takes down. */
  prepareReboot(): void {
    this.settings.started = 'no';
  }

  /** Recovery of a PE on request, or of whatever firmware knows, without any check and whatever the settings. */
  forceRecovery(pe: EehPe | 'hwcheck', callers: readonly string[] = []): void {
    this.events.sendAlways(pe === 'hwcheck' ? 'special' : pe, ['eeh_force_recover_write+0xdc/0x170', ...callers]);
  }

  private *rescanLocked(): Process<PciDevice[]> {
    const found: PciDevice[] = [];
    for (const { rootBus } of this.controllers) {
      if (rootBus !== undefined) found.push(...(yield* this.hotplug.addDevices(rootBus)));
    }
    return found;
  }

  /** Tables empty, or the whole PHB reset when firmware cannot; then the 64-bit window. Facts: opal-pci 11.1. */
  private *initPhb(controller: PciController): Process<void> {
    const { opal, log, clock } = this.context;
    this.tree.addPhbPe(controller);
    const { phbId, node } = controller;
    for (const pe of [node.reservedPe, this.peSetup.numbers(controller).rootNumber]) {
      yield* opal.pciEehFreezeClear(phbId, pe, FreezeAction.ALL);
    }
    const rc = yield* opal.pciReset(phbId, ResetScope.PCI_IODA_TABLE, ResetAssert.ASSERT);
    if (rc !== OpalStatus.SUCCESS) {
      log.warn(`  Error ${rc} performing IODA table reset !`);
      yield* opal.pciReset(phbId, ResetScope.PHB_COMPLETE, ResetAssert.ASSERT);
      for (let left = yield* opal.pciPoll(phbId); left > 0; left = yield* opal.pciPoll(phbId))
        yield* clock.msleep(left);
      yield* opal.pciReset(phbId, ResetScope.PHB_COMPLETE, ResetAssert.DEASSERT);
    }
    yield* this.peSetup.initM64(controller);
  }

  private *probePci(): Process<void> {
    for (const controller of this.controllers) yield* this.scan.controller(controller);
    for (const { rootBus } of this.controllers) {
      if (rootBus === undefined) continue;
      yield* this.resources.assign(rootBus);
      this.resources.describe(rootBus);
    }
    for (const device of this.devices) yield* this.registration.add(device);
    for (const bridge of this.devices) {
      if (bridge.subordinate !== undefined) yield* this.enable.enableBridge(bridge);
    }
  }

  /** Source: linux drivers/pci/quirks.c: pci_apply_final_quirks. */
  private *readCacheLineSizes(): Process<void> {
    for (const device of this.devices) yield* this.config.value(configTarget(device), HEADER.CACHE_LINE.at, 1);
  }

  /** The first device with a PE switches EEH on. */
  private startEeh(): void {
    this.opalEvents.unmask();
    if (this.context.quirks.capableFlag === 'set-with-first-device') this.settings.started = 'yes';
    this.markCapable();
    this.settings.started = 'yes';
  }

  /** Tests the flag that its first caller sets only afterwards: that call clears (facts, 2.3). */
  private markCapable(): void {
    for (const controller of this.controllers) {
      controller.eeh = this.settings.enabled ? 'checked' : 'cleared-silently';
    }
  }

  private finishEehSetup(): void {
    this.markCapable();
    if (this.settings.enabled) this.log.info('EEH: Capable adapter found: recovery enabled.');
    else if (this.settings.forceDisabled === 'yes') this.log.info('EEH: Recovery disabled by kernel parameter.');
    else this.log.info('EEH: No capable adapters found: recovery disabled.');
  }

  private startThreads(): void {
    const { sim } = this.context;
    const daemon = { daemon: true };
    const handling = {
      handleNormal: (pe: EehPe) => this.normal.handle(pe),
      handleSpecial: () => this.special.handle(),
    };
    sim.spawn(EEHD.name, this.events.worker(handling), daemon);
    for (const { name, body } of this.slots.workers()) sim.spawn(name, body, daemon);
    sim.spawn('kopald', this.opalEvents.kopald(), daemon);
    sim.spawn('OPAL interrupts', this.opalEvents.interruptThread(), daemon);
  }

  private onPciError(): void {
    if (this.settings.enabled) this.events.send('special');
  }

  private unmaskIfEnabled(): void {
    const balanced = this.context.quirks.interruptUnmask === 'balanced' && !this.opalEvents.masked;
    if (this.settings.enabled && !balanced) this.opalEvents.unmask();
  }
}
