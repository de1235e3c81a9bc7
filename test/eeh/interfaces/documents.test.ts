import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FILE_GROUPS } from '../../../src/eeh/interfaces/groups.js';
import { User } from './user.js';

const TEXT = readFileSync(join(import.meta.dirname, '../../../docs/kernel-files.md'), 'utf8');

function rowOf(name: string, { mode, shows, takes }: (typeof FILE_GROUPS)[number]['files'][string]): string {
  const cell = (text: string | undefined): string => (text ?? '—').replaceAll('|', '\\|');
  return `| \`${name}\` | ${mode.toString(8).padStart(4, '0')} | ${cell(shows)} | ${cell(takes)} |`;
}

describe('docs/kernel-files.md', () => {
  it.each(FILE_GROUPS.map(({ folder, files }) => ({ folder, files })))('lists $folder as declared', (group) => {
    const section = TEXT.split(`### \`${group.folder}\`\n`)[1]?.split('\n#')[0] ?? '';
    const rows = section.split('\n').filter((line) => line.startsWith('| `'));
    expect(rows).toEqual(Object.entries(group.files).map(([name, file]) => rowOf(name, file)));
  });

  it('has no folder that is not declared', () => {
    const folders = [...TEXT.matchAll(/^### `(.*)`$/gm)].map((match) => match[1]);
    expect(folders).toEqual(FILE_GROUPS.map(({ folder }) => folder));
  });
});

describe('a declared file', () => {
  it('can be read and written as its mode says, and stands in the tree', () => {
    const { files } = new User();
    const places: Readonly<Record<string, string>> = {
      'DDDD:BB:DD.F': '0000:01:00.0',
      PCIdddd: 'PCI0000',
    };
    for (const { folder, files: declared } of FILE_GROUPS) {
      const last = folder.split('/').at(-1)!;
      for (const [name, { mode, shows, takes }] of Object.entries(declared)) {
        if (shows !== undefined) expect(mode & 0o444, name).toBeGreaterThan(0);
        expect((mode & 0o222) !== 0, name).toBe(takes !== undefined);
        if (last === '<driver>') continue;
        expect(files.mode(`${folder.replace(last, places[last] ?? last)}/${name}`), name).toBe(mode);
      }
    }
  });
});
