/** Configuration words of a device that the kernel dumped before the recovery, in words. Facts: eeh-linux 13.4. */
import type { ConfigDump } from './context/eeh-event.js';
import type { CauseType } from './fault/fault.js';
import { decodeLink, namePciFlags, PCI_WORDS } from './pci-words.js';
import { readTlpEitherWay } from './tlp.js';

const ONES = 0xffff_ffff;
/** Offsets in the AER and PCI Express capabilities. */
const AER = { UNCORRECTABLE: 0x04, CORRECTABLE: 0x10, HEADER: 0x1c } as const;
const EXPRESS = { DEVICE: 0x08, LINK: 0x10 } as const;

export interface AerReading {
  readonly uncorrectable: readonly string[];
  readonly correctable: readonly string[];
  readonly cause: CauseType | undefined;
  readonly packet: string | undefined;
}

/** The bit that names a cause, strongest first. */
const CAUSES: readonly (readonly [mask: number, cause: CauseType])[] = [
  [0x20, 'link-loss'],
  [0x10, 'link-loss'],
  [0x4000, 'completion-timeout'],
  [0x8000, 'completer-abort'],
  [0x10_0000, 'unsupported-request'],
  [ONES, 'pcie-ue'],
];

function flagsOf(field: 'uncorrErrorStatus' | 'corrErrorStatus', value: number): string[] {
  const word = PCI_WORDS.find((entry) => entry.field === field)!;
  const named = namePciFlags(word, BigInt(value));
  return named.length > 0 || value === 0 ? named : [`0x${value.toString(16)}`];
}

/** Undefined when the words are missing or all ones. */
export function decodeAer(words: ReadonlyMap<number, number>): AerReading | undefined {
  const uncorrectable = words.get(AER.UNCORRECTABLE);
  if (uncorrectable === undefined || uncorrectable === ONES) return undefined;
  const correctable = words.get(AER.CORRECTABLE) ?? 0;
  const header = [0, 4, 8, 12].map((offset) => words.get(AER.HEADER + offset) ?? 0);
  return {
    uncorrectable: flagsOf('uncorrErrorStatus', uncorrectable),
    correctable: flagsOf('corrErrorStatus', correctable),
    cause: uncorrectable === 0 ? undefined : CAUSES.find(([mask]) => (uncorrectable & mask) !== 0)?.[1],
    packet: readTlpEitherWay(header)?.text,
  };
}

/** What the words say, one sentence each; nothing for a quiet device. */
export function formatRegisterBits({ commandStatus, express, aer }: ConfigDump): string[] {
  const found: string[] = [];
  if (commandStatus !== undefined && commandStatus !== ONES) {
    if ((commandStatus & 0x4) === 0) found.push('bus mastering is off: it was reset, or not set up yet');
    if ((commandStatus & 0x2) === 0) found.push('its memory decode is off');
    const status = namePciFlags(
      PCI_WORDS.find((entry) => entry.field === 'devCmdStatus')!,
      BigInt(commandStatus >>> 0),
    );
    found.push(...status);
  }
  const device = express.get(EXPRESS.DEVICE);
  if (device !== undefined && device !== ONES) {
    const word = PCI_WORDS.find((entry) => entry.field === 'deviceStatus')!;
    found.push(...namePciFlags(word, BigInt(device)));
  }
  const link = express.get(EXPRESS.LINK);
  if (link !== undefined && link !== ONES) {
    const { generation, width } = decodeLink(BigInt(link));
    found.push(`its link runs at gen${generation} x${width}`);
  }
  const errors = decodeAer(aer);
  if (errors !== undefined) {
    if (errors.uncorrectable.length > 0) found.push(`AER uncorrectable: ${errors.uncorrectable.join(', ')}`);
    if (errors.correctable.length > 0) found.push(`AER correctable: ${errors.correctable.join(', ')}`);
    if (errors.packet !== undefined) found.push(`AER header log: ${errors.packet}`);
  }
  return found;
}
