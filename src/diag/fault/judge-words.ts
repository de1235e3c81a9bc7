/** The verdict on an event of which only the kernel's words are there: PowerVM guests, and logs that were cut. */
import { type EehEvent, generationBefore, isNear, LARGEST_POWERNV_PE, type LogContext } from '../context.js';
import { formatPe } from '../decode.js';
import { decodeAer, formatRegisterBits } from '../device-words.js';
import type { Suspect } from '../events.js';
import { wordsAdvice } from './advice.js';
import type { Alternative, CauseType, Certainty, EvidenceItem, FaultCause, FaultChip, FaultEvent } from './fault.js';
import { devicesOf, evidence, recoveryOf } from './parts.js';

/** Where the kernel was when it saw ones. */
interface Finding {
  readonly access: 'config' | 'mmio' | 'unknown';
  /** The driver's function that made the access. */
  readonly by: string | undefined;
  readonly during: 'slot-reset' | 'driver-reset' | 'probe' | 'other';
}

const NOT_THE_DRIVER = /^(?:__)?eeh_|^pnv_pci_|^rtas_|^pci_(?:bus_)?(?:read|user)/;

function findingOf(trace: readonly string[]): Finding {
  const config = trace.some((name) => /(?:read|write)_config/.test(name));
  const mmio = trace.some((name) => /eeh_check_failure|eeh_read|_reg_read|readl/.test(name));
  const by = trace.find((name) => !NOT_THE_DRIVER.test(name));
  const access = config ? 'config' : mmio || trace.length > 0 ? 'mmio' : 'unknown';
  if (trace.some((name) => /slot_reset|eeh_report_reset/.test(name))) return { access, by, during: 'slot-reset' };
  if (trace.some((name) => /reset_work|reset_task|_reset_(?:ioa|alert|controller|adapter)/.test(name))) {
    return { access, by, during: 'driver-reset' };
  }
  return { access, by, during: trace.some((name) => /_probe\b|probe_/.test(name)) ? 'probe' : 'other' };
}

interface Opinion {
  readonly type: CauseType;
  readonly certainty: Certainty;
  readonly title: string;
  readonly sentence: string;
  readonly alternatives: readonly Alternative[];
}

const maybe = (type: CauseType, why: string): Alternative => ({ type, certainty: 'possible', why });
const accessText: Readonly<Record<Finding['access'], string>> = {
  config: 'a config read',
  mmio: 'an MMIO read',
  unknown: 'a read',
};

function ofSlotReset(finding: Finding, eeh: EehEvent): Opinion {
  const times =
    eeh.failures === undefined || eeh.failures < 2 ? '' : ` It is failure number ${eeh.failures} within the hour.`;
  return {
    type: finding.access === 'config' ? 'config-error' : 'mmio-error',
    certainty: 'likely',
    title: "frozen again inside the driver's own recovery",
    sentence: `${capital(accessText[finding.access])} that the driver makes inside its own slot_reset callback (${finding.by ?? 'unknown function'}) came back as ones: the PE froze again just after its reset.${times}`,
    alternatives: [
      maybe('completion-timeout', 'The adapter may not have been ready after the reset.'),
      maybe('dma-iommu-fault', 'The adapter may have restarted a DMA of before the reset.'),
    ],
  };
}

function ofDriverReset(finding: Finding, eeh: EehEvent, context: LogContext): Opinion {
  const nvme = finding.by?.startsWith('nvme') === true;
  const asked = nvme && isNear(context.subsystemResetLines, eeh);
  if (!nvme) {
    return {
      type: 'mmio-error',
      certainty: 'possible',
      title: "frozen during the driver's own reset of its adapter",
      sentence: `${capital(accessText[finding.access])} that the driver makes while it resets its adapter (${finding.by ?? 'unknown function'}) came back as ones: the PE was frozen by then.`,
      alternatives: [
        maybe('completion-timeout', 'An adapter in reset does not answer.'),
        maybe('link-loss', 'The reset may take the link down.'),
        maybe('dma-iommu-fault', 'The freeze may be older than the read that found it.'),
      ],
    };
  }
  return {
    type: 'link-loss',
    certainty: asked ? 'likely' : 'possible',
    title: 'link lost by a reset of the controller',
    sentence: `${asked ? 'An NVMe subsystem reset takes' : 'A reset of the controller took'} the link down, and the driver's own reset work, still reading registers (${finding.by ?? 'unknown function'}), found the PE frozen.`,
    alternatives: [maybe('mmio-error', 'A register read that the controller refused would look the same.')],
  };
}

/** The device's own AER registers, as the kernel dumped them before the recovery. */
function ofAer(eeh: EehEvent): Opinion | undefined {
  for (const { address, config } of eeh.devices) {
    const aer = config === undefined ? undefined : decodeAer(config.aer);
    if (aer?.cause === undefined) continue;
    return {
      type: aer.cause,
      certainty: 'likely',
      title: "error in the device's own log",
      sentence: `The AER registers of ${address} record ${aer.uncorrectable.join(', ')}.`,
      alternatives: [],
    };
  }
  return undefined;
}

