/**
 * Our P7IOC firmware against the real one, access by access: register, value, order, path, wait, return code and result in
 * memory. Nothing deviates.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compareFirmware } from '../../src/replay/firmware-comparison.js';
import { formatPhase } from '../../src/replay/firmware-comparison-report.js';
import type { FirmwareAccess, FirmwareCallRecording } from '../../src/replay/firmware-phases.js';
import { readFirmwareCalls } from '../../src/replay/read-firmware-calls.js';
import { itIsTheSame } from './same-firmware.js';

const FILE = 'scenarios/recordings/skiboot-calls-p7ioc.calls.gz';
const RECORDING = readFirmwareCalls(FILE, readFileSync(FILE));
const SAME = compareFirmware(RECORDING);

describe('firmware does to a P7IOC what the real firmware does', () => {
  itIsTheSame(SAME, { phases: 93, calls: 158, accesses: 18_084, memoryWords: 101 });
});

/** The recording with one access of the boot changed. */
function withBoot(wanted: (access: FirmwareAccess) => boolean, change: Partial<FirmwareAccess>): FirmwareCallRecording {
  let left = 1;
  const phases = RECORDING.phases.map((phase) => ({
    ...phase,
    boot: phase.boot.map((access) => (left > 0 && wanted(access) && left-- > 0 ? { ...access, ...change } : access)),
  }));
  expect(left).toBe(0);
  return { ...RECORDING, phases };
}

const differences = (recording: FirmwareCallRecording): string[] =>
  compareFirmware(recording)
    .phases.flatMap((phase) => formatPhase(phase).split('\n').slice(1))
    .filter((line) => /^[*<>]/.test(line))
    .map((line) => line.replaceAll(/ +/g, ' '));

describe('a deviation of the P7IOC firmware is found and named', () => {
  it('where another value is written into the hub', () => {
    const recording = withBoot(({ window, direction }) => window === 'hub' && direction === 'write', { value: 7n });
    expect(differences(recording)).toEqual([
      '* W BI_CHICKEN_SWITCHES 0000000000000007 W BI_CHICKEN_SWITCHES 00040000000004c0 [UNEXPLAINED]',
    ]);
  });

  it('where a PHB is reached by the other path', () => {
    const recording = withBoot(({ window, register }) => window === 'asb0' && register === 0x800, { window: 'aib0' });
    expect(differences(recording)).toEqual([
      '< +100,000 us R PHB_VERSION 000000a200000001 [UNEXPLAINED]',
      '> +100,000 us R ASB:PHB_VERSION 0000000000000000 [UNEXPLAINED]',
    ]);
  });

  it('where it waits for another time', () => {
    const recording = withBoot(({ afterUs }) => afterUs === 1000, { afterUs: 999 });
    expect(differences(recording)).toHaveLength(1);
    expect(differences(recording)[0]).toMatch(/^\* \+999 us W RGC_CONFIG .* \+1,000 us W RGC_CONFIG/);
  });
});
