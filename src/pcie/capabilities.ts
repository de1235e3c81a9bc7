/**
 * Builders of the standard capabilities as declared registers: power management, MSI, PCI Express v2 and Advanced
 * Error Reporting. Source: PCI Power Management 1.2 3.2, PCI Local Bus 3.0 6.8, PCI Express base specification 7.8, 7.10.
 */
import type { ConfigLayout, ConfigRegister } from './config-space.js';

/** Where a capability stands and which one follows (0 = last). */
export interface CapabilityPlace {
  readonly at: number;
  readonly next: number;
}

export const CapabilityId = { POWER_MANAGEMENT: 0x01, MSI: 0x05, PCI_EXPRESS: 0x10, MSIX: 0x11 } as const;
export const ExtendedCapabilityId = { AER: 0x0001, SERIAL_NUMBER: 0x0003 } as const;

function header(id: number, place: CapabilityPlace, about: string): ConfigRegister {
  return { at: place.at, size: 2, reset: (place.next << 8) | id, about };
}

export type PowerManagementRegister = 'PM_CAP' | 'PMC' | 'PMCSR' | 'PM_BRIDGE' | 'PM_DATA';

export function powerManagementCapability(place: CapabilityPlace): ConfigLayout<PowerManagementRegister> {
  const { at } = place;
  return {
    PM_CAP: header(CapabilityId.POWER_MANAGEMENT, place, 'power management capability'),
    PMC: { at: at + 2, size: 2, reset: 0xc803, about: 'PME from D0, D3hot and D3cold; version 3' },
    PMCSR: {
      at: at + 4,
      size: 2,
      reset: 0x0008,
      writable: 0x0103,
      writeOneClears: 0x8000,
      fields: { POWER_STATE: 0x0003, NO_SOFT_RESET: 0x0008, PME_ENABLE: 0x0100, PME_STATUS: 0x8000 },
      about: 'power state and PME',
    },
    PM_BRIDGE: { at: at + 6, size: 1, about: 'bridge support extensions, none' },
    PM_DATA: { at: at + 7, size: 1, about: 'no data register' },
  };
}

export const MSI_CONTROL_FIELDS = {
  ENABLE: 0x0001,
  CAPABLE: 0x000e,
  ENABLED_COUNT: 0x0070,
  ADDRESS_64: 0x0080,
} as const;

export type MsiRegister = 'MSI_CAP' | 'MSI_CONTROL' | 'MSI_ADDRESS' | 'MSI_ADDRESS_UPPER' | 'MSI_DATA';

/** MSI with 64-bit address and `messages` (1 to 32) messages. */
export function msiCapability(place: CapabilityPlace, messages: 1 | 2 | 4 | 8 | 16 | 32): ConfigLayout<MsiRegister> {
  const { at } = place;
  return {
    MSI_CAP: header(CapabilityId.MSI, place, 'message signalled interrupts'),
    MSI_CONTROL: {
      at: at + 2,
      size: 2,
      reset: 0x0080 | (Math.log2(messages) << 1),
      writable: 0x0071,
      fields: MSI_CONTROL_FIELDS,
      about: 'enable, number of messages (as power of two)',
    },
    MSI_ADDRESS: { at: at + 4, size: 4, writable: 0xffff_fffc, about: 'address bits 31:2 of the message write' },
    MSI_ADDRESS_UPPER: { at: at + 8, size: 4, writable: 0xffff_ffff, about: 'address bits 63:32' },
    MSI_DATA: { at: at + 12, size: 2, writable: 0xffff, about: 'data of the message write' },
  };
}

/** Device/port type in the PCI Express flags. */
export const PortType = { endpoint: 0, rootPort: 4, upstream: 5, downstream: 6, pciBridge: 7 } as const;
export type PortKind = keyof typeof PortType;

export interface PciExpressSpec extends CapabilityPlace {
  readonly port: PortKind;
  readonly maxSpeed: 1 | 2 | 3;
  readonly maxWidth: 1 | 2 | 4 | 8 | 16;
  /** Largest payload the function can take. */
  readonly maxPayloadBytes?: 128 | 256 | 512 | 1024 | 2048 | 4096;
  readonly options?: readonly PciExpressOption[];
}
export type PciExpressOption =
  | 'slot'
  | 'hot-plug-surprise'
  | 'hot-plug'
  | 'power-controller'
  | 'attention-button'
  | 'latch-sensor'
  | 'no-command-completed'
  | 'dll-active-reporting'
  | 'surprise-down-reporting'
  | 'function-level-reset'
  | 'crs-visibility'
  | 'ari-forwarding'
  | 'extended-tags'
  | 'relaxed-ordering'
  | 'no-snoop'
  | 'atomic-requester'
  | 'atomic-completer'
  | 'atomic-routing';

