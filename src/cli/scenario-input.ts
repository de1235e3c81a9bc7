/** A scenario from a file or standard input, read for the chip it is to run on; one that fits only the other chip says so. */
import { type ChipName, DEFAULT_CHIP } from '../machine/chips.js';
import { ScenarioError } from '../scenario/problems.js';
import { readScenario } from '../scenario/read-scenario.js';
import type { Scenario } from '../scenario/scenario.js';
import { readInput, type Streams, shownName } from './host-streams.js';
import { decodeText } from './input-text.js';
import { profileOpener } from './profile-files.js';

const WANTED = 'no scenario: give a YAML text such as scenarios/link-lost.yaml';

/** `chip`: of the command line, instead of the one in the file. */
export function scenarioFrom(file: string, chip: ChipName | undefined, streams: Streams): Scenario {
  const name = shownName(file);
  const text = decodeText(name, readInput(file, streams), WANTED);
  const read = (on?: ChipName): Scenario => readScenario(name, text, profileOpener(file, streams), on);
  if (chip === undefined) return read();
  try {
    return read(chip);
  } catch (error) {
    const own = error instanceof ScenarioError ? chipOf(read) : undefined;
    if (own !== undefined) {
      (error as ScenarioError).message += `\n\n${name} fits ${own}: run it without --chip ${chip}, or change it`;
    }
    throw error;
  }
}

/** The file's own chip, if nothing is wrong with it there. */
function chipOf(read: () => Scenario): ChipName | undefined {
  try {
    return read().chip ?? DEFAULT_CHIP;
  } catch (error) {
    if (error instanceof ScenarioError) return undefined;
    throw error;
  }
}
