/**
 * OPAL as an operating system calls it, whatever the bridges. Everything reaches the chips through a HostPort.
 * Checks go in the order of the real entry points: PHB or slot, then whether its driver can do it, then the driver with
 * the PHB's lock held. Source: skiboot core/pci-opal.c, core/interrupts.c. Facts: opal-pci 1.3, 5, 6.2, 7, 9.
 */

import type { HostPort } from '../hw/host-port.js';
import { type Process, type Signal, wait } from '../sim/process.js';
import { type BootMachine, bootPlatform, type OpalOptions } from './boot.js';
import type { HubNode, PhbNode } from './device-tree.js';
import { getDeviceTree, type SubtreeRequest, type SubtreeResult } from './device-tree-blob.js';
import type { FirmwareFacts } from './device-tree-root.js';
import { EntryGate } from './entry-gate.js';
import { PendingEvents } from './events.js';
import { FirmwareHeap } from './firmware-heap.js';
import { type FirmwareProfile, firmwareProfile } from './firmware-profile.js';
import { MessageQueue, type OpalMessage } from './messages.js';
import { FreezeState, InjectType, OpalStatus, PciError, Power, Presence, ReinitScope, Severity } from './opal-api.js';
import type { InjectRequest, RidMatch } from './opal-requests.js';
import {
  type DiagResult,
  type FreezeStatus,
  type NextError,
  NO_ERROR,
  type SlotStateResult,
  type Xive,
} from './opal-results.js';
import type { PhbDriver } from './phb-driver.js';
import { SetupCalls } from './setup-calls.js';
import { SlotPower } from './slot-power.js';
import { resetSlot } from './slot-reset.js';

export type { OpalOptions } from './boot.js';
export type { RidMatch };

export interface HandledInterrupt {
  readonly rc: number;
  /** Events that are pending now, whatever the interrupt was. */
  readonly events: bigint;
}

export interface MessageResult {
  readonly rc: number;
  readonly message?: OpalMessage;
}

const { SUCCESS, PARAMETER, UNSUPPORTED, RESOURCE, BUSY } = OpalStatus;

export class Opal extends SetupCalls {
  readonly profile: FirmwareProfile;
  /** Emits the event mask whenever an event becomes pending. */
  readonly events: Signal<bigint>;
  /** Who is inside firmware, and who may come in. */
  readonly gate: EntryGate;
  private readonly heap: FirmwareHeap;
  private readonly pending: PendingEvents;
  private readonly messages: MessageQueue;
  private readonly power: SlotPower;
  /** Tokens of callers who leave the choice to us are beyond those an operating system may use. */
  private nextToken = 1n << 32n;

  constructor(
    private readonly port: HostPort,
    private readonly options: OpalOptions,
  ) {
    super();
    const { sim } = port.interrupts;
    const log = (line: string): void => this.log(line);
    this.profile = firmwareProfile(options.profile);
    this.heap = new FirmwareHeap(options.heapBase);
    this.pending = new PendingEvents(sim, port.name);
    this.events = this.pending.raised;
    this.messages = new MessageQueue(this.pending, sim);
    this.power = new SlotPower(this.platform, this.messages, sim, log);
    this.gate = new EntryGate(sim, port.name, log);
  }

  *boot(): Process<void> {
    const services = {
      log: (line: string): void => this.log(line),
      raisePciError: (phbId?: number): void => this.pending.raisePciError(phbId),
    };
    const { port, heap, profile, options } = this;
    const { phbs: places = [], hubs = [] } = options;
    const machine: BootMachine = { port, heap, profile, services, chipId: this.chipId, places, hubs };
    yield* bootPlatform(machine, this.platform);
  }

  private get chipId(): number {
    return this.options.chipId ?? 0;
  }

  log(line: string): void {
    this.options.log?.(line);
  }

  /** A token that firmware does not know. */
  badToken(token: number | string): number {
    this.log(`OPAL: Called with bad token ${token} !`);
    return PARAMETER;
  }

  // ---- device tree ----------------------------------------------------------------------------------------------------------

  /** What firmware publishes, PHB by PHB. */
  deviceTree(): readonly PhbNode[] {
    const { chipId, phandles } = this;
    const { baseLocationCode } = this.options;
    const facts = { chipId, phandles, ...(baseLocationCode === undefined ? {} : { baseLocationCode }) };
    return [...this.platform.phbs.values()].map((phb) => phb.node(facts));
  }

