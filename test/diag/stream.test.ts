import { describe, expect, it } from 'vitest';
import { explainLog, LogStream } from '../../src/diag/explain.js';
import { toJson } from '../../src/diag/json.js';
import { readLog } from './support.js';

const NVME = readLog('110-phb4-nvme-6.15rc2-event1-pe1fa-1fb.txt');
const WRAPPED = readLog('103-phb4-aacraid-nobypass-5.4.8.txt');
const encode = (text: string) => new TextEncoder().encode(text);

/** More lines than are read whole, none of them about a bridge. */
function quietLines(count: number): string {
  return Array.from(
    { length: count },
    (_, i) =>
      `Dec 20 21:11:${String(i % 60).padStart(2, '0')} host daemon[${i}]: PERIODIC Report, Result Load 0.1 Error rate 0`,
  ).join('\n');
}

function inPieces(text: string, size: number): string {
  const bytes = encode(text);
  const stream = new LogStream();
  for (let at = 0; at < bytes.length; at += size) stream.push(bytes.subarray(at, at + size));
  return toJson(stream.finish(), 'log');
}

describe('a log that comes in pieces', () => {
  it.each([1, 7, 64, 1000, 100_000])('of %i bytes is explained as one text', (size) => {
    expect(inPieces(NVME, size)).toBe(toJson(explainLog(NVME), 'log'));
  });

  it('may end without a line end', () => {
    const text = NVME.trimEnd();
    expect(inPieces(text, 50)).toBe(toJson(explainLog(text), 'log'));
  });
});

describe('a large log', () => {
  const before = `${quietLines(70_000)}\n`;
  const between = `\n${quietLines(3_000)}\n`;
  const text = `${before}${NVME}${between}${WRAPPED}${between}`;

  it('is explained like its parts, with the line numbers of the whole', () => {
    const bytes = encode(text);
    expect(bytes.length).toBeGreaterThan(5_000_000);
    const stream = new LogStream();
    for (let at = 0; at < bytes.length; at += 65_536) stream.push(bytes.subarray(at, at + 65_536));
    const { events, lineCount } = stream.finish();
    const whole = explainLog(text);
    expect(lineCount).toBe(whole.lineCount);
    expect(events.map(({ lines, verdict }) => [lines, verdict])).toEqual(
      whole.events.map(({ lines, verdict }) => [lines, verdict]),
    );
    expect(events.map(({ lines }) => lines.first)).toEqual([70_002, 70_000 + 84 + 3_000 + 4]);
  });

  it('whose dump has no header and no EEH line is found too', () => {
    const dump = WRAPPED.split('\n').filter((line) => /RootSts|PhbSts|Lem:|Err:|PE\[|^[0-9a-f]{16}$/.test(line));
    const stream = new LogStream();
    stream.push(encode(`${before}${dump.join('\n')}\n${between}`));
    const [event] = stream.finish().events;
    expect(event!.cause).toMatchObject({ type: 'dma-iommu-fault', direction: 'read' });
  });

  it('of one endless line costs no memory and hurts nobody', () => {
    const stream = new LogStream();
    const piece = encode('x'.repeat(1_000_000));
    for (let i = 0; i < 20; i++) stream.push(piece);
    stream.push(encode(`\n${NVME}`));
    expect(stream.finish().events).toHaveLength(1);
  });

  it('with more events than a report holds is read up to there, and its lines are counted', () => {
    const block = encode(`${WRAPPED}\n`);
    const lines = WRAPPED.split('\n').length;
    const stream = new LogStream();
    for (let i = 0; i < 700; i++) stream.push(block);
    const { events, lineCount, stoppedAt } = stream.finish();
    expect(events).toHaveLength(500);
    expect(lineCount).toBe(700 * lines);
    expect(stoppedAt).toBeGreaterThan(499 * lines);
    expect(explainLog(`${WRAPPED}\n`.repeat(600)).stoppedAt).toBe(stoppedAt);
  });
});
