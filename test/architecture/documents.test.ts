import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { program } from '../../src/cli/program.js';
import type { Known } from '../../src/hw/register.js';
import { ERROR_EVENTS as P7IOC_EVENTS } from '../../src/ioda1/error-bits/events.js';
import { TRAP_BITS as P7IOC_TRAP_BITS } from '../../src/ioda1/error-bits/traps.js';
import { HUB_REGISTERS } from '../../src/ioda1/registers/hub.js';
import { PHB_REGISTERS as P7IOC_PHB_REGISTERS } from '../../src/ioda1/registers/phb.js';
import { ERROR_EVENTS } from '../../src/ioda2/error-bits/events.js';
import { TRAP_BITS } from '../../src/ioda2/error-bits/traps.js';
import { PBCQ_NEST_REGISTERS, PBCQ_PCI_REGISTERS, PBCQ_SPCI_REGISTERS } from '../../src/ioda2/registers/pbcq.js';
import { PHB_REGISTERS } from '../../src/ioda2/registers/phb.js';
import { figuresOf, POWER8_TIMING, TIMING_GROUPS } from '../../src/machine/timing-profile.js';
import { readRecording } from '../../src/replay/read-recording.js';
import { replay } from '../../src/replay/replay.js';

const ROOT = resolve(import.meta.dirname, '../..');
const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'docs/architecture.md',
  'docs/fidelity.md',
  'docs/firmware-profiles.md',
  'docs/scenarios.md',
  'docs/kernel-files.md',
  'src/ioda1/README.md',
];
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** The layers as the import test has them. */
const LAYERS = [
  ...(/const LAYERS = \[(.*?)\];/s.exec(read('test/architecture/imports.test.ts'))?.[1] ?? '').matchAll(/'(\w+)'/g),
].map((match) => match[1]!);

/** Paths in backticks that begin with a folder of the project. */
function pathsIn(text: string): string[] {
  const spans = [...text.matchAll(/`((?:src|test|docs|scenarios|bench|scripts|\.ci)\/[\w./-]*)`/g)].map(
    (match) => match[1]!,
  );
  const commands = [...text.matchAll(/\b(scenarios\/[\w./-]+\.(?:yaml|gz|txt))\b/g)].map((match) => match[1]!);
  return [...new Set([...spans, ...commands])];
}

/** Files behind the relative links of a document. */
function linksIn(text: string): string[] {
  return [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map((match) => match[1]!);
}

/** Rows that say where something happens: a file and a name in it. */
function placesIn(text: string): { file: string; name: string }[] {
  return [...text.matchAll(/^\| `(src\/[\w./-]+\.ts)` `([^`]+)` \|/gm)].map((match) => ({
    file: match[1]!,
    name: match[2]!.split('.').at(-1)!,
  }));
}

/** Folders that a document may speak of before there is a file in them. */
const ANNOUNCED = ['src/vfio', 'src/rtas', 'src/guest'];

describe.each(DOCUMENTS)('%s', (document) => {
  const text = read(document);

  it('names files that exist', () => {
    const missing = pathsIn(text).filter((path) => !ANNOUNCED.includes(path) && !existsSync(join(ROOT, path)));
    expect(missing.filter((path) => !path.includes('NAME') && path !== 'bench/baseline.json')).toEqual([]);
  });

  it('links to files that exist', () => {
    const folder = join(ROOT, document, '..');
    expect(linksIn(text).filter((link) => !existsSync(join(folder, link)))).toEqual([]);
  });

  it('shows commands that the command line has', () => {
    const known = program().commands.map((command) => command.name());
    const shown = [...text.matchAll(/(?:`|\$ |\| )(?:npx )?phbsim ([a-z]+)/g)].map((match) => match[1]!);
    expect(shown.filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe('docs/architecture.md', () => {
  const text = read('docs/architecture.md');

  it('finds each step of the three journeys where it says', () => {
    const places = placesIn(text);
    expect(places.length).toBeGreaterThan(35);
    const lost = places.filter(({ file, name }) => !new RegExp(`\\b${name}\\b`).test(read(file)));
    expect(lost).toEqual([]);
  });

  it('gives the layers in the order that the import test enforces', () => {
    expect(LAYERS.length).toBeGreaterThan(10);
    expect(text).toContain(`\n${LAYERS.join(' < ')}\n`);
  });

  it('says of every folder what it owns', () => {
    expect(LAYERS.filter((layer) => !text.includes(`\`src/${layer}\``))).toEqual([]);
  });
});

describe('docs/fidelity.md', () => {
  const text = read('docs/fidelity.md');

  const gradeRow = (what: string, graded: readonly { readonly known: Known }[]): string => {
    const count = (known: Known): number => graded.filter((each) => each.known === known).length;
    const cells = [graded.length, count('stated'), count('derived'), count('inferred'), count('assumed')];
    return `| ${what} | ${cells.join(' | ')} |`;
  };

  it('counts the grades as the declarations have them', () => {
    const banks = [PHB_REGISTERS, PBCQ_NEST_REGISTERS, PBCQ_PCI_REGISTERS, PBCQ_SPCI_REGISTERS];
    const registers = banks.flatMap((bank): readonly { readonly known: Known }[] => bank.registers);
    expect(text).toContain(gradeRow('registers of PHB and PBCQ', registers));
    expect(text).toContain(gradeRow('bits of the four error traps', Object.values(TRAP_BITS).flat()));
    expect(text).toContain(gradeRow('error events', Object.values(ERROR_EVENTS)));
    expect(text).toContain(gradeRow('registers of the hub of P7IOC', HUB_REGISTERS.registers));
    expect(text).toContain(gradeRow('registers of its bridges', P7IOC_PHB_REGISTERS.registers));
    const p7iocBits = Object.values(P7IOC_TRAP_BITS).flat();
    expect(text).toContain(gradeRow('bits of the four error traps of P7IOC', p7iocBits));
    expect(text).toContain(gradeRow('error events of P7IOC', Object.values(P7IOC_EVENTS)));
    const figures = TIMING_GROUPS.flatMap((group) => Object.values(figuresOf(POWER8_TIMING, group)));
    expect(text).toContain(gradeRow('timing figures', figures));
  });

  it('counts the reads of the boot recordings as a replay does', () => {
    for (const name of ['skiboot-boot-phb3', 'skiboot-boot-phb3-empty']) {
      const file = `scenarios/recordings/${name}.rec.gz`;
      const { readsCompared, mismatches } = replay(readRecording(file, readFileSync(join(ROOT, file))));
      const explained = mismatches.filter((mismatch) => mismatch.explanation !== undefined).length;
      const cells = [readsCompared, readsCompared - mismatches.length, explained, mismatches.length - explained];
      const row = text.split('\n').find((line) => line.startsWith(`| \`${name}\` |`));
      expect(
        row
          ?.split('|')
          .slice(3, 7)
          .map((cell) => cell.trim()),
      ).toEqual(cells.map((cell) => cell.toLocaleString('en-US')));
    }
  });

  it('has a choice for each of the 34 unsettled points', () => {
    const numbers = [...text.matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1]));
    expect(numbers).toEqual(Array.from({ length: 34 }, (_, index) => index + 1));
  });
});
