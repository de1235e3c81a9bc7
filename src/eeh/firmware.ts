/**
 * What the kernel uses of the firmware: the OPAL calls as processes, and the facts the device tree would tell.
 * The firmware shim satisfies `OpalCalls` by its shape; tests put a scripted one in its place.
 * Arguments, results and property names: facts opal-pci 5, 10.
 */
import type { Process } from '../sim/process.js';

export interface ConfigReadResult {
  readonly rc: number;
  readonly value: number;
}

export interface FreezeStatusResult {
  readonly rc: number;
  readonly freezeState: number;
  readonly errorType: number;
  readonly severity: number;
}

export interface NextErrorResult {
  readonly rc: number;
  readonly firstFrozenPe: bigint;
  readonly errorType: number;
  readonly severity: number;
}

export interface DiagDataResult {
  readonly rc: number;
  readonly data: Uint8Array;
}

export interface SetPeRequest {
  readonly pe: number;
  readonly rid: number;
  readonly match: { readonly bus: number; readonly device: number; readonly function: number };
  readonly action: number;
}

export interface MmioSegmentRequest {
  readonly pe: number;
  readonly type: number;
  readonly window: number;
  readonly segment: number;
}

export interface DmaWindowRequest {
  readonly pe: number;
  readonly window: number;
  readonly levels: number;
  readonly tableAddress: bigint;
  readonly tableBytes: bigint;
  readonly pageBytes: bigint;
}

export interface BypassWindowRequest {
  readonly pe: number;
  readonly window: number;
  readonly pciStart: bigint;
  readonly size: bigint;
}

export interface MemWindowRequest {
  readonly type: number;
  readonly window: number;
  readonly address: bigint;
  readonly size: bigint;
}

export interface InjectRequest {
  readonly pe: number;
  readonly type: number;
  readonly function: number;
  readonly address: bigint;
  readonly mask: bigint;
}

/** A place in configuration space. */
export interface ConfigPlace {
  readonly bdfn: number;
  readonly offset: number;
  readonly size: 1 | 2 | 4;
}

export interface OpalCalls {
  pciConfigRead(phbId: number, bdfn: number, offset: number, size: 1 | 2 | 4): Process<ConfigReadResult>;
  pciConfigWrite(phbId: number, at: ConfigPlace, value: number): Process<number>;
  pciSetPe(phbId: number, request: SetPeRequest): Process<number>;
  pciSetPeltv(phbId: number, parent: number, child: number, action: number): Process<number>;
  pciMapPeMmioWindow(phbId: number, request: MmioSegmentRequest): Process<number>;
  pciMapPeDmaWindow(phbId: number, request: DmaWindowRequest): Process<number>;
  pciMapPeDmaWindowReal(phbId: number, request: BypassWindowRequest): Process<number>;
  pciSetPhbMemWindow(phbId: number, request: MemWindowRequest): Process<number>;
  /** Bridges of the first kind: entry `mve` lets in messages of the requesters of a PE, once it is enabled. */
  pciSetMve(phbId: number, mve: number, pe: number): Process<number>;
  pciSetMveEnable(phbId: number, mve: number, state: number): Process<number>;
  pciPhbMmioEnable(phbId: number, type: number, window: number, enable: number): Process<number>;
  pciEehFreezeStatus(phbId: number, pe: number): Process<FreezeStatusResult>;
  pciEehFreezeClear(phbId: number, pe: number, action: number): Process<number>;
  pciEehFreezeSet(phbId: number, pe: number, action: number): Process<number>;
  pciNextError(phbId: number): Process<NextErrorResult>;
  pciGetPhbDiagData2(phbId: number): Process<DiagDataResult>;
  pciReset(id: number | bigint, scope: number, assertState: number): Process<number>;
  pciPoll(id: number | bigint): Process<number>;
  pciReinit(phbId: number, bdfn: number): Process<number>;
  pciGetPresenceState(id: number | bigint): Process<PresenceResult>;
  pciErrInject(phbId: number, request: InjectRequest): Process<number>;
  /** Of the hub above P7IOC bridges; firmware without hubs does not have the call. */
  pciGetHubDiagData?(hubId: bigint): Process<DiagDataResult>;
  /** Of a slot. Firmware may lack the call. */
  pciGetPowerState?(id: number | bigint): Process<PresenceResult>;
  /** The result that the completion message brings. Firmware may lack the call. */
  pciSetPowerState?(id: number | bigint, state: number): Process<number>;
  /** 1: firmware knows the call. Absent: it knows all that the kernel makes. */
  checkToken?(token: number): Process<number>;
  /** Where an interrupt goes; the server number is shifted left by two, priority 0xff masks. */
  setXive(irq: number, server: number, priority: number): Process<number>;
  /** Where it goes now. */
  getXive(irq: number): Process<XiveResult>;
  /** The PE whose message may raise the interrupt; numbers count from the first message of the PHB. */
  pciSetXivePe(phbId: number, pe: number, xive: number): Process<number>;
  /** What a device must send, to a 64-bit address. */
  getMsi64(phbId: number, mve: number, xive: number, range: number): Process<MsiResult>;
  /** The end of a message interrupt, on bridges that count them. */
  pciMsiEoi?(phbId: number, irq: number): Process<number>;
  /** An interrupt the firmware owns fired; the mask of events that are up comes back. */
  handleInterrupt(isn: number): Process<EventResult>;
  pollEvents(): Process<EventResult>;
}

