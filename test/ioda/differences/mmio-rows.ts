/** Windows of the processor, configuration cycles, and what an injection compares. */
import { msbMask } from '../../../src/hw/bits.js';
import { IODA_TABLES as IODA1_TABLES } from '../../../src/ioda1/tables.js';
import { IODA_TABLES as IODA2_TABLES } from '../../../src/ioda2/tables.js';
import { io, M64_SEGMENT, MWIN2, m32, m64 } from '../../ioda1/layout.js';
import { type AnyRig, entriesOf, freezes, p7ioc, phb3, row, words } from './row.js';

const ABSENT = 0x0108;
const ARM_CONFIG_READ = msbMask(3) | msbMask(4) | msbMask(2);
const ARM_LOAD = msbMask(1) | msbMask(4) | msbMask(2);

type Injectable = {
  write(name: 'PHB_PAPR_ERR_INJ_CTL' | 'PHB_PAPR_ERR_INJ_ADDR' | 'PHB_PAPR_ERR_INJ_MASK', value: bigint): void;
};

/** Arms an injection with every bit of the mask set. */
function arm(rig: Injectable, control: bigint, address: bigint): void {
  rig.write('PHB_PAPR_ERR_INJ_ADDR', address);
  rig.write('PHB_PAPR_ERR_INJ_MASK', (1n << 64n) - 1n);
  rig.write('PHB_PAPR_ERR_INJ_CTL', control);
}

/** Narrow windows of one granule at the second granule of the range: which of three neighbours are in it. */
function granulesHit(rig: AnyRig, base: number, granule: number): number[] {
  return [0, 1, 2].filter((at) => {
    rig.card.received.length = 0;
    rig.load(base + at * granule, 4);
    return rig.card.got('MRd').length > 0;
  });
}

export const MMIO_ROWS = [
  row('M32 window', () => {
    const hub = p7ioc.booted();
    hub.setIoda('M32DT', 7, 12n << 57n);
    const chip = phb3.booted();
    chip.setIoda('M32DT', 7, 12n << 48n);
    for (const rig of [hub, chip]) rig.card.answers.push('CA');
    const charged = [freezes(hub, () => hub.load(m32(7))), freezes(chip, () => chip.load(phb3.m32(7)))];
    return [
      words(`${entriesOf(hub)('M32DT')} segments; PE in bits 0:6 of table ${IODA1_TABLES.M32DT.selector}`, [
        charged[0],
        [12],
      ]),
      words(`${entriesOf(chip)('M32DT')} segments; PE in bits 8:15 of table ${IODA2_TABLES.M32DT.selector}`, [
        charged[1],
        [12],
      ]),
    ];
  }),

  row('IO window', () => {
    const hub = p7ioc.booted();
    hub.load(io(p7ioc.PE), 4);
    const chip = phb3.booted();
    // IODA1 has this table at 17; here that is M32DT, and no selector is left over for IO.
    const named = Object.keys(IODA2_TABLES);
    chip.load(phb3.m32(phb3.PE), 4);
    return [
      words(`${entriesOf(hub)('IODT')} segments, table ${IODA1_TABLES.IODT.selector}; loads leave as IO requests`, [
        hub.card.received.map(({ kind }) => kind),
        ['IORd'],
      ]),
      words('none', [named.includes('IODT'), false], [chip.card.got('IORd'), []]),
    ];
  }),

  row('M64 windows', () => {
    const hub = p7ioc.booted();
    hub.setIoda('M64DT', 9, 77n << 57n);
    hub.card.answers.push('CA');
    const chip = phb3.booted();
    chip.setIoda('M64BT', 1, chip.ioda('M64BT', 0));
    chip.setIoda('M64BT', 0, phb3.singleM64(phb3.m64(9), phb3.M64_SEGMENT, 200));
    chip.card.answers.push('CA', 'CA');
    return [
      words(
        `${entriesOf(hub)('M64BT')} of eight segments each; table ${IODA1_TABLES.M64DT.selector} gives each segment any PE`,
        [freezes(hub, () => hub.load(m64(9))), [77]],
        [entriesOf(hub)('M64DT'), 128],
      ),
      words(
        `${entriesOf(chip)('M64BT')}, each of 256 segments whose number is the PE, or of one PE`,
        [freezes(chip, () => chip.load(phb3.m64(10))), [10]],
        [freezes(chip, () => chip.load(phb3.m64(9))), [200]],
      ),
    ];
  }),

  row('Smallest M64 window', () => {
    const hub = p7ioc.booted();
    for (let window = 0; window < 16; window++) hub.setIoda('M64BT', window, 0n);
    const [coarse, fine] = [2 ** 24, 2 ** 20];
    const range = MWIN2 + 2 ** 35 + M64_SEGMENT;
    hub.setIoda('M64BT', 0, p7ioc.m64Window(range + coarse, coarse));
    const chip = phb3.booted();
    chip.setIoda('M64BT', 0, phb3.sharedM64(phb3.M64_BASE + fine, fine));
    return [
      words(`${coarse / 2 ** 20} MiB, on its own size`, [granulesHit(hub, range, coarse), [1]]),
      words(`${fine / 2 ** 20} MiB, on its own size`, [granulesHit(chip, phb3.M64_BASE, fine), [1]]),
    ];
  }),

  row('PE of a configuration cycle', () => {
    const hub = p7ioc.booted();
    const chip = phb3.booted();
    const charged = [freezes(hub, () => hub.config(ABSENT, 0)), freezes(chip, () => chip.config(ABSENT, 0, 4, 66))];
    hub.setIoda('PESTA', p7ioc.PE, msbMask(0));
    chip.setIoda('PESTA', phb3.PE, msbMask(0));
    const identity = 0x1410_01f0n;
    return [
      words(
        'the one of the requester id, by the PELTM; while it is frozen the cycle is blocked',
        [charged[0], [p7ioc.CATCH_ALL]],
        [hub.config(p7ioc.RID, 0), 0xffff_ffffn],
      ),
      words(
        'the one in `PHB_CONFIG_ADDRESS` bits 40:47; frozen or not, the cycle runs',
        [charged[1], [66]],
        [chip.config(phb3.RID, 0), identity],
      ),
    ];
  }),

  row('What an injection compares', () => {
    const hub = p7ioc.booted();
    const chip = phb3.booted();
    const otherFunction = BigInt(p7ioc.RID | 1) << 44n;
    const config = [hub, chip].map((rig) => {
      arm(rig, ARM_CONFIG_READ, rig === hub ? BigInt(p7ioc.RID >> 8) << 52n : otherFunction);
      return rig.config(p7ioc.RID, 0) === 0xffff_ffffn;
    });
    const fresh = [p7ioc.booted(), phb3.booted()] as const;
    const mmio = [
      [m32(p7ioc.PE), m32(p7ioc.PE, 0x1234)],
      [phb3.m32(phb3.PE), phb3.m32(phb3.PE, 0x1234)],
    ].map(([armed, touched], at) => {
      const rig = fresh[at]!;
      arm(rig, ARM_LOAD, BigInt(armed!));
      return rig.load(touched!) === 0xffff_ffffn;
    });
    return [
      words(
        'bus (4:11), address without its low 16 bits (16:47), window number (60:63)',
        [config[0], true],
        [mmio[0], true],
      ),
      words('bus, device and function (4:19), address (16:63)', [config[1], false], [mmio[1], false]),
    ];
  }),
];
