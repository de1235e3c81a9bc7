import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Dump } from '../../src/diag/dump.js';
import { findDumps } from '../../src/diag/dump-finder.js';
import { type DiagData, type DiagLayout, formatDiagData } from '../../src/diag/layout.js';
import { P7IOC_LAYOUT } from '../../src/diag/p7ioc/layout.js';
import { PHB3_LAYOUT } from '../../src/diag/phb3/layout.js';
import { PHB4_LAYOUT } from '../../src/diag/phb4/layout.js';
import { cleanLines } from '../../src/diag/text/clean.js';
import { ALL_ONES } from '../../src/hw/bits.js';

const PREFIXES = [
  '',
  '[    4.248309] ',
  '<6>[13860.159031] ',
  '[Mon Jan 22 11:23:31 2018] ',
  'Dec 20 21:11:41 HOST kernel: ',
  'Mar 25 10:01:49 localhost kernel: [  176.979843] ',
];
const FOREIGN = [
  'aacraid 0002:01:00.0: enabling device (0140 -> 0142)',
  'EEH: Collect temporary log',
  'add dead beef',
  '',
];

/** Breaks at blanks, as a mailer does. */
function wrapAtBlanks(line: string, width: number): string[] {
  const out: string[] = [];
  let rest = line;
  while (rest.length > width) {
    const cut = rest.lastIndexOf(' ', width);
    if (cut <= 0) break;
    out.push(rest.slice(0, cut).trimEnd());
    rest = rest.slice(cut + 1);
  }
  return [...out, rest];
}

/** Breaks anywhere, as a terminal does. */
function wrapHard(line: string): string[] {
  return line.match(/.{1,80}/g) ?? [''];
}

function quotedPrintable(line: string): string[] {
  const encoded = line.replaceAll('=', '=3D');
  const parts = encoded.match(/.{1,75}/g) ?? [''];
  return parts.map((part, i) => (i < parts.length - 1 ? `${part}=` : part));
}

const DAMAGE: Readonly<Record<string, (line: string) => string[]>> = {
  none: (line) => [line],
  'mailer 79': (line) => wrapAtBlanks(line, 79),
  'mailer 60': (line) => wrapAtBlanks(line, 60),
  'terminal 80': wrapHard,
  'quoted-printable': quotedPrintable,
  'padded to 168': (line) => [line.padEnd(168)],
  'carriage returns': (line) => [`${line}\r`],
  html: (line) => [line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')],
};

const word = fc.oneof(
  fc.constant(0n),
  fc.bigInt({ min: 0n, max: ALL_ONES }),
  fc.integer({ min: 0, max: 63 }).map((bit) => 1n << BigInt(bit)),
);

function dataFor(layout: DiagLayout): fc.Arbitrary<DiagData> {
  const fields = fc.record(
    Object.fromEntries(
      layout.fields.map(({ name, bytes }) => [name, bytes === 8 ? word : word.map((value) => value & 0xffff_ffffn)]),
    ),
  );
  const entry = fc.record({
    pe: fc.nat(layout.pest.entries - 1),
    length: fc.integer({ min: 1, max: 20 }),
    a: word,
    b: word,
  });
  const pest = fc.array(entry, { maxLength: 8 }).map((runs) => {
    const pestA = new Array<bigint>(layout.pest.entries).fill(0n);
    const pestB = new Array<bigint>(layout.pest.entries).fill(0n);
    for (const { pe, length, a, b } of runs) {
      pestA.fill(a, pe, pe + length);
      pestB.fill(b, pe, pe + length);
    }
    return { pestA, pestB };
  });
  return fc.record({ fields, pest }).map(({ fields: values, pest: columns }) => ({ fields: values, ...columns }));
}

function checkWords(layout: DiagLayout, data: DiagData, dump: Dump): void {
  for (const line of layout.lines) {
    const printed = line.shownIf.some((name) => data.fields[name] !== 0n);
    for (const name of line.fields)
      expect(dump.words.get(name)?.value, name).toBe(printed ? data.fields[name] : undefined);
  }
}

/** Every frozen entry is found with its words, except a run that reaches the end, which the kernel leaves open. */
function checkPest(layout: DiagLayout, data: DiagData, dump: Dump): void {
  const found = new Map<number, readonly [bigint, bigint]>();
  for (const run of dump.pest) for (let pe = run.first; pe <= run.last; pe++) found.set(pe, [run.a, run.b]);
  const last = layout.pest.entries - 1;
  let openFrom = last;
  while (openFrom > 0 && data.pestA[openFrom - 1] === data.pestA[last] && data.pestB[openFrom - 1] === data.pestB[last])
    openFrom--;
  for (let pe = 0; pe <= last; pe++) {
    const [a, b] = [data.pestA[pe]!, data.pestB[pe]!];
    const frozen = (a | b) >> 63n === 1n;
    if (found.has(pe)) expect(found.get(pe)).toEqual([a, b]);
    else expect(!frozen || pe > openFrom || (a === ALL_ONES && b === ALL_ONES), `PE ${pe}`).toBe(true);
  }
}

function mangle(
  lines: readonly string[],
  how: { prefix: string; damage: string; quotes: number; foreign: number },
): string {
  const damage = DAMAGE[how.damage]!;
  const quote = '> '.repeat(how.quotes);
  const text = [FOREIGN[how.foreign]!, ...lines, FOREIGN[how.foreign]!].flatMap((line) => damage(how.prefix + line));
  return `Content-Type: text/plain\n${text.map((line) => quote + line).join('\n')}\n`;
}

describe.each([
  ['PHB3', PHB3_LAYOUT as DiagLayout],
  ['PHB4', PHB4_LAYOUT as DiagLayout],
  ['P7IOC', P7IOC_LAYOUT as DiagLayout],
])('a %s dump written by the kernel', (_, layout) => {
  it('is read back with the same values, whatever loggers, mailers and terminals did to the lines', () => {
    const how = fc.record({
      prefix: fc.constantFrom(...PREFIXES),
      damage: fc.constantFrom(...Object.keys(DAMAGE)),
      quotes: fc.nat(2),
      foreign: fc.nat(FOREIGN.length - 1),
    });
    fc.assert(
      fc.property(dataFor(layout), how, fc.nat(255), (data, damage, phb) => {
        const text = mangle(formatDiagData(layout, data, phb), damage);
        const { dumps } = findDumps(cleanLines(text));
        expect(dumps).toHaveLength(1);
        expect(dumps[0]!.chip).toBe(layout.chip);
        expect(dumps[0]!.phbNumbers).toContain(phb);
        expect(dumps[0]!.problems).toEqual([]);
        checkWords(layout, data, dumps[0]!);
        checkPest(layout, data, dumps[0]!);
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});
