/**
 * Which errors the devices of a hierarchy report, by their place in it. Bridges differ in a few points only.
 * Source: skiboot hw/phb3.c: phb3_root_port_init, phb3_switch_port_init, phb3_endpoint_init, phb3_enable_ecrc;
 * skiboot p7ioc hw/p7ioc-phb.c: p7ioc_root_port_init, p7ioc_switch_port_init, p7ioc_endpoint_init.
 */
import { UNCORRECTABLE } from '../pcie/aer-capability.js';
import { DEVCTL_FIELDS } from '../pcie/capabilities.js';
import { BRIDGE_CONTROL_FIELDS, COMMAND_FIELDS } from '../pcie/config-header.js';
import type { Process } from '../sim/process.js';
import { type ConfigSize, updateConfig, writeConfig } from './pci-config.js';
import type { PciDevice } from './pci-device.js';
import type { PciHost } from './pci-host.js';
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
} from './pci-registers.js';
import { ECRC, ROOT_ERROR_COMMAND } from './root-port.js';

export interface ErrorPolicy {
  /** End-to-end check sums, while everybody can stand them. */
  readonly ecrc: 'on' | 'off';
  /** Loss of a card that may leave at any time. */
  readonly surpriseDown: 'masked' | 'reported';
  /** Correctable errors of switch ports. */
  readonly switchCorrectable: 'silent' | 'reported';
}

const ERROR_RESPONSES = COMMAND_FIELDS.SERR | COMMAND_FIELDS.PARITY;

export function* initErrorReporting(host: PciHost, device: PciDevice, policy: ErrorPolicy): Process<void> {
  switch (device.type) {
    case 'root-port':
      return yield* initRootPort(host, device, policy);
    case 'upstream-port':
    case 'downstream-port':
      return yield* initSwitchPort(host, device, policy);
    case 'endpoint':
    case 'legacy':
      return yield* initEndpoint(host, device, policy);
  }
}

const at = (device: PciDevice, offset: number, size: ConfigSize) => ({ bdfn: device.bdfn, offset, size });

const ecrcChange = ({ ecrc }: ErrorPolicy) => (ecrc === 'off' ? { clear: ECRC } : { set: ECRC });

function surpriseMask(device: PciDevice, { surpriseDown }: ErrorPolicy): number {
  return surpriseDown === 'masked' && device.slot?.surprisePluggable === true ? UNCORRECTABLE.SURPRISE_DOWN : 0;
}

function* initRootPort(host: PciHost, device: PciDevice, policy: ErrorPolicy): Process<void> {
  yield* updateConfig(host, at(device, CONFIG.COMMAND, 2), { set: ERROR_RESPONSES });
  if (device.express === undefined || device.aer === undefined) return;
  yield* updateConfig(host, at(device, device.express + EXPRESS.DEVCTL, 2), { set: REPORT_ALL_ERRORS });
  const aer = (register: keyof typeof AER) => at(device, device.aer! + AER[register], 4);
  yield* updateConfig(host, aer('UE_MASK'), { set: ROOT_UE_MASK | surpriseMask(device, policy) });
  yield* updateConfig(host, aer('UE_SEVERITY'), { set: ROOT_UE_SEVERITY });
  yield* updateConfig(host, aer('CE_MASK'), { set: CE_MASK });
  yield* updateConfig(host, aer('AER_CONTROL'), ecrcChange(policy));
  yield* updateConfig(host, aer('ROOT_ERROR_COMMAND'), { set: ROOT_ERROR_COMMAND });
}

const UPSTREAM_SEVERITY =
  UNCORRECTABLE.DATA_LINK_PROTOCOL |
  UNCORRECTABLE.SURPRISE_DOWN |
  UNCORRECTABLE.FLOW_CONTROL |
  UNCORRECTABLE.RECEIVER_OVERFLOW |
  UNCORRECTABLE.MALFORMED_TLP |
  UNCORRECTABLE.INTERNAL;
const DOWNSTREAM_SEVERITY = UNCORRECTABLE.FLOW_CONTROL | UNCORRECTABLE.INTERNAL;
const FATAL_AND_NONFATAL = DEVCTL_FIELDS.NONFATAL | DEVCTL_FIELDS.FATAL;

function* initSwitchPort(host: PciHost, device: PciDevice, policy: ErrorPolicy): Process<void> {
  yield* updateConfig(host, at(device, CONFIG.COMMAND, 2), { set: ERROR_RESPONSES | COMMAND_FIELDS.INTX_DISABLE });
  yield* updateConfig(host, at(device, CONFIG.BRIDGE_CONTROL, 2), {
    clear: BRIDGE_CONTROL_FIELDS.PARITY,
    set: BRIDGE_CONTROL_FIELDS.SERR,
  });
  if (device.express !== undefined) {
    yield* updateConfig(
      host,
      at(device, device.express + EXPRESS.DEVCTL, 2),
      policy.switchCorrectable === 'silent'
        ? { clear: DEVCTL_FIELDS.CORRECTABLE, set: FATAL_AND_NONFATAL }
        : { set: DEVCTL_FIELDS.CORRECTABLE | FATAL_AND_NONFATAL },
    );
  }
  if (device.aer === undefined) return;
  const aer = (register: keyof typeof AER) => at(device, device.aer! + AER[register], 4);
  yield* writeConfig(host, aer('UE_MASK'), surpriseMask(device, policy));
  yield* writeConfig(
    host,
    aer('UE_SEVERITY'),
    device.type === 'upstream-port' ? UPSTREAM_SEVERITY : DOWNSTREAM_SEVERITY,
  );
  yield* writeConfig(host, aer('CE_MASK'), CE_MASK);
  yield* updateConfig(host, aer('AER_CONTROL'), { clear: AER_ECRC_CHECK, set: AER_ECRC_GENERATE });
}

function* initEndpoint(host: PciHost, device: PciDevice, policy: ErrorPolicy): Process<void> {
  yield* updateConfig(host, at(device, CONFIG.COMMAND, 2), { set: ERROR_RESPONSES });
  if (device.express === undefined) return;
  yield* updateConfig(host, at(device, device.express + EXPRESS.DEVCTL, 2), {
    clear: DEVCTL_FIELDS.CORRECTABLE,
    set: FATAL_AND_NONFATAL | DEVCTL_FIELDS.UNSUPPORTED_REQUEST,
  });
  // Without AER the firmware takes offset 0 for the capability and sets the bits in what stands at 0x18 (recorded).
  if (device.aer === undefined && host.profile.ecrcWithoutAer === 'corrected') return;
  yield* updateConfig(host, at(device, (device.aer ?? 0) + AER.AER_CONTROL, 4), ecrcChange(policy));
}
