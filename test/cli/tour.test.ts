import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Streams } from '../../src/cli/host-streams.js';
import { runTour } from '../../src/cli/tour.js';

function tour(readFile: Streams['readFile']): { status: number; out: string; err: string } {
  const text = { out: '', err: '' };
  const status = runTour({
    readFile,
    writeFile: () => {},
    out: (line) => {
      text.out += `${line}\n`;
    },
    err: (line) => {
      text.err += `${line}\n`;
    },
    interactive: false,
  });
  return { status, ...text };
}

describe('the tour', () => {
  it('does the main job on the shipped inputs, and all of it goes as it should', () => {
    const { status, out, err } = tour((path) => readFileSync(path));
    expect(err).toBe('');
    expect(status).toBe(0);
    expect(out).toContain('1,814 compared: 1,724 equal, 90 explained, 0 unexplained');
    expect(out).toContain('5 of 5 expectations met');
    expect(out).toContain('Only noticed PE 1fb');
    expect(out).toContain('All three did what they should.');
  });

  it('says so when a part of it fails', () => {
    const { status, out, err } = tour(() => {
      throw Object.assign(new Error('gone'), { code: 'ENOENT' });
    });
    expect(status).toBe(2);
    expect(err).toContain('no such file');
    expect(out).toContain('Something is not as it should be (exit status 2)');
  });
});
