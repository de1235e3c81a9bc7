/** A driver of the network card as plain data: what it is like, and where it strays from that. Scenarios are written in this. */
import type { TimeNs } from '../../sim/time.js';
import { firstTimes, hang, load, loadWithDecodingOff, staleRing } from './deeds.js';
import type { NicFlavour } from './nic-driver.js';
import type { CallbackName, CallbackScript, Deed, DriverScript } from './scripted-driver.js';
import type { ErsVote } from './votes.js';

/** Ways for a driver to freeze its PE again. `mmio`: a load while the card does not decode; `dma`: a ring without mapping. */
export const BREAKAGES = ['mmio', 'dma'] as const;
export type Breakage = (typeof BREAKAGES)[number];

export interface DriverPlan {
  /** What it does where nothing else is said; default `recovering`. */
  readonly like?: NicFlavour;
  /** Answers instead of its own; `missing`: there is no such callback. */
  readonly votes?: Readonly<Partial<Record<CallbackName, ErsVote | 'missing'>>>;
  readonly reset?: 'any' | 'fundamental';
  /** `forNs`: default for ever. */
  readonly hangs?: { readonly in: CallbackName; readonly forNs?: TimeNs };
  /** `times`: how many recoveries it spoils, default 1. */
  readonly breaksAgain?: { readonly in: CallbackName; readonly by: Breakage; readonly times?: number };
  /** Loads from its card in a callback. */
  readonly loads?: { readonly in: CallbackName; readonly count: number };
}

const BREAKAGE_DEEDS: Readonly<Record<Breakage, () => Deed>> = { mmio: loadWithDecodingOff, dma: staleRing };

export function scriptOf(plan: DriverPlan): DriverScript {
  const parts: Partial<Record<CallbackName, CallbackScript>> = {};
  const { votes = {}, hangs, breaksAgain, loads } = plan;
  for (const [callback, vote] of Object.entries(votes) as [CallbackName, ErsVote | 'missing'][]) {
    parts[callback] = { vote };
  }
  const add = (callback: CallbackName, when: 'before' | 'after', deed: Deed): void => {
    const part = parts[callback] ?? {};
    parts[callback] = { ...part, [when]: [...(part[when] ?? []), deed] };
  };
  if (loads !== undefined) add(loads.in, 'before', load(loads.count));
  if (hangs !== undefined) add(hangs.in, 'before', hang(hangs.forNs));
  // Afterwards: a driver that has just set its card up again spoils it.
  if (breaksAgain !== undefined) {
    add(breaksAgain.in, 'after', firstTimes(breaksAgain.times ?? 1, BREAKAGE_DEEDS[breaksAgain.by]()));
  }
  return { ...parts, ...(plan.reset === undefined ? {} : { resetWish: plan.reset }) };
}
