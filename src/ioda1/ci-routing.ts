/**
 * The routing rules of the crossbar: which port an address or a bus unit id goes to. The lowest rule that matches wins.
 * Facts: ioda1-p7ioc 3.3, 8.5. Source: skiboot p7ioc hw/p7ioc-inits.c: p7ioc_init_ci_routing.
 */
import { getField } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import type { HubRegisterName } from './registers/hub.js';
import { ROUTING_RULES, RULE_FIELDS, RULE_MASK_FIELDS } from './registers/hub-ci.js';

/** What a packet on the crossbar is known by. */
export type RoutedKind = 'ADDRESS' | 'BUID' | 'TYPE';

interface Rule {
  readonly kind: RoutedKind | undefined;
  readonly ports: number;
  readonly value: number;
  readonly mask: number;
}

const NO_RULE: Rule = { kind: undefined, ports: 0, value: 0, mask: 0 };
const KINDS: readonly RoutedKind[] = ['ADDRESS', 'BUID', 'TYPE'];
/** Rules compare the upper 32 of the 48 bits of an address. */
const ADDRESS_SHIFT = 2 ** 16;
/** A bus unit id stands in IBM bits 35 to 43 of a rule, with its extension above. */
const BUID_SHIFT = 20;
/** Port p is bit p of sixteen, the first the most significant. */
const FIRST_PORT = 0x8000;

export class CiRouting {
  readonly #registers: RegisterFile<HubRegisterName>;
  readonly #rules: Rule[] = new Array<Rule>(ROUTING_RULES).fill(NO_RULE);

  constructor(registers: RegisterFile<HubRegisterName>) {
    this.#registers = registers;
    for (let rule = 0; rule < ROUTING_RULES; rule++) {
      const decode = { onWrite: () => this.#decode(rule) };
      registers.attach(`CI_RMATC_${rule}`, decode);
      registers.attach(`CI_RMASK_${rule}`, decode);
      this.#decode(rule);
    }
  }

  /** Ports of an address of the processor; none if no rule takes it. */
  portsOfAddress(address: number): readonly number[] {
    return this.#ports('ADDRESS', Math.floor(address / ADDRESS_SHIFT));
  }

  /** Ports of a bus unit, by its id without extension. */
  portsOfBuid(buid: number): readonly number[] {
    return this.#ports('BUID', (buid << BUID_SHIFT) >>> 0);
  }

  portsOfType(type: number): readonly number[] {
    return this.#ports('TYPE', type);
  }

  #ports(kind: RoutedKind, value: number): readonly number[] {
    const rule = this.#rules.find((each) => each.kind === kind && ((value ^ each.value) & each.mask) === 0);
    if (rule === undefined) return [];
    return Array.from({ length: 8 }, (_, port) => port).filter((port) => (rule.ports & (FIRST_PORT >>> port)) !== 0);
  }

  #decode(rule: number): void {
    const match = this.#registers.get(`CI_RMATC_${rule}`);
    const mask = this.#registers.get(`CI_RMASK_${rule}`);
    this.#rules[rule] = {
      kind: KINDS.find((kind) => getField(match, RULE_FIELDS[kind].at) === 1n),
      ports: Number(getField(match, RULE_FIELDS.PORTS.at)),
      value: Number(getField(match, RULE_FIELDS.VALUE.at)),
      mask: Number(getField(mask, RULE_MASK_FIELDS.MASK.at)),
    };
  }
}
