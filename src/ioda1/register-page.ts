/**
 * The register block of a PHB as software meets it: through the AIB or the ASB window, in every state of the chip.
 * Facts: ioda1-p7ioc 1.2, 2, 3.10, 6.1 (three accesses), 12.5, 12.8.
 */
import { classifyAccess } from '../hw/access-policy.js';
import type { AccessSize } from '../hw/host-port.js';
import type { RegisterFile } from '../hw/register-file.js';
import { allOnes } from '../ioda/byte-order.js';
import type { MmioAnswers } from '../ioda/mmio-answers.js';
import type { Trace } from '../sim/trace.js';
import type { ConfigCycles } from './config-cycle.js';
import type { P7iocProfile } from './profile.js';
import { PHB_REGISTERS, type PhbRegisterName } from './registers/phb.js';
import { UTL_REGISTERS } from './registers/utl.js';
import type { P7iocTiming } from './timing.js';
import { BLOCK_REASON, type BlockReason, REGISTER_BLOCKED, UNKNOWN_REGISTER } from './trace.js';

export interface RegisterPageParts {
  readonly registers: RegisterFile<PhbRegisterName>;
  readonly config: ConfigCycles;
  readonly trace: Trace;
  readonly source: number;
  readonly answers: MmioAnswers;
  readonly timing: P7iocTiming;
  readonly profile: P7iocProfile;
  readonly fenced: () => boolean;
  readonly heldInReset: () => boolean;
  readonly inCoreReset: () => boolean;
}

/** `aib` stops working with a fence, `asb` goes on. */
export type RegisterPath = 'aib' | 'asb';
type Direction = 'read' | 'write';

const CONFIG_DATA = PHB_REGISTERS.get('PHB_CONFIG_DATA').offset;
const CONFIG_DATA_BYTES = 4;
const IODA_ADDR = PHB_REGISTERS.get('PHB_IODA_ADDR').offset;
const UTL_OFFSETS = new Set(Object.values(UTL_REGISTERS).map((register) => register.offset));

export class RegisterPage {
  readonly #parts: RegisterPageParts;

  constructor(parts: RegisterPageParts) {
    this.#parts = parts;
  }

  read(path: RegisterPath, offset: number, size: AccessSize, ticket: number): void {
    const { registers, answers, timing } = this.#parts;
    const reason = this.#blocked(path, offset, 'read');
    if (reason !== undefined) {
      answers.completeAfter(reason === 'core-reset' ? timing.outboundTimeoutNs.value : 0, ticket, allOnes(size));
    } else if (isConfigData(offset)) {
      this.#readConfig(offset, size, ticket);
    } else if (!this.#isWhole(offset, size, 'read')) {
      answers.complete(ticket, allOnes(size));
    } else if (!registers.has(offset)) {
      this.#unknown(offset, size, 'read');
      answers.complete(ticket, 0n);
    } else {
      answers.complete(ticket, registers.read(offset));
    }
  }

  write(path: RegisterPath, offset: number, size: AccessSize, value: bigint): void {
    const { registers } = this.#parts;
    if (this.#blocked(path, offset, 'write') !== undefined) return;
    if (isConfigData(offset)) this.#writeConfig(offset, size, value);
    else if (!this.#isWhole(offset, size, 'write')) return;
    else if (!registers.has(offset)) this.#unknown(offset, size, 'write');
    else registers.write(offset, value);
  }

  /** A configuration read that went to a device has ended. */
  configEnded(ticket: number, value: bigint): void {
    this.#parts.answers.complete(ticket, value);
  }

  /** In 1, 2 or 4 bytes, through either window. */
  #readConfig(offset: number, size: AccessSize, ticket: number): void {
    const { config, answers } = this.#parts;
    if (size === 8) {
      this.#note('size', offset, 'read');
      answers.complete(ticket, allOnes(size));
      return;
    }
    const value = config.read({ offset: offset - CONFIG_DATA, sizeBytes: size }, ticket);
    if (value !== undefined) answers.complete(ticket, value);
  }

  #writeConfig(offset: number, size: AccessSize, value: bigint): void {
    if (size === 8) this.#note('size', offset, 'write');
    else this.#parts.config.write({ offset: offset - CONFIG_DATA, sizeBytes: size }, value);
  }

  /** Registers are doublewords: anything else is ignored and reads all ones (M). */
  #isWhole(offset: number, size: AccessSize, direction: Direction): boolean {
    const whole = classifyAccess(offset, size) === 'whole';
    if (!whole) this.#note('size', offset, direction);
    return whole;
  }

  #blocked(path: RegisterPath, offset: number, direction: Direction): BlockReason | undefined {
    const reason = this.#blockReason(path, offset, direction);
    if (reason) this.#note(reason, offset, direction);
    return reason;
  }

  #blockReason(path: RegisterPath, offset: number, direction: Direction): BlockReason | undefined {
    const { fenced, heldInReset, inCoreReset, config, profile } = this.#parts;
    if (heldInReset()) return 'held-in-reset';
    if (path === 'aib' && fenced()) {
      const selects = offset === IODA_ADDR && direction === 'write' && profile.fencedTableSelect === 'applied';
      if (!selects) return 'fenced';
    }
    // UTL and root port share their reset with the core: stores vanish and loads time out while DL_PGRESET is up.
    const inCore = UTL_OFFSETS.has(offset) || (isConfigData(offset) && config.targetsRootPort);
    return inCore && inCoreReset() ? 'core-reset' : undefined;
  }

  #note(reason: BlockReason, offset: number, direction: Direction): void {
    const { trace, source } = this.#parts;
    trace.emit(REGISTER_BLOCKED, source, BLOCK_REASON[reason], offset, direction === 'write' ? 1 : 0);
  }

  /** An offset without a register reads 0, takes no write, and is noted (M). */
  #unknown(offset: number, size: AccessSize, direction: Direction): void {
    const { trace, source } = this.#parts;
    trace.emit(UNKNOWN_REGISTER, source, offset, direction === 'write' ? 1 : 0, size);
  }
}

function isConfigData(offset: number): boolean {
  return offset >= CONFIG_DATA && offset < CONFIG_DATA + CONFIG_DATA_BYTES;
}
