/**
 * PERST, core resets, slot power and link status: PHB_RESET, DLP_TRAIN_CTL, SLOTCTL2, HOTPLUG_OVERRIDE.
 * Facts: ioda1-p7ioc 3.11, 3.12, 3.14, 7.10, 7.12. Sources: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_freset, p7ioc_hreset,
 * p7ioc_poll_link, p7ioc_phb_wait_dlp_reset.
 */
import { fieldMask } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import { CoreReset } from '../ioda/core-reset.js';
import { LinkManagement } from '../ioda/link-management.js';
import type { Link } from '../pcie/link.js';
import type { Simulator } from '../sim/simulator.js';
import { PHB_REGISTERS, type PhbRegisterName } from './registers/phb.js';
import type { P7iocTiming } from './timing.js';

const bitOf = (register: PhbRegisterName, field: string): bigint => fieldMask(PHB_REGISTERS.field(register, field).at);

/** PHB_RESET: 1 = released. */
const CORE_RESETS = bitOf('PHB_RESET', 'CORE_0') | bitOf('PHB_RESET', 'CORE_1');

const TX_DISABLE = bitOf('PHB_PCIE_DLP_TRAIN_CTL', 'TX_DISABLE');
const RX_DISABLED = bitOf('PHB_PCIE_DLP_TRAIN_CTL', 'RX_DISABLED');

const slot = (field: string): bigint => bitOf('PHB_PCIE_SLOTCTL2', field);
const SLOT = {
  POWER: slot('POWER'),
  REFCLK: slot('REFCLK'),
  PERST: slot('PERST'),
  PRESENCE: slot('PRESENCE'),
} as const;
const POWER_EDGE = bitOf('PHB_HOTPLUG_OVERRIDE', 'POWER');

/** What this core can do. */
const LIMITS = { maxSpeed: 2, maxWidth: 8 } as const;

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
  readonly #core: CoreReset;
  #wasUp = false;

  constructor(parts: LinkControlParts, listener: LinkControlListener) {
    const { registers, link } = parts;
    this.#parts = parts;
    this.#listener = listener;
    this.#core = new CoreReset({ ...parts, coreResets: CORE_RESETS }, () => listener.coreReset());
    new LinkManagement(parts, LIMITS);
    registers.attach('PHB_PCIE_DLP_TRAIN_CTL', {
      onRead: (stored) => (stored & TX_DISABLE) | this.#trainStatus(stored),
      onWrite: (_, old) => this.#trainWritten(old),
    });
    registers.attach('PHB_PCIE_SLOTCTL2', { onRead: () => this.#slotStatus() });
    registers.attach('PHB_HOTPLUG_OVERRIDE', { onWrite: (_, old) => this.#powerWritten(old) });
    link.setSlotPower(parts.slotPower);
    link.onChange(() => this.#linkChanged());
  }

  /** DL_PGRESET: UTL registers and the root port's configuration space cannot be reached. */
  get inCoreReset(): boolean {
    return this.#core.active;
  }

  get linkActive(): boolean {
    return this.#parts.link.isUp;
  }

  /** A defect: the core never comes out of its reset again. */
  jamCoreReset(): void {
    this.#core.jam();
  }

  // ---- DLP_TRAIN_CTL ----------------------------------------------------------------------------------------------

  /** The receiver goes off with the transmitter, at once: firmware looks in the same breath. */
  #trainStatus(stored: bigint): bigint {
    const receiver = (stored & TX_DISABLE) === 0n ? 0n : RX_DISABLED;
    return this.#core.trainStatus | receiver;
  }

  #trainWritten(old: bigint): void {
    const { registers, link } = this.#parts;
    const now = registers.get('PHB_PCIE_DLP_TRAIN_CTL');
    if (((now ^ old) & TX_DISABLE) === 0n) return;
    link.setDisabled((now & TX_DISABLE) === 0n ? 'enabled' : 'disabled');
  }

  // ---- the slot ---------------------------------------------------------------------------------------------------

  #slotStatus(): bigint {
    const { link } = this.#parts;
    let status = this.#core.perstAsserted ? SLOT.PERST : 0n;
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
    this.#core.reset();
    this.#parts.link.setDisabled('enabled');
    this.#parts.link.setTargetWidth(this.#parts.link.options.maxWidth);
  }
}
