/**
 * Our firmware against the real one, access by access: every access, value, order, wait, return code and result in memory.
 * Nothing deviates. A recording that was changed shows that a deviation would be found and named.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FIRMWARE_SWITCH_NAMES,
  FIRMWARE_SWITCHES,
  type FirmwareProfileChoice,
  type FirmwareSwitchName,
  firmwareProfile,
} from '../../src/opal/firmware-profile.js';
import { alignAccesses } from '../../src/replay/access-alignment.js';
import { MEMORY, RETURN_CODE } from '../../src/replay/expected-difference.js';
import { registerName } from '../../src/replay/firmware-board.js';
import {
  compareFirmware,
  countPhase,
  type FirmwareComparison,
  type PhaseComparison,
} from '../../src/replay/firmware-comparison.js';
import {
  firmwareComparisonToJson,
  formatFirmwareComparison,
  formatPhase,
} from '../../src/replay/firmware-comparison-report.js';
import { differencesOf, switchesBehind } from '../../src/replay/firmware-differences.js';
import type {
  FirmwareAccess,
  FirmwareCall,
  FirmwareCallRecording,
  FirmwarePhase,
} from '../../src/replay/firmware-phases.js';
import { readFirmwareCalls } from '../../src/replay/read-firmware-calls.js';
import { itIsTheSame } from './same-firmware.js';

const FILE = 'scenarios/recordings/skiboot-calls-phb3.calls.gz';
const RECORDING = readFirmwareCalls(FILE, readFileSync(FILE));
const SAME = compareFirmware(RECORDING);
const P7IOC_FILE = 'scenarios/recordings/skiboot-calls-p7ioc.calls.gz';
const P7IOC = readFirmwareCalls(P7IOC_FILE, readFileSync(P7IOC_FILE));

const phaseOf = (comparison: FirmwareComparison, name: string): PhaseComparison =>
  comparison.phases.find((phase) => phase.name === name)!;

describe('firmware does to the chip what the real firmware does', () => {
  itIsTheSame(SAME, { phases: 89, calls: 155, accesses: 14_538, memoryWords: 4231 });

  it('says so in figures', () => {
    expect(formatFirmwareComparison(SAME)).toContain(
      '89 of 89 phases are the same: 14,538 of 14,538 accesses in 155 calls',
    );
  });
});

type Accesses = readonly FirmwareAccess[];

/** The recording with the accesses of one phase changed. */
function withPhase(name: string, change: (phase: FirmwarePhase) => Partial<FirmwarePhase>): FirmwareCallRecording {
  const phases = RECORDING.phases.map((phase) => (phase.name === name ? { ...phase, ...change(phase) } : phase));
  return { ...RECORDING, phases };
}

function withCall(name: string, change: (call: FirmwareCall) => Partial<FirmwareCall>): FirmwareCallRecording {
  return withPhase(name, ({ steps }) => {
    const at = steps.findIndex((step) => step.kind === 'call');
    return {
      steps: steps.map((step, index) => (index === at && step.kind === 'call' ? { ...step, ...change(step) } : step)),
    };
  });
}

const without = (list: Accesses, at: number): Accesses => list.filter((_, index) => index !== at);
const changed = (list: Accesses, at: number, change: Partial<FirmwareAccess>): Accesses =>
  list.map((access, index) => (index === at ? { ...access, ...change } : access));

/** Differences outside the phase would be a comparison that lost its way. */
function differencesIn(name: string, recording: FirmwareCallRecording): { lines: string[]; elsewhere: string[] } {
  const comparison = compareFirmware(recording);
  const lines = formatPhase(phaseOf(comparison, name)).split('\n');
  const others = comparison.phases.filter((phase) => phase.name !== name && countPhase(phase).differences > 0);
  return {
    lines: lines
      .slice(1)
      .filter((line) => /^[*<>]/.test(line))
      .map((line) => line.replaceAll(/ +/g, ' ')),
    elsewhere: others.map((phase) => phase.name),
  };
}

