/**
 * PERST, core resets, slot power and link status: PHB_RESET, DLP_TRAIN_CTL, SLOTCTL2, HOTPLUG_OVERRIDE.
 * Facts: ioda1-p7ioc 3.11, 3.12, 3.14, 7.10, 7.12. Sources: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_freset, p7ioc_hreset,
 * p7ioc_poll_link, p7ioc_phb_wait_dlp_reset.
 */
import { fieldMask, msbMask } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import type { Link } from '../pcie/link.js';
import { Priority } from '../sim/priority.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import { PHB_REGISTERS, type PhbRegisterName } from './registers/phb.js';
import type { P7iocTiming } from './timing.js';

const bitOf = (register: PhbRegisterName, field: string): bigint => fieldMask(PHB_REGISTERS.field(register, field).at);

/** PHB_RESET: 1 = released. */
const CORE_RESETS = bitOf('PHB_RESET', 'CORE_0') | bitOf('PHB_RESET', 'CORE_1');
const PERST_RELEASED = bitOf('PHB_RESET', 'PERST');

const train = (field: string): bigint => bitOf('PHB_PCIE_DLP_TRAIN_CTL', field);
const TRAIN = {
  TX_DISABLE: train('TX_DISABLE'),
  RX_DISABLED: train('RX_DISABLED'),
  INBAND_PRESENCE: train('INBAND_PRESENCE'),
  LINK_UP: train('LINK_UP'),
  PGRESET: train('DL_PGRESET'),
  LINK_ACTIVE: train('LINK_ACTIVE'),
} as const;

const slot = (field: string): bigint => bitOf('PHB_PCIE_SLOTCTL2', field);
const SLOT = {
  POWER: slot('POWER'),
  REFCLK: slot('REFCLK'),
  PERST: slot('PERST'),
  PRESENCE: slot('PRESENCE'),
} as const;
const POWER_EDGE = bitOf('PHB_HOTPLUG_OVERRIDE', 'POWER');

const MANAGEMENT = {
  CHANGE_WIDTH: msbMask(0),
  LINK_ACTIVE: msbMask(8),
  WIDTH_CHANGE_PENDING: msbMask(9),
  CHANGE_SPEED: msbMask(11),
} as const;
const WIDTHS = [8, 4, 2, 1] as const;

export interface LinkControlListener {
  /** The data link came up or went down. */
  linkChanged(state: 'up' | 'down'): void;
  /** The core came out of or went into reset: its registers start anew. */
  coreReset(): void;
}

export interface LinkControlParts {
  readonly sim: Simulator;
  readonly name: string;
  readonly registers: RegisterFile<PhbRegisterName>;
  readonly link: Link;
  readonly timing: P7iocTiming;
  /** Slot power when the machine comes up: off until firmware's first reset of the slot turns it on (M). */
  readonly slotPower: 'on' | 'off';
}

export class LinkControl {
  readonly #parts: LinkControlParts;
  readonly #listener: LinkControlListener;
  readonly #coreReady: HandlerId;
  readonly #widthChanged: HandlerId;
  #pendingReady: EventId | undefined;
  #inCoreReset = true;
  #wasUp = false;
  #jammedReset = false;

