// What mailers, log daemons and people do to a log: the verdict stays, or is less sure; it never is wrong and sure.
import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explainLog } from '../../src/diag/explain.js';
import type { Certainty, FaultEvent } from '../../src/diag/fault/fault.js';
import { toJson } from '../../src/diag/json.js';
import { formatReport } from '../../src/diag/report.js';
import { LOG_FOLDER, readLog } from './support.js';

const NAMES = readdirSync(LOG_FOLDER).sort();
const MUTATIONS = Number(process.env['EXPLAIN_MUTATIONS'] ?? 200);
const RANK: Readonly<Record<Certainty, number>> = { certain: 0, likely: 1, possible: 2 };

/** Deterministic numbers, so that a failure can be repeated. */
function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
type Numbers = ReturnType<typeof numbers>;
type Mutation = (lines: readonly string[], pick: Numbers) => string[];

function wrapLine(line: string, width: number): string[] {
  const parts: string[] = [];
  let rest = line;
  while (rest.length > width) {
    const at = rest.lastIndexOf(' ', width);
    if (at <= 0) break;
    parts.push(rest.slice(0, at));
    rest = rest.slice(at + 1);
  }
  return [...parts, rest];
}

const bare = (line: string): string => line.replace(/^\[ *\d+\.\d+(?:,\d)?\] /, '');
const PREFIXES: readonly ((i: number) => string)[] = [
  (i) => `[${(1000 + i / 1000).toFixed(6).padStart(12)}] `,
  () => '<6>',
  (i) => `<4>[${(i / 100).toFixed(6).padStart(12)}] `,
  (i) => `Dec 20 21:11:${String(i % 60).padStart(2, '0')} host kernel: `,
  (i) => `2024-02-09T10:11:12+0000 host kernel: [${(i / 7).toFixed(6).padStart(12)}] `,
  () => '[Mon Jan 22 11:23:31 2018] ',
  () => '\t',
];

const NOISE = [
  'systemd[1]: Started Session 12 of user root.',
  'usb 1-1: new high-speed USB device number 3 using xhci_hcd',
  'audit: type=1400 audit(1650000000.123:45): apparmor="STATUS"',
  '[  OK  ] Reached target Network.',
];

