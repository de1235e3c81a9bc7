/** `phbsim devicetree [scenario]`: a machine's firmware boots, and what it publishes is shown or written as a blob. */
import { Command, Option } from 'commander';
import { CHIP_NAMES, type ChipName, DEFAULT_CHIP } from '../machine/chips.js';
import { PowerSystem, type SystemOptions } from '../machine/system.js';
import { type SlotOptions, TopologyError } from '../machine/topology.js';
import { deviceTreeBlob } from '../opal/device-tree-blob.js';
import { type FirmwareFacts, firmwareTree, reservationsOf } from '../opal/device-tree-root.js';
import { type FdtNode, propertiesOf } from '../opal/fdt.js';
import { formatDeviceTree } from '../opal/fdt-text.js';
import { ScenarioError } from '../scenario/problems.js';
import { readScenario } from '../scenario/read-scenario.js';
import {
  HOST_STREAMS,
  readInput,
  type Streams,
  shownName,
  UnreadableInputError,
  UnwritableOutputError,
  writeOutput,
} from './host-streams.js';
import { decodeText } from './input-text.js';
import { profileOpener } from './profile-files.js';

export interface DeviceTreeOptions {
  readonly json?: boolean;
  readonly blob?: string;
  /** Instead of the scenario's. */
  readonly chip?: ChipName;
}

/** What the person at the keyboard can mend. */
const MENDABLE = [ScenarioError, TopologyError, UnreadableInputError, UnwritableOutputError];
const WANTED = 'no scenario: give a YAML text such as scenarios/link-lost.yaml, or nothing for a machine with one card';
const ONE_CARD: ReadonlyMap<number, SlotOptions> = new Map([[1, { device: 'nic', driver: 'none' }]]);

/** Exit status: 0 printed or written, 2 the scenario cannot be read or the blob not be written. */
export function runDeviceTree(
  file: string | undefined,
  options: DeviceTreeOptions,
  streams: Streams = HOST_STREAMS,
): number {
  try {
    const facts = publishedBy({
      ...machineOf(file, streams),
      ...(options.chip === undefined ? {} : { chip: options.chip }),
    });
    if (options.blob !== undefined) writeOutput(options.blob, deviceTreeBlob(facts), streams);
    else if (options.json === true) streams.out(JSON.stringify(toJson(firmwareTree(facts)), undefined, 2));
    else streams.out(formatDeviceTree(firmwareTree(facts), reservationsOf(facts)));
    return 0;
  } catch (error) {
    if (!MENDABLE.some((kind) => error instanceof kind)) throw error;
    const { message } = error as Error;
    const unfit = error instanceof TopologyError && file !== undefined ? `${shownName(file)}: ` : '';
    streams.err(error instanceof ScenarioError ? message : `phbsim devicetree: ${unfit}${message}`);
    return 2;
  }
}

/** What firmware boots on. */
type Bootable = Pick<SystemOptions<ChipName>, 'slots' | 'chip' | 'firmware'>;

function machineOf(file: string | undefined, streams: Streams): Bootable {
  if (file === undefined) return { slots: ONE_CARD };
  const name = shownName(file);
  const scenario = readScenario(name, decodeText(name, readInput(file, streams), WANTED), profileOpener(file, streams));
  const { slots, chip = DEFAULT_CHIP, firmware } = scenario;
  return { slots, chip, ...(firmware === undefined ? {} : { firmware }) };
}

/** Firmware boots in virtual time; no kernel follows. */
function publishedBy(machine: Bootable): FirmwareFacts {
  const { sim, opal } = new PowerSystem<ChipName>(machine);
  sim.complete('firmware boot', opal.boot());
  return opal.publishedFacts();
}

interface JsonNode {
  readonly name: string;
  readonly properties: Readonly<Record<string, readonly number[] | readonly string[]>>;
  readonly children: readonly JsonNode[];
}

/** Cells as numbers, strings as strings; a property without a value is an empty list. */
function toJson(node: FdtNode): JsonNode {
  const properties = propertiesOf(node).map(({ name, value }) => {
    if (value.kind === 'empty') return [name, []] as const;
    return [name, value.kind === 'cells' ? value.cells : value.strings] as const;
  });
  return { name: node.name, properties: Object.fromEntries(properties), children: node.children.map(toJson) };
}

export function deviceTreeCommand(): Command {
  return new Command('devicetree')
    .description('boot the firmware of a machine and show the device tree that it publishes')
    .argument(
      '[scenario]',
      'scenario file (YAML) whose machine boots; - reads standard input; default: one network card',
    )
    .addOption(
      new Option(
        '--blob <file>',
        'write the flattened tree instead of printing it; - writes standard output',
      ).conflicts('json'),
    )
    .addOption(new Option('--chip <name>', 'boot on this chip, instead of the one in the file').choices(CHIP_NAMES))
    .option('--json', 'print the tree as JSON')
    .addHelpText(
      'after',
      [
        '',
        'Exit status: 0 printed or written; 2 the scenario cannot be read, or the blob not be written.',
        '',
        'Examples:',
        '  phbsim devicetree',
        '  phbsim devicetree scenarios/two-functions-fall-together.yaml --blob machine.dtb',
        '  phbsim devicetree --chip p7ioc',
        '  phbsim devicetree --blob - | dtc -I dtb -O dts',
        '  phbsim devicetree --json | jq .children[].name',
      ].join('\n'),
    )
    .action((file: string | undefined, options: DeviceTreeOptions) => {
      process.exitCode = runDeviceTree(file, options);
    });
}
