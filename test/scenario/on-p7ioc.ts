/**
 * What it takes to read a scenario of a PHB3 as one of a P7IOC; and those that do not go as they say there: why, in which
 * expectation it shows first, and with what changed they do.
 */

/** Buses are handed out in aligned ranges: behind a switch the cards stand on other ones. */
const CARD_BUSES: readonly string[] = ['20', '40', '60', '80', 'a0', 'c0', 'e0'];
const FIRST_CARD_BUS = 3;

/** Names that depend on the chip: numbers of PEs, of buses behind a switch, and the title of a dump. */
export function namesOfP7ioc(text: string): string {
  return text
    .replaceAll(/\bPE#f([0-9a-f])\b/g, 'PE#7$1')
    .replaceAll(/\b(000[0-9]):0([3-9]):/g, (whole, domain: string, bus: string) => {
      const other = CARD_BUSES[Number(bus) - FIRST_CARD_BUS];
      return other === undefined ? whole : `${domain}:${other}:`;
    })
    .replaceAll('PHB3 PHB#', 'P7IOC PHB#');
}

export interface Difference {
  readonly reason: string;
  /** The first expectation of the file that is not met, and how that which is seen instead begins. */
  readonly missed: readonly [expectation: string, seen: string];
  /** An expectation that is met on the machine as it is: the trace that the cause leaves. */
  readonly trace?: string;
  /** With these lines in its machine, and these texts changed, the scenario goes as it says. */
  readonly machine?: readonly string[];
  readonly changes?: readonly (readonly [from: string, to: string])[];
}

const POWER = 'a fundamental reset turns slot power off and on, and takes seconds longer: who comes next has to wait';
const RESET_FAILS =
  'a reset that breaks the bridge goes on to its link and fails there: Linux hears of it each time, and never comes to ask for states';
const VECTOR = 'firmware loses a bit of the numbers in group vectors: ';
const HOTPLUG = 'Linux registers no hotplug slot below these bridges: the loss of a card is an error there';
const SURPRISE =
  'firmware does not mask the loss of a card: the port of the switch reports it, and freezes with the switch, ';

const CORRECTED = 'firmware: corrected';
/** The PE of the switch's ports, frozen by a message that is not fatal, from the port of slot 1. */
const PORTS_FROZEN = 'log: "PE[07c] A/B: 8720002502000000 8000000000000000"';
/** Ports that cannot tell of a lost card. */
const SILENT_PORTS = 'link-reporting: no';

/** A card finds its segments taken by those that its PE had before. */
const segments = (expectation: string): Difference => ({
  reason: 'firmware takes no DMA segment back: where all are in use, a card has none after a replug, and no driver',
  missed: [expectation, /^recovered/.test(expectation) ? 'it has no driver' : 'no driver took it'],
  trace: 'log: "No available DMA32 segments"',
  machine: [CORRECTED],
});

const resetFails = (expectation: string, changes: NonNullable<Difference['changes']>): Difference => ({
  reason: RESET_FAILS,
  missed: [expectation, 'the kernel has not said so'],
  changes,
});

const FAILED_RESET = 'EEH: Failure 0 resetting PHB#0-PE#0 (attempt 1)';
const brokenBridge = resetFails('log: "Failure -6 getting PHB#0", within: 15 s', [
  ['Failure -6 getting PHB#0', FAILED_RESET],
]);

/** The last card is struck while that of slot 5 is still in its reset. */
const afterLongReset = (by: string): Difference => ({
  reason: POWER,
  missed: [`detected: slot6.0, by: ${by}, within: 25 s`, 'too late, 251'],
  changes: [['within: 25 s', 'within: 26 s']],
});

/** By name of the scenario. */
export const NOT_ON_P7IOC: Readonly<Record<string, Difference>> = {
  'broken-bridge-after-a-config-read': brokenBridge,
  'broken-bridge-after-a-device-check': brokenBridge,
  'cards-gone-before-an-operator-looks': {
    reason: `${SURPRISE}and Linux isolates all below without a recovery`,
    missed: ['detected: slot2, by: config-read, within: 3.125 s', 'the kernel noticed nothing'],
    trace: PORTS_FROZEN,
    machine: [CORRECTED, SILENT_PORTS],
    // Firmware that finds the PE by the interrupt is faster than that of a PHB3: the operator has to be, too.
    changes: [['.10501 s', '.10499 s']],
  },
  'completer-abort-on-load': {
    reason: 'a bit of PESTA of its own tells an MMIO operation',
    missed: ['pest: slot1, a: 0x8480002b00000000', 'PESTA a480002b00000000'],
    changes: [['0x8480', '0xa480']],
  },
  'dead-bridge': {
    reason:
      'no error of a bridge ends it: all that are fatal fence it, and a reset revives it; firmware gives it up only when a reset fails',
    missed: ['dead: phb0, within: 5 ms', 'the kernel has not said so'],
    changes: [
      ['dead: phb0, within: 5 ms', 'log: "EEH: Fenced PHB#0 detected", within: 5 ms'],
      ['unplugged: slot1, within: 1 s', 'recovered: slot1, within: 20 s'],
      ['unplugged: slot3, within: 1 s', 'recovered: slot3, within: 20 s'],
      ['  - { removed: slot1 }\n', ''],
      ['no-log: "EEH: Recovering"', 'log: "EEH: Recovering PHB#0"'],
    ],
  },
  'disk-beside-a-failing-card': segments('recovered: slot1, within: 20 s'),
  'driver-says-recovered-too-early': {
    reason: 'Linux thaws MMIO before it collects its log, and the driver reads again',
    missed: ['all-ones: slot1, times: 20, within: 100 ms', '1 loads gave all ones'],
    changes: [['times: 20', 'times: 1']],
  },
  'driver-unaware-of-errors': segments('recovered: slot1, within: 20 s'),
  'driver-without-slot-reset': segments('replugged: slot1, within: 10 s'),
  'every-driver-below-a-fenced-bridge': {
    reason: POWER,
    missed: ['recovered: slot5, within: 12 s', 'too late, 12'],
    // Cards without error handlers lose their DMA segments, too.
    machine: [CORRECTED],
    changes: [
      ['within: 12 s', 'within: 14 s'],
      ['within: 25 s', 'within: 27 s'],
    ],
  },
  'every-driver-by-config-read': afterLongReset('config-read'),
  'every-driver-by-device-check': afterLongReset('device-check'),
  'every-driver-by-force': {
    reason: POWER,
    missed: ['detected: slot6.0, by: force-recover, within: 25 s', 'noticed by load'],
    changes: [
      ['24.11', '25.5'],
      ['within: 25 s', 'within: 26 s'],
    ],
  },
  'every-driver-by-interrupt': {
    reason: `${VECTOR}with each PE another freezes that nobody has, and is heard of in its place`,
    missed: ['detected: slot1, by: interrupt, within: 50 ms', 'noticed by load'],
    trace: 'log: "EEH: Clear non-existing PHB#0-PE#6b"',
    machine: [CORRECTED],
    // After the long reset of slot 5.
    changes: [
      ['24.11 s', '25.5 s'],
      ['within: 25 s', 'within: 26 s'],
    ],
  },
  'every-driver-by-load': afterLongReset('load'),
  'every-driver-without-its-card': {
    reason: `${SURPRISE}and Linux isolates all below without a recovery`,
    missed: ['detected: slot2, by: load, within: 12 s', 'the kernel noticed nothing'],
    trace: PORTS_FROZEN,
    machine: [CORRECTED, SILENT_PORTS],
  },
  'exchanged-in-a-hotplug-slot': {
    reason: HOTPLUG,
    missed: ['unplugged: slot1, within: 1 ms', 'the kernel never lost it'],
    machine: [CORRECTED, SILENT_PORTS],
    changes: [
      ['unplugged: slot1, within: 1 ms', 'detected: slot1, by: load, within: 100 ms'],
      ['log: "added (IRQ:", within: 951 ms', 'no-log: "added (IRQ:"'],
      ['replugged: slot1, within: 1.5 s', 'recovered: slot1, within: 10 s'],
      ['no-log: "EEH: Recovering"', 'log: "EEH: Recovering PHB#0-PE#7b"'],
    ],
  },
  'fatal-error-above-the-slots': {
    reason: `${VECTOR}an error above the cards freezes other PEs than theirs`,
    missed: ['freeze: slot1, cause: err-fatal, within: 10 us', 'its PE never froze'],
    trace: 'log: "EEH: Clear non-existing PHB#0-PE#6a"',
    machine: [CORRECTED],
    // Firmware that finds the PE by the interrupt is faster than that of a PHB3: the operator has to be, too.
    changes: [['130.018 ms', '130.008 ms']],
  },
  'fenced-bridges-found-by-an-operator': {
    reason: `${POWER}; and the reset of a healthy bridge does not begin with a fence`,
    missed: ['recovered: slot9, within: 12 s', 'its PE never froze'],
    // Cards without error handlers lose their DMA segments, too.
    machine: [CORRECTED],
    changes: [
      ['within: 12 s', 'within: 14 s'],
      ['recovered: slot9,', 'voted: slot9, in: slot_reset, vote: recovered,'],
      ['recovered: slot10,', 'voted: slot10, in: slot_reset, vote: recovered,'],
    ],
  },
  'forced-recovery-breaks-a-bridge': brokenBridge,
  'informative-error-only': {
    reason:
      'firmware forgets an informational error of a bridge before it could clear it: the interrupt of the hub stays up, and the next is not told',
    missed: ['informative: phb1, within: 20 ms', 'the kernel has not said so'],
    machine: [CORRECTED],
  },
  'link-bounces-in-a-hotplug-slot': {
    reason: HOTPLUG,
    missed: ['unplugged: slot1, within: 1 ms', 'the kernel never lost it'],
    machine: [CORRECTED, SILENT_PORTS],
    changes: [
      ['unplugged: slot1, within: 1 ms', 'detected: slot1, by: load, within: 100 ms'],
      ['replugged: slot1, within: 1 s', 'recovered: slot1, within: 10 s'],
      ['no-log: "EEH: Recovering"', 'log: "EEH: Recovering PHB#0-PE#7b"'],
    ],
  },
  'link-dies-and-the-card-stays': {
    reason: `${SURPRISE}whose registers the reset of the card then does not reach`,
    missed: ['reset: slot1, by: hot, within: 1 s', 'no reset reached it'],
    trace: PORTS_FROZEN,
    machine: [CORRECTED, SILENT_PORTS],
  },
  'malformed-packet-is-fatal': {
    reason: `${VECTOR}the message of the root port does not freeze the card, only what the core of the bridge finds does`,
    missed: ['freeze: slot1, cause: err-fatal, within: 2 ms', 'froze, but of utl-fatal'],
    machine: [CORRECTED],
  },
  'operator-takes-a-card-out-and-in': {
    ...segments('replugged: slot1, within: 3 s'),
    // With the right group vectors the lost card takes its neighbour along.
    machine: [CORRECTED, SILENT_PORTS],
  },
  'pulled-from-a-hotplug-slot': {
    reason: HOTPLUG,
    missed: ['log: "removed (IRQ:", within: 1 ms', 'the kernel has not said so'],
    machine: [CORRECTED, SILENT_PORTS],
    changes: [
      ['log: "removed (IRQ:", within: 1 ms', 'no-log: "removed (IRQ:"'],
      ['unplugged: slot1, within: 1 ms', 'detected: slot1, by: load, within: 100 ms'],
      ['no-log: "EEH: Recovering"', 'log: "EEH: Recovering PHB#0-PE#7b"'],
      ['no-log: "has failed 1 times"', 'log: "has failed 1 times"'],
    ],
  },
  'removed-while-it-recovers': {
    ...segments('replugged: slot1, within: 6 s'),
    missed: [
      'log-order: "EEH: Recovering PHB#0-PE#7b", "EEH: Recovery successful.", "0000:20:00.0: up, 16 receive buffers", within: 10 s',
      'after 2 of them',
    ],
  },
  'reset-that-never-ends': resetFails(
    'log: "EEH: PHB#0-PE#0: Slot inactive after reset: 0x2 (attempt 1)", within: 20 s',
    [['EEH: PHB#0-PE#0: Slot inactive after reset: 0x2 (attempt 1)', FAILED_RESET]],
  ),
  'two-bridges-fenced-at-once': segments('recovered: slot2, within: 20 s'),
};
