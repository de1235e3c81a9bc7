/** The verdict on an error that Linux' AER driver told of: the function's own registers say what it was. */
import type { AerMessage } from '../context/aer-message.js';
import { generationBefore, type LogContext } from '../context.js';
import { decodeAer } from '../device-words.js';
import { readTlpEitherWay } from '../tlp.js';
import type { AdviceItem, FaultChip, FaultEvent } from './fault.js';
import { devicesOf, evidence } from './parts.js';

const CHIPS: Readonly<Record<string, FaultChip>> = { IODA1: 'p7ioc', IODA2: 'phb3', IODA3: 'phb4' };
/** Where the status of each severity stands in the AER capability. */
const AER_STATUS = { uncorrectable: 0x04, corrected: 0x10 } as const;

function adviceOf({ severity, count }: AerMessage, isLink: boolean): AdviceItem[] {
  if (severity === 'Corrected') {
    return [
      {
        text: 'Watch how fast it counts up; reseat the card or try another slot if it does.',
        why: `The hardware corrected ${count === 1 ? 'it' : `all ${count}`}, so nothing was lost: now and then is normal, a stream is a bad link.`,
      },
    ];
  }
  return [
    isLink
      ? { text: 'Reseat the card, then try another slot, riser or cable.', why: 'The link itself failed.' }
      : {
          text: 'Look at the log of the driver of that function at the same time.',
          why: 'The function, not the bridge, found the error.',
        },
  ];
}

export function judgeAer(message: AerMessage, context: LogContext): FaultEvent {
  const { address, severity, layer, status, header, count, line, lastLine } = message;
  const isCorrected = severity === 'Corrected';
  const reading = decodeAer(
    isCorrected
      ? new Map([
          [AER_STATUS.uncorrectable, 0],
          [AER_STATUS.corrected, status],
        ])
      : new Map([[AER_STATUS.uncorrectable, status]]),
  );
  const names = (isCorrected ? reading?.correctable : reading?.uncorrectable) ?? [];
  const packet = header === undefined ? undefined : readTlpEitherWay(header)?.text;
  const type = isCorrected ? 'pcie-ce' : (reading?.cause ?? 'pcie-ue');
  const phb = Number.parseInt(address.slice(0, 4), 16);
  const what = names.length === 0 ? `an error of the ${layer.toLowerCase()}` : names.join(', ');
  const times = count === 1 ? '' : `, ${count} times`;
  const known = devicesOf(undefined, phb, context.machine.peOf(address), context);
  return {
    chip: CHIPS[generationBefore(context, line) ?? ''] ?? 'unknown',
    phb,
    lines: { first: line, last: lastLine },
    severity: 'informative',
    title: isCorrected ? 'corrected error' : 'uncorrected error, told by Linux',
    verdict: `${address} (${message.driver}) reported ${what}${times}; ${isCorrected ? 'the hardware corrected it' : "Linux' AER driver handled it, and no PE froze for it"}.`,
    basis: "the AER registers of the function, as Linux' AER driver prints them",
    suspect: type === 'link-loss' || layer.startsWith('Physical') || layer.startsWith('Data') ? 'link' : 'device',
    location: undefined,
    reportedPe: undefined,
    faultedPe: undefined,
    frozenPes: [],
    cause: {
      type,
      certainty: status === 0 ? 'possible' : 'likely',
      address: undefined,
      direction: undefined,
      requester: address.slice(5),
    },
    alternatives: [],
    evidence: [
      evidence(`severity ${severity}, ${layer}: ${what}`, line),
      ...(packet === undefined ? [] : [evidence(`packet: ${packet}`, line)]),
    ],
    advice: adviceOf(message, type === 'link-loss'),
    devices: [
      {
        address,
        driver: message.driver,
        ids: message.ids,
        name: context.machine.describe(address)?.name,
        pe: context.machine.peOf(address),
        part: 'named',
      },
      ...known.filter((device) => device.address !== address),
    ],
    recovery:
      message.outcome === 'unknown'
        ? undefined
        : { failures: undefined, limit: undefined, outcome: message.outcome, steps: [], doubts: [] },
    primary: undefined,
    dumps: [],
    rtas: undefined,
  };
}
