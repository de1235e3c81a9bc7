/** Differences in DMA: which bytes arrive in memory or in the device. */
import { fieldMask, getField, msbMask } from '../../../../src/hw/bits.js';
import { PHB_REGISTERS } from '../../../../src/ioda2/registers/phb.js';
import { IODA_TABLES } from '../../../../src/ioda2/tables.js';
import { EDU_COMMAND, EDU_REGISTERS } from '../../../../src/pcie/edu-registers.js';
import type { Difference } from '../compare.js';
import { MEMORY_BYTES } from '../live-qemu.js';
import { CARD, PHB_BASE, type Step } from '../steps.js';
import { all, type DifferenceRule, unit } from './rule.js';

const TVE_INVALID = msbMask(26);
const OUT_OF_RANGE = msbMask(28);
const BUS_MASK = 0x3_ffff_ffff_ffffn;
const BUS_MASTER = 0x0400n;
const DMA_COMMAND = EDU_REGISTERS.DMA_COMMAND.at;
const START = BigInt(EDU_COMMAND.START);
const EDU_BAR_BYTES = 2 ** 20;
const TCE_KILL = PHB_BASE + PHB_REGISTERS.get('PHB_TCE_KILL').offset;

const inbound =
  (bit: bigint) =>
  ({ conditions }: Difference): boolean =>
    (conditions.inboundErrors & bit) !== 0n;

/** Ours left memory as the client had it, or the device's buffer empty. */
const nothingArrived = ({ ours, stored }: Difference): boolean => ours === 0n || ours === stored;

/** Alike up to some byte, from there on QEMU has ones and ours nothing. */
function onesFromSomewhereOn({ qemu, ours, place, stored }: Difference): boolean {
  if (ours === stored) return qemu === 2n ** BigInt(8 * place.size) - 1n;
  const bytes = (value: bigint): string => value.toString(16).padStart(2 * place.size, '0');
  const [theirs, own] = [bytes(qemu), bytes(ours)];
  const alike = [...theirs].findIndex((digit, at) => digit !== own[at]);
  return /^f+$/.test(theirs.slice(alike)) && /^0+$/.test(own.slice(alike));
}

const before = ({ steps, step }: Difference) => steps.slice(0, step);
type Store = Extract<Step, { do: 'write' }>;
const stores = (difference: Difference): Store[] => before(difference).filter((each) => each.do === 'write');
const isTce = ({ size, at }: Store): boolean => size === 8 && at < MEMORY_BYTES;
const isDmaCommand = ({ at, value }: Store): boolean =>
  at >= MEMORY_BYTES && at < PHB_BASE && at % EDU_BAR_BYTES === DMA_COMMAND && (value & START) !== 0n;

const tceAboveTheBus = (difference: Difference): boolean =>
  stores(difference).some((each) => isTce(each) && (each.value & ~BUS_MASK) !== 0n);

/** An entry of memory was changed while the chip may hold what it was. */
function staleTce(difference: Difference): boolean {
  const used = new Map<number, bigint>();
  const written = new Map<number, bigint>();
  for (const store of stores(difference)) {
    if (store.at === TCE_KILL) used.clear();
    else if (isTce(store)) written.set(store.at, store.value);
    else if (isDmaCommand(store)) {
      for (const [at, value] of written) {
        const held = used.get(at);
        if (held !== undefined && held !== value) return true;
        used.set(at, value);
      }
    }
  }
  return false;
}

const everGiven =
  (key: string, test: (value: bigint) => boolean) =>
  ({ given }: Difference): boolean =>
    given(key).some(test);
const quiesced = everGiven(
  `register PHB_QUIESCE_DMA_G ${PHB_REGISTERS.get('PHB_QUIESCE_DMA_G').offset}`,
  (value) => (value & fieldMask(PHB_REGISTERS.field('PHB_QUIESCE_DMA_G', 'QUIESCE').at)) !== 0n,
);
/** log2 of the page bytes, less 11; 0 stands for a table that does not translate. */
const PAGE_SIZE_FIELDS = [0, 1, 5, 13, 17];
const PAGE_SIZE_MASK = 0x1fn;
const oddPageSizeGiven = ({ given }: Difference): boolean =>
  Array.from({ length: IODA_TABLES.TVT.entries }, (_, index) => given(`table TVT ${index}`)).some((values) =>
    values.some((value) => !PAGE_SIZE_FIELDS.includes(Number(value & PAGE_SIZE_MASK))),
  );
const RTC_INVALIDATE = PHB_REGISTERS.get('PHB_RTC_INVALIDATE').offset;
const rtcField = (name: string) => PHB_REGISTERS.field('PHB_RTC_INVALIDATE', name).at;
const otherRequesterInvalidated = everGiven(
  `register PHB_RTC_INVALIDATE ${RTC_INVALIDATE}`,
  (value) => getField(value, rtcField('ALL')) === 0n && getField(value, rtcField('RID')) !== BigInt(CARD),
);
const pestbWritten = ({ place, given }: Difference): boolean =>
  place.unit === 'memory' &&
  Array.from({ length: 256 }, (_, pe) => pe).some((pe) =>
    given(`table PESTB ${pe}`).some((value) => value >> 63n === 1n),
  );

