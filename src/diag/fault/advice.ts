/** What to try next, each with its reason. Facts: phb4-diag 5.1; what maintainers answered in public threads. */
import type { LinkTrace } from '../context/link-trace.js';
import { type EehEvent, isNear, type LogContext } from '../context.js';
import { hasBypass, readDmaAddress } from '../dma-address.js';
import { EVENTS } from '../events.js';
import type { ExplainedDump } from '../interpret.js';
import { formatRid } from '../pest.js';
import type { AdviceItem, CauseType, FaultCause, FaultChip, Severity } from './fault.js';

export interface AdviceInput {
  readonly cause: FaultCause;
  readonly explained: ExplainedDump;
  readonly eeh: EehEvent | undefined;
  readonly context: LogContext;
  readonly severity: Severity;
  readonly linkLoss: boolean;
}

const advice = (text: string, why: string): AdviceItem => ({ text, why });

const DMA_TYPES: readonly CauseType[] = ['dma-iommu-fault', 'dma-permission'];
const SILENT_TYPES: readonly CauseType[] = [
  'unsupported-request',
  'completion-timeout',
  'completer-abort',
  'link-loss',
];

function dmaAdvice({ cause, context, explained: { dump } }: AdviceInput): AdviceItem[] {
  if (!DMA_TYPES.includes(cause.type)) return [];
  const found: AdviceItem[] = [];
  if (cause.address !== undefined) {
    const reading = readDmaAddress(cause.address, dump.chip);
    if (reading.advice !== undefined) found.push(advice(reading.advice, reading.text));
  } else if (hasBypass(dump.chip) && context.bypassDisabledLine === undefined) {
    found.push(
      advice(
        'Boot once with iommu=nobypass (or without it, where it is set) and see whether the fault changes.',
        'The faulting address was not recorded, so nothing else tells a wrong DMA mask from a mapping mistake.',
      ),
    );
  }
  if (context.bypassDisabledLine !== undefined) {
    found.push(
      advice(
        'Boot without iommu=nobypass to get the machine going, and report the driver.',
        `The kernel runs without the bypass (line ${context.bypassDisabledLine}): every DMA is translated, so a mapping mistake shows that bypass would hide.`,
      ),
    );
  }
  const direction = cause.direction === undefined ? 'access' : cause.direction;
  found.push(
    advice(
      'Try an older or newer driver; look at its DMA mappings: unmapped too early or twice, longer than mapped, a mask set after the mapping.',
      `The bridge refused a DMA ${direction} to a page that was not mapped for it: a device only uses addresses its driver gave it.`,
    ),
  );
  return found;
}

function linkAdvice({ cause, explained }: AdviceInput): AdviceItem[] {
  const noisy = explained.notes.some((note) => note.startsWith('A bad link is a likely reason'));
  const link = explained.reading?.evidence.link;
  const down = link?.active === false;
  const retrained = explained.reading?.evidence.findings.some(({ signal }) => signal === 'link-retrain') === true;
  if (cause.type === 'completion-timeout' && retrained && link?.active === true) {
    return [
      advice(
        `Compare gen${link.generation} x${link.width} with what card and slot can do; reseat the card if it is less.`,
        'The link retrained just before the request was lost.',
      ),
    ];
  }
  if (!SILENT_TYPES.includes(cause.type) || (!noisy && !down)) return [];
  const why = down
    ? 'The link is down in the dump.'
    : 'The link counted receiver errors before the device fell silent.';
  return [advice('Reseat the card, then try another slot, riser or cable.', why)];
}

function silentAdvice({ cause, explained, eeh }: AdviceInput): AdviceItem[] {
  if (cause.type !== 'unsupported-request' && cause.type !== 'completion-timeout') return [];
  const rid = explained.reading?.culprit?.entry.requesterId ?? 0;
  const target = eeh?.devices[0]?.address.slice(5);
  if (rid !== 0 && target !== undefined && formatRid(rid) !== target) {
    return [
      advice(
        `Look below ${formatRid(rid)}: is the link of that port up, is ${target} powered and out of reset?`,
        'A bridge above the device answered for it, so the device itself was out of reach.',
      ),
    ];
  }
  if (eeh?.stage === 'recovery') return [];
  return [
    advice(
      'Check that the device is there and awake: power, reset, D3, memory decode, BARs as the kernel set them.',
      'The request reached the link and nobody served it.',
    ),
  ];
}

