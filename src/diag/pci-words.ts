/** Root-port words of a dump, in the PCI standards' own masks (bit 0 least significant). Facts: phb4-diag 5.3. */
export interface PciFlag {
  readonly mask: bigint;
  readonly about: string;
}

export interface PciWord {
  readonly field: string;
  readonly label: string;
  readonly about: string;
  readonly flags: readonly PciFlag[];
}

const flags = (rows: readonly (readonly [number, string])[], shift = 0): PciFlag[] =>
  rows.map(([mask, about]) => ({ mask: BigInt(mask) << BigInt(shift), about }));

/** STATUS and secondary status share most bits. */
const STATUS_ROWS: readonly (readonly [number, string])[] = [
  [0x0100, 'master data parity error'],
  [0x0800, 'signalled target abort (answered CA)'],
  [0x1000, 'received target abort (got CA)'],
  [0x2000, 'received master abort (got UR)'],
  [0x8000, 'parity error or poisoned data'],
];

export const PCI_WORDS: readonly PciWord[] = [
  {
    field: 'brdgCtl',
    label: 'brdgCtl',
    about: 'bridge control',
    flags: flags([
      [0x0001, 'parity response on'],
      [0x0002, 'SERR forwarding on (normal)'],
      [0x0040, 'secondary bus reset asserted'],
    ]),
  },
  {
    field: 'deviceStatus',
    label: 'RootSts device',
    about: 'root port device status',
    flags: flags(
      [
        [0x0001, 'correctable error detected'],
        [0x0002, 'non-fatal error detected'],
        [0x0004, 'fatal error detected'],
        [0x0008, 'unsupported request detected'],
        [0x0020, 'transactions pending'],
      ],
      16,
    ),
  },
  {
    field: 'devCmdStatus',
    label: 'RootSts command',
    about: 'root port command and status',
    flags: flags([...STATUS_ROWS, [0x4000, 'signalled system error']], 16),
  },
  {
    field: 'devSecStatus',
    label: 'RootSts secondary',
    about: 'secondary status',
    flags: flags([...STATUS_ROWS, [0x4000, 'received system error (an error message)']]),
  },
  {
    field: 'rootErrorStatus',
    label: 'RootErrSts root',
    about: 'AER root error status',
    flags: flags([
      [0x01, 'correctable error message received'],
      [0x02, 'several correctable messages'],
      [0x04, 'fatal or non-fatal error message received'],
      [0x08, 'several fatal or non-fatal messages'],
      [0x10, 'the first was fatal'],
      [0x20, 'non-fatal message seen'],
      [0x40, 'fatal message seen'],
    ]),
  },
  {
    field: 'uncorrErrorStatus',
    label: 'RootErrSts uncorrectable',
    about: 'AER uncorrectable errors of the root port',
    flags: flags([
      [0x10, 'data link protocol error'],
      [0x20, 'surprise link down'],
      [0x1000, 'poisoned packet'],
      [0x2000, 'flow control protocol error'],
      [0x4000, 'completion timeout'],
      [0x8000, 'Completer Abort'],
      [0x10000, 'unexpected completion'],
      [0x20000, 'receiver overflow'],
      [0x40000, 'malformed packet'],
      [0x80000, 'ECRC error'],
      [0x100000, 'unsupported request'],
    ]),
  },
  {
    field: 'corrErrorStatus',
    label: 'RootErrSts correctable',
    about: 'AER correctable errors of the root port',
    flags: flags([
      [0x1, 'receiver error'],
      [0x40, 'bad TLP'],
      [0x80, 'bad DLLP'],
      [0x100, 'replay count rollover'],
      [0x1000, 'replay timer timeout'],
      [0x2000, 'advisory non-fatal error'],
    ]),
  },
];

/** Set flags of a word in words; bits without a name are left to the raw value. */
export function namePciFlags(pci: PciWord, value: bigint): string[] {
  return pci.flags.filter((flag) => (value & flag.mask) !== 0n).map((flag) => flag.about);
}

export interface LinkWord {
  readonly generation: number;
  readonly width: number;
  readonly training: boolean;
  readonly active: boolean;
  readonly text: string;
}

/** LNKSTA is the high half of the dump's link word. */
export function decodeLink(linkStatus: bigint): LinkWord {
  const status = Number(linkStatus >> 16n);
  const generation = status & 0x000f;
  const width = (status & 0x03f0) >> 4;
  const training = (status & 0x0800) !== 0;
  const active = (status & 0x2000) !== 0;
  const state = active ? 'active' : 'not active';
  const text = `link ${state}, gen${generation} x${width}${training ? ', training' : ''}`;
  return { generation, width, training, active, text };
}
