/** A scripted firmware and a port with little behind it: enough of a machine to drive the kernel through every branch. */

import type { ConfigPlace, OpalCalls, PhbNode } from '../../src/eeh/firmware.js';
import { type KernelOptions, LinuxKernel } from '../../src/eeh/kernel.js';
import type { AccessSize, HostPort } from '../../src/hw/host-port.js';
import { InterruptController } from '../../src/hw/interrupts.js';
import { SystemMemory } from '../../src/hw/memory.js';
import {
  FreezeState,
  OpalEvent,
  OpalStatus,
  PciError,
  ResetAssert,
  ResetScope,
  Severity,
} from '../../src/opal/opal-api.js';
import { aerCapability } from '../../src/pcie/aer-capability.js';
import { type PciExpressOption, pciExpressCapability, powerManagementCapability } from '../../src/pcie/capabilities.js';
import { bridgeHeader } from '../../src/pcie/config-header.js';
import { ConfigSpace } from '../../src/pcie/config-space.js';
import { nicLayout } from '../../src/pcie/nic.js';
import { delay, type Process } from '../../src/sim/process.js';
import { Simulator } from '../../src/sim/simulator.js';
import { seconds, us } from '../../src/sim/time.js';

export const ROOT_PORT = 0x0000;
export const ENDPOINT = 0x0100;
export const FAR_ENDPOINT = 0x0200;
const CALL_NS = us(1);
const ALL_ONES_8 = 0xffff_ffff_ffff_ffffn;

export interface FakePhbOptions {
  /** Without power management the bus reset waits for nobody. */
  readonly powerManagement?: 'present';
  readonly port?: readonly PciExpressOption[];
  readonly maxSpeed?: 1 | 2 | 3;
  /** More functions of the endpoint: device ids. */
  readonly functions?: readonly number[];
  /** A bridge at 01:00.0 between root port and endpoint, which then is 02:00.0: a switch port, or conventional PCI. */
  readonly bridge?: { readonly kind: 'downstream' | 'conventional'; readonly options?: readonly PciExpressOption[] };
  readonly slot?: Partial<NonNullable<PhbNode['slots']>[number]>;
  readonly baseLocationCode?: string;
  readonly devices?: 'listed';
  readonly deviceId?: number;
  readonly vendorId?: number;
  readonly functionLevelReset?: 'present';
  readonly compatible?: readonly string[];
  readonly hubId?: bigint;
  readonly m64?: NonNullable<PhbNode['m64']>;
}

export type PhbCondition = 'ok' | 'fenced' | 'dead';
export type RegisterWrite = (offset: number, value: bigint) => void;
export type RegisterRead = (offset: number, size: AccessSize) => bigint;

const CPU_BASE = 0x3ff8_0000_0000;
const M32_BYTES = 0x7fff_0000;
const TCE_KILL = 0x3fff_e400_0210;

export class FakePhb {
  readonly functions = new Map<number, ConfigSpace>();
  readonly frozen = new Map<number, number>();
  condition: PhbCondition = 'ok';
  informative: 'pending' | 'none' = 'none';
  presence = 1;
  presenceRc: number = OpalStatus.SUCCESS;
  /** As firmware remembers it. */
  power = 1;
  powerRc: number = OpalStatus.SUCCESS;
  card: 'plugged' | 'gone' = 'plugged';
  diag: Uint8Array = new Uint8Array(4392);
  /** Answers of the coming resets, one list each: reset, then polls. Empty: the usual ones. */
  readonly resetScripts: number[][] = [];
  polls: number[] = [];
  /** A complete reset cures a fence this many resets later. */
  resetsToCure = 1;
  read: RegisterRead = () => 0n;
  write: RegisterWrite = () => {};
  /** Whose freeze cuts the card off. */
  readonly endpointPe: number = 0xfd;

