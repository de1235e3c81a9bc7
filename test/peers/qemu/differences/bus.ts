/** Differences on the processor bus and in the SCOM registers of the queue. */
import { fieldMask } from '../../../../src/hw/bits.js';
import { PBCQ_NEST_REGISTERS } from '../../../../src/ioda2/registers/pbcq.js';
import { PHB_REGISTERS } from '../../../../src/ioda2/registers/phb.js';
import type { Difference } from '../compare.js';
import { ONES } from '../steps.js';
import {
  all,
  any,
  type DifferenceRule,
  named,
  onlyBits,
  oursAllOnes,
  oursIs,
  qemuIs,
  unit,
  writtenWith,
} from './rule.js';

const BUS_MASK = 0x3_ffff_ffff_ffffn;

const implemented = (register: 'IRSN_COMPARE' | 'IRSN_MASK' | 'LSI_SOURCE_ID', field: string): bigint =>
  fieldMask(PBCQ_NEST_REGISTERS.field(register, field).at);

/** What QEMU's queue has; the rest reads 0. */
const NEST_IN_QEMU = [
  ...['MMIO_BAR0', 'MMIO_BAR1', 'PHB_BAR', 'MMIO_MASK0', 'MMIO_MASK1', 'BAR_ENABLE'],
  ...['IRSN_COMPARE', 'IRSN_MASK', 'LSI_SOURCE_ID'],
];
const PCI_IN_QEMU = ['ASB_BAR'];
const SPCI_IN_QEMU = ['ASB_ADDRESS', 'ASB_STATUS'];

const BAR_ENABLE = `nest BAR_ENABLE ${PBCQ_NEST_REGISTERS.get('BAR_ENABLE').offset}`;
const M32_MASK = `register PHB_M32_BASE_MASK ${PHB_REGISTERS.get('PHB_M32_BASE_MASK').offset}`;
const QUEUE_BYTES = 2n ** 31n;
const MEMORY_BARS = 0xc0n << 56n;
/** The memory decoders of the queue were open, were closed, and are open again. */
function decodersReopened({ given }: Difference): boolean {
  const values = given(BAR_ENABLE).map((value) => value & MEMORY_BARS);
  const closed = values.findIndex((value, at) => at > 0 && value !== MEMORY_BARS);
  return closed > 0 && values.slice(closed).includes(MEMORY_BARS);
}

/** Limit below base, as it was last written. The data window is little-endian. */
function rootPortWindowClosed({ written }: Difference): boolean {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(Number((written('config 00:00.0 32') ?? 0n) & 0xffff_ffffn));
  const [base, limit] = [bytes.readUInt16LE(0) & 0xfff0, bytes.readUInt16LE(2) & 0xfff0];
  return limit < base;
}

