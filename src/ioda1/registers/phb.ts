/** The register block of a P7IOC PHB as one bank; its two windows have the same offsets. Facts: ioda1-p7ioc 1.2, 3.9 to 3.14. */
import { declareRegisters } from '../../hw/register.js';
import type { TrapRegisterName } from '../../ioda/trap-registers.js';
import { DEBUG_REGISTERS } from './debug.js';
import { PHB_LEM_REGISTERS, TRAP_REGISTERS } from './errors.js';
import { FUNDAMENTAL_A_REGISTERS } from './fundamental-a.js';
import { FUNDAMENTAL_B_REGISTERS } from './fundamental-b.js';
import type { LemRegisterName } from './lem.js';
import { PCIE_STACK_REGISTERS } from './pcie-stack.js';
import { UTL_REGISTERS } from './utl.js';

export const PHB_REGISTERS = declareRegisters('P7IOC PHB', 8, {
  ...FUNDAMENTAL_A_REGISTERS,
  ...UTL_REGISTERS,
  ...PCIE_STACK_REGISTERS,
  ...FUNDAMENTAL_B_REGISTERS,
  ...PHB_LEM_REGISTERS,
  ...TRAP_REGISTERS,
  ...DEBUG_REGISTERS,
});

/** Name of a PHB register; the compiler checks every use. */
export type PhbRegisterName =
  | keyof typeof FUNDAMENTAL_A_REGISTERS
  | keyof typeof UTL_REGISTERS
  | keyof typeof PCIE_STACK_REGISTERS
  | keyof typeof FUNDAMENTAL_B_REGISTERS
  | LemRegisterName<'PHB'>
  | TrapRegisterName
  | keyof typeof DEBUG_REGISTERS;

/** Bytes each of its windows occupies. */
export const PHB_REGISTER_SPACE_BYTES = 0x1_0000;
