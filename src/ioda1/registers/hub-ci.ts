/**
 * Registers of the crossbar: eight ports, and the routing rules and traces that port 0 alone has.
 * Facts: ioda1-p7ioc 3.3, 8.3, 8.5. Source: skiboot include/p7ioc-regs.h: P7IOC_CI_*.
 */
import { bit, bits } from '../../hw/bits.js';
import type { RegisterDeclaration } from '../../hw/register.js';
import { HUB_UNITS } from '../error-bits/units.js';
import { lemFieldsOfUnit } from './hub-lem.js';
import { type LemRegisterName, lemRegisters } from './lem.js';
import { programmed } from './unnamed.js';

const INIT = 'skiboot p7ioc hw/p7ioc-inits.c: p7ioc_init_CI';
const ROUTING = 'skiboot p7ioc hw/p7ioc-inits.c: p7ioc_init_ci_routing; skiboot include/p7ioc-regs.h: P7IOC_CI_RMATC_*';

export type CiPort = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
export const CI_PORT_NUMBERS: readonly CiPort[] = [0, 1, 2, 3, 4, 5, 6, 7];
const PORT_BASE = 0x3d_0000;
const PORT_STRIDE = 0x1000;

const PORT_REGISTERS = {
  CONFIG: {
    offset: 0x000,
    access: 'read-write',
    known: 'stated',
    fields: {
      CLEAR_REPORTS: { at: bit(1), about: 'set and cleared again: clears the error report macros' },
      CREDIT_TIMER: { at: bits(8, 15), about: 'timer of credit initialisation' },
    },
    about: 'Configuration of the port.',
    source: INIT,
  },
  STATUS: {
    offset: 0x008,
    access: 'read-only',
    known: 'stated',
    about: 'Status of the port, meant for hub diag data; bits unknown.',
    source: 'skiboot include/p7ioc-regs.h: P7IOC_CI_PORTn',
  },
  LDCP: {
    offset: 0x010,
    access: 'read-write',
    known: 'derived',
    fields: {
      CONSTANT: { at: bits(0, 15), about: 'always 0x421a, meaning unknown' },
      PHB_FENCE: { at: bits(16, 31), about: 'error bits 0 to 15 that fence the PHB of the port' },
      GX_ERROR: { at: bits(48, 63), about: 'error bits 0 to 15 that stop the GX link' },
    },
    about: 'Damage control of the port.',
    source: INIT,
  },
  TX_COMMAND: programmed(0x030, 'Transmit buffers for commands', INIT),
  TX_DATA: programmed(0x040, 'Transmit buffers for data', INIT),
  RX_COMMAND: programmed(0x050, 'Receive buffers for commands', INIT),
  RX_DATA: programmed(0x060, 'Receive buffers for data', INIT),
  ORDERING: programmed(0x070, 'Ordering between channels', INIT),
} as const satisfies Record<string, RegisterDeclaration>;
type PortSuffix = keyof typeof PORT_REGISTERS;
export type CiPortRegister = `CI_P${CiPort}_${PortSuffix}`;

function portRegisters(): Record<CiPortRegister | LemRegisterName<`CI_P${CiPort}`>, RegisterDeclaration> {
  const all = CI_PORT_NUMBERS.flatMap((port) => {
    const base = PORT_BASE + PORT_STRIDE * port;
    const own = (Object.entries(PORT_REGISTERS) as [PortSuffix, RegisterDeclaration][]).map(
      ([suffix, register]) => [`CI_P${port}_${suffix}`, { ...register, offset: base + register.offset }] as const,
    );
    const { kind, lemBase } = HUB_UNITS[`CI_P${port}`];
    const lem = lemRegisters({ prefix: `CI_P${port}`, base: lemBase, bits: lemFieldsOfUnit(kind), source: INIT });
    return [...own, ...Object.entries(lem)];
  });
  return Object.fromEntries(all) as Record<CiPortRegister | LemRegisterName<`CI_P${CiPort}`>, RegisterDeclaration>;
}

export const ROUTING_RULES = 48;
const ROUTING_BASE = 0x3d_0400;
const ROUTING_STRIDE = 16;

/** Fields of a rule's match register. */
export const RULE_FIELDS = {
  PORTS: { at: bits(0, 15), about: 'where it goes: bit p is port p' },
  ADDRESS: { at: bit(16), about: 'the rule compares addresses' },
  BUID: { at: bit(17), about: 'the rule compares bus unit ids' },
  TYPE: { at: bit(18), about: 'the rule compares transaction types' },
  VALUE: { at: bits(32, 63), about: 'what is compared' },
} as const;
/** Compared part of a rule's mask register. */
export const RULE_MASK_FIELDS = { MASK: { at: bits(32, 63), about: 'ones mark the bits that are compared' } } as const;

/** The last rule catches every address: register access through the side path works before software sets rules (M). */
const CATCH_ALL = 0x4000_8000_0000_0000n;

/** Match and mask of a rule, by its number. */
export type RoutingRegister = `CI_RMATC_${number}` | `CI_RMASK_${number}`;

function routingRegisters(): Record<RoutingRegister, RegisterDeclaration> {
  const all = Array.from({ length: ROUTING_RULES }, (_, rule) => {
    const match: RegisterDeclaration = {
      offset: ROUTING_BASE + ROUTING_STRIDE * rule,
      access: 'read-write',
      known: 'stated',
      fields: RULE_FIELDS,
      about: 'What a routing rule matches, and where it sends that.',
      source: ROUTING,
      ...(rule === ROUTING_RULES - 1 ? { reset: CATCH_ALL, resetKnown: 'assumed' } : {}),
    };
    const mask: RegisterDeclaration = {
      offset: ROUTING_BASE + ROUTING_STRIDE * rule + 8,
      access: 'read-write',
      known: 'stated',
      fields: RULE_MASK_FIELDS,
      about: 'Which bits a routing rule compares.',
      source: ROUTING,
    };
    return [
      [`CI_RMATC_${rule}`, match],
      [`CI_RMASK_${rule}`, mask],
    ] as const;
  });
  return Object.fromEntries(all.flat());
}

type CiTrace = 0 | 1;
const TRACE_BASE = { 0: 0x3d_0800, 1: 0x3d_0c00 } as const;
const TRACE_REGISTERS = {
  MODE: [0x08, 'mode'],
  RUN: [0x10, 'start and stop'],
  C0: [0x18, 'what stops it'],
  SELECT: [0x78, 'what is traced'],
  ARRAY0_PATTERN: [0x80, 'pattern of array 0'],
  ARRAY0_TRIGGER: [0xa0, 'trigger of array 0'],
  ARRAY0_MODE: [0xb0, 'mode of array 0'],
  ARRAY1_PATTERN: [0x100, 'pattern of array 1'],
  ARRAY1_TRIGGER: [0x120, 'trigger of array 1'],
  ARRAY1_MODE: [0x130, 'mode of array 1'],
} as const;
type CiTraceRegister = `CI_TRACE${CiTrace}_${keyof typeof TRACE_REGISTERS}`;

function traceRegisters(): Record<CiTraceRegister, RegisterDeclaration> {
  const all = ([0, 1] as const).flatMap((trace) =>
    Object.entries(TRACE_REGISTERS).map(
      ([name, [at, what]]) =>
        [`CI_TRACE${trace}_${name}`, programmed(TRACE_BASE[trace] + at, `Trace ${trace}: ${what}`, INIT)] as const,
    ),
  );
  return Object.fromEntries(all) as Record<CiTraceRegister, RegisterDeclaration>;
}

export const CI_REGISTERS = { ...portRegisters(), ...routingRegisters(), ...traceRegisters() };
