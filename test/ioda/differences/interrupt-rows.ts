/** Message interrupts, LSIs, and what the processor sees of them. */
import { memoryWrite } from '../../../src/pcie/tlp.js';
import { lsiIrq, msiIrq } from '../../ioda1/layout.js';
import { type AnyRig, entriesOf, freezes, p7ioc, phb3, row, words } from './row.js';

const ENTRY = 3;
const VECTOR = 0x49;

/** P7IOC with entry 3 open for the card and vector 0x49 unmasked. */
function hubWithMessage(): p7ioc.Rig {
  const hub = p7ioc.booted();
  hub.setIoda('MVT', ENTRY, p7ioc.mve(p7ioc.RID, p7ioc.PE));
  hub.setIoda('MXIVT', VECTOR, p7ioc.vector({ pe: p7ioc.PE }));
  return hub;
}

function write(rig: AnyRig, hi: number, lo: number, data: number): void {
  rig.card.send(memoryWrite(p7ioc.RID, { hi, lo: lo >>> 0 }, Uint8Array.of(data, 0, 0, 0)));
  rig.run(10_000);
}

export const INTERRUPT_ROWS = [
  row('Check of a message', () => {
    const hub = hubWithMessage();
    const wrongPe = freezes(hub, () => {
      hub.setIoda('MXIVT', VECTOR, p7ioc.vector({ pe: 6 }));
      hub.msi(ENTRY, VECTOR);
    });
    const wrongRequester = freezes(hub, () => hub.msi(ENTRY, VECTOR, 0x0300));
    const notValid = freezes(hub, () => hub.msi(ENTRY + 1, VECTOR));
    const chip = phb3.booted();
    chip.setIve(VECTOR, { pe: 6 });
    return [
      words(
        'MVT: the entry that the address names must be valid and for this requester, and its PE that of the vector',
        [wrongPe, [p7ioc.PE]],
        [wrongRequester, [p7ioc.CATCH_ALL]],
        [notValid, [p7ioc.PE]],
      ),
      words('none of its own: the vector carries the PE', [freezes(chip, () => chip.msi(VECTOR)), [phb3.PE]]),
    ];
  }),

  row('Message vectors', () => {
    const hub = hubWithMessage();
    hub.msi(ENTRY, VECTOR);
    const chip = phb3.booted();
    chip.setIve(VECTOR, {});
    chip.msi(VECTOR);
    chip.msi(VECTOR);
    const last = freezes(chip, () => chip.msi(2047));
    chip.setIve(2046, {});
    chip.msi(2046);
    return [
      words(`MXIVT on the chip: ${entriesOf(hub)('MXIVT')}; their state in the MIST`, [
        hub.ioda('MIST', VECTOR) >> 63n,
        1n,
      ]),
      words(
        'IVT in memory at `PHB_IVT_BAR`: up to 2,048, with P and Q in the entry',
        [chip.pq(VECTOR), '11'],
        [last.length, 1],
        [chip.pq(2046), '10'],
      ),
    ];
  }),

  row('Message address', () => {
    const hub = hubWithMessage();
    write(hub, 0, 0xffff_0000 | (ENTRY << 4), VECTOR);
    const narrow = hub.endInterrupts();
    write(hub, 0x9000_0000 | (ENTRY << 16), 0, VECTOR);
    const chip = phb3.booted();
    for (const vector of [0x49, 0x4a]) chip.setIve(vector, {});
    const place = (0x49 << 4) & ~0x1f0;
    write(chip, 0, 0xffff_0000 | place, 0x49 & 0x1f);
    write(chip, 0x1000_0000, place, 0x4a & 0x1f);
    return [
      words(
        '`0xffff0000 + (entry << 4)`, or bits 0:3 = 9 and the entry in bits 8:15; data = vector',
        [narrow, [msiIrq(VECTOR)]],
        [hub.endInterrupts(), [msiIrq(VECTOR)]],
      ),
      words('`0xffff0000 + ((vector << 4) & ~0x1f0)`, or the same with bits 0:3 = 1; data = vector & 0x1f', [
        chip.endInterrupts(),
        [0x49, 0x4a],
      ]),
    ];
  }),

  row('LSIs', () => {
    const hub = p7ioc.booted();
    hub.dmaWrite(p7ioc.WINDOW, [1]);
    const chip = phb3.booted();
    chip.dmaWrite(0n, [1]);
    const frozen = chip.endInterrupts();
    // Two bytes off their alignment.
    chip.host.load(chip.address('PHB_CONFIG_DATA') + 1, 2);
    const informed = chip.endInterrupts();
    return [
      words(`${entriesOf(hub)('LXIVT')}: INTA to INTD, hot-plug, performance, one unused, errors (7)`, [
        hub.interrupts.pending().includes(lsiIrq(7)),
        true,
      ]),
      words(
        `${entriesOf(chip)('LXIVT')}: INTA to INTD, two unused, informative errors (6), errors of PEs (7)`,
        [frozen, [0x7ff]],
        [informed, [0x7fe]],
      ),
    ];
  }),

  row('Interrupt number', () => {
    const hub = hubWithMessage();
    hub.msi(ENTRY, VECTOR);
    const chip = phb3.booted();
    chip.setIve(VECTOR, {});
    chip.msi(VECTOR);
    const number = (1 << 13) | ((0x60 + (VECTOR >> 4)) << 4) | (VECTOR & 15);
    return [
      words('hub, bus unit (BUID) and level; sixteen bus units hold the messages of a bridge', [
        hub.endInterrupts(),
        [number],
      ]),
      words('flat: base of the chip plus source number, 2,040 to 2,047 for the LSIs', [
        chip.interrupts.take()?.irq,
        phb3.IRQ_BASE + VECTOR,
      ]),
    ];
  }),

  row('Server and priority', () => {
    const hub = hubWithMessage();
    hub.setIoda('MXIVT', VECTOR, p7ioc.vector({ server: 0x15, priority: 0x47, pe: p7ioc.PE }));
    hub.msi(ENTRY, VECTOR);
    const seven = hub.interrupts.take();
    const chip = phb3.booted();
    chip.setIve(VECTOR, { server: 0x15 << 2, priority: 0x47 });
    chip.msi(VECTOR);
    const eight = chip.interrupts.take();
    return [
      words('mangled: the priority byte has the low three bits of the server on top, and loses its own low three', [
        [seven?.server, seven?.priority],
        [0x15, 0x40],
      ]),
      words('the server shifted left by two, the priority as it is', [
        [eight?.server, eight?.priority],
        [0x15, 0x47],
      ]),
    ];
  }),
];
