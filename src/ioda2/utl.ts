/**
 * Port events of the PCIe core: latched in the UTL, and where enabled raised towards the PHB trap.
 * Sources: skiboot hw/phb3.c: phb3_init_utl, phb3_prepare_link_change; skiboot commits 2bb9c4bb2, ae0339ee4.
 */
import { msbMask } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import type { PhbRegisterName } from './registers/phb.js';

/** Bits of UTL_PCIE_PORT_STATUS whose meaning is known. */
export const PORT_EVENT = { LINK_DOWN: 11, OUTBOUND_DISCARD: 12 } as const;
export type PortEvent = (typeof PORT_EVENT)[keyof typeof PORT_EVENT];

export class UtlCore {
  readonly #registers: RegisterFile<PhbRegisterName>;
  readonly #raisePrimary: () => void;

  /** `raisePrimary` is the core's primary interrupt, which the PHB trap sees. */
  constructor(registers: RegisterFile<PhbRegisterName>, raisePrimary: () => void) {
    this.#registers = registers;
    this.#raisePrimary = raisePrimary;
    // Enabling the interrupt of an event that is latched already raises it: the line is a level (M).
    registers.attach('UTL_PCIE_PORT_IRQ_EN', {
      onWrite: (_, old) => {
        const enabled = registers.get('UTL_PCIE_PORT_IRQ_EN') & ~old;
        if ((registers.get('UTL_PCIE_PORT_STATUS') & enabled) !== 0n) this.#raisePrimary();
      },
    });
  }

  latch(event: PortEvent): void {
    const mask = msbMask(event);
    const already = (this.#registers.get('UTL_PCIE_PORT_STATUS') & mask) !== 0n;
    this.#registers.or('UTL_PCIE_PORT_STATUS', mask);
    if (already) return;
    if ((this.#registers.get('UTL_PCIE_PORT_IRQ_EN') & mask) !== 0n) this.#raisePrimary();
  }
}
