/** SCOM registers of the queue: nest, PCI and SPCI side, and the register page through the side path (ASB). */
import { PBCQ_SCOM_RANGES } from '../../../../src/ioda2/registers/pbcq.js';
import { PHB_REGISTERS } from '../../../../src/ioda2/registers/phb.js';
import type { Sequence } from '../compare.js';
import { ioda, iodaAddress, ONES, phb, SCOM_RANGES, type ScomRange, type Step, scom } from '../steps.js';
import { OPEN } from './opening.js';

const ASB = { address: 0, status: 1, data: 2 } as const;
const WALK = Array.from({ length: 64 }, (_, at) => 1n << BigInt(at));

/** The data register of the side path is an access to wherever its address points: not a register of its own. */
const registersOf = (range: ScomRange): number[] =>
  Array.from({ length: PBCQ_SCOM_RANGES[range].registers }, (_, index) => index).filter(
    (index) => range !== 'spci' || index !== ASB.data,
  );

const readAll: readonly Step[] = SCOM_RANGES.flatMap((range) =>
  registersOf(range).map((index) => scom.read(range, index)),
);

function keeps(range: ScomRange, register: number): Sequence {
  const writtenAndRead = (value: bigint): Step[] => [scom.write(range, register, value), scom.read(range, register)];
  const name = PBCQ_SCOM_RANGES[range].bank.byOffset(register)?.name ?? `0x${register.toString(16)}`;
  return {
    name: `scom ${range} ${name}`,
    steps: [
      ...[scom.read(range, register), ...writtenAndRead(ONES), ...readAll, ...writtenAndRead(0n)],
      ...[...WALK.flatMap(writtenAndRead), ...writtenAndRead(0n), ...readAll],
    ],
  };
}

const viaAsb = (offset: number): Step[] => [
  scom.write('spci', ASB.address, BigInt(offset)),
  scom.read('spci', ASB.address),
  scom.read('spci', ASB.data),
  scom.read('spci', ASB.status),
];
const offsetOf = (name: Parameters<typeof PHB_REGISTERS.get>[0]): number => PHB_REGISTERS.get(name).offset;
const throughAsb = (offset: number, value: bigint): Step[] => [
  scom.write('spci', ASB.address, BigInt(offset)),
  scom.write('spci', ASB.data, value),
];

/** Without CONFIG_DATA: eight bytes there abort QEMU. */
const ASB_OFFSETS = PHB_REGISTERS.registers
  .map(({ offset }) => offset)
  .filter((offset) => offset !== offsetOf('PHB_CONFIG_DATA') && offset !== offsetOf('PHB_IODA_DATA0'));

const asb: Sequence = {
  name: 'the register page through the ASB',
  steps: [
    ...OPEN,
    ...ASB_OFFSETS.flatMap(viaAsb),
    // Bits beyond the page and below a doubleword.
    ...[0x803, 0xff8, 0x1800, 0x801].flatMap(viaAsb),
    ...throughAsb(offsetOf('PHB_PEST_BAR'), 0x1122_3344_5566_7788n),
    phb.read('PHB_PEST_BAR'),
    ...throughAsb(offsetOf('PHB_IODA_ADDR'), iodaAddress('M32DT', 254, 'step')),
    ...[1n, 2n, 3n, 4n].flatMap((value) => throughAsb(offsetOf('PHB_IODA_DATA0'), value << 48n)),
    ...ioda.read('M32DT', 0),
    ...ioda.read('M32DT', 1),
    ...throughAsb(offsetOf('PHB_IODA_ADDR'), iodaAddress('M32DT', 255, 'step')),
    scom.write('spci', ASB.address, BigInt(offsetOf('PHB_IODA_DATA0'))),
    ...[scom.read('spci', ASB.data), scom.read('spci', ASB.data), scom.read('spci', ASB.data)],
    phb.read('PHB_IODA_ADDR'),
  ],
};

export const SCOM_SEQUENCES: readonly Sequence[] = [
  { name: 'scom at reset', steps: readAll },
  ...SCOM_RANGES.flatMap((range) => registersOf(range).map((register) => keeps(range, register))),
  asb,
];