  private hubNodes(): readonly HubNode[] {
    const { chipId, phandles } = this;
    return [...this.platform.hubs.values()].map((hub) => hub.node({ chipId, phandles }));
  }

  /** All that firmware publishes, for `firmwareTree`. */
  publishedFacts(): FirmwareFacts {
    const { phandles, port, options, heap, chipId, profile } = this;
    const { baseLocationCode } = options;
    return {
      ...{ phandles, chipId, profile, phbs: this.deviceTree(), hubs: this.hubNodes() },
      // Only processors before POWER8 have a GX bus for hubs.
      processor: this.platform.hubs.size > 0 ? 'POWER7' : 'POWER8',
      firmwareInterrupts: this.firmwareInterrupts(),
      memory: { address: port.memory.baseAddress, bytes: port.memory.sizeBytes },
      firmwareMemory: { address: heap.base, bytes: heap.usedBytes },
      ...(baseLocationCode === undefined ? {} : { baseLocationCode }),
    };
  }

  /** OPAL_GET_DEVICE_TREE: what stands below a node, flattened. */
  getDeviceTree(request: SubtreeRequest): SubtreeResult {
    return getDeviceTree(this.publishedFacts(), request);
  }

  // ---- errors -------------------------------------------------------------------------------------------------------------------

  *pciEehFreezeStatus(phbId: number, pe: number): Process<FreezeStatus> {
    return yield* this.onPhbFor(phbId, noFreezeStatus, (phb) => phb.freezeStatus?.(pe));
  }