describe('a deviation is found and named', () => {
  const FROZEN = '23-freeze_status_frozen';

  it('where another value is written', () => {
    const recording = withCall('22-freeze_set', ({ accesses }) => {
      const write = accesses.findIndex((each) => each.direction === 'write');
      return { accesses: changed(accesses, write, { value: 0x1234n }) };
    });
    expect(differencesIn('22-freeze_set', recording)).toEqual({
      lines: ['* W PHB_IODA_ADDR 0000000000001234 W PHB_IODA_ADDR 0007000000000005 [UNEXPLAINED]'],
      elsewhere: [],
    });
  });

  it('where an access is left out, and where one is too many', () => {
    const shorter = withCall(FROZEN, ({ accesses }) => ({ accesses: without(accesses, 1) }));
    expect(differencesIn(FROZEN, shorter)).toEqual({
      lines: ['> W PHB_IODA_ADDR 0014000000000000 [UNEXPLAINED]'],
      elsewhere: [],
    });
    const longer = withCall(FROZEN, ({ accesses }) => {
      const extra = { ...accesses[1]!, register: 0x210 };
      return { accesses: [...accesses.slice(0, 2), extra, ...accesses.slice(2)] };
    });
    expect(differencesIn(FROZEN, longer)).toEqual({
      lines: ['< W PHB_TCE_KILL 0014000000000000 [UNEXPLAINED]'],
      elsewhere: [],
    });
  });

  it('where two accesses come in another order', () => {
    const recording = withCall('12-dma_window', ({ accesses: [first, second] }) => ({ accesses: [second!, first!] }));
    const { lines, elsewhere } = differencesIn('12-dma_window', recording);
    expect(lines.map((line) => line.split(' ').slice(0, 3).join(' '))).toEqual([
      '< W PHB_IODA_DATA0',
      '> W PHB_IODA_DATA0',
    ]);
    expect(elsewhere).toEqual([]);
  });

  it('where firmware waits longer', () => {
    const recording = withPhase('01-probe_init_hw', ({ boot }) => {
      const waits = boot.findIndex((access) => access.afterUs > 0);
      return { boot: changed(boot, waits, { afterUs: 99_999 }) };
    });
    const { lines, elsewhere } = differencesIn('01-probe_init_hw', recording);
    expect(lines).toEqual([expect.stringMatching(/^\* \+99,999 us W ASB_ADDRESS \w+ \+100,000 us W ASB_ADDRESS/)]);
    expect(elsewhere).toEqual([]);
  });

  it('where a call returns another code, or leaves other results', () => {
    const code = withCall(FROZEN, () => ({ returned: -6 }));
    expect(differencesIn(FROZEN, code).lines).toEqual(['* returns -6 returns 0 [UNEXPLAINED]']);
    const result = withPhase(FROZEN, ({ memory: [first] }) => ({ memory: [{ ...first!, value: 7n }] }));
    expect(differencesIn(FROZEN, result)).toEqual({
      lines: ['* memory 0x200000000 0000000000000007 03eeeeeeeeeeeeee [UNEXPLAINED]'],
      elsewhere: [],
    });
  });

  it('where a call does not exist, and the rest is still compared', () => {
    const recording = withCall('08-mmio_io', () => ({ name: 'OPAL_NEVER_HEARD_OF' }));
    expect(differencesIn('08-mmio_io', recording)).toEqual({
      lines: ['* returns -7 returns -1 [UNEXPLAINED]'],
      elsewhere: [],
    });
  });

  it('where the boot was recorded in pieces, in the piece that it belongs to', () => {
    const recording = withPhase('02-init_slots_train_scan', ({ boot }) => ({ boot: without(boot, boot.length - 2) }));
    const { lines, elsewhere } = differencesIn('02-init_slots_train_scan', recording);
    expect(lines).toHaveLength(1);
    expect(elsewhere).toEqual([]);
  });

  it('where the boot does more than was recorded, before the next piece', () => {
    const recording = withPhase('01-probe_init_hw', ({ boot }) => ({
      boot: without(
        boot,
        boot.findIndex((access) => registerName(access) === 'PHB_INTREP_TIMER'),
      ),
    }));
    const counted = compareFirmware(recording)
      .phases.slice(0, 2)
      .map((phase) => countPhase(phase).accesses);
    expect(counted).toEqual([2549, 234]);
    const { lines, elsewhere } = differencesIn('01-probe_init_hw', recording);
    expect(lines).toEqual(['> W PHB_INTREP_TIMER 0004000000000000 [UNEXPLAINED]']);
    expect(elsewhere).toEqual([]);
  });

  it('where firmware would poll without end', () => {
    // The lock of the interrupt reject array never comes free.
    const recording = withCall('17-msi_eoi_q_set', ({ accesses }) => {
      const lock = accesses.findIndex((each) => registerName(each) === 'PHB_FFI_LOCK' && each.direction === 'read');
      return { accesses: changed(accesses, lock, { value: 1n }) };
    });
    const { lines } = differencesIn('17-msi_eoi_q_set', recording);
    expect(lines.at(-1)).toMatch(/^> not finished: .*our firmware goes on after 20\d\d accesses/);
    const endless = phaseOf(compareFirmware(recording), '17-msi_eoi_q_set');
    const astray = endless.calls.flatMap((call) => call.accesses).filter((each) => each.outcome !== 'same');
    expect(countPhase(endless).differences).toBe(astray.length + endless.memory.length + 1);
    const others = compareFirmware(recording).phases.filter((phase) => countPhase(phase).accesses > 0);
    expect(others.filter((phase) => countPhase(phase).differences === 0).length).toBeGreaterThan(60);
  });
});

