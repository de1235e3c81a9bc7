/**
 * P7IOC error registers for the decoder. No document names its bits: names are those of the successors where the class that
 * firmware programs for the bit agrees. Facts: ioda1-p7ioc 7.4 to 7.6.
 */
import { type BitTable, declareBits, type ErrorBitRow, range } from '../bit-table.js';

const SOURCE = 'skiboot hw/p7ioc-phb.c: p7ioc_phb_init_errors; PHB4 specification for the names';

const table = (register: string, about: string, rows: readonly ErrorBitRow[]): BitTable =>
  declareBits({ register, about, source: SOURCE, known: 'inferred', rows });

export const P7IOC_ERR = table('ERR', 'register bus and PCIe core', [
  {
    bits: [0, ...range(1, 15)],
    about: 'register bus request: address, size, table or parity',
    class: 'Fatal',
    signal: 'bad-register-access',
    lem: 17,
  },
  { bits: [...range(16, 25), 29, 31, 32, 36, 37], about: 'internal', class: 'Fatal', lem: 17 },
  { bits: [33], about: 'PCIe core (UTL) fatal', class: 'ER', signal: 'pcie-core', lem: 60, known: 'assumed' },
  { bits: [34], about: 'PCIe core (UTL) non-fatal', class: 'ER', signal: 'pcie-core', lem: 61, known: 'assumed' },
  { bits: [39], about: 'tag used twice', class: 'ER', signal: 'internal', known: 'assumed' },
  { bits: [40], about: 'uncorrectable parity', class: 'ER', signal: 'internal', known: 'assumed' },
  {
    bits: [41],
    about: 'outbound request timed out',
    class: 'ER',
    signal: 'completion-timeout',
    lem: 43,
    known: 'assumed',
  },
]);

export const P7IOC_OUT = table('OUT', 'outbound: MMIO and config requests to the link', [
  { bits: [0], about: 'AIB command invalid', class: 'Fatal', lem: 0 },
  { bits: [2], about: 'address hits no MMIO window', class: 'INF', signal: 'mmio-no-window', lem: 2 },
  {
    bits: [3, 4, 5, 8, 9, 10, 11],
    about: 'AIB command or data: size, alignment, parity, sequence',
    class: 'Fatal',
    lem: 2,
  },
  { bits: [12], about: 'corrected data error', class: 'INF', signal: 'corrected' },
  { bits: [14, 15], about: 'AIB credits', class: 'Fatal', lem: 2 },
  { bits: [16], about: 'BLIF control parity', class: 'Fatal', lem: 2 },
  {
    bits: [17],
    about: 'config write answered with Completer Abort or Unsupported Request',
    class: 'ER',
    signal: 'config-write-refused',
    lem: 12,
  },
  { bits: [18], about: 'no forward progress', class: 'Fatal', signal: 'link-stuck', lem: 2 },
  { bits: [19, 20, 21], about: 'a read, write or config request pends already', class: 'Fatal', lem: 2 },
  { bits: [22, 23], about: 'MMIO write data error', class: 'ER', signal: 'internal', lem: 6 },
  { bits: [24, 25, 26], about: 'bad config request', class: 'INF', signal: 'config-request' },
  { bits: [27], about: 'config request while the link is down', class: 'INF', signal: 'config-request' },
  { bits: [28], about: 'PAPR outbound injection', class: 'ER', signal: 'injected', lem: 3 },
  { bits: range(32, 35), about: 'internal', class: 'Fatal', lem: 2 },
  {
    bits: [38, 39],
    about: 'segment table error: no PE owns the MMIO segment',
    class: 'ER',
    signal: 'mmio-no-window',
    lem: 27,
    known: 'assumed',
  },
  {
    bits: [...range(40, 43), ...range(49, 51), ...range(60, 63)],
    about: 'table or register parity',
    class: 'Fatal',
    lem: 2,
  },
]);

export const P7IOC_INA = table('INA', 'inbound, first half: completions and DMA checks', [
  { bits: [0], about: 'completion: Completer Abort', class: 'ER', signal: 'completion-ca', lem: 43 },
  { bits: [1], about: 'completion: Unsupported Request', class: 'ER', signal: 'completion-ur', lem: 43 },
  { bits: [2, 3], about: 'MSI of wrong size or alignment', class: 'Fatal', signal: 'msi-malformed', lem: 40 },
  { bits: range(4, 15), about: 'buffer or header integrity', class: 'Fatal', lem: 40 },
  { bits: [17], about: 'data control parity', class: 'Fatal', lem: 40 },
  { bits: [18], about: 'packet flagged as unsupported request', class: 'INF', signal: 'ur-marker' },
  { bits: [19], about: 'completion timeout', class: 'Fatal', signal: 'completion-timeout', lem: 40 },
  {
    bits: [22],
    about: 'memory did not answer a DMA',
    class: 'ER',
    signal: 'memory-timeout',
    lem: 41,
    known: 'assumed',
  },
  {
    bits: [23],
    about: 'requester ID does not fit the PE',
    class: 'ER',
    signal: 'dma-window',
    lem: 35,
    known: 'assumed',
  },
  { bits: [24], about: 'poisoned packet', class: 'ER', signal: 'poisoned', lem: 43 },
  {
    bits: [25],
    about: 'MSI validation entry invalid',
    class: 'ER',
    signal: 'msi-out-of-range',
    lem: 34,
    known: 'assumed',
  },
  { bits: [26], about: 'DMA window entry invalid', class: 'ER', signal: 'dma-no-window', lem: 35 },
  { bits: [27], about: "MSI for another PE's interrupt", class: 'ER', signal: 'msi-wrong-pe', lem: 33 },
  { bits: [28], about: 'DMA address outside its window', class: 'ER', signal: 'dma-out-of-window', lem: 35 },
  { bits: [29], about: 'TCE page fault', class: 'ER', signal: 'tce-permission', lem: 58, known: 'assumed' },
  { bits: [30], about: 'TCE access fault', class: 'ER', signal: 'tce-permission', lem: 58, known: 'assumed' },
  {
    bits: [31],
    about: 'MSI address or data invalid',
    class: 'ER',
    signal: 'msi-out-of-range',
    lem: 34,
    known: 'assumed',
  },
  { bits: range(33, 38), about: 'table parity or tag tables', class: 'Fatal', lem: 40 },
  { bits: [39], about: 'PAPR inbound injection', class: 'ER', signal: 'injected', lem: 39 },
  { bits: [49], about: 'ERR_FATAL message', class: 'ER', signal: 'message-fatal', lem: 36, known: 'assumed' },
  { bits: [50], about: 'ERR_NONFATAL message', class: 'ER', signal: 'message-nonfatal', lem: 37, known: 'assumed' },
  { bits: [58], about: 'ERR_COR message', class: 'INF', signal: 'message-correctable', lem: 38, known: 'assumed' },
  { bits: [...range(41, 41), 43, 45, 47, 48, ...range(51, 57), 59, 60], about: 'internal', class: 'Fatal', lem: 40 },
]);

