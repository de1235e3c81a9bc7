/** A scenario: a machine, the faults that strike it, and what is expected of hardware and software. */
import type { PlannedFault } from '../faults/engine.js';
import type { ErrorEventName } from '../ioda2/error-bits/events.js';
import type { TimingProfile } from '../machine/timing-profile.js';
import type { SlotOptions } from '../machine/topology.js';
import type { LinkError } from '../pcie/link-error.js';
import type { TimeNs } from '../sim/time.js';

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly seed: string;
  readonly slots: ReadonlyMap<number, SlotOptions>;
  readonly maxFreezes: number | undefined;
  readonly timing?: TimingProfile;
  /** Times count from the moment when the drivers are up. */
  readonly faults: readonly PlannedFault[];
  readonly expect: readonly Expectation[];
  /** The run goes on this long after everything is decided: to see what comes after. */
  readonly settleNs: TimeNs;
  /** The run ends here at the latest. */
  readonly untilNs: TimeNs | undefined;
}

interface Common {
  /** As written in the file. */
  readonly text: string;
  /** After the first fault. */
  readonly withinNs?: TimeNs;
}

/** `pe`: name of the slot or switch whose PE is meant. */
export type Expectation = Common &
  (
    | {
        readonly kind: 'freeze';
        readonly pe: string;
        readonly causes?: readonly ErrorEventName[];
        readonly times: number;
      }
    | { readonly kind: 'pest'; readonly pe: string; readonly a?: bigint; readonly b?: bigint }
    | { readonly kind: 'untouched' | 'recovered' | 'failed' | 'left-frozen' | 'stalled'; readonly slot: string }
    | { readonly kind: 'link'; readonly slot: string; readonly width?: number; readonly speed?: number }
    | { readonly kind: 'link-error'; readonly slot: string; readonly error: LinkError; readonly times: number }
    | { readonly kind: 'answered'; readonly slot: string; readonly status: 'SC' | 'CA' | 'UR' | 'timeout' }
    | { readonly kind: 'log' | 'no-log'; readonly pattern: string | RegExp }
    | { readonly kind: 'fenced' | 'not-fenced'; readonly phb: number }
  );

export type ExpectationKind = Expectation['kind'];

/** How often a fault may strike, and what is counted with it. */
export const MOST_TIMES = 1000;
export const DEFAULT_SETTLE_NS: TimeNs = 200e6;
/** Expectations without a time of their own are waited for this long. */
export const DEFAULT_WITHIN_NS: TimeNs = 30e9;
