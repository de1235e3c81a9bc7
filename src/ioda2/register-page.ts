/**
 * The 4 KiB register block as software meets it: by MMIO or through the ASB, in every state of the chip.
 * Sources: qemu pnv_phb3_reg_read, pnv_phb3_reg_write; skiboot hw/phb3.c: phb3_wait_dlp_reset. Facts: ioda2-phb3 3.1.
 */
import { classifyAccess } from '../hw/access-policy.js';
import { ALL_ONES } from '../hw/bits.js';
import type { AccessSize } from '../hw/host-port.js';
import type { RegisterFile } from '../hw/register-file.js';
import { allOnes } from '../ioda/byte-order.js';
import type { MmioAnswers } from '../ioda/mmio-answers.js';
import type { Trace } from '../sim/trace.js';
import type { ConfigCycles } from './config-cycle.js';
import type { ErrorPipeline } from './error-pipeline.js';
import { PHB_REGISTERS, type PhbRegisterName } from './registers/phb.js';
import { UTL_REGISTERS } from './registers/utl.js';
import type { Phb3Timing } from './timing.js';
import { BLOCK_REASON, type BlockReason, REGISTER_BLOCKED, UNKNOWN_REGISTER } from './trace.js';

export interface RegisterPageParts {
  readonly registers: RegisterFile<PhbRegisterName>;
  readonly config: ConfigCycles;
  readonly errors: ErrorPipeline;
  readonly trace: Trace;
  readonly source: number;
  readonly answers: MmioAnswers;
  readonly timing: Phb3Timing;
  readonly fenced: () => boolean;
  readonly heldInReset: () => boolean;
  readonly inCoreReset: () => boolean;
}

/** `mmio` stops working with a fence, `asb` goes on. */
export type RegisterPath = 'mmio' | 'asb';

const REGISTER_BYTES = 8;
const CONFIG_DATA = PHB_REGISTERS.get('PHB_CONFIG_DATA').offset;
const CONFIG_DATA_BYTES = 4;
/** A configuration doubleword read through the ASB stands in the upper half. */
const ASB_CONFIG_SHIFT = 32n;
const UTL_OFFSETS = new Set(Object.values(UTL_REGISTERS).map((register) => register.offset));
const WINDOW = 0;

export class RegisterPage {
  readonly #parts: RegisterPageParts;
  /** Tickets of configuration reads through the ASB: their value is placed differently. */
  readonly #asbConfigReads = new Set<number>();

  constructor(parts: RegisterPageParts) {
    this.#parts = parts;
  }

  read(path: RegisterPath, offset: number, size: AccessSize, ticket: number): void {
    const { registers, answers, timing } = this.#parts;
    const reason = this.#blocked(path, offset, 'read');
    if (reason !== undefined) {
      answers.completeAfter(reason === 'core-reset' ? timing.outboundTimeoutNs.value : 0, ticket, allOnes(size));
      return;
    }
    if (this.#isConfigData(offset)) {
      this.#readConfig(path, offset, size, ticket);
      return;
    }
    if (!this.#isWhole(offset, size, 'read')) answers.complete(ticket, allOnes(size));
    else if (!registers.has(offset)) answers.complete(ticket, this.#unknown(offset, size, 'read'));
    else answers.complete(ticket, registers.read(offset));
  }

  write(path: RegisterPath, offset: number, size: AccessSize, value: bigint): void {
    const { registers } = this.#parts;
    if (this.#blocked(path, offset, 'write') !== undefined) return;
    if (this.#isConfigData(offset)) this.#writeConfig(path, offset, size, value);
    else if (!this.#isWhole(offset, size, 'write')) return;
    else if (!registers.has(offset)) this.#unknown(offset, size, 'write');
    else registers.write(offset, value);
  }

  /** A configuration read that went to a device has ended. */
  configEnded(ticket: number, value: bigint): void {
    const viaAsb = this.#asbConfigReads.delete(ticket);
    this.#parts.answers.complete(ticket, viaAsb ? value << ASB_CONFIG_SHIFT : value);
  }

  #isConfigData(offset: number): boolean {
    return offset >= CONFIG_DATA && offset < CONFIG_DATA + CONFIG_DATA_BYTES;
  }

  /** By MMIO in 1, 2 or 4 bytes; through the ASB, which knows no sizes, as a whole doubleword. */
  #readConfig(path: RegisterPath, offset: number, size: AccessSize, ticket: number): void {
    const { config, answers } = this.#parts;
    if (path === 'asb') {
      const value = config.read({ offset: 0, sizeBytes: 4 }, ticket);
      if (value === undefined) this.#asbConfigReads.add(ticket);
      else answers.complete(ticket, value << ASB_CONFIG_SHIFT);
      return;
    }
    if (size === REGISTER_BYTES) {
      this.#sizeError(offset, 'read');
      answers.complete(ticket, ALL_ONES);
      return;
    }
    const value = config.read({ offset: offset - CONFIG_DATA, sizeBytes: size }, ticket);
    if (value !== undefined) answers.complete(ticket, value);
  }

  #writeConfig(path: RegisterPath, offset: number, size: AccessSize, value: bigint): void {
    const { config } = this.#parts;
    if (path === 'asb') config.write({ offset: 0, sizeBytes: 4 }, value >> ASB_CONFIG_SHIFT);
    else if (size === REGISTER_BYTES) this.#sizeError(offset, 'write');
    else config.write({ offset: offset - CONFIG_DATA, sizeBytes: size }, value);
  }

  #sizeError(offset: number, direction: 'read' | 'write'): void {
    this.#parts.errors.raise({ event: 'config-size' });
    this.#note('size', offset, direction);
  }

  #isWhole(offset: number, size: AccessSize, direction: 'read' | 'write'): boolean {
    const whole = classifyAccess(offset, size) === 'whole';
    if (!whole) this.#note('size', offset, direction);
    return whole;
  }

  #blocked(path: RegisterPath, offset: number, direction: 'read' | 'write'): BlockReason | undefined {
    const reason = this.#blockReason(path, offset);
    if (reason) this.#note(reason, offset, direction);
    return reason;
  }

  #blockReason(path: RegisterPath, offset: number): BlockReason | undefined {
    const { fenced, heldInReset, inCoreReset, config } = this.#parts;
    if (heldInReset()) return 'held-in-reset';
    if (path === 'mmio' && fenced()) return 'fenced';
    // UTL and root port share their reset with the core: stores vanish and loads time out while DL_PGRESET is up.
    const inCore = UTL_OFFSETS.has(offset) || (this.#isConfigData(offset) && config.targetsRootPort);
    return inCore && inCoreReset() ? 'core-reset' : undefined;
  }

  #note(reason: BlockReason, offset: number, direction: 'read' | 'write'): void {
    const { trace, source } = this.#parts;
    trace.emit(REGISTER_BLOCKED, source, BLOCK_REASON[reason], offset, direction === 'write' ? 1 : 0);
  }

  /** An offset without a register reads 0 and is reported (M). */
  #unknown(offset: number, size: AccessSize, direction: 'read' | 'write'): bigint {
    const { trace, source, errors } = this.#parts;
    trace.emit(UNKNOWN_REGISTER, source, WINDOW, offset, direction === 'write' ? 1 : 0, size);
    errors.raise({ event: 'register-address', type: direction === 'read' ? 'mmio-load' : 'mmio-store' });
    return 0n;
  }
}
