/** All systematic sequences, by what they need of QEMU. */
import type { Sequence } from '../compare.js';
import type { Processor } from '../live-qemu.js';
import { CONFIG_SEQUENCES } from './config.js';
import { DMA_SEQUENCES } from './dma-cases.js';
import { MSI_SEQUENCES } from './msi.js';
import { REGISTER_SEQUENCES } from './registers.js';
import { SCOM_SEQUENCES } from './scom.js';
import { TABLE_SEQUENCES } from './tables.js';
import { WINDOW_SEQUENCES } from './windows.js';

export interface SequenceSet {
  readonly name: string;
  readonly about: string;
  /** Timers of devices expire only while it runs. */
  readonly processor: Processor;
  readonly sequences: readonly Sequence[];
}

export const SETS: readonly SequenceSet[] = [
  {
    name: 'registers',
    about: 'read-back of all 512 places with ones, zero and single bits; effects on the others; narrow accesses',
    processor: 'stopped',
    sequences: REGISTER_SEQUENCES,
  },
  {
    name: 'tables',
    about: 'all 32 selectors: bits kept, wrap, auto-increment by reads and writes, stray bits of the address',
    processor: 'stopped',
    sequences: TABLE_SEQUENCES,
  },
  {
    name: 'scom',
    about: 'nest, PCI and SPCI registers, and the register page through the ASB',
    processor: 'stopped',
    sequences: SCOM_SEQUENCES,
  },
  {
    name: 'config',
    about: 'configuration space of root port and card in 1, 2 and 4 bytes, and who answers',
    processor: 'stopped',
    sequences: CONFIG_SEQUENCES,
  },
  {
    name: 'windows',
    about: 'loads and stores of the processor through M32 and M64 windows to the card',
    processor: 'stopped',
    sequences: WINDOW_SEQUENCES,
  },
  {
    name: 'dma',
    about: 'RTT, TVT, TCEs of one to five levels, page sizes, permissions, window ends, caches',
    processor: 'running',
    sequences: DMA_SEQUENCES,
  },
  {
    name: 'interrupts',
    about: 'MSI to vector, P and Q, rejection, FFI, INTx',
    processor: 'running',
    sequences: MSI_SEQUENCES,
  },
];