  *pciEehFreezeClear(phbId: number, pe: number, action: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.freezeClear?.(pe, action));
  }

  *pciEehFreezeSet(phbId: number, pe: number, action: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.freezeSet?.(pe, action));
  }

  *pciNextError(phbId: number): Process<NextError> {
    const refused = (rc: number): NextError => ({ ...NO_ERROR, rc });
    return yield* this.onPhbFor(phbId, refused, (phb) => phb.nextError && this.nextError(phb, phb.nextError()));
  }

  /** The question lowers the event, before it is answered. */
  private *nextError(phb: PhbDriver, answer: Process<NextError>): Process<NextError> {
    this.pending.askedForErrors(phb.id);
    return yield* answer;
  }

  /** Without a length, into a buffer that is large enough. */
  *pciGetPhbDiagData2(phbId: number, length?: number): Process<DiagResult> {
    return yield* this.onPhbFor(phbId, noData, (phb) => phb.diagData?.(length ?? phb.diagDataBytes));
  }

  /** Bytes that `pciGetPhbDiagData2` may store. */
  diagDataBytes(phbId: number): number {
    return this.platform.phbs.get(phbId)?.diagDataBytes ?? 0;
  }

  *pciGetHubDiagData(hubId: number | bigint, length: number = HUB_DIAG_BYTES): Process<DiagResult> {
    const hub = this.platform.hubs.get(Number(hubId));
    if (hub === undefined) return noData(PARAMETER);
    return hub.diagData === undefined ? noData(UNSUPPORTED) : yield* hub.diagData(length);
  }

  /** Machines with hubs do not have it, others have no hub. */
  *pciSetHubTceMemory(hubId: number): Process<number> {
    return this.platform.hubs.has(hubId) ? UNSUPPORTED : PARAMETER;
  }

  *pciErrInject(phbId: number, request: InjectRequest): Process<number> {
    const { type } = request;
    const known = type === InjectType.IOA_BUS_ERR || type === InjectType.IOA_BUS_ERR64;
    // The type is looked at once it is clear that there is a driver for it.
    return yield* this.onPhb(phbId, (phb) => phb.injectError && (known ? phb.injectError(request) : just(PARAMETER)));
  }

  // ---- resets and slots -----------------------------------------------------------------------------------------------------------

  /** Milliseconds to wait before the first poll, 0 when done, or a negative code. */
  *pciReset(id: number | bigint, scope: number, assert: number): Process<number> {
    return yield* this.onSlot(id, same, (place) => resetSlot(place, { scope, assert }, (line) => this.log(line)));
  }

  /** Milliseconds to wait before the next poll, 0 when done, or a negative code. */
  *pciPoll(id: number | bigint): Process<number> {
    return yield* this.onSlot(id, same, ({ slot }) => slot.poll());
  }

  *pciGetPresenceState(id: number | bigint): Process<SlotStateResult> {
    const refused = (rc: number): SlotStateResult => ({ rc, state: Presence.EMPTY });
    return yield* this.onSlot(id, refused, ({ slot }) => slot.presence?.());
  }

  *pciGetPowerState(id: number | bigint): Process<SlotStateResult> {
    const refused = (rc: number): SlotStateResult => ({ rc, state: Power.OFF });
    return yield* this.onSlot(id, refused, ({ slot }) => slot.powerState?.());
  }

  /** `ASYNC_COMPLETION`: a message with the token tells when it is done. */
  *pciOrderPowerState(token: number | bigint, id: number | bigint, power: number): Process<number> {
    const request = { token: BigInt.asUintN(64, BigInt(token)), power };
    return yield* this.onSlot(id, same, (place) => this.power.set(place, request));
  }

  /** The same to its end, with the result that the completion message brings. */
  *pciSetPowerState(id: number | bigint, power: number): Process<number> {
    const token = this.nextToken++;
    const rc = yield* this.pciOrderPowerState(token, id, power);
    if (rc !== OpalStatus.ASYNC_COMPLETION) return rc;
    for (;;) {
      const { message } = yield* this.checkAsyncCompletion(token);
      if (message !== undefined) return Number(message.params.at(RESULT_PARAM));
      yield* wait(this.messages.queued);
    }
  }

  /** Sets a device up again as the scan did. */
  *pciReinit(phbId: number, bdfn: number, scope: number = ReinitScope.PCI_DEV): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.reinit?.(scope, bdfn));
  }

  // ---- interrupts, events, messages ---------------------------------------------------------------------------------------------------

  *setXive(irq: number, server: number, priority: number): Process<number> {
    const source = this.platform.sourceOf(irq);
    return source === undefined ? PARAMETER : yield* source.setXive(irq, { server, priority });
  }

  *getXive(irq: number): Process<Xive> {
    return this.platform.sourceOf(irq)?.getXive(irq) ?? { rc: PARAMETER, server: 0, priority: 0 };
  }

  /** Interrupts that an operating system hands back through `handleInterrupt`. */
  firmwareInterrupts(): readonly number[] {
    return this.platform.interruptSources.flatMap((source) => source.firmwareOwned);
  }

  /** OPAL_HANDLE_INTERRUPT. Foreign interrupts are refused, but the events still told. */
  *handleInterrupt(irq: number): Process<HandledInterrupt> {
    const source = this.platform.sourceOf(irq);
    if (source === undefined || !source.firmwareOwned.includes(irq))
      return { rc: PARAMETER, events: this.pending.mask };
    yield* source.interrupt(irq);
    return { rc: SUCCESS, events: this.pending.mask };
  }

  /** OPAL_POLL_EVENTS. */
  *pollEvents(): Process<HandledInterrupt> {
    return { rc: SUCCESS, events: this.pending.mask };
  }

  /** An event bit for a user inside firmware; 0 when all are taken. */
  allocateEvent(): bigint {
    return this.pending.allocate();
  }

  freeEvent(event: bigint): void {
    this.pending.free(event);
  }

  raiseEvent(event: bigint): void {
    this.pending.raise(event);
  }

  lowerEvent(event: bigint): void {
    this.pending.lower(event);
  }

  /** OPAL_GET_MSG: the oldest message. */
  *getMessage(): Process<MessageResult> {
    const message = this.messages.take();
    return message === undefined ? { rc: RESOURCE } : { rc: SUCCESS, message };
  }

  /** OPAL_CHECK_ASYNC_COMPLETION. */
  *checkAsyncCompletion(token: number | bigint): Process<MessageResult> {
    const message = this.messages.takeCompletion(BigInt.asUintN(64, BigInt(token)));
    return message === undefined ? { rc: BUSY } : { rc: SUCCESS, message };
  }

  /** OPAL_QUIESCE, from processor `cpu`. */
  *quiesce(kind: number, target: number, cpu?: number): Process<number> {
    return yield* this.gate.quiesce(kind, target, cpu);
  }
}

/** Where a completion message tells how it went. */
const RESULT_PARAM = 3;
const HUB_DIAG_BYTES = 128;

const same = (rc: number): number => rc;
const noData = (rc: number): DiagResult => ({ rc, data: new Uint8Array(0) });
const noFreezeStatus = (rc: number): FreezeStatus => ({
  ...{ rc, freezeState: FreezeState.NOT_FROZEN },
  ...{ errorType: PciError.NO_ERROR, severity: Severity.NO_ERROR },
});

function* just(rc: number): Process<number> {
  return rc;
}
