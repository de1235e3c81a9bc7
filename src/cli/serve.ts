/** `phbsim serve`: a machine that foreign software drives over a socket, with QEMU's qtest protocol. */
import { Command } from 'commander';
import { formatByteSize } from '../cosim/byte-size.js';
import { CosimMachine, type CosimMachineOptions, DEFAULT_COSIM_MACHINE } from '../cosim/cosim-machine.js';
import { formatListenAddress, ListenAddressError, parseListenAddress } from '../cosim/listen-address.js';
import { MemoryFileOptionError, parseMemoryFile, readMachineFile } from '../cosim/machine-file.js';
import { CommandError } from '../cosim/qtest-words.js';
import { ListenError, QtestServer } from '../cosim/server.js';
import { MemoryFileError } from '../hw/memory-file.js';
import { CHIPS, DEFAULT_CHIP } from '../machine/chips.js';
import { ScenarioError } from '../scenario/problems.js';
import { HOST_STREAMS, readInput, shownName, type TextStreams, UnreadableInputError } from './host-streams.js';
import { decodeText } from './input-text.js';
import { profileFrom, profileOpener } from './profile-files.js';

export interface ServeOptions {
  readonly qtest: string;
  readonly machine?: string;
  readonly memoryFile?: string;
  readonly profile?: string;
}

/** Resolves with what ended the service, when something does. */
export type Stop = () => Promise<string>;

const MISTAKES = [
  ...[ListenAddressError, ListenError, MemoryFileOptionError, MemoryFileError],
  // The last one: firmware that the machine file asks for has no room.
  ...[ScenarioError, UnreadableInputError, CommandError],
];

/** A machine is a few lines. */
const MOST_MACHINE_FILE_BYTES = 2 ** 16;

/** Serves until stopped. Exit status: 0 stopped, 2 it could not begin. */
export async function runServe(
  options: ServeOptions,
  streams: TextStreams = HOST_STREAMS,
  stop: Stop = signalled,
): Promise<number> {
  try {
    const address = parseListenAddress(options.qtest);
    const machineOptions = machineOptionsOf(options, streams);
    const machine = new CosimMachine(machineOptions);
    try {
      await serve(new QtestServer(machine, address), machineOptions, { streams, stop });
    } finally {
      machine.close();
    }
    return 0;
  } catch (error) {
    if (!MISTAKES.some((Mistake) => error instanceof Mistake)) throw error;
    streams.err(`phbsim serve: ${messageOf(error as Error)}`);
    return 2;
  }
}

async function serve(
  server: QtestServer,
  machine: CosimMachineOptions,
  { streams, stop }: { streams: TextStreams; stop: Stop },
): Promise<void> {
  await server.listen();
  const stopped = stop();
  streams.out(`qtest on ${formatListenAddress(server.address)}`);
  streams.err(describe(machine));
  const reason = await stopped;
  await server.close();
  streams.err(`phbsim serve: ${reason}, closed`);
}

function machineOptionsOf({ machine, memoryFile, profile }: ServeOptions, streams: TextStreams): CosimMachineOptions {
  const options = machine === undefined ? DEFAULT_COSIM_MACHINE : machineOf(machine, streams);
  return {
    ...options,
    ...(memoryFile === undefined ? {} : { memory: parseMemoryFile(memoryFile) }),
    ...(profile === undefined ? {} : { timing: profileFrom(profile, streams) }),
  };
}

function machineOf(file: string, streams: TextStreams): CosimMachineOptions {
  const name = shownName(file);
  const bytes = readInput(file, streams);
  if (bytes.length > MOST_MACHINE_FILE_BYTES) {
    throw new UnreadableInputError(
      `${name}: ${bytes.length} bytes, and a machine is a few lines of YAML or JSON: name another file`,
    );
  }
  const text = decodeText(name, bytes, 'no machine: give YAML or JSON, see phbsim serve --help');
  return readMachineFile(name, text, profileOpener(file, streams));
}

