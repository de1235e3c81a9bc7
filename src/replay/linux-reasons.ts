/** Why our Linux differs from the recorded one where it does. A reason that no difference needs has no business here. */
import { BOOT } from './linux-recording.js';
import type { Side } from './sequence-diff.js';

export interface Difference {
  readonly code: string;
  readonly what: 'call' | 'line';
  readonly side: Side;
  readonly text: string;
}

export interface LinuxReason {
  readonly id: string;
  readonly text: string;
  explains(difference: Difference): boolean;
}

interface Pattern {
  /** Marks it may occur at; all if left out. */
  readonly at?: readonly string[];
  readonly side?: Side;
  readonly texts: readonly RegExp[];
}

function reason(id: string, text: string, ...patterns: readonly Pattern[]): LinuxReason {
  return { id, text, explains: (difference) => patterns.some((pattern) => fits(pattern, difference)) };
}

function fits({ at, side, texts }: Pattern, difference: Difference): boolean {
  return (
    (at === undefined || at.includes(difference.code)) &&
    (side === undefined || side === difference.side) &&
    texts.some((pattern) => pattern.test(difference.text))
  );
}

/** Marks with an interrupt of a queue of the disk; before L02 no driver is bound, and after L30 there is no disk. */
const DISK_MOVES = ['L02', 'L03', 'L04', 'L20', 'L21', 'L25', 'L30', 'F08'];
/** Marks with an interrupt of the network card: receive, transmit, link. It gets packets whatever the kernel does. */
const NETWORK_MOVES = [
  ...['L02', 'L06', 'L07', 'L12', 'L14', 'L15', 'L16', 'L19', 'L20', 'L22', 'L23', 'L24', 'L25'],
  ...['F07', 'F08', 'F09', 'F10', 'L99'],
];

/** The PE that is recovered by force, by mark. */
const FORCED = { L20: '0, fd', L22: '1, fd', L24: '2, fd', L30: '0, fe' } as const;

/** What a thaw takes of a PE that recovery finds frozen: seen, frozen whole, evidence taken, thawed by halves. */
function thawOf(pe: string): RegExp[] {
  const [phb] = pe.split(',');
  return [
    new RegExp(`^PCI_EEH_FREEZE_SET\\(${pe}, 3\\)`),
    new RegExp(`^PCI_GET_PHB_DIAG_DATA2\\(${phb}, 1128\\)`),
    new RegExp(`^PCI_EEH_FREEZE_CLEAR\\(${pe}, [12]\\)`),
    new RegExp(`^PCI_EEH_FREEZE_STATUS\\(${pe}\\)`),
  ];
}

export const LINUX_REASONS: readonly LinuxReason[] = [
  reason(
    'no-io',
    'Interrupts that a device raised while data moved: the models of the drivers move none.',
    { at: DISK_MOVES, side: 'recorded', texts: [/^PCI_MSI_EOI\(0, [01]\)/] },
    { at: NETWORK_MOVES, side: 'recorded', texts: [/^PCI_MSI_EOI\(1, [012]\)/] },
  ),
  reason('other-interrupts', 'The recorded machine has six interrupts more, of its service processor interface.', {
    at: [BOOT],
    side: 'recorded',
    texts: [/^[SG]ET_XIVE\(/],
  }),
  reason('link-retrains', 'Our link really trains anew, so the kernel looks once more whether it has finished.', {
    at: [BOOT, 'L29'],
    side: 'ours',
    texts: [/^PCI_CONFIG_READ_HALF_WORD\((\?|[01], 0, 5a)\)/, /^PCI_EEH_FREEZE_STATUS\(\?\)/],
  }),
  reason(
    'really-frozen',
    'Our chip freezes the PE when it is told to, so recovery finds it frozen and thaws it.',
    ...Object.entries(FORCED).map(([code, pe]): Pattern => ({ at: [code], side: 'ours', texts: thawOf(pe) })),
  ),
  reason('card-reset', 'The reset of the bridge resets our card; the emulated one keeps its command register.', {
    at: ['F08', 'F09'],
    texts: [
      /^PCI_CONFIG_WRITE_(HALF_)?WORD\([01], 100, 4, (100|10)?[015]0[0-6]\)$/,
      /^e1000e 0001:01:00\.0: enabling device/,
    ],
  }),
  reason(
    'storage',
    'The emulated chip stores what is written to its error registers; firmware clears them with ones.',
    {
      at: ['L10', 'L11'],
      side: 'recorded',
      texts: [/^(UtlSts|PhbErr|OutErr|InAErr|InBErr): /],
    },
  ),
  reason(
    'port-status',
    'Status of the root port: ours shows its link and card, and errors it saw while it scanned.',
    {
      at: ['L10', 'L11', 'F07', 'F08', 'F09'],
      texts: [/^RootSts: +0000000f (004001c0 2|004801c0 1)0110000 00100107 00000000$/],
    },
    {
      at: ['L30'],
      texts: [
        /^EEH: Bridge secondary status: [02]000$/,
        /^EEH: PCI-E 10: (20110000 0002007b 004001c0 00000007|10110000 0002007b 004801c0 00000017) ?$/,
      ],
    },
  ),
  reason('port-errors', 'Our root port keeps the mask of errors that firmware writes; the emulated one keeps none.', {
    at: ['L30'],
    texts: [
      /^EEH: PCI-E AER 00: 00020001 00000000 (00000000|0008d020) 00072030 ?$/,
      /^EEH: PCI-E AER 10: 00000000 00002000 000003e0 00000000 ?$/,
      /^EEH: PCI-E AER 10: 00000000 00002000 000001e0 00000000 ?$/,
    ],
  }),
  reason(
    'write-once',
    'First errors are latched by the hardware alone: bits that an operator sets leave no trace there.',
    {
      at: ['F07', 'F09'],
      texts: [/^Lem: /],
    },
  ),
  reason('interrupt-number', 'The number the kernel gave the event interrupt depends on the rest of the machine.', {
    at: ['L19'],
    texts: [/^Unbalanced enable for IRQ \d+$/],
  }),
];
