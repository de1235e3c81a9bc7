/** The guide on IODA1 and IODA2: its rows are what both chips answer, cell by cell. PHBSIM_WRITE_DOCS=1 writes its tables anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DMA_ROWS } from './dma-rows.js';
import { ERROR_ROWS } from './error-rows.js';
import { INTERRUPT_ROWS } from './interrupt-rows.js';
import { MMIO_ROWS } from './mmio-rows.js';
import { PE_ROWS } from './pe-rows.js';

const GUIDE = new URL('../../../docs/guide/ioda1-and-ioda2.md', import.meta.url);
const ROWS = [...PE_ROWS, ...MMIO_ROWS, ...DMA_ROWS, ...INTERRUPT_ROWS, ...ERROR_ROWS];
const LINE = /^\| \*\*(.+?)\*\* \| (.*) \| (.*) \|$/;

const lineOf = (topic: string, cells: readonly string[]): string => `| **${topic}** | ${cells.join(' | ')} |`;

function rewritten(text: string): string {
  const lines = text.split('\n').map((line) => {
    const topic = LINE.exec(line)?.[1];
    const row = ROWS.find((each) => each.topic === topic);
    return row === undefined ? line : lineOf(row.topic, row.measure());
  });
  return lines.join('\n');
}

if (process.env['PHBSIM_WRITE_DOCS'] !== undefined) writeFileSync(GUIDE, rewritten(readFileSync(GUIDE, 'utf8')));

const said = readFileSync(GUIDE, 'utf8')
  .split('\n')
  .flatMap((line) => {
    const match = LINE.exec(line);
    return match ? [{ topic: match[1]!, cells: [match[2]!, match[3]!] }] : [];
  });

describe('P7IOC and PHB3 differ as the guide says', () => {
  it.each(ROWS)('$topic', ({ topic, measure }) => {
    const [ioda1, ioda2] = measure();
    expect(ioda1).not.toBe(ioda2);
    expect(said.find((each) => each.topic === topic)?.cells).toEqual([ioda1, ioda2]);
  });

  it('in these points and no others', () => {
    expect(said.map(({ topic }) => topic).sort()).toEqual(ROWS.map(({ topic }) => topic).sort());
  });
});
