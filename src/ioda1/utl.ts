/**
 * The PCIe core (UTL) of a P7IOC PHB: port events latched and, where enabled, raised towards the PHB trap.
 * Facts: ioda1-p7ioc 3.10, 7.12. Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_prepare_link_change, p7ioc_phb_init (UTL),
 * p7ioc_eeh_next_error (malformed).
 */
import { fieldMask } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import { interruptsFromCore, PortEvents } from '../ioda/port-events.js';
import type { RootPortError } from '../pcie/root-port.js';
import type { TimeNs } from '../sim/time.js';
import type { ErrorEventName } from './error-bits/events.js';
import { PHB_REGISTERS, type PhbRegisterName } from './registers/phb.js';
import { UTL_REGISTERS } from './registers/utl.js';
import type { P7iocTiming } from './timing.js';

export type PortEvent = 'LINK_STATUS' | 'LINK_DOWN' | 'LINK_UP';

const UTL_NAMES = Object.keys(UTL_REGISTERS) as (keyof typeof UTL_REGISTERS)[];

export class UtlCore {
  readonly #registers: RegisterFile<PhbRegisterName>;
  readonly #timing: P7iocTiming;
  readonly #raise: (event: ErrorEventName) => void;
  readonly #events: PortEvents;

  constructor(
    parts: { registers: RegisterFile<PhbRegisterName>; timing: P7iocTiming },
    raise: (event: ErrorEventName) => void,
  ) {
    this.#registers = parts.registers;
    this.#timing = parts.timing;
    this.#raise = raise;
    this.#events = new PortEvents(parts.registers, (events) => this.#raiseFor(events));
  }

  latch(...events: readonly PortEvent[]): void {
    const mask = (event: PortEvent): bigint => fieldMask(PHB_REGISTERS.field('UTL_PCIE_PORT_STATUS', event).at);
    this.#events.latch(events.reduce((bits, event) => bits | mask(event), 0n));
  }

  /** The severity register says which line of the core an event takes (M). */
  #raiseFor(events: bigint): void {
    const fatal = (events & this.#registers.get('UTL_PCIE_PORT_ERROR_SEV')) !== 0n;
    this.#raise(fatal ? 'utl-fatal' : 'utl-nonfatal');
  }

  portError(error: RootPortError): void {
    if (interruptsFromCore(error)) this.#raise('utl-fatal');
  }

  /** How long an outbound request may wait for its completion; how software could change it is unknown. */
  get requestTimeoutNs(): TimeNs {
    return this.#timing.outboundTimeoutNs.value;
  }

  /** The registers of the core start anew with it (M). */
  reset(): void {
    for (const name of UTL_NAMES) this.#registers.reset(name);
  }
}
