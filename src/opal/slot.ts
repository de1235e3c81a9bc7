/**
 * The state machine a slot goes through while an operating system resets it: every step says how long to wait, the next
 * poll goes on. Source: skiboot core/pci-slot.c: pci_slot_run_sm; core/pci-opal.c: opal_pci_poll. Facts: opal-pci 6.3, 6.4.
 */
import type { HostPort } from '../hw/host-port.js';
import type { Process } from '../sim/process.js';
import { ms, type TimeNs } from '../sim/time.js';
import { OpalStatus, Power } from './opal-api.js';

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
} as const;

const OPERATION = ~0xff;

/** Presence or power of a slot. */
export interface SlotStateResult {
  readonly rc: number;
  readonly state: number;
}

/** Steps return milliseconds to wait, 0 when done, or a negative code. */
export abstract class Slot {
  protected state: number = SlotState.NORMAL;
  private dueAt: TimeNs = 0;

  constructor(
    protected readonly port: HostPort,
    private readonly logLine: (line: string) => void,
  ) {}

  abstract hotReset(): Process<number>;
  abstract fundamentalReset(): Process<number>;
  protected abstract pollLink(): Process<number>;
  abstract presence(): Process<SlotStateResult>;

  /** A slot that cannot be reset completely says so. */
  *completeReset(): Process<number> {
    return OpalStatus.UNSUPPORTED;
  }

  /** Power as firmware last set it. A PHB's slot cannot tell. */
  powerState(): SlotStateResult {
    return { rc: OpalStatus.UNSUPPORTED, state: Power.OFF };
  }

  /** For tests and displays. */
  get stateNumber(): number {
    return this.state;
  }

  /** OPAL_PCI_POLL. Too early, it tells how long is left and does nothing. */
  *poll(): Process<number> {
    if (this.state === SlotState.NORMAL) return this.invalidState();
    const leftNs = this.dueAt - this.port.now;
    if (leftNs > 0) return Math.max(1, Math.floor(leftNs / ms(1)));
    switch (this.state & OPERATION) {
      case SlotState.LINK:
        return yield* this.pollLink();
      case SlotState.HOT:
        return yield* this.hotReset();
      case SlotState.FUNDAMENTAL:
        return yield* this.fundamentalReset();
      case SlotState.COMPLETE:
        return yield* this.completeReset();
      default:
        return this.invalidState();
    }
  }

  private invalidState(): number {
    this.logLine(`Invalid state ${this.state.toString(16).padStart(8, '0')}`);
    return OpalStatus.HARDWARE;
  }

  /** Goes on in `state` after `waitMs`. */
  protected continueIn(state: number, waitMs: number): number {
    this.state = state;
    this.dueAt = this.port.now + ms(waitMs);
    return waitMs;
  }

  protected finished(): number {
    this.state = SlotState.NORMAL;
    return OpalStatus.SUCCESS;
  }

  /** A reset started while another one runs breaks both off. */
  protected unexpectedState(): number {
    this.logLine(`Unexpected slot state ${this.state.toString(16).padStart(8, '0')}`);
    this.state = SlotState.NORMAL;
    return OpalStatus.HARDWARE;
  }
}
