/** PHB4 nest FIR, PCI FIR, PLSSR/CSR summary and DLP lanes. Facts: phb4-diag 3.1, 3.8. */
import { declareBits, range } from '../bit-table.js';

export const PHB4_NEST_FIR = declareBits({
  register: 'NEST_FIR',
  about: 'processor-bus side of the PCIe controller (PEC)',
  source: 'hostboot p9_phb.rule; skiboot hw/phb4.c',
  known: 'stated',
  rows: [
    { bits: [0], about: 'BAR parity', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [1], about: 'register parity', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [2], about: 'processor-bus data corrected', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [3], about: 'processor-bus data uncorrectable', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [4], about: 'processor-bus data special UE', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [5], about: 'internal array corrected', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [6], about: 'internal array uncorrectable', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [7], about: 'internal array special UE', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [8], about: 'register file parity', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [9], about: 'bus interface parity', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [10], about: 'bus data hang', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [11], about: 'bus command hang', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [12], about: 'address error on a DMA read', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [13], about: 'address error on a DMA write or interrupt', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [14], about: 'PCI side made no progress', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [15], about: 'PCI clock stopped', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [16], about: 'PCI side froze: AIB fence', class: 'Fatal', signal: 'fence-echo' },
    { bits: [17], about: 'misc. hardware', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [18], about: 'unsolicited data', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [19], about: 'unexpected combined response', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [20], about: 'invalid combined response', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [21], about: 'unsupported size', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [22], about: 'unsupported command', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [23], about: 'PBAIB error', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [24], about: 'CAPP error', class: 'Fatal', signal: 'capp' },
    { bits: [25], about: 'NMMU error', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [26], about: 'set by firmware to force a fence', class: 'Fatal', signal: 'forced-fence' },
    { bits: [27], about: 'SCOM engine error', class: 'none' },
    { bits: [28, 29], about: 'SCOM error', class: 'none' },
  ],
});

export const PHB4_PCI_FIR = declareBits({
  register: 'PCI_FIR',
  about: 'PCI side of the PCIe controller (OPAL console only)',
  source: 'hostboot p9_phb.rule; skiboot hw/phb4.c',
  known: 'stated',
  rows: [
    { bits: [0], about: 'PBAIB register parity', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [1], about: 'hardware', class: 'Fatal', signal: 'nest-hardware' },
    { bits: [2], about: 'AIB interface', class: 'Fatal', signal: 'nest-hardware' },
    {
      bits: [3],
      about: 'register access while the core was in reset (harmless around a complete reset)',
      class: 'none',
    },
    { bits: [4], about: 'PEC SCOM', class: 'none' },
    { bits: [5, 6], about: 'SCOM', class: 'none' },
  ],
});

export const PHB4_SUMMARY = declareBits({
  register: 'PHB_STS',
  about: 'error summary, processor side and DMA side; both are set by every event',
  source: 'real dumps',
  known: 'derived',
  rows: [
    { bits: [27], about: 'any error', signal: 'summary' },
    { bits: [28], about: 'any first error', signal: 'summary' },
    { bits: [29], about: 'any freeze', signal: 'summary' },
  ],
});

export const PHB4_DLP = declareBits({
  register: 'PCIE_DLP',
  about: 'per-lane errors',
  source: 'PHB4 specification 1.0 bit tables',
  known: 'stated',
  rows: range(0, 15).map((lane) => ({ bits: [lane], about: `lane ${lane} error`, class: 'INF', signal: 'link-noise' })),
});