function describe({ chip = DEFAULT_CHIP, slots, memory, firmware }: CosimMachineOptions): string {
  const what = CHIPS[chip].describe(slots.length);
  const phbs = slots.map((card, phb) => `PHB${phb} ${card}`).join(', ');
  const base = (memory.baseAddress ?? 0).toString(16);
  const shared = memory.file === undefined ? '' : ` shared through ${memory.file}`;
  const booted = firmware === 'skiboot' ? '; firmware has booted' : '';
  return `${what}: ${phbs}; ${formatByteSize(memory.sizeBytes)} of memory at 0x${base}${shared}${booted}. Stop with Ctrl-C.`;
}

function messageOf(error: Error): string {
  const cause = error instanceof MemoryFileError && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${error.message}${cause}`;
}

/** The first signal ends the service in order; a second one ends the process as it always would. */
function signalled(): Promise<string> {
  return new Promise((done) => {
    const onSignal = (signal: NodeJS.Signals): void => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
      done(signal);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}

export function serveCommand(): Command {
  return new Command('serve')
    .description("let foreign software drive a machine over a socket, with QEMU's qtest protocol")
    .requiredOption('--qtest <address>', 'where to listen: unix:PATH or tcp:127.0.0.1:PORT (0: any free port)')
    .option('--machine <file>', 'YAML or JSON, see below')
    .option('--profile <name-or-file>', 'timing of everything but the bus, see phbsim profile --help')
    .option('--memory-file <path,base=,size=>', 'system memory is this file, shared with whoever maps it')
    .addHelpText(
      'after',
      [
        '',
        "The machine has the address map of QEMU's powernv8: XSCOM at 0x3fc0000000000, PHB n at 0x3fffe40000000 + n MiB,",
        'the interrupt presentation of its one thread at 0x3ffff80008000.',
        'Without --machine it has three PHBs, an edu device below PHB0 and 2 GiB of memory. A machine file says otherwise:',
        '  { phbs: 3, memory: 2 GiB, slots: { 0: edu, 1: nvme, 2: nic }, dma-mask: 0xffffffff, firmware: skiboot }',
        'Cards are nic, edu, nvme, e1000e or empty; dma-mask is of the edu devices; firmware is none (default) or skiboot.',
        'profile names the timing of everything but the bus, which takes no time here.',
        'chip: p7ioc makes it a POWER7 with up to six PHBs on one hub: registers of the hub at 0x3ef00000000, of PHB n there',
        'at n * 64 KiB and, once firmware has set up the crossbar, at 0x80000 + n * 64 KiB; interrupts of the hub from 0x2000.',
        'Virtual time moves only by clock_step and clock_set; a load from a device takes the time it needs.',
        'irq_intercept_in interrupts reports every interrupt as "IRQ raise N" and "IRQ lower N",',
        'irq_intercept_in /machine/chip[0]/core[1]/thread[0] the line to the processor.',
        'opal boot lets firmware initialise the PHBs, opal TOKEN|NAME ARGUMENTS... calls it; virtual time passes until it is done.',
        '',
        'Exit status: 0 stopped by SIGINT or SIGTERM; 2 it could not begin.',
        '',
        'Examples:',
        '  phbsim serve --qtest unix:/tmp/phb.sock',
        '  phbsim serve --qtest tcp:127.0.0.1:4444 --machine machine.yaml',
        '  phbsim serve --qtest unix:phb.sock --memory-file /dev/shm/ram,base=0,size=2GiB',
        "  printf 'opal boot\\nopal OPAL_PCI_CONFIG_READ_WORD 0 0 0 0x1000\\nreadl 0x1000\\n' | nc -NU /tmp/phb.sock",
        "  printf 'writeq 0x3fc0020120428 0xf800000000000000\\nreadq 0x3fffe40000800\\n' | nc -NU /tmp/phb.sock",
      ].join('\n'),
    )
    .action(async (options: ServeOptions) => {
      process.exitCode = await runServe(options);
    });
}
