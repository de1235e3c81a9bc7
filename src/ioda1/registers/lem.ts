/**
 * The nine registers of a local error macro: one layout for every unit of the hub and for each PHB.
 * Facts: ioda1-p7ioc 3.1. Source: skiboot include/p7ioc-regs.h: P7IOC_LEM_*_OFFSET.
 */
import { ALL_ONES } from '../../hw/bits.js';
import type { AccessKind, FieldDeclaration, Known, RegisterDeclaration } from '../../hw/register.js';

interface LemRegister {
  readonly at: number;
  readonly access: AccessKind;
  readonly about: string;
  readonly target?: 'FIR_ACCUM' | 'ERROR_MASK';
  readonly reset?: bigint;
  readonly resetKnown?: Known;
  readonly showsErrors?: true;
}

const LEM_TEMPLATE = {
  FIR_ACCUM: {
    at: 0x00,
    access: 'read-write',
    about: 'Error bits seen; they stay until software clears them, and a store replaces them.',
    showsErrors: true,
  },
  FIR_AND_MASK: {
    at: 0x08,
    access: 'and-mask',
    target: 'FIR_ACCUM',
    about: 'Clears the error bits written as zero; reads the error bits (M).',
  },
  FIR_OR_MASK: {
    at: 0x10,
    access: 'or-mask',
    target: 'FIR_ACCUM',
    about: 'Sets the error bits written as one, which then report; reads the error bits (M).',
  },
  ERROR_MASK: {
    at: 0x18,
    access: 'read-write',
    about: 'Ones keep an error bit from the global error macro.',
    // Hub initialisation only ever unmasks, through the AND port.
    reset: ALL_ONES,
    resetKnown: 'derived',
    showsErrors: true,
  },
  ERROR_AND_MASK: {
    at: 0x20,
    access: 'and-mask',
    target: 'ERROR_MASK',
    about: 'Unmasks the bits written as zero; reads the mask (M).',
  },
  ERROR_OR_MASK: {
    at: 0x28,
    access: 'or-mask',
    target: 'ERROR_MASK',
    about: 'Masks the bits written as one; reads the mask (M).',
  },
  ACTION0: { at: 0x30, access: 'read-write', about: 'First action bit of each error: one is recoverable.' },
  ACTION1: { at: 0x38, access: 'read-write', about: 'Second action bit of each error: one is a clock error.' },
  WOF: {
    at: 0x40,
    access: 'read-write',
    about: 'The error bits that came first, masked ones too; a store replaces them.',
    showsErrors: true,
  },
} as const satisfies Record<string, LemRegister>;

export type LemSuffix = keyof typeof LEM_TEMPLATE;
/** Name of the register of a macro, as in PHB_LEM_WOF. */
export type LemRegisterName<P extends string> = `${P}_LEM_${LemSuffix}`;

export const LEM_SUFFIXES = Object.keys(LEM_TEMPLATE) as readonly LemSuffix[];

/** The register of a macro that has the given last name part. */
export function lemRegisterName<P extends string>(prefix: P, suffix: LemSuffix): LemRegisterName<P> {
  return `${prefix}_LEM_${suffix}`;
}

export interface LemPlace<P extends string> {
  readonly prefix: P;
  readonly base: number;
  readonly bits: Readonly<Record<string, FieldDeclaration>>;
  readonly source: string;
}

export function lemRegisters<const P extends string>(
  place: LemPlace<P>,
): Record<LemRegisterName<P>, RegisterDeclaration> {
  const { prefix, base, bits, source } = place;
  const declarations = (Object.entries(LEM_TEMPLATE) as [LemSuffix, LemRegister][]).map(([suffix, register]) => {
    const declaration: RegisterDeclaration = {
      offset: base + register.at,
      access: register.access,
      known: 'stated',
      about: register.about,
      source,
      ...(register.target ? { target: lemRegisterName(prefix, register.target) } : {}),
      ...(register.reset === undefined ? {} : { reset: register.reset }),
      ...(register.resetKnown ? { resetKnown: register.resetKnown } : {}),
      ...(register.showsErrors ? { fields: bits } : {}),
    };
    return [lemRegisterName(prefix, suffix), declaration] as const;
  });
  return Object.fromEntries(declarations) as Record<LemRegisterName<P>, RegisterDeclaration>;
}
