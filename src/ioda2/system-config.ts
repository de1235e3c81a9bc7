/**
 * PHB_PCIE_SYSTEM_CONFIG: what the core shows of itself in the root port's configuration space, and the top speed of its
 * link. Facts: ioda2-phb3 3.2.3, 8.3. Source: skiboot hw/phb3.c: phb3_init_hw (Init_8).
 */
import type { RegisterFile } from '../hw/register-file.js';
import type { Link } from '../pcie/link.js';
import type { LinkSpeed } from '../pcie/link-profile.js';
import type { RootPort } from '../pcie/root-port.js';
import type { PhbRegisterName } from './registers/phb.js';

const NAME = 'PHB_PCIE_SYSTEM_CONFIG';

export class SystemConfig {
  readonly #registers: RegisterFile<PhbRegisterName>;
  readonly #link: Link;

  /** `foreign`: a root port that shows what it was built with. */
  constructor(parts: {
    registers: RegisterFile<PhbRegisterName>;
    rootPort: RootPort;
    link: Link;
    port: 'own' | 'foreign';
  }) {
    const { registers, rootPort, link } = parts;
    this.#registers = registers;
    this.#link = link;
    registers.attach(NAME, { onWrite: () => this.apply() });
    if (parts.port === 'foreign') return;
    const { layout } = rootPort.config;
    const fieldOf = (register: 'PCIE_FLAGS' | 'LNKCAP' | 'LNKCAP2', field: string): number =>
      layout[register].fields?.[field] ?? 0;
    const slot = fieldOf('PCIE_FLAGS', 'SLOT');
    rootPort.config.hook('PCIE_FLAGS', {
      onRead: (stored) => (this.#slotImplemented ? stored | slot : stored & ~slot),
    });
    const speed = fieldOf('LNKCAP', 'SPEED');
    rootPort.config.hook('LNKCAP', { onRead: (stored) => (stored & ~speed) | this.#maxSpeed });
    const speeds = fieldOf('LNKCAP2', 'SPEEDS');
    // Bit 1 is 2.5 GT/s, and every port has the slower ones too.
    rootPort.config.hook('LNKCAP2', { onRead: (stored) => (stored & ~speeds) | ((2 ** this.#maxSpeed - 1) << 1) });
  }

  get #slotImplemented(): boolean {
    return this.#registers.field(NAME, 'SLOT_IMPLEMENTED') === 1n;
  }

  /** Codes 1 and 2 limit; any other is the top speed of the core (M). */
  get #maxSpeed(): LinkSpeed {
    const code = this.#registers.field(NAME, 'MAX_LINK_SPEED');
    return code === 1n ? 1 : code === 2n ? 2 : 3;
  }

  /** Makes the link follow the register; a link that runs keeps its speed until it trains again. */
  apply(): void {
    this.#link.setSpeedLimit(this.#maxSpeed);
  }
}
