// Options of the scripts that `npm run` starts: --help, and one line for a mistake.
import { ensureInstalled } from './setup.mjs';

/**
 * @param {string} script  name in package.json
 * @param {string} about   what it does, a sentence
 * @param {readonly [flags: string, about: string, default?: unknown][]} options
 * @param {readonly string[]} examples
 */
export async function readOptions(script, about, options, examples) {
  ensureInstalled();
  const { Command } = await import('commander');
  const command = new Command(`npm run ${script} --`).description(about);
  for (const [flags, text, initial] of options) command.option(flags, text, initial);
  command.addHelpText('after', ['', 'Examples:', ...examples.map((example) => `  ${example}`)].join('\n'));
  return command.parse().opts();
}
