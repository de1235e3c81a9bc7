// The cases of the guide and of the README are what the command prints.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { explainLog } from '../../src/diag/explain.js';
import { formatReport } from '../../src/diag/report.js';

const ROOT = join(import.meta.dirname, '../..');
const BLOCK = /```text\n\$ npx phbsim explain (scenarios\/logs\/\S+)\n([\s\S]*?)\n```/g;

describe.each(['docs/guide/explain.md', 'README.md'])('%s', (document) => {
  const text = readFileSync(join(ROOT, document), 'utf8');
  const blocks = [...text.matchAll(BLOCK)].map(([, log, shown]) => [log!, shown!] as const);

  it('shows at least one case', () => {
    expect(blocks.length).toBeGreaterThan(0);
  });

  it.each(blocks)('shows what the command says about %s', (log, shown) => {
    const report = formatReport(explainLog(readFileSync(join(ROOT, log), 'utf8')), log);
    const parts = shown.split(/^ *\[\.\.\.\]\n?/m).map((part) => part.replace(/\n$/, ''));
    let at = 0;
    for (const part of parts) {
      const found = report.indexOf(part, at);
      expect(found, part).toBeGreaterThanOrEqual(0);
      at = found + part.length;
    }
  });
});
