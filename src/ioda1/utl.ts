/**
 * The PCIe core (UTL) of a P7IOC PHB: port events latched and, where enabled, raised towards the PHB trap.
 * Facts: ioda1-p7ioc 3.10, 7.12. Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_prepare_link_change, p7ioc_phb_init (UTL).
 */
import { fieldMask } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import type { UncorrectableError } from '../pcie/aer-capability.js';
import type { RootPortError } from '../pcie/root-port.js';
import type { TimeNs } from '../sim/time.js';
import type { ErrorEventName } from './error-bits/events.js';
import { PHB_REGISTERS, type PhbRegisterName } from './registers/phb.js';
import { UTL_REGISTERS } from './registers/utl.js';
import type { P7iocTiming } from './timing.js';

export type PortEvent = 'LINK_STATUS' | 'LINK_DOWN' | 'LINK_UP';

/** Errors of the root port that are the core's own. Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_eeh_next_error (malformed). */
const CORE_ERRORS: readonly RootPortError['error'][] = [
  'MALFORMED_TLP',
  'FLOW_CONTROL',
  'RECEIVER_OVERFLOW',
  'DATA_LINK_PROTOCOL',
] satisfies UncorrectableError[];

const UTL_NAMES = Object.keys(UTL_REGISTERS) as (keyof typeof UTL_REGISTERS)[];

export class UtlCore {
  readonly #registers: RegisterFile<PhbRegisterName>;
  readonly #timing: P7iocTiming;
  readonly #raise: (event: ErrorEventName) => void;

  constructor(
    parts: { registers: RegisterFile<PhbRegisterName>; timing: P7iocTiming },
    raise: (event: ErrorEventName) => void,
  ) {
    const { registers } = parts;
    this.#registers = registers;
    this.#timing = parts.timing;
    this.#raise = raise;
    // Enabling an event that is latched already raises it: the line is a level (M).
    registers.attach('UTL_PCIE_PORT_IRQ_EN', {
      onWrite: (_, old) => {
        const enabled = registers.get('UTL_PCIE_PORT_IRQ_EN') & ~old;
        this.#raiseFor(registers.get('UTL_PCIE_PORT_STATUS') & enabled);
      },
    });
  }

  latch(...events: readonly PortEvent[]): void {
    const bits = events.reduce(
      (mask, event) => mask | fieldMask(PHB_REGISTERS.field('UTL_PCIE_PORT_STATUS', event).at),
      0n,
    );
    const news = bits & ~this.#registers.get('UTL_PCIE_PORT_STATUS');
    this.#registers.or('UTL_PCIE_PORT_STATUS', bits);
    this.#raiseFor(news & this.#registers.get('UTL_PCIE_PORT_IRQ_EN'));
  }

  /** The severity register says which line of the core an event takes (M). */
  #raiseFor(events: bigint): void {
    if (events === 0n) return;
    const fatal = (events & this.#registers.get('UTL_PCIE_PORT_ERROR_SEV')) !== 0n;
    this.#raise(fatal ? 'utl-fatal' : 'utl-nonfatal');
  }

  /** The root port found an error. The mask of its AER keeps those of the core from interrupting (M). */
  portError({ error, masked }: RootPortError): void {
    if (!masked && CORE_ERRORS.includes(error)) this.#raise('utl-fatal');
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
