/** Reads the machine of a scenario: its slots, what is in them, who drives it, and what firmware and kernel run on it. */
import { KERNEL_VERSIONS } from '../eeh/kernel-versions.js';
import { CHIP_NAMES, CHIPS, type ChipName, DEFAULT_CHIP } from '../machine/chips.js';
import type { BootOptions } from '../machine/system.js';
import {
  BRIDGE_CARD,
  DEVICE_MODELS,
  type DeviceModel,
  DRIVEN_MODEL,
  MOST_DEVICES_BEHIND,
  MOST_FUNCTIONS,
  MOST_SLOTS_PER_PHB,
  modelsOf,
  type PortFeatures,
  type SlotOptions,
} from '../machine/topology.js';
import { quoted } from './problems.js';
import { readDriver } from './read-driver.js';
import type { MapReader, Value } from './reader.js';
import { FIRMWARES, MOST_TIMES, type ScenarioMachine } from './scenario.js';

export const MACHINE_KEYS = [
  'chip',
  'slots',
  'max-freezes',
  'profile',
  'firmware',
  'kernel',
  'early-log',
  'hot-plug',
  'link-reporting',
] as const;
export const SLOT_KEYS = ['device', 'behind', 'driver', 'phb', 'frame-every'] as const;
export const SLOT_DEVICES = [...DEVICE_MODELS, BRIDGE_CARD] as const;
export const SWITCH_VALUES = ['yes', 'no'] as const;

/** `instead`: of the chip that the text names. */
export function readMachine(machine: MapReader, instead?: ChipName): ScenarioMachine {
  machine.only(MACHINE_KEYS);
  const named = machine.get('chip')?.oneOf(CHIP_NAMES, 'chip');
  const chip = instead ?? named;
  const maxFreezes = machine.get('max-freezes')?.integer(0, MOST_TIMES);
  const firmware = machine.get('firmware')?.oneOf(FIRMWARES, 'firmware');
  const kernel = readKernel(machine);
  const ports = readPorts(machine);
  return {
    slots: readSlots(machine, CHIPS[chip ?? DEFAULT_CHIP].mostPhbs),
    ...(chip === undefined ? {} : { chip }),
    ...(maxFreezes === undefined ? {} : { maxFreezes }),
    ...(firmware === undefined ? {} : { firmware }),
    ...(Object.keys(kernel).length === 0 ? {} : { kernel }),
    ...(Object.keys(ports).length === 0 ? {} : { ports }),
  };
}

const readSwitch = (machine: MapReader, key: (typeof MACHINE_KEYS)[number]): 'yes' | 'no' | undefined =>
  machine.get(key)?.oneOf(SWITCH_VALUES, key);

function readKernel(machine: MapReader): BootOptions {
  const version = machine.get('kernel')?.oneOf(KERNEL_VERSIONS, 'kernel');
  const earlyLog = readSwitch(machine, 'early-log');
  return {
    ...(version === undefined ? {} : { version }),
    ...(earlyLog === undefined ? {} : { earlyLog: earlyLog === 'yes' ? 'on' : 'off' }),
  };
}

function readPorts(machine: MapReader): PortFeatures {
  const hotPlug = readSwitch(machine, 'hot-plug');
  const linkReporting = readSwitch(machine, 'link-reporting');
  return {
    ...(hotPlug === undefined ? {} : { hotPlug }),
    ...(linkReporting === undefined ? {} : { linkReporting }),
  };
}

/** Slots are counted over the whole machine. */
function readSlots(machine: MapReader, mostPhbs: number): Map<number, SlotOptions> {
  const mostSlots = mostPhbs * MOST_SLOTS_PER_PHB;
  const slots = new Map<number, SlotOptions>();
  const map = machine.need('slots')?.map();
  for (const key of map?.keys ?? []) {
    const number = Number(key);
    const value = map!.get(key, `slot ${key}`)!;
    if (!/^[1-9]\d*$/.test(key) || number > mostSlots) {
      value.reader.add({
        at: map!.keySpan(key),
        message: `slots have numbers from 1 to ${mostSlots}, not ${quoted(key)}`,
      });
      continue;
    }
    slots.set(number, readSlot(value, mostPhbs));
  }
  if (map !== undefined && map.keys.length === 0) map.fail('a machine has at least one slot');
  for (let phb = 0; phb < mostPhbs; phb++) {
    const here = [...slots.values()].filter((slot) => (slot.phb ?? 0) === phb).length;
    if (here > MOST_SLOTS_PER_PHB) map?.fail(`PHB ${phb} has ${here} slots; ${MOST_SLOTS_PER_PHB} is the most`);
  }
  return slots;
}