describe('a difference that a switch of the profile makes', () => {
  const [first, second] = FIRMWARE_SWITCH_NAMES as [FirmwareSwitchName, FirmwareSwitchName];
  const declared = [
    { switch: first, what: ['PHB_IODA_ADDR', RETURN_CODE], phases: ['p', 'r'] },
    { switch: second, what: [RETURN_CODE], phases: ['p'] },
  ];

  it('is explained by its name, where it is declared and the switch is set', () => {
    const corrected = firmwareProfile('corrected');
    expect(switchesBehind(corrected, 'p', 'PHB_IODA_ADDR', declared)).toEqual([first]);
    expect(switchesBehind(corrected, 'p', RETURN_CODE, declared)).toEqual([first, second]);
    expect(switchesBehind(firmwareProfile({ [second]: 'corrected' }), 'p', RETURN_CODE, declared)).toEqual([second]);
    expect(switchesBehind(corrected, 'p', MEMORY, declared)).toEqual([]);
    expect(switchesBehind(corrected, 'q', RETURN_CODE, declared)).toEqual([]);
    expect(switchesBehind(firmwareProfile('skiboot'), 'p', RETURN_CODE, declared)).toEqual([]);
  });

  it('shows what was mended, at the access and below the table', () => {
    const comparison = compareFirmware(RECORDING, 'corrected');
    expect(formatPhase(phaseOf(comparison, '22-freeze_set'))).toMatch(/^> +R NFIR \w{16} {2}\[freezeSetFence\]$/m);
    const report = formatFirmwareComparison(comparison);
    expect(report).toMatch(/^25-freeze_clear_mmio .* frozenErrorType, 1 words? of memory$/m);
    expect(report).toContain(`freezeSetFence             ${FIRMWARE_SWITCHES.freezeSetFence.corrected}`);
    expect(formatFirmwareComparison(SAME)).not.toContain('What was mended');
  });
});

/** What differs in which phase, each once. */
function differing(recording: FirmwareCallRecording, choice: FirmwareProfileChoice): Map<string, string[]> {
  const found = new Map<string, Set<string>>();
  for (const phase of compareFirmware(recording, choice).phases) {
    const what = new Set<string>();
    for (const { accesses, returned } of phase.calls) {
      for (const access of accesses)
        if (access.outcome !== 'same') what.add(registerName((access.recorded ?? access.ours)!));
      if (returned !== undefined && returned.recorded !== returned.ours) what.add(RETURN_CODE);
    }
    if (phase.memory.length > 0) what.add(MEMORY);
    if (what.size > 0) found.set(phase.name, what);
  }
  return new Map([...found].map(([name, what]) => [name, [...what].sort()]));
}

describe.each([
  ['PHB3', RECORDING],
  ['P7IOC', P7IOC],
] as const)('the corrected firmware of %s', (_, recording) => {
  const expected = differencesOf(recording.board);

  it('differs in what is declared, and in nothing else', () => {
    const comparison = compareFirmware(recording, 'corrected');
    expect(comparison.phases.filter((each) => countPhase(each).unexplained > 0).map((each) => each.name)).toEqual([]);
  });

  const switches = [...new Set(expected.map((each) => each.switch))];

  it.each(switches)('with %s alone differs where that is declared', (name) => {
    const declared = expected.filter((each) => each.switch === name);
    const wanted = declared.flatMap(({ phases, what }) => phases.map((phase) => [phase, [...what].sort()] as const));
    expect(differing(recording, { [name]: 'corrected' })).toEqual(new Map(wanted));
  });

  it('with every other switch differs nowhere', () => {
    const others = FIRMWARE_SWITCH_NAMES.filter((name) => !switches.includes(name));
    const choice = Object.fromEntries(others.map((name) => [name, 'corrected' as const]));
    expect(differing(recording, choice)).toEqual(new Map());
  });

  it('has its differences declared for phases that exist', () => {
    const phases = recording.phases.map((each) => each.name);
    expect(expected.flatMap((each) => each.phases).filter((name) => !phases.includes(name))).toEqual([]);
  });
});

