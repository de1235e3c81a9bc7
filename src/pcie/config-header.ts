/**
 * The standard headers of configuration space, type 0 (devices) and type 1 (bridges), as declared registers.
 * Source: PCI Local Bus 3.0 6.1, PCI-to-PCI Bridge 1.2 3.2; values of one device come in as data.
 */
import type { ConfigLayout, ConfigRegister } from './config-space.js';

export const COMMAND_FIELDS = {
  IO: 0x0001,
  MEMORY: 0x0002,
  BUS_MASTER: 0x0004,
  PARITY: 0x0040,
  SERR: 0x0100,
  INTX_DISABLE: 0x0400,
} as const;

export const STATUS_FIELDS = {
  INTERRUPT: 0x0008,
  CAPABILITY_LIST: 0x0010,
  MASTER_PARITY: 0x0100,
  SENT_TARGET_ABORT: 0x0800,
  RECEIVED_TARGET_ABORT: 0x1000,
  RECEIVED_MASTER_ABORT: 0x2000,
  SENT_SERR: 0x4000,
  DETECTED_PARITY: 0x8000,
} as const;
const STATUS_WRITE_ONE_CLEARS = 0xf900;

export const BRIDGE_CONTROL_FIELDS = {
  PARITY: 0x0001,
  SERR: 0x0002,
  /** Writable only where a conventional bus is below. */
  MASTER_ABORT_MODE: 0x0020,
  SECONDARY_BUS_RESET: 0x0040,
} as const;

/** Low bits of a base address register. Source: PCI Local Bus 3.0 6.2.5.1. */
export const BAR_IO = 0x1;
export const BAR_64BIT = 0x4;
export const BAR_PREFETCHABLE = 0x8;
/** Decode enable of the expansion ROM. Source: PCI Local Bus 3.0 6.2.5.2. */
export const ROM_ENABLE = 0x1;

export type CommonRegister =
  | 'VENDOR_ID'
  | 'DEVICE_ID'
  | 'COMMAND'
  | 'STATUS'
  | 'REVISION'
  | 'CLASS'
  | 'CACHE_LINE'
  | 'LATENCY_TIMER'
  | 'HEADER_TYPE'
  | 'BIST'
  | 'CAPABILITY_POINTER'
  | 'INTERRUPT_LINE'
  | 'INTERRUPT_PIN';
export type BarRegister = 'BAR0' | 'BAR1' | 'BAR2' | 'BAR3' | 'BAR4' | 'BAR5';
export const BAR_NAMES: readonly BarRegister[] = ['BAR0', 'BAR1', 'BAR2', 'BAR3', 'BAR4', 'BAR5'];
export type DeviceRegister = CommonRegister | BarRegister | 'SUBSYSTEM_VENDOR' | 'SUBSYSTEM' | 'ROM_BAR';
export type BridgeRegister =
  | CommonRegister
  | 'PRIMARY_BUS'
  | 'SECONDARY_BUS'
  | 'SUBORDINATE_BUS'
  | 'SECONDARY_LATENCY'
  | 'IO_BASE'
  | 'IO_LIMIT'
  | 'SECONDARY_STATUS'
  | 'MEMORY_BASE'
  | 'MEMORY_LIMIT'
  | 'PREFETCHABLE_BASE'
  | 'PREFETCHABLE_LIMIT'
  | 'PREFETCHABLE_BASE_UPPER'
  | 'PREFETCHABLE_LIMIT_UPPER'
  | 'IO_BASE_UPPER'
  | 'IO_LIMIT_UPPER'
  | 'BRIDGE_CONTROL';

/** Who a function says it is. */
export interface Identity {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly classCode: number;
  readonly revision?: number;
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
  /** 0 none, 1 to 4 for INTA to INTD. */
  readonly interruptPin?: 0 | 1 | 2 | 3 | 4;
  readonly capabilityPointer: number;
}

