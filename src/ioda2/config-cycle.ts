/**
 * Configuration cycles: CONFIG_ADDRESS names the register, touching CONFIG_DATA runs the cycle.
 * Sources: skiboot hw/phb3.c: PHB3_PCI_CFG_READ; qemu pnv_phb3.c: pnv_phb3_config_read; linux eeh-powernv.c: eeh_powernv_init.
 * Facts: ioda2-phb3 6.1, step by step.
 */
import { fieldMask } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import { ConfigCyclesOf, type ConfigCyclesParts, type CycleEvents } from '../ioda/config-cycles.js';
import {
  type ConfigDataAccess,
  type ConfigTarget,
  configTarget,
  isAligned,
  isEnabled,
} from '../ioda/config-requests.js';
import type { OutboundRequest } from '../ioda/outbound-requests.js';
import type { Direction, PaprInjection } from '../ioda/papr-injection.js';
import type { RootPortRoute } from '../pcie/root-port.js';
import { busOf } from '../pcie/tlp.js';
import type { ErrorEventName } from './error-bits/events.js';
import type { ErrorPipeline } from './error-pipeline.js';
import type { LinkControl } from './link-control.js';
import { PHB_REGISTERS, type PhbRegisterName } from './registers/phb.js';
import { PORT_EVENT, type UtlCore } from './utl.js';

export interface ConfigCycleParts extends ConfigCyclesParts {
  readonly registers: RegisterFile<PhbRegisterName>;
  readonly linkControl: LinkControl;
  readonly errors: ErrorPipeline;
  readonly injection: PaprInjection;
  readonly utl: UtlCore;
}

interface Target extends ConfigTarget {
  readonly pe: number;
}

const BDFN_MASK = fieldMask(PHB_REGISTERS.field('PHB_CONFIG_ADDRESS', 'BDFN').at);

type Refusal = 'config-not-enabled' | 'config-size' | 'config-target' | 'config-link-down';

const EVENTS: CycleEvents<ErrorEventName> = {
  read: {
    UR: 'config-read-ur',
    CA: 'config-read-ca',
    timeout: 'config-read-timeout',
    'link-down': 'config-read-timeout',
    poisoned: 'poisoned-completion',
    'table-timeout': 'completion-table-timeout',
  },
  write: {
    UR: 'config-write-ur',
    CA: 'config-write-ca',
    timeout: 'config-write-timeout',
    'link-down': 'config-write-timeout',
    'table-timeout': 'completion-table-timeout',
  },
};

export class ConfigCycles extends ConfigCyclesOf<Target, ErrorEventName> {
  readonly #parts: ConfigCycleParts;

  constructor(parts: ConfigCycleParts) {
    super(parts, EVENTS);
    this.#parts = parts;
  }

  protected override target(access: ConfigDataAccess): Target {
    const { registers } = this.#parts;
    const { id, register } = configTarget(registers, access);
    return { id, register, pe: Number(registers.field('PHB_CONFIG_ADDRESS', 'PE')) };
  }

  protected override peOf({ pe }: Target): number {
    return pe;
  }

  protected override nobodyThere({ pe }: Target, direction: Direction): void {
    this.#parts.errors.raise({ event: `config-${direction}-ur`, pe });
  }

  /** A frozen PE does not stand in the way on this chip. */
  protected override failed({ pe }: OutboundRequest, event: ErrorEventName): void {
    this.#parts.errors.raise({ event, pe });
  }

  protected override admit(access: ConfigDataAccess, target: Target, direction: Direction): RootPortRoute | undefined {
    const route = this.#way(access, target);
    return route === undefined || this.#injected(target, direction) ? undefined : route;
  }

  #way(access: ConfigDataAccess, target: Target): RootPortRoute | undefined {
    const { registers, rootPort, linkControl, errors } = this.#parts;
    if (errors.takeInjected(['OUT', 'INA', 'INB'], { pe: target.pe, summary: 'load-store' })) return undefined;
    const refuse = (event: Refusal): undefined => {
      errors.raise({ event, pe: target.pe });
    };
    if (!isAligned(access)) return refuse('config-size');
    if (!isEnabled(registers)) return refuse('config-not-enabled');
    const onRootBus = busOf(target.id) === 0;
    if (onRootBus && (target.id & 0xff) !== 0) return refuse('config-target');
    // The root port's own registers are then out of reach before the cycle begins.
    if (linkControl.inCoreReset) return refuse('config-target');
    if (!onRootBus && !linkControl.linkActive) return refuse('config-link-down');
    return onRootBus ? 'self' : rootPort.routeConfig(target.id);
  }

  /** The UTL discards the request it was told to fail, and latches that as a port event. */
  #injected(target: Target, direction: Direction): boolean {
    const { registers, injection, errors, utl } = this.#parts;
    const effect = injection.fires('config', direction, registers.get('PHB_CONFIG_ADDRESS') & BDFN_MASK);
    if (!effect) return false;
    errors.inject(effect, { event: direction === 'read' ? 'papr-config-read' : 'papr-config-write', pe: target.pe });
    utl.latch(PORT_EVENT.OUTBOUND_DISCARD);
    return true;
  }
}
