import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BREAKAGES } from '../../src/eeh/drivers/driver-plan.js';
import { CALLBACKS } from '../../src/eeh/drivers/scripted-driver.js';
import { VOTES } from '../../src/eeh/drivers/votes.js';
import { DEFAULT_KERNEL_VERSION, KERNEL_VERSIONS } from '../../src/eeh/kernel-versions.js';
import { FAULT_KINDS, FAULTS, type FaultDeclaration } from '../../src/faults/catalogue.js';
import { rangeOf } from '../../src/faults/parameters.js';
import { PHBS_PER_CHIP } from '../../src/machine/powernv8.js';
import { DRIVER_KINDS, MOST_DEVICES_BEHIND, MOST_FUNCTIONS, MOST_SLOTS_PER_PHB } from '../../src/machine/topology.js';
import { ACTIONS, type ActionDeclaration } from '../../src/scenario/action.js';
import { DETECTIONS } from '../../src/scenario/log-evidence.js';
import { ACTION_KEYS } from '../../src/scenario/read-action.js';
import {
  ANSWERS,
  BREAKAGE_KEYS,
  DRIVER_KEYS,
  HANG_KEYS,
  LOAD_KEYS,
  MOST_LOADS,
  RESET_WISHES,
} from '../../src/scenario/read-driver.js';
import {
  CAUSE_GROUPS,
  EVENT_NAMES,
  EXPECTATION_KEYS,
  EXPECTATION_KINDS,
  LINK_ERRORS,
  LINK_SPEEDS,
  LINK_WIDTHS,
} from '../../src/scenario/read-expectation.js';
import { MACHINE_KEYS, SLOT_DEVICES, SLOT_KEYS, SWITCH_VALUES } from '../../src/scenario/read-machine.js';
import { FAULT_KEYS, readScenario, SCENARIO_KEYS } from '../../src/scenario/read-scenario.js';
import { DURATION_REMEDY } from '../../src/scenario/reader.js';
import { formatRun, runToJson } from '../../src/scenario/report.js';
import { RESET_KINDS } from '../../src/scenario/reset-watch.js';
import { runScenario } from '../../src/scenario/runner.js';
import { DEFAULT_SETTLE_NS, DEFAULT_WITHIN_NS, FIRMWARES, MOST_TIMES } from '../../src/scenario/scenario.js';
import { ms, seconds } from '../../src/sim/time.js';

const ROOT = resolve(import.meta.dirname, '../..');
const TEXT = readFileSync(join(ROOT, 'docs/scenarios.md'), 'utf8');

/** A chapter of the page. */
function chapter(title: string): string {
  const found = TEXT.split(/^## /m).find((each) => each.startsWith(`${title}\n`));
  if (found === undefined) throw new Error(`no chapter "${title}"`);
  return found;
}

/** The rows of the n-th table of a chapter, without its head. */
function table(title: string, index = 0): string[] {
  const tables = [...chapter(title).matchAll(/(?:^\|.*\n)+/gm)].map(([rows]) => rows.trimEnd().split('\n').slice(2));
  return tables[index]!;
}

const cells = (row: string): string[] => row.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, ''));
const words = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
/** What stands in the first column. */
const named = (rows: readonly string[]): string[] => rows.flatMap((row) => words(cells(row)[0]!));
const listed = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ') || '-';
const block = (language: string): string =>
  new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'ms').exec(chapter('Example'))![1]!;