  constructor(
    readonly id: number,
    options: FakePhbOptions,
  ) {
    this.functions.set(ROOT_PORT, rootPort(options));
    const endpoint = options.bridge === undefined ? ENDPOINT : FAR_ENDPOINT;
    if (options.bridge !== undefined) {
      this.functions.get(ROOT_PORT)!.set('SUBORDINATE_BUS', 2);
      this.functions.set(ENDPOINT, bridge(options.bridge));
      this.endpointPe = 0xfc;
    }
    for (const [fn, deviceId] of [options.deviceId ?? 0xf001, ...(options.functions ?? [])].entries()) {
      const layout = nicLayout({
        deviceId,
        ...(options.vendorId === undefined ? {} : { vendorId: options.vendorId }),
        ...(options.powerManagement ? { powerManagement: 'present' } : {}),
        ...(options.functionLevelReset ? { functionLevelReset: 'present' } : {}),
      });
      const space: ConfigSpace = new ConfigSpace<string>(`endpoint.${fn}`, layout);
      if (options.functions !== undefined) space.set('HEADER_TYPE', 0x80);
      this.functions.set(endpoint + fn, space);
    }
  }

  freeze(pe: number, bits = 3): void {
    this.frozen.set(pe, bits);
  }

  get blocked(): boolean {
    return this.condition !== 'ok';
  }
}

function rootPort(options: FakePhbOptions): ConfigSpace {
  const interruptPin = options.slot === undefined ? (0 as const) : (1 as const);
  const identity = { vendorId: 0x1014, deviceId: 0x03dc, classCode: 0x06_0400, capabilityPointer: 0x40, interruptPin };
  const layout = {
    ...bridgeHeader(identity),
    ...powerManagementCapability({ at: 0x40, next: 0x48 }),
    ...pciExpressCapability({
      ...{ at: 0x48, next: 0, port: 'rootPort', maxSpeed: options.maxSpeed ?? 3, maxWidth: 16 },
      options: options.port ?? ['slot', 'dll-active-reporting'],
    }),
    ...aerCapability({ at: 0x100, next: 0 }),
  };
  const space = new ConfigSpace('root port', layout);
  space.set('SECONDARY_BUS', 1);
  space.set('SUBORDINATE_BUS', 1);
  space.set('SLTSTA', 0x0040);
  space.set('LNKSTA', 0x3103);
  return space;
}

function bridge({ kind, options = ['slot'] }: NonNullable<FakePhbOptions['bridge']>): ConfigSpace {
  const capabilityPointer = kind === 'conventional' ? 0 : 0x48;
  const identity = { vendorId: 0x10b5, deviceId: 0x8725, classCode: 0x06_0400, capabilityPointer };
  const express = { at: 0x48, next: 0, port: 'downstream', maxSpeed: 3, maxWidth: 8, options } as const;
  const layout = {
    ...bridgeHeader(identity),
    ...(kind === 'conventional' ? {} : { ...pciExpressCapability(express), ...aerCapability({ at: 0x100, next: 0 }) }),
  };
  const space: ConfigSpace = new ConfigSpace<string>('bridge', layout);
  space.set('SECONDARY_BUS', 2);
  space.set('SUBORDINATE_BUS', 2);
  if (kind === 'downstream') {
    space.set('SLTSTA', 0x0040);
    space.set('LNKSTA', 0x3103);
  }
  return space;
}

export class FakeOpal implements OpalCalls {
  readonly calls: string[] = [];
  /** Forced return codes by call name. */
  readonly fail = new Map<string, number>();
  /** Reports to hand out before those that follow from the state of the PHBs. */
  readonly scripted: { errorType: number; severity: number; pe?: bigint; rc?: number }[] = [];
  events = 0n;
  hubDiag: { rc: number; data: Uint8Array } = { rc: OpalStatus.PARAMETER, data: new Uint8Array(0) };
  knowsInjection: 0 | 1 = 1;

  constructor(
    private readonly phbs: readonly FakePhb[],
    private readonly interrupts: InterruptController,
  ) {}

