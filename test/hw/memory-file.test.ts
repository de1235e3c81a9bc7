import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { PAGE_BYTES, SystemMemory } from '../../src/hw/memory.js';
import { MemoryFileError } from '../../src/hw/memory-file.js';

const folder = mkdtempSync(join(tmpdir(), 'phbsim-memory-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('memory in a file', () => {
  it('is seen by another process while open, and sees what that one writes', () => {
    const file = join(folder, 'shared');
    const memory = new SystemMemory({ sizeBytes: 4 * PAGE_BYTES, baseAddress: 0x1_0000_0000, file });
    memory.write64(0x1_0000_1000, 0x0102_0304_0506_0708n);
    memory.write32(0x1_0000_fffe, 0xa1b2_c3d4);
    expect(memory.read64(0x1_0000_2000)).toBe(0n);
    const script = `
      const fs = require('node:fs');
      const descriptor = fs.openSync(process.argv[1], 'r+');
      const seen = Buffer.alloc(8);
      fs.readSync(descriptor, seen, 0, 8, 0x1000);
      fs.writeSync(descriptor, Buffer.from('1122334455667788', 'hex'), 0, 8, 0x2000);
      const split = Buffer.alloc(4);
      fs.readSync(descriptor, split, 0, 4, 0xfffe);
      process.stdout.write(seen.toString('hex') + ' ' + split.toString('hex'));`;
    const seen = execFileSync(process.execPath, ['-e', script, file], { encoding: 'utf8' });
    expect(seen).toBe('0102030405060708 a1b2c3d4');
    expect(memory.read64(0x1_0000_2000)).toBe(0x1122_3344_5566_7788n);
    expect([memory.readHi(0x1_0000_2000), memory.readLo(0x1_0000_2000)]).toEqual([0x1122_3344, 0x5566_7788]);
    memory.close();
  });

  it('behaves as memory without a file, and keeps no pages', () => {
    const file = join(folder, 'doors');
    const memory = new SystemMemory({ sizeBytes: 2 * PAGE_BYTES, file });
    memory.write8(0, 1);
    memory.write16(1, 0x0203);
    memory.write64Halves(8, 0x0405_0607, 0x0809_0a0b);
    memory.writeBlock(PAGE_BYTES - 1, Uint8Array.of(7, 8));
    memory.fill(3, 2, 0xee);
    expect([...memory.readBlock(0, 16)]).toEqual([1, 2, 3, 0xee, 0xee, 0, 0, 0, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(memory.read16(PAGE_BYTES - 1)).toBe(0x0708);
    expect(memory.read8(0)).toBe(1);
    memory.readHalves(8);
    expect([memory.hi, memory.lo]).toEqual([0x0405_0607, 0x0809_0a0b]);
    memory.fill(0, 2 * PAGE_BYTES, 0);
    expect(readFileSync(file).every((byte) => byte === 0)).toBe(true);
    expect(memory.residentBytes).toBe(0);
    memory.close();
  });

  it('extends a short file, leaves a longer one as it is, and keeps what was in it', () => {
    const file = join(folder, 'existing');
    writeFileSync(file, Buffer.from([0xab]));
    const memory = new SystemMemory({ sizeBytes: PAGE_BYTES, file });
    expect(memory.read16(0)).toBe(0xab00);
    memory.close();
    expect(statSync(file).size).toBe(PAGE_BYTES);
    const smaller = new SystemMemory({ sizeBytes: 4096, file });
    smaller.close();
    expect(statSync(file).size).toBe(PAGE_BYTES);
  });

  it('says which file is in the way when it cannot be used', () => {
    expect(() => new SystemMemory({ sizeBytes: 16, file: folder })).toThrow(MemoryFileError);
    expect(() => new SystemMemory({ sizeBytes: 16, file: join(folder, 'no', 'such') })).toThrow(
      /no\/such: cannot be opened/,
    );
    const file = join(folder, 'cut');
    const memory = new SystemMemory({ sizeBytes: 4096, file });
    truncateSync(file, 8);
    expect(() => memory.read64(8)).toThrow(/cut short by another process/);
    memory.close();
    memory.close();
    expect(() => memory.read8(0)).toThrow(/already closed/);
    expect(() => memory.write8(0, 1)).toThrow(MemoryFileError);
  });
});