describe('docs/scenarios.md', () => {
  it('has every key and no other', () => {
    expect(named(table('The file'))).toEqual(SCENARIO_KEYS);
    expect(named(table('Machine', 0))).toEqual(MACHINE_KEYS);
    expect(named(table('Machine', 1))).toEqual(SLOT_KEYS);
    expect(named(table('Drivers', 1))).toEqual(DRIVER_KEYS);
    expect(named(table('Faults', 0))).toEqual(FAULT_KEYS);
    expect(named(table('Actions', 0))).toEqual(ACTION_KEYS);
  });

  it('has every answer of a driver, every key of its deviations, and every kernel and firmware', () => {
    const [, votes, reset, hangs, breakage, loads] = table('Drivers', 1).map((row) => words(cells(row)[1]!));
    expect(votes!.slice(0, ANSWERS.length)).toEqual(ANSWERS);
    expect(reset).toEqual(RESET_WISHES);
    expect(hangs).toEqual(HANG_KEYS);
    expect(breakage!.filter((word) => (BREAKAGE_KEYS as readonly string[]).includes(word))).toEqual(BREAKAGE_KEYS);
    expect(breakage!.filter((word) => (BREAKAGES as readonly string[]).includes(word))).toEqual(BREAKAGES);
    expect(loads).toEqual(LOAD_KEYS);
    expect(chapter('Drivers')).toContain(`1 to ${MOST_LOADS}, default 1: loads`);
    const row = (key: string): string[] =>
      words(cells(table('Machine').find((each) => each.startsWith(`| \`${key}\``))!)[2]!);
    expect(row('kernel')).toEqual([...KERNEL_VERSIONS, DEFAULT_KERNEL_VERSION]);
    expect(row('firmware')).toEqual(FIRMWARES);
    for (const key of ['early-log', 'hot-plug', 'link-reporting']) expect(row(key).slice(0, 2)).toEqual(SWITCH_VALUES);
  });

  it('has every action with whom it is done to, its other keys and what happens', () => {
    const targets = { slot: 'slot', pe: 'slot, switch, bridge or PHB', nobody: '-' };
    const rows = Object.entries(ACTIONS).map(([kind, { on, keys = [], about }]: [string, ActionDeclaration]) => {
      return `| ${[`\`${kind}\``, targets[on], listed(keys), about].join(' | ')} |`;
    });
    expect(table('Actions', 1)).toEqual(rows);
  });

  it('says which keys a scenario cannot do without', () => {
    const needed = (rows: readonly string[]): string[] => named(rows.filter((row) => cells(row)[1] === 'yes'));
    const missing = (source: string): string[] => {
      try {
        readScenario('x', source);
      } catch (error) {
        return [...(error as Error).message.matchAll(/lacks "([^"]+)"/g)].map((match) => match[1]!);
      }
      return [];
    };
    const rest = 'name: x\nabout: x\nexpect: [{ freeze: slot1 }]';
    expect(missing('{}')).toEqual(needed(table('The file')));
    expect(missing(`${rest}\nfaults: []\nmachine: {}`)).toEqual(needed(table('Machine', 0)));
    expect(missing(`${rest}\nfaults: []\nmachine: { slots: { 1: {} } }`)).toEqual(needed(table('Machine', 1)));
    const faults = (fault: string): string[] =>
      missing(`${rest}\nmachine: { slots: { 1: { device: nic } } }\nfaults: [${fault}]`);
    expect([...faults('{ kind: fence }'), ...faults('{ at: 1 ms, device: phb0 }')].sort()).toEqual(
      needed(table('Faults', 0)).sort(),
    );
  });

  it('has every device and driver, and how many slots there can be', () => {
    expect(named(table('Drivers', 0))).toEqual(DRIVER_KINDS);
    const [device, , , phb] = table('Machine', 1);
    expect(words(cells(device!)[2]!)).toEqual(SLOT_DEVICES);
    expect(chapter('Machine')).toContain(`1 to ${MOST_FUNCTIONS} functions`);
    expect(chapter('Machine')).toContain(`1 to ${MOST_DEVICES_BEHIND} devices`);
    expect(phb).toContain(`0 to ${PHBS_PER_CHIP - 1}, default 0`);
    expect(table('Machine', 0)[1]).toContain(`1 to ${PHBS_PER_CHIP * MOST_SLOTS_PER_PHB},`);
  });

  it('has every kind of fault as the catalogue declares it', () => {
    const rows = FAULT_KINDS.map((kind) => {
      const { hits, parameters, about, events = [], aer = [] }: FaultDeclaration = FAULTS[kind];
      const ranges = Object.entries(parameters).map(([name, parameter]) => `\`${name}\` ${rangeOf(parameter)}`);
      const columns = [`\`${kind}\``, hits.join(', '), ranges.join('; ') || '-', about, listed(events), listed(aer)];
      return `| ${columns.join(' | ')} |`;
    });
    expect(table('Faults', 1)).toEqual(rows);
  });

  it('has every expectation with its other keys', () => {
    const rows = table('Expectations', 0).map(cells);
    expect(rows.map(([first, , keys]) => [first, keys])).toEqual(
      EXPECTATION_KINDS.map((kind) => [`\`${kind}\``, listed(EXPECTATION_KEYS[kind])]),
    );
  });

  it('has every link width, speed and error an expectation can name', () => {
    const [shapes, errors, detections, resets, votes] = table('Expectations', 1).map(cells);
    expect(words(detections![1]!)).toEqual(DETECTIONS);
    expect(words(resets![1]!)).toEqual(RESET_KINDS);
    expect(words(votes![1]!)).toEqual([...CALLBACKS, ...VOTES]);
    expect(words(shapes![1]!)).toEqual([...Object.keys(LINK_WIDTHS), ...Object.keys(LINK_SPEEDS)]);
    expect(words(errors![1]!)).toEqual(LINK_ERRORS);
  });

  it('has every cause, alone and in groups', () => {
    const rows = Object.entries(CAUSE_GROUPS).map(([name, events]) => `| \`${name}\` | ${listed(events)} |`);
    expect(table('Expectations', 2)).toEqual(rows);
    const [, events] = /^Events: (.*?)\.$/ms.exec(chapter('Expectations'))!;
    expect(words(events!)).toEqual(EVENT_NAMES);
  });

  it('gives units, limits and defaults as the reader has them', () => {
    const units = /\(([^)]+)\)/.exec(DURATION_REMEDY)![1]!;
    expect(chapter('Durations').replace(' (or µs)', '')).toContain(`: ${units}.`);
    expect([DEFAULT_SETTLE_NS, DEFAULT_WITHIN_NS, MOST_TIMES]).toEqual([ms(200), seconds(30), 1000]);
    expect(chapter('The file')).toContain('default 200 ms');
    expect(chapter('The run')).toContain('waited for 30 s');
    expect(chapter('Faults')).toContain('1 to 1000, default 1: how often');
  });

  it('shows an example that does what the page says, and the keys of its JSON', () => {
    const result = runScenario(readScenario('docs/scenarios.md', block('yaml')));
    const report = formatRun(result, { again: '' }).split('\n');
    const shown = block('text').trimEnd().split('\n');
    expect(shown).toHaveLength(6);
    expect(report.filter((line) => /^(met|NOT MET) /.test(line))).toEqual(shown);

    const value = JSON.parse(runToJson(result, { again: '' })) as Record<string, unknown>;
    expect(named(table('JSON'))).toEqual(Object.keys(value));
    for (const row of table('JSON')) {
      const [key, about] = cells(row);
      const list = value[words(key!)[0]!];
      const [first] = Array.isArray(list) ? (list as unknown[]) : [];
      if (typeof first !== 'object' || first === null) continue;
      const fields = words(about!.replace(/\([^)]*\)/g, ''));
      expect([...fields].sort()).toEqual(Object.keys(first).sort());
    }
  });
});
