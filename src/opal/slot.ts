/**
 * The state machine a slot goes through while an operating system resets it: every step says how long to wait, the next
 * poll goes on. Source: skiboot core/pci-slot.c: pci_slot_run_sm; core/pci-opal.c: opal_pci_poll. Facts: opal-pci 6.3, 6.4.
 */
import type { HostPort } from '../hw/host-port.js';
import type { Process } from '../sim/process.js';
import { ms, type TimeNs } from '../sim/time.js';
import type { FirmwareProfile } from './firmware-profile.js';
import { OpalStatus, slotId, slotIdText } from './opal-api.js';
import type { SlotStateResult } from './opal-results.js';
import type { PciDevice } from './pci-device.js';

/** State numbers as the firmware logs them; the upper digits name the operation that goes on. */
export const SlotState = {
  NORMAL: 0x000,
  LINK: 0x100,
  LINK_START: 0x101,
  LINK_WAIT_ELECTRICAL: 0x102,
  LINK_WAIT: 0x103,
  /** The same numbers in the slot of a switch port. */
  PORT_LINK_SETTLED: 0x102,
  PORT_LINK_POLLING: 0x103,
  HOT: 0x200,
  HOT_START: 0x201,
  HOT_DELAY: 0x202,
  HOT_DELAY2: 0x203,
  PORT_HOT_HOLD: 0x202,
  FUNDAMENTAL: 0x300,
  FUNDAMENTAL_START: 0x301,
  FUNDAMENTAL_ASSERT_DELAY: 0x302,
  FUNDAMENTAL_DEASSERT_DELAY: 0x303,
  PORT_POWER_OFF: 0x301,
  COMPLETE: 0x400,
  COMPLETE_START: 0x401,
  COMPLETE_WAIT_CQ: 0x402,
  COMPLETE_REINIT: 0x403,
  COMPLETE_FUNDAMENTAL: 0x404,
  /** Of platforms whose service processor is asked for power and presence; no slot here enters them. */
  GET_POWER_START: 0x501,
  SET_POWER_START: 0x601,
  SET_POWER_DONE: 0x602,
  GET_PRESENCE_START: 0x701,
} as const;

const OPERATION = ~0xff;
const hex8 = (state: number): string => state.toString(16).padStart(8, '0');

/** What a slot needs of the bridge it belongs to. */
export interface SlotHost {
  readonly id: number;
  readonly port: HostPort;
  readonly profile: FirmwareProfile;
  log(line: string): void;
}

/** An order to switch power that is not done yet. */
export interface PowerOrder {
  readonly token: bigint;
  readonly power: number;
}

/** Steps return milliseconds to wait, 0 when done, or a negative code. Operations that a slot does not have are absent. */
export abstract class Slot {
  readonly id: bigint;
  protected state: number = SlotState.NORMAL;
  /** Of whatever goes on: link polls, power. */
  retries = 0;
  powerOrder: PowerOrder | undefined;
  private dueAt: TimeNs = 0;

  constructor(
    readonly host: SlotHost,
    /** The bridge above the slot; none above that of a PHB. */
    readonly bridge?: PciDevice,
  ) {
    this.id = bridge === undefined ? BigInt(host.id) : slotId(host.id, bridge.bdfn);
  }

  hotReset?(): Process<number>;
  fundamentalReset?(): Process<number>;
  completeReset?(): Process<number>;
  presence?(): Process<SlotStateResult>;
  /** Power as firmware last set it. */
  powerState?(): Process<SlotStateResult>;
  /** `ASYNC_COMPLETION` if the power takes time to change; the state tells then how far it is. */
  setPower?(power: number): Process<number>;
  /** Width of the link, 0 without one. */
  linkWidth?(): Process<number>;
  /** Loss of the link, and noise on it, are expected while it is down; `up` brings back what is below, too. */
  prepareLinkChange?(direction: 'up' | 'down'): Process<void>;
  protected abstract pollLink(): Process<number>;

  get stateNumber(): number {
    return this.state;
  }

  /** Boot: no presence test, no preparation and no second attempt. */
  *bootReset(): Process<number> {
    this.state = SlotState.FUNDAMENTAL_START;
    return this.fundamentalReset === undefined ? this.invalidState() : yield* this.fundamentalReset();
  }

  /** OPAL_PCI_POLL. Too early, it tells how long is left and does nothing. */
  *poll(): Process<number> {
    const leftNs = this.dueAt - this.host.port.now;
    if (leftNs > 0) return Math.max(1, Math.floor(leftNs / ms(1)));
    return (yield* this.step()) ?? this.invalidState();
  }

  private *step(): Process<number | undefined> {
    switch (this.state & OPERATION) {
      case SlotState.LINK:
        return yield* this.pollLink();
      case SlotState.HOT:
        return this.hotReset && (yield* this.hotReset());
      case SlotState.FUNDAMENTAL:
        return this.fundamentalReset && (yield* this.fundamentalReset());
      case SlotState.COMPLETE:
        return this.completeReset && (yield* this.completeReset());
      default:
        return undefined;
    }
  }

  private invalidState(): number {
    if (this.state === SlotState.NORMAL && this.host.profile.idlePoll === 'corrected') return OpalStatus.SUCCESS;
    this.host.log(`PCI-SLOT-${slotIdText(this.id)} Invalid state ${hex8(this.state)}`);
    this.state = SlotState.NORMAL;
    return OpalStatus.HARDWARE;
  }

  /** The order to switch power has been carried out, or never will be. */
  settle(): void {
    this.state = SlotState.NORMAL;
    this.powerOrder = undefined;
  }

  /** The next poll looks for the link from the beginning. */
  startLinkPoll(): void {
    this.state = SlotState.LINK_START;
  }

  /** Goes on in `state` after `waitMs`. */
  protected continueIn(state: number, waitMs: number): number {
    this.state = state;
    this.dueAt = this.host.port.now + ms(waitMs);
    return waitMs;
  }

  protected finished(rc: number = OpalStatus.SUCCESS): number {
    this.state = SlotState.NORMAL;
    return rc;
  }

  /** A link that stays away is no error of the call. */
  protected linkTimedOut(): number {
    return this.finished(this.host.profile.linkTimeout === 'corrected' ? OpalStatus.HARDWARE : OpalStatus.SUCCESS);
  }

  /** A reset started while another one runs breaks both off. */
  protected unexpectedState(where: string): number {
    this.host.log(`${where}Unexpected slot state ${hex8(this.state)}`);
    if (this.host.profile.brokenOffDelay === 'corrected') this.dueAt = 0;
    return this.finished(OpalStatus.HARDWARE);
  }
}