const MUTATE: Readonly<Record<string, Mutation>> = {
  wrapped: (lines, pick) => {
    const width = 60 + pick(60);
    return lines.flatMap((line) => wrapLine(line, width));
  },
  quoted: (lines, pick) => lines.map((line) => `${['> ', '>> ', '> > ', '| '][pick(4)]}${line}`),
  prefixed: (lines, pick) => {
    const prefix = PREFIXES[pick(PREFIXES.length)]!;
    return lines.map((line, i) => prefix(i) + bare(line));
  },
  padded: (lines, pick) => lines.map((line) => line.padEnd(80 + pick(100))),
  cut: (lines, pick) => {
    const [from, to] = [pick(lines.length), pick(lines.length)].sort((a, b) => a - b) as [number, number];
    return pick(2) === 0 ? lines.slice(from) : lines.slice(0, Math.max(1, to));
  },
  cutInsideLine: (lines, pick) => {
    const last = pick(lines.length);
    return [...lines.slice(0, last), lines[last]!.slice(0, pick(lines[last]!.length + 1))];
  },
  linesLost: (lines, pick) => lines.filter(() => pick(12) !== 0),
  interleaved: (lines, pick) => lines.flatMap((line) => (pick(4) === 0 ? [NOISE[pick(NOISE.length)]!, line] : [line])),
  cutByAnother: (lines, pick) =>
    lines.flatMap((line) => {
      if (pick(8) !== 0) return [line];
      const at = pick(line.length + 1);
      return [`${line.slice(0, at)}${NOISE[pick(NOISE.length)]}`, line.slice(at)];
    }),
  glued: (lines, pick) => lines.flatMap((line) => (pick(6) === 0 ? [`${NOISE[pick(NOISE.length)]}${line}`] : [line])),
  shuffled: (lines, pick) => {
    const width = 2 + pick(10);
    const result = [...lines];
    for (let i = result.length - 1; i > 0; i--) {
      const other = Math.max(0, i - pick(width));
      [result[i], result[other]] = [result[other]!, result[i]!];
    }
    return result;
  },
  quotedPrintable: (lines) =>
    lines.flatMap((line) => {
      const whole = line.replaceAll('=', '=3D');
      return whole.length <= 75
        ? [whole]
        : (whole.match(/.{1,75}/g) ?? []).map((part, i, all) => (i < all.length - 1 ? `${part}=` : part));
    }),
  carriageReturns: (lines) => lines.map((line) => `${line}\r`),
  coloured: (lines) => lines.map((line) => `\u001b[33m${line}\u001b[0m`),
  html: (lines) => lines.map((line) => line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')),
};

function mutate(text: string, seed: number): { text: string; names: string[] } {
  const pick = numbers(seed * 2654435761);
  const kinds = Object.keys(MUTATE);
  const names = Array.from({ length: 1 + pick(3) }, () => kinds[pick(kinds.length)]!);
  let lines = text.split('\n');
  for (const name of names) lines = MUTATE[name]!(lines, pick);
  return { text: lines.join('\n'), names };
}

const sureTypes = (events: readonly FaultEvent[]): string[] =>
  events.filter(({ cause }) => cause.certainty === 'certain').map(({ cause }) => cause.type);

describe.each(NAMES)('%s', (name) => {
  const text = readLog(name);
  const { events } = explainLog(text);
  const best = events.map(({ cause }) => cause).sort((a, b) => RANK[a.certainty] - RANK[b.certainty])[0];

  it(`${MUTATIONS} mutations leave no wrong verdict that is called certain`, { timeout: 120_000 }, () => {
    for (let seed = 1; seed <= MUTATIONS; seed++) {
      const mutated = mutate(text, seed);
      const found = explainLog(mutated.text).events;
      const where = `seed ${seed}: ${mutated.names.join(', ')}`;
      for (const type of sureTypes(found))
        expect(
          events.map(({ cause }) => cause.type),
          where,
        ).toContain(type);
      for (const event of found) {
        if (event.cause.certainty !== 'certain') continue;
        const original = events.find(({ cause }) => cause.type === event.cause.type)!;
        expect([event.faultedPe, event.severity], where).toEqual([original.faultedPe, original.severity]);
        expect(original.cause.certainty, where).toBe('certain');
      }
    }
  });

  const HARMLESS = [
    'wrapped',
    'quoted',
    'prefixed',
    'padded',
    'interleaved',
    'carriageReturns',
    'coloured',
    'html',
    'quotedPrintable',
  ];
  it.each(HARMLESS)('%s, it gets the same verdict', (kind) => {
    for (let seed = 1; seed <= 20; seed++) {
      const pick = numbers(seed * 40503);
      const found = explainLog(MUTATE[kind]!(text.split('\n'), pick).join('\n')).events;
      const types = found.map(({ cause }) => cause.type);
      if (best === undefined) expect(types, `seed ${seed}`).toEqual([]);
      else expect(types, `seed ${seed}`).toContain(best.type);
    }
  });
});

describe('anything at all', () => {
  const runs = Number(process.env['EXPLAIN_FUZZ'] ?? 400);
  const snippets = [
    'PHB4 PHB#48 Diag-data (Version: 1)',
    'PHB3 PHB#2 Diag-data (Version: 1)',
    'P7IOC diag-data for BI Upbound',
    'PE[1fa] A/B: 8300b03800000000 8000000000000000',
    'PE[..1fb] A/B: as above',
    'Lem:        0000000100000080 0000000000000000 0000000000000080',
    'RxeTceErr:  2000000000000000 2000000000000000 c0000000000001fa 0000000000000000',
    'EEH: Frozen PHB#30-PE#1fb detected',
    'EEH: Recovering PHB#30-PE#1fb',
    'RTAS: 1 -------- RTAS event begin --------',
    'RTAS 0: 064400e0 000002c0 ae008e00 00000000',
    'PHB#0002[0:2]:                  lemFir = 0000000000000080',
    'ffffffffffffffff',
    '  brdgCtl:              00000002',
    'EEH: dead PHB#5 detected, location: N/A',
    'EEH: Fenced PHB#5 detected, location: N/A',
    'EEH: PHB#5 informative error detected, location: N/A',
    'EEH: of node=0030:0d:00.0',
    'EEH: PCI-E AER 00: 14820001 00004000 00400000 00462030',
    'PHB 3 diagnostic data:',
    '  PE[  5] PESTA        = 0x8200a03a00000000',
    '          PESTB        = 0x8000000000001000',
    '  GEM: 0000000000000001 0000000000000000 0000000000000000 0000000000000000 0000000000000001',
    ' PHB#0001[0:1]: TRACE:0x0000154883000000 33ms trained  GEN3:x08:L0',
    ' PHB#0001[0:1]: LINK: Went down waiting for stabilty',
    'pci 0030:0d     : [PE# 1fa] Setting up window#0 0..7fffffff pg=10000',
    'nvme 0020:0e:00.0 pci_enable_device() blocked, no PE assigned.',
    'PHB3 PHB#2 Diag-data (Version: 1',
    'RootSts:     0000000f 00400000 b0830008 00100147 00002000',
    'RootErrLog:  04000001 0000000f 01000010 00000000',
    'PE[0ff] A/B: ffffffffffffffff ffffffffffffffff',
    'nFir:        0000800000000000 0030006e00000000 0000800000000000',
  ];
  const line = fc.oneof(
    fc.string({ maxLength: 60, unit: 'binary' }),
    fc.constantFrom(...snippets),
    fc.tuple(fc.constantFrom(...snippets), fc.nat(80)).map(([text, at]) => text.slice(0, at)),
  );

  it(`${runs} texts are explained without a throw`, { timeout: 3_600_000 }, () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const explanation = explainLog(lines.join('\n'));
        expect(formatReport(explanation, 'log').length).toBeGreaterThan(0);
        expect(toJson(explanation, 'log').length).toBeGreaterThan(0);
      }),
      { seed: 6, numRuns: runs },
    );
  });
});

/** Two machines (or two consoles of one) that write into the same file. */
function interleave(a: readonly string[], b: readonly string[], pick: Numbers): string[] {
  const result: string[] = [];
  const [left, right] = [[...a], [...b]];
  while (left.length + right.length > 0) {
    const from = left.length === 0 || (right.length > 0 && pick(2) === 0) ? right : left;
    result.push(...from.splice(0, 1 + pick(3)));
  }
  return result;
}

it('two logs with their lines in turns give no wrong verdict that is called certain', { timeout: 60_000 }, () => {
  const logs = NAMES.filter((name) => explainLog(readLog(name)).events.length > 0);
  for (const [i, first] of logs.entries()) {
    for (const second of logs.slice(i + 1)) {
      const texts = [readLog(first), readLog(second)];
      const known = texts.flatMap((text) => sureTypes(explainLog(text).events));
      const both = interleave(texts[0]!.split('\n'), texts[1]!.split('\n'), numbers(i + 1));
      const { events } = explainLog(both.join('\n'));
      for (const type of sureTypes(events)) expect(known, `${first} with ${second}`).toContain(type);
    }
  }
});
