/** Performance, debug and hotplug registers of PHB3. Facts: ioda2-phb3 3.2.6, 7.10.2. */
import { bit } from '../../hw/bits.js';
import type { RegisterDeclaration } from '../../hw/register.js';
import { unnamedMonitorRegisters } from '../../ioda/unnamed-registers.js';
import { unnamed } from './unnamed.js';

export const DEBUG_REGISTERS = {
  PHB_TRACE_CONTROL: unnamed(0xf80, 'read-write', 'Trace control'),
  ...unnamedMonitorRegisters(unnamed),
  PHB_HOTPLUG_OVERRIDE: {
    offset: 0xfb0,
    access: 'read-write',
    known: 'stated',
    fields: {
      FORCE_RESAMPLE: { at: bit(9), about: 'sample the presence pins again' },
      PRESENCE_A: { at: bit(10), about: 'presence pin A, zero when a card pulls it' },
      PRESENCE_B: { at: bit(11), about: 'presence pin B, zero when a card pulls it' },
      LINK_ACTIVE: { at: bit(12), about: 'the link is active' },
      LINK_BIFURCATED: { at: bit(13), about: 'the lanes are split' },
      LANES_SWAPPED: { at: bit(14), about: 'the lanes are in reverse order' },
    },
    about: 'Presence pins of the slot: empty only if both read one.',
    source: 'skiboot hw/phb3.c: phb3_get_presence_state',
  },
} as const satisfies Record<string, RegisterDeclaration>;
