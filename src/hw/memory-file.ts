/**
 * The file behind a shared system memory. Each access is a pread or pwrite on the descriptor, so a process that maps
 * the same file shared, or reads it, is always up to date, and so are we.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';

export class MemoryFileError extends Error {
  override readonly name = 'MemoryFileError';
  constructor(path: string, what: string, cause: unknown) {
    super(`memory file ${path}: ${what}`, { cause });
  }
}

export class MemoryFile {
  private descriptor: number | undefined;

  constructor(
    readonly path: string,
    sizeBytes: number,
  ) {
    try {
      this.descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
      // A larger file stays as it is: it may belong to a machine with more memory than we were told to use.
      if (fstatSync(this.descriptor).size < sizeBytes) ftruncateSync(this.descriptor, sizeBytes);
    } catch (cause) {
      this.close();
      throw new MemoryFileError(path, `cannot be opened for reading and writing with ${sizeBytes} bytes`, cause);
    }
  }

  read(offset: number, bytes: Uint8Array): void {
    const descriptor = this.open();
    let done = 0;
    while (done < bytes.length) {
      const count = readSync(descriptor, bytes, done, bytes.length - done, offset + done);
      if (count === 0) throw new MemoryFileError(this.path, 'was cut short by another process', undefined);
      done += count;
    }
  }

  write(offset: number, bytes: Uint8Array): void {
    const descriptor = this.open();
    let done = 0;
    while (done < bytes.length) {
      done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
    }
  }

  close(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    this.descriptor = undefined;
  }

  private open(): number {
    if (this.descriptor === undefined) throw new MemoryFileError(this.path, 'is already closed', undefined);
    return this.descriptor;
  }
}
