/** The combinations of outcome, way of noticing and driver that cannot be, each with its reason. All others must be shown. */
import type { Detection } from '../../src/scenario/log-evidence.js';
import type { Cell, OutcomeName } from './coverage.js';

export const DRIVERS = ['recovering', 'can-recover', 'unaware', 'none', 'scripted'] as const;
type Driver = (typeof DRIVERS)[number];

interface Impossible {
  readonly outcome: OutcomeName;
  /** Absent: however it is noticed. */
  readonly by?: readonly Detection[];
  readonly drivers: readonly Driver[];
  readonly because: string;
}

/** Who is scripted goes the way of the driver that it is like, or of one of those: what is asked for is what only it can do. */
const AS_THE_OTHERS = 'a script leads to it through votes that one of the others has, too';

const IMPOSSIBLE: readonly Impossible[] = [
  {
    outcome: 'recovered without reset',
    drivers: ['recovering'],
    because: 'it votes for a reset, and that vote wins over all others',
  },
  {
    outcome: 'recovered without reset',
    drivers: ['unaware'],
    because:
      'it has no vote, and without one the device is unplugged and reset; a slot has one driver for all its functions, so none votes for it',
  },
  {
    outcome: 'recovered after a hot reset',
    drivers: ['can-recover'],
    because: 'it votes to be let in again, and nobody in its slot votes for more',
  },
  {
    outcome: 'recovered after a hot reset',
    drivers: ['unaware', 'none'],
    because: 'who cannot be told of a reset is unplugged before it',
  },
  {
    outcome: 'recovered after a fundamental reset',
    drivers: ['recovering', 'can-recover'],
    because: 'a driver has to ask for it when it is bound, and these do not; one that does is scripted',
  },
  {
    outcome: 'recovered after a fundamental reset',
    drivers: ['unaware', 'none'],
    because:
      'who cannot be told of a reset is unplugged before it, and what an absent driver once asked for is not looked at',
  },
  {
    outcome: 'recovered by unplug, reset and replug',
    drivers: ['recovering', 'can-recover'],
    because:
      'both have error_detected and slot_reset, and who has them stays in place; one that lacks them is scripted',
  },
  {
    outcome: 'bridge dead',
    drivers: ['scripted'],
    because: 'no driver is listened to',
  },
  {
    outcome: 'left frozen',
    drivers: ['recovering', 'can-recover'],
    because: 'it takes a driver that claims to have recovered before anything was done; one that does is scripted',
  },
  {
    outcome: 'left frozen',
    drivers: ['unaware'],
    because: 'it has no vote, and a slot has one driver for all its functions, so none votes for it',
  },
  {
    outcome: 'recovery without end',
    drivers: ['recovering', 'can-recover', 'unaware', 'none'],
    because: 'it takes a callback that does not return; one that has it is scripted',
  },
  {
    outcome: 'information only',
    by: ['load', 'config-read', 'device-check', 'force-recover'],
    drivers: DRIVERS,
    because:
      'nothing is frozen, so no check finds anything, and a recovery by force does not ask: only firmware tells of it',
  },
  { outcome: 'information only', by: ['interrupt'], drivers: ['scripted'], because: 'no driver is asked' },
  ...(
    [
      'recovered without reset',
      'recovered after a hot reset',
      'recovered by unplug, reset and replug',
      'fenced bridge reset as a whole',
      'link gone',
      'failed for good',
    ] as const
  ).map((outcome) => ({ outcome, drivers: ['scripted' as const], because: AS_THE_OTHERS })),
];

/** Why there is no such cell; undefined where there has to be one. */
export function whyNot({ outcome, by, driver }: Cell): string | undefined {
  return IMPOSSIBLE.find(
    (each) =>
      each.outcome === outcome && (each.by?.includes(by) ?? true) && each.drivers.some((kind) => kind === driver),
  )?.because;
}

export function tableOfImpossible(): string[] {
  const rows = IMPOSSIBLE.map(
    ({ outcome, by, drivers, because }) =>
      `| ${outcome} | ${by?.join(', ') ?? 'any'} | ${drivers === DRIVERS ? 'any' : drivers.join(', ')} | ${because} |`,
  );
  return ['| outcome | noticed by | driver | why not |', '|---|---|---|---|', ...rows];
}
