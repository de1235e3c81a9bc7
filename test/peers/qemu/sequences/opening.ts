/** What firmware does before a sequence means anything: opens the bridge, trains its link, numbers its buses. */
import { PBCQ_NEST_REGISTERS } from '../../../../src/ioda2/registers/pbcq.js';
import { CARD, config, pass, phb, ROOT_PORT, type Step, scom } from '../steps.js';

const ALL_BARS = 0xf8n << 56n;
export const nest = (name: Parameters<typeof PBCQ_NEST_REGISTERS.get>[0]): number =>
  PBCQ_NEST_REGISTERS.get(name).offset;

/** The register page answers. */
export const OPEN: readonly Step[] = [scom.write('nest', nest('BAR_ENABLE'), ALL_BARS)];

/** Core out of reset, then PERST lifted, as firmware does; long enough for any link. */
const CORE_RELEASED = 0xd000_0000_0000_0000n;
const PERST_LIFTED = 0xf000_0000_0000_0000n;
const TRAINING_NS = 2_000_000_000;

export const TRAINED: readonly Step[] = [
  ...OPEN,
  phb.write('PHB_RESET', CORE_RELEASED),
  phb.write('PHB_RESET', PERST_LIFTED),
  pass(TRAINING_NS),
];

const BUS_NUMBERS = 0x18;
const COMMAND = 0x04;
const MEMORY_WINDOW = 0x20;
const BAR0 = 0x10;
const MEMORY_AND_MASTER = 0x6;
/** PCI address of the card, at the start of the M32 window of real firmware. */
export const CARD_PCI_ADDRESS = 0x8000_0000;
const WINDOW_2G = 0xfff0_8000;

/** Bus 1 behind the root port, the card's BAR placed, memory and bus master on. */
export const NUMBERED: readonly Step[] = [
  ...TRAINED,
  ...config.write({ id: ROOT_PORT, register: BUS_NUMBERS }, 4, 0x00ff_0100),
  ...config.write({ id: ROOT_PORT, register: MEMORY_WINDOW }, 4, WINDOW_2G),
  ...config.write({ id: ROOT_PORT, register: COMMAND }, 2, MEMORY_AND_MASTER),
  ...config.write({ id: CARD, register: BAR0 }, 4, CARD_PCI_ADDRESS),
  ...config.write({ id: CARD, register: COMMAND }, 2, MEMORY_AND_MASTER),
];
