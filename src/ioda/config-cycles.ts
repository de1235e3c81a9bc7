/**
 * Configuration cycles: CONFIG_ADDRESS names the register, touching CONFIG_DATA runs the cycle. It reaches the root port's
 * own registers, a device over the link, or nobody. What stops it before, and who pays, is the chip's own.
 * Facts: ioda2-phb3 6.1, ioda1-p7ioc 6.1.
 */
import type { RootPort, RootPortRoute } from '../pcie/root-port.js';
import { allOnes, swapConfig, unswapConfig } from './byte-order.js';
import {
  type AddressRegister,
  answerOf,
  type ConfigDataAccess,
  type ConfigTarget,
  isEnabled,
  readRequest,
  writeRequest,
} from './config-requests.js';
import type { OutboundOutcome, OutboundRequest, OutboundRequests } from './outbound-requests.js';
import type { Direction } from './papr-injection.js';

export interface ConfigCyclesParts {
  readonly registers: AddressRegister;
  readonly rootPort: RootPort;
  readonly requests: OutboundRequests;
}

/** The event of each way a cycle can fail once it left; `E` are the chip's events. */
export type CycleEvents<E> = Readonly<Record<Direction, Readonly<Partial<Record<OutboundOutcome, E>>>>>;

export abstract class ConfigCyclesOf<T extends ConfigTarget, E> {
  readonly #parts: ConfigCyclesParts;
  readonly #events: CycleEvents<E>;

  constructor(parts: ConfigCyclesParts, events: CycleEvents<E>) {
    this.#parts = parts;
    this.#events = events;
  }

  protected abstract target(access: ConfigDataAccess): T;
  /** The PE that pays if the cycle fails. */
  protected abstract peOf(target: T): number;
  /** Where the cycle goes, or `undefined` if it goes nowhere and the reason has been recorded. */
  protected abstract admit(access: ConfigDataAccess, target: T, direction: Direction): RootPortRoute | undefined;
  protected abstract nobodyThere(target: T, direction: Direction): void;
  protected abstract failed(request: OutboundRequest, event: E): void;

  /** True if the next cycle is for the root port itself. */
  get targetsRootPort(): boolean {
    const { registers } = this.#parts;
    return isEnabled(registers) && registers.field('PHB_CONFIG_ADDRESS', 'BDFN') === 0n;
  }

  /** The value if it is known at once; else it comes as the end of an outbound request under this ticket. */
  read(access: ConfigDataAccess, ticket: number): bigint | undefined {
    const { rootPort, requests } = this.#parts;
    const { sizeBytes } = access;
    const target = this.target(access);
    const route = this.admit(access, target, 'read');
    if (route === undefined) return allOnes(sizeBytes);
    if (route === 'self') return swapConfig(rootPort.config.read(target.register, sizeBytes), sizeBytes);
    if (route === 'none') {
      this.nobodyThere(target, 'read');
      return allOnes(sizeBytes);
    }
    requests.issue(readRequest({ target, route, sizeBytes, pe: this.peOf(target) }, ticket));
    return undefined;
  }

  write(access: ConfigDataAccess, value: bigint): void {
    const { rootPort, requests } = this.#parts;
    const { sizeBytes } = access;
    const target = this.target(access);
    const route = this.admit(access, target, 'write');
    if (route === undefined) return;
    if (route === 'self') rootPort.config.write(target.register, sizeBytes, unswapConfig(value, sizeBytes));
    else if (route === 'none') this.nobodyThere(target, 'write');
    else requests.issue(writeRequest({ target, route, sizeBytes, pe: this.peOf(target) }, value));
  }

  /** The end of a configuration request: the value of a read. */
  ended(request: OutboundRequest, outcome: OutboundOutcome, data: Uint8Array | undefined): bigint {
    const event = this.#events[request.operation === 'config-read' ? 'read' : 'write'][outcome];
    if (event !== undefined) this.failed(request, event);
    return answerOf(request, outcome, data);
  }
}
