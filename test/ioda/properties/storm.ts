/**
 * A storm: anything that software and devices can do to a bridge, as records that shrink. No reference here: whatever
 * happens, nothing may throw or hang. What each chip can be assailed by stands in a file of its own.
 */
import fc from 'fast-check';
import type { AccessSize } from '../../../src/hw/host-port.js';
import { errorMessage, memoryRead, memoryWrite, message, type Tlp } from '../../../src/pcie/tlp.js';
import { halves, type Rig as P7iocRig } from '../../ioda1/rig.js';
import type { Rig as Phb3Rig } from '../../ioda2/rig.js';

export type AnyRig = P7iocRig | Phb3Rig;

/** A chip in a storm. `R` is its rig, `G` one thing that may happen to it. */
export interface StormyChip<R, G> {
  readonly name: string;
  /** How much longer its runs take than PHB3's: so many times fewer are made. */
  readonly cost: number;
  booted(options?: { readonly eventBudget: number }): R;
  /** What reaches the PHB itself: a reset of it is to undo all of that. */
  readonly insideThePhb: fc.Arbitrary<G>;
  readonly anything: fc.Arbitrary<G>;
  blow(gust: G, rig: R): bigint | undefined;
  answerBytes(gust: G): number;
  /** What a fence makes of this door. */
  fencedDoor(gust: G): 'reads ones' | 'side path' | 'no answer';
  fence(rig: R): void;
  isFenced(rig: R): boolean;
  /** Sets again what the fence above needs, whatever a storm has made of it. */
  setEnables(rig: R): void;
  /** From whatever state: reset and initialisation over cleared tables. */
  recover(rig: R): void;
  everything(rig: R): Record<string, string>;
  readonly version: bigint;
  /** Sets a message interrupt up and sends it; true if it came through. */
  message(rig: R): boolean;
  /** Where the card's DMA window begins. */
  readonly dma: bigint;
  m32(pe: number, offset?: number): number;
  m64(pe: number, offset?: number): number;
}

/** One of the chips: its gusts go back only to where they came from. */
export type Site = StormyChip<AnyRig, unknown>;

export interface PacketGust {
  readonly door: 'packet';
  readonly kind: 'MRd' | 'MWr' | 'Msg' | 'Err' | 'Cpl' | 'CplD' | 'CfgRd0';
  readonly rid: number;
  readonly address: bigint;
  readonly length: number;
  readonly code: number;
}

export const packets = (address: fc.Arbitrary<bigint>): fc.Arbitrary<PacketGust> =>
  fc.record({
    door: fc.constant('packet' as const),
    kind: fc.constantFrom('MRd', 'MWr', 'MWr', 'Msg', 'Err', 'Cpl', 'CplD', 'CfgRd0'),
    rid: fc.constantFrom(0, 0x0100, 0x0101, 0x0108, 0x0200, 0xffff),
    ...{ address, length: fc.constantFrom(1, 2, 4, 16, 64, 128, 512), code: fc.nat(0x7f) },
  });

export function packetOf({ kind, rid: requesterId, address, length, code }: PacketGust): Tlp {
  const at = halves(address);
  switch (kind) {
    case 'MRd':
      return memoryRead({ requesterId, tag: code }, at, length);
    case 'MWr':
      return memoryWrite(
        requesterId,
        at,
        Uint8Array.from({ length }, (_, index) => code + index),
      );
    case 'Msg':
      return message(requesterId, code);
    case 'Err':
      return errorMessage(requesterId, (['ERR_COR', 'ERR_NONFATAL', 'ERR_FATAL'] as const)[code % 3]!);
    case 'Cpl':
    case 'CplD':
    case 'CfgRd0':
      return {
        ...{ kind, requesterId, tag: code, addressHi: 0, addressLo: 0, lengthBytes: 4, status: 'SC', byteCount: 4 },
        ...(kind === 'CplD' ? { data: Uint8Array.of(1, 2, 3, 4) } : {}),
        ...(kind === 'CfgRd0' ? { targetId: 0, register: 0 } : {}),
      };
  }
}

export function fitting(value: bigint, size: AccessSize): bigint {
  return value & ((1n << BigInt(8 * size)) - 1n);
}
