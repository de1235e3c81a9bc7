/** What a judge may look at, and what it finds. */
import type { AnySystem } from '../machine/system.js';
import type { TimeNs } from '../sim/time.js';
import type { Observer } from './observer.js';
import type { Traffic } from './traffic.js';

export interface Evidence {
  readonly system: AnySystem;
  readonly observer: Observer;
  readonly traffic: Traffic;
  /** When the drivers were up. */
  readonly startNs: TimeNs;
}

export interface Finding {
  readonly state: 'met' | 'not-met' | 'open';
  /** When it was met, if that is a moment. */
  readonly timeNs?: TimeNs;
  /** What was seen, in words. */
  readonly because: string;
}

export const open = (because: string): Finding => ({ state: 'open', because });
export const metAt = (timeNs: TimeNs, because: string): Finding => ({ state: 'met', timeNs, because });