/** A slot that is wrong is there all the same: faults and expectations may name it. */
function readSlot(value: Value, mostPhbs: number): SlotOptions {
  const map = value.map();
  if (map === undefined) return EMPTY_SLOT;
  map.only(SLOT_KEYS);
  const contents = readContents(map);
  const driver = map.get('driver') === undefined ? 'none' : (readDriver(map.get('driver')!) ?? 'none');
  const phb = map.get('phb')?.integer(0, mostPhbs - 1);
  const framePeriodNs = map.get('frame-every')?.duration();
  if (framePeriodNs !== undefined && framePeriodNs < SHORTEST_FRAME_NS) map.get('frame-every')!.fail('at least 2 us');
  const models = contents === undefined ? [] : modelsOf({ ...contents, driver });
  if (models.length > 0 && !models.includes(DRIVEN_MODEL)) {
    const named = [...new Set(models)].join(' or ');
    if (driver !== 'none') map.get('driver')!.fail(`there is no driver for ${named}`, DRIVER_REMEDY);
    if (map.has('frame-every')) map.get('frame-every')!.fail(`${named} takes no frames`);
  }
  return {
    ...{ ...(contents ?? EMPTY_CONTENTS), driver, framePeriodNs: framePeriodNs ?? DEFAULT_FRAME_NS },
    ...(phb === undefined ? {} : { phb }),
  };
}

type Contents = Pick<SlotOptions, 'device' | 'behind'>;

/** One device, a list of functions, or a bridge and what is behind it. */
function readContents(map: MapReader): Contents | undefined {
  const value = map.need('device');
  const behind = map.get('behind');
  const functions = value?.isList === true ? readModels(value, MOST_FUNCTIONS) : undefined;
  const device = value?.isList === false ? value.oneOf(SLOT_DEVICES, 'device', DEVICE_REMEDY) : functions;
  if (device === BRIDGE_CARD) {
    if (behind === undefined) map.fail(`${map.what} lacks "behind"`, BEHIND_REMEDY);
    const models = behind === undefined ? undefined : readModels(behind, MOST_DEVICES_BEHIND);
    return models === undefined ? undefined : { device, behind: models };
  }
  if (behind !== undefined && device !== undefined) {
    behind.fail(`only a ${BRIDGE_CARD} has devices behind it`, { remedy: BEHIND_REMEDY });
  }
  return device === undefined ? undefined : { device };
}

function readModels(value: Value, most: number): DeviceModel[] | undefined {
  const items = value.list();
  if (items === undefined) return undefined;
  if (items.length < 1 || items.length > most) {
    return value.fail(`${value.what} lists 1 to ${most} devices, not ${items.length}`, { remedy: DEVICE_REMEDY });
  }
  const models = items.map((item) => item.oneOf(DEVICE_MODELS, 'device'));
  return models.every((model) => model !== undefined) ? models : undefined;
}

const DEVICE_REMEDY = `Allowed: ${SLOT_DEVICES.join(', ')}, or a list of functions such as [nic, nic]`;
const BEHIND_REMEDY = `Such as: device: ${BRIDGE_CARD}, behind: [edu, nic]`;
const DRIVER_REMEDY = { remedy: `Leave it out, or take device: ${DRIVEN_MODEL}` };
const EMPTY_CONTENTS: Contents = { device: 'nic' };
const EMPTY_SLOT: SlotOptions = { ...EMPTY_CONTENTS, driver: 'none' };
/** A frame of full length takes 1.2 us on the network. */
const SHORTEST_FRAME_NS = 2e3;
const DEFAULT_FRAME_NS = 1e6;
