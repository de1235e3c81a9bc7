import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answers, describeStep } from './backend.js';
import { compare, compareServed, describeDifference, type Verdict } from './compare.js';
import type { DifferenceRule } from './differences/rule.js';
import { RULES } from './differences/rules.js';
import { qemuDifferences, type SetCount } from './document.js';
import { ServedMachine } from './own-machine.js';
import { Peer, type Question } from './peer.js';
import { type RandomSequence, randomSequence, withMoves } from './random-sequences.js';
import { SETS } from './sequences/all.js';
import { MEASURED_STATE } from './sequences/measured-state.js';
import { MEASURED_TRAFFIC } from './sequences/measured-traffic.js';

const DOCUMENT = new URL('../../../docs/qemu-differences.md', import.meta.url);
const LIVE_SEEDS = 2000;
/** As many have recorded answers. */
const RECORDED_SEEDS = 250;
const MEASURED_SEQUENCES = [...MEASURED_STATE, ...MEASURED_TRAFFIC];
const MOST_SHOWN = 20;
const PATIENCE_MS = 600_000;

const peer = new Peer();
const systematic = new Map<DifferenceRule, number>();
const drawn = new Map<DifferenceRule, number>();
const counts: SetCount[] = [];

function gather(into: Map<DifferenceRule, number>, { explained }: Verdict): void {
  for (const [rule, count] of explained) into.set(rule, (into.get(rule) ?? 0) + count);
}

async function verdictOn({ set, sequence }: Question, answers: Answers): Promise<Verdict> {
  const recorded = peer.recordedBeside(set, sequence);
  if (recorded !== undefined) expect(answers, `recorded answers to ${sequence.name}`).toEqual(recorded);
  return compare(sequence, answers, RULES);
}

/** The fewest moves that still show an unexplained difference. */
async function shrunk(
  sequence: RandomSequence,
  verdict: Verdict,
): Promise<{ sequence: RandomSequence; verdict: Verdict }> {
  let smallest = { sequence, verdict };
  for (let at = sequence.moves.length - 1; at >= 0; at--) {
    const moves = smallest.sequence.moves.filter((_, index) => index !== at);
    const candidate = withMoves(sequence, moves);
    const answers = await peer.answersTo(undefined, candidate, sequence.processor);
    const found = await compare(candidate, answers, RULES);
    if (found.unexplained.length > 0) smallest = { sequence: candidate, verdict: found };
  }
  return smallest;
}

async function report(sequence: RandomSequence, verdict: Verdict): Promise<string> {
  const least = peer.isLive ? await shrunk(sequence, verdict) : { sequence, verdict };
  const differences = least.verdict.unexplained.map(describeDifference);
  return [`seed ${sequence.seed}:`, ...differences, 'moves:', ...least.sequence.moves.flat().map(describeStep)].join(
    '\n',
  );
}

describe('QEMU and this machine answer alike but for the differences listed', () => {
  beforeAll(() => {
    if (!peer.isLive)
      console.warn('qemu-system-ppc64 is not installed: comparing with recorded answers, live sequences are skipped');
  });
  afterAll(() => peer.close());

  it(
    'over the socket as in the process',
    async () => {
      const set = SETS.find(({ name }) => name === 'tables')!;
      for (const sequence of set.sequences.filter(({ name }) => name.endsWith('bits'))) {
        const own = await ServedMachine.start();
        const answers = await peer.answersTo(set.name, sequence, set.processor);
        const verdict = await compareServed(sequence, answers, { own, rules: RULES });
        await own.close();
        expect(verdict.unexplained.map(describeDifference)).toEqual([]);
        expect(verdict.explained).toEqual((await compare(sequence, answers, RULES)).explained);
      }
    },
    PATIENCE_MS,
  );

  it.each(SETS.map((set) => [`${set.name}: ${set.about}`, set] as const))(
    '%s',
    async (_, set) => {
      let answers = 0;
      const unexplained: string[] = [];
      const questions = set.sequences.map((sequence) => ({ set: set.name, sequence, processor: set.processor }));
      for await (const [question, given] of peer.answersToEach(questions)) {
        const verdict = await verdictOn(question, given);
        gather(systematic, verdict);
        answers += verdict.compared;
        unexplained.push(...verdict.unexplained.map(describeDifference));
      }
      counts.push({ name: set.name, about: set.about, sequences: set.sequences.length, answers });
      expect(unexplained.slice(0, MOST_SHOWN)).toEqual([]);
      expect(await peer.drift()).toEqual([]);
    },
    PATIENCE_MS,
  );

  it('measured: what QEMU answered elsewhere, also of cards that are not asked here', async () => {
    let answers = 0;
    const unexplained: string[] = [];
    for (const sequence of MEASURED_SEQUENCES) {
      const verdict = await compare(sequence, sequence.given, RULES);
      gather(systematic, verdict);
      answers += verdict.compared;
      unexplained.push(...verdict.unexplained.map(describeDifference));
    }
    const about = 'answers measured by other means: all of the above, and configuration spaces of nvme and e1000e';
    counts.push({ name: 'measured', about, sequences: MEASURED_SEQUENCES.length, answers });
    expect(unexplained.slice(0, MOST_SHOWN)).toEqual([]);
  });

  it(
    `${LIVE_SEEDS} sequences drawn from seeds`,
    async () => {
      const last = peer.isLive ? LIVE_SEEDS : RECORDED_SEEDS;
      const questions = Array.from({ length: last }, (_, index) => randomSequence(index + 1))
        // Those that need a running processor in a row, after the systematic ones that do.
        .sort((a, b) => a.processor.localeCompare(b.processor) || a.seed - b.seed)
        .map((sequence) => ({
          ...{ sequence, processor: sequence.processor, seed: sequence.seed },
          set: sequence.seed <= RECORDED_SEEDS ? 'random' : undefined,
        }));
      for await (const [question, answers] of peer.answersToEach(questions)) {
        const verdict = await verdictOn(question, answers);
        gather(drawn, verdict);
        if (verdict.unexplained.length > 0) expect.fail(await report(question.sequence, verdict));
      }
      expect(await peer.drift()).toEqual([]);
      // Drawn, not only systematic sequences must get to the differences.
      expect(drawn.size).toBeGreaterThan(20);
    },
    PATIENCE_MS,
  );

  it('every rule is met by some systematic sequence', () => {
    expect(RULES.filter((rule) => !systematic.has(rule)).map(({ id }) => id)).toEqual([]);
  });

  it('docs/qemu-differences.md lists the rules and how often they are met', () => {
    const text = qemuDifferences(counts, systematic);
    if (process.env.PHBSIM_WRITE_DOCS !== undefined) writeFileSync(DOCUMENT, text);
    expect(readFileSync(DOCUMENT, 'utf8')).toBe(text);
  });
});