function commonHeader(identity: Identity): ConfigLayout<CommonRegister> {
  return {
    VENDOR_ID: { at: 0x00, size: 2, reset: identity.vendorId, about: 'who made it' },
    DEVICE_ID: { at: 0x02, size: 2, reset: identity.deviceId, about: 'which device it is' },
    COMMAND: { at: 0x04, size: 2, writable: 0x0547, fields: COMMAND_FIELDS, about: 'what the function may do' },
    STATUS: {
      at: 0x06,
      size: 2,
      reset: identity.capabilityPointer === 0 ? 0 : STATUS_FIELDS.CAPABILITY_LIST,
      writeOneClears: STATUS_WRITE_ONE_CLEARS,
      fields: STATUS_FIELDS,
      about: 'what went wrong on the primary side',
    },
    REVISION: { at: 0x08, size: 1, reset: identity.revision ?? 0, about: 'revision' },
    CLASS: { at: 0x09, size: 3, reset: identity.classCode, about: 'programming interface, subclass, class' },
    CACHE_LINE: { at: 0x0c, size: 1, writable: 0xff, about: 'storage only on PCI Express' },
    LATENCY_TIMER: { at: 0x0d, size: 1, about: 'hardwired to 0 on PCI Express' },
    HEADER_TYPE: { at: 0x0e, size: 1, about: 'layout of the header, and whether there are more functions' },
    BIST: { at: 0x0f, size: 1, about: 'no built-in self-test' },
    CAPABILITY_POINTER: { at: 0x34, size: 1, reset: identity.capabilityPointer, about: 'first capability' },
    INTERRUPT_LINE: { at: 0x3c, size: 1, writable: 0xff, about: 'storage for software' },
    INTERRUPT_PIN: { at: 0x3d, size: 1, reset: identity.interruptPin ?? 0, about: 'which INTx it drives' },
  };
}

/** One base address register of a device; a 64-bit one takes two slots. */
export interface BarSpec {
  readonly index: 0 | 1 | 2 | 3 | 4 | 5;
  /** A power of two, at least 16 (memory) or 4 (I/O). */
  readonly sizeBytes: number;
  readonly kind: 'memory32' | 'memory64' | 'io';
  readonly prefetchable?: true;
}

export class BarDeclarationError extends Error {
  constructor(bar: BarSpec, problem: string) {
    super(`BAR${bar.index} of ${bar.sizeBytes} bytes (${bar.kind}): ${problem}`);
    this.name = 'BarDeclarationError';
  }
}

export class RomDeclarationError extends Error {
  override readonly name = 'RomDeclarationError';
  constructor(romBytes: number) {
    super(`expansion ROM of ${romBytes} bytes: the size must be a power of two, 2 KiB to 16 MiB`);
  }
}

/**
 * Type 0 header. `bars` decides which base address registers answer sizing and with what; `romBytes` is the size of the
 * expansion ROM, 0 for none.
 */
export function deviceHeader(identity: Identity, bars: readonly BarSpec[], romBytes = 0): ConfigLayout<DeviceRegister> {
  return {
    ...commonHeader(identity),
    ...barRegisters(bars),
    SUBSYSTEM_VENDOR: { at: 0x2c, size: 2, reset: identity.subsystemVendorId ?? 0, about: 'who made the card' },
    SUBSYSTEM: { at: 0x2e, size: 2, reset: identity.subsystemId ?? 0, about: 'which card it is' },
    ROM_BAR: romRegister(romBytes),
  };
}

function romRegister(romBytes: number): ConfigRegister {
  if (romBytes === 0) return { at: 0x30, size: 4, about: 'no expansion ROM unless declared' };
  const sized = romBytes >= 0x800 && romBytes <= 0x100_0000 && Number.isInteger(Math.log2(romBytes));
  if (!sized) throw new RomDeclarationError(romBytes);
  const writable = (0x1_0000_0000 - romBytes + ROM_ENABLE) >>> 0;
  return { at: 0x30, size: 4, writable, about: `expansion ROM of ${romBytes} bytes` };
}

function barRegisters(bars: readonly BarSpec[]): Record<BarRegister, ConfigRegister> {
  const registers = BAR_NAMES.map((_, i): ConfigRegister => ({ at: 0x10 + 4 * i, size: 4, about: 'no such BAR' }));
  const taken = new Set<number>();
  for (const bar of bars) {
    const { lowMask, highMask, low } = barMasks(bar);
    const at = 0x10 + 4 * bar.index;
    const slots = bar.kind === 'memory64' ? [bar.index, bar.index + 1] : [bar.index];
    for (const slot of slots) {
      if (slot > 5) throw new BarDeclarationError(bar, 'a 64-bit BAR needs the slot after it');
      if (taken.has(slot)) throw new BarDeclarationError(bar, `slot ${slot} is taken`);
      taken.add(slot);
    }
    registers[bar.index] = { at, size: 4, reset: low, writable: lowMask, about: `${bar.sizeBytes} bytes, ${bar.kind}` };
    if (bar.kind === 'memory64') {
      registers[bar.index + 1] = { at: at + 4, size: 4, writable: highMask, about: `upper half of BAR${bar.index}` };
    }
  }
  return Object.fromEntries(BAR_NAMES.map((name, i) => [name, registers[i]!])) as Record<BarRegister, ConfigRegister>;
}

