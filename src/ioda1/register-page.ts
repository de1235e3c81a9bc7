/**
 * The register block of a PHB as software meets it: through the AIB or the ASB window, in every state of the chip.
 * Facts: ioda1-p7ioc 1.2, 2, 3.10, 6.1 (three accesses), 12.5, 12.8.
 */
import type { AccessSize } from '../hw/host-port.js';
import type { Direction } from '../ioda/papr-injection.js';
import { BridgeRegisterPage, type RegisterPageParts as PageParts } from '../ioda/register-page.js';
import type { P7iocProfile } from './profile.js';
import { PHB_REGISTERS } from './registers/phb.js';
import { UTL_REGISTERS } from './registers/utl.js';
import { REGISTER_BLOCKED, UNKNOWN_REGISTER } from './trace.js';

export interface RegisterPageParts extends PageParts {
  readonly profile: P7iocProfile;
}

/** `aib` stops working with a fence, `asb` goes on. */
export type RegisterPath = 'aib' | 'asb';

const IODA_ADDR = PHB_REGISTERS.get('PHB_IODA_ADDR').offset;
const UTL_OFFSETS = new Set(Object.values(UTL_REGISTERS).map((register) => register.offset));

export class RegisterPage extends BridgeRegisterPage<RegisterPath> {
  readonly #parts: RegisterPageParts;

  constructor(parts: RegisterPageParts) {
    super(parts, { blocked: REGISTER_BLOCKED, coreOffsets: UTL_OFFSETS });
    this.#parts = parts;
  }

  protected override stopsAtFence(path: RegisterPath, offset: number, direction: Direction): boolean {
    if (path === 'asb') return false;
    const selects =
      offset === IODA_ADDR && direction === 'write' && this.#parts.profile.fencedTableSelect === 'applied';
    return !selects;
  }

  /** It is noted, and no error (M). */
  protected override unknown(offset: number, size: AccessSize, direction: Direction): void {
    const { trace, source } = this.#parts;
    trace.emit(UNKNOWN_REGISTER, source, offset, direction === 'write' ? 1 : 0, size);
  }
}
