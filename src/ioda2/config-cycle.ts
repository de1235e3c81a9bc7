/**
 * Configuration cycles: CONFIG_ADDRESS names the register, touching CONFIG_DATA runs the cycle.
 * Sources: skiboot hw/phb3.c: PHB3_PCI_CFG_READ; qemu pnv_phb3.c: pnv_phb3_config_read; linux eeh-powernv.c: eeh_powernv_init.
 * Facts: ioda2-phb3 6.1, step by step.
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
import type { LinkControl } from './link-control.js';
import { PHB_REGISTERS, type PhbRegisterName } from './registers/phb.js';
import { PORT_EVENT, type UtlCore } from './utl.js';

export interface ConfigCycleParts {
  readonly registers: RegisterFile<PhbRegisterName>;
  readonly rootPort: RootPort;
  readonly linkControl: LinkControl;
  readonly requests: OutboundRequests;
  readonly errors: ErrorPipeline;
  readonly injection: PaprInjection;
  readonly utl: UtlCore;
}

interface Target extends ConfigTarget {
  readonly pe: number;
}

const BDFN_MASK =
  fieldMask(PHB_REGISTERS.field('PHB_CONFIG_ADDRESS', 'BUS').at) |
  fieldMask(PHB_REGISTERS.field('PHB_CONFIG_ADDRESS', 'DEVICE').at) |
  fieldMask(PHB_REGISTERS.field('PHB_CONFIG_ADDRESS', 'FUNCTION').at);

type Refusal = 'config-not-enabled' | 'config-size' | 'config-target' | 'config-link-down';

const READ_EVENTS: Readonly<Partial<Record<OutboundOutcome, ErrorEventName>>> = {
  UR: 'config-read-ur',
  CA: 'config-read-ca',
  timeout: 'config-read-timeout',
  'link-down': 'config-read-timeout',
  poisoned: 'poisoned-completion',
  'table-timeout': 'completion-table-timeout',
};
const WRITE_EVENTS: Readonly<Partial<Record<OutboundOutcome, ErrorEventName>>> = {
  UR: 'config-write-ur',
  CA: 'config-write-ca',
  timeout: 'config-write-timeout',
  'link-down': 'config-write-timeout',
  'table-timeout': 'completion-table-timeout',
};

export class ConfigCycles {
  readonly #parts: ConfigCycleParts;

  constructor(parts: ConfigCycleParts) {
    this.#parts = parts;
  }

  /** The value if it is known at once; else it comes as the end of an outbound request under this ticket. */
  read(access: ConfigDataAccess, ticket: number): bigint | undefined {
    const target = this.#target(access);
    const ones = allOnes(access.sizeBytes);
    const route = this.#admit(access, target);
    if (route === undefined) return ones;
    if (this.#injected(target, 'read')) return ones;
    if (route === 'self')
      return swapConfig(this.#parts.rootPort.config.read(target.register, access.sizeBytes), access.sizeBytes);
    if (route === 'none') {
      this.#parts.errors.raise({ event: 'config-read-ur', pe: target.pe });
      return ones;
    }
    this.#parts.requests.issue(readRequest({ target, route, sizeBytes: access.sizeBytes, pe: target.pe }, ticket));
    return undefined;
  }

  write(access: ConfigDataAccess, value: bigint): void {
    const target = this.#target(access);
    const route = this.#admit(access, target);
    if (route === undefined) return;
    if (this.#injected(target, 'write')) return;
    if (route === 'self') {
      this.#parts.rootPort.config.write(target.register, access.sizeBytes, unswapConfig(value, access.sizeBytes));
      return;
    }
    if (route === 'none') {
      this.#parts.errors.raise({ event: 'config-write-ur', pe: target.pe });
      return;
    }
    this.#parts.requests.issue(writeRequest({ target, route, sizeBytes: access.sizeBytes, pe: target.pe }, value));
  }

  /** The end of a configuration request: the value of a read. A frozen PE does not stand in the way on this chip. */
  ended(request: OutboundRequest, outcome: OutboundOutcome, data: Uint8Array | undefined): bigint {
    const events = request.operation === 'config-read' ? READ_EVENTS : WRITE_EVENTS;
    const event = events[outcome];
    if (event) this.#parts.errors.raise({ event, pe: request.pe });
    return answerOf(request, outcome, data);
  }

  #target(access: ConfigDataAccess): Target {
    const { registers } = this.#parts;
    const field = (name: string): number => Number(registers.field('PHB_CONFIG_ADDRESS', name));
    return {
      id: (field('BUS') << 8) | (field('DEVICE') << 3) | field('FUNCTION'),
      // The doubleword is what counts: the bytes come from where CONFIG_DATA is touched.
      register: (field('REGISTER') & ~3) + access.offset,
      pe: field('PE'),
    };
  }

  /** True if the next cycle is for the root port itself. */
  get targetsRootPort(): boolean {
    const { registers } = this.#parts;
    const enabled = registers.field('PHB_CONFIG_ADDRESS', 'ENABLE') === 1n;
    return enabled && registers.field('PHB_CONFIG_ADDRESS', 'BDFN') === 0n;
  }

  /** Where the cycle goes, or `undefined` if it goes nowhere and the reason has been recorded. */
  #admit(access: ConfigDataAccess, target: Target): RootPortRoute | undefined {
    const { registers, rootPort, linkControl, errors } = this.#parts;
    if (errors.takeInjected(['OUT', 'INA', 'INB'], { pe: target.pe, summary: 'load-store' })) return undefined;
    const refuse = (event: Refusal): undefined => {
      errors.raise({ event, pe: target.pe });
    };
    if (!isAligned(access)) return refuse('config-size');
    if (registers.field('PHB_CONFIG_ADDRESS', 'ENABLE') === 0n) return refuse('config-not-enabled');
    const onRootBus = busOf(target.id) === 0;
    if (onRootBus && (target.id & 0xff) !== 0) return refuse('config-target');
    // The root port's own registers are then out of reach before the cycle begins.
    if (linkControl.inCoreReset) return refuse('config-target');
    if (!onRootBus && !linkControl.linkActive) return refuse('config-link-down');
    return onRootBus ? 'self' : rootPort.routeConfig(target.id);
  }

  /** The UTL discards the request it was told to fail, and latches that as a port event. */
  #injected(target: Target, direction: 'read' | 'write'): boolean {
    const { registers, injection, errors, utl } = this.#parts;
    const effect = injection.fires('config', direction, registers.get('PHB_CONFIG_ADDRESS') & BDFN_MASK);
    if (!effect) return false;
    errors.inject(effect, { event: direction === 'read' ? 'papr-config-read' : 'papr-config-write', pe: target.pe });
    utl.latch(PORT_EVENT.OUTBOUND_DISCARD);
    return true;
  }
}
