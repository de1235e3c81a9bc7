/**
 * MMIO accessors of drivers. A load of all ones runs the EEH check before the value is handed over.
 * Registers of PCI devices are little-endian, the processor big-endian. Source: linux asm/eeh.h: eeh_readb to eeh_readq_be.
 */
import type { AccessSize, HostPort } from '../hw/host-port.js';
import type { Process } from '../sim/process.js';
import type { EehCheck } from './eeh-core.js';

export type ByteOrder = 'little-endian' | 'big-endian';

export class EehIo {
  constructor(
    private readonly port: HostPort,
    private readonly check: EehCheck,
  ) {}

  /** `callers`: frames of the driver for a stack trace, newest first. */
  *read(address: number, size: AccessSize, callers: readonly string[] = []): Process<bigint> {
    return yield* this.readIn('little-endian', address, size, callers);
  }

  *readBigEndian(address: number, size: AccessSize, callers: readonly string[] = []): Process<bigint> {
    return yield* this.readIn('big-endian', address, size, callers);
  }

  /** 32-bit load as a number. */
  *read32(address: number, callers: readonly string[] = []): Process<number> {
    return Number(yield* this.read(address, 4, callers));
  }

  *write(address: number, size: AccessSize, value: bigint): Process<void> {
    yield* this.port.store(address, size, swap(value, size));
  }

  *writeBigEndian(address: number, size: AccessSize, value: bigint): Process<void> {
    yield* this.port.store(address, size, value);
  }

  *write32(address: number, value: number): Process<void> {
    yield* this.write(address, 4, BigInt(value >>> 0));
  }

  /** Never detects anything: real-mode code and the tools that break devices on purpose. */
  *readUnchecked(address: number, size: AccessSize): Process<bigint> {
    return swap(yield* this.port.load(address, size), size);
  }

  /** Copies bytes; only the last element is looked at, and it is checked under the start address. */
  *readBlock(address: number, length: number, callers: readonly string[] = []): Process<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = Number(yield* this.port.load(address + i, 1));
    const tail = bytes.subarray(-CHECKED_TAIL_BYTES);
    if (length >= CHECKED_TAIL_BYTES && tail.every((byte) => byte === 0xff)) {
      yield* this.check.checkAddress(address, callers);
    }
    return bytes;
  }

  private *readIn(order: ByteOrder, address: number, size: AccessSize, callers: readonly string[]): Process<bigint> {
    const value = yield* this.port.load(address, size);
    if (value === allOnesOf(size)) yield* this.check.checkAddress(address, callers);
    return order === 'little-endian' ? swap(value, size) : value;
  }
}

const CHECKED_TAIL_BYTES = 4;

function allOnesOf(size: AccessSize): bigint {
  return (1n << BigInt(8 * size)) - 1n;
}

function swap(value: bigint, size: AccessSize): bigint {
  let swapped = 0n;
  for (let i = 0; i < size; i++) swapped = (swapped << 8n) | ((value >> BigInt(8 * i)) & 0xffn);
  return swapped;
}
