import type { TraceKind } from '../../src/sim/trace.js';
import type { Rig } from './rig.js';

/** Values of the records of one kind that `act` leaves. */
export function records(rig: Rig, kind: TraceKind, act: () => void): number[][] {
  const seen: number[][] = [];
  const end = rig.machine.sim.trace.subscribe(({ values }) => seen.push([...values]), [kind]);
  act();
  end();
  return seen;
}
