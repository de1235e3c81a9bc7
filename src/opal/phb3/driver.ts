/**
 * The driver of one PHB3, as the generic entry points and the PCI core of firmware use it.
 * Source: skiboot hw/phb3.c: phb3_ops, phb3_slot_create, phb3_msi_irq_ops, phb3_lsi_irq_ops. Facts: opal-pci 1.3, 2.
 */
import { PHB3_LAYOUT } from '../../diag/phb3/layout.js';
import type { Process } from '../../sim/process.js';
import { BridgeDriver } from '../bridge-driver.js';
import { reinitDevice } from '../device-init.js';
import type { PhbNode, PublishingFacts } from '../device-tree.js';
import { disarmInjection } from '../injection.js';
import type {
  DmaWindow,
  InjectRequest,
  MemWindow,
  MmioSegment,
  MsiRequest,
  RealDmaWindow,
  SetPeRequest,
} from '../opal-requests.js';
import type { DiagResult, FreezeStatus, MsiMessage, NextError, Routing, Xive } from '../opal-results.js';
import type { ConfigReadResult, ConfigTarget } from '../pci-config.js';
import type { PciDevice } from '../pci-device.js';
import type { BusChoice, BusRange, LinkDirection } from '../pci-host.js';
import type { InterruptSource, PhbDriver } from '../phb-driver.js';
import { configRead, configWrite } from './config.js';
import { initDevice, removeDevice } from './device-init.js';
import { getDiagData } from './diag.js';
import { freezeClear, freezeSet, freezeStatus, nextError } from './eeh.js';
import { injectError } from './inject.js';
import * as vectors from './interrupts.js';
import { type LinkOwner, linkWidth, prepareLinkDown, prepareLinkUp } from './link.js';
import { purgeTables, setPe, setPeltv } from './mapping.js';
import { phbNode } from './node.js';
import { Phb3Slot } from './phb-slot.js';
import type { Phb3 } from './phb3.js';
import { MSI_COUNT, RESERVED_PE } from './tables.js';
import * as windows from './windows.js';

export class Phb3Driver extends BridgeDriver<Phb3> implements PhbDriver {
  readonly slot: Phb3Slot;
  readonly interrupts: InterruptSource;
  readonly diagDataBytes = PHB3_LAYOUT.totalBytes;
  readonly reservedPe = RESERVED_PE;

  constructor(phb: Phb3) {
    super(phb);
    this.slot = new Phb3Slot(phb, this);
    this.interrupts = new Phb3Interrupts(phb);
  }

  node(facts: PublishingFacts): PhbNode {
    return phbNode(this.phb, facts);
  }

  // ---- what the PCI core asks ---------------------------------------------------------------------------------------

  *configRead(target: ConfigTarget): Process<ConfigReadResult> {
    return yield* configRead(this.phb, target);
  }
  *configWrite(target: ConfigTarget, value: number): Process<number> {
    return yield* configWrite(this.phb, target, value);
  }
  *rootLinkWidth(): Process<number> {
    return yield* linkWidth(this.phb);
  }
  *initDevice(device: PciDevice): Process<void> {
    yield* initDevice(this.phb, this, device);
  }
  *removeDevice(device: PciDevice): Process<void> {
    yield* removeDevice(this.phb, device);
  }

  chooseBus(_bridge: PciDevice, { first, last }: BusRange): BusChoice {
    return { secondary: first, subordinate: last, subordinateIs: 'as-found' };
  }

  /** A card that may leave at any time keeps the loss of its link masked. */
  *prepareRootLink(direction: LinkDirection, port: PciDevice): Process<void> {
    const owner: LinkOwner = port.slot?.surprisePluggable === true ? 'surprise' : 'phb';
    yield* direction === 'up' ? prepareLinkUp(this.phb, owner) : prepareLinkDown(this.phb, owner);
  }

  unblockRootLink(port: PciDevice): void {
    if (port.type === 'root-port' && this.profile.linkTimeoutBlock === 'corrected') this.phb.configBlocked = false;
  }

  // ---- PEs and windows ------------------------------------------------------------------------------------------------

  *setPe(request: SetPeRequest): Process<number> {
    return yield* setPe(this.phb, request);
  }
  *setPeltv(parentPe: number, childPe: number, action: number): Process<number> {
    return setPeltv(this.phb, parentPe, childPe, action);
  }
  *mapPeMmioWindow(request: MmioSegment): Process<number> {
    return yield* windows.mapPeMmioWindow(this.phb, request);
  }
  *setPhbMemWindow(request: MemWindow): Process<number> {
    return windows.setPhbMemWindow(this.phb, request);
  }
  *phbMmioEnable(type: number, window: number, enable: number): Process<number> {
    return yield* windows.phbMmioEnable(this.phb, type, window, enable);
  }
  *mapPeDmaWindow(request: DmaWindow): Process<number> {
    return yield* windows.mapPeDmaWindow(this.phb, request);
  }
  *mapPeDmaWindowReal(request: RealDmaWindow): Process<number> {
    return yield* windows.mapPeDmaWindowReal(this.phb, request);
  }

  // ---- errors and resets ------------------------------------------------------------------------------------------------

  *freezeStatus(pe: number): Process<FreezeStatus> {
    return yield* freezeStatus(this.phb, pe);
  }
  *freezeClear(pe: number, action: number): Process<number> {
    return yield* freezeClear(this.phb, pe, action);
  }
  *freezeSet(pe: number, action: number): Process<number> {
    return yield* freezeSet(this.phb, pe, action);
  }
  *nextError(): Process<NextError> {
    return yield* nextError(this.phb);
  }
  *diagData(length: number): Process<DiagResult> {
    return yield* getDiagData(this.phb, length);
  }
  *injectError(request: InjectRequest): Process<number> {
    return yield* injectError(this.phb, request);
  }
  *resetErrors(): Process<number> {
    return yield* disarmInjection(this.phb);
  }
  *resetTables(): Process<number> {
    return yield* purgeTables(this.phb);
  }

  *reinit(scope: number, data: number): Process<number> {
    return yield* reinitDevice(this, scope, data);
  }

  // ---- message interrupts -------------------------------------------------------------------------------------------------

  *setXivePe(pe: number, xive: number): Process<number> {
    return yield* vectors.setXivePe(this.phb, pe, xive);
  }
  *msi32(request: MsiRequest): Process<MsiMessage> {
    return vectors.getMsi32(request);
  }
  *msi64(request: MsiRequest): Process<MsiMessage> {
    return vectors.getMsi64(request);
  }
  *msiEoi(irq: number): Process<number> {
    return yield* vectors.msiEoi(this.phb, irq);
  }
}

class Phb3Interrupts implements InterruptSource {
  readonly firmwareOwned: readonly number[];

  constructor(private readonly phb: Phb3) {
    this.firmwareOwned = vectors.FIRMWARE_LSIS.map((lsi) => phb.irqBase + MSI_COUNT + lsi);
  }

  owns(irq: number): boolean {
    return vectors.isnOf(this.phb, irq) !== undefined;
  }

  *setXive(irq: number, routing: Routing): Process<number> {
    return yield* this.phb.lock.hold(vectors.setXive(this.phb, irq - this.phb.irqBase, routing));
  }

  getXive(irq: number): Xive {
    return vectors.getXive(this.phb, irq - this.phb.irqBase);
  }

  *interrupt(): Process<void> {
    vectors.errorInterrupt(this.phb);
  }
}