  /** The error line goes up. */
  raiseError(): void {
    this.events |= OpalEvent.PCI_ERROR;
    this.interrupts.present(0xfff, 0, 0);
  }

  private *begin(call: string, ...args: (number | bigint)[]): Process<number> {
    this.calls.push(`${call}(${args.map((arg) => arg.toString(16)).join(',')})`);
    yield* delay(CALL_NS);
    return this.fail.get(call) ?? OpalStatus.SUCCESS;
  }

  private phb(id: number | bigint): FakePhb {
    return this.phbs[Number(BigInt(id) & 0xffn)]!;
  }

  *pciConfigRead(phbId: number, bdfn: number, offset: number, size: 1 | 2 | 4): Process<{ rc: number; value: number }> {
    yield* delay(CALL_NS);
    const phb = this.phb(phbId);
    const ones = 2 ** (8 * size) - 1;
    if (phb.blocked) return { rc: OpalStatus.HARDWARE, value: ones };
    const space = phb.functions.get(bdfn);
    if (space === undefined || (bdfn !== ROOT_PORT && phb.card === 'gone')) return { rc: 0, value: ones };
    return { rc: 0, value: space.read(offset, size) };
  }

  *pciConfigWrite(phbId: number, { bdfn, offset, size }: ConfigPlace, value: number): Process<number> {
    this.calls.push(`CFGW(${bdfn.toString(16)},${offset.toString(16)},${size},${value.toString(16)})`);
    yield* delay(CALL_NS);
    const phb = this.phb(phbId);
    if (phb.blocked) return OpalStatus.HARDWARE;
    phb.functions.get(bdfn)?.write(offset, size, value);
    return 0;
  }

  *pciSetPe(_phb: number, r: { pe: number; rid: number; action: number }): Process<number> {
    return yield* this.begin('SET_PE', r.pe, r.rid, r.action);
  }
  *pciSetPeltv(_phb: number, parent: number, child: number, action: number): Process<number> {
    return yield* this.begin('SET_PELTV', parent, child, action);
  }
  *pciSetMve(_phb: number, mve: number, pe: number): Process<number> {
    return yield* this.begin('SET_MVE', mve, pe);
  }
  *pciSetMveEnable(_phb: number, mve: number, state: number): Process<number> {
    return yield* this.begin('SET_MVE_ENABLE', mve, state);
  }
  *pciMapPeMmioWindow(_phb: number, r: { pe: number; segment: number }): Process<number> {
    return yield* this.begin('MAP_MMIO', r.pe, r.segment);
  }
  *pciMapPeDmaWindow(_phb: number, r: { pe: number; window: number; levels: number }): Process<number> {
    return yield* this.begin('MAP_DMA', r.pe, r.window, r.levels);
  }
  *pciMapPeDmaWindowReal(_phb: number, r: { pe: number; window: number; size: bigint }): Process<number> {
    return yield* this.begin('MAP_DMA_REAL', r.pe, r.window, r.size);
  }
  *pciSetPhbMemWindow(_phb: number, r: { window: number }): Process<number> {
    return yield* this.begin('SET_MEM_WINDOW', r.window);
  }
  *pciPhbMmioEnable(_phb: number, type: number, window: number, enable: number): Process<number> {
    return yield* this.begin('MMIO_ENABLE', type, window, enable);
  }

  *pciEehFreezeStatus(
    phbId: number,
    pe: number,
  ): Process<{ rc: number; freezeState: number; errorType: number; severity: number }> {
    const rc = yield* this.begin('STATUS', pe);
    const phb = this.phb(phbId);
    if (phb.condition === 'dead') {
      return { rc: OpalStatus.HARDWARE, freezeState: 3, errorType: PciError.PHB, severity: Severity.PHB_DEAD };
    }
    if (phb.condition === 'fenced')
      return { rc, freezeState: 3, errorType: PciError.PHB, severity: Severity.PHB_FENCED };
    const freezeState = phb.frozen.get(pe) ?? FreezeState.NOT_FROZEN;
    return { rc, freezeState, errorType: PciError.NO_ERROR, severity: Severity.NO_ERROR };
  }

