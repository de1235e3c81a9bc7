/** The command line: one module a command. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { explainCommand } from './explain.js';
import { regsCommand } from './regs.js';
import { replayCommand } from './replay.js';
import { runCommand } from './run.js';
import { serveCommand } from './serve.js';
import { tourCommand } from './tour.js';

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return (manifest as { version: string }).version;
}

export function program(): Command {
  return new Command('phbsim')
    .description("A deterministic simulator of IBM's PCI host bridges with freeze, fence and recovery.")
    .version(version())
    .showHelpAfterError('Run with --help for the commands and examples.')
    .addCommand(tourCommand())
    .addCommand(replayCommand())
    .addCommand(runCommand())
    .addCommand(explainCommand())
    .addCommand(regsCommand())
    .addCommand(serveCommand())
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
}
