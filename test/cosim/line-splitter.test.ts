import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LINE_TOO_LONG, LineSplitter } from '../../src/cosim/line-splitter.js';

function linesOf(splitter: LineSplitter, chunks: readonly (string | Uint8Array)[]): (string | typeof LINE_TOO_LONG)[] {
  const lines: (string | typeof LINE_TOO_LONG)[] = [];
  for (const chunk of chunks) {
    splitter.push(Buffer.from(chunk as string, 'latin1'));
    for (let line = splitter.next(); line !== undefined; line = splitter.next()) lines.push(line);
  }
  return lines;
}

describe('lines of a stream', () => {
  it('are the same however the stream is cut', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\r', '\u00ff', ' '), maxLength: 60 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(60)), (stream, cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), stream.length];
        const chunks = places.slice(1).map((end, i) => stream.slice(places[i], end));
        const expected = stream
          .split('\n')
          .slice(0, -1)
          .map((line) => (line.length > 8 ? LINE_TOO_LONG : line.replace(/\r$/, '')));
        const splitter = new LineSplitter(8);
        expect(linesOf(splitter, chunks)).toEqual(
          stream.length - stream.lastIndexOf('\n') - 1 > 8 ? [...expected, LINE_TOO_LONG] : expected,
        );
        expect(splitter.isMidLine).toBe(stream !== '' && !stream.endsWith('\n'));
      }),
      { seed: 4, numRuns: 1000 },
    );
  });

  it('that are too long are given up at once and skipped to their end', () => {
    const splitter = new LineSplitter(4);
    expect(linesOf(splitter, ['abc', 'de'])).toEqual([LINE_TOO_LONG]);
    expect(linesOf(splitter, ['f'.repeat(1000), 'ghi'])).toEqual([]);
    expect(linesOf(splitter, ['j\nok\n'])).toEqual(['ok']);
  });

  it('do not hold on to the chunk that an unfinished one came in', () => {
    const splitter = new LineSplitter(100);
    const chunk = Buffer.from('first\nrest');
    splitter.push(chunk);
    expect([splitter.next(), splitter.next()]).toEqual(['first', undefined]);
    chunk.fill(0x78);
    splitter.push(Buffer.from('\n'));
    expect(splitter.next()).toBe('rest');
  });

  it('must be taken before more is pushed', () => {
    const splitter = new LineSplitter(100);
    splitter.push(Buffer.from('a\nb\n'));
    splitter.next();
    expect(() => splitter.push(Buffer.from('c'))).toThrow('has not been read to its end');
  });
});
