/**
 * Devices by the paths that QEMU's powernv8 gives them, as far as a qtest client would name one, and the lines they have.
 * Source: QEMU 7.2, `qom-list` of the machine with its default processor.
 */

/** thread: the interrupt line of the processor. sources: every interrupt of every bridge, which only this side has. */
export type DeviceLines = 'none' | 'thread' | 'sources';

const CHIP = '/machine/chip[0]';
const THREAD = `${CHIP}/core[1]/thread[0]`;

const DEVICES: ReadonlyMap<string, DeviceLines> = new Map<string, DeviceLines>([
  ['/machine/interrupts', 'sources'],
  [THREAD, 'thread'],
  ...[CHIP, `${CHIP}/core[1]`, `${THREAD}/pnv-icp`, `${CHIP}/lpc`, `${CHIP}/occ`, `${CHIP}/homer`].map(noLines),
  ...[0, 1, 2].flatMap((phb) => phbPaths(`${CHIP}/phb[${phb}]`, phb).map(noLines)),
]);

function phbPaths(phb: string, index: number): string[] {
  const backend = `${phb}/phb-backend`;
  const root = `${phb}/pnv-phb3-root.${index}`;
  return [phb, backend, `${backend}/lsi`, `${backend}/msi`, `${backend}/pbcq`, `${root}/pnv-phb-root-port[${index}]`];
}

function noLines(path: string): [string, DeviceLines] {
  return [path, 'none'];
}

/** A path from the root, or its last parts where only one device has them; undefined: no such device. */
export function linesOfDevice(path: string): DeviceLines | undefined {
  if (path === '') return undefined;
  if (path.startsWith('/')) return DEVICES.get(path);
  const found = [...DEVICES].filter(([whole]) => whole.endsWith(`/${path}`));
  return found.length === 1 ? found[0]![1] : undefined;
}
