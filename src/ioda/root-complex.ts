/** The root port's configuration space as data: the part of its declaration that does not depend on the chip. */
import type { Known } from '../hw/register.js';
import type { AerRegister, RootAerRegister } from '../pcie/aer-capability.js';
import type { PciExpressRegister, PowerManagementRegister } from '../pcie/capabilities.js';
import type { BridgeRegister } from '../pcie/config-header.js';
import type { ConfigLayout } from '../pcie/config-space.js';

type AbsentRegister = 'BAR0' | 'BAR1' | 'ROM_BAR';

/** Registers of every bridge's root port. */
export type RootPortRegister =
  | BridgeRegister
  | PowerManagementRegister
  | PciExpressRegister
  | AerRegister
  | RootAerRegister
  | AbsentRegister;

/** Places of the header that hold nothing. */
export const ABSENT_REGISTERS: ConfigLayout<AbsentRegister> = {
  BAR0: { at: 0x10, size: 4, about: 'no base address register' },
  BAR1: { at: 0x14, size: 4, about: 'no base address register' },
  ROM_BAR: { at: 0x38, size: 4, about: 'no expansion ROM' },
};

export interface RootComplexFact {
  readonly source: string;
  readonly known: Known;
}

export type FactRow<R extends string> = readonly [registers: readonly R[], source: string, known: Known];

/** Source and certainty of each register, from rows that have several with the same. */
export function factsOf<R extends string>(rows: readonly FactRow<R>[]): ReadonlyMap<R, RootComplexFact> {
  return new Map(
    rows.flatMap(([registers, source, known]) =>
      registers.map((register) => [register, { source, known }] as [R, RootComplexFact]),
    ),
  );
}
