/**
 * Advanced Error Reporting as declared registers, and the names of the errors it knows.
 * Source: PCI Express base specification 7.10; reset severities are the specification's.
 */
import type { CapabilityPlace } from './capabilities.js';
import { ExtendedCapabilityId } from './capabilities.js';
import type { ConfigLayout } from './config-space.js';

/** Uncorrectable errors: bits of UE status, mask and severity. */
export const UNCORRECTABLE = {
  DATA_LINK_PROTOCOL: 0x10,
  SURPRISE_DOWN: 0x20,
  POISONED_TLP: 0x1000,
  FLOW_CONTROL: 0x2000,
  COMPLETION_TIMEOUT: 0x4000,
  COMPLETER_ABORT: 0x8000,
  UNEXPECTED_COMPLETION: 0x1_0000,
  RECEIVER_OVERFLOW: 0x2_0000,
  MALFORMED_TLP: 0x4_0000,
  ECRC: 0x8_0000,
  UNSUPPORTED_REQUEST: 0x10_0000,
  INTERNAL: 0x40_0000,
} as const;
export type UncorrectableError = keyof typeof UNCORRECTABLE;

/** Correctable errors: bits of CE status and mask. */
export const CORRECTABLE = {
  RECEIVER: 0x1,
  BAD_TLP: 0x40,
  BAD_DLLP: 0x80,
  REPLAY_ROLLOVER: 0x100,
  REPLAY_TIMER: 0x1000,
  ADVISORY_NONFATAL: 0x2000,
} as const;
export type CorrectableError = keyof typeof CORRECTABLE;

const ALL_UNCORRECTABLE = 0x005f_f030;
const ALL_CORRECTABLE = 0x31c1;
/** Severities a function has without AER, and after a reset with it (table 6-5). */
export const FATAL_BY_DEFAULT = 0x0046_2030;

export const ROOT_ERROR_STATUS_FIELDS = {
  CORRECTABLE: 0x01,
  MULTIPLE_CORRECTABLE: 0x02,
  UNCORRECTABLE: 0x04,
  MULTIPLE_UNCORRECTABLE: 0x08,
  FIRST_FATAL: 0x10,
  NONFATAL: 0x20,
  FATAL: 0x40,
} as const;

export type AerRegister =
  | 'AER_CAP'
  | 'UE_STATUS'
  | 'UE_MASK'
  | 'UE_SEVERITY'
  | 'CE_STATUS'
  | 'CE_MASK'
  | 'AER_CONTROL'
  | 'HEADER_LOG0'
  | 'HEADER_LOG1'
  | 'HEADER_LOG2'
  | 'HEADER_LOG3';
export type RootAerRegister = 'ROOT_ERROR_COMMAND' | 'ROOT_ERROR_STATUS' | 'ERROR_SOURCE';

/** What the specification leaves to the function. */
export type AerOption = 'multiple-headers';

export function aerCapability(place: CapabilityPlace, options: readonly AerOption[] = []): ConfigLayout<AerRegister> {
  const { at, next } = place;
  const multiple = options.includes('multiple-headers');
  return {
    AER_CAP: {
      at,
      size: 4,
      reset: ((next << 20) | (1 << 16) | ExtendedCapabilityId.AER) >>> 0,
      about: 'advanced error reporting, version 1',
    },
    UE_STATUS: {
      at: at + 0x04,
      size: 4,
      writeOneClears: ALL_UNCORRECTABLE,
      sticky: true,
      fields: UNCORRECTABLE,
      about: 'uncorrectable errors seen',
    },
    UE_MASK: {
      at: at + 0x08,
      size: 4,
      writable: ALL_UNCORRECTABLE,
      sticky: true,
      fields: UNCORRECTABLE,
      about: 'uncorrectable errors not reported',
    },
    UE_SEVERITY: {
      at: at + 0x0c,
      size: 4,
      reset: FATAL_BY_DEFAULT,
      writable: ALL_UNCORRECTABLE,
      sticky: true,
      fields: UNCORRECTABLE,
      about: 'uncorrectable errors that are fatal',
    },
    CE_STATUS: {
      at: at + 0x10,
      size: 4,
      writeOneClears: ALL_CORRECTABLE,
      sticky: true,
      fields: CORRECTABLE,
      about: 'correctable errors seen',
    },
    CE_MASK: {
      at: at + 0x14,
      size: 4,
      reset: CORRECTABLE.ADVISORY_NONFATAL,
      writable: ALL_CORRECTABLE,
      sticky: true,
      fields: CORRECTABLE,
      about: 'correctable errors not reported',
    },
    AER_CONTROL: {
      at: at + 0x18,
      size: 4,
      reset: multiple ? 0x02a0 : 0x00a0,
      writable: multiple ? 0x0540 : 0x0140,
      sticky: true,
      fields: {
        FIRST_ERROR: 0x1f,
        ECRC_CAPABLE: 0x20,
        ECRC_GENERATE: 0x40,
        ECRC_CHECK_CAPABLE: 0x80,
        ECRC_CHECK: 0x100,
        MULTIPLE_HEADERS_CAPABLE: 0x200,
        MULTIPLE_HEADERS_ENABLE: 0x400,
      },
      about: 'first error, end-to-end CRC, headers behind the first',
    },
    HEADER_LOG0: { at: at + 0x1c, size: 4, sticky: true, about: 'header of the first bad packet' },
    HEADER_LOG1: { at: at + 0x20, size: 4, sticky: true, about: 'header of the first bad packet' },
    HEADER_LOG2: { at: at + 0x24, size: 4, sticky: true, about: 'header of the first bad packet' },
    HEADER_LOG3: { at: at + 0x28, size: 4, sticky: true, about: 'header of the first bad packet' },
  };
}

