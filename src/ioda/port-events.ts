/**
 * Events of the core's port: latched in UTL_PCIE_PORT_STATUS and, where UTL_PCIE_PORT_IRQ_EN has them, raised. Which event is
 * which bit, and what raising means, is the chip's own. Facts: ioda2-phb3 3.2.2, 7.10.3; ioda1-p7ioc 3.10, 7.12.
 */
import type { UncorrectableError } from '../pcie/aer-capability.js';
import type { RootPortError } from '../pcie/root-port.js';
import type { RegisterStore } from './register-store.js';

/** Errors of the root port that are the core's own. Which port event they are is unknown, so no port mask hides them (M). */
const CORE_ERRORS: readonly RootPortError['error'][] = [
  'MALFORMED_TLP',
  'FLOW_CONTROL',
  'RECEIVER_OVERFLOW',
  'DATA_LINK_PROTOCOL',
] satisfies UncorrectableError[];

/** True if the core interrupts for what the root port found: the mask of its AER keeps it from that (M). */
export function interruptsFromCore({ error, masked }: RootPortError): boolean {
  return !masked && CORE_ERRORS.includes(error);
}

type PortRegister = 'UTL_PCIE_PORT_STATUS' | 'UTL_PCIE_PORT_IRQ_EN';

export class PortEvents {
  readonly #registers: RegisterStore<PortRegister>;
  readonly #raise: (events: bigint) => void;

  constructor(registers: RegisterStore<PortRegister>, raise: (events: bigint) => void) {
    this.#registers = registers;
    this.#raise = raise;
    // Enabling an event that is latched already raises it: the line is a level (M).
    registers.attach('UTL_PCIE_PORT_IRQ_EN', {
      onWrite: (_, old) => this.#raiseEnabled(registers.get('UTL_PCIE_PORT_STATUS') & ~old),
    });
  }

  latch(events: bigint): void {
    const news = events & ~this.#registers.get('UTL_PCIE_PORT_STATUS');
    this.#registers.or('UTL_PCIE_PORT_STATUS', events);
    this.#raiseEnabled(news);
  }

  #raiseEnabled(events: bigint): void {
    const enabled = events & this.#registers.get('UTL_PCIE_PORT_IRQ_EN');
    if (enabled !== 0n) this.#raise(enabled);
  }
}
