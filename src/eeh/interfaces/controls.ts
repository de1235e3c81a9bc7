/**
 * What user space can ask of EEH, as typed calls: numbers below 0 are errnos. The files of sysfs and debugfs parse text and
 * call these. Source: linux eeh_sysfs.c; eeh.c: eeh_dev_check_write, eeh_debugfs_break_device, eeh_force_recover_write;
 * powernv/eeh-powernv.c: pnv_eeh_ei_write; facts: eeh-linux 14.
 */
import { PHB_REGISTERS } from '../../ioda2/registers/phb.js';
import { OpalStatus } from '../../opal/opal-api.js';
import { COMMAND_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import { isFullyAware } from '../drivers/driver.js';
import { PeState } from '../eeh-flags.js';
import { type EehPe, edevOf } from '../eeh-pe.js';
import { EehThaw } from '../eeh-thaw.js';
import { EIO, ENODEV, ENXIO, EOPNOTSUPP } from '../errno.js';
import type { InjectRequest } from '../firmware.js';
import type { LinuxKernel } from '../kernel.js';
import { configTarget } from '../pci/config.js';
import type { PciController, PciDevice, PciResource } from '../pci/device.js';
import { HEADER } from '../pci/regs.js';
import { describePlace } from '../pci/resource-text.js';
import { ioda2PeLines } from './pe-lines.js';

/** Registers that raise a test error with the next fitting operation. The kernel has their places for every chip alike. */
export const TEST_ERROR_REGISTERS = {
  outbound: 'PHB_OUT_ERR_INJECT',
  inboundA: 'PHB_INA_ERR_INJECT',
  inboundB: 'PHB_INB_ERR_INJECT',
} as const;
export type TestErrorTrap = keyof typeof TEST_ERROR_REGISTERS;

/** Frames below a debugfs file's write, as recorded. */
const WRITE_FRAMES = [
  'vfs_write+0xfc/0x4c0',
  'ksys_write+0x90/0x160',
  'system_call_exception+0x130/0x250',
  'system_call_common+0xf4/0x258',
];
/** The offset is (M). */
const DEVICE_CHECK_WRITE = 'eeh_dev_check_write+0xe0/0x1b0';
const LAST_BAR = 5;

export interface PeStateWords {
  /** What the hardware is in, as bits. */
  readonly query: number;
  /** What the kernel made of it. */
  readonly state: number;
}

export class EehControls {
  private readonly thaw: EehThaw;

  constructor(private readonly kernel: LinuxKernel) {
    this.thaw = new EehThaw(kernel.context, kernel.platform);
  }

  /** Asks firmware, which may isolate the PE without anybody recovering it (facts, D5). */
  *peState(device: PciDevice): Process<PeStateWords | number> {
    const pe = edevOf(device)?.pe;
    if (pe === undefined) return ENODEV;
    const { state: query } = yield* this.kernel.platform.getState(pe);
    return { query, state: pe.state };
  }

  /** Thaws an isolated PE by hand; nobody resets the device or tells its driver. */
  *thawPe(device: PciDevice): Process<number> {
    const pe = edevOf(device)?.pe;
    if (pe === undefined) return ENODEV;
    if (!pe.in(PeState.ISOLATED)) return 0;
    if ((yield* this.thaw.unfreeze(pe)) !== 0) return EIO;
    pe.clearState(PeState.ISOLATED);
    return 0;
  }

  /** The check that a load of all ones would run. */
  *checkDevice(device: PciDevice): Process<number> {
    const { log, check } = this.kernel;
    const edev = edevOf(device);
    if (edev === undefined) {
      log.err(`${device.logPrefix}: No eeh_dev for this device!`);
      return ENODEV;
    }
    const result = yield* check.checkDevice(edev, [DEVICE_CHECK_WRITE, ...WRITE_FRAMES]);
    log.info(`${device.logPrefix}: eeh_dev_check_failure(${device.name}) = ${result}`);
    return 0;
  }

  /** Loads from a device that does not decode memory: nobody answers. The load does not look at what it got. */
  *breakDevice(device: PciDevice): Process<number> {
    const { log, config, io } = this.kernel;
    const bar = device.resources.find(isMemoryBar);
    const address = bar === undefined ? undefined : device.cpuAddress(bar.index);
    if (bar === undefined || address === undefined) {
      log.err(`${device.logPrefix}: Unable to find Memory BAR to cause EEH with`);
      return ENXIO;
    }
    log.err(`${device.logPrefix}: Going to break: ${describePlace(bar, address)}`);
    const target = configTarget(device);
    const { at } = HEADER.COMMAND;
    const command = yield* config.value(target, at, 2);
    yield* config.write(target, at, 2, command & ~COMMAND_FIELDS.MEMORY);
    yield* io.readUnchecked(address, 1);
    yield* config.write(target, at, 2, command);
    return 0;
  }

  /** Whether the driver of the device would keep it through a reset. */
  canRecover(device: PciDevice): number {
    return isFullyAware(device.driver) ? 0 : EOPNOTSUPP;
  }

  /** Recovers without any check, also with recovery switched off. */
  forceRecover(domain: number, peNumber: number): number {
    const pe = this.kernel.pe(domain, peNumber);
    if (pe === undefined) return ENODEV;
    this.kernel.forceRecovery(pe, WRITE_FRAMES);
    return 0;
  }

  /** Asks firmware what happened, as its interrupt would. */
  lookForErrors(): void {
    this.kernel.forceRecovery('hwcheck');
  }

  *injectError(controller: PciController, request: InjectRequest): Process<number> {
    const pe: EehPe | undefined = this.kernel.tree.find(controller, request.pe);
    return pe === undefined ? ENODEV : yield* this.kernel.platform.injectError(pe, request);
  }

  *testErrors(controller: PciController, trap: TestErrorTrap): Process<bigint | number> {
    const address = registerAddress(controller, trap);
    return address === undefined ? ENXIO : yield* this.kernel.context.port.load(address, 8);
  }

  *armTestErrors(controller: PciController, trap: TestErrorTrap, errors: bigint): Process<number> {
    const address = registerAddress(controller, trap);
    if (address === undefined) return ENXIO;
    yield* this.kernel.context.port.store(address, 8, errors);
    return 0;
  }

  *dumpDiagData(controller: PciController): Process<number> {
    const { context, platform } = this.kernel;
    const { rc, data } = yield* context.opal.pciGetPhbDiagData2(controller.phbId);
    if (rc !== OpalStatus.SUCCESS) return EIO;
    platform.dumpDiagData(controller, data);
    return 0;
  }

  dumpPes(controller: PciController): void {
    for (const line of ioda2PeLines(this.kernel.peSetup.numbers(controller))) this.kernel.log.warn(line);
  }

  *removeDevice(device: PciDevice): Process<void> {
    const { context, hotplug } = this.kernel;
    const remove = function* (): Process<void> {
      // Recovery may have unplugged it while this waited.
      if (device.bus.devices.includes(device)) yield* hotplug.removeDevice(device);
    };
    yield* context.rescanLock.hold(remove(), `remove of ${device.name}`);
  }

  *rescanBus(device: PciDevice): Process<void> {
    const { context, hotplug } = this.kernel;
    yield* context.rescanLock.hold(hotplug.addDevices(device.bus), `rescan below ${device.name}`);
  }

  *rescan(): Process<void> {
    yield* this.kernel.rescan();
  }

  *bind(driver: string, device: PciDevice): Process<number> {
    return yield* this.kernel.driverCore.bindByName(driver, device);
  }

  *unbind(driver: string, device: PciDevice): Process<number> {
    if (device.driver?.name !== driver) return ENODEV;
    yield* this.kernel.driverCore.detach(device);
    return 0;
  }
}

/** One that has a place. */
function isMemoryBar({ index, space, pciAddress }: PciResource): boolean {
  return index <= LAST_BAR && space === 'memory' && (pciAddress ?? 0) !== 0;
}

function registerAddress(controller: PciController, trap: TestErrorTrap): number | undefined {
  const { registers } = controller.node;
  return registers === undefined ? undefined : registers + PHB_REGISTERS.get(TEST_ERROR_REGISTERS[trap]).offset;
}
