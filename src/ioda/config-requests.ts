/**
 * Configuration cycles as requests over the link: how CONFIG_DATA may be touched, the packet, and what the processor gets.
 * Facts: ioda2-phb3 6.1, ioda1-p7ioc 6.1. Which PE pays, and what stops a cycle before, is the chip's own.
 */
import type { RootPortRoute } from '../pcie/root-port.js';
import { configRead, configWrite } from '../pcie/tlp.js';
import { allOnes, bytesToValue, swapConfig, valueToBytes } from './byte-order.js';
import type { OutboundOutcome, OutboundRequest } from './outbound-requests.js';
import type { RegisterStore } from './register-store.js';

/** One access to CONFIG_DATA: bytes `offset`..`offset + sizeBytes - 1` of the doubleword that CONFIG_ADDRESS names. */
export interface ConfigDataAccess {
  readonly offset: number;
  readonly sizeBytes: 1 | 2 | 4;
}

export interface ConfigTarget {
  readonly id: number;
  readonly register: number;
}

/** A cycle that goes over the link. */
export interface ConfigCycle {
  readonly target: ConfigTarget;
  readonly route: Exclude<RootPortRoute, 'self' | 'none'>;
  readonly sizeBytes: 1 | 2 | 4;
  /** PE charged if it fails. */
  readonly pe: number;
}

export type AddressRegister = RegisterStore<'PHB_CONFIG_ADDRESS'>;

/** Requester of everything the processor sends: the root complex itself. */
const ROOT_COMPLEX = { requesterId: 0, tag: 0 };
/** What a vendor id read returns while the device asks for a retry and software can see that. Source: PCIe 2.3.2. */
const CRS_VENDOR_ID = 0xffff_0001;
const DATA_BYTES = 4;

export function isAligned({ offset, sizeBytes }: ConfigDataAccess): boolean {
  return offset + sizeBytes <= DATA_BYTES && offset % sizeBytes === 0;
}

/** What CONFIG_ADDRESS names. The doubleword is what counts: the bytes come from where CONFIG_DATA is touched. */
export function configTarget(registers: AddressRegister, { offset }: ConfigDataAccess): ConfigTarget {
  const field = (name: string): number => Number(registers.field('PHB_CONFIG_ADDRESS', name));
  return { id: field('BDFN'), register: (field('REGISTER') & ~3) + offset };
}

export function isEnabled(registers: AddressRegister): boolean {
  return registers.field('PHB_CONFIG_ADDRESS', 'ENABLE') === 1n;
}

export function readRequest(cycle: ConfigCycle, ticket: number): OutboundRequest {
  const { sizeBytes, pe } = cycle;
  const tlp = configRead(ROOT_COMPLEX, destination(cycle), sizeBytes);
  return { operation: 'config-read', pe, address: 0n, sizeBytes, ticket, tlp };
}

/** Nobody waits for the end of a write. */
export function writeRequest(cycle: ConfigCycle, value: bigint): OutboundRequest {
  const { sizeBytes, pe } = cycle;
  const tlp = configWrite(ROOT_COMPLEX, destination(cycle), valueToBytes(value, sizeBytes));
  return { operation: 'config-write', pe, address: 0n, sizeBytes, ticket: undefined, tlp };
}

function destination({ target: { id, register }, route }: ConfigCycle) {
  return { target: id, register, type: route === 'type0' ? 0 : 1 } as const;
}

/** What the processor gets when the request has ended. */
export function answerOf(request: OutboundRequest, outcome: OutboundOutcome, data: Uint8Array | undefined): bigint {
  const { sizeBytes } = request;
  if (outcome === 'crs-visible') return swapConfig(CRS_VENDOR_ID, DATA_BYTES) >> BigInt(8 * (DATA_BYTES - sizeBytes));
  return outcome === 'SC' && data ? bytesToValue(data) : allOnes(sizeBytes);
}
