/** What an operator does while a scenario runs: to the kernel through its files, and to the cards by hand. */
import type { TimeNs } from '../sim/time.js';

/** Whom an action is for; `nobody`: the kernel as a whole. */
export type ActionTarget = 'slot' | 'pe' | 'nobody';

export interface ActionDeclaration {
  readonly about: string;
  readonly on: ActionTarget;
  /** Keys beside time and target. */
  readonly keys?: readonly string[];
}

export const ACTIONS = {
  remove: { on: 'slot', about: 'Removes the device in software, by the file `remove` in its folder of sysfs.' },
  rescan: { on: 'nobody', about: 'Has the kernel look for devices on every bus, by the file `/sys/bus/pci/rescan`.' },
  unplug: { on: 'slot', about: 'Pulls the card, without a word to the kernel.' },
  plug: { on: 'slot', about: 'Puts a card that was pulled, or lost, back into its slot.' },
  check: { on: 'slot', about: 'Runs the check that a load of all ones would, by the debugfs file `eeh_dev_check`.' },
  break: {
    on: 'slot',
    about: 'Breaks the device by a load while it does not decode, by the debugfs file `eeh_dev_break`.',
  },
  'force-recover': {
    on: 'pe',
    about: 'Recovers the PE, healthy or not, by the debugfs file `eeh_force_recover`.',
  },
  hwcheck: { on: 'nobody', about: 'Asks firmware for errors as its interrupt would: `hwcheck` in the same file.' },
  read: {
    on: 'nobody',
    keys: ['file'],
    about: "Reads one of the kernel's files, such as the configuration space of a device in sysfs.",
  },
  write: {
    on: 'nobody',
    keys: ['file', 'value'],
    about: "Writes a value to one of the kernel's files, in sysfs or debugfs.",
  },
  thaw: {
    on: 'slot',
    about: 'Thaws the PE by hand, by the file `eeh_pe_state` of sysfs: no reset, and nobody is told.',
  },
} as const satisfies Record<string, ActionDeclaration>;

export type ActionKind = keyof typeof ACTIONS;
export const ACTION_KINDS = Object.keys(ACTIONS) as readonly ActionKind[];

export interface PlannedAction {
  readonly kind: ActionKind;
  /** A slot, a switch, a bridge or a PHB. */
  readonly target?: string;
  readonly atNs: TimeNs;
  /** Of `read` and `write`: the path; and what is written there. */
  readonly file?: string;
  readonly value?: string;
}
