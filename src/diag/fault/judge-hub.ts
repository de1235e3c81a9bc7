/** The verdict on a dump of the P7IOC hub. Facts: ioda1-p7ioc 7.4, 7.7. */
import { hex64 } from '../../hw/bits.js';
import { classifyHub, type HubClass, type HubDump } from '../p7ioc/hub-text.js';
import type { FaultEvent } from './fault.js';
import { evidence } from './parts.js';

const MEANING: Readonly<Record<HubClass, string>> = {
  'hub dead': 'The hub reported a fatal error: every bridge behind it is lost until the machine is started anew.',
  clock: 'The hub lost a clock: every bridge behind it is lost until the machine is started anew.',
  'register access':
    'The hub met an error on its register path: every bridge behind it is lost until the machine is started anew.',
  malfunction: 'The hub reported a malfunction, which firmware masks from now on.',
  informational: 'The hub reported an error that harms nothing.',
  bridge: 'The hub passed on an error of one of its bridges.',
};
const DEADLY: readonly HubClass[] = ['hub dead', 'clock', 'register access'];

export function judgeHub(dump: HubDump): FaultEvent {
  const { kind, bits } = classifyHub(dump);
  const dead = DEADLY.includes(kind);
  const words = [...dump.words].filter(([, value]) => value !== 0n);
  return {
    chip: 'p7ioc',
    phb: undefined,
    lines: { first: dump.line, last: dump.lastLine },
    severity: dead ? 'phb-dead' : 'informative',
    title: `${kind === 'informational' ? 'informational error' : kind} in ${dump.unit} of the hub`,
    verdict: MEANING[kind],
    basis: "the hub's LEM bits; no document names them",
    suspect: dead ? 'bridge hardware' : 'unknown',
    location: undefined,
    reportedPe: undefined,
    faultedPe: undefined,
    frozenPes: [],
    cause: {
      type: 'internal-error',
      certainty: dead ? 'likely' : 'possible',
      address: undefined,
      direction: undefined,
      requester: undefined,
    },
    alternatives: [],
    evidence: [
      evidence(`${dump.unit} LEM[${bits.join(', ')}]`, dump.line),
      ...words.map(([name, value]) => ({ ...evidence(`${name} ${hex64(value)}`, dump.line), aside: true })),
    ],
    advice: dead
      ? [{ text: 'Hand the dump to the hardware service.', why: 'No driver can set these bits.' }]
      : [{ text: 'Nothing to do unless it comes again.', why: 'Errors of this class stop nothing.' }],
    devices: [],
    recovery: undefined,
    primary: undefined,
    dumps: [],
    rtas: undefined,
    hub: { unit: dump.unit, kind },
  };
}
