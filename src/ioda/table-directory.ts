/** Tables behind IODA_ADDR as data, as far as the bridges declare them alike. Facts: ioda2-phb3 4, ioda1-p7ioc 4.2. */
import { declareTable, type TableDeclaration } from '../hw/table.js';

/** Declares tables with a selector and a length but no public layout: they read zero and keep nothing (M). */
export function opaqueFrom(source: string) {
  return (name: string, selector: number, entries: number, about: string): TableDeclaration =>
    declareTable({
      ...{ name, selector, entries, entryBits: 64, fields: {}, writable: 0n },
      ...{ about: `${about}; layout unknown.`, source, known: 'assumed' },
    });
}

export interface TableDirectory<N extends string> {
  readonly names: readonly N[];
  /** The table a selector of IODA_ADDR means; undefined for a reserved one. */
  bySelector(selector: number): N | undefined;
}

export function directoryOf<N extends string>(tables: Readonly<Record<N, TableDeclaration>>): TableDirectory<N> {
  const names = Object.keys(tables) as N[];
  const bySelector = new Map(names.map((name) => [tables[name].selector, name]));
  return { names, bySelector: (selector) => bySelector.get(selector) };
}