export const BUS_RULES: readonly DifferenceRule[] = [
  {
    id: 'unclaimed-address',
    reason: 'choice',
    where: 'loads from addresses that nobody claims',
    qemu: '0',
    ours: 'all ones',
    why: "a load that fails reads ones on this machine; QEMU's 0 is that of its unassigned memory",
    source: 'lopar sec_rtas_error_indications; (M)',
    explains: all(unit('elsewhere'), qemuIs(0n), oursAllOnes),
  },
  {
    id: 'scoms-left-out',
    reason: 'empty',
    where: 'nest FIR, mode, configuration, scope BARs; PCI side credits and ETU reset; SPCI CAPP registers',
    qemu: 'reads 0, writes are lost',
    ours: 'keep what is written; the nest FIR and the ETU reset act',
    why: 'QEMU has the BARs, the interrupt routing and the side path only',
    source: 'qemu pnv_pbcq_nest_xscom_write, pnv_pbcq_pci_xscom_write; skiboot hw/phb3.c: phb3_creset',
    explains: all(
      unit('nest', 'pci', 'spci'),
      (difference) => !named(...NEST_IN_QEMU, ...PCI_IN_QEMU, ...SPCI_IN_QEMU)(difference),
      qemuIs(0n),
    ),
  },
  {
    id: 'routing-spare-bits',
    reason: 'choice',
    where: 'IRSN_COMPARE, IRSN_MASK, LSI_SOURCE_ID beyond their fields',
    qemu: 'not implemented: read 0',
    ours: 'kept, without effect',
    why: 'no source says which bits the registers have beyond those in use',
    source: 'qemu pnv_pbcq_nest_xscom_write; (M)',
    explains: any(
      all(unit('nest'), named('IRSN_COMPARE'), onlyBits(ONES & ~implemented('IRSN_COMPARE', 'BASE'))),
      all(unit('nest'), named('IRSN_MASK'), onlyBits(ONES & ~implemented('IRSN_MASK', 'MASK'))),
      all(unit('nest'), named('LSI_SOURCE_ID'), onlyBits(ONES & ~implemented('LSI_SOURCE_ID', 'LSI_SOURCE_ID'))),
    ),
  },
  {
    id: 'failed-load',
    reason: 'wrong',
    where: 'loads that reach no device: outside all windows, beyond a BAR, memory space off, a size the device refuses',
    qemu: '0',
    ours: 'all ones, and the error is recorded',
    why: 'software tells a failed load by its ones and then asks for the state of the PE',
    source: 'lopar sec_rtas_error_indications; linux arch/powerpc/kernel/eeh.c',
    explains: all(unit('window'), qemuIs(0n), oursAllOnes),
  },
  {
    id: 'load-from-a-frozen-pe',
    reason: 'errors',
    where: 'loads through M32 and M64 windows while the PE is frozen',
    qemu: 'the device answers',
    ours: 'all ones, and nothing reaches the link',
    why: 'that is what a freeze is; QEMU has none',
    source: 'linux pci_iov_resource_on_powernv.rst; skiboot hw/phb3.c: phb3_eeh_freeze_set',
    explains: all(unit('window'), oursAllOnes, ({ conditions }) => conditions.frozenPes.length > 0),
  },
  {
    id: 'nvme-version',
    reason: 'card',
    where: 'version register of the nvme disk',
    qemu: '1.4',
    ours: '1.2',
    why: 'our disk has the commands of the older specification',
    source: 'qemu hw/nvme/ctrl.c: nvme_init_ctrl',
    explains: all(
      unit('window'),
      ({ card, place }) => card === 'nvme' && place.index % 0x1000 === 8,
      qemuIs(0x0004_0100n),
      oursIs(0x0002_0100n),
    ),
  },
  {
    id: 'm32-base-above-the-bus',
    reason: 'choice',
    where: 'PHB_M32_BASE_ADDR with bits above the 50 of the bus',
    qemu: 'the window matches nothing',
    ours: 'the bits do not count',
    why: 'firmware never sets them',
    source: 'qemu pnv_phb3_check_m32; (M)',
    explains: all(unit('window'), qemuIs(0n), writtenWith('PHB_M32_BASE_ADDR', ~BUS_MASK & ONES)),
  },
  {
    id: 'm32-larger-than-its-bar',
    reason: 'choice',
    where: 'PHB_M32_BASE_MASK for more than the 2 GiB that the queue lets through',
    qemu: 'the window matches nothing',
    ours: 'what the queue lets through is sent',
    why: 'the bridge does not know the windows of the queue; firmware gives both the same size',
    source: 'qemu pnv_phb3_check_m32; (M)',
    explains: all(unit('window'), qemuIs(0n), ({ written }) => BUS_MASK + 1n - (written(M32_MASK) ?? 0n) > QUEUE_BYTES),
  },
  {
    id: 'windows-forgotten',
    reason: 'wrong',
    where: 'loads through M32 after BAR_ENABLE closed the memory windows of the queue and opened them again',
    qemu: '0, until a register of M32 changes',
    ours: 'the window is as it was',
    why: 'the enables are those of the queue; the registers of the bridge keep what they say',
    source: 'qemu pnv_pbcq_update_map, pnv_phb3_check_m32',
    explains: all(unit('window'), qemuIs(0n), decodersReopened),
  },
  {
    id: 'root-port-window-outbound',
    reason: 'choice',
    where: 'outbound loads outside the memory windows of the root port',
    qemu: 'not forwarded: 0',
    ours: 'forwarded',
    why: 'what the windows of the processor let through is sent; firmware programs the root port so that all inbound is accepted',
    source: '(M); skiboot hw/phb3.c: phb3_init_rc_cfg',
    explains: all(unit('window'), qemuIs(0n), rootPortWindowClosed),
  },
];
