import { writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { formatByteSize, parseByteSize } from '../../src/cosim/byte-size.js';
import { DEFAULT_COSIM_MACHINE } from '../../src/cosim/cosim-machine.js';
import { MemoryFileOptionError, parseMemoryFile, readMachineFile } from '../../src/cosim/machine-file.js';
import { ScenarioError } from '../../src/scenario/problems.js';
import { Scratch } from './support.js';

const scratch = new Scratch();
afterAll(() => scratch.remove());

describe('a machine file', () => {
  it('names PHBs, memory and cards', () => {
    expect(readMachineFile('m.yaml', 'phbs: 2\nmemory: 1 GiB\nslots: { 0: nvme, 1: nic }\n')).toEqual({
      slots: ['nvme', 'nic'],
      memory: { sizeBytes: 2 ** 30 },
    });
  });

  it('may be JSON', () => {
    const text = '{"phbs": 3, "memory": 1048576, "slots": {"2": "e1000e", "1": "empty"}}';
    expect(readMachineFile('m.json', text)).toEqual({
      slots: ['empty', 'empty', 'e1000e'],
      memory: { sizeBytes: 2 ** 20 },
    });
  });

  it('may ask for firmware that has booted', () => {
    expect(readMachineFile('m.yaml', '{ firmware: skiboot }')).toEqual({
      ...DEFAULT_COSIM_MACHINE,
      firmware: 'skiboot',
    });
  });

  it('leaves to the default what it does not say', () => {
    expect(readMachineFile('m.yaml', '{}')).toEqual(DEFAULT_COSIM_MACHINE);
    expect(readMachineFile('m.yaml', 'phbs: 1')).toEqual({ ...DEFAULT_COSIM_MACHINE, slots: ['edu'] });
    expect(readMachineFile('m.yaml', 'slots: {}').slots).toEqual(['empty', 'empty', 'empty']);
  });

  it('gives the edu devices an address mask, of which no bit is lost', () => {
    expect(readMachineFile('m.yaml', 'dma-mask: 0xffffffffffffffff').dmaMask).toBe(0xffff_ffff_ffff_ffffn);
    expect(readMachineFile('m.yaml', 'dma-mask: 0x0fffffffffffffff').dmaMask).toBe(0x0fff_ffff_ffff_ffffn);
  });

  it.each([
    ['dma-mask: all', 'm.yaml:1:11  dma-mask must be a 64-bit word'],
    ['phbs: 4', 'm.yaml:1:7  phbs must be a whole number from 1 to 3, not "4"'],
    ['\nmemory: lots', 'm.yaml:2:9  memory must be an amount'],
    ['memory: 4 KiB', 'm.yaml:1:9  memory must be an amount from 64 KiB to 64 TiB'],
    ['memory: 5', 'm.yaml:1:9  memory must be a whole number from 65536'],
    ['firmware: skibot', 'm.yaml:1:11  unknown firmware "skibot"'],
    ['slots: { 0: nvm }', 'did you mean nvme?'],
    ['phbs: 1\nslots: { 1: nic }', 'm.yaml:2:10  slots has no "1"'],
    ['slots: [nic]', 'slots must be a map'],
    ['slot: { 0: nic }', 'did you mean slots?'],
    ['- nic', 'm.yaml:1:1  a machine file is a map'],
    ['', 'a machine file is a map'],
    ['phbs: 1\nphbs: 2', 'm.yaml:2:1  Map keys must be unique'],
    ['{ phbs: ', 'm.yaml:1:'],
  ])('refuses %j with place and remedy', (text, message) => {
    expect(() => readMachineFile('m.yaml', text)).toThrow(ScenarioError);
    expect(() => readMachineFile('m.yaml', text)).toThrow(message);
  });

  it('reports every mistake in it at once', () => {
    expect(() => readMachineFile('m.yaml', 'phbs: 9\nmemory: x\nslots: 5')).toThrow(
      /m\.yaml:1:7.*m\.yaml:2:9.*m\.yaml:3:8/s,
    );
  });
});

describe('a shared memory file', () => {
  it('has a path, a base and a size', () => {
    expect(parseMemoryFile('/dev/shm/ram,base=0x10000,size=2GiB')).toEqual({
      file: '/dev/shm/ram',
      baseAddress: 0x10000,
      sizeBytes: 2 ** 31,
    });
  });

  it('begins at 0 and is as long as the file if not said otherwise', () => {
    const file = scratch.path('ram');
    writeFileSync(file, Buffer.alloc(70000));
    expect(parseMemoryFile(file)).toEqual({ file, baseAddress: 0, sizeBytes: 70000 });
  });

  it.each([
    ['', 'lacks the path'],
    [',size=1', 'lacks the path'],
    ['/nowhere/ram', 'lacks size=, and there is no such file'],
    ['ram,size=0', 'lacks size='],
    ['ram,size=much', 'has a size that is no amount'],
    ['ram,base', 'has a base that is no amount'],
    ['ram,share=on', 'has "share=on", which is no setting'],
    ['ram,size=65TiB', 'beyond 64 TiB'],
    ['ram,base=1024T,size=4K', 'reaches beyond the bus'],
  ])('is not "%s"', (text, reason) => {
    expect(() => parseMemoryFile(text)).toThrow(MemoryFileOptionError);
    expect(() => parseMemoryFile(text)).toThrow(reason);
  });
});

describe('an amount of memory', () => {
  it.each([
    ['0', 0],
    ['4096', 4096],
    ['0x10000', 65536],
    ['64K', 65536],
    ['64 kib', 65536],
    ['3MB', 3 * 2 ** 20],
    ['2 GiB', 2 ** 31],
    ['1T', 2 ** 40],
  ])('%s is %i bytes', (text, bytes) => {
    expect(parseByteSize(text)).toBe(bytes);
  });

  it.each(['', 'x', '1.5 GiB', '-1', '2 GG', '99999999999 T', '1 iB'])('is not "%s"', (text) => {
    expect(parseByteSize(text)).toBeUndefined();
  });

  it('is shown in the largest unit that fits', () => {
    expect([2 ** 31, 3 * 2 ** 20, 2 ** 16, 1000, 0].map(formatByteSize)).toEqual([
      ...['2 GiB', '3 MiB', '64 KiB'],
      ...['1000 bytes', '0 bytes'],
    ]);
  });
});
