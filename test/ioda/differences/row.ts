/** What a row of the guide is made of, and how both bridges are asked the same thing through their doors. */
import { expect } from 'vitest';
import * as p7ioc from '../../ioda1/rig.js';
import * as phb3 from '../../ioda2/rig.js';

export { p7ioc, phb3 };

/** One difference: `measure` asks both chips and words what it found, as the two cells of the guide have it. */
export interface Row {
  readonly topic: string;
  readonly measure: () => readonly [ioda1: string, ioda2: string];
}

export const row = (topic: string, measure: Row['measure']): Row => ({ topic, measure });

/** The words of a cell if the chip does so; another answer fails here and not in the document. */
export function words(text: string, ...does: readonly (readonly [seen: unknown, wanted: unknown])[]): string {
  for (const [seen, wanted] of does) expect(seen, text).toEqual(wanted);
  return text;
}

export type AnyRig = p7ioc.Rig | phb3.Rig;

/** PEs that freeze with what `act` does; thawed and forgotten afterwards. */
export function freezes(rig: AnyRig, act: () => void): number[] {
  act();
  const pes = rig.frozenPes();
  for (const pe of pes) rig.thaw(pe);
  rig.clearErrors();
  return pes;
}

/** The PE that a requester is charged to, found by a DMA that no window allows. */
export function chargedPe(rig: AnyRig, rid: number): number | undefined {
  const pes = freezes(rig, () => rig.dmaWrite(2n << 60n, [1], rid));
  return pes.length === 1 ? pes[0] : undefined;
}

/** How many entries a walk with auto-increment takes until it is back where it began. */
export function entriesOf(rig: {
  select(table: never, index: number, increment: 'increment'): void;
  read(name: 'PHB_IODA_ADDR' | 'PHB_IODA_DATA0'): bigint;
}): (table: string) => number {
  return (table) => {
    rig.select(table as never, 0, 'increment');
    let steps = 0;
    do {
      rig.read('PHB_IODA_DATA0');
      steps++;
    } while ((rig.read('PHB_IODA_ADDR') & 0xffffn) !== 0n);
    return steps;
  };
}

/** LEM bits that are set. */
export function lemBits(rig: AnyRig): number[] {
  const fir = rig.read('PHB_LEM_FIR_ACCUM');
  return Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => ((fir >> BigInt(63 - bit)) & 1n) === 1n);
}
