/**
 * PEs handed to a guest or to user space: their owner's errors are the owner's, and these are the calls it has.
 * Source: linux eeh.c: eeh_dev_open, eeh_dev_release, eeh_pe_change_owner, eeh_pe_get_state, eeh_pe_inject_err;
 * eeh_driver.c: eeh_pe_reset_and_recover; drivers/vfio/vfio_spapr_eeh.c; facts: eeh-linux 15.
 */
import { Mutex } from '../sim/mutex.js';
import type { Process } from '../sim/process.js';
import type { KernelContext } from './context.js';
import { EehOption, isActive, PeState, QueryState, type ResetOption } from './eeh-flags.js';
import { type EehDev, type EehPe, edevOf } from './eeh-pe.js';
import type { EehReset } from './eeh-reset.js';
import type { EehSettings } from './eeh-settings.js';
import type { EehThaw } from './eeh-thaw.js';
import { EINVAL, EIO, ENODEV } from './errno.js';
import type { InjectRequest } from './firmware.js';
import type { OwnersSavedState } from './passthrough-state.js';
import type { PciDevice } from './pci/device.js';
import type { EehPlatform } from './powernv/eeh-platform.js';

/** Numbers of the operations user space names. */
export const VfioEehOp = {
  DISABLE: 0,
  ENABLE: 1,
  UNFREEZE_IO: 2,
  UNFREEZE_DMA: 3,
  GET_STATE: 4,
  RESET_DEACTIVATE: 5,
  RESET_HOT: 6,
  RESET_FUNDAMENTAL: 7,
  CONFIGURE: 8,
  INJECT_ERR: 9,
} as const;
/** What a container says when asked whether it knows of EEH. */
export const VFIO_EEH_CAPABILITY = 5;

/** A PE's state as its owner is told. */
export const OwnerState = { NORMAL: 0, RESET: 1, STOPPED_IO_DMA: 2, STOPPED_DMA: 4, UNAVAILABLE: 5 } as const;

/** Frozen devices that only a reset of their PE makes usable for another owner: vendor, device. */
const RESET_FOR_OWNER: readonly (readonly [number, number])[] = [
  [0x19a2, 0x0710],
  [0x10df, 0xe220],
  [0x14e4, 0x1657],
];

const LAST_INJECT_TYPE = 1;
const LAST_INJECT_FUNCTION = 19;

export interface OwnershipParts {
  readonly settings: EehSettings;
  readonly platform: EehPlatform;
  readonly thaw: EehThaw;
  readonly reset: EehReset;
  readonly saved: OwnersSavedState;
}

export class PassedPes {
  /** One owner comes or goes at a time. */
  private readonly lock: Mutex;

  constructor(
    ctx: KernelContext,
    private readonly parts: OwnershipParts,
  ) {
    this.lock = new Mutex(ctx.sim, 'EEH owner');
  }

  /** The device is handed out; from the first one on its PE is not the kernel's to recover. */
  *open(device: PciDevice | undefined): Process<number> {
    return yield* this.lock.hold(this.openLocked(device));
  }

  *release(device: PciDevice | undefined): Process<void> {
    yield* this.lock.hold(this.releaseLocked(device));
  }

  /** What the owner may do, by number: an ioctl's result. */
  *vfio(pe: EehPe | undefined, op: number, inject?: Omit<InjectRequest, 'pe'>): Process<number> {
    if (pe === undefined) return ENODEV;
    switch (op) {
      case VfioEehOp.DISABLE:
      case VfioEehOp.CONFIGURE:
        return 0;
      case VfioEehOp.ENABLE:
        return this.parts.settings.enabled ? yield* this.changeOwner(pe) : EIO;
      case VfioEehOp.UNFREEZE_IO:
        return yield* this.parts.thaw.enable(pe, EehOption.THAW_MMIO);
      case VfioEehOp.UNFREEZE_DMA:
        return yield* this.parts.thaw.enable(pe, EehOption.THAW_DMA);
      case VfioEehOp.GET_STATE:
        return yield* this.state(pe);
      case VfioEehOp.INJECT_ERR:
        return inject === undefined ? EINVAL : yield* this.inject(pe, inject);
      default:
        return yield* this.vfioReset(pe, op);
    }
  }

