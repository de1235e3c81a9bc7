/** The scenario files that a command line means: files, standard input, and the files of folders. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UnreadableInputError } from './host-streams.js';

const SCENARIO_FILE = /\.ya?ml$/;

export const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Folders are taken apart, without those in them; their files come in the order of their names. */
export function scenarioFiles(paths: readonly string[]): string[] {
  return paths.flatMap((path) => (isFolder(path) ? filesIn(path) : [path]));
}

function filesIn(folder: string): string[] {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && SCENARIO_FILE.test(entry.name))
    .map(({ name }) => name)
    .sort();
  if (names.length === 0) throw new UnreadableInputError(`${folder}: no scenario in it: no file ends in .yaml`);
  return names.map((name) => join(folder, name));
}
