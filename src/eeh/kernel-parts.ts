/**
 * How the parts of the kernel hang together, from the bottom up: config space, PEs, and EEH's records and checks; then
 * drivers; then recovery. Each group is built out of those below it and knows nothing of those above.
 */
import type { HostPort } from '../hw/host-port.js';
import { AddressCache } from './address-cache.js';
import type { KernelContext } from './context.js';
import { DriverCore } from './drivers/driver-core.js';
import { DriverServices } from './drivers/services.js';
import { EehConfig } from './eeh-config.js';
import { EehCheck } from './eeh-core.js';
import { EehDump } from './eeh-dump.js';
import { EehEvents } from './eeh-events.js';
import { EehIo } from './eeh-io.js';
import { EehNormalEvent } from './eeh-normal-event.js';
import { EehDev } from './eeh-pe.js';
import type { EehProbe } from './eeh-probe.js';
import { EehReport } from './eeh-report.js';
import { EehReset } from './eeh-reset.js';
import { EehResetDevice } from './eeh-reset-device.js';
import type { EehSettings } from './eeh-settings.js';
import { EehSpecialEvent } from './eeh-special-event.js';
import { EehThaw } from './eeh-thaw.js';
import { EehTree } from './eeh-tree.js';
import { HotplugSlots } from './hotplug-slot.js';
import { InterruptLines } from './interrupt-lines.js';
import { PassedPes } from './passthrough.js';
import { OwnersSavedState, PcieResetState } from './passthrough-state.js';
import { PciBusReset } from './pci/bus-reset.js';
import { PciConfig } from './pci/config.js';
import { DeviceEnable } from './pci/enable.js';
import { PciExpress } from './pci/express.js';
import { PciHotplug } from './pci/hotplug.js';
import { PciMessages } from './pci/messages.js';
import { DeviceRegistration } from './pci/registration.js';
import { PciResources } from './pci/resources.js';
import { PciSavedState } from './pci/saved-state.js';
import { PciScan } from './pci/scan.js';
import { SysfsReset } from './pci/sysfs-reset.js';
import { EehPlatform } from './powernv/eeh-platform.js';
import { EehPlatformReset } from './powernv/eeh-reset.js';
import { iodaKinds } from './powernv/ioda-kind.js';
import type { DmaOptions } from './powernv/iommu.js';
import { NextError } from './powernv/next-error.js';
import { PeSetup } from './powernv/pe-setup.js';
import { RangeAllocator } from './powernv/range-allocator.js';

export interface MemoryOptions {
  readonly memory: { readonly start: number; readonly sizeBytes: number };
  readonly dma: DmaOptions;
}

/** Config space, PEs, EEH's records of devices, and the check of a value of all ones. */
export function coreParts(ctx: KernelContext, settings: EehSettings, options: MemoryOptions) {
  const { start, sizeBytes } = options.memory;
  const memory = new RangeAllocator('system memory of the kernel', start, sizeBytes);
  const config = new PciConfig(ctx.opal);
  const scan = new PciScan(ctx, config);
  const resources = new PciResources(ctx, config);
  const peSetup = new PeSetup(ctx, iodaKinds(ctx, memory, options.dma));
  const enable = new DeviceEnable(ctx.log, config);
  const tree = new EehTree(ctx.log);
  const platform = new EehPlatform(ctx, settings);
  const events = new EehEvents(ctx, settings);
  const cache = new AddressCache(ctx.log);
  const eehConfig = new EehConfig(ctx, platform);
  const check = new EehCheck(ctx, { settings, tree, events, cache, platform });
  config.attachGuard({
    checkDevice: (record) => check.checkDevice(record instanceof EehDev ? record : undefined),
    clearSilently: (controller, peNumber) => platform.clearSilently(controller, peNumber),
  });
  const lines = new InterruptLines(ctx);
  return { memory, config, scan, resources, peSetup, enable, tree, platform, events, cache, eehConfig, check, lines };
}
export type CoreParts = ReturnType<typeof coreParts>;

/** What drivers are given, and how devices come and go. */
export function driverParts(ctx: KernelContext, port: HostPort, core: CoreParts, probe: EehProbe) {
  const { config, scan, resources, peSetup, enable, memory } = core;
  const io = new EehIo(port, core.check);
  const drivers = new DriverCore(ctx);
  const express = new PciExpress(config);
  const state = new PciSavedState(ctx, config, express);
  const messages = new PciMessages(ctx, config, peSetup);
  const services = new DriverServices(ctx, { io, config, enable, peSetup, memory, express, state, messages });
  const functionReset = new SysfsReset(ctx, config, express, state);
  drivers.useServices(services);
  const registration = new DeviceRegistration(config, peSetup, probe);
  const hotplug = new PciHotplug(ctx, { scan, resources, peSetup, probe, enable, registration, drivers });
  return { io, drivers, state, messages, services, functionReset, registration, hotplug };
}
export type DriverParts = ReturnType<typeof driverParts>;

interface Below {
  readonly settings: EehSettings;
  readonly core: CoreParts;
  readonly driver: DriverParts;
  readonly unmaskInterrupt: () => void;
}

/** Resets, both kinds of events, and PEs that others own. */
export function recoveryParts(ctx: KernelContext, { settings, core, driver, unmaskInterrupt }: Below) {
  const { config, platform, tree, events, eehConfig, enable, lines } = core;
  const { hotplug, messages } = driver;
  const thaw = new EehThaw(ctx, platform);
  const slots = new HotplugSlots(ctx, { config, platform, thaw, enable, messages, lines, hotplug: () => hotplug });
  const busReset = new PciBusReset(ctx, config);
  const platformReset = new EehPlatformReset(ctx, platform, tree, { busReset, slots });
  const reset = new EehReset(ctx, { platform, platformReset, thaw, config: eehConfig, enable });
  const resetDevice = new EehResetDevice(ctx, { tree, reset, thaw, config: eehConfig, hotplug });
  const saved = new OwnersSavedState(driver.state, eehConfig);
  const passed = new PassedPes(ctx, { settings, platform, thaw, reset, saved });
  const resetLine = new PcieResetState(ctx, { platform, platformReset, thaw, config, saved });
  const report = new EehReport(ctx);
  const dump = new EehDump(ctx, platform, thaw, eehConfig);
  const normal = new EehNormalEvent(ctx, { settings, tree, thaw, dump, report, resetDevice, hotplug, slots });
  const nextError = new NextError(ctx, { tree, events, platform });
  const special = new EehSpecialEvent(ctx, { tree, events, nextError, report, hotplug, normal, unmaskInterrupt });
  return { slots, passed, resetLine, report, normal, special };
}
