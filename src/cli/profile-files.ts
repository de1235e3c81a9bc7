/** Timing profiles by name, of those that come with the program, or by path, relative to the file that names them. */
import { readdirSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TimingProfile } from '../machine/timing-profile.js';
import { closest, quoted } from '../scenario/problems.js';
import { type OpenProfile, readTimingProfile } from '../scenario/read-profile.js';
import { readInput, shownName, type TextStreams, UnreadableInputError } from './host-streams.js';
import { decodeText } from './input-text.js';

const SHIPPED = fileURLToPath(new URL('../../profiles/', import.meta.url));
const SHIPPED_NAME = /^[a-z0-9][a-z0-9-]*$/;
const STANDARD_INPUT = '-';
const MOST_BYTES = 2 ** 18;
const WANTED = 'no profile: give YAML, see phbsim profile --help';

export function shippedProfiles(): string[] {
  return readdirSync(SHIPPED)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();
}

/** Opens what the file `from` calls its profile. */
export function profileOpener(from: string, streams: TextStreams): OpenProfile {
  return (written) => {
    const shipped = SHIPPED_NAME.test(written);
    if (shipped && !shippedProfiles().includes(written)) return unknownName(written);
    const folder = from === STANDARD_INPUT ? '.' : dirname(from);
    const path = shipped ? join(SHIPPED, `${written}.yaml`) : isAbsolute(written) ? written : join(folder, written);
    try {
      return { file: path, text: textOf(path, streams) };
    } catch (error) {
      if (!(error instanceof UnreadableInputError)) throw error;
      return { missing: error.message, remedy: `A path counts from the place where it is named. ${shippedRemedy()}` };
    }
  };
}

/** What the command line names: a shipped profile, a file, or standard input. */
export function profileFrom(written: string, streams: TextStreams): TimingProfile {
  if (written === STANDARD_INPUT) return readTimingProfile(shownName(written), textOf(written, streams));
  const found = profileOpener('.', streams)(written);
  if ('missing' in found) throw new UnreadableInputError(`${found.missing}. ${found.remedy}`);
  return readTimingProfile(found.file, found.text);
}

const shippedRemedy = (): string => `Shipped: ${shippedProfiles().join(', ')}.`;

function unknownName(written: string): { missing: string; remedy: string } {
  const meant = closest(written, shippedProfiles());
  const hint = meant === undefined ? '' : `Did you mean ${meant}? `;
  return {
    missing: `no profile is called ${quoted(written)}`,
    remedy: `${hint}${shippedRemedy()} A file of your own needs its path, such as ./${written}.yaml.`,
  };
}

function textOf(path: string, streams: TextStreams): string {
  const name = shownName(path);
  const bytes = readInput(path, streams);
  if (bytes.length > MOST_BYTES) {
    throw new UnreadableInputError(
      `${name}: ${bytes.length} bytes, and a profile is a page of YAML: name another file`,
    );
  }
  return decodeText(name, bytes, WANTED);
}
