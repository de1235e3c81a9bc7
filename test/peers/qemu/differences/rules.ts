/** Every known difference between QEMU's PHB3 and this one. The first rule that covers a difference explains it. */
import { BUS_RULES } from './bus.js';
import { CONFIG_RULES } from './config.js';
import { DMA_RULES } from './dma.js';
import { INTERRUPT_RULES } from './interrupts.js';
import { REGISTER_RULES } from './registers.js';
import type { DifferenceRule } from './rule.js';
import { TABLE_RULES } from './tables.js';

export const RULES: readonly DifferenceRule[] = [
  ...REGISTER_RULES,
  ...TABLE_RULES,
  ...BUS_RULES,
  ...CONFIG_RULES,
  ...DMA_RULES,
  ...INTERRUPT_RULES,
];
