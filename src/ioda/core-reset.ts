/**
 * PHB_RESET: the resets of the PCIe core and PERST, and what DLP_TRAIN_CTL shows of them. The core takes its time to come
 * out of reset; without it nothing trains. Facts: ioda2-phb3 7.10, ioda1-p7ioc 3.11, 3.12. Sources: skiboot hw/phb3.c:
 * phb3_freset, phb3_wait_dlp_reset; skiboot p7ioc hw/p7ioc-phb.c: p7ioc_freset, p7ioc_phb_wait_dlp_reset.
 */
import { fieldMask } from '../hw/bits.js';
import type { Link } from '../pcie/link.js';
import { Priority } from '../sim/priority.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import { PHB_FORMS, RESET_FIELDS } from './phb-registers.js';
import type { RegisterStore } from './register-store.js';
import type { BridgeTiming } from './timing.js';

export interface CoreResetParts {
  readonly sim: Simulator;
  readonly name: string;
  readonly registers: RegisterStore<'PHB_RESET'>;
  readonly link: Link;
  readonly timing: BridgeTiming;
  /** Bits of PHB_RESET that must all be one to release the core. */
  readonly coreResets: bigint;
}

const PERST_RELEASED = fieldMask(RESET_FIELDS.PERST.at);

const { INBAND_PRESENCE, LINK_UP, DL_PGRESET, LINK_ACTIVE } = PHB_FORMS.PHB_PCIE_DLP_TRAIN_CTL.fields;
const TRAIN = {
  INBAND_PRESENCE: fieldMask(INBAND_PRESENCE.at),
  LINK_UP: fieldMask(LINK_UP.at),
  PGRESET: fieldMask(DL_PGRESET.at),
  LINK_ACTIVE: fieldMask(LINK_ACTIVE.at),
} as const;
/** Bits of DLP_TRAIN_CTL that `trainStatus` has. */
export const TRAIN_STATUS = TRAIN.INBAND_PRESENCE | TRAIN.LINK_UP | TRAIN.PGRESET | TRAIN.LINK_ACTIVE;

export class CoreReset {
  readonly #parts: CoreResetParts;
  /** The core went into reset: its registers start anew. */
  readonly #asserted: () => void;
  readonly #ready: HandlerId;
  #pendingReady: EventId | undefined;
  #active = true;
  #jammed = false;

  constructor(parts: CoreResetParts, asserted: () => void) {
    this.#parts = parts;
    this.#asserted = asserted;
    this.#ready = parts.sim.handler(`${parts.name} core ready`, () => this.#release());
    parts.registers.attach('PHB_RESET', { onWrite: (_, old) => this.#written(old) });
  }

  /** DL_PGRESET: UTL registers and the root port's configuration space cannot be reached. */
  get active(): boolean {
    return this.#active;
  }

  get perstAsserted(): boolean {
    return (this.#parts.registers.get('PHB_RESET') & PERST_RELEASED) === 0n;
  }

  /** State of core and link, as DLP_TRAIN_CTL has it. */
  get trainStatus(): bigint {
    const { link } = this.#parts;
    let status = this.#active ? TRAIN.PGRESET : 0n;
    if (link.electricalPresence) status |= TRAIN.INBAND_PRESENCE;
    if (link.isUp) status |= TRAIN.LINK_UP | TRAIN.LINK_ACTIVE;
    return status;
  }

  #written(old: bigint): void {
    const { registers, sim, timing, coreResets } = this.#parts;
    const now = registers.get('PHB_RESET');
    const released = (value: bigint): boolean => (value & coreResets) === coreResets;
    if (released(now) && !released(old) && !this.#jammed) {
      this.#pendingReady = sim.schedule(timing.coreResetNs.value, Priority.CHIP, this.#ready);
    }
    if (!released(now) && released(old)) this.#assert();
    this.#drivePerst(now);
  }

  /** A core in reset cannot train: the card waits in PERST until both are released. */
  #drivePerst(reset: bigint): void {
    const trainable = (reset & PERST_RELEASED) !== 0n && !this.#active;
    this.#parts.link.setPerst(trainable ? 'deasserted' : 'asserted');
  }

  #release(): void {
    this.#pendingReady = undefined;
    this.#active = false;
    this.#drivePerst(this.#parts.registers.get('PHB_RESET'));
  }

  #assert(): void {
    if (this.#pendingReady !== undefined) this.#parts.sim.cancel(this.#pendingReady);
    this.#pendingReady = undefined;
    this.#active = true;
    this.#asserted();
  }

  /** A defect: the core never comes out of its reset again. */
  jam(): void {
    this.#jammed = true;
  }

  /** After a reset of the whole bridge: core in reset, PERST asserted (M). */
  reset(): void {
    this.#drivePerst(0n);
    this.#assert();
  }
}
