/** The registers of the hub itself as one bank, at their offsets from its register base. Facts: ioda1-p7ioc 1.1, 3.2 to 3.8. */
import { declareRegisters, type NamedRegisterBank } from '../../hw/register.js';
import type { HubUnit } from '../error-bits/units.js';
import { BI_REGISTERS } from './hub-bi.js';
import { CI_REGISTERS, type RoutingRegister } from './hub-ci.js';
import { type HssRegister, MISC_REGISTERS } from './hub-misc.js';
import { FENCE_REGISTERS, GEM_REGISTERS, RGC_REGISTERS } from './hub-rgc.js';
import type { LemRegisterName } from './lem.js';

export const HUB_REGISTERS: NamedRegisterBank<HubRegisterName> = declareRegisters('P7IOC', 8, {
  ...BI_REGISTERS,
  ...CI_REGISTERS,
  ...GEM_REGISTERS,
  ...RGC_REGISTERS,
  ...MISC_REGISTERS,
  ...FENCE_REGISTERS,
});

/** Name of a register of the hub; the compiler checks every use. */
export type HubRegisterName =
  | keyof typeof BI_REGISTERS
  | keyof typeof CI_REGISTERS
  | keyof typeof GEM_REGISTERS
  | keyof typeof RGC_REGISTERS
  | keyof typeof MISC_REGISTERS
  | keyof typeof FENCE_REGISTERS
  | RoutingRegister
  | HssRegister
  | LemRegisterName<HubUnit>;
