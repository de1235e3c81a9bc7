/** Differences in message interrupts and forced interrupts. */
import { PBCQ_NEST_REGISTERS } from '../../../../src/ioda2/registers/pbcq.js';
import type { Difference } from '../compare.js';
import { IVT } from '../sequences/msi.js';
import { all, any, type DifferenceRule, onlyBits, register, unit } from './rule.js';

const BAR_ENABLE = `nest BAR_ENABLE ${PBCQ_NEST_REGISTERS.get('BAR_ENABLE').offset}`;
const ROUTING_ENABLES = 0x18n << 56n;
const FFI_LOCKED = 1n << 63n;
const NUMBER = 0xff_ffffn;
const UPPER_HALF_OF_64 = 32n;

const IVT_STRIDE = 16;
const LEVELS = { first: 0x7f8, last: 0x7ff } as const;
/** P and Q of a vector. */
const PENDING = 0x0101_0000n;
const sourceIn = (value: bigint): number => Number(taken(value) & 0x7ffn);

const taken = (value: bigint): bigint => value & NUMBER;
const frozenDma = ({ conditions, given }: Difference): boolean =>
  conditions.frozenPes.some((pe) => given(`table PESTB ${pe}`).some((value) => value >> 63n === 1n));

export const INTERRUPT_RULES: readonly DifferenceRule[] = [
  {
    id: 'routing-enables',
    reason: 'unchecked',
    where: 'interrupts while BAR_ENABLE lacks IRSN receive or transmit',
    qemu: 'delivered',
    ours: 'not delivered',
    why: 'firmware enables both before interrupts are to come; QEMU stores the bits',
    source: 'skiboot hw/phb3.c: phb3_probe_pbcq; qemu pnv_pbcq_nest_xscom_write',
    explains: all(
      unit('presenter'),
      ({ ours }) => taken(ours) === 0n,
      ({ written }) => ((written(BAR_ENABLE) ?? 0n) & ROUTING_ENABLES) !== ROUTING_ENABLES,
    ),
  },
  {
    id: 'msi-of-a-frozen-pe',
    reason: 'errors',
    where: 'MSIs of a PE whose DMA half is frozen: vector in memory and presentation',
    qemu: 'delivered',
    ours: 'discarded, P and Q stay as they are',
    why: 'a message is a DMA write; QEMU has no freeze',
    source: 'lopar: MSIs are blocked by DMA stopped',
    explains: all(unit('presenter', 'memory'), frozenDma),
  },
  {
    id: 'msi-of-a-level-source',
    reason: 'choice',
    where: 'MSIs of sources 0x7f8 to 0x7ff: vector in memory and presentation',
    qemu: 'dropped: sources of levels are no messages',
    ours: 'handled as any other',
    why: 'the vector table has 2048 entries, and no source says that the last eight are refused',
    source: 'qemu phb3_msi_ive_addr; (M)',
    explains: any(
      all(unit('memory'), ({ place, stored, qemu, ours }) => {
        const source = (place.index - IVT) / IVT_STRIDE;
        return (
          LEVELS.first <= source && source <= LEVELS.last && qemu === stored && (ours & ~PENDING) === (qemu & ~PENDING)
        );
      }),
      all(unit('presenter'), ({ ours }) => LEVELS.first <= sourceIn(ours) && sourceIn(ours) <= LEVELS.last),
    ),
  },
  {
    id: 'rejected-source-is-lost',
    reason: 'wrong',
    where: 'rejected MSIs of sources whose number modulo 64 is 32 or more',
    qemu: 'never presented again: a 32-bit mask loses them',
    ours: 'presented again',
    why: 'a defect of QEMU: a rejected interrupt must come back',
    source: 'qemu phb3_msi_reject',
    explains: all(
      unit('presenter'),
      ({ qemu, ours }) => taken(qemu) === 0n && taken(ours) !== 0n && taken(ours) % 64n >= UPPER_HALF_OF_64,
    ),
  },
  {
    id: 'ffi-frees-the-lock',
    reason: 'wrong',
    where: 'PHB_FFI_LOCK after PHB_FFI_REQUEST without the lock clear bit',
    qemu: 'every request frees the lock',
    ours: 'only one with bit 3 does',
    why: 'firmware sets the bit to free the lock',
    source: 'skiboot hw/phb3.c: phb3_pci_msi_check_q; qemu pnv_phb3_msi_ffi',
    explains: all(register('PHB_FFI_LOCK'), onlyBits(FFI_LOCKED)),
  },
];
