/** The 4 KiB register block of PHB3 as one bank. Facts: ioda2-phb3 3.2 and Appendix A. */
import { declareRegisters } from '../../hw/register.js';
import { DEBUG_REGISTERS } from './debug.js';
import { LEM_REGISTERS, TRAP_REGISTERS } from './errors.js';
import { FUNDAMENTAL_A_REGISTERS } from './fundamental-a.js';
import { FUNDAMENTAL_B_REGISTERS } from './fundamental-b.js';
import { PCIE_STACK_REGISTERS } from './pcie-stack.js';
import { UTL_REGISTERS } from './utl.js';

export const PHB_REGISTERS = declareRegisters('PHB3', 8, {
  ...FUNDAMENTAL_A_REGISTERS,
  ...UTL_REGISTERS,
  ...PCIE_STACK_REGISTERS,
  ...FUNDAMENTAL_B_REGISTERS,
  ...LEM_REGISTERS,
  ...TRAP_REGISTERS,
  ...DEBUG_REGISTERS,
});

/** Name of a PHB register; the compiler checks every use. */
export type PhbRegisterName =
  | keyof typeof FUNDAMENTAL_A_REGISTERS
  | keyof typeof UTL_REGISTERS
  | keyof typeof PCIE_STACK_REGISTERS
  | keyof typeof FUNDAMENTAL_B_REGISTERS
  | keyof typeof LEM_REGISTERS
  | keyof typeof TRAP_REGISTERS
  | keyof typeof DEBUG_REGISTERS;

/** Bytes the block occupies from the PHB BAR. */
export const PHB_REGISTER_SPACE_BYTES = 0x1000;