export type PciExpressRegister =
  | 'PCIE_CAP'
  | 'PCIE_FLAGS'
  | 'DEVCAP'
  | 'DEVCTL'
  | 'DEVSTA'
  | 'LNKCAP'
  | 'LNKCTL'
  | 'LNKSTA'
  | 'SLTCAP'
  | 'SLTCTL'
  | 'SLTSTA'
  | 'RTCTL'
  | 'RTCAP'
  | 'RTSTA'
  | 'DEVCAP2'
  | 'DEVCTL2'
  | 'DEVSTA2'
  | 'LNKCAP2'
  | 'LNKCTL2'
  | 'LNKSTA2';

export const DEVCTL_FIELDS = {
  CORRECTABLE: 0x0001,
  NONFATAL: 0x0002,
  FATAL: 0x0004,
  UNSUPPORTED_REQUEST: 0x0008,
  RELAXED_ORDERING: 0x0010,
  MAX_PAYLOAD: 0x00e0,
  EXTENDED_TAG: 0x0100,
  NO_SNOOP: 0x0800,
  MAX_READ_REQUEST: 0x7000,
  FUNCTION_LEVEL_RESET: 0x8000,
} as const;
export const DEVSTA_FIELDS = {
  CORRECTABLE: 0x0001,
  NONFATAL: 0x0002,
  FATAL: 0x0004,
  UNSUPPORTED_REQUEST: 0x0008,
  TRANSACTIONS_PENDING: 0x0020,
} as const;
export const LNKCTL_FIELDS = { READ_COMPLETION_128: 0x0008, DISABLE: 0x0010, RETRAIN: 0x0020 } as const;
export const LNKSTA_FIELDS = {
  SPEED: 0x000f,
  WIDTH: 0x03f0,
  TRAINING: 0x0800,
  SLOT_CLOCK: 0x1000,
  DLL_ACTIVE: 0x2000,
  BANDWIDTH_MANAGEMENT: 0x4000,
  AUTONOMOUS_BANDWIDTH: 0x8000,
} as const;
const LNKSTA_WIDTH_UNIT = LNKSTA_FIELDS.WIDTH & -LNKSTA_FIELDS.WIDTH;

/** Speed and width as LNKSTA shows them; 0 where there is no link. */
export function linkStatusOf(link: { readonly speed: number; readonly width: number } | undefined): number {
  return link === undefined ? 0 : link.speed | (link.width * LNKSTA_WIDTH_UNIT);
}
export const SLTSTA_FIELDS = {
  ATTENTION_BUTTON: 0x0001,
  POWER_FAULT: 0x0002,
  LATCH_CHANGED: 0x0004,
  PRESENCE_CHANGED: 0x0008,
  COMMAND_COMPLETED: 0x0010,
  LATCH_OPEN: 0x0020,
  PRESENCE: 0x0040,
  DLL_CHANGED: 0x0100,
} as const;
/** The first six by the names of their events in slot status. */
export const SLTCTL_FIELDS = {
  ATTENTION_BUTTON: 0x0001,
  POWER_FAULT: 0x0002,
  LATCH_CHANGED: 0x0004,
  PRESENCE_CHANGED: 0x0008,
  COMMAND_COMPLETED: 0x0010,
  DLL_CHANGED: 0x1000,
  HOT_PLUG_INTERRUPT: 0x0020,
  ATTENTION_INDICATOR: 0x00c0,
  POWER_INDICATOR: 0x0300,
  POWER_OFF: 0x0400,
} as const;

/** Encodings shared by Max_Payload_Size and Max_Read_Request_Size: 0 = 128 bytes, 5 = 4096. */
export const encodeSize = (bytes: number): number => Math.log2(bytes) - 7;
export const decodeSize = (code: number): number => 128 * 2 ** Math.min(code, 5);

