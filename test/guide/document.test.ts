/** The examples of the guides are files of this folder, which run as tests: what the guides print is what runs. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const GUIDES = new URL('../../docs/guide/', import.meta.url);
const EXAMPLES = new URL('./', import.meta.url);

function examplesOf(guide: string): { file: string; text: string }[] {
  const text = readFileSync(new URL(guide, GUIDES), 'utf8');
  return [...text.matchAll(/^`test\/guide\/([\w.-]+)`:\n\n```ts\n(.*?)```$/gms)].map(([, file, code]) => ({
    file: file!,
    text: code!,
  }));
}

describe('the guide test-your-driver.md', () => {
  const examples = examplesOf('test-your-driver.md');

  it('shows each example as it runs', () => {
    for (const { file, text } of examples) expect(text, file).toBe(readFileSync(new URL(file, EXAMPLES), 'utf8'));
  });

  it('shows every example there is', () => {
    const there = readdirSync(EXAMPLES).filter((file) => file !== 'document.test.ts');
    expect(examples.map(({ file }) => file).sort()).toEqual(there.sort());
  });
});
