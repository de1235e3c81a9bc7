/**
 * What a PHB3 wants set in each device it finds, and again after each reset.
 * Source: skiboot hw/phb3.c: phb3_device_init, phb3_device_remove, phb3_check_device_quirks, phb3_root_port_init.
 * Facts: ioda2-phb3 8.3, last paragraph.
 */
import { setField } from '../../hw/bits.js';
import { PBCQ_NEST_REGISTERS } from '../../ioda2/registers/pbcq.js';
import type { Process } from '../../sim/process.js';
import { initErrorReporting } from '../device-errors.js';
import { initCommon } from '../device-init.js';
import { busOf, type PciDevice } from '../pci-device.js';
import type { PciHost } from '../pci-host.js';
import { AER, CONFIG } from '../pci-registers.js';
import { ECRC, ROOT_PORT } from '../root-port.js';
import { configRead, configWrite, updateConfig } from './config.js';
import { PORT_IRQS } from './init-values.js';
import type { Phb3 } from './phb3.js';
import { PREFETCHABLE_BYTES } from './root-filter.js';

/** Adapters that write faster without group scope. Source: skiboot hw/phb3.c: phb3_check_device_quirks. */
const NO_GROUP_SCOPE = { vendorId: 0x15b3, deviceIds: [0x1003, 0x1011, 0x1013] };
/** A switch that must not meet end-to-end CRC anywhere above it. */
const NO_ECRC_SWITCH = { vendorId: 0x11f8, deviceId: 0x8546 };

export function* initDevice(phb: Phb3, host: PciHost, device: PciDevice): Process<void> {
  yield* applyQuirks(phb, device);
  yield* initCommon(host, device);
  // A card that may leave at any time must not freeze every PE when it does.
  if (device.type === 'root-port' && device.slot?.surprisePluggable === true) {
    yield* phb.access.write('UTL_PCIE_PORT_IRQ_EN', PORT_IRQS['link-down']);
  }
  yield* initErrorReporting(host, device, {
    ecrc: phb.ecrcHaters.size > 0 ? 'off' : 'on',
    surpriseDown: 'masked',
    // Correctable errors of switches stay unreported (HW279570).
    switchCorrectable: 'silent',
  });
  // Only a device that is new to firmware: one that was reset has had its say.
  if (!hatesEcrc(device) || phb.ecrcHaters.has(device.bdfn)) return;
  phb.ecrcHaters.add(device.bdfn);
  if (phb.ecrcHaters.size === 1) yield* setRootEcrc(phb, 'off');
}

/** Firmware forgets the device. */
export function* removeDevice(phb: Phb3, { bdfn }: PciDevice): Process<void> {
  if (phb.ecrcHaters.delete(bdfn) && phb.ecrcHaters.size === 0) yield* setRootEcrc(phb, 'on');
}

const hatesEcrc = ({ vendorId, deviceId }: PciDevice): boolean =>
  vendorId === NO_ECRC_SWITCH.vendorId && deviceId === NO_ECRC_SWITCH.deviceId;

function* setRootEcrc(phb: Phb3, ecrc: 'on' | 'off'): Process<void> {
  const aer = phb.rootCapabilities?.aer;
  if (aer === undefined) return;
  const target = { bdfn: ROOT_PORT, offset: aer + AER.AER_CONTROL, size: 4 } as const;
  yield* updateConfig(phb, target, ecrc === 'on' ? { set: ECRC } : { clear: ECRC });
}

// ---- quirks -------------------------------------------------------------------------------------------------------------

function* applyQuirks(phb: Phb3, device: PciDevice): Process<void> {
  if (device.bdfn === ROOT_PORT) yield* probePrefetchableWindow(phb);
  else if (busOf(device.bdfn) === 1) yield* chooseWriteScope(phb, device);
}

/** Some implementations of the root port lack the upper prefetchable registers: inverting one of them tells. */
function* probePrefetchableWindow(phb: Phb3): Process<void> {
  const target = { bdfn: ROOT_PORT, offset: CONFIG.PREFETCHABLE_BASE_UPPER, size: 4 } as const;
  const before = (yield* configRead(phb, target)).value;
  yield* configWrite(phb, target, ~before >>> 0);
  const after = (yield* configRead(phb, target)).value;
  if (after === before) phb.prefetchableCache ??= new Uint8Array(PREFETCHABLE_BYTES);
  else yield* configWrite(phb, target, before);
}

function* chooseWriteScope(phb: Phb3, device: PciDevice): Process<void> {
  const listed = device.vendorId === NO_GROUP_SCOPE.vendorId && NO_GROUP_SCOPE.deviceIds.includes(device.deviceId);
  const mode = yield* phb.access.readNest('MODE_CONTROL');
  const field = PBCQ_NEST_REGISTERS.field('MODE_CONTROL', 'WRITE_NO_GROUP_SCOPE').at;
  yield* phb.access.writeNest('MODE_CONTROL', setField(mode, field, listed ? 1n : 0n));
}