/** PCI Express capability, version 2, 60 bytes from `at`. */
export function pciExpressCapability(spec: PciExpressSpec): ConfigLayout<PciExpressRegister> {
  const has = (option: PciExpressOption): boolean => spec.options?.includes(option) ?? false;
  const slot = has('slot') ? 0x0100 : 0;
  return {
    PCIE_CAP: header(CapabilityId.PCI_EXPRESS, spec, 'PCI Express capability'),
    PCIE_FLAGS: {
      at: spec.at + 0x02,
      size: 2,
      reset: slot | (PortType[spec.port] << 4) | 2,
      fields: { VERSION: 0x000f, PORT_TYPE: 0x00f0, SLOT: 0x0100 },
      about: 'version, port type, slot implemented',
    },
    ...deviceRegisters(spec, has),
    ...linkRegisters(spec, has),
    ...slotRegisters(spec, has),
    ...rootRegisters(spec, has),
    ...secondDeviceAndLinkRegisters(spec, has),
  };
}

type Has = (option: PciExpressOption) => boolean;

function deviceRegisters(spec: PciExpressSpec, has: Has): ConfigLayout<'DEVCAP' | 'DEVCTL' | 'DEVSTA'> {
  const flr = has('function-level-reset');
  const tags = has('extended-tags');
  // A function that never sets an attribute may hardwire its enable to 0 (7.8.4).
  const attributes = (has('relaxed-ordering') ? 0x10 : 0) | (has('no-snoop') ? 0x800 : 0);
  return {
    DEVCAP: {
      at: spec.at + 0x04,
      size: 4,
      reset: 0x8000 | encodeSize(spec.maxPayloadBytes ?? 256) | (tags ? 0x20 : 0) | (flr ? 0x1000_0000 : 0),
      fields: { MAX_PAYLOAD: 0x7, EXTENDED_TAG: 0x20, ROLE_BASED_ERRORS: 0x8000, FUNCTION_LEVEL_RESET: 0x1000_0000 },
      about: 'what the function can do',
    },
    DEVCTL: {
      at: spec.at + 0x08,
      size: 2,
      reset: 0x2000 | attributes,
      writable: 0x70ef | (tags ? 0x100 : 0) | attributes,
      fields: DEVCTL_FIELDS,
      about: 'error reporting, payload and read request sizes',
    },
    DEVSTA: {
      at: spec.at + 0x0a,
      size: 2,
      writeOneClears: 0x000f,
      fields: DEVSTA_FIELDS,
      about: 'errors detected, reported or not',
    },
  };
}

function linkRegisters(spec: PciExpressSpec, has: Has): ConfigLayout<'LNKCAP' | 'LNKCTL' | 'LNKSTA'> {
  const downstreamPort = spec.port === 'rootPort' || spec.port === 'downstream';
  const active = has('dll-active-reporting') ? 0x0010_0000 : 0;
  const surprise = has('surprise-down-reporting') ? 0x0008_0000 : 0;
  return {
    LNKCAP: {
      at: spec.at + 0x0c,
      size: 4,
      reset: spec.maxSpeed | (spec.maxWidth << 4) | active | surprise,
      fields: { SPEED: 0xf, WIDTH: 0x3f0, SURPRISE_DOWN: 0x0008_0000, DLL_ACTIVE: 0x0010_0000 },
      about: 'what the link can do',
    },
    LNKCTL: {
      at: spec.at + 0x10,
      size: 2,
      // Only a port that owns the link below it can disable or retrain it.
      writable: downstreamPort ? 0x00db : 0x01cb,
      fields: LNKCTL_FIELDS,
      about: 'read completion boundary, disable, retrain',
    },
    LNKSTA: {
      at: spec.at + 0x12,
      size: 2,
      reset: LNKSTA_FIELDS.SLOT_CLOCK,
      writeOneClears: downstreamPort ? 0xc000 : 0,
      fields: LNKSTA_FIELDS,
      about: 'how the link runs now',
    },
  };
}

const SLTCAP_FIELDS = {
  ATTENTION_BUTTON: 0x01,
  POWER_CONTROLLER: 0x02,
  LATCH_SENSOR: 0x04,
  POWER_INDICATOR: 0x10,
  SURPRISE: 0x20,
  HOT_PLUG: 0x40,
  NO_COMMAND_COMPLETED: 0x0004_0000,
} as const;
const SLOT_ABILITIES: readonly (readonly [PciExpressOption, number])[] = [
  ['hot-plug-surprise', SLTCAP_FIELDS.HOT_PLUG | SLTCAP_FIELDS.SURPRISE],
  ['hot-plug', SLTCAP_FIELDS.HOT_PLUG],
  ['power-controller', SLTCAP_FIELDS.POWER_CONTROLLER | SLTCAP_FIELDS.POWER_INDICATOR],
  ['attention-button', SLTCAP_FIELDS.ATTENTION_BUTTON],
  ['latch-sensor', SLTCAP_FIELDS.LATCH_SENSOR],
  ['no-command-completed', SLTCAP_FIELDS.NO_COMMAND_COMPLETED],
];

