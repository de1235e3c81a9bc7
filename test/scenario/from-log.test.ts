import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { explainLog } from '../../src/diag/explain.js';
import type { FaultEvent } from '../../src/diag/fault/fault.js';
import { type DiagLayout, formatDiagData } from '../../src/diag/layout.js';
import { P7IOC_LAYOUT } from '../../src/diag/p7ioc/layout.js';
import { PHB3_LAYOUT } from '../../src/diag/phb3/layout.js';
import { NoScenarioError, scenarioFromLog } from '../../src/scenario/from-log.js';
import { readScenario } from '../../src/scenario/read-scenario.js';
import { allMet } from '../../src/scenario/report.js';
import { type RunResult, runScenario } from '../../src/scenario/runner.js';

const LOGS = join(import.meta.dirname, '..', 'diag', 'logs');
const NAMES = readdirSync(LOGS).sort();
const eventsOf = (text: string) => explainLog(text).events;
const logText = (number: string) => readFileSync(join(LOGS, NAMES.find((name) => name.startsWith(number))!), 'utf8');

const written = (event: FaultEvent, number = 1): string => scenarioFromLog({ source: 'dmesg.txt', number, event });
const rerun = (text: string): RunResult => runScenario(readScenario('again.yaml', text));

/** Expectations of a text, without the dashes. */
const itemsOf = (text: string): string[] =>
  text
    .slice(text.indexOf('expect:'))
    .split('\n')
    .flatMap((line) => (line.startsWith('  - ') ? [line.slice(4)] : []));

const SLOT = '{ device: nic, driver: recovering }';

const RECOVERS = '{ log: "EEH: Recovery successful.", within: 10 s }';

const simulated = new Map<string, string>();

/** The log of a machine of ours on which something struck, until what is expected came. Several tests begin with the same. */
function simulatedLog(fault: string, slots = [SLOT, SLOT], chip = 'phb3', until = RECOVERS): string {
  const text = [
    'name: first',
    'about: What the log is of.',
    'machine:',
    `  chip: ${chip}`,
    '  slots:',
    ...slots.map((slot, i) => `    ${i + 1}: ${slot}`),
    'faults:',
    `  - { at: 5 ms, ${fault} }`,
    'expect:',
    `  - ${until}`,
  ].join('\n');
  const known = simulated.get(text);
  if (known !== undefined) return known;
  const { observer } = runScenario(readScenario('first.yaml', text));
  const log = observer.log.map((record) => record.text).join('\n');
  simulated.set(text, log);
  return log;
}

