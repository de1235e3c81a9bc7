/** Where the bridges stand, and everything about PEs. */
import { PHBS_PER_CHIP } from '../../../src/machine/powernv8.js';
import { asb } from '../../ioda1/layout.js';
import { chargedPe, entriesOf, freezes, p7ioc, phb3, row, words } from './row.js';

const VERSION = 0x800;
const PELTM_THREE_BITS_OF_BUS = 2n << 45n;

export const PE_ROWS = [
  row('Placement', () => {
    const hub = p7ioc.booted();
    const chip = phb3.booted({ phbs: PHBS_PER_CHIP });
    const versions = [0, 1, 2, 3, 4, 5].map((phb) => hub.machine.load(asb(phb) + VERSION));
    return [
      words(
        `a hub of its own on the GX bus with ${hub.hub.phbs.length} bridges, each at its offset`,
        [versions, versions.map(() => 0xa2_0000_0002n)],
        [hub.machine.load(asb(6) + VERSION), p7ioc.ONES],
      ),
      words(
        `up to ${chip.machine.phbs.length} bridges on the processor chip, each behind a PBCQ with registers of its own in SCOM`,
        [chip.nest('BAR_ENABLE'), 0xf800_0000_0000_0000n],
      ),
    ];
  }),

  row('PEs', () => {
    const cells = [p7ioc.booted(), phb3.booted()].map((rig) => {
      const count = entriesOf(rig)('PESTA');
      return `${count}; firmware keeps ${chargedPe(rig, 0x0300)} for requesters it does not know`;
    });
    return [cells[0]!, cells[1]!];
  }),

  row('Requester to PE', () => {
    const hub = p7ioc.booted();
    const before = chargedPe(hub, p7ioc.RID);
    hub.setIoda('PELTM', 3, 0n);
    const chip = phb3.booted();
    const home = chargedPe(chip, phb3.RID);
    chip.setRte(phb3.RID, 9);
    return [
      words(
        `PELTM on the chip: ${entriesOf(hub)('PELTM')} entries that name buses, devices and functions; the lowest that matches is the PE`,
        [
          [before, chargedPe(hub, p7ioc.RID)],
          [p7ioc.PE, 3],
        ],
      ),
      words('RTT in memory at `PHB_RTT_BAR`: 16 bits for each of 65,536 requesters', [
        [home, chargedPe(chip, phb3.RID)],
        [phb3.PE, 9],
      ]),
    ];
  }),

  row('Buses of a PE', () => {
    const hub = p7ioc.booted();
    hub.setIoda('PELTM', 6, (0x20n << 56n) | PELTM_THREE_BITS_OF_BUS);
    const of6 = (bus: number) => chargedPe(hub, bus << 8) === 6;
    const buses = Array.from({ length: 0x50 }, (_, bus) => bus).filter(of6);
    const chip = phb3.booted();
    for (const bus of [3, 0x77, 0xfe]) chip.setRte(bus << 8, 9);
    const any = [3, 0x77, 0xfe].map((bus) => chargedPe(chip, bus << 8));
    return [
      words(`a power of two of neighbours, aligned; at most ${buses.length} an entry, or all`, [
        [buses.length, buses[0], buses.at(-1)],
        [32, 0x20, 0x3f],
      ]),
      words('any', [any, [9, 9, 9]]),
    ];
  }),

  row('PELT-V', () => {
    const hub = p7ioc.booted();
    hub.setPair('PELTV', p7ioc.PE, [1n << (63n - 6n), 1n << (127n - 100n)]);
    const chip = phb3.booted();
    chip.setPeltv(phb3.PE, [200]);
    return [
      words(
        'on the chip, table 12: two words a PE; the PE itself falls in any case',
        [entriesOf(hub)('PELTV'), 128],
        [freezes(hub, () => hub.sendError('ERR_FATAL')), [p7ioc.PE, 6, 100]],
      ),
      words('in memory at `PHB_PELTV_BAR`: 32 bytes a PE', [
        freezes(chip, () => chip.sendError('ERR_FATAL')),
        [phb3.PE, 200],
      ]),
    ];
  }),

  row('PEST', () => {
    const hub = p7ioc.booted();
    const memoryBefore = hub.memory.readBlock(0, 0x10_0000).slice();
    hub.dmaWrite(p7ioc.WINDOW, [1]);
    const chip = phb3.booted();
    chip.dmaWrite(0n, [1]);
    const memory = [0, 8].map((at) => chip.memory.read64(phb3.PEST + 16 * phb3.PE + at));
    return [
      words(
        'on the chip, tables 7 and 8: freeze bits and details',
        [hub.ioda('PESTA', p7ioc.PE), 0x8000_203a_0100_0000n],
        [Buffer.from(hub.memory.readBlock(0, 0x10_0000)).equals(memoryBefore), true],
      ),
      words(
        'freeze bits on the chip, tables 7 and 8; details in memory at `PHB_PEST_BAR`',
        [chip.ioda('PESTA', phb3.PE), 1n << 63n],
        [memory[0], 0x0000_b03a_0100_0000n],
      ),
    ];
  }),

  row('PEEV', () => {
    const hub = p7ioc.booted();
    hub.setIoda('PEEV', 0, p7ioc.ONES);
    const [one, two] = [hub, phb3.booted()].map((rig) => entriesOf(rig)('PEEV'));
    return [
      words(`${one} words; it follows the PE states, and a write does not last`, [hub.ioda('PEEV', 0), 0n]),
      `${two} words`,
    ];
  }),
];
