/**
 * PHB_PCIE_LINK_MANAGEMENT: changes width and speed of a running link. Facts: ioda2-phb3 7.10, ioda1-p7ioc 3.11.
 * Source: skiboot hw/phb3.c: phb3_link_update.
 */
import { fieldMask } from '../hw/bits.js';
import type { Link } from '../pcie/link.js';
import type { LinkSpeed, LinkWidth } from '../pcie/link-profile.js';
import { Priority } from '../sim/priority.js';
import type { HandlerId, Simulator } from '../sim/simulator.js';
import { PHB_FORMS } from './phb-registers.js';
import type { RegisterStore } from './register-store.js';
import type { BridgeTiming } from './timing.js';

export interface LinkManagementParts {
  readonly sim: Simulator;
  readonly name: string;
  readonly registers: RegisterStore<typeof REGISTER>;
  readonly link: Link;
  readonly timing: BridgeTiming;
}

/** The most that the core can do. */
export interface LinkLimits {
  readonly maxSpeed: LinkSpeed;
  readonly maxWidth: LinkWidth;
}

const REGISTER = 'PHB_PCIE_LINK_MANAGEMENT';
const { fields } = PHB_FORMS[REGISTER];
const CHANGE_WIDTH = fieldMask(fields.CHANGE_WIDTH.at);
const CHANGE_SPEED = fieldMask(fields.CHANGE_SPEED.at);
const LINK_ACTIVE = fieldMask(fields.LINK_ACTIVE.at);
const WIDTH_CHANGE_PENDING = fieldMask(fields.WIDTH_CHANGE_PENDING.at);
const WIDTHS: readonly LinkWidth[] = [16, 8, 4, 2, 1];

export class LinkManagement {
  readonly #parts: LinkManagementParts;
  readonly #limits: LinkLimits;
  readonly #widthChanged: HandlerId;

  constructor(parts: LinkManagementParts, limits: LinkLimits) {
    const { sim, name, registers, link } = parts;
    this.#parts = parts;
    this.#limits = limits;
    this.#widthChanged = sim.handler(`${name} width change`, () => registers.clear(REGISTER, WIDTH_CHANGE_PENDING));
    registers.attach(REGISTER, {
      onRead: (stored) => (link.isUp ? stored | LINK_ACTIVE : stored & ~LINK_ACTIVE),
      onWrite: (value) => this.#written(value),
    });
  }

  /** Targets the link cannot have are rounded down. */
  #written(value: bigint): void {
    const { registers, link, sim, timing } = this.#parts;
    const target = (field: 'TARGET_SPEED' | 'TARGET_WIDTH'): number => Number(registers.field(REGISTER, field));
    const { maxSpeed, maxWidth } = this.#limits;
    if ((value & CHANGE_SPEED) !== 0n)
      link.setTargetSpeed(Math.max(1, Math.min(target('TARGET_SPEED'), maxSpeed)) as LinkSpeed);
    if ((value & CHANGE_WIDTH) !== 0n) {
      const most = Math.min(target('TARGET_WIDTH'), maxWidth);
      link.setTargetWidth(WIDTHS.find((width) => width <= most) ?? 1);
      registers.or(REGISTER, WIDTH_CHANGE_PENDING);
      sim.schedule(timing.widthChangeNs.value, Priority.CHIP, this.#widthChanged);
    }
    if ((value & (CHANGE_SPEED | CHANGE_WIDTH)) !== 0n) link.retrain();
  }
}