  *pciEehFreezeClear(phbId: number, pe: number, action: number): Process<number> {
    const rc = yield* this.begin('CLEAR', pe, action);
    const phb = this.phb(phbId);
    if (phb.condition === 'dead') return OpalStatus.HARDWARE;
    if (rc === OpalStatus.SUCCESS) phb.frozen.set(pe, (phb.frozen.get(pe) ?? 0) & ~action);
    return rc;
  }

  *pciEehFreezeSet(phbId: number, pe: number, action: number): Process<number> {
    const rc = yield* this.begin('SET', pe, action);
    const phb = this.phb(phbId);
    if (rc === OpalStatus.SUCCESS) phb.frozen.set(pe, (phb.frozen.get(pe) ?? 0) | action);
    return rc;
  }

  *pciNextError(phbId: number): Process<{ rc: number; firstFrozenPe: bigint; errorType: number; severity: number }> {
    const rc = yield* this.begin('NEXT', phbId);
    this.events &= ~OpalEvent.PCI_ERROR;
    const phb = this.phb(phbId);
    const none = { rc, firstFrozenPe: ALL_ONES_8, errorType: PciError.NO_ERROR, severity: Severity.NO_ERROR };
    const scripted = this.scripted.shift();
    if (scripted !== undefined) {
      const { errorType, severity } = scripted;
      return { rc: scripted.rc ?? 0, errorType, severity, firstFrozenPe: scripted.pe ?? ALL_ONES_8 };
    }
    if (phb.condition === 'dead') return { ...none, errorType: PciError.PHB, severity: Severity.PHB_DEAD };
    if (phb.condition === 'fenced') return { ...none, errorType: PciError.PHB, severity: Severity.PHB_FENCED };
    if (phb.informative === 'pending') return { ...none, errorType: PciError.PHB, severity: Severity.INF };
    const frozen = [...phb.frozen].find(([, bits]) => bits !== 0);
    if (frozen === undefined) return none;
    return { ...none, firstFrozenPe: BigInt(frozen[0]), errorType: PciError.PE, severity: Severity.PE_ER };
  }

  *pciGetPhbDiagData2(phbId: number): Process<{ rc: number; data: Uint8Array }> {
    const rc = yield* this.begin('DIAG', phbId);
    const phb = this.phb(phbId);
    phb.informative = 'none';
    return { rc, data: phb.diag };
  }

  *pciReset(id: number | bigint, scope: number, assertState: number): Process<number> {
    const rc = yield* this.begin('RESET', id, scope, assertState);
    if (rc !== OpalStatus.SUCCESS) return rc;
    const atOnce: readonly number[] = [ResetScope.PCI_IODA_TABLE, ResetScope.PHB_ERROR];
    if (assertState === ResetAssert.DEASSERT || atOnce.includes(scope)) return OpalStatus.SUCCESS;
    const phb = this.phb(id);
    const usual =
      scope === ResetScope.PHB_COMPLETE ? [10, 9, 100, 100, 1000, 1000, 100, 100, 0] : [1000, 999, 1000, 100, 100, 0];
    const [first, ...polls] = phb.resetScripts.shift() ?? usual;
    phb.polls = polls;
    if (scope === ResetScope.PHB_COMPLETE && --phb.resetsToCure <= 0) {
      phb.frozen.clear();
      if (phb.condition === 'fenced') phb.condition = 'ok';
    }
    for (const [bdfn, space] of phb.functions) {
      if (bdfn === ROOT_PORT || space.name === 'bridge') continue;
      const headerType = space.get('HEADER_TYPE');
      space.reset('hot');
      space.set('HEADER_TYPE', headerType);
    }
    return first ?? 0;
  }

