import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as diag from '../../src/diag/index.js';
import { LOG_FOLDER } from './support.js';

const ROOT = join(import.meta.dirname, '../..');

/** Every source file that an import of the library pulls in. */
function reachable(file: string, seen = new Map<string, string[]>()): Map<string, string[]> {
  if (seen.has(file)) return seen;
  const text = readFileSync(file, 'utf8');
  const imports = [...text.matchAll(/^(?:import|export)\s[^'"]*?from\s+'([^']+)'/gms)].map((match) => match[1]!);
  seen.set(file, imports);
  for (const path of imports) {
    if (path.startsWith('.')) reachable(join(dirname(file), path.replace(/\.js$/, '.ts')), seen);
  }
  return seen;
}

describe('phbsim/diag as a library', () => {
  const files = reachable(join(ROOT, 'src/diag/index.ts'));

  it('imports nothing but its own sources, so that a browser can load it', () => {
    expect(files.size).toBeGreaterThan(30);
    for (const [file, imports] of files) {
      for (const path of imports) expect(path, file).toMatch(/^\.\.?\//);
    }
  });

  it('uses no global that only Node has', () => {
    for (const file of files.keys()) {
      const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      expect(code, file).not.toMatch(/\b(?:process\.|Buffer\.|require\(|__dirname|setImmediate)/);
    }
  });

  it('is published under its own name', () => {
    const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      exports: Record<string, unknown>;
    };
    expect(exports['./diag']).toEqual({ types: './dist/diag/index.d.ts', default: './dist/diag/index.js' });
  });

  it('explains text and bytes alike', () => {
    const bytes = readFileSync(join(LOG_FOLDER, '111-phb4-nvme-6.15rc2-event2-ur-permanent-failure.txt'));
    const fromText = diag.explain(bytes.toString('utf8'));
    expect(diag.toJson(diag.explain(new Uint8Array(bytes)), 'x')).toBe(diag.toJson(fromText, 'x'));
    expect(fromText.events[0]!.cause.type).toBe('unsupported-request');
  });
});
