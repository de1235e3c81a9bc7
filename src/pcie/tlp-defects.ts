/**
 * Packets as a broken sender makes them: what a fault does to the next packets of a kind before they leave.
 * Each defect breaks one rule of tlp-checks.ts, the digest, or the data.
 */
import { isCompletion, PAGE_4K, type Tlp } from './tlp.js';
import { carriesData, dwordsTouched } from './tlp-header.js';

export const PACKET_DEFECTS = [
  'poisoned',
  'damaged-digest',
  'length-not-payload',
  'payload-too-long',
  'crosses-4k',
  'byte-enables',
  'undefined-type',
  'traffic-class',
] as const;
export type PacketDefect = (typeof PACKET_DEFECTS)[number];
export type PacketClass = 'write' | 'read' | 'completion' | 'message';

/** A message with routing 7, which is reserved. */
const UNDEFINED_TYPE = 0x7f;
const DWORD = 4;

/** The packet with the defect. A defect of the data leaves packets without data as they are. */
export function withDefect(tlp: Tlp, defect: PacketDefect, maxPayloadBytes: number): Tlp {
  switch (defect) {
    case 'poisoned':
      return carriesData(tlp) ? { ...tlp, poisoned: true } : tlp;
    case 'damaged-digest':
      return { ...tlp, digest: true, digestDamaged: true };
    case 'length-not-payload':
      return { ...tlp, header: { ...tlp.header, lengthDwords: dwordsTouched(tlp) + 1 } };
    case 'payload-too-long':
      return carriesData(tlp) ? resized(tlp, 2 * maxPayloadBytes) : tlp;
    case 'crosses-4k':
      return { ...resized(tlp, Math.max(tlp.lengthBytes, 2 * DWORD)), addressLo: lastDwordOfPage(tlp.addressLo) };
    case 'byte-enables':
      return { ...tlp, header: { ...tlp.header, ...wrongByteEnables(tlp) } };
    case 'undefined-type':
      return { ...tlp, header: { ...tlp.header, formatAndType: UNDEFINED_TYPE } };
    case 'traffic-class':
      return { ...tlp, trafficClass: 7 };
  }
}

/** Defects waiting for the packets they are meant for. */
export class PacketDefects {
  private readonly waiting: { readonly packets: PacketClass; readonly defect: PacketDefect; count: number }[] = [];

  plan(packets: PacketClass, defect: PacketDefect, count: number): void {
    if (count > 0) this.waiting.push({ packets, defect, count });
  }

  /** The packet as it leaves. */
  strike(tlp: Tlp, maxPayloadBytes: number): Tlp {
    if (this.waiting.length === 0) return tlp;
    const packets = classOf(tlp);
    const index = this.waiting.findIndex((plan) => plan.packets === packets);
    if (index < 0) return tlp;
    const plan = this.waiting[index]!;
    plan.count--;
    if (plan.count === 0) this.waiting.splice(index, 1);
    return withDefect(tlp, plan.defect, maxPayloadBytes);
  }
}

function classOf(tlp: Tlp): PacketClass {
  if (isCompletion(tlp)) return 'completion';
  if (tlp.kind === 'Msg') return 'message';
  return carriesData(tlp) ? 'write' : 'read';
}

function resized(tlp: Tlp, lengthBytes: number): Tlp {
  if (tlp.data === undefined) return { ...tlp, lengthBytes };
  const data = new Uint8Array(lengthBytes);
  data.set(tlp.data.subarray(0, lengthBytes));
  return { ...tlp, lengthBytes, data };
}

function lastDwordOfPage(address: number): number {
  return address - (address % PAGE_4K) + PAGE_4K - DWORD;
}

function wrongByteEnables(tlp: Tlp): { firstByteEnables: number } | { lastByteEnables: number } {
  return dwordsTouched(tlp) === 1 ? { lastByteEnables: 0xf } : { firstByteEnables: 0 };
}