  *pciPoll(id: number | bigint): Process<number> {
    yield* this.begin('POLL', id);
    return this.phb(id).polls.shift() ?? 0;
  }

  *pciReinit(_phbId: number, bdfn: number): Process<number> {
    return yield* this.begin('REINIT', bdfn);
  }

  *pciGetPresenceState(id: number | bigint): Process<{ rc: number; state: number }> {
    yield* this.begin('PRESENCE', id);
    const phb = this.phb(id);
    return { rc: phb.presenceRc, state: phb.presence };
  }

  *pciErrInject(_phbId: number, r: { pe: number; type: number; function: number }): Process<number> {
    return yield* this.begin('INJECT', r.pe, r.type, r.function);
  }

  *pciGetHubDiagData(hubId: bigint): Process<{ rc: number; data: Uint8Array }> {
    yield* this.begin('HUB_DIAG', hubId);
    return this.hubDiag;
  }

  *pciSetPowerState(id: number | bigint, state: number): Process<number> {
    const rc = yield* this.begin('POWER', id, state);
    if (rc === OpalStatus.SUCCESS) this.phb(id).power = state;
    return rc;
  }

  *pciGetPowerState(id: number | bigint): Process<{ rc: number; state: number }> {
    yield* this.begin('GET_POWER', id);
    const { powerRc, power } = this.phb(id);
    return { rc: powerRc, state: power };
  }

  *checkToken(): Process<number> {
    yield* delay(0);
    return this.knowsInjection;
  }

  *setXive(irq: number, server: number, priority: number): Process<number> {
    return yield* this.begin('SET_XIVE', irq, server, priority);
  }

  *getXive(irq: number): Process<{ rc: number; server: number; priority: number }> {
    return { rc: yield* this.begin('GET_XIVE', irq), server: 0, priority: 5 };
  }

  *pciSetXivePe(_phb: number, pe: number, xive: number): Process<number> {
    return yield* this.begin('SET_XIVE_PE', pe, xive);
  }

  *getMsi64(_phb: number, mve: number, xive: number): Process<{ rc: number; address: bigint; data: number }> {
    return { rc: yield* this.begin('GET_MSI_64', mve, xive), address: 2n ** 60n, data: xive };
  }

  *handleInterrupt(isn: number): Process<{ rc: number; events: bigint }> {
    const rc = yield* this.begin('HANDLE_INTERRUPT', isn);
    return { rc, events: this.events };
  }

  *pollEvents(): Process<{ rc: number; events: bigint }> {
    yield* delay(CALL_NS);
    return { rc: 0, events: this.events };
  }
}

/** Loads go to the card of the PHB whose window they hit, unless its PE is frozen or the PHB cut off. */
export class FakePort implements HostPort {
  readonly name = 'fake';
  readonly memory = new SystemMemory({ sizeBytes: 2 ** 30 });
  readonly interrupts: InterruptController;
  readonly stores: { address: number; size: AccessSize; value: bigint }[] = [];
  loads = 0;

  constructor(
    private readonly sim: Simulator,
    private readonly phbs: readonly FakePhb[],
  ) {
    this.interrupts = new InterruptController(sim);
  }

  get now(): number {
    return this.sim.now;
  }

  *load(address: number, size: AccessSize): Process<bigint> {
    this.loads++;
    yield* delay(CALL_NS);
    const index = Math.floor((address - CPU_BASE) / 2 ** 31);
    const phb = this.phbs[index]!;
    const ones = (1n << BigInt(8 * size)) - 1n;
    const cut = phb.blocked || phb.card === 'gone' || ((phb.frozen.get(phb.endpointPe) ?? 0) & 1) !== 0;
    return cut ? ones : phb.read(address - CPU_BASE - index * 2 ** 31, size);
  }

