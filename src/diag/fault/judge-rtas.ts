/** The verdict on an RTAS event record: PowerVM tells that EEH failed, never why. Facts: vfio-eeh-rtas 5.8.2, 5.9. */
import { hex64 } from '../../hw/bits.js';
import { EEH_REFERENCE_CODES, type RtasRecord } from '../context/rtas-record.js';
import type { EehInterpretation } from '../context/rtas-sections.js';
import { formatPe } from '../decode.js';
import { formatRid } from '../pest.js';
import type { CauseType, EvidenceItem, FaultCause, FaultEvent } from './fault.js';
import { evidence } from './parts.js';

function evidenceOf(record: RtasRecord): EvidenceItem[] {
  const { version, severity, disposition, type, effect, outlook, subsystem, machine, interpretation } = record;
  const { referenceCode, callouts, problems, line } = record;
  const fixed = [
    version === undefined ? undefined : `version ${version}`,
    severity === undefined ? undefined : `severity "${severity}"`,
    disposition === undefined ? undefined : `disposition "${disposition}"`,
    type,
    effect,
    outlook,
    subsystem === undefined ? undefined : `subsystem "${subsystem}"`,
  ].filter((part) => part !== undefined);
  return [
    evidence(`RTAS event ${record.id}: ${fixed.join(', ')}`, line),
    ...(machine === undefined ? [] : [evidence(`machine ${machine}`, line)]),
    ...(interpretation === undefined ? [] : [evidence(interpretationText(interpretation), line)]),
    ...(referenceCode === undefined ? [] : [evidence(`reference code ${referenceCode}`, line)]),
    ...callouts.map(({ priority, location }) => evidence(`callout, priority ${priority}: ${location}`, line)),
    ...problems.map((text) => evidence(`text damage: ${text}`, line)),
  ];
}

function interpretationText({ phb, pe, pestA, pestB }: EehInterpretation): string {
  return `the host read PEST ${hex64(pestA)} ${hex64(pestB)} of PE ${formatPe(pe)} on PHB ${phb}`;
}

/** What the type of the fixed part suggests, in records that have no more to say. */
const BY_TYPE: Readonly<Record<string, CauseType>> = {
  'TCE error': 'dma-iommu-fault',
  timeout: 'completion-timeout',
  'data parity': 'pcie-ue',
  'address parity': 'pcie-ue',
  'address invalid': 'mmio-error',
};

function causeOf({ interpretation, type }: RtasRecord): FaultCause {
  const none = { address: undefined, direction: undefined, requester: undefined };
  if (interpretation === undefined) return { type: BY_TYPE[type ?? ''] ?? 'unknown', certainty: 'possible', ...none };
  const { cause, address, requesterId } = interpretation;
  const requester = requesterId === undefined ? undefined : formatRid(requesterId);
  return { ...none, type: cause, certainty: cause === 'unknown' ? 'possible' : 'likely', address, requester };
}

export function judgeRtasRecord(record: RtasRecord): FaultEvent {
  const meaning = EEH_REFERENCE_CODES[record.referenceCode ?? ''];
  const location = record.callouts[0]?.location;
  const where = location === undefined ? '' : ` at ${location}`;
  const told = record.interpretation;
  const failed = meaning?.includes('could not') === true;
  const sentence =
    meaning === undefined
      ? `Firmware logged ${record.type === undefined ? 'an event' : `a ${record.type} event`}${where}${record.referenceCode === undefined ? '' : ` with reference code ${record.referenceCode}`}.`
      : `${meaning}${where} (${record.referenceCode}); ${told === undefined ? 'such a record does not say what froze it' : `the host's own reading of the freeze is "${told.cause}"`}.`;
  return {
    chip: 'rtas',
    phb: told?.phb,
    lines: { first: record.line, last: record.lastLine },
    severity: told?.severity ?? (meaning === undefined ? 'informative' : 'pe-frozen'),
    title: failed ? 'EEH could not recover the adapter' : 'firmware event record',
    verdict: sentence,
    basis: 'RTAS event record',
    suspect: 'unknown',
    location,
    reportedPe: undefined,
    faultedPe: told?.pe,
    frozenPes: told === undefined ? [] : [told.pe],
    cause: causeOf(record),
    alternatives: [],
    evidence: evidenceOf(record),
    advice: [
      ...(failed && location !== undefined
        ? [
            {
              text: `Look at the adapter at ${location}: its driver's log, then reseat or replace it.`,
              why: 'Firmware calls that part out first.',
            },
          ]
        : []),
      {
        text: 'Ask for the platform log of the same time on the management console (HMC).',
        why: 'On PowerVM the hypervisor keeps the registers of the bridge; the guest never sees them.',
      },
    ],
    devices: [],
    recovery:
      meaning === undefined
        ? undefined
        : {
            failures: undefined,
            limit: undefined,
            outcome: failed ? 'not-recovered' : 'recovered',
            steps: [],
            doubts: [],
          },
    primary: undefined,
    dumps: [],
    rtas: record,
  };
}