  constructor(parts: LinkControlParts, listener: LinkControlListener) {
    const { sim, name, registers, link } = parts;
    this.#parts = parts;
    this.#listener = listener;
    this.#coreReady = sim.handler(`${name} core ready`, () => this.#releaseCore());
    this.#widthChanged = sim.handler(`${name} width change`, () =>
      registers.set(
        'PHB_PCIE_LINK_MANAGEMENT',
        registers.get('PHB_PCIE_LINK_MANAGEMENT') & ~MANAGEMENT.WIDTH_CHANGE_PENDING,
      ),
    );
    registers.attach('PHB_RESET', { onWrite: (_, old) => this.#resetWritten(old) });
    registers.attach('PHB_PCIE_DLP_TRAIN_CTL', {
      onRead: (stored) => (stored & TRAIN.TX_DISABLE) | this.#trainStatus(stored),
      onWrite: (_, old) => this.#trainWritten(old),
    });
    registers.attach('PHB_PCIE_SLOTCTL2', { onRead: () => this.#slotStatus() });
    registers.attach('PHB_HOTPLUG_OVERRIDE', { onWrite: (_, old) => this.#powerWritten(old) });
    registers.attach('PHB_PCIE_LINK_MANAGEMENT', {
      onRead: (stored) => (link.isUp ? stored | MANAGEMENT.LINK_ACTIVE : stored & ~MANAGEMENT.LINK_ACTIVE),
      onWrite: (value) => this.#managementWritten(value),
    });
    link.setSlotPower(parts.slotPower);
    link.onChange(() => this.#linkChanged());
  }

  /** DL_PGRESET: UTL registers and the root port's configuration space cannot be reached. */
  get inCoreReset(): boolean {
    return this.#inCoreReset;
  }

  get linkActive(): boolean {
    return this.#parts.link.isUp;
  }

  // ---- PHB_RESET --------------------------------------------------------------------------------------------------

  #resetWritten(old: bigint): void {
    const { registers, sim, timing } = this.#parts;
    const now = registers.get('PHB_RESET');
    const released = (value: bigint): boolean => (value & CORE_RESETS) === CORE_RESETS;
    if (released(now) && !released(old) && !this.#jammedReset) {
      this.#pendingReady = sim.schedule(timing.coreResetNs.value, Priority.CHIP, this.#coreReady);
    }
    if (!released(now) && released(old)) this.#assertCoreReset();
    this.#drivePerst(now);
  }

  /** A core in reset cannot train: the card waits in PERST until both are released. */
  #drivePerst(reset: bigint): void {
    const trainable = (reset & PERST_RELEASED) !== 0n && !this.#inCoreReset;
    this.#parts.link.setPerst(trainable ? 'deasserted' : 'asserted');
  }

  #releaseCore(): void {
    this.#pendingReady = undefined;
    this.#inCoreReset = false;
    this.#drivePerst(this.#parts.registers.get('PHB_RESET'));
  }

  #assertCoreReset(): void {
    if (this.#pendingReady !== undefined) this.#parts.sim.cancel(this.#pendingReady);
    this.#pendingReady = undefined;
    this.#inCoreReset = true;
    this.#listener.coreReset();
  }

  /** A defect: the core never comes out of its reset again. */
  jamCoreReset(): void {
    this.#jammedReset = true;
  }

  // ---- DLP_TRAIN_CTL ----------------------------------------------------------------------------------------------

  /** The receiver goes off with the transmitter, at once: firmware looks in the same breath. */
  #trainStatus(stored: bigint): bigint {
    const { link } = this.#parts;
    let status = this.#inCoreReset ? TRAIN.PGRESET : 0n;
    if ((stored & TRAIN.TX_DISABLE) !== 0n) status |= TRAIN.RX_DISABLED;
    if (link.electricalPresence) status |= TRAIN.INBAND_PRESENCE;
    if (link.isUp) status |= TRAIN.LINK_UP | TRAIN.LINK_ACTIVE;
    return status;
  }

  #trainWritten(old: bigint): void {
    const { registers, link } = this.#parts;
    const now = registers.get('PHB_PCIE_DLP_TRAIN_CTL');
    if (((now ^ old) & TRAIN.TX_DISABLE) === 0n) return;
    link.setDisabled((now & TRAIN.TX_DISABLE) === 0n ? 'enabled' : 'disabled');
  }

  // ---- the slot ---------------------------------------------------------------------------------------------------

  #slotStatus(): bigint {
    const { link, registers } = this.#parts;
    let status = (registers.get('PHB_RESET') & PERST_RELEASED) === 0n ? SLOT.PERST : 0n;
    // The clock comes with the power (M).
    if (link.slotPower === 'on') status |= SLOT.POWER | SLOT.REFCLK;
    if (link.cardInserted) status |= SLOT.PRESENCE;
    return status;
  }

  #powerWritten(old: bigint): void {
    const now = this.#parts.registers.get('PHB_HOTPLUG_OVERRIDE');
    if (((now ^ old) & POWER_EDGE) === 0n) return;
    this.#parts.link.setSlotPower((now & POWER_EDGE) === 0n ? 'off' : 'on');
  }

  // ---- LINK_MANAGEMENT --------------------------------------------------------------------------------------------

  /** Targets the link cannot have are rounded down. */
  #managementWritten(value: bigint): void {
    const { registers, link, sim, timing } = this.#parts;
    const target = (field: string): number => Number(registers.field('PHB_PCIE_LINK_MANAGEMENT', field));
    if ((value & MANAGEMENT.CHANGE_SPEED) !== 0n) link.setTargetSpeed(target('TARGET_SPEED') >= 2 ? 2 : 1);
    if ((value & MANAGEMENT.CHANGE_WIDTH) !== 0n) {
      link.setTargetWidth(WIDTHS.find((width) => width <= target('TARGET_WIDTH')) ?? 1);
      registers.or('PHB_PCIE_LINK_MANAGEMENT', MANAGEMENT.WIDTH_CHANGE_PENDING);
      sim.schedule(timing.widthChangeNs.value, Priority.CHIP, this.#widthChanged);
    }
    if ((value & (MANAGEMENT.CHANGE_SPEED | MANAGEMENT.CHANGE_WIDTH)) !== 0n) link.retrain();
  }

  #linkChanged(): void {
    const { isUp } = this.#parts.link;
    if (isUp === this.#wasUp) return;
    this.#wasUp = isUp;
    this.#listener.linkChanged(isUp ? 'up' : 'down');
  }

  /** After a configuration reset of the PHB: core in reset, PERST asserted; slot power stays as it is (M). */
  reset(): void {
    // The reset takes the link down itself: nobody is told, least of all registers that start anew.
    this.#wasUp = false;
    this.#drivePerst(0n);
    this.#parts.link.setDisabled('enabled');
    this.#parts.link.setTargetWidth(this.#parts.link.options.maxWidth);
    this.#assertCoreReset();
  }
}