export const P7IOC_INB = table('INB', 'inbound, second half: merge and AIB send', [
  { bits: [3, 4, ...range(8, 16)], about: 'merge buffers and queues', class: 'Fatal', lem: 49 },
  {
    bits: [...range(24, 39), ...range(41, 47)],
    about: 'AIB transmit, credits, state machines',
    class: 'Fatal',
    lem: 49,
  },
]);

export const P7IOC_LEM = table('LEM', 'local error macro: which group of errors', [
  { bits: [0], about: 'AIB command invalid', class: 'Fatal' },
  { bits: [1], about: 'AIB address invalid', class: 'INF', signal: 'mmio-no-window' },
  { bits: [2, 4, 5, 7], about: 'AIB access or fatal class', class: 'Fatal' },
  { bits: [3], about: 'PAPR outbound injection', class: 'INF', signal: 'injected' },
  { bits: [6, 9], about: 'outbound, informational', class: 'INF' },
  { bits: [8, 10, 11, 14], about: 'outbound array, latch or logic', class: 'Fatal' },
  {
    bits: [12],
    about: 'config write answered with Completer Abort or Unsupported Request',
    class: 'INF',
    signal: 'config-write-refused',
  },
  { bits: [13], about: 'MMIO request timed out', class: 'Fatal', signal: 'completion-timeout' },
  { bits: [15], about: 'config logic', class: 'INF', signal: 'config-request' },
  { bits: [16, 18], about: 'register request', class: 'ER', signal: 'bad-register-access' },
  { bits: [17, 19, 24, 25, 28, 30, 32], about: 'internal', class: 'Fatal' },
  { bits: [20, 21, 22, 23, 26, 42], about: 'informational', class: 'INF' },
  { bits: [27], about: 'no PE owns the MMIO segment', class: 'ER', signal: 'mmio-no-window', known: 'assumed' },
  { bits: [31], about: 'PCIe macro', class: 'Fatal', signal: 'pcie-core' },
  { bits: [33], about: "MSI for another PE's interrupt", class: 'ER', signal: 'msi-wrong-pe' },
  { bits: [34], about: 'MSI address', class: 'ER', signal: 'msi-out-of-range' },
  { bits: [35], about: 'DMA window', class: 'ER', signal: 'dma-window' },
  { bits: [36], about: 'fatal message received', class: 'ER', signal: 'message-fatal' },
  { bits: [37], about: 'non-fatal message received', class: 'ER', signal: 'message-nonfatal' },
  { bits: [38], about: 'correctable message received', class: 'ER', signal: 'message-correctable' },
  { bits: [39], about: 'PAPR inbound injection', class: 'ER', signal: 'injected' },
  { bits: [40], about: 'inbound, fatal', class: 'Fatal' },
  { bits: [41], about: 'table access disabled or memory error', class: 'ER', signal: 'memory-timeout' },
  { bits: [43], about: 'completion error or timeout', class: 'ER', signal: 'completion-failed' },
  { bits: [44, 45, 47], about: 'ECC, poison or requester table', class: 'Fatal', signal: 'poisoned' },
  { bits: [46, 50], about: 'corrected', class: 'INF', signal: 'corrected' },
  { bits: [48, 49, 51], about: 'merge stage', class: 'Fatal' },
  { bits: [56], about: 'TCE page access', class: 'INF', signal: 'informational' },
  { bits: [57], about: 'TCE timeout', class: 'Fatal', signal: 'memory-timeout' },
  { bits: [58], about: 'TCE fault', class: 'ER', signal: 'tce-permission' },
  { bits: [59, 63], about: 'internal', class: 'Fatal' },
  { bits: [60, 61], about: 'PCIe core', class: 'ER', signal: 'pcie-core' },
]);

export const P7IOC_SUMMARY = table('PHB_STS', 'error summary, processor side and DMA side', [
  { bits: [27], about: 'any error', signal: 'summary' },
  { bits: [28], about: 'any first error', signal: 'summary' },
  { bits: [29], about: 'any freeze', signal: 'summary' },
]);

/** The hub is a chip of its own: the bridge has no nest side. */
export const P7IOC_NO_NEST = table('NFIR', 'none on this chip', []);
