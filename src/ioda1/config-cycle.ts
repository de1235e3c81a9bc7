/**
 * Configuration cycles: CONFIG_ADDRESS names the register, touching CONFIG_DATA runs the cycle. No PE stands in the
 * address: it follows from the target, and a frozen one blocks the cycle. Facts: ioda1-p7ioc 6.1, step by step.
 * Sources: skiboot p7ioc hw/p7ioc-phb.c: P7IOC_PCI_CFG_READ; linux eeh-powernv.c: eeh_powernv_init.
 */
import { fieldMask } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import { allOnes, swapConfig, unswapConfig } from '../ioda/byte-order.js';
import {
  answerOf,
  type ConfigDataAccess,
  type ConfigTarget,
  isAligned,
  readRequest,
  writeRequest,
} from '../ioda/config-requests.js';
import type { OutboundOutcome, OutboundRequest, OutboundRequests } from '../ioda/outbound-requests.js';
import type { PaprInjection } from '../ioda/papr-injection.js';
import type { RootPort, RootPortRoute } from '../pcie/root-port.js';
import { busOf } from '../pcie/tlp.js';
import type { ErrorEventName } from './error-bits/events.js';
import type { ErrorPipeline } from './error-pipeline.js';
import type { PeState } from './pe-state.js';
import { PHB_REGISTERS, type PhbRegisterName } from './registers/phb.js';
import type { RidToPe } from './rid-to-pe.js';

export interface ConfigCycleParts {
  readonly registers: RegisterFile<PhbRegisterName>;
  readonly rootPort: RootPort;
  readonly requests: OutboundRequests;
  readonly errors: ErrorPipeline;
  readonly injection: PaprInjection;
  readonly ridToPe: RidToPe;
  readonly peState: PeState;
}

/** Where a cycle goes: the root port's own registers, a packet, nobody. */
type Way = RootPortRoute;

const BUS_MASK = fieldMask(PHB_REGISTERS.field('PHB_CONFIG_ADDRESS', 'BUS').at);

const READ_EVENTS: Readonly<Partial<Record<OutboundOutcome, ErrorEventName>>> = {
  UR: 'config-read-ur',
  CA: 'config-read-ca',
  timeout: 'config-read-timeout',
  'link-down': 'config-link-down',
  poisoned: 'config-read-poisoned',
  'table-timeout': 'config-read-timeout',
};
const WRITE_EVENTS: Readonly<Partial<Record<OutboundOutcome, ErrorEventName>>> = {
  UR: 'config-write-ur',
  CA: 'config-write-ca',
  timeout: 'config-write-ca',
  'link-down': 'config-link-down',
  'table-timeout': 'config-write-ca',
};

export class ConfigCycles {
  readonly #parts: ConfigCycleParts;

  constructor(parts: ConfigCycleParts) {
    this.#parts = parts;
  }

  /** The value if it is known at once; else it comes as the end of an outbound request under this ticket. */
  read(access: ConfigDataAccess, ticket: number): bigint | undefined {
    const { rootPort, requests } = this.#parts;
    const target = this.#target(access);
    const ones = allOnes(access.sizeBytes);
    const way = this.#admit(access, target, 'read');
    if (way === undefined) return ones;
    if (way === 'self') return swapConfig(rootPort.config.read(target.register, access.sizeBytes), access.sizeBytes);
    if (way === 'none') {
      this.#charge('config-read-ur', target);
      return ones;
    }
    requests.issue(readRequest({ target, route: way, sizeBytes: access.sizeBytes, pe: this.#pe(target) }, ticket));
    return undefined;
  }

  write(access: ConfigDataAccess, value: bigint): void {
    const { rootPort, requests } = this.#parts;
    const target = this.#target(access);
    const way = this.#admit(access, target, 'write');
    if (way === undefined) return;
    if (way === 'self') {
      rootPort.config.write(target.register, access.sizeBytes, unswapConfig(value, access.sizeBytes));
      return;
    }
    if (way === 'none') {
      this.#charge('config-write-ur', target);
      return;
    }
    requests.issue(writeRequest({ target, route: way, sizeBytes: access.sizeBytes, pe: this.#pe(target) }, value));
  }

  /** The end of a configuration request: the value of a read. */
  ended(request: OutboundRequest, outcome: OutboundOutcome, data: Uint8Array | undefined): bigint {
    const events = request.operation === 'config-read' ? READ_EVENTS : WRITE_EVENTS;
    const event = events[outcome];
    if (event) this.#parts.errors.raise({ event, pe: request.pe, requesterId: request.tlp.targetId ?? 0 });
    return answerOf(request, outcome, data);
  }

  #target(access: ConfigDataAccess): ConfigTarget {
    const { registers } = this.#parts;
    const field = (name: string): number => Number(registers.field('PHB_CONFIG_ADDRESS', name));
    return {
      id: field('BDFN'),
      // The doubleword is what counts: the bytes come from where CONFIG_DATA is touched.
      register: (field('REGISTER') & ~3) + access.offset,
    };
  }

  #pe({ id }: ConfigTarget): number {
    return this.#parts.ridToPe.lookup(id);
  }

  #charge(event: ErrorEventName, target: ConfigTarget): void {
    this.#parts.errors.raise({ event, pe: this.#pe(target), requesterId: target.id });
  }

  /** True if the next cycle is for the root port itself. */
  get targetsRootPort(): boolean {
    const { registers } = this.#parts;
    const enabled = registers.field('PHB_CONFIG_ADDRESS', 'ENABLE') === 1n;
    return enabled && registers.field('PHB_CONFIG_ADDRESS', 'BDFN') === 0n;
  }

  /** Where the cycle goes, or `undefined` if it goes nowhere and the reason has been recorded. */
  #admit(access: ConfigDataAccess, target: ConfigTarget, direction: 'read' | 'write'): Way | undefined {
    const { registers, rootPort, peState } = this.#parts;
    const refuse = (event: ErrorEventName): undefined => this.#charge(event, target) as undefined;
    if (registers.field('PHB_CONFIG_ADDRESS', 'ENABLE') === 0n) return refuse('config-not-enabled');
    if (!isAligned(access)) return refuse('config-size');
    // The root port's own registers never freeze; nothing else stands on bus 0.
    if (busOf(target.id) === 0) return (target.id & 0xff) === 0 ? 'self' : 'none';
    if (peState.mmioFrozen[this.#pe(target)] === 1) return undefined;
    if (this.#injected(target, direction)) return undefined;
    return rootPort.routeConfig(target.id);
  }

  /** The injection compares the bus number only. */
  #injected(target: ConfigTarget, direction: 'read' | 'write'): boolean {
    const { registers, injection, errors } = this.#parts;
    const effect = injection.fires('config', direction, registers.get('PHB_CONFIG_ADDRESS') & BUS_MASK);
    if (!effect) return false;
    const event = direction === 'read' ? 'papr-config-read' : 'papr-config-write';
    errors.inject(effect, { event, pe: this.#pe(target), requesterId: target.id });
    return true;
  }
}
