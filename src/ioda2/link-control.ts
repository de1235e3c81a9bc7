/**
 * PERST, core resets and link status: PHB_RESET, DLP_TRAIN_CTL, hot-plug presence, and what a lost link tells the UTL.
 * Sources: skiboot hw/phb3.c: phb3_freset, phb3_poll_link, phb3_wait_dlp_reset, phb3_get_presence_state. Facts: ioda2-phb3 7.10.
 */
import { msbMask, msbMasks } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import type { Link } from '../pcie/link.js';
import { Priority } from '../sim/priority.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import type { PhbRegisterName } from './registers/phb.js';
import type { Phb3Timing } from './timing.js';

/** PHB_RESET: 1 = released. */
const CORE_RESETS = msbMasks(0, 1, 3);
const PERST_RELEASED = msbMask(2);

const TRAIN = {
  IN_BAND_PRESENCE: msbMask(19),
  LINK_UP: msbMask(21),
  PGRESET: msbMask(22),
  LINK_ACTIVE: msbMask(23),
} as const;
const TRAIN_LIVE = TRAIN.IN_BAND_PRESENCE | TRAIN.LINK_UP | TRAIN.PGRESET | TRAIN.LINK_ACTIVE;

/** PHB_HOTPLUG_OVERRIDE: both pins are active low. */
const PRESENCE_PINS = msbMasks(10, 11);
const MANAGEMENT = {
  CHANGE_WIDTH: msbMask(0),
  LINK_ACTIVE: msbMask(8),
  WIDTH_CHANGE_PENDING: msbMask(9),
  CHANGE_SPEED: msbMask(11),
} as const;
const WIDTHS = [16, 8, 4, 2, 1] as const;

export interface LinkControlListener {
  /** The data link went down. */
  linkDown(): void;
  /** The core came out of or went into reset: its registers start anew. */
  coreReset(): void;
}

export class LinkControl {
  readonly #sim: Simulator;
  readonly #registers: RegisterFile<PhbRegisterName>;
  readonly #link: Link;
  readonly #timing: Phb3Timing;
  readonly #listener: LinkControlListener;
  readonly #coreReady: HandlerId;
  readonly #widthChanged: HandlerId;
  #pendingReady: EventId | undefined;
  #inCoreReset = true;
  #wasUp = false;

  constructor(
    parts: {
      sim: Simulator;
      name: string;
      registers: RegisterFile<PhbRegisterName>;
      link: Link;
      timing: Phb3Timing;
    },
    listener: LinkControlListener,
  ) {
    const { sim, registers, link } = parts;
    this.#sim = sim;
    this.#registers = registers;
    this.#link = link;
    this.#timing = parts.timing;
    this.#listener = listener;
    this.#coreReady = sim.handler(`${parts.name} core ready`, () => this.#releaseCore());
    registers.attach('PHB_RESET', { onWrite: (_, old) => this.#resetWritten(old) });
    registers.attach('PHB_PCIE_DLP_TRAIN_CTL', { onRead: (stored) => (stored & ~TRAIN_LIVE) | this.#trainStatus() });
    registers.attach('PHB_HOTPLUG_OVERRIDE', {
      onRead: (stored) => (link.cardInserted ? stored & ~PRESENCE_PINS : stored | PRESENCE_PINS),
    });
    registers.attach('PHB_PCIE_LINK_MANAGEMENT', {
      onRead: (stored) => (link.isUp ? stored | MANAGEMENT.LINK_ACTIVE : stored & ~MANAGEMENT.LINK_ACTIVE),
      onWrite: (value) => this.#managementWritten(value),
    });
    this.#widthChanged = sim.handler(`${parts.name} width change`, () =>
      registers.clear('PHB_PCIE_LINK_MANAGEMENT', MANAGEMENT.WIDTH_CHANGE_PENDING),
    );
    link.onChange(() => this.#linkChanged());
  }

  /** DL_PGRESET: UTL registers and root complex configuration space cannot be reached. */
  get inCoreReset(): boolean {
    return this.#inCoreReset;
  }

  get linkActive(): boolean {
    return this.#link.isUp;
  }

  #trainStatus(): bigint {
    let status = this.#inCoreReset ? TRAIN.PGRESET : 0n;
    if (this.#link.electricalPresence) status |= TRAIN.IN_BAND_PRESENCE;
    if (this.#link.isUp) status |= TRAIN.LINK_UP | TRAIN.LINK_ACTIVE;
    return status;
  }

  #resetWritten(old: bigint): void {
    const now = this.#registers.get('PHB_RESET');
    const released = (value: bigint): boolean => (value & CORE_RESETS) === CORE_RESETS;
    if (released(now) && !released(old)) {
      this.#pendingReady = this.#sim.schedule(this.#timing.coreResetNs.value, Priority.CHIP, this.#coreReady);
    }
    if (!released(now) && released(old)) this.#assertCoreReset();
    this.#drivePerst(now);
  }

  /** A core in reset cannot train: the card waits in PERST until both are released. */
  #drivePerst(reset: bigint): void {
    const trainable = (reset & PERST_RELEASED) !== 0n && !this.#inCoreReset;
    this.#link.setPerst(trainable ? 'deasserted' : 'asserted');
  }

  #releaseCore(): void {
    this.#pendingReady = undefined;
    this.#inCoreReset = false;
    this.#drivePerst(this.#registers.get('PHB_RESET'));
  }

  #assertCoreReset(): void {
    if (this.#pendingReady !== undefined) this.#sim.cancel(this.#pendingReady);
    this.#pendingReady = undefined;
    this.#inCoreReset = true;
    this.#listener.coreReset();
  }

  /** Targets the link cannot have are rounded down. Source: skiboot hw/phb3.c: phb3_link_update. */
  #managementWritten(value: bigint): void {
    const target = (field: string): number => Number(this.#registers.field('PHB_PCIE_LINK_MANAGEMENT', field));
    if ((value & MANAGEMENT.CHANGE_SPEED) !== 0n) {
      const speed = Math.min(target('TARGET_SPEED'), 3);
      this.#link.setTargetSpeed(speed === 3 ? 3 : speed === 2 ? 2 : 1);
    }
    if ((value & MANAGEMENT.CHANGE_WIDTH) !== 0n) {
      this.#link.setTargetWidth(WIDTHS.find((width) => width <= target('TARGET_WIDTH')) ?? 1);
      this.#registers.or('PHB_PCIE_LINK_MANAGEMENT', MANAGEMENT.WIDTH_CHANGE_PENDING);
      this.#sim.schedule(this.#timing.widthChangeNs.value, Priority.CHIP, this.#widthChanged);
    }
    if ((value & (MANAGEMENT.CHANGE_SPEED | MANAGEMENT.CHANGE_WIDTH)) !== 0n) this.#link.retrain();
  }

  #linkChanged(): void {
    const wentDown = this.#wasUp && !this.#link.isUp;
    this.#wasUp = this.#link.isUp;
    if (wentDown) this.#listener.linkDown();
  }

  /** After a reset of the whole PHB: cores in reset, PERST asserted (M). */
  reset(): void {
    // The reset takes the link down itself: nobody is told, least of all registers that start anew.
    this.#wasUp = false;
    this.#drivePerst(0n);
    this.#link.setTargetWidth(this.#link.options.maxWidth);
    this.#assertCoreReset();
  }
}