function slotRegisters(spec: PciExpressSpec, has: Has): ConfigLayout<'SLTCAP' | 'SLTCTL' | 'SLTSTA'> {
  const slot = has('slot');
  return {
    SLTCAP: {
      at: spec.at + 0x14,
      size: 4,
      reset: SLOT_ABILITIES.reduce((bits, [option, able]) => bits | (has(option) ? able : 0), 0),
      fields: SLTCAP_FIELDS,
      about: 'what the slot can do',
    },
    SLTCTL: {
      at: spec.at + 0x18,
      size: 2,
      writable: slot ? 0x17ff : 0,
      fields: SLTCTL_FIELDS,
      about: 'slot events, indicators and power',
    },
    SLTSTA: {
      at: spec.at + 0x1a,
      size: 2,
      writeOneClears: slot ? 0x011f : 0,
      fields: SLTSTA_FIELDS,
      about: 'presence and slot events',
    },
  };
}

function rootRegisters(spec: PciExpressSpec, has: Has): ConfigLayout<'RTCTL' | 'RTCAP' | 'RTSTA'> {
  const root = spec.port === 'rootPort';
  const crs = root && has('crs-visibility') ? 1 : 0;
  return {
    RTCTL: {
      at: spec.at + 0x1c,
      size: 2,
      writable: root ? 0x000f | (crs << 4) : 0,
      fields: { SERR_CORRECTABLE: 1, SERR_NONFATAL: 2, SERR_FATAL: 4, PME: 8, CRS_VISIBILITY: 0x10 },
      about: 'what the root does with errors and retries',
    },
    RTCAP: { at: spec.at + 0x1e, size: 2, reset: crs, fields: { CRS_VISIBILITY: 1 }, about: 'root capabilities' },
    RTSTA: { at: spec.at + 0x20, size: 4, writeOneClears: root ? 0x0001_0000 : 0, about: 'PME status' },
  };
}

function secondDeviceAndLinkRegisters(
  spec: PciExpressSpec,
  has: Has,
): ConfigLayout<'DEVCAP2' | 'DEVCTL2' | 'DEVSTA2' | 'LNKCAP2' | 'LNKCTL2' | 'LNKSTA2'> {
  const ari = has('ari-forwarding') ? 0x20 : 0;
  const routing = has('atomic-routing') ? 0x40 : 0;
  const completer = has('atomic-completer') ? 0x380 : 0;
  const requester = has('atomic-requester') ? 0x40 : 0;
  return {
    DEVCAP2: {
      at: spec.at + 0x24,
      size: 4,
      reset: ari | routing | completer | 0x1f,
      fields: {
        TIMEOUT_RANGES: 0xf,
        TIMEOUT_DISABLE: 0x10,
        ARI_FORWARDING: 0x20,
        ATOMIC_ROUTING: 0x40,
        ATOMIC_COMPLETER: 0x380,
      },
      about: 'completion timeout ranges, ARI forwarding, atomics',
    },
    DEVCTL2: {
      at: spec.at + 0x28,
      size: 2,
      writable: ari | requester | 0x1f,
      fields: { TIMEOUT: 0xf, TIMEOUT_DISABLE: 0x10, ARI_FORWARDING: 0x20, ATOMIC_REQUESTER: 0x40 },
      about: 'completion timeout, ARI forwarding, atomics',
    },
    DEVSTA2: { at: spec.at + 0x2a, size: 2, about: 'reserved' },
    LNKCAP2: {
      at: spec.at + 0x2c,
      size: 4,
      reset: (2 ** spec.maxSpeed - 1) << 1,
      fields: { SPEEDS: 0xfe },
      about: 'speeds supported, one bit each from bit 1',
    },
    LNKCTL2: {
      at: spec.at + 0x30,
      size: 2,
      reset: spec.maxSpeed,
      writable: 0x003f,
      sticky: true,
      fields: { TARGET_SPEED: 0x000f, ENTER_COMPLIANCE: 0x0010, AUTONOMOUS_SPEED_DISABLE: 0x0020 },
      about: 'speed to train to',
    },
    LNKSTA2: { at: spec.at + 0x32, size: 2, about: 'equalisation status, not modelled' },
  };
}