/** AER of a root port: the above and what the root collects from below. */
export function rootAerCapability(place: CapabilityPlace): ConfigLayout<AerRegister | RootAerRegister> {
  const { at } = place;
  return {
    ...aerCapability(place),
    ROOT_ERROR_COMMAND: {
      at: at + 0x2c,
      size: 4,
      writable: 0x7,
      fields: { CORRECTABLE: 1, NONFATAL: 2, FATAL: 4 },
      about: 'error messages that interrupt',
    },
    ROOT_ERROR_STATUS: {
      at: at + 0x30,
      size: 4,
      writeOneClears: 0x7f,
      sticky: true,
      fields: ROOT_ERROR_STATUS_FIELDS,
      about: 'error messages received',
    },
    ERROR_SOURCE: {
      at: at + 0x34,
      size: 4,
      sticky: true,
      fields: { CORRECTABLE: 0xffff, UNCORRECTABLE: 0xffff_0000 },
      about: 'who sent the first error message of each kind',
    },
  };
}

/**
 * Errors of the conventional side of a PCI Express to PCI bridge: bits of its secondary status, mask and severity.
 * Source: PCI Express to PCI/PCI-X Bridge 1.0 5.2.3.
 */
export const SECONDARY_UNCORRECTABLE = {
  RECEIVED_TARGET_ABORT: 0x4,
  RECEIVED_MASTER_ABORT: 0x8,
  DATA: 0x80,
  ADDRESS: 0x200,
  DISCARD_TIMER: 0x400,
  PERR: 0x800,
  SERR: 0x1000,
} as const;
export type SecondaryError = keyof typeof SECONDARY_UNCORRECTABLE;

const ALL_SECONDARY = 0x3fef;
const SECONDARY_MASK_RESET = 0x17a8;
const SECONDARY_SEVERITY_RESET = 0x1340;

export type BridgeAerRegister = 'SEC_UE_STATUS' | 'SEC_UE_MASK' | 'SEC_UE_SEVERITY' | 'SEC_AER_CONTROL' | SecondaryLog;
type SecondaryLog = 'SEC_HEADER_LOG0' | 'SEC_HEADER_LOG1' | 'SEC_HEADER_LOG2' | 'SEC_HEADER_LOG3';

/** AER of a PCI Express to PCI bridge: the common registers and those of its conventional side. */
export function bridgeAerCapability(place: CapabilityPlace): ConfigLayout<AerRegister | BridgeAerRegister> {
  const { at } = place;
  const fields = SECONDARY_UNCORRECTABLE;
  const log = { size: 4, sticky: true, about: 'attribute, command and address of the first bad transaction' } as const;
  return {
    ...aerCapability(place),
    SEC_UE_STATUS: {
      at: at + 0x2c,
      size: 4,
      writeOneClears: ALL_SECONDARY,
      sticky: true,
      fields,
      about: 'errors seen on the conventional bus',
    },
    SEC_UE_MASK: {
      at: at + 0x30,
      size: 4,
      reset: SECONDARY_MASK_RESET,
      writable: ALL_SECONDARY,
      sticky: true,
      fields,
      about: 'errors of the conventional bus not reported',
    },
    SEC_UE_SEVERITY: {
      at: at + 0x34,
      size: 4,
      reset: SECONDARY_SEVERITY_RESET,
      writable: ALL_SECONDARY,
      sticky: true,
      fields,
      about: 'errors of the conventional bus that are fatal',
    },
    SEC_AER_CONTROL: {
      at: at + 0x38,
      size: 4,
      sticky: true,
      fields: { FIRST_ERROR: 0x1f },
      about: 'first error of the conventional bus',
    },
    SEC_HEADER_LOG0: { at: at + 0x3c, ...log },
    SEC_HEADER_LOG1: { at: at + 0x40, ...log },
    SEC_HEADER_LOG2: { at: at + 0x44, ...log },
    SEC_HEADER_LOG3: { at: at + 0x48, ...log },
  };
}
