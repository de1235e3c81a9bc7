/**
 * What a PHB3 wants set in each device it finds, and again after each reset.
 * Source: skiboot hw/phb3.c: phb3_device_init, phb3_device_remove, phb3_check_device_quirks, phb3_root_port_init,
 * phb3_switch_port_init, phb3_endpoint_init, phb3_enable_ecrc. Facts: ioda2-phb3 8.3, last paragraph.
 */
import { setField } from '../../hw/bits.js';
import { PBCQ_NEST_REGISTERS } from '../../ioda2/registers/pbcq.js';
import { UNCORRECTABLE } from '../../pcie/aer-capability.js';
import { DEVCTL_FIELDS } from '../../pcie/capabilities.js';
import { BRIDGE_CONTROL_FIELDS, COMMAND_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import { initCommon } from '../device-init.js';
import type { ConfigSize } from '../pci-config.js';
import { busOf, type PciDevice } from '../pci-device.js';
import type { PciHost } from '../pci-host.js';
import {
  AER,
  AER_ECRC_CHECK,
  AER_ECRC_GENERATE,
  CE_MASK,
  CONFIG,
  EXPRESS,
  REPORT_ALL_ERRORS,
  ROOT_UE_MASK,
  ROOT_UE_SEVERITY,
} from '../pci-registers.js';
import { configRead, configWrite, updateConfig, writeConfig } from './config.js';
import { PORT_IRQS } from './init-values.js';
import type { Phb3 } from './phb3.js';
import { ECRC, ROOT_ERROR_COMMAND, ROOT_PORT } from './root-complex.js';
import { PREFETCHABLE_BYTES } from './root-filter.js';

const ERROR_RESPONSES = COMMAND_FIELDS.SERR | COMMAND_FIELDS.PARITY;

/** Adapters that write faster without group scope. Source: skiboot hw/phb3.c: phb3_check_device_quirks. */
const NO_GROUP_SCOPE = { vendorId: 0x15b3, deviceIds: [0x1003, 0x1011, 0x1013] };
/** A switch that must not meet end-to-end CRC anywhere above it. */
const NO_ECRC_SWITCH = { vendorId: 0x11f8, deviceId: 0x8546 };

export function* initDevice(phb: Phb3, host: PciHost, device: PciDevice): Process<void> {
  yield* applyQuirks(phb, device);
  yield* initCommon(host, device);
  yield* initByType(phb, device);
  // Only a device that is new to firmware: one that was reset has had its say.
  if (!hatesEcrc(device) || phb.ecrcHaters.has(device.bdfn)) return;
  phb.ecrcHaters.add(device.bdfn);
  if (phb.ecrcHaters.size === 1) yield* setRootEcrc(phb, 'off');
}

/** Firmware forgets the device. */
export function* removeDevice(phb: Phb3, { bdfn }: PciDevice): Process<void> {
  if (phb.ecrcHaters.delete(bdfn) && phb.ecrcHaters.size === 0) yield* setRootEcrc(phb, 'on');
}

function* initByType(phb: Phb3, device: PciDevice): Process<void> {
  switch (device.type) {
    case 'root-port':
      return yield* initRootPortDevice(phb, device);
    case 'upstream-port':
    case 'downstream-port':
      return yield* initSwitchPort(phb, device);
    case 'endpoint':
    case 'legacy':
      return yield* initEndpoint(phb, device);
  }
}

const hatesEcrc = ({ vendorId, deviceId }: PciDevice): boolean =>
  vendorId === NO_ECRC_SWITCH.vendorId && deviceId === NO_ECRC_SWITCH.deviceId;

function* setRootEcrc(phb: Phb3, ecrc: 'on' | 'off'): Process<void> {
  const aer = phb.rootCapabilities?.aer;
  if (aer === undefined) return;
  const target = { bdfn: ROOT_PORT, offset: aer + AER.AER_CONTROL, size: 4 } as const;
  yield* updateConfig(phb, target, ecrc === 'on' ? { set: ECRC } : { clear: ECRC });
}

const at = (device: PciDevice, offset: number, size: ConfigSize) => ({ bdfn: device.bdfn, offset, size });

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

// ---- by type --------------------------------------------------------------------------------------------------------------

function* initRootPortDevice(phb: Phb3, device: PciDevice): Process<void> {
  const surprise = device.slot?.surprisePluggable ?? false;
  // A card that may leave at any time must not freeze every PE when it does.
  if (surprise) yield* phb.access.write('UTL_PCIE_PORT_IRQ_EN', PORT_IRQS['link-down']);
  yield* updateConfig(phb, at(device, CONFIG.COMMAND, 2), { set: ERROR_RESPONSES });
  if (device.express === undefined || device.aer === undefined) return;
  yield* updateConfig(phb, at(device, device.express + EXPRESS.DEVCTL, 2), { set: REPORT_ALL_ERRORS });
  const aer = (register: keyof typeof AER) => at(device, device.aer! + AER[register], 4);
  const masked = ROOT_UE_MASK | (surprise ? UNCORRECTABLE.SURPRISE_DOWN : 0);
  yield* updateConfig(phb, aer('UE_MASK'), { set: masked });
  yield* updateConfig(phb, aer('UE_SEVERITY'), { set: ROOT_UE_SEVERITY });
  yield* updateConfig(phb, aer('CE_MASK'), { set: CE_MASK });
  yield* updateConfig(phb, aer('AER_CONTROL'), phb.ecrcHaters.size > 0 ? { clear: ECRC } : { set: ECRC });
  yield* updateConfig(phb, aer('ROOT_ERROR_COMMAND'), { set: ROOT_ERROR_COMMAND });
}

const UPSTREAM_SEVERITY =
  UNCORRECTABLE.DATA_LINK_PROTOCOL |
  UNCORRECTABLE.SURPRISE_DOWN |
  UNCORRECTABLE.FLOW_CONTROL |
  UNCORRECTABLE.RECEIVER_OVERFLOW |
  UNCORRECTABLE.MALFORMED_TLP |
  UNCORRECTABLE.INTERNAL;
const DOWNSTREAM_SEVERITY = UNCORRECTABLE.FLOW_CONTROL | UNCORRECTABLE.INTERNAL;

/** The order of accesses is ours (M): no recording has a switch. Values are the firmware's. */
function* initSwitchPort(phb: Phb3, device: PciDevice): Process<void> {
  yield* updateConfig(phb, at(device, CONFIG.COMMAND, 2), { set: ERROR_RESPONSES | COMMAND_FIELDS.INTX_DISABLE });
  yield* updateConfig(phb, at(device, CONFIG.BRIDGE_CONTROL, 2), {
    clear: BRIDGE_CONTROL_FIELDS.PARITY,
    set: BRIDGE_CONTROL_FIELDS.SERR,
  });
  if (device.express !== undefined) {
    // Correctable errors stay unreported (HW279570).
    yield* updateConfig(phb, at(device, device.express + EXPRESS.DEVCTL, 2), {
      clear: DEVCTL_FIELDS.CORRECTABLE,
      set: DEVCTL_FIELDS.NONFATAL | DEVCTL_FIELDS.FATAL,
    });
  }
  if (device.aer === undefined) return;
  const aer = (register: keyof typeof AER) => at(device, device.aer! + AER[register], 4);
  yield* writeConfig(phb, aer('UE_MASK'), device.slot?.surprisePluggable ? UNCORRECTABLE.SURPRISE_DOWN : 0);
  yield* writeConfig(
    phb,
    aer('UE_SEVERITY'),
    device.type === 'upstream-port' ? UPSTREAM_SEVERITY : DOWNSTREAM_SEVERITY,
  );
  yield* writeConfig(phb, aer('CE_MASK'), CE_MASK);
  yield* updateConfig(phb, aer('AER_CONTROL'), { clear: AER_ECRC_CHECK, set: AER_ECRC_GENERATE });
}

function* initEndpoint(phb: Phb3, device: PciDevice): Process<void> {
  yield* updateConfig(phb, at(device, CONFIG.COMMAND, 2), { set: ERROR_RESPONSES });
  if (device.express === undefined) return;
  yield* updateConfig(phb, at(device, device.express + EXPRESS.DEVCTL, 2), {
    clear: DEVCTL_FIELDS.CORRECTABLE,
    set: DEVCTL_FIELDS.NONFATAL | DEVCTL_FIELDS.FATAL | DEVCTL_FIELDS.UNSUPPORTED_REQUEST,
  });
  // Without AER the firmware takes offset 0 for the capability and sets the bits in what stands at 0x18 (recorded).
  if (device.aer === undefined && phb.profile.ecrcWithoutAer === 'corrected') return;
  const control = (device.aer ?? 0) + AER.AER_CONTROL;
  yield* updateConfig(phb, at(device, control, 4), phb.ecrcHaters.size > 0 ? { clear: ECRC } : { set: ECRC });
}
