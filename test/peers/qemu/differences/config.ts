/** Differences in configuration space: QEMU's generic root port stands where the chip has its own. */
import { ROOT_COMPLEX_CAPABILITIES } from '../../../../src/ioda2/root-complex.js';
import { PEER_IMAGES, type PeerName } from '../../../../src/pcie/peer-devices.js';
import type { Difference } from '../compare.js';
import { all, type DifferenceRule, named, oursAllOnes, oursIs, qemuAllOnes, unit } from './rule.js';

const ROOT = '00:00.0';
const CARD = '01:00.0';
const DWORD = 0xffff_ffff;

/** The bits of the doubleword that differ, as the device sees them: the data window is little-endian. */
export function configBits({ place, qemu, ours }: Difference): number {
  const bytes = Buffer.alloc(4);
  bytes.writeUIntBE(Number(qemu ^ ours), 0, place.size);
  return (bytes.readUInt32LE() << (8 * (place.index & 3))) >>> 0;
}

/** Doublewords of one function, each with the bits that may differ. */
const bitsOf =
  (name: string, masks: Readonly<Record<number, number>>) =>
  (difference: Difference): boolean => {
    const { place } = difference;
    if (place.unit !== 'config' || place.name !== name) return false;
    return (configBits(difference) & ~(masks[place.index & ~3] ?? 0)) === 0;
  };

const within =
  (...ranges: readonly (readonly [number, number])[]) =>
  ({ place }: Difference): boolean =>
    ranges.some(([first, end]) => place.index >= first && place.index < end);

const SECONDARY_BUS_RESET = 0x0040_0000;

/** A doubleword as it was written through the data window, as the device takes it. */
function wireToDevice(word: bigint): number {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(Number(word & 0xffff_ffffn));
  return bytes.readUInt32LE();
}

/** Bytes that no register of the card's layout holds, and that we read as 0. */
function withoutRegister(difference: Difference): boolean {
  const { place, card, ours } = difference;
  if (place.unit !== 'config' || place.name !== CARD) return false;
  const differs = configBits(difference);
  const layout = Object.values(PEER_IMAGES[card as PeerName].layout);
  return [0, 1, 2, 3].every((at) => {
    if (((differs >>> (8 * at)) & 0xff) === 0) return true;
    const byte = (place.index & ~3) + at;
    const shift = BigInt(8 * (place.size - 1 - (byte - place.index)));
    return ((ours >> shift) & 0xffn) === 0n && !layout.some((each) => byte >= each.at && byte < each.at + each.size);
  });
}

const { powerManagement, pciExpress, aer, secondaryPcie } = ROOT_COMPLEX_CAPABILITIES;
const PCI_EXPRESS_END = pciExpress + 0x3c;
const SECONDARY_END = secondaryPcie + 0x0c;

