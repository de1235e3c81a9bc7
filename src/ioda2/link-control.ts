/**
 * PERST, core resets and link status: PHB_RESET, DLP_TRAIN_CTL, hot-plug presence, and what a lost link tells the UTL.
 * Sources: skiboot hw/phb3.c: phb3_freset, phb3_poll_link, phb3_wait_dlp_reset, phb3_get_presence_state. Facts: ioda2-phb3 7.10.
 */
import { fieldMask } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import { CoreReset, TRAIN_STATUS } from '../ioda/core-reset.js';
import { LinkManagement } from '../ioda/link-management.js';
import type { Link } from '../pcie/link.js';
import type { Simulator } from '../sim/simulator.js';
import { PHB_REGISTERS, type PhbRegisterName } from './registers/phb.js';
import type { Phb3Timing } from './timing.js';

const bitOf = (register: PhbRegisterName, field: string): bigint => fieldMask(PHB_REGISTERS.field(register, field).at);

/** PHB_RESET: 1 = released. */
const CORE_RESETS = bitOf('PHB_RESET', 'CORE_0') | bitOf('PHB_RESET', 'CORE_1') | bitOf('PHB_RESET', 'CORE_3');
/** Both pins are active low. */
const PRESENCE_PINS = bitOf('PHB_HOTPLUG_OVERRIDE', 'PRESENCE_A') | bitOf('PHB_HOTPLUG_OVERRIDE', 'PRESENCE_B');
/** What this core can do. */
const LIMITS = { maxSpeed: 3, maxWidth: 16 } as const;

export interface LinkControlListener {
  /** The data link went down. */
  linkDown(): void;
  /** The core came out of or went into reset: its registers start anew. */
  coreReset(): void;
}

export interface LinkControlParts {
  readonly sim: Simulator;
  readonly name: string;
  readonly registers: RegisterFile<PhbRegisterName>;
  readonly link: Link;
  readonly timing: Phb3Timing;
}

export class LinkControl {
  readonly #link: Link;
  readonly #listener: LinkControlListener;
  readonly #core: CoreReset;
  #wasUp = false;

  constructor(parts: LinkControlParts, listener: LinkControlListener) {
    const { registers, link } = parts;
    this.#link = link;
    this.#listener = listener;
    this.#core = new CoreReset({ ...parts, coreResets: CORE_RESETS }, () => listener.coreReset());
    new LinkManagement(parts, LIMITS);
    registers.attach('PHB_PCIE_DLP_TRAIN_CTL', {
      onRead: (stored) => (stored & ~TRAIN_STATUS) | this.#core.trainStatus,
    });
    registers.attach('PHB_HOTPLUG_OVERRIDE', {
      onRead: (stored) => (link.cardInserted ? stored & ~PRESENCE_PINS : stored | PRESENCE_PINS),
    });
    link.onChange(() => this.#linkChanged());
  }

  /** DL_PGRESET: UTL registers and root complex configuration space cannot be reached. */
  get inCoreReset(): boolean {
    return this.#core.active;
  }

  get linkActive(): boolean {
    return this.#link.isUp;
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
    this.#core.reset();
    this.#link.setTargetWidth(this.#link.options.maxWidth);
  }
}
