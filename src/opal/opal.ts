/**
 * OPAL as an operating system calls it, for the PHB3s of one chip. Everything reaches the chips through a HostPort.
 * Checks go in the order of the real entry points: PHB or slot, then arguments, then the chip's driver.
 * Source: skiboot core/pci-opal.c, core/interrupts.c. Facts: opal-pci 1.3, 5, 6.2, 7, 9.2.
 */

import { PHB3_LAYOUT } from '../diag/phb3/layout.js';
import type { HostPort } from '../hw/host-port.js';
import { type Process, Signal } from '../sim/process.js';
import { bootPlatform, type OpalOptions, type Platform } from './boot.js';
import { initDevice } from './device-init.js';
import { type PhbNode, phbNode } from './device-tree.js';
import {
  decodeSlotId,
  OpalEvent,
  OpalStatus,
  PciError,
  Power,
  Presence,
  ReinitScope,
  ResetAssert,
  ResetScope,
  Severity,
} from './opal-api.js';
import { findDevice } from './pci-device.js';
import type { Phb3 } from './phb3.js';
import { allOnes, type ConfigReadResult, configRead, configWrite } from './phb3-config.js';
import type { ConfigSize } from './phb3-config-cycle.js';
import { type DiagResult, getDiagData } from './phb3-diag.js';
import {
  type FreezeStatus,
  freezeClear,
  freezeSet,
  freezeStatus,
  type NextError,
  NO_ERROR,
  nextError,
} from './phb3-eeh.js';
import { disarmInjection, type InjectRequest, injectError } from './phb3-inject.js';
import * as vectors from './phb3-interrupts.js';
import { purgeTables, type RidMatch, setPe, setPeltv } from './phb3-mapping.js';
import { MSI_COUNT } from './phb3-tables.js';
import * as windows from './phb3-windows.js';
import type { Slot, SlotStateResult } from './slot.js';

export type { OpalOptions } from './boot.js';

export interface HandledInterrupt {
  readonly rc: number;
  /** Events that are pending now, whatever the interrupt was. */
  readonly events: bigint;
}

const { SUCCESS, PARAMETER, UNSUPPORTED } = OpalStatus;

export class Opal {
  /** Emits the event mask whenever an event becomes pending. */
  readonly events: Signal<bigint>;
  private readonly platform: Platform;
  private eventMask = 0n;

  constructor(
    private readonly port: HostPort,
    private readonly options: OpalOptions,
  ) {
    this.platform = { chipId: options.chipId ?? 0, phbs: new Map(), slots: new Map() };
    this.events = new Signal(port.interrupts.raised.sim, `${port.name} OPAL events`);
  }

  *boot(): Process<void> {
    yield* bootPlatform(this.port, this.options, this.platform);
  }

  /** What firmware publishes, PHB by PHB. */
  deviceTree(): readonly PhbNode[] {
    return [...this.platform.phbs.values()].map((phb) => phbNode(phb, this.platform.chipId));
  }

  private phb(id: number): Phb3 | undefined {
    return this.platform.phbs.get(id);
  }

  private slot(id: number | bigint): Slot | undefined {
    return this.platform.slots.get(BigInt.asUintN(64, BigInt(id)));
  }

  /** A call on a PHB; unknown numbers are refused before anything else. */
  private *onPhb(id: number, call: (phb: Phb3) => Process<number> | number): Process<number> {
    const phb = this.phb(id);
    if (phb === undefined) return PARAMETER;
    return yield* phb.lock.hold(called(() => call(phb)));
  }

  /** A call on a slot: its PHB is in the low bits of its number. */
  private *onSlot<T>(id: number | bigint, call: Process<T>): Process<T> {
    const phb = this.phb(decodeSlotId(id).phbId);
    return phb === undefined ? yield* call : yield* phb.lock.hold(call);
  }

  // ---- configuration space ------------------------------------------------------------------------------------------------

  *pciConfigRead(phbId: number, bdfn: number, offset: number, size: ConfigSize): Process<ConfigReadResult> {
    const phb = this.phb(phbId);
    if (phb === undefined) return { rc: PARAMETER, value: allOnes(size) };
    return yield* phb.lock.hold(configRead(phb, { bdfn, offset, size }));
  }

