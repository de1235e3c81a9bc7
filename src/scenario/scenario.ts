/** A scenario: a machine, the faults that strike it, and what is expected of hardware and software. */
import type { CallbackName } from '../eeh/drivers/scripted-driver.js';
import type { ErsVote } from '../eeh/drivers/votes.js';
import type { PlannedFault } from '../faults/engine.js';
import type { ErrorEventName } from '../machine/chip.js';
import type { ChipName } from '../machine/chips.js';
import type { BootOptions } from '../machine/system.js';
import type { TimingProfile } from '../machine/timing-profile.js';
import type { PortFeatures, SlotOptions } from '../machine/topology.js';
import type { LinkError } from '../pcie/link-error.js';
import type { TimeNs } from '../sim/time.js';
import type { PlannedAction } from './action.js';
import type { Detection } from './log-evidence.js';
import type { ResetKind } from './observer.js';

/** `skiboot`: with the slips of the real one; `corrected`: without them. */
export const FIRMWARES = ['skiboot', 'corrected'] as const;

/** What the scenario is about, as far as it is not time. */
export interface ScenarioMachine {
  /** Default PHB3. */
  readonly chip?: ChipName;
  readonly slots: ReadonlyMap<number, SlotOptions>;
  readonly maxFreezes?: number;
  readonly firmware?: (typeof FIRMWARES)[number];
  readonly kernel?: BootOptions;
  readonly ports?: PortFeatures;
}

export interface Scenario extends ScenarioMachine {
  readonly name: string;
  readonly about: string;
  readonly seed: string;
  readonly timing?: TimingProfile;
  /** Times count from the moment when the drivers are up. */
  readonly faults: readonly PlannedFault[];
  /** What an operator does meanwhile; times as with faults. */
  readonly actions: readonly PlannedAction[];
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
    | { readonly kind: StateOfSlot; readonly slot: string }
    | { readonly kind: FateOfSlot; readonly slot: string }
    /** Of a slot, or of a PHB as a whole. */
    | { readonly kind: 'failed' | 'still-recovering'; readonly pe: string }
    | { readonly kind: 'detected'; readonly pe: string; readonly by: Detection; readonly times: number }
    | { readonly kind: 'voted'; readonly slot: string; readonly callback: CallbackName; readonly vote: ErsVote }
    | { readonly kind: 'reset'; readonly slot: string; readonly by: ResetKind }
    | { readonly kind: 'all-ones'; readonly slot: string; readonly times: number }
    | { readonly kind: 'log-order'; readonly patterns: readonly (string | RegExp)[] }
    | { readonly kind: 'link'; readonly slot: string; readonly width?: number; readonly speed?: number }
    | { readonly kind: 'link-error'; readonly slot: string; readonly error: LinkError; readonly times: number }
    | { readonly kind: 'answered'; readonly slot: string; readonly status: 'SC' | 'CA' | 'UR' | 'timeout' }
    | { readonly kind: 'log' | 'no-log'; readonly pattern: string | RegExp }
    | { readonly kind: 'fenced' | 'not-fenced'; readonly phb: number }
    | { readonly kind: 'dead' | 'informative'; readonly phb: number }
  );

/** Those that need to be told nothing but the slot: how it stands with the card, and what the kernel did to it. */
export type StateOfSlot = 'untouched' | 'recovered' | 'left-frozen' | 'stalled';
export type FateOfSlot = 'unplugged' | 'replugged' | 'removed' | 'no-reset';

export type ExpectationKind = Expectation['kind'];

/** How often a fault may strike, and what is counted with it. */
export const MOST_TIMES = 1000;
export const DEFAULT_SETTLE_NS: TimeNs = 200e6;
/** Expectations without a time of their own are waited for this long. */
export const DEFAULT_WITHIN_NS: TimeNs = 30e9;