  *store(address: number, size: AccessSize, value: bigint): Process<void> {
    yield* delay(CALL_NS);
    this.stores.push({ address, size, value });
    const index = Math.floor((address - CPU_BASE) / 2 ** 31);
    const phb = this.phbs[index];
    if (phb === undefined || phb.blocked || ((phb.frozen.get(phb.endpointPe) ?? 0) & 1) !== 0) return;
    phb.write(address - CPU_BASE - index * 2 ** 31, value);
  }

  *scomRead(): Process<bigint> {
    yield* delay(CALL_NS);
    return 0n;
  }

  *scomWrite(): Process<void> {
    yield* delay(CALL_NS);
  }
}

export interface FakeMachineOptions {
  readonly phbs?: readonly FakePhbOptions[];
  readonly kernel?: Partial<KernelOptions>;
}

export class FakeMachine {
  readonly sim = new Simulator();
  readonly phbs: readonly FakePhb[];
  readonly port: FakePort;
  readonly opal: FakeOpal;
  readonly kernel: LinuxKernel;

  constructor(options: FakeMachineOptions = {}) {
    const phbs = options.phbs ?? [{}];
    this.phbs = phbs.map((each, id) => new FakePhb(id, each));
    this.port = new FakePort(this.sim, this.phbs);
    this.opal = new FakeOpal(this.phbs, this.port.interrupts);
    const nodes = phbs.map((each, id) => phbNode(id, each));
    this.kernel = new LinuxKernel(this.sim, this.port, this.opal, { phbs: nodes, ...options.kernel });
  }

  get phb(): FakePhb {
    return this.phbs[0]!;
  }

  /** Boots, and forgets what the boot said and called. */
  boot(): this {
    this.sim.run({ process: this.sim.spawn('boot', this.kernel.boot()) });
    // The threads get to where they wait.
    this.runFor(0.001);
    this.opal.calls.length = 0;
    this.kernel.log.records.length = 0;
    return this;
  }

  /** Runs a process to its end. */
  run<T>(body: Process<T>): T {
    const handle = this.sim.spawn('test', body);
    this.sim.run({ process: handle });
    return handle.result as T;
  }

  runFor(secondsToRun: number): void {
    this.sim.run({ untilNs: this.sim.now + seconds(secondsToRun) });
  }

  /** The texts of the log, without PCI core noise. */
  get eeh(): string[] {
    return this.kernel.log.texts().filter((text) => !text.startsWith('pci') && !text.startsWith('PCI host'));
  }

  /** Freezes the endpoint's PE of the first PHB and lets a driver's load find it. */
  detect(): void {
    this.phb.freeze(this.phb.endpointPe);
    this.run(this.kernel.check.checkAddress(CPU_BASE, ['nic_poll+0x40/0x120 [nic]']));
  }
}

export function phbNode(id: number, options: FakePhbOptions): PhbNode {
  const functions = [ENDPOINT, ...(options.functions ?? []).map((_, i) => ENDPOINT + 1 + i)];
  return {
    phbId: id,
    totalPes: 256,
    reservedPe: 255,
    m32: { cpuBase: CPU_BASE + id * 2 ** 31, pciBase: 0x8000_0000, sizeBytes: M32_BYTES },
    tceKillAddress: TCE_KILL,
    diagDataBytes: 4392,
    lsiBase: 0x800 * (id + 1),
    ...(options.devices === undefined ? {} : { devices: [ROOT_PORT, ...functions] }),
    ...(options.compatible === undefined ? {} : { compatible: options.compatible }),
    ...(options.m64 === undefined ? {} : { m64: options.m64 }),
    ...(options.hubId === undefined ? {} : { hubId: options.hubId }),
    ...(options.baseLocationCode === undefined ? {} : { baseLocationCode: options.baseLocationCode }),
    ...(options.slot === undefined
      ? {}
      : { slots: [{ bridge: ROOT_PORT, reset: 'by-firmware', hotplug: 'none', ...options.slot }] }),
  };
}
