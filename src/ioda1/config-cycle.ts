/**
 * Configuration cycles: CONFIG_ADDRESS names the register, touching CONFIG_DATA runs the cycle. No PE stands in the
 * address: it follows from the target, and a frozen one blocks the cycle. Facts: ioda1-p7ioc 6.1, step by step.
 * Sources: skiboot p7ioc hw/p7ioc-phb.c: P7IOC_PCI_CFG_READ; linux eeh-powernv.c: eeh_powernv_init.
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
import type { PeState } from './pe-state.js';
import { PHB_REGISTERS, type PhbRegisterName } from './registers/phb.js';
import type { RidToPe } from './rid-to-pe.js';

export interface ConfigCycleParts extends ConfigCyclesParts {
  readonly registers: RegisterFile<PhbRegisterName>;
  readonly errors: ErrorPipeline;
  readonly injection: PaprInjection;
  readonly ridToPe: RidToPe;
  readonly peState: PeState;
}

const BUS_MASK = fieldMask(PHB_REGISTERS.field('PHB_CONFIG_ADDRESS', 'BUS').at);

const EVENTS: CycleEvents<ErrorEventName> = {
  read: {
    UR: 'config-read-ur',
    CA: 'config-read-ca',
    timeout: 'config-read-timeout',
    'link-down': 'config-link-down',
    poisoned: 'config-read-poisoned',
    'table-timeout': 'config-read-timeout',
  },
  write: {
    UR: 'config-write-ur',
    CA: 'config-write-ca',
    timeout: 'config-write-ca',
    'link-down': 'config-link-down',
    'table-timeout': 'config-write-ca',
  },
};

export class ConfigCycles extends ConfigCyclesOf<ConfigTarget, ErrorEventName> {
  readonly #parts: ConfigCycleParts;

  constructor(parts: ConfigCycleParts) {
    super(parts, EVENTS);
    this.#parts = parts;
  }

  protected override target(access: ConfigDataAccess): ConfigTarget {
    return configTarget(this.#parts.registers, access);
  }

  protected override peOf({ id }: ConfigTarget): number {
    return this.#parts.ridToPe.lookup(id);
  }

  protected override nobodyThere(target: ConfigTarget, direction: Direction): void {
    this.#charge(`config-${direction}-ur`, target);
  }

  protected override failed({ pe, tlp }: OutboundRequest, event: ErrorEventName): void {
    this.#parts.errors.raise({ event, pe, requesterId: tlp.targetId ?? 0 });
  }

  #charge(event: ErrorEventName, target: ConfigTarget): void {
    this.#parts.errors.raise({ event, pe: this.peOf(target), requesterId: target.id });
  }

  protected override admit(
    access: ConfigDataAccess,
    target: ConfigTarget,
    direction: Direction,
  ): RootPortRoute | undefined {
    const { registers, rootPort, peState } = this.#parts;
    const refuse = (event: ErrorEventName): undefined => this.#charge(event, target) as undefined;
    if (!isEnabled(registers)) return refuse('config-not-enabled');
    if (!isAligned(access)) return refuse('config-size');
    // The root port's own registers never freeze; nothing else stands on bus 0.
    if (busOf(target.id) === 0) return (target.id & 0xff) === 0 ? 'self' : 'none';
    if (peState.mmioFrozen[this.peOf(target)] === 1) return undefined;
    if (this.#injected(target, direction)) return undefined;
    return rootPort.routeConfig(target.id);
  }

  /** The injection compares the bus number only. */
  #injected(target: ConfigTarget, direction: Direction): boolean {
    const { registers, injection, errors } = this.#parts;
    const effect = injection.fires('config', direction, registers.get('PHB_CONFIG_ADDRESS') & BUS_MASK);
    if (!effect) return false;
    const event = direction === 'read' ? 'papr-config-read' : 'papr-config-write';
    errors.inject(effect, { event, pe: this.peOf(target), requesterId: target.id });
    return true;
  }
}
