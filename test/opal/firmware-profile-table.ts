/** The table of docs/firmware-profiles.md, made from the declaration of the switches. */
import { FIRMWARE_SWITCHES, type FirmwareSwitch } from '../../src/opal/firmware-profile.js';

export function profileTable(): string {
  const rows = Object.entries<FirmwareSwitch>(FIRMWARE_SWITCHES).map(
    ([name, { skiboot, corrected, source }]) => `| \`${name}\` | ${skiboot} | ${corrected} | ${source} |`,
  );
  return ['| switch | `skiboot` | `corrected` | source |', '|---|---|---|---|', ...rows].join('\n');
}
