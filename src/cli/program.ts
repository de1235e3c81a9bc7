/** The command line: one module a command. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { compareCommand } from './compare.js';
import { deviceTreeCommand } from './devicetree.js';
import { explainCommand } from './explain.js';
import { kernelCommand } from './kernel.js';
import { profileCommand } from './profile.js';
import { regsCommand } from './regs.js';
import { replayCommand } from './replay.js';
import { runCommand } from './run.js';
import { serveCommand } from './serve.js';
import { tourCommand } from './tour.js';

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return (manifest as { version: string }).version;
}

const WRONG_COMMAND_LINE = 2;

/** Runs a command and sets the exit status. A wrong command line is not 1: that says that something was not as expected. */
export async function runCommandLine(argv: readonly string[], root: Command = program()): Promise<void> {
  try {
    await root.parseAsync(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // The message, or the help that was asked for, is out already.
    process.exitCode = error.exitCode === 0 ? 0 : WRONG_COMMAND_LINE;
  }
}

/** A wrong command line, and help, end in a `CommanderError` instead of the process. */
export function program(): Command {
  const root = new Command('phbsim')
    .description("A deterministic simulator of IBM's PCI host bridges with freeze, fence and recovery.")
    .version(version())
    .showHelpAfterError('Run with --help for the commands and examples.')
    .exitOverride()
    .addHelpText(
      'after',
      [
        '',
        'Examples:',
        '  phbsim replay scenarios/recordings/skiboot-boot-phb3.rec.gz',
        '  phbsim run scenarios/dma-write-to-unmapped-page.yaml',
        '  dmesg | phbsim explain -',
      ].join('\n'),
    );
  for (const command of COMMANDS) root.addCommand(inheriting(command(), root));
  return root;
}

/** Errors of subcommands end as those of commands do. */
function inheriting(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  for (const subcommand of command.commands) inheriting(subcommand, command);
  return command;
}

const COMMANDS = [
  tourCommand,
  replayCommand,
  runCommand,
  kernelCommand,
  explainCommand,
  regsCommand,
  profileCommand,
  deviceTreeCommand,
  compareCommand,
  serveCommand,
];