export const CONFIG_RULES: readonly DifferenceRule[] = [
  {
    id: 'root-port-parity-response',
    reason: 'card',
    where: 'root port COMMAND bit 6',
    qemu: 'cannot be set',
    ours: 'can be set',
    why: 'firmware sets parity error response on the root port; QEMU has no parity',
    source: 'skiboot hw/phb3.c: phb3_init_rc_cfg; qemu hw/pci/pci.c',
    explains: bitsOf(ROOT, { 4: 0x0000_0040 }),
  },
  {
    id: 'root-port-secondary-latency',
    reason: 'card',
    where: 'root port secondary latency timer',
    qemu: 'can be written',
    ours: 'reads 0',
    why: 'a PCI Express port has no latency timer',
    source: 'qemu hw/pci/pci.c: pci_init_mask_bridge; (M)',
    explains: bitsOf(ROOT, { 24: 0xff00_0000 }),
  },
  {
    id: 'root-port-windows-at-reset',
    reason: 'card',
    where: 'root port I/O, memory and prefetchable base before they are written',
    qemu: 'base above limit: closed windows',
    ours: '0',
    why: 'QEMU closes the windows by itself; firmware writes them before it uses them',
    source: 'qemu pnv_phb.c: pnv_phb_root_port_realize; skiboot hw/phb3.c: phb3_init_rc_cfg',
    explains: bitsOf(ROOT, { 28: 0x0000_00f0, 32: 0x0000_fff0, 36: 0x0000_fff0 }),
  },
  {
    id: 'root-port-error-status',
    reason: 'errors',
    where: 'root port status, secondary status and AER status after a request that failed',
    qemu: 'nothing is recorded',
    ours: 'master abort, target abort and AER bits of the failed request',
    why: 'requests that reach nobody end in QEMU without a completion that could be looked at',
    source: 'PCI Express base specification 7.5.1; Facts: ioda2-phb3 8.3',
    explains: bitsOf(ROOT, { 4: 0xf900_0040, 28: 0xf900_00f0, [aer + 0x04]: DWORD }),
  },
  {
    id: 'root-port-io-upper',
    reason: 'card',
    where: 'root port upper I/O base and limit',
    qemu: 'reads 0: the port decodes 16 bits of I/O',
    ours: 'can be written',
    why: 'firmware writes them when it closes the I/O window',
    source: 'skiboot hw/phb3.c: phb3_init_rc_cfg; (M)',
    explains: bitsOf(ROOT, { 48: DWORD }),
  },
  {
    id: 'root-port-capability-list',
    reason: 'card',
    where: 'root port 0x34 and 0x40..0x47',
    qemu: 'subsystem ids stand at 0x40, before PCI Express',
    ours: 'power management stands there',
    why: 'kernel logs of real machines show PME support; the generic root port of QEMU has none',
    source: 'kernel boot logs; qemu hw/pci-bridge/pcie_root_port.c',
    explains: bitsOf(ROOT, { 52: 0x0000_00ff, [powerManagement]: DWORD, [powerManagement + 4]: DWORD }),
  },
  {
    id: 'root-port-express-capability',
    reason: 'card',
    where: 'root port PCI Express capability',
    qemu: "the generic port's: Gen1 x1, a hot-plug slot, no ARI or CRS visibility",
    ours: "the chip's: Gen3 up to x16, no slot, CRS visibility, link state by training",
    why: 'speed, width and state of the link are those of the machine',
    source: 'skiboot hw/phb3.c: phb3_init_rc_cfg; linux commit af87d2fe9544 (diagnostic dump); qemu hw/pci/pcie.c',
    explains: bitsOf(ROOT, {
      [pciExpress]: 0x0100_4000,
      [pciExpress + 0x04]: 0x0000_ffff,
      [pciExpress + 0x08]: 0x001f_ffff,
      [pciExpress + 0x0c]: DWORD,
      [pciExpress + 0x10]: 0xffff_ffff,
      [pciExpress + 0x14]: DWORD,
      [pciExpress + 0x18]: DWORD,
      [pciExpress + 0x1c]: 0x0001_001f,
      [pciExpress + 0x24]: DWORD,
      [pciExpress + 0x28]: DWORD,
      [pciExpress + 0x2c]: DWORD,
      [pciExpress + 0x30]: 0x0001_ffff,
    }),
  },
  {
    id: 'root-port-aer',
    reason: 'card',
    where: 'root port AER capability: header, mask and severity',
    qemu: 'no next capability; other errors can be masked',
    ours: 'points to secondary PCI Express; bits of the errors that the chip knows',
    why: 'the set of errors is that of the port',
    source: 'skiboot hw/phb3.c: phb3_init_rc_cfg; qemu hw/pci/pcie_aer.c',
    explains: bitsOf(ROOT, {
      [aer]: 0xffff_0000,
      [aer + 0x04]: 0x07ff_f031,
      [aer + 0x08]: 0x07ff_f031,
      [aer + 0x0c]: 0x07ff_f031,
      [aer + 0x10]: 0x0000_f1c1,
      [aer + 0x14]: 0x0000_f1c1,
      [aer + 0x18]: 0x0000_0fff,
    }),
  },
  {
    id: 'root-port-secondary-express',
    reason: 'card',
    where: 'root port secondary PCI Express capability',
    qemu: 'there is none: bytes there keep what is written',
    ours: 'equalisation control and lane errors',
    why: 'a port of 8 GT/s must have it; QEMU has a port of 2.5 GT/s',
    source: 'PCI Express base specification; place (M)',
    explains: bitsOf(ROOT, { [secondaryPcie]: DWORD, [secondaryPcie + 4]: DWORD, [secondaryPcie + 8]: DWORD }),
  },
  {
    id: 'root-port-bytes-without-register',
    reason: 'storage',
    where: 'root port configuration bytes that belong to no register',
    qemu: 'keep what is written',
    ours: 'read 0',
    why: 'QEMU makes all bytes beyond the header writable unless a capability says otherwise',
    source: 'qemu hw/pci/pci.c: pci_init_wmask',
    explains: all(unit('config'), named(ROOT), within([PCI_EXPRESS_END, 0x100], [SECONDARY_END, 0x1000]), oursIs(0n)),
  },
  {
    id: 'card-bytes-without-register',
    reason: 'card',
    where: 'configuration bytes of a card that belong to no register',
    qemu: 'keep what is written',
    ours: 'read 0',
    why: 'QEMU makes all bytes beyond the header writable unless a capability says otherwise',
    source: 'qemu hw/pci/pci.c: pci_init_wmask',
    explains: withoutRegister,
  },
  {
    id: 'root-port-bridge-control',
    reason: 'card',
    where: 'root port bridge control: ISA, VGA and VGA 16-bit enable',
    qemu: 'can be set',
    ours: 'read 0',
    why: 'they steer I/O, which the bridge does not forward',
    source: 'qemu hw/pci/pci.c: pci_init_mask_bridge; (M)',
    explains: bitsOf(ROOT, { 60: 0x001c_0000 }),
  },
  {
    id: 'config-during-bus-reset',
    reason: 'link',
    where: 'configuration space of the card while the root port resets the secondary bus',
    qemu: 'answers',
    ours: 'all ones: the link is down',
    why: 'a hot reset takes the link down until it is released and trained again',
    source: 'PCI Express base specification 4.2.5.11; skiboot hw/phb3.c: phb3_hreset',
    explains: all(unit('config'), named(CARD), oursAllOnes, ({ conditions, written }) => {
      const control = wireToDevice(written('config 00:00.0 60') ?? 0n);
      return !conditions.linkActive && (control & SECONDARY_BUS_RESET) !== 0;
    }),
  },
  {
    id: 'config-data-by-side-path',
    reason: 'choice',
    where: 'PHB_CONFIG_DATA in eight bytes through the ASB while PHB_CONFIG_ADDRESS is not enabled',
    qemu: 'all ones',
    ours: 'ones in the four bytes of the register',
    why: 'firmware has no such access; the ASB moves a word of which the register is the upper half',
    source: '(M)',
    explains: all(
      unit('config'),
      named('disabled'),
      qemuAllOnes,
      oursIs(0xffff_ffff_0000_0000n),
      ({ place }) => place.path === 'asb',
    ),
  },
  {
    id: 'card-message-count',
    reason: 'card',
    where: 'edu MSI control, multiple message enable',
    qemu: 'keeps what is written',
    ours: 'reads 0',
    why: 'the device has one message: more cannot be granted, and what is kept of it is left open',
    source: 'qemu hw/pci/msi.c: msi_init; PCI specification 6.8.1.3',
    explains: bitsOf(CARD, { 64: 0x0070_0000 }),
  },
];
