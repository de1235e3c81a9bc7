/**
 * The list of hardware PEs as the kernel dumps it.
 * Source: linux powernv/pci-ioda.c: pnv_pci_ioda_pe_dump; facts: eeh-linux 13.3, 14.2.
 */
import { hex, type PciBus } from '../pci/device.js';
import { type PeNumbers, takesAllBelow } from '../powernv/pe-numbers.js';

interface Line {
  readonly number: number;
  readonly text: string;
}

/** Every number in use, ascending; the reserved PE has neither name nor flags. */
export function ioda2PeLines(numbers: PeNumbers): string[] {
  const { reservedPe } = numbers.controller.node;
  const lines: Line[] = numbers.all().map(({ number, bus, deviceCount }) => {
    const name = `${hex(bus.controller.domain, 4)}:${hex(bus.number, 2)}     `;
    return { number, text: line(`${name}: [PE# ${hex(number, 2)}]`, bus.number << 8, deviceCount) + flags(bus) };
  });
  lines.push({ number: reservedPe, text: line(`: [PE# ${hex(reservedPe, 2)}]`, 0, 0) });
  return lines.sort((a, b) => a.number - b.number).map(({ text }) => text);
}

const flags = (bus: PciBus): string => (takesAllBelow(bus) ? 'all ' : 'bus ');

function line(name: string, rid: number, deviceCount: number): string {
  return `pci ${name} rid: ${hex(rid, 4)} dev count: ${String(deviceCount).padStart(2)} flags: `;
}