export const DMA_RULES: readonly DifferenceRule[] = [
  {
    id: 'dma-read-of-an-msi-range',
    reason: 'unchecked',
    where: 'DMA reads from the 32-bit or 64-bit MSI range',
    qemu: 'ones',
    ours: 'no data: bad address space',
    why: 'message interrupts can only be written; QEMU answers from its message region',
    source: 'qemu pnv_phb3_msi_write, phb3_msi_ops; Facts: ioda2-phb3 6.3.2 (M)',
    explains: all(unit('memory'), inbound(OUT_OF_RANGE), onesFromSomewhereOn),
  },
  {
    id: 'dma-out-of-range',
    reason: 'unchecked',
    where:
      'DMA past the table of a TVE, outside the bounds of an untranslated TVE, or below 4 GiB in a first window that does not translate',
    qemu: 'goes through: the index wraps, bounds do not count',
    ours: 'refused, TVE range error',
    why: 'a window protects memory outside it only if its ends are checked',
    source: 'skiboot hw/phb3.c: phb3_map_pe_dma_window_real; qemu pnv_phb3_translate_tve',
    explains: all(unit('memory'), inbound(OUT_OF_RANGE), nothingArrived),
  },
  {
    id: 'dma-odd-page-size',
    reason: 'unchecked',
    where: 'TVE page size fields other than 0, 1, 5, 13 and 17',
    qemu: 'any power of two is a page size',
    ours: 'refused, invalid TVE',
    why: 'the chip has 4 KiB, 64 KiB, 16 MiB and 256 MiB pages',
    source: 'skiboot hw/phb3.c: phb3_add_properties (ibm,supported-tce-sizes)',
    explains: all(unit('memory'), inbound(TVE_INVALID), nothingArrived, oddPageSizeGiven),
  },
  {
    id: 'dma-tce-above-the-bus',
    reason: 'choice',
    where: 'TCEs with address bits above the 50 of the bus',
    qemu: 'all bits count: no such memory',
    ours: 'the bits are cut off',
    why: 'addresses of the processor bus have 50 bits',
    source: 'qemu pnv_phb3_translate_tve; (M)',
    explains: all(unit('memory'), tceAboveTheBus),
  },
  {
    id: 'dma-root-port-bus-master',
    reason: 'empty',
    where: 'DMA while the bus master bit of the root port is off',
    qemu: 'goes through',
    ours: 'refused by the root port',
    why: 'a bridge forwards requests upward only as bus master',
    source: 'PCI-to-PCI bridge architecture; skiboot hw/phb3.c: phb3_init_rc_cfg',
    explains: all(
      unit('memory'),
      nothingArrived,
      everGiven('config 00:00.0 4', (value) => (value & BUS_MASTER) === 0n),
    ),
  },
  {
    id: 'dma-of-a-frozen-pe',
    reason: 'errors',
    where: 'DMA of a PE whose DMA half is frozen',
    qemu: 'goes through',
    ours: 'nothing arrives, nothing is recorded',
    why: 'that is what a freeze is; QEMU has none',
    source: 'linux pci_iov_resource_on_powernv.rst; lopar R1-8',
    explains: all(pestbWritten, nothingArrived),
  },
  {
    id: 'dma-quiesced',
    reason: 'empty',
    where: 'DMA while PHB_QUIESCE_DMA_G holds it',
    qemu: 'goes through',
    ours: 'waits until it is released',
    why: 'QEMU stores the bit only',
    source: 'qemu pnv_phb3_reg_write; (M)',
    explains: all(unit('memory'), quiesced),
  },
  {
    id: 'rtc-invalidate-one',
    reason: 'wrong',
    where: 'DMA after an RTT entry was changed and the RTC invalidated for another requester',
    qemu: 'the change counts: every invalidation drops all',
    ours: 'the cached PE goes on',
    why: 'the command names a requester; only that one is dropped',
    source: 'skiboot hw/phb3.c: phb3_set_pe; qemu pnv_phb3_rtc_invalidate',
    explains: all(unit('memory'), otherRequesterInvalidated, nothingArrived),
  },
  {
    id: 'tce-cache',
    reason: 'empty',
    where: 'DMA after a TCE was changed without PHB_TCE_KILL',
    qemu: 'the change counts at once',
    ours: 'the cached TCE goes on',
    why: 'QEMU reads the table at each access; the chip caches TCEs until told',
    source: 'linux pci-ioda-tce.c: pnv_pci_phb3_tce_invalidate',
    explains: all(unit('memory'), staleTce),
  },
];
