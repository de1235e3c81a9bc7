/** Trace, performance and hot-plug registers of a P7IOC PHB. Facts: ioda1-p7ioc 3.14. */
import { bit } from '../../hw/bits.js';
import type { RegisterDeclaration } from '../../hw/register.js';
import { unnamedMonitorRegisters } from '../../ioda/unnamed-registers.js';
import { unnamed } from './unnamed.js';

export const DEBUG_REGISTERS = {
  PHB_TRACE_CONTROL: {
    offset: 0xf80,
    access: 'read-write',
    known: 'stated',
    about: 'What the bridge shows to the central trace; stored.',
    source: 'skiboot p7ioc hw/p7ioc-inits.c: p7ioc_init_MISC',
  },
  ...unnamedMonitorRegisters(unnamed),
  PHB_HOTPLUG_OVERRIDE: {
    offset: 0xfb0,
    access: 'read-write',
    known: 'stated',
    fields: {
      POWER: { at: bit(0), about: 'an edge from 0 to 1 turns slot power on, one from 1 to 0 off' },
      OVERRIDE_4: { at: bit(4), about: 'set to turn power off' },
      OVERRIDE_5: { at: bit(5), about: 'set by every change of power' },
    },
    about: 'Slot power under software control; without a fresh edge nothing happens.',
    source: 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_freset; skiboot 2014 p7ioc_sm_slot_power_on',
  },
} as const satisfies Record<string, RegisterDeclaration>;