function barMasks(bar: BarSpec): { low: number; lowMask: number; highMask: number } {
  const { sizeBytes, kind } = bar;
  const least = kind === 'io' ? 4 : 16;
  if (sizeBytes < least || !Number.isInteger(Math.log2(sizeBytes))) {
    throw new BarDeclarationError(bar, `the size must be a power of two, at least ${least}`);
  }
  if (kind !== 'memory64' && sizeBytes > 0x8000_0000) throw new BarDeclarationError(bar, 'too large for 32 bits');
  const lowMask = sizeBytes >= 0x1_0000_0000 ? 0 : (0x1_0000_0000 - sizeBytes) >>> 0;
  const highMask = sizeBytes > 0x1_0000_0000 ? (0x1_0000_0000 - sizeBytes / 0x1_0000_0000) >>> 0 : 0xffff_ffff;
  const type = kind === 'io' ? BAR_IO : kind === 'memory64' ? BAR_64BIT : 0;
  return { low: type | (bar.prefetchable ? BAR_PREFETCHABLE : 0), lowMask, highMask };
}

/** Type 1 header. Forwards no I/O. */
export function bridgeHeader(identity: Identity): ConfigLayout<BridgeRegister> {
  const common = commonHeader(identity);
  return {
    ...common,
    HEADER_TYPE: { ...common.HEADER_TYPE, reset: 0x01 },
    PRIMARY_BUS: { at: 0x18, size: 1, writable: 0xff, about: 'bus on the upper side' },
    SECONDARY_BUS: { at: 0x19, size: 1, writable: 0xff, about: 'bus right below' },
    SUBORDINATE_BUS: { at: 0x1a, size: 1, writable: 0xff, about: 'highest bus below' },
    SECONDARY_LATENCY: { at: 0x1b, size: 1, about: 'hardwired to 0 on PCI Express' },
    IO_BASE: { at: 0x1c, size: 1, writable: 0xf0, about: 'stored, forwards nothing' },
    IO_LIMIT: { at: 0x1d, size: 1, writable: 0xf0, about: 'stored, forwards nothing' },
    SECONDARY_STATUS: {
      at: 0x1e,
      size: 2,
      writeOneClears: STATUS_WRITE_ONE_CLEARS,
      fields: STATUS_FIELDS,
      about: 'what went wrong on the secondary side',
    },
    MEMORY_BASE: { at: 0x20, size: 2, writable: 0xfff0, about: 'address bits 31:20' },
    MEMORY_LIMIT: { at: 0x22, size: 2, writable: 0xfff0, about: 'address bits 31:20, inclusive' },
    PREFETCHABLE_BASE: { at: 0x24, size: 2, reset: 1, writable: 0xfff0, about: 'address bits 31:20; 64-bit capable' },
    PREFETCHABLE_LIMIT: { at: 0x26, size: 2, reset: 1, writable: 0xfff0, about: 'address bits 31:20, inclusive' },
    PREFETCHABLE_BASE_UPPER: { at: 0x28, size: 4, writable: 0xffff_ffff, about: 'address bits 63:32' },
    PREFETCHABLE_LIMIT_UPPER: { at: 0x2c, size: 4, writable: 0xffff_ffff, about: 'address bits 63:32' },
    IO_BASE_UPPER: { at: 0x30, size: 2, writable: 0xffff, about: 'stored, forwards nothing' },
    IO_LIMIT_UPPER: { at: 0x32, size: 2, writable: 0xffff, about: 'stored, forwards nothing' },
    BRIDGE_CONTROL: {
      at: 0x3e,
      size: 2,
      writable: 0x0043,
      fields: BRIDGE_CONTROL_FIELDS,
      about: 'error forwarding and reset of the secondary bus',
    },
  };
}
