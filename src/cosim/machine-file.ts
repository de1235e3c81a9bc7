/** The machine that is served: from the text of a small YAML or JSON file, and from what the command line adds to it. */
import { statSync } from 'node:fs';
import { isMap, parseDocument } from 'yaml';
import type { SystemMemoryOptions } from '../hw/memory.js';
import { CHIP_NAMES, CHIPS, DEFAULT_CHIP } from '../machine/chips.js';
import { type OpenProfile, readNamedProfile, readTimingProfile } from '../scenario/read-profile.js';
import { MapReader, Reader, type Value } from '../scenario/reader.js';
import { BYTE_SIZE_REMEDY, parseByteSize } from './byte-size.js';
import { CARD_KINDS, type CardKind, type CosimMachineOptions, DEFAULT_COSIM_MACHINE } from './cosim-machine.js';
import { FIRMWARE_KINDS } from './firmware.js';

const KEYS = ['chip', 'phbs', 'memory', 'slots', 'dma-mask', 'firmware', 'profile'] as const;
const LEAST_MEMORY_BYTES = 2 ** 16;
const MOST_MEMORY_BYTES = 2 ** 46;
const BUS_END = 2 ** 50;

/** Throws an error that names file, line, field and remedy for each problem in it. What is absent is as by default. */
export function readMachineFile(file: string, text: string, open?: OpenProfile): CosimMachineOptions {
  const reader = new Reader(file, text);
  const machine = machineMap(reader);
  machine.only(KEYS);
  const wanted = machine.get('slots');
  const chip = machine.get('chip')?.oneOf(CHIP_NAMES, 'chip');
  const { mostPhbs } = CHIPS[chip ?? DEFAULT_CHIP];
  const phbs = machine.get('phbs')?.integer(1, mostPhbs) ?? mostPhbs;
  const slots = wanted === undefined ? usualSlots(phbs) : readSlots(wanted, phbs);
  const memory = machine.get('memory');
  const sizeBytes = memory === undefined ? DEFAULT_COSIM_MACHINE.memory.sizeBytes : readMemory(memory);
  const dmaMask = machine.get('dma-mask')?.word();
  const firmware = machine.get('firmware')?.oneOf(FIRMWARE_KINDS, 'firmware');
  const profile = readNamedProfile(machine.get('profile'), open);
  reader.finish();
  return {
    ...{ slots, memory: { sizeBytes: sizeBytes! } },
    ...(chip === undefined ? {} : { chip }),
    ...(dmaMask === undefined ? {} : { dmaMask }),
    ...(firmware === undefined ? {} : { firmware }),
    ...(profile === undefined ? {} : { timing: readTimingProfile(profile.file, profile.text) }),
  };
}

function machineMap(reader: Reader): MapReader {
  const document = parseDocument(reader.text, { uniqueKeys: true });
  for (const { pos, message } of document.errors) {
    const [start, end] = pos;
    reader.add({ at: { start, end }, message: message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '') });
  }
  reader.finish();
  const { contents } = document;
  if (!isMap(contents)) {
    reader.add({
      at: { start: 0, end: reader.text.length },
      message: 'a machine file is a map',
      remedy: `Such as { phbs: 3, memory: 2 GiB, slots: { 0: edu } }; allowed: ${KEYS.join(', ')}`,
    });
    reader.finish();
  }
  return new MapReader(reader, contents as ConstructorParameters<typeof MapReader>[1], 'the machine');
}

/** What the first slots of the default machine have; more of them are empty. */
function usualSlots(phbs: number): CardKind[] {
  return Array.from({ length: phbs }, (_, phb) => DEFAULT_COSIM_MACHINE.slots[phb] ?? 'empty');
}

/** By number of the PHB; those not named are empty. */
function readSlots(value: Value, phbs: number): CardKind[] {
  const slots = new Array<CardKind>(phbs).fill('empty');
  const map = value.map();
  if (map === undefined) return slots;
  map.only(slots.map((_, phb) => String(phb)));
  for (const phb of slots.keys()) slots[phb] = map.get(String(phb))?.oneOf(CARD_KINDS, 'card') ?? 'empty';
  return slots;
}

function readMemory(value: Value): number | undefined {
  const bytes = value.isText
    ? parseByteSize(value.string() ?? '')
    : value.integer(LEAST_MEMORY_BYTES, MOST_MEMORY_BYTES);
  const fits = bytes !== undefined && bytes >= LEAST_MEMORY_BYTES && bytes <= MOST_MEMORY_BYTES;
  if (value.isText && !fits) value.fail('memory must be an amount from 64 KiB to 64 TiB', { remedy: BYTE_SIZE_REMEDY });
  return bytes;
}

export class MemoryFileOptionError extends Error {
  override readonly name = 'MemoryFileOptionError';
}

/**
 * `path[,base=N][,size=N]`: the machine's memory is this file, shared with whoever maps it. The base is the real address
 * of its first byte, 0 if not given; the size is that of the file if not given.
 */
export function parseMemoryFile(text: string): SystemMemoryOptions {
  const [path = '', ...settings] = text.split(',');
  if (path === '') throw memoryFileError(text, 'lacks the path of the file');
  let baseAddress = 0;
  let sizeBytes: number | undefined;
  for (const setting of settings) {
    const [name, amount = ''] = setting.split('=', 2);
    const bytes = parseByteSize(amount);
    if (name !== 'base' && name !== 'size') throw memoryFileError(text, `has "${setting}", which is no setting`);
    if (bytes === undefined) throw memoryFileError(text, `has a ${name} that is no amount. ${BYTE_SIZE_REMEDY}`);
    if (name === 'base') baseAddress = bytes;
    else sizeBytes = bytes;
  }
  sizeBytes ??= sizeOfFile(path);
  if (sizeBytes === undefined || sizeBytes === 0) throw memoryFileError(text, 'lacks size=, and there is no such file');
  if (sizeBytes > MOST_MEMORY_BYTES) throw memoryFileError(text, 'has a size beyond 64 TiB');
  if (baseAddress + sizeBytes > BUS_END) throw memoryFileError(text, 'reaches beyond the bus, which ends at 2^50');
  return { file: path, baseAddress, sizeBytes };
}

/** What cannot be looked at is left to the attempt to open it. */
function sizeOfFile(path: string): number | undefined {
  try {
    return statSync(path).size;
  } catch {
    return undefined;
  }
}

function memoryFileError(text: string, what: string): MemoryFileOptionError {
  return new MemoryFileOptionError(`--memory-file ${text} ${what}; its form is PATH,base=N,size=N`);
}
