/**
 * The driver of one PHB of a P7IOC, as the generic entry points and the PCI core of firmware use it.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_ops, p7ioc_phb_slot_create. Facts: opal-pci 1.3, 2.
 */
import { P7IOC_LAYOUT } from '../../diag/p7ioc/layout.js';
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
import type { DiagResult, FreezeStatus, MsiMessage, NextError, SourceResult } from '../opal-results.js';
import type { ConfigReadResult, ConfigTarget } from '../pci-config.js';
import type { PciDevice } from '../pci-device.js';
import type { BusChoice, BusRange } from '../pci-host.js';
import type { InterruptSource, PhbDriver } from '../phb-driver.js';
import { configRead, configWrite } from './config.js';
import { chooseBus, initDevice } from './device-init.js';
import { getDiagData } from './diag.js';
import { freezeClear, freezeSet, freezeStatus } from './eeh.js';
import { injectError } from './inject.js';
import { P7iocInterrupts } from './interrupts.js';
import { linkWidth } from './link.js';
import { setPe, setPeltv } from './mapping.js';
import * as messages from './msi.js';
import { nextError } from './next-error.js';
import { phbNode } from './node.js';
import type { P7iocPhb } from './phb.js';
import { P7iocSlot } from './phb-slot.js';
import { purgeTables } from './table-load.js';
import { RESERVED_PE } from './tables.js';
import * as windows from './windows.js';

export class P7iocDriver extends BridgeDriver<P7iocPhb> implements PhbDriver {
  readonly slot: P7iocSlot;
  readonly interrupts: InterruptSource;
  readonly diagDataBytes = P7IOC_LAYOUT.totalBytes;
  readonly reservedPe = RESERVED_PE;
  readonly generation = '6.2';

  constructor(phb: P7iocPhb) {
    super(phb);
    this.slot = new P7iocSlot(phb, this);
    this.interrupts = new P7iocInterrupts(phb);
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
    yield* initDevice(this, device);
  }
  chooseBus(bridge: PciDevice, free: BusRange): BusChoice | undefined {
    return chooseBus(bridge, free);
  }

  // ---- PEs and windows ------------------------------------------------------------------------------------------------

  *setPe(request: SetPeRequest): Process<number> {
    return yield* setPe(this.phb, request);
  }
  *setPeltv(parentPe: number, childPe: number, action: number): Process<number> {
    return yield* setPeltv(this.phb, parentPe, childPe, action);
  }
  *mapPeMmioWindow(request: MmioSegment): Process<number> {
    return yield* windows.mapPeMmioWindow(this.phb, request);
  }
  *setPhbMemWindow(request: MemWindow): Process<number> {
    return yield* windows.setPhbMemWindow(this.phb, request);
  }
  *phbMmioEnable(type: number, window: number, enable: number): Process<number> {
    return yield* windows.phbMmioEnable(this.phb, type, window, enable);
  }
  *mapPeDmaWindow(request: DmaWindow): Process<number> {
    return yield* windows.mapPeDmaWindow(this.phb, request);
  }
  *mapPeDmaWindowReal(_request: RealDmaWindow): Process<number> {
    return yield* windows.mapPeDmaWindowReal();
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

  // ---- message interrupts -----------------------------------------------------------------------------------------------

  *setMve(mve: number, pe: number): Process<number> {
    return yield* messages.setMve(this.phb, mve, pe);
  }
  *setMveEnable(mve: number, state: number): Process<number> {
    return yield* messages.setMveEnable(this.phb, mve, state);
  }
  *setXivePe(pe: number, xive: number): Process<number> {
    return yield* messages.setXivePe(this.phb, pe, xive);
  }
  *xiveSource(xive: number): Process<SourceResult> {
    return yield* messages.xiveSource(this.phb, xive);
  }
  *msi32(request: MsiRequest): Process<MsiMessage> {
    return messages.getMsi32(request);
  }
  *msi64(request: MsiRequest): Process<MsiMessage> {
    return messages.getMsi64(request);
  }
}
