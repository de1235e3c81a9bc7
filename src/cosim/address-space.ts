/**
 * What a processor of the machine reaches by address: memory, the XSCOM window, and through the bus the register pages
 * and windows of the bridges. An access that no single bus cycle can do goes in naturally aligned pieces.
 */
import { fromHalves } from '../hw/bits.js';
import type { AccessSize } from '../hw/host-port.js';
import type { SystemMemory } from '../hw/memory.js';
import type { SyncHost } from '../hw/sync-host.js';
import { scomOfBusAddress } from '../machine/xscom.js';
import { CommandError } from './qtest-words.js';

/** Each piece of a block outside memory is an access of its own, so a block there must not be endless. */
export const MAX_MMIO_BLOCK_BYTES = 2 ** 16;
const SCOM_BYTES = 8;
const PIECE_SIZES = [8, 4, 2] as const;

export class AddressSpace {
  constructor(
    private readonly host: SyncHost,
    private readonly memory: SystemMemory,
  ) {}

  load(address: number, size: AccessSize): bigint {
    if (address % size !== 0) return bigEndian(this.readBlock(address, size));
    return this.loadPiece(address, size);
  }

  store(address: number, size: AccessSize, value: bigint): void {
    if (address % size !== 0) this.writeBlock(address, bytesOf(value, size));
    else this.storePiece(address, size, value);
  }

  readBlock(address: number, length: number): Uint8Array {
    if (this.memory.contains(address, length)) return this.memory.readBlock(address, length);
    const bytes = new Uint8Array(length);
    this.forEachPiece(address, length, (at, size) => {
      bytes.set(bytesOf(this.loadPiece(at, size), size), at - address);
    });
    return bytes;
  }

  writeBlock(address: number, bytes: Uint8Array): void {
    if (this.memory.contains(address, bytes.length)) {
      this.memory.writeBlock(address, bytes);
      return;
    }
    this.forEachPiece(address, bytes.length, (at, size) => {
      this.storePiece(at, size, bigEndian(bytes.subarray(at - address, at - address + size)));
    });
  }

  fill(address: number, length: number, byte: number): void {
    if (this.memory.contains(address, length)) this.memory.fill(address, length, byte);
    else {
      checkMmioLength(length);
      this.writeBlock(address, new Uint8Array(length).fill(byte));
    }
  }

  private loadPiece(address: number, size: AccessSize): bigint {
    const scom = scomOf(address, size);
    return scom === undefined ? this.host.load(address, size) : this.host.scomRead(scom);
  }

  private storePiece(address: number, size: AccessSize, value: bigint): void {
    const scom = scomOf(address, size);
    if (scom === undefined) this.host.store(address, size, value);
    else this.host.scomWrite(scom, value);
  }

  private forEachPiece(address: number, length: number, access: (at: number, size: AccessSize) => void): void {
    checkMmioLength(length);
    const end = address + length;
    if (!Number.isSafeInteger(end)) throw new CommandError('the block reaches beyond the bus');
    if (scomOfBusAddress(address) !== undefined && (address % SCOM_BYTES !== 0 || length % SCOM_BYTES !== 0)) {
      throw scomSizeError(address);
    }
    for (let at = address; at < end; ) {
      const size = PIECE_SIZES.find((candidate) => at % candidate === 0 && at + candidate <= end) ?? 1;
      access(at, size);
      at += size;
    }
  }
}

function checkMmioLength(length: number): void {
  if (length > MAX_MMIO_BLOCK_BYTES) {
    throw new CommandError(`a block outside memory is at most ${MAX_MMIO_BLOCK_BYTES} bytes, not ${length}`);
  }
}

/** The hardware's window answers nothing narrower, so a narrower access is a mistake of the client. */
function scomOf(address: number, size: AccessSize): number | undefined {
  const scom = scomOfBusAddress(address);
  if (scom !== undefined && (size !== SCOM_BYTES || address % SCOM_BYTES !== 0)) throw scomSizeError(address);
  return scom;
}

function scomSizeError(address: number): CommandError {
  return new CommandError(`0x${address.toString(16)} is in the XSCOM window, which takes aligned 64-bit accesses only`);
}

function bigEndian(bytes: Uint8Array): bigint {
  let hi = 0;
  let lo = 0;
  for (const byte of bytes) {
    hi = ((hi << 8) | (lo >>> 24)) >>> 0;
    lo = ((lo << 8) | byte) >>> 0;
  }
  return fromHalves(hi, lo);
}

function bytesOf(value: bigint, size: number): Uint8Array {
  const word = new DataView(new ArrayBuffer(8));
  word.setBigUint64(0, value);
  return new Uint8Array(word.buffer, 8 - size);
}