const UNKNOWN_TITLE = {
  frozen: 'PE frozen, reason not in the log',
  fenced: 'bridge fenced, reason not in the log',
  dead: 'bridge dead, reason not in the log',
  informative: 'informative error, reason not in the log',
} as const;

function unknownOpinion(finding: Finding, eeh: EehEvent): Opinion {
  const what = {
    frozen: `PE ${formatPe(eeh.pe ?? 0)} was found frozen`,
    fenced: 'The bridge was found fenced',
    dead: 'The bridge was found dead',
    informative: 'The bridge reported an error that stops nothing',
  }[eeh.kind];
  const by = finding.by === undefined ? '' : ` by ${accessText[finding.access]} in ${finding.by}`;
  return {
    type: 'unknown',
    certainty: 'possible',
    title: UNKNOWN_TITLE[eeh.kind],
    sentence: `${what}${by}; the registers that name the reason are not in this log.`,
    alternatives: [],
  };
}

function opinionOf(eeh: EehEvent, context: LogContext): Opinion {
  const finding = findingOf(eeh.trace);
  const injected = context.injections.find(({ line }) => isNear([line], eeh));
  if (injected !== undefined) {
    return {
      ...unknownOpinion(finding, eeh),
      type: 'operator-injected',
      certainty: 'likely',
      title: 'injected error',
      sentence: `Somebody injected an error on purpose (line ${injected.line}) before this freeze.`,
    };
  }
  if (eeh.kind !== 'frozen') return unknownOpinion(finding, eeh);
  const fromAer = ofAer(eeh);
  if (fromAer !== undefined) return fromAer;
  if (finding.during === 'slot-reset') return ofSlotReset(finding, eeh);
  if (finding.during === 'driver-reset') return ofDriverReset(finding, eeh, context);
  return unknownOpinion(finding, eeh);
}

/** From the driver's function on: the frames above it are EEH's own in every trace. */
function traceText(trace: readonly string[]): string {
  const start = trace.findIndex((name) => !NOT_THE_DRIVER.test(name));
  return trace.slice(Math.max(0, start), Math.max(0, start) + 7).join(' < ');
}

function evidenceOf(eeh: EehEvent, context: LogContext): EvidenceItem[] {
  const items: EvidenceItem[] = [];
  if (eeh.trace.length > 0) items.push(evidence(`call trace: ${traceText(eeh.trace)}`, eeh.line));
  for (const { address, config } of eeh.devices) {
    for (const text of config === undefined ? [] : formatRegisterBits(config))
      items.push(evidence(`${address}: ${text}`));
  }
  if (eeh.deviceGone) items.push(evidence('the config space of the device read as ones: it was gone', eeh.line));
  if (eeh.permanentlyDisabled) items.push(evidence('Linux disabled the PE for good', eeh.lastLine));
  for (const { line, text } of [
    ...eeh.complaints,
    ...context.processorChecks.filter(({ line }) => isNear([line], eeh)),
  ].slice(0, 8))
    items.push(evidence(text, line));
  return items;
}

function chipOf(eeh: EehEvent, context: LogContext): FaultChip {
  if (eeh.pe !== undefined && eeh.pe > LARGEST_POWERNV_PE) return 'rtas';
  const generation = generationBefore(context, eeh.line) ?? '';
  return ({ IODA1: 'p7ioc', IODA2: 'phb3', IODA3: 'phb4' } as const)[generation as 'IODA1'] ?? 'unknown';
}

const SUSPECT: Partial<Readonly<Record<CauseType, Suspect>>> = {
  'link-loss': 'device or link',
  'mmio-error': 'driver or device',
  'config-error': 'driver or device',
  'operator-injected': 'an operator',
  'completion-timeout': 'device or link',
  'pcie-ue': 'device',
};
const SEVERITY = { frozen: 'pe-frozen', fenced: 'phb-fenced', dead: 'phb-dead', informative: 'informative' } as const;

export function judgeWords(eeh: EehEvent, context: LogContext): FaultEvent {
  const opinion = opinionOf(eeh, context);
  const chip = chipOf(eeh, context);
  const cause: FaultCause = {
    type: opinion.type,
    certainty: opinion.certainty,
    address: undefined,
    direction: opinion.type === 'mmio-error' || opinion.type === 'config-error' ? 'read' : undefined,
    requester: undefined,
  };
  return {
    chip,
    phb: eeh.phb,
    lines: { first: eeh.line, last: eeh.lastLine },
    severity: SEVERITY[eeh.kind],
    title: opinion.title,
    verdict: opinion.sentence,
    basis: "the kernel's words; there are no registers",
    suspect: SUSPECT[opinion.type] ?? 'unknown',
    location: eeh.location,
    reportedPe: eeh.pe,
    faultedPe: undefined,
    frozenPes: eeh.kind === 'frozen' && eeh.pe !== undefined ? [eeh.pe] : [],
    cause,
    alternatives: opinion.alternatives,
    evidence: evidenceOf(eeh, context),
    advice: wordsAdvice(cause, eeh, chip, context),
    devices: devicesOf(eeh, eeh.phb, undefined, context),
    recovery: recoveryOf(eeh),
    primary: undefined,
    dumps: [],
    rtas: undefined,
  };
}

function capital(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}`;
}
