/**
 * The PCIe core (UTL): port events latched and, where enabled, raised towards the PHB trap; errors of the core itself;
 * the timer of outbound requests. Facts: ioda2-phb3 3.2.2, 7.6, 7.10.3, 10.3.
 * Sources: skiboot hw/phb3.c: phb3_init_utl, phb3_prepare_link_change; skiboot commits 2bb9c4bb2, ae0339ee4, ff97b2af8.
 */
import { msbMask } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import { interruptsFromCore, PortEvents } from '../ioda/port-events.js';
import type { RootPortError } from '../pcie/root-port.js';
import type { TimeNs } from '../sim/time.js';
import type { PhbRegisterName } from './registers/phb.js';
import { UTL_REGISTERS } from './registers/utl.js';
import type { Phb3Timing } from './timing.js';

/** Bits of UTL_PCIE_PORT_STATUS whose meaning is known. */
export const PORT_EVENT = { LINK_DOWN: 11, OUTBOUND_DISCARD: 12 } as const;
export type PortEvent = (typeof PORT_EVENT)[keyof typeof PORT_EVENT];

/** Code of the request timer that stands for its known figure. */
const RTOS_CODE = 7;

const UTL_NAMES = Object.keys(UTL_REGISTERS) as (keyof typeof UTL_REGISTERS)[];

export class UtlCore {
  readonly #registers: RegisterFile<PhbRegisterName>;
  readonly #timing: Phb3Timing;
  readonly #raisePrimary: () => void;
  readonly #events: PortEvents;

  /** `raisePrimary` is the core's primary interrupt, which the PHB trap sees. */
  constructor(parts: { registers: RegisterFile<PhbRegisterName>; timing: Phb3Timing }, raisePrimary: () => void) {
    this.#registers = parts.registers;
    this.#timing = parts.timing;
    this.#raisePrimary = raisePrimary;
    this.#events = new PortEvents(parts.registers, raisePrimary);
  }

  latch(event: PortEvent): void {
    this.#events.latch(msbMask(event));
  }

  portError(error: RootPortError): void {
    if (interruptsFromCore(error)) this.#raisePrimary();
  }

  /**
   * How long an outbound request may wait for its completion. Code 7 is the figure; each code above it doubles, each below
   * halves, and 0, which firmware never leaves, counts as 7 (M).
   */
  get requestTimeoutNs(): TimeNs {
    const code = Number(this.#registers.field('UTL_PCIE_PORT_CONTROL', 'RTOS_TIMEOUT'));
    return this.#timing.outboundTimeoutNs.value * (code === 0 ? 1 : 2 ** (code - RTOS_CODE));
  }

  /** The registers of the core start anew with it (M). */
  reset(): void {
    for (const name of UTL_NAMES) this.#registers.reset(name);
  }
}