describe('the scenario of a dump of the chip that is simulated', () => {
  it.each([
    'kind: dma-write-unmapped, device: slot2',
    'kind: dma-read-writeonly, device: slot1',
    'kind: dma-outside-window, device: slot1',
    'kind: foreign-msi, device: slot1, vector: 7',
    'kind: unsupported-request, device: slot1',
    'kind: completion-timeout, device: slot1',
    'kind: err-fatal, device: slot1',
  ])('%s: repeats every register and both PEST words', (fault) => {
    const [event] = eventsOf(simulatedLog(fault));
    const text = written(event!);
    const { entry } = event!.primary!.reading!.culprit!;
    const slot = fault.includes('slot2') ? 'slot2' : 'slot1';
    const words = [entry.a, entry.b].map((value) => `0x${value.toString(16).padStart(16, '0')}`);
    expect(text).toContain(`{ pest: ${slot}, a: ${words[0]}, `);
    expect(text).toContain(`{ pest: ${slot}, b: ${words[1]}, `);
    const labels = [...new Set([...event!.primary!.dump.words.values()].map(({ line }) => line))];
    expect(itemsOf(text).filter((item) => /log: "(?!EEH)[A-Za-z0-9]+: +[0-9a-f]{8}/.test(item))).toHaveLength(
      labels.length,
    );
    expect(text).not.toContain('; here: ');
    expect(itemsOf(text)).toContain('{ log: "EEH: Recovery successful.", within: 15 s }');
    expect(allMet(rerun(text))).toBe(true);
  });

  it('of a fence brings the bridge into the fence, with the same nest FIR', () => {
    const [event] = eventsOf(simulatedLog('kind: fence, device: phb0, error: forced'));
    const text = written(event!);
    expect(text).toContain('kind: fence, device: phb0, error: forced');
    expect(itemsOf(text)[0]).toBe('{ fenced: phb0, within: 15 s }');
    expect(itemsOf(text).some((item) => item.includes('nFir:') && item.includes('000080f000000000'))).toBe(true);
    expect(allMet(rerun(text))).toBe(true);
  });

  it('of a dead bridge ends in a dead bridge', () => {
    const [event] = eventsOf(simulatedLog('kind: dma-write-unmapped, device: slot1'));
    const text = written({ ...event!, severity: 'phb-dead', recovery: undefined });
    expect(text).toContain('kind: fence, device: phb0, error: array-bad');
    expect(itemsOf(text)[0]).toBe('{ dead: phb0, within: 15 s }');
    expect(allMet(rerun(text))).toBe(true);
  });

  it('of a nest error that is in no catalogue takes another one, and says so', () => {
    const log = [
      'PHB3 PHB#0 Diag-data (Version: 1)',
      'brdgCtl:     00000002',
      'nFir:        0008800000000000 0030006e00000000 0008000000000000',
    ];
    const text = written(eventsOf(log.join('\n'))[0]!);
    expect(text).toContain('kind: fence, device: phb0, error: bus-data');
    expect(text.replaceAll(/\n# +/g, ' ')).toContain('No error of the catalogue sets these bits of the nest FIR');
    expect(allMet(rerun(text))).toBe(true);
  });

  it('of a stranger names the PE by what the kernel prints of it', () => {
    const until = '{ log: "PE[0ff] A/B", within: 10 s }';
    const log = simulatedLog('kind: foreign-requester, device: slot1', [SLOT, SLOT], 'phb3', until);
    const text = written(eventsOf(log)[0]!);
    expect(text).toContain('{ log: "PE[0ff] A/B: 80008023ffff0000 ');
    expect(allMet(rerun(text))).toBe(true);
  });

  it('says in a comment which word the simulated chip does not repeat', () => {
    const log = simulatedLog('kind: dma-write-unmapped, device: slot1').replace(/^(RootSts: +)0000004f/m, '$10001004f');
    const text = written(eventsOf(log)[0]!);
    expect(text).toMatch(/^# - RootSts: 0001004f 00400000 .* in the log; here: 0000004f/m);
    expect(text).not.toContain('log: "RootSts');
    expect(allMet(rerun(text))).toBe(true);
  });

  it('puts the card on the bus and the PHB of the log', () => {
    const log = simulatedLog('kind: dma-write-unmapped, device: slot1', [
      '{ device: nic, driver: recovering, phb: 1 }',
    ]);
    const text = written(eventsOf(log)[0]!);
    expect(text).toContain('    1: { device: nic, driver: recovering, phb: 1 }');
    expect(text).not.toContain('    2: ');
  });
});

it('the scenario of a dump of the other chip runs on a machine with that chip', () => {
  const log = simulatedLog('kind: dma-write-unmapped, device: slot1', [SLOT, SLOT], 'p7ioc');
  const text = written(eventsOf(log)[0]!);
  expect(text).toContain('  chip: p7ioc');
  expect(text).toMatch(/\{ log: "PE\[[0-9a-f]{3}\] A\/B: 8000203a|pest: slot1, b: 0x80000000/);
  expect(text).not.toContain('; here: ');
  expect(allMet(rerun(text))).toBe(true);
});

it('the scenario of a dump of a P7IOC has the card on the bus of the log, each slot with its aligned range', () => {
  const log = simulatedLog('kind: dma-write-unmapped, device: slot2', [SLOT, SLOT], 'p7ioc');
  const text = written(eventsOf(log)[0]!);
  expect(text).toContain('kind: dma-write-unmapped, device: slot2');
  expect(text).not.toContain('# - Bus ');
});

it.each(['forced', 'register-parity', 'bus-data', 'array-bad'])(
  'the scenario of a P7IOC bridge that %s fenced repeats every register',
  (error) => {
    const log = simulatedLog(`kind: fence, device: phb0, error: ${error}`, [SLOT], 'p7ioc');
    const text = written(eventsOf(log)[0]!);
    expect(text).toContain(`kind: fence, device: phb0, error: ${error} }`);
    expect(text).not.toContain('; here: ');
    expect(itemsOf(text).some((item) => item.includes('log: "Lem: '))).toBe(true);
    expect(allMet(rerun(text))).toBe(true);
  },
);

/** A dump of the hub, as the kernel prints it, with one error bit. */
const hubLog = (unit: string, lem: string): string =>
  [
    `P7IOC diag-data for ${unit}`,
    '',
    '  GEM: 0000000000000000 0000008000000000 0000008000000000 000f033fffffffff 0000008000000000',
    `  LEM: ${lem} 0000000000000000 0000000000000000 0000000000000000 ${lem}`,
  ].join('\n');

it.each([
  ['MISC', '8000000000000000', 'unit: misc, error: malfunction', 'log: "P7IOC diag-data for MISC"'],
  ['MISC', '4000000000000000', 'unit: misc, error: informational', 'log: "P7IOC diag-data for MISC"'],
  ['MISC', '0000000000800000', 'unit: misc, error: clock', 'log: "EEH: dead IOC detected"'],
  ['BI Upbound', '8000000000000000', 'unit: bi-up, error: fatal', 'all-ones: slot1'],
])('the scenario of a dump of the hub lets %s find %s again', (unit, lem, fault, proof) => {
  const text = written(eventsOf(hubLog(unit, lem))[0]!);
  expect(text).toContain(`kind: hub-error, device: hub, ${fault} }`);
  expect(itemsOf(text)[0]).toContain(proof);
  expect(allMet(rerun(text))).toBe(true);
});

/** A dump whose registers nobody answered, as the kernel prints it. */
function silentLog(layout: DiagLayout, phb: number): string {
  const fields = Object.fromEntries(layout.fields.map(({ name, bytes }) => [name, (1n << BigInt(bytes * 8)) - 1n]));
  return formatDiagData(layout, { fields, pestA: [], pestB: [] }, phb).join('\n');
}

describe('the scenario of a dump of ones', () => {
  it('of a P7IOC stops the hub, and the bridge of the log gives ones until Linux gives it up', () => {
    const [event] = eventsOf(silentLog(P7IOC_LAYOUT, 2));
    const text = written(event!);
    expect(text).toContain('    1: { device: nic, driver: recovering, phb: 2 }');
    expect(text).toContain('kind: hub-error, device: hub, unit: bi-up, error: fatal }');
    expect(itemsOf(text)).toContain('{ failed: phb2, within: 60 s }');
    expect(itemsOf(text).some((item) => item.includes('log: "Lem:         ffffffffffffffff'))).toBe(true);
    // A register of 16 bits that nobody answers has no more ones.
    expect(text).toContain('# - brdgCtl: ffffffff in the log; here: 0000ffff');
    expect(allMet(rerun(text))).toBe(true);
  });

  it('of a simulated dead hub repeats every line of it', () => {
    const fault = 'kind: hub-error, device: hub, unit: bi-up, error: fatal';
    const [event] = eventsOf(simulatedLog(fault, [SLOT], 'p7ioc', '{ failed: phb0, within: 60 s }'));
    const text = written(event!);
    expect(text).not.toContain('; here: ');
    expect(itemsOf(text)).toContain('{ log: "EEH: Unable to recover from failure", within: 60 s }');
    expect(allMet(rerun(text))).toBe(true);
  });

  it('as a buffer has no lines to name, and takes the first bridge', () => {
    const { events } = explainLog(silentLog(P7IOC_LAYOUT, 7));
    const text = written({ ...events[0]!, lines: { first: 0, last: 0 } });
    expect(text).toMatch(/^# Written by phbsim explain --scenario from dmesg\.txt \(event 1\)\.\n/);
    expect(text).toContain('# - PHB 7 of the log is PHB 0 here.');
  });

  it('of a PHB3 ends the bridge, of which Linux then prints no register', () => {
    const text = written(eventsOf(silentLog(PHB3_LAYOUT, 1))[0]!);
    expect(text).toContain('kind: fence, device: phb1, error: array-bad');
    expect(itemsOf(text)).toContain('{ dead: phb1, within: 15 s }');
    expect(text).not.toContain('no such line');
    expect(allMet(rerun(text))).toBe(true);
  });
});

it('a bridge of a P7IOC that died alone is refused, with what can be run instead', () => {
  const log = [
    'EEH: dead PHB#2 detected, location: N/A',
    'P7IOC PHB#2 Diag-data (Version: 1)',
    'brdgCtl:     00000002',
  ];
  const event = eventsOf(log.join('\n'))[0]!;
  expect(event).toMatchObject({ chip: 'p7ioc', severity: 'phb-dead' });
  expect(() => written(event)).toThrow(/ends one bridge of a P7IOC.*p7ioc-dead-hub\.yaml/);
});

it('a P7IOC has six bridges, also in the scenario of a log', () => {
  const slots = ['{ device: nic, driver: recovering, phb: 4 }'];
  const text = written(eventsOf(simulatedLog('kind: dma-write-unmapped, device: slot1', slots, 'p7ioc'))[0]!);
  expect(text).toContain('    1: { device: nic, driver: recovering, phb: 4 }');
  expect(text).not.toContain('# - PHB ');
});

/** Which fault strikes for each recorded log, and what is expected of the outcome; none: there is no scenario. */
const RECORDED: Readonly<Record<string, readonly string[]>> = {
  '001': ['kind: fence, device: phb2', '{ fenced: phb2'],
  '002': [],
  '101': ['kind: dma-read-unmapped', '{ freeze: slot1, cause: tce-page-fault'],
  '103': ['kind: dma-read-unmapped', '{ freeze: slot1, cause: tce-page-fault'],
  '104': ['kind: dma-write-unmapped', '{ freeze: slot1, cause: tce-page-fault'],
  '106': ['kind: dma-write-unmapped', '{ recovered: slot1'],
  '110': ['kind: dma-read-unmapped', '{ recovered: slot1', '{ untouched: slot2 }'],
  '111': ['kind: unsupported-request', 'votes: { error_detected: disconnect }', '{ failed: slot1'],
  '114': ['kind: completion-timeout', 'kind: fence', '{ fenced: phb0'],
  '115': ['kind: unsupported-request, device: slot3', 'cause: mmio-load-ur'],
  '116': ['kind: link-bounce', 'kind: fence', '{ fenced: phb0'],
  '118': ['kind: link-bounce', '{ freeze: slot1'],
  '201': [],
  '204': ['breaks-again: { in: slot_reset, by: mmio, times: 5 }', 'has failed 6 times', '{ failed: slot1'],
  '206': ['kind: link-lost', '{ failed: slot1'],
};

describe('the scenario of a recorded log', () => {
  it.each(Object.entries(RECORDED).filter(([, parts]) => parts.length > 0))(
    '%s runs on a PHB3 and does what the log tells',
    (number, parts) => {
      const text = written(eventsOf(logText(number))[0]!);
      for (const part of parts) expect(text).toContain(part);
      expect(/^# - The log is of a P(?:HB[45]|owerVM)/m.test(text)).toBe(number !== '001');
      expect(allMet(rerun(text))).toBe(true);
    },
    20_000,
  );

  it.each(Object.entries(RECORDED).filter(([, parts]) => parts.length === 0))('%s: does not tell enough', (number) => {
    expect(() => written(eventsOf(logText(number))[0]!)).toThrow(NoScenarioError);
    expect(() => written(eventsOf(logText(number))[0]!)).toThrow(/does not tell what went wrong.*Capture/);
  });
});

describe('what goes into the text', () => {
  const [event] = eventsOf(logText('111'));

  it('cannot break out of it', () => {
    const verdict = 'x\n- { kind: fence }\u2028name: evil\u0007 # : "\u001b[31m';
    const text = scenarioFromLog({ source: '../É "x".log', number: 3, event: { ...event!, verdict } });
    expect(readScenario('again.yaml', text).name).toBe('x-event-3');
    expect(readScenario('again.yaml', text).faults).toHaveLength(1);
  });

  it('has a name that seeds the run, whatever the file is called', () => {
    expect(readScenario('a', scenarioFromLog({ source: '-', number: 1, event: event! })).name).toBe('log-event-1');
  });

  it('is refused for what the catalogue cannot do, with a remedy', () => {
    expect(() => written(eventsOf(logText('015'))[0]!)).toThrow(/device without a PE.*phbsim run --faults/);
  });
});