function generalAdvice({ explained, linkLoss }: AdviceInput): AdviceItem[] {
  if (explained.event === 'dump-cut') {
    return [
      advice(
        'Capture the lines after the header: dmesg, or journalctl -k for earlier boots.',
        'They hold the registers that name the cause.',
      ),
    ];
  }
  if (linkLoss) {
    return [
      advice(
        'Get the whole of /sys/firmware/opal/msglog and the kernel log of the same time.',
        'The dump stops before the LEM and the traps, which say what came first.',
      ),
      advice(
        'See what the device did just before: load, firmware, power, cable.',
        'Something took the link down while it was in use.',
      ),
    ];
  }
  const { title, advice: texts } = EVENTS[explained.event];
  return texts.map((text) =>
    advice(
      text,
      `That is what the bits say: ${title}${explained.decidedBy === undefined ? '' : ` (${explained.decidedBy})`}.`,
    ),
  );
}

function outcomeAdvice(eeh: EehEvent | undefined): AdviceItem[] {
  if (eeh?.outcome === 'recovered' && eeh.complaints.length > 0) {
    return [
      advice(
        'Do not trust "Recovery successful": check the device with lspci and its driver log.',
        `${eeh.complaints[0]!.text} (line ${eeh.complaints[0]!.line}).`,
      ),
    ];
  }
  if (eeh?.outcome !== 'not-recovered') return [];
  return [
    advice(
      'Remove the device and rescan its bus, or power-cycle the slot; a reboot if that fails.',
      'Linux has given the PE up and will not try again by itself.',
    ),
  ];
}

export function adviceFor(input: AdviceInput): AdviceItem[] {
  const own = [...dmaAdvice(input), ...silentAdvice(input), ...linkAdvice(input)];
  const general = own.length === 0 ? generalAdvice(input) : [];
  return [...own, ...general, ...outcomeAdvice(input.eeh)];
}

export function wordsAdvice(cause: FaultCause, eeh: EehEvent, chip: FaultChip, context: LogContext): AdviceItem[] {
  const found: AdviceItem[] = [];
  if (cause.type === 'mmio-error' && eeh.trace.some((name) => /slot_reset/.test(name))) {
    found.push(
      advice(
        'Update the driver; its slot_reset should wait until the adapter is ready before it reads registers.',
        'The freeze comes back at the first read inside that callback.',
      ),
    );
  }
  if (cause.type === 'link-loss') {
    found.push(
      advice(
        'Do not reset the subsystem of a drive in use; update the driver to one that leaves the recovery to EEH.',
        'The reset takes the link down, and the reset work that finds the freeze answers EEH with "disconnect".',
      ),
    );
  }
  if (chip === 'rtas') {
    found.push(
      advice(
        'Ask for the platform log of the same time on the management console (HMC).',
        'This is a PowerVM guest: the hypervisor keeps the registers of the bridge, so this log never holds a dump.',
      ),
    );
  } else if (eeh.stage !== 'recovery' && eeh.lastLine >= context.lineCount - 2) {
    found.push(
      advice(
        'Capture the next lines too, and /sys/firmware/opal/msglog.',
        'The log ends before the kernel printed the registers.',
      ),
    );
  } else {
    found.push(
      advice(
        'Capture dmesg (or journalctl -k -b -1) from the first EEH line to the end of the dump, and /sys/firmware/opal/msglog.',
        'The registers that name the reason are not in this log.',
      ),
    );
  }
  if (isNear(context.capiLines, eeh)) {
    found.push(
      advice(
        'Look at the accelerator card and its driver (cxl, ocxl) just before.',
        'In CAPI mode every freeze of the card becomes a fence.',
      ),
    );
  }
  return [...found, ...outcomeAdvice(eeh)];
}

export function traceAdvice(trace: LinkTrace): AdviceItem[] {
  if (trace.trainedInReset) {
    return [
      advice(
        'Update the system firmware (skiboot): newer ones keep the link disabled while PERST is asserted.',
        'The card starts training inside its reset, so it is not ready when the first read comes.',
      ),
      advice('Ask for newer firmware of the card.', 'A card must not train while PERST is asserted.'),
    ];
  }
  return [
    advice(
      'Reseat the card; compare the speed and width it reached with what slot and card can do.',
      'The link did not stay up after its reset.',
    ),
  ];
}
