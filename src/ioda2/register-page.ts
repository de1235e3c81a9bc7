/**
 * The 4 KiB register block as software meets it: by MMIO or through the ASB, in every state of the chip.
 * Sources: qemu pnv_phb3_reg_read, pnv_phb3_reg_write; skiboot hw/phb3.c: phb3_wait_dlp_reset. Facts: ioda2-phb3 3.1.
 */
import type { AccessSize } from '../hw/host-port.js';
import type { Direction } from '../ioda/papr-injection.js';
import { BridgeRegisterPage, type RegisterPageParts as PageParts } from '../ioda/register-page.js';
import type { ErrorPipeline } from './error-pipeline.js';
import { UTL_REGISTERS } from './registers/utl.js';
import { REGISTER_BLOCKED, UNKNOWN_REGISTER } from './trace.js';

export interface RegisterPageParts extends PageParts {
  readonly errors: ErrorPipeline;
}

/** `mmio` stops working with a fence, `asb` goes on. */
export type RegisterPath = 'mmio' | 'asb';

/** A configuration doubleword read through the ASB stands in the upper half. */
const ASB_CONFIG_SHIFT = 32n;
/** The ASB knows no sizes: it moves the whole doubleword. */
const WHOLE = { offset: 0, sizeBytes: 4 } as const;
const UTL_OFFSETS = new Set(Object.values(UTL_REGISTERS).map((register) => register.offset));
const WINDOW = 0;

export class RegisterPage extends BridgeRegisterPage<RegisterPath> {
  readonly #parts: RegisterPageParts;
  /** Tickets of configuration reads through the ASB: their value is placed differently. */
  readonly #asbConfigReads = new Set<number>();

  constructor(parts: RegisterPageParts) {
    super(parts, { blocked: REGISTER_BLOCKED, coreOffsets: UTL_OFFSETS });
    this.#parts = parts;
  }

  override configEnded(ticket: number, value: bigint): void {
    const viaAsb = this.#asbConfigReads.delete(ticket);
    super.configEnded(ticket, viaAsb ? value << ASB_CONFIG_SHIFT : value);
  }

  protected override readConfig(path: RegisterPath, offset: number, size: AccessSize, ticket: number): void {
    if (path === 'mmio') {
      super.readConfig(path, offset, size, ticket);
      return;
    }
    const { config, answers } = this.#parts;
    const value = config.read(WHOLE, ticket);
    if (value === undefined) this.#asbConfigReads.add(ticket);
    else answers.complete(ticket, value << ASB_CONFIG_SHIFT);
  }

  protected override writeConfig(path: RegisterPath, offset: number, size: AccessSize, value: bigint): void {
    if (path === 'mmio') super.writeConfig(path, offset, size, value);
    else this.#parts.config.write(WHOLE, value >> ASB_CONFIG_SHIFT);
  }

  protected override configSize(offset: number, direction: Direction): void {
    this.#parts.errors.raise({ event: 'config-size' });
    super.configSize(offset, direction);
  }

  protected override stopsAtFence(path: RegisterPath): boolean {
    return path === 'mmio';
  }

  /** It is reported as an error (M). */
  protected override unknown(offset: number, size: AccessSize, direction: Direction): void {
    const { trace, source, errors } = this.#parts;
    trace.emit(UNKNOWN_REGISTER, source, WINDOW, offset, direction === 'write' ? 1 : 0, size);
    errors.raise({ event: 'register-address', type: direction === 'read' ? 'mmio-load' : 'mmio-store' });
  }
}
