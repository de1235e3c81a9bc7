/**
 * The register block of a bridge as software meets it, in every state of the chip: what is closed, what goes to the register
 * file, what runs a configuration cycle. Facts: ioda2-phb3 3.1, ioda1-p7ioc 3.10, 6.1.
 */
import { classifyAccess } from '../hw/access-policy.js';
import type { AccessSize } from '../hw/host-port.js';
import type { Trace, TraceKind } from '../sim/trace.js';
import { allOnes } from './byte-order.js';
import type { ConfigDataAccess } from './config-requests.js';
import type { MmioAnswers } from './mmio-answers.js';
import type { Direction } from './papr-injection.js';
import { PHB_FORMS } from './phb-registers.js';
import type { BridgeTiming } from './timing.js';
import { BLOCK_REASONS } from './trace-kinds.js';

type BlockReason = keyof typeof BLOCK_REASONS;

/** Configuration cycles, as CONFIG_DATA sets them going. */
interface ConfigDoor {
  /** The next cycle is for the root port itself. */
  readonly targetsRootPort: boolean;
  /** The value if it is known at once; else it comes later, as the end of a request under this ticket. */
  read(access: ConfigDataAccess, ticket: number): bigint | undefined;
  write(access: ConfigDataAccess, value: bigint): void;
}

export interface RegisterPageParts {
  readonly registers: {
    has(offset: number): boolean;
    read(offset: number): bigint;
    write(offset: number, value: bigint): void;
  };
  readonly config: ConfigDoor;
  readonly trace: Trace;
  readonly source: number;
  readonly answers: MmioAnswers;
  readonly timing: BridgeTiming;
  readonly fenced: () => boolean;
  readonly heldInReset: () => boolean;
  readonly inCoreReset: () => boolean;
}

/** What the page must know of its chip. */
export interface RegisterPageFacts {
  readonly blocked: TraceKind;
  /** Offsets that share their reset with the core. */
  readonly coreOffsets: ReadonlySet<number>;
}

const CONFIG_DATA = PHB_FORMS.PHB_CONFIG_DATA.offset;
const CONFIG_DATA_BYTES = 4;

function isConfigData(offset: number): boolean {
  return offset >= CONFIG_DATA && offset < CONFIG_DATA + CONFIG_DATA_BYTES;
}

/** `P`: the ways to the registers; a fence closes some of them. */
export abstract class BridgeRegisterPage<P extends string> {
  readonly #parts: RegisterPageParts;
  readonly #facts: RegisterPageFacts;

  constructor(parts: RegisterPageParts, facts: RegisterPageFacts) {
    this.#parts = parts;
    this.#facts = facts;
  }

  read(path: P, offset: number, size: AccessSize, ticket: number): void {
    const { registers, answers, timing } = this.#parts;
    const reason = this.#blocked(path, offset, 'read');
    if (reason !== undefined) {
      answers.completeAfter(reason === 'core-reset' ? timing.outboundTimeoutNs.value : 0, ticket, allOnes(size));
    } else if (isConfigData(offset)) {
      this.readConfig(path, offset, size, ticket);
    } else if (!this.#isWhole(offset, size, 'read')) {
      answers.complete(ticket, allOnes(size));
    } else if (!registers.has(offset)) {
      this.unknown(offset, size, 'read');
      answers.complete(ticket, 0n);
    } else {
      answers.complete(ticket, registers.read(offset));
    }
  }

  write(path: P, offset: number, size: AccessSize, value: bigint): void {
    const { registers } = this.#parts;
    if (this.#blocked(path, offset, 'write') !== undefined) return;
    if (isConfigData(offset)) this.writeConfig(path, offset, size, value);
    else if (!this.#isWhole(offset, size, 'write')) return;
    else if (!registers.has(offset)) this.unknown(offset, size, 'write');
    else registers.write(offset, value);
  }

  /** A configuration read that went to a device has ended. */
  configEnded(ticket: number, value: bigint): void {
    this.#parts.answers.complete(ticket, value);
  }

  /** In 1, 2 or 4 bytes. */
  protected readConfig(_path: P, offset: number, size: AccessSize, ticket: number): void {
    const { config, answers } = this.#parts;
    if (size === 8) {
      this.configSize(offset, 'read');
      answers.complete(ticket, allOnes(size));
      return;
    }
    const value = config.read({ offset: offset - CONFIG_DATA, sizeBytes: size }, ticket);
    if (value !== undefined) answers.complete(ticket, value);
  }

  protected writeConfig(_path: P, offset: number, size: AccessSize, value: bigint): void {
    if (size === 8) this.configSize(offset, 'write');
    else this.#parts.config.write({ offset: offset - CONFIG_DATA, sizeBytes: size }, value);
  }

  /** CONFIG_DATA was touched with a size it does not have. */
  protected configSize(offset: number, direction: Direction): void {
    this.#note('size', offset, direction);
  }

  /** An offset without a register reads 0 and takes no write (M): who is told. */
  protected abstract unknown(offset: number, size: AccessSize, direction: Direction): void;

  /** The fence keeps this access from the registers. */
  protected abstract stopsAtFence(path: P, offset: number, direction: Direction): boolean;

  /** Registers are doublewords: anything else is ignored and reads all ones (M). */
  #isWhole(offset: number, size: AccessSize, direction: Direction): boolean {
    const whole = classifyAccess(offset, size) === 'whole';
    if (!whole) this.#note('size', offset, direction);
    return whole;
  }

  #blocked(path: P, offset: number, direction: Direction): BlockReason | undefined {
    const reason = this.#blockReason(path, offset, direction);
    if (reason) this.#note(reason, offset, direction);
    return reason;
  }

  #blockReason(path: P, offset: number, direction: Direction): BlockReason | undefined {
    const { fenced, heldInReset, inCoreReset, config } = this.#parts;
    if (heldInReset()) return 'held-in-reset';
    if (fenced() && this.stopsAtFence(path, offset, direction)) return 'fenced';
    // UTL and root port share their reset with the core: stores vanish and loads time out while DL_PGRESET is up.
    const inCore = this.#facts.coreOffsets.has(offset) || (isConfigData(offset) && config.targetsRootPort);
    return inCore && inCoreReset() ? 'core-reset' : undefined;
  }

  #note(reason: BlockReason, offset: number, direction: Direction): void {
    const { trace, source } = this.#parts;
    trace.emit(this.#facts.blocked, source, BLOCK_REASONS[reason], offset, direction === 'write' ? 1 : 0);
  }
}