  /** Half a recovery of the host above hides the PE from its owner. */
  *state(pe: EehPe): Process<number> {
    const { parent } = pe;
    if (!pe.in(PeState.REMOVED) && parent?.in(PeState.ISOLATED | PeState.RECOVERING)) return OwnerState.UNAVAILABLE;
    const { state } = yield* this.parts.platform.getState(pe);
    if ((state & QueryState.RESET_ACTIVE) !== 0) return OwnerState.RESET;
    const mmio = (state & QueryState.MMIO_ENABLED) !== 0;
    const dma = (state & QueryState.DMA_ENABLED) !== 0;
    if (mmio && dma) return OwnerState.NORMAL;
    if (!mmio && !dma) return OwnerState.STOPPED_IO_DMA;
    return mmio ? OwnerState.STOPPED_DMA : OwnerState.UNAVAILABLE;
  }

  private *openLocked(device: PciDevice | undefined): Process<number> {
    const pe = peOf(device);
    if (pe === undefined) return ENODEV;
    const rc = yield* this.changeOwner(pe);
    if (rc === 0) pe.passedDevices++;
    return rc;
  }

  private *releaseLocked(device: PciDevice | undefined): Process<void> {
    const pe = peOf(device);
    if (pe?.isPassed !== true) return;
    pe.passedDevices--;
    yield* this.changeOwner(pe);
  }

  /** Nobody takes over a frozen PE: it is thawed, or reset where a thaw is not enough. */
  private *changeOwner(pe: EehPe): Process<number> {
    const { state } = yield* this.parts.platform.getState(pe);
    if (state < 0 || state === QueryState.NOT_SUPPORT || isActive(state)) return 0;
    if (pe.edevs.some(needsReset)) return yield* this.resetAndRecover(pe);
    const rc = yield* this.parts.thaw.unfreeze(pe);
    if (rc === 0) pe.clearState(PeState.ISOLATED);
    return rc;
  }

  private *resetAndRecover(pe: EehPe): Process<number> {
    if (pe.in(PeState.RECOVERING)) return 0;
    pe.markState(PeState.RECOVERING);
    const rc = yield* this.resetSaved(pe);
    pe.clearState(PeState.RECOVERING);
    return rc;
  }

  private *resetSaved(pe: EehPe): Process<number> {
    const { reset, thaw, saved } = this.parts;
    yield* saved.save(pe.devicesBelow());
    const rc = yield* reset.resetFull(pe, 'include-passed');
    if (rc !== 0) return rc;
    const cleared = yield* thaw.clearFrozenState(pe, 'include-passed');
    if (cleared !== 0) return cleared;
    yield* saved.restore(pe.devicesBelow());
    return 0;
  }

  private *vfioReset(pe: EehPe, op: number): Process<number> {
    const option = RESETS[op];
    return option === undefined ? EINVAL : yield* this.parts.reset.resetPe(pe, option, 'include-passed');
  }

  private *inject(pe: EehPe, request: Omit<InjectRequest, 'pe'>): Process<number> {
    const { type, function: which } = request;
    const known = type >= 0 && type <= LAST_INJECT_TYPE && which >= 0 && which <= LAST_INJECT_FUNCTION;
    return known ? yield* this.parts.platform.injectError(pe, request) : EINVAL;
  }
}

const RESETS: Readonly<Record<number, ResetOption>> = {
  [VfioEehOp.RESET_DEACTIVATE]: 'deactivate',
  [VfioEehOp.RESET_HOT]: 'hot',
  [VfioEehOp.RESET_FUNDAMENTAL]: 'fundamental',
};

function peOf(device: PciDevice | undefined): EehPe | undefined {
  return device === undefined ? undefined : edevOf(device)?.pe;
}

function needsReset({ device }: EehDev): boolean {
  if (device === undefined) return false;
  const { vendorId, deviceId } = device.identity;
  return RESET_FOR_OWNER.some(([vendor, id]) => vendor === vendorId && id === deviceId);
}
