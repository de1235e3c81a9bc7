import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/** The folders of src from the bottom up: a file imports from its own folder or from one before it. docs/architecture.md draws it. */
const LAYERS = [
  'sim',
  'hw',
  'pcie',
  'tce',
  'ioda',
  'ioda1',
  'ioda2',
  'faults',
  'diag',
  'opal',
  'eeh',
  'vfio',
  'rtas',
  'guest',
  'machine',
  'replay',
  'scenario',
  'cosim',
  'cli',
];

const SRC = resolve(dirname(fileURLToPath(import.meta.url)), '../../src');

function sourceFiles(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) return sourceFiles(path);
      return path.endsWith('.ts') ? [path] : [];
    });
}

function importsOf(file: string): string[] {
  return ts
    .preProcessFile(readFileSync(file, 'utf8'), true, true)
    .importedFiles.map((imported) => imported.fileName)
    .filter((name) => name.startsWith('.'))
    .map((name) => resolve(dirname(file), name).replace(/\.js$/, '.ts'));
}

const layerOf = (file: string): string => relative(SRC, file).split(sep)[0] ?? '';

function upwardImports(files: string[]): string[] {
  return files.flatMap((file) => {
    const own = LAYERS.indexOf(layerOf(file));
    return importsOf(file)
      .filter((target) => LAYERS.indexOf(layerOf(target)) > own)
      .map((target) => `${relative(SRC, file)} imports ${relative(SRC, target)}`);
  });
}

/** The first import cycle found, as a path of files that ends where it began. */
function importCycle(files: string[]): string[] | undefined {
  const finished = new Set<string>();
  const onPath: string[] = [];
  const visit = (file: string): string[] | undefined => {
    const start = onPath.indexOf(file);
    if (start >= 0) return [...onPath.slice(start), file].map((path) => relative(SRC, path));
    if (finished.has(file)) return undefined;
    onPath.push(file);
    for (const target of importsOf(file)) {
      const cycle = visit(target);
      if (cycle) return cycle;
    }
    onPath.pop();
    finished.add(file);
    return undefined;
  };
  for (const file of files) {
    const cycle = visit(file);
    if (cycle) return cycle;
  }
  return undefined;
}

describe('imports of src', () => {
  const files = sourceFiles(SRC).filter((file) => layerOf(file) !== 'index.ts');

  it('finds the sources it judges', () => {
    expect(files.length).toBeGreaterThan(20);
    expect(files.some((file) => importsOf(file).length > 0)).toBe(true);
  });

  it('knows the layer of every folder', () => {
    const unknown = files.map(layerOf).filter((layer) => !LAYERS.includes(layer));
    expect([...new Set(unknown)]).toEqual([]);
  });

  it('go only from upper folders to lower ones', () => {
    expect(upwardImports(files)).toEqual([]);
  });

  it('form no cycle', () => {
    expect(importCycle(files)).toBeUndefined();
  });

  it('name files that exist', () => {
    const missing = files.flatMap((file) => importsOf(file).filter((target) => !files.includes(target)));
    expect(missing).toEqual([]);
  });
});