  *pciConfigWrite(phbId: number, bdfn: number, offset: number, size: ConfigSize, value: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => configWrite(phb, { bdfn, offset, size }, value));
  }

  // ---- PEs and windows ------------------------------------------------------------------------------------------------------

  *pciSetPe(phbId: number, request: { pe: number; rid: number; match: RidMatch; action: number }): Process<number> {
    return yield* this.onPhb(phbId, (phb) => setPe(phb, request));
  }

  *pciSetPeltv(phbId: number, parentPe: number, childPe: number, action: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => setPeltv(phb, parentPe, childPe, action));
  }

  *pciMapPeMmioWindow(
    phbId: number,
    request: { pe: number; type: number; window: number; segment: number },
  ): Process<number> {
    return yield* this.onPhb(phbId, (phb) => windows.mapPeMmioWindow(phb, request));
  }

  *pciSetPhbMemWindow(
    phbId: number,
    request: { type: number; window: number; address: bigint; size: bigint },
  ): Process<number> {
    return yield* this.onPhb(phbId, (phb) => windows.setPhbMemWindow(phb, request));
  }

  *pciPhbMmioEnable(phbId: number, type: number, window: number, enable: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => windows.phbMmioEnable(phb, type, window, enable));
  }

  *pciMapPeDmaWindow(phbId: number, request: windows.DmaWindow): Process<number> {
    return yield* this.onPhb(phbId, (phb) => windows.mapPeDmaWindow(phb, request));
  }

  *pciMapPeDmaWindowReal(
    phbId: number,
    request: { pe: number; window: number; pciStart: bigint; size: bigint },
  ): Process<number> {
    return yield* this.onPhb(phbId, (phb) => windows.mapPeDmaWindowReal(phb, request));
  }

  /** PHB3 has no such call: operating systems write the chip's register themselves. */
  *pciTceKill(phbId: number): Process<number> {
    return this.phb(phbId) === undefined ? PARAMETER : UNSUPPORTED;
  }

  // ---- errors ---------------------------------------------------------------------------------------------------------------

  *pciEehFreezeStatus(phbId: number, pe: number): Process<FreezeStatus> {
    const phb = this.phb(phbId);
    if (phb === undefined)
      return { rc: PARAMETER, freezeState: 0, errorType: PciError.NO_ERROR, severity: Severity.NO_ERROR };
    return yield* phb.lock.hold(freezeStatus(phb, pe));
  }

  *pciEehFreezeClear(phbId: number, pe: number, action: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => freezeClear(phb, pe, action));
  }

  *pciEehFreezeSet(phbId: number, pe: number, action: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => freezeSet(phb, pe, action));
  }

  /** The first call for any PHB lowers the event, also if others have errors left. */
  *pciNextError(phbId: number): Process<NextError> {
    const phb = this.phb(phbId);
    if (phb === undefined) return { ...NO_ERROR, rc: PARAMETER };
    this.eventMask &= ~OpalEvent.PCI_ERROR;
    return yield* phb.lock.hold(nextError(phb));
  }

  *pciGetPhbDiagData2(phbId: number, length: number = PHB3_LAYOUT.totalBytes): Process<DiagResult> {
    const phb = this.phb(phbId);
    if (phb === undefined) return { rc: PARAMETER, data: new Uint8Array(0) };
    return yield* phb.lock.hold(getDiagData(phb, length));
  }

  *pciErrInject(phbId: number, request: InjectRequest): Process<number> {
    return yield* this.onPhb(phbId, (phb) => injectError(phb, request));
  }

  // ---- resets and slots -------------------------------------------------------------------------------------------------------

  /** Milliseconds to wait before the first poll, 0 when done, or a negative code. */
  *pciReset(id: number | bigint, scope: number, assert: number): Process<number> {
    const slot = this.slot(id);
    if (slot === undefined) return PARAMETER;
    if (assert !== ResetAssert.ASSERT && assert !== ResetAssert.DEASSERT) return PARAMETER;
    const phb = this.phb(Number(id));
    const reset = phb === undefined ? portReset(slot, scope) : phbReset(phb, slot, scope);
    if (reset === undefined) return UNSUPPORTED;
    // Releasing a reset happens by itself.
    if (assert === ResetAssert.DEASSERT) return SUCCESS;
    const rc = yield* this.onSlot(id, reset());
    if (rc < 0) this.options.log?.(`SLOT-${slotIdText(id)}: Error ${rc} on reset scope ${scope}`);
    return rc;
  }

  /** Milliseconds to wait before the next poll, 0 when done, or a negative code. */
  *pciPoll(id: number | bigint): Process<number> {
    const slot = this.slot(id);
    return slot === undefined ? PARAMETER : yield* this.onSlot(id, slot.poll());
  }

  *pciGetPresenceState(id: number | bigint): Process<SlotStateResult> {
    const slot = this.slot(id);
    return slot === undefined ? { rc: PARAMETER, state: Presence.EMPTY } : yield* this.onSlot(id, slot.presence());
  }

  *pciGetPowerState(id: number | bigint): Process<SlotStateResult> {
    const slot = this.slot(id);
    return slot === undefined ? { rc: PARAMETER, state: Power.OFF } : slot.powerState();
  }

  /** Sets a device up again as the scan did. */
  *pciReinit(phbId: number, bdfn: number, scope: number = ReinitScope.PCI_DEV): Process<number> {
    return yield* this.onPhb(phbId, (phb) => this.reinit(phb, bdfn, scope));
  }

  private *reinit(phb: Phb3, bdfn: number, scope: number): Process<number> {
    if (scope !== ReinitScope.PCI_DEV) return PARAMETER;
    const device = findDevice(phb.devices, bdfn);
    if (device === undefined) return PARAMETER;
    yield* initDevice(phb, device);
    return SUCCESS;
  }

  // ---- interrupts and events ----------------------------------------------------------------------------------------------------

  *setXive(irq: number, server: number, priority: number): Process<number> {
    const source = this.sourceOf(irq);
    if (source === undefined) return PARAMETER;
    const { phb, isn } = source;
    return yield* phb.lock.hold(vectors.setXive(phb, isn, { server, priority }));
  }

  *getXive(irq: number): Process<vectors.Xive> {
    const source = this.sourceOf(irq);
    if (source === undefined) return { rc: PARAMETER, server: 0, priority: 0 };
    return vectors.getXive(source.phb, source.isn);
  }

  *pciSetXivePe(phbId: number, pe: number, isn: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => vectors.setXivePe(phb, pe, isn));
  }

  *getMsi32(phbId: number, pe: number, isn: number, range: number): Process<vectors.MsiMessage> {
    return this.phb(phbId) === undefined ? vectors.NO_MESSAGE : vectors.getMsi32(pe, isn, range);
  }

  *getMsi64(phbId: number, pe: number, isn: number, range: number): Process<vectors.MsiMessage> {
    return this.phb(phbId) === undefined ? vectors.NO_MESSAGE : vectors.getMsi64(pe, isn, range);
  }

  *pciMsiEoi(phbId: number, irq: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => vectors.msiEoi(phb, irq));
  }

  private sourceOf(irq: number): { phb: Phb3; isn: number } | undefined {
    for (const phb of this.platform.phbs.values()) {
      const isn = vectors.isnOf(phb, irq);
      if (isn !== undefined) return { phb, isn };
    }
    return undefined;
  }

  /** Interrupts that an operating system hands back through `handleInterrupt`. */
  firmwareInterrupts(): readonly number[] {
    return [...this.platform.phbs.values()].flatMap((phb) =>
      vectors.FIRMWARE_LSIS.map((lsi) => phb.irqBase + MSI_COUNT + lsi),
    );
  }

  /** OPAL_HANDLE_INTERRUPT. Foreign interrupts are refused, but the events still told. */
  *handleInterrupt(irq: number): Process<HandledInterrupt> {
    const source = this.sourceOf(irq);
    if (source === undefined || !this.firmwareInterrupts().includes(irq)) {
      return { rc: PARAMETER, events: this.eventMask };
    }
    vectors.errorInterrupt(source.phb);
    this.raise(OpalEvent.PCI_ERROR);
    return { rc: SUCCESS, events: this.eventMask };
  }

  /** OPAL_POLL_EVENTS. */
  *pollEvents(): Process<HandledInterrupt> {
    return { rc: SUCCESS, events: this.eventMask };
  }

  private raise(event: bigint): void {
    const isNew = (this.eventMask & event) === 0n;
    this.eventMask |= event;
    if (isNew) this.events.emit(this.eventMask);
  }
}

/** Some calls only touch firmware's own memory. */
function* called(call: () => Process<number> | number): Process<number> {
  const result = call();
  return typeof result === 'number' ? result : yield* result;
}

const slotIdText = (id: number | bigint): string => BigInt.asUintN(64, BigInt(id)).toString(16).padStart(16, '0');

type Reset = () => Process<number>;

function phbReset(phb: Phb3, slot: Slot, scope: number): Reset | undefined {
  switch (scope) {
    case ResetScope.PHB_COMPLETE:
      return () => slot.completeReset();
    case ResetScope.PHB_ERROR:
      return () => disarmInjection(phb);
    case ResetScope.PCI_IODA_TABLE:
      return () => purgeTables(phb);
    default:
      return portReset(slot, scope);
  }
}

function portReset(slot: Slot, scope: number): Reset | undefined {
  switch (scope) {
    case ResetScope.PCI_HOT:
      return () => slot.hotReset();
    case ResetScope.PCI_FUNDAMENTAL:
      return () => slot.fundamentalReset();
    default:
      return undefined;
  }
}
