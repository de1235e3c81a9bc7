/**
 * The calls that set bridges up, and how a call finds its bridge or slot: unknown numbers are refused first, then what
 * the driver cannot do, then the driver runs with the PHB's lock held.
 * Source: skiboot core/pci-opal.c. Facts: opal-pci 1.3, 5.1 to 5.8.
 */
import type { Process } from '../sim/process.js';
import { Phandles } from './device-tree.js';
import { OpalStatus } from './opal-api.js';
import type {
  DmaWindow,
  MemWindow,
  MmioSegment,
  MsiRequest,
  RealDmaWindow,
  SetPeRequest,
  TceKill,
} from './opal-requests.js';
import type { MsiMessage, SourceResult } from './opal-results.js';
import { allOnes, type ConfigReadResult, type ConfigSize, type ConfigTarget } from './pci-config.js';
import type { PhbDriver } from './phb-driver.js';
import { Platform, type SlotPlace } from './platform.js';

const { PARAMETER, UNSUPPORTED } = OpalStatus;

/** A call that a driver lacks gives nothing to run. */
type Operation<T> = (phb: PhbDriver) => Process<T> | undefined;

export abstract class SetupCalls {
  protected readonly phandles = new Phandles();
  protected readonly platform = new Platform(this.phandles);

  // ---- dispatch -------------------------------------------------------------------------------------------------------------

  protected *onPhb(id: number, operation: Operation<number>): Process<number> {
    return yield* this.onPhbFor(id, (rc) => rc, operation);
  }

  /** Unknown numbers are refused before anything else, then what the driver cannot do. */
  protected *onPhbFor<T>(id: number, refused: (rc: number) => T, operation: Operation<T>): Process<T> {
    const phb = this.platform.phbs.get(id);
    if (phb === undefined) return refused(PARAMETER);
    const body = operation(phb);
    return body === undefined ? refused(UNSUPPORTED) : yield* phb.lock.hold(body);
  }

  protected *onSlot<T>(
    id: number | bigint,
    refused: (rc: number) => T,
    operation: (place: SlotPlace) => Process<T> | undefined,
  ): Process<T> {
    const place = this.platform.slot(id);
    if (place === undefined) return refused(PARAMETER);
    const body = operation(place);
    return body === undefined ? refused(UNSUPPORTED) : yield* place.phb.lock.hold(body);
  }

  // ---- configuration space ----------------------------------------------------------------------------------------------------

  *pciConfigRead(phbId: number, bdfn: number, offset: number, size: ConfigSize): Process<ConfigReadResult> {
    const refused = (rc: number): ConfigReadResult => ({ rc, value: allOnes(size) });
    return yield* this.onPhbFor(phbId, refused, (phb) => phb.configRead({ bdfn, offset, size }));
  }

  *pciConfigWrite(phbId: number, at: ConfigTarget, value: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.configWrite(at, value));
  }

  // ---- PEs and windows ----------------------------------------------------------------------------------------------------------

  *pciSetPe(phbId: number, request: SetPeRequest): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.setPe?.(request));
  }

  *pciSetPeltv(phbId: number, parentPe: number, childPe: number, action: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.setPeltv?.(parentPe, childPe, action));
  }

  *pciMapPeMmioWindow(phbId: number, request: MmioSegment): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.mapPeMmioWindow?.(request));
  }

  *pciSetPhbMemWindow(phbId: number, request: MemWindow): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.setPhbMemWindow?.(request));
  }

  *pciPhbMmioEnable(phbId: number, type: number, window: number, enable: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.phbMmioEnable?.(type, window, enable));
  }

  *pciMapPeDmaWindow(phbId: number, request: DmaWindow): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.mapPeDmaWindow?.(request));
  }

  *pciMapPeDmaWindowReal(phbId: number, request: RealDmaWindow): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.mapPeDmaWindowReal?.(request));
  }

  /** On bridges without it operating systems write the chip's register themselves. */
  *pciTceKill(phbId: number, request: TceKill = EVERY_TCE): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.tceKill?.(request));
  }

  *pciSetPhbCapiMode(phbId: number, mode: number, pe: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.setCapiMode?.(mode, pe));
  }

  *pciSetMve(phbId: number, mve: number, pe: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.setMve?.(mve, pe));
  }

  *pciSetMveEnable(phbId: number, mve: number, state: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.setMveEnable?.(mve, state));
  }

  /** A call that no driver here has. */
  *pciUnsupported(phbId: number): Process<number> {
    return yield* this.onPhb(phbId, () => undefined);
  }

  /** Traffic between two bridges: both must be there, and none of these chips can do it. */
  *pciSetP2p(initiator: number, target: number): Process<number> {
    const { phbs } = this.platform;
    return phbs.has(initiator) && phbs.has(target) ? UNSUPPORTED : PARAMETER;
  }

  // ---- message interrupts -----------------------------------------------------------------------------------------------------

  *pciSetXivePe(phbId: number, pe: number, isn: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.setXivePe?.(pe, isn));
  }

  *getXiveSource(phbId: number, xive: number): Process<SourceResult> {
    return yield* this.onPhbFor(
      phbId,
      (rc): SourceResult => ({ rc, isn: 0 }),
      (phb) => phb.xiveSource?.(xive),
    );
  }

  *getMsi32(phbId: number, pe: number, xive: number, range: number): Process<MsiMessage> {
    const request: MsiRequest = { pe, xive, range };
    return yield* this.onPhbFor(phbId, noMessage, (phb) => phb.msi32?.(request));
  }

  *getMsi64(phbId: number, pe: number, xive: number, range: number): Process<MsiMessage> {
    const request: MsiRequest = { pe, xive, range };
    return yield* this.onPhbFor(phbId, noMessage, (phb) => phb.msi64?.(request));
  }

  *pciMsiEoi(phbId: number, irq: number): Process<number> {
    return yield* this.onPhb(phbId, (phb) => phb.msiEoi?.(irq));
  }
}

const TCE_KILL_ALL = 2;
const EVERY_TCE: TceKill = { kind: TCE_KILL_ALL, pe: 0, tceBytes: 0, address: 0n, pages: 0 };

const noMessage = (rc: number): MsiMessage => ({ rc, address: 0n, data: 0 });
