/** The registers of an error trap: one layout for the four traps of a bridge, at the same offsets on P7IOC and PHB3. */
import { bit } from '../hw/bits.js';
import type { AccessKind, FieldDeclaration, RegisterDeclaration } from '../hw/register.js';
import { fieldsOfBits, type NamedBit } from './bit-fields.js';
import { TRAP_NAMES, type TrapName } from './bit-lists.js';

type Fields = Readonly<Record<string, FieldDeclaration>>;

interface TrapRegister {
  readonly at: number;
  readonly access: AccessKind;
  readonly shows: 'errors' | 'log-0' | 'log-1';
  readonly about: string;
}
const trapRegister = (at: number, access: AccessKind, about: string): TrapRegister => ({
  at,
  access,
  shows: 'errors',
  about,
});

/** The registers of a trap at their offsets from its base; 0x38 is a hole. */
const TRAP_TEMPLATE = {
  ERR_STATUS: trapRegister(0x00, 'write-1-to-clear', 'Every error seen; ones clear.'),
  ERR1_STATUS: trapRegister(0x08, 'read-write', 'The first error since software wrote zero.'),
  ERR_INJECT: trapRegister(0x10, 'read-write', 'Arms a test error, raised by the next fitting operation.'),
  ERR_LEM_ENABLE: trapRegister(0x18, 'read-write', 'Errors forwarded to the LEM.'),
  ERR_IRQ_ENABLE: trapRegister(0x20, 'read-write', 'Errors that interrupt.'),
  ERR_FREEZE_ENABLE: trapRegister(0x28, 'read-write', 'Errors that freeze PEs.'),
  ERR_AIB_FENCE_ENABLE: trapRegister(0x30, 'read-write', 'Errors that fence the AIB.'),
  ERR_LOG_0: { at: 0x40, access: 'read-write', shows: 'log-0', about: 'What failed first: kind and requester.' },
  ERR_LOG_1: { at: 0x48, access: 'read-write', shows: 'log-1', about: 'Where it failed first.' },
  ERR_STATUS_MASK: trapRegister(0x50, 'read-write', 'Errors that ERR_STATUS ignores.'),
  ERR1_STATUS_MASK: trapRegister(0x58, 'read-write', 'Errors that ERR1_STATUS ignores.'),
} as const satisfies Record<string, TrapRegister>;

/** Last part of the name of a trap register. */
export type TrapSuffix = keyof typeof TRAP_TEMPLATE;

const TRAP_PREFIX = { PHB: 'PHB', OUT: 'PHB_OUT', INA: 'PHB_INA', INB: 'PHB_INB' } as const;
const TRAP_BASE: Readonly<Record<TrapName, number>> = { PHB: 0xc80, OUT: 0xd00, INA: 0xd80, INB: 0xe00 };

/** Name of the register of a trap, as in PHB_OUT_ERR_LOG_0. */
export type TrapRegisterName<T extends TrapName = TrapName> = `${(typeof TRAP_PREFIX)[T]}_${TrapSuffix}`;

const SUFFIXES = Object.keys(TRAP_TEMPLATE) as TrapSuffix[];

/** Built once: a name put together anew at each access would have to be hashed anew. */
const TRAP_REGISTER_NAMES = new Map(
  TRAP_NAMES.map((trap) => [
    trap,
    new Map(SUFFIXES.map((suffix) => [suffix, `${TRAP_PREFIX[trap]}_${suffix}` as const])),
  ]),
);

/** The register of a trap that has the given last name part. */
export function trapRegisterName<T extends TrapName>(trap: T, suffix: TrapSuffix): TrapRegisterName<T> {
  return TRAP_REGISTER_NAMES.get(trap)!.get(suffix) as TrapRegisterName<T>;
}

/** What is the chip's own about the registers of its traps. */
export interface TrapRegisterFacts {
  readonly bits: Readonly<Record<TrapName, readonly NamedBit[]>>;
  readonly logs: Readonly<Record<'log-0' | 'log-1', Fields>>;
  readonly source: string;
  /** A register that this chip words in another way. */
  readonly about?: Readonly<Partial<Record<TrapSuffix, string>>>;
}

function registersOf<T extends TrapName>(
  trap: T,
  { bits, logs, source, about = {} }: TrapRegisterFacts,
): Record<TrapRegisterName<T>, RegisterDeclaration> {
  const declarations = (Object.entries(TRAP_TEMPLATE) as [TrapSuffix, TrapRegister][]).map(([suffix, register]) => [
    trapRegisterName(trap, suffix),
    {
      offset: TRAP_BASE[trap] + register.at,
      access: register.access,
      known: 'stated',
      fields: register.shows === 'errors' ? fieldsOfBits(bits[trap]) : logs[register.shows],
      about: about[suffix] ?? register.about,
      source,
    } satisfies RegisterDeclaration,
  ]);
  return Object.fromEntries(declarations) as Record<TrapRegisterName<T>, RegisterDeclaration>;
}

/** Fields of PHB_ETU_ERR_SUMMARY: which bit is which trap is a choice (M). */
export const TRAP_SUMMARY_FIELDS: Fields = Object.fromEntries(
  TRAP_NAMES.map((trap, index) => [trap, { at: bit(index), about: `the ${trap} trap holds an error` }]),
);

/** The registers of the four traps. */
export function trapRegisters(facts: TrapRegisterFacts): Record<TrapRegisterName, RegisterDeclaration> {
  return {
    ...registersOf('PHB', facts),
    ...registersOf('OUT', facts),
    ...registersOf('INA', facts),
    ...registersOf('INB', facts),
  };
}
