/**
 * The Linux kernel as far as EEH goes: boot (PHBs, enumeration, PEs, EEH records, drivers), the threads that detect and
 * recover, and what tools may look at. It holds the firmware's calls and a host port, nothing of the chip.
 */
import type { HostPort } from '../hw/host-port.js';
import { FreezeAction, MmioEnable, OpalStatus, ResetAssert, ResetScope, WindowType } from '../opal/opal-api.js';
import type { Process } from '../sim/process.js';
import type { Simulator } from '../sim/simulator.js';
import { AddressCache } from './address-cache.js';
import type { KernelContext } from './context.js';
import type { PciDriver } from './drivers/driver.js';
import { DriverCore } from './drivers/driver-core.js';
import { DriverServices } from './drivers/services.js';
import { EehConfig } from './eeh-config.js';
import { EehCheck } from './eeh-core.js';
import { EehDump } from './eeh-dump.js';
import { EehEvents } from './eeh-events.js';
import { EehIo } from './eeh-io.js';
import { EEHD } from './eeh-locking.js';
import { EehNormalEvent } from './eeh-normal-event.js';
import { EehDev, type EehPe } from './eeh-pe.js';
import { EehProbe } from './eeh-probe.js';
import { EehReport, type Uevent } from './eeh-report.js';
import { EehReset } from './eeh-reset.js';
import { EehResetDevice } from './eeh-reset-device.js';
import { EehSettings, type EehStatistics } from './eeh-settings.js';
import { EehSpecialEvent } from './eeh-special-event.js';
import { EehThaw } from './eeh-thaw.js';
import { EehTree } from './eeh-tree.js';
import type { OpalCalls, PhbNode } from './firmware.js';
import { HotplugSlots } from './hotplug-slot.js';
import { InterruptLines } from './interrupt-lines.js';
import { DEFAULT_KERNEL_VERSION, type KernelQuirks, type KernelVersion, quirksOf } from './kernel-versions.js';
import { KernelLog } from './log.js';
import { PassedPes } from './passthrough.js';
import { OwnersSavedState, PcieResetState } from './passthrough-state.js';
import { PciBusReset } from './pci/bus-reset.js';
import { configTarget, PciConfig } from './pci/config.js';
import { PciController, type PciDevice } from './pci/device.js';
import { DeviceEnable } from './pci/enable.js';
import { PciExpress } from './pci/express.js';
import { PciHotplug } from './pci/hotplug.js';
import { PciMessages } from './pci/messages.js';
import { DeviceRegistration } from './pci/registration.js';
import { HEADER } from './pci/regs.js';
import { PciResources } from './pci/resources.js';
import { PciSavedState } from './pci/saved-state.js';
import { PciScan } from './pci/scan.js';
import { SysfsReset } from './pci/sysfs-reset.js';
import { EehPlatform } from './powernv/eeh-platform.js';
import { EehPlatformReset } from './powernv/eeh-reset.js';
import { DEFAULT_DMA, type DmaOptions, Iommu } from './powernv/iommu.js';
import { NextError } from './powernv/next-error.js';
import { OpalEvents } from './powernv/opal-events.js';
import { PeSetup } from './powernv/pe-setup.js';
import { RangeAllocator } from './powernv/range-allocator.js';
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
  private readonly probe: EehProbe;
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
      rescanLock: new RescanLock(sim, this.log, [EEHD]),
    };
    this.context = ctx;
    const { settings } = this;
    if (options.eeh === 'off') settings.forceDisabled = 'yes';
    settings.earlyLog = options.earlyLog ?? 'off';
    settings.maxFreezes = options.maxFreezes ?? settings.maxFreezes;

    // From the bottom up: config space and PEs, EEH's records and checks, drivers, recovery.
    const { start, sizeBytes } = options.memory ?? DEFAULT_MEMORY;
    const memory = new RangeAllocator('system memory of the kernel', start, sizeBytes);
    this.config = new PciConfig(opal);
    this.scan = new PciScan(ctx, this.config);
    this.resources = new PciResources(ctx, this.config);
    this.peSetup = new PeSetup(ctx, new Iommu(ctx, memory, { ...DEFAULT_DMA, ...options.dma }));
    this.enable = new DeviceEnable(this.log, this.config);
    const { enable } = this;

    this.tree = new EehTree(this.log);
    this.platform = new EehPlatform(ctx, settings);
    this.events = new EehEvents(ctx, settings);
    this.addressCache = new AddressCache(this.log);
    const { tree, platform, events, addressCache: cache, peSetup } = this;
    const eehConfig = new EehConfig(ctx, platform);
    this.check = new EehCheck(ctx, { settings, tree, events, cache, platform });
    this.config.attachGuard({
      checkDevice: (record) => this.check.checkDevice(record instanceof EehDev ? record : undefined),
      clearSilently: (controller, peNumber) => platform.clearSilently(controller, peNumber),
    });
    const lines = new InterruptLines(ctx);
    this.opalEvents = new OpalEvents(ctx, {
      lines,
      onPciError: () => this.onPciError(),
      interrupts: options.firmwareInterrupts ?? [],
      ...(options.heartbeatMs === undefined ? {} : { heartbeatMs: options.heartbeatMs }),
    });
    this.probe = new EehProbe(ctx, { settings, tree, config: eehConfig, cache, peSetup, start: () => this.startEeh() });

    this.io = new EehIo(port, this.check);
    this.driverCore = new DriverCore(ctx);
    const express = new PciExpress(this.config);
    const state = new PciSavedState(ctx, this.config, express);
    const messages = new PciMessages(ctx, this.config, peSetup);
    const { io, config: pciConfig } = this;
    this.services = new DriverServices(ctx, {
      io,
      config: pciConfig,
      enable,
      peSetup,
      memory,
      express,
      state,
      messages,
    });
    this.functionReset = new SysfsReset(ctx, this.config, express, state);
    this.driverCore.useServices(this.services);
    this.registration = new DeviceRegistration(this.config, peSetup, this.probe);
    const { scan, resources, probe, registration, driverCore: drivers } = this;
    this.hotplug = new PciHotplug(ctx, { scan, resources, peSetup, probe, enable, registration, drivers });
    const { hotplug } = this;

    const thaw = new EehThaw(ctx, platform);
    this.slots = new HotplugSlots(ctx, {
      ...{ config: this.config, platform, thaw, enable, messages, lines },
      hotplug: () => hotplug,
    });
    const { slots } = this;
    const busReset = new PciBusReset(ctx, this.config);
    const platformReset = new EehPlatformReset(ctx, platform, tree, { busReset, slots });
    const reset = new EehReset(ctx, { platform, platformReset, thaw, config: eehConfig, enable });
    const resetDevice = new EehResetDevice(ctx, { tree, reset, thaw, config: eehConfig, hotplug });
    const saved = new OwnersSavedState(state, eehConfig);
    this.passed = new PassedPes(ctx, { settings, platform, thaw, reset, saved });
    this.resetLine = new PcieResetState(ctx, { platform, platformReset, thaw, config: this.config, saved });
    this.report = new EehReport(ctx);
    const { report } = this;
    const dump = new EehDump(ctx, platform, thaw, eehConfig);
    this.normal = new EehNormalEvent(ctx, { settings, tree, thaw, dump, report, resetDevice, hotplug, slots });
    const nextError = new NextError(ctx, { tree, events, platform });
    this.special = new EehSpecialEvent(ctx, {
      ...{ tree, events, nextError, report, hotplug },
      normal: this.normal,
      unmaskInterrupt: () => this.unmaskIfEnabled(),
    });
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
    if (node.m64 === undefined) return;
    const { bar, cpuBase, sizeBytes } = node.m64;
    const window = { type: WindowType.M64, window: bar, address: BigInt(cpuBase), size: BigInt(sizeBytes) };
    yield* opal.pciSetPhbMemWindow(phbId, window);
    yield* opal.pciPhbMmioEnable(phbId, WindowType.M64, bar, MmioEnable.SPLIT);
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
    sim.spawn(EEHD, this.events.worker(handling), daemon);
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
