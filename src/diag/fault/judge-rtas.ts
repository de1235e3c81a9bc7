/** The verdict on an RTAS event record: PowerVM tells that EEH failed, never why. Facts: vfio-eeh-rtas 5.8.2, 5.9. */
import { EEH_REFERENCE_CODES, type RtasRecord } from '../context/rtas-record.js';
import type { EvidenceItem, FaultEvent } from './fault.js';
import { evidence } from './parts.js';

function evidenceOf(record: RtasRecord): EvidenceItem[] {
  const { version, severity, disposition, type, effect, referenceCode, callouts, problems, line } = record;
  const fixed = [
    version === undefined ? undefined : `version ${version}`,
    severity === undefined ? undefined : `severity "${severity}"`,
    disposition === undefined ? undefined : `disposition "${disposition}"`,
    type,
    effect,
  ].filter((part) => part !== undefined);
  return [
    evidence(`RTAS event ${record.id}: ${fixed.join(', ')}`, line),
    ...(referenceCode === undefined ? [] : [evidence(`reference code ${referenceCode}`, line)]),
    ...callouts.map(({ priority, location }) => evidence(`callout, priority ${priority}: ${location}`, line)),
    ...problems.map((text) => evidence(`text damage: ${text}`, line)),
  ];
}

export function judgeRtasRecord(record: RtasRecord): FaultEvent {
  const meaning = EEH_REFERENCE_CODES[record.referenceCode ?? ''];
  const location = record.callouts[0]?.location;
  const where = location === undefined ? '' : ` at ${location}`;
  const failed = meaning?.includes('could not') === true;
  const sentence =
    meaning === undefined
      ? `Firmware logged ${record.type === undefined ? 'an event' : `a ${record.type} event`}${where}${record.referenceCode === undefined ? '' : ` with reference code ${record.referenceCode}`}.`
      : `${meaning}${where} (${record.referenceCode}); such a record does not say what froze it.`;
  return {
    chip: 'rtas',
    phb: undefined,
    lines: { first: record.line, last: record.lastLine },
    severity: meaning === undefined ? 'informative' : 'pe-frozen',
    title: failed ? 'EEH could not recover the adapter' : 'firmware event record',
    verdict: sentence,
    basis: 'RTAS event record',
    suspect: 'unknown',
    location,
    reportedPe: undefined,
    faultedPe: undefined,
    frozenPes: [],
    cause: { type: 'unknown', certainty: 'possible', address: undefined, direction: undefined, requester: undefined },
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
