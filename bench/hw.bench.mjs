// The toolkit's hot paths: the register file through software's doors, and system memory a doubleword at a time.

import { SystemMemory } from '../dist/hw/memory.js';
import { declareRegisters } from '../dist/hw/register.js';
import { RegisterFile } from '../dist/hw/register-file.js';
import { suite } from './suite.mjs';

const OPS_PER_RUN = 100_000;
const REGISTERS = 256;
const FIRST_OFFSET = 0x100;

/** 4096 numbers below `limit`, the same in each run: prepared, so that drawing them is not measured. */
function draw(limit) {
  const numbers = new Uint32Array(4096);
  let seed = 1;
  return numbers.map(() => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * limit);
  });
}

/** A bank as large as a chip's, every register read-write under its own mask. */
function bank() {
  const declarations = {};
  for (let n = 0; n < REGISTERS; n++) {
    declarations[`R${n}`] = {
      offset: FIRST_OFFSET + 8 * n,
      access: 'read-write',
      writable: 0xffff_0fff_ffff_00ffn ^ BigInt(n),
      about: 'for measuring',
      source: 'none',
      known: 'assumed',
    };
  }
  return declareRegisters('BENCH', 8, declarations);
}

suite('register-write-read', {
  unit: 'ns',
  opsPerRun: OPS_PER_RUN,
  setup() {
    const file = new RegisterFile(bank());
    const offsets = draw(REGISTERS).map((n) => FIRST_OFFSET + 8 * n);
    return () => {
      let sum = 0;
      for (let i = 0; i < OPS_PER_RUN; i++) {
        const offset = offsets[i & 4095];
        file.write32(offset, sum, i);
        file.read32(offset);
        sum = (Math.imul(sum, 31) + (file.hi ^ file.lo)) | 0;
      }
      return sum;
    };
  },
});

suite('memory-doubleword', {
  unit: 'ns',
  opsPerRun: OPS_PER_RUN,
  setup() {
    // Small enough for the host's caches: this measures the look-up, not the host's memory.
    const sizeBytes = 1024 * 1024;
    const baseAddress = 2 ** 32;
    const memory = new SystemMemory({ sizeBytes, baseAddress });
    for (let n = 0; n < sizeBytes; n += 8) memory.write64Halves(baseAddress + n, n, ~n >>> 0);
    const offsets = draw(sizeBytes / 8).map((n) => 8 * n);
    return () => {
      let sum = 0;
      for (let i = 0; i < OPS_PER_RUN; i++) {
        memory.readHalves(baseAddress + offsets[i & 4095]);
        sum = (Math.imul(sum, 31) + (memory.hi ^ memory.lo)) | 0;
      }
      return sum;
    };
  },
});