describe('the comparison as data', () => {
  it('has the counts of every phase and only what differs', () => {
    const json = firmwareComparisonToJson(SAME) as { explained: boolean; phases: { name: string; calls: unknown[] }[] };
    expect(json.explained).toBe(true);
    expect(json.phases).toHaveLength(89);
    expect(json.phases.every((phase) => phase.calls.length === 0)).toBe(true);
    const broken = withCall('22-freeze_set', () => ({ returned: 5 }));
    const { phases } = firmwareComparisonToJson(compareFirmware(broken)) as typeof json;
    expect(phases.find((phase) => phase.name === '22-freeze_set')).toMatchObject({
      ...{ differences: 1, unexplained: 1 },
      calls: [{ name: 'OPAL_PCI_EEH_FREEZE_SET', accesses: [], returned: { recorded: 5, ours: 0 } }],
    });
  });

  it('has every access of a phase that is asked for', () => {
    const json = firmwareComparisonToJson(SAME, '20-lsi_set_xive') as {
      phases: { calls: { accesses: unknown[] }[] }[];
    };
    expect(json.phases).toHaveLength(1);
    expect(json.phases[0]!.calls.map((call) => call.accesses.length)).toEqual([3, 0]);
    expect(json.phases[0]!.calls[0]!.accesses[0]).toMatchObject({
      outcome: 'same',
      ours: { direction: 'write', window: 'phb', register: 'PHB_IODA_ADDR', size: 8, afterUs: 0 },
    });
  });
});

describe('two sequences of accesses', () => {
  const access = fc.record({
    direction: fc.constantFrom('read' as const, 'write' as const),
    window: fc.constantFrom('phb' as const, 'nest' as const),
    register: fc.constantFrom(0, 8),
    size: fc.constant(8 as const),
    value: fc.bigInt({ min: 0n, max: 2n }),
    afterUs: fc.constantFrom(0, 0, 5),
  });
  const sequence = fc.array(access, { maxLength: 14 });
  const common = (each: FirmwareAccess) => ({
    ...each,
    afterUs: 0,
    value: each.direction === 'read' ? 0n : each.value,
  });

  it('are both kept whole and in order, whatever they are', () => {
    fc.assert(
      fc.property(sequence, sequence, (recorded, ours) => {
        const aligned = alignAccesses(recorded, ours);
        expect(aligned.flatMap((each) => each.recorded ?? [])).toEqual(recorded);
        expect(aligned.flatMap((each) => each.ours ?? [])).toEqual(ours);
        for (const { outcome, recorded: left, ours: right } of aligned) {
          if (outcome === 'missing') expect([left === undefined, right]).toEqual([false, undefined]);
          if (outcome === 'extra') expect([left, right === undefined]).toEqual([undefined, false]);
          if (outcome === 'same') expect(common(left!)).toEqual(common(right!));
        }
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it('have as much in common as any subsequence of both', () => {
    fc.assert(
      fc.property(sequence, fc.array(fc.nat(), { maxLength: 6 }), (recorded, drops) => {
        const ours = drops.reduce<Accesses>(
          (list, drop) => (list.length === 0 ? list : without(list, drop % list.length)),
          recorded,
        );
        const outcomes = alignAccesses(recorded, ours).map((each) => each.outcome);
        expect(outcomes.filter((each) => each === 'missing')).toHaveLength(recorded.length - ours.length);
        expect(outcomes).not.toContain('extra');
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  it('are not the same where one comes later, but may be where only the steps between differ', () => {
    const step = {
      direction: 'write' as const,
      window: 'phb' as const,
      register: 0,
      size: 8 as const,
      value: 1n,
      afterUs: 0,
    };
    const late = { ...step, value: 2n, afterUs: 9 };
    const outcomes = (recorded: Accesses, ours: Accesses) => alignAccesses(recorded, ours).map((each) => each.outcome);
    expect(outcomes([step, late], [step, { ...late, afterUs: 8 }])).toEqual(['same', 'different']);
    const between = { ...step, register: 8, afterUs: 9 };
    expect(outcomes([step, late], [step, between, { ...late, afterUs: 0 }])).toEqual(['same', 'extra', 'same']);
    expect(outcomes([step, between, { ...late, afterUs: 0 }], [step, late])).toEqual(['same', 'missing', 'same']);
  });

  it('are the same, if they are', () => {
    fc.assert(
      fc.property(sequence, (recorded) => {
        expect(alignAccesses(recorded, recorded).every((each) => each.outcome === 'same')).toBe(true);
      }),
      { seed: 3, numRuns: 200 },
    );
  });
});