export interface PresenceResult {
  readonly rc: number;
  readonly state: number;
}

export interface XiveResult {
  readonly rc: number;
  readonly server: number;
  readonly priority: number;
}

export interface MsiResult {
  readonly rc: number;
  readonly address: bigint;
  readonly data: number;
}

export interface EventResult {
  readonly rc: number;
  readonly events: bigint;
}

/** One `pciex@` node. */
export interface PhbNode {
  /** ibm,opal-phbid */
  readonly phbId: number;
  /** `ibm,p7ioc-pciex`, `ibm,ioda2-phb` and so on; absent: a bridge of the second kind. */
  readonly compatible?: readonly string[];
  /** ibm,opal-hubid, of the hub a P7IOC bridge belongs to. */
  readonly hubId?: number | bigint;
  /** PCI domain; default: position among the PHBs. */
  readonly domain?: number;
  /** ibm,opal-num-pes, ibm,opal-reserved-pe */
  readonly totalPes: number;
  readonly reservedPe: number;
  /** The 32-bit window of `ranges`. */
  readonly m32: MemoryWindow;
  /** ibm,opal-m64-window. `bar`: the M64 BAR the kernel spends on it, the last one of the available range. */
  readonly m64?: MemoryWindow & { readonly bar?: number };
  /** ibm,opal-tce-kill */
  readonly tceKillAddress: number;
  /** The register page, first of `reg`. Only debugfs reaches it. */
  readonly registers?: number;
  /** ibm,opal-msi-ranges: global numbers of the message interrupts. */
  readonly msiRange?: { readonly first: number; readonly count: number };
  /** interrupt-map: the global number of INTA, the three others following. */
  readonly lsiBase?: number;
  /** ibm,phb-diag-data-size */
  readonly diagDataBytes: number;
  /** ibm,io-base-loc-code of the PHB node; firmware in the field does not put it there. */
  readonly baseLocationCode?: string;
  /** Device nodes by bdfn, if firmware enumerated. Without them the kernel probes for devices itself. */
  readonly devices?: readonly number[];
  readonly slots?: readonly SlotNode[];
}

export interface MemoryWindow {
  readonly cpuBase: number;
  readonly pciBase: number;
  readonly sizeBytes: number;
}

/** The slot properties on a bridge's node. */
export interface SlotNode {
  /** bdfn of the bridge above the slot. */
  readonly bridge: number;
  /** ibm,slot-label */
  readonly label?: string;
  /** ibm,slot-location-code */
  readonly locationCode?: string;
  /** ibm,reset-by-firmware: absent, the kernel drives the bridge control register itself. */
  readonly reset: 'by-firmware' | 'by-kernel';
  /** Whether the hotplug driver registered the slot. */
  readonly hotplug: 'registered' | 'none';
  /** ibm,slot-surprise-pluggable: the port interrupts when a card comes or goes. */
  readonly surprisePluggable?: boolean;
  /** ibm,slot-broken-pdc: only changes of the link are to be trusted. */
  readonly brokenPdc?: boolean;
}
