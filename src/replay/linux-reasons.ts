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

function reason(id: string, text: string, { at, side, texts }: Pattern): LinuxReason {
  return {
    id,
    text,
    explains: (difference) =>
      (at === undefined || at.includes(difference.code)) &&
      (side === undefined || side === difference.side) &&
      texts.some((pattern) => pattern.test(difference.text)),
  };
}

export const LINUX_REASONS: readonly LinuxReason[] = [
  reason('no-io', 'Interrupts that a device raised while data moved: the models of the drivers move none.', {
    side: 'recorded',
    texts: [/^PCI_MSI_EOI\(/],
  }),
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
  reason('really-frozen', 'Our chip freezes the PE when it is told to, so recovery finds it frozen and thaws it.', {
    at: ['L20', 'L22', 'L24', 'L30'],
    side: 'ours',
    texts: [/^PCI_EEH_FREEZE_(SET|CLEAR|STATUS)\(/, /^PCI_GET_PHB_DIAG_DATA2\(/],
  }),
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
  reason('port-status', 'Status of the root port: ours shows its link and card, and errors it saw while it scanned.', {
    at: ['L10', 'L11', 'L30', 'F07', 'F08', 'F09'],
    texts: [/^RootSts: /, /^EEH: Bridge secondary status: /, /^EEH: PCI-E 10: /, /^EEH: PCI-E AER [01]0: /],
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
