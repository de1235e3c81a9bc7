/** docs/qemu-differences.md, made from the rules and from how often each was met. */
import { type DifferenceRule, REASONS, type Reason } from './differences/rule.js';
import { RULES } from './differences/rules.js';

export interface SetCount {
  readonly name: string;
  readonly about: string;
  readonly sequences: number;
  readonly answers: number;
}

const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

export function qemuDifferences(counts: readonly SetCount[], met: ReadonlyMap<DifferenceRule, number>): string {
  const reasons = (Object.keys(REASONS) as Reason[]).filter((reason) => RULES.some((rule) => rule.reason === reason));
  const of = (reason: Reason): readonly DifferenceRule[] => RULES.filter((rule) => rule.reason === reason);
  const answers = (rules: readonly DifferenceRule[]): number =>
    rules.reduce((sum, rule) => sum + (met.get(rule) ?? 0), 0);
  const all = counts.reduce((sum, count) => sum + count.answers, 0);
  return `# Differences to QEMU's PHB3

QEMU 7.2 models the PHB3 of a \`powernv8\` machine well enough for firmware and Linux to run: on-chip tables, windows,
translation and interrupts work, error handling does not exist. It is a peer to compare with, not a judge.
\`test/peers/qemu\` sends the same accesses to both and compares every answer. A difference that no row below explains
fails the test, and so does a row that nothing meets any more. This page is made from the rows
(\`test/peers/qemu/differences\`); \`PHBSIM_WRITE_DOCS=1 npx vitest run test/peers/qemu\` writes it anew. Where QEMU is not
installed, answers that it gave before are compared; those of the last set were measured by other means and are compared
everywhere.

## What is compared

${table(
  ['set', 'what', 'sequences', 'answers'],
  counts.map(({ name, about, sequences, answers: count }) => [name, about, sequences, count]),
)}

Of these ${all} answers ${answers(RULES)} differ. Besides, 2,000 sequences drawn from seeds mix all of this.

## Reasons

${table(
  ['reason', 'rows', 'answers that differ'],
  reasons.map((reason) => [REASONS[reason], of(reason).length, answers(of(reason))]),
)}

${reasons.map((reason) => chapter(reason, of(reason))).join('\n\n')}
`;
}

function chapter(reason: Reason, rules: readonly DifferenceRule[]): string {
  const rows = rules.map(({ id, where, qemu, ours, why, source }) => [`\`${id}\``, where, qemu, ours, why, source]);
  return `## ${REASONS[reason]}\n\n${table(['rule', 'where', 'QEMU', 'phbsim', 'why', 'source'], rows)}`;
}
