/** UTL (upper transaction layer core) registers of PHB3. Facts: ioda2-phb3 3.2.2, 7.10.3. */
import { bit, bits } from '../../hw/bits.js';
import type { RegisterDeclaration } from '../../hw/register.js';
import { unnamedUtlRegisters } from '../../ioda/unnamed-registers.js';
import { unnamed } from './unnamed.js';

/** Port events with a known meaning; status, severity and interrupt enable share the positions. */
const PORT_EVENT_FIELDS = {
  LINK_DOWN: { at: bit(11), about: 'the link went down' },
  OUTBOUND_DISCARD: { at: bit(12), about: 'an outbound request was discarded' },
} as const;

export const UTL_REGISTERS = {
  ...unnamedUtlRegisters(unnamed),
  UTL_SYS_BUS_AGENT_STATUS: {
    offset: 0x410,
    access: 'write-1-to-clear',
    known: 'stated',
    about: 'Latched bus agent errors, upper half shown in dumps; bit meanings unknown.',
    source: 'skiboot hw/phb3.c: phb3_init_utl, phb3_err_ER_clear',
  },
  UTL_SYS_BUS_AGENT_ERR_SEVERITY: {
    offset: 0x418,
    access: 'read-write',
    known: 'stated',
    about: 'Severity of bus agent errors; firmware sets bits 1 and 3, meanings unknown.',
    source: 'skiboot hw/phb3.c: phb3_init_utl',
  },
  UTL_SYS_BUS_AGENT_IRQ_EN: {
    offset: 0x420,
    access: 'read-write',
    known: 'stated',
    about: 'Bus agent errors that interrupt; firmware enables 0 to 5, 8 and 9, meanings unknown.',
    source: 'skiboot hw/phb3.c: phb3_init_utl',
  },
  UTL_BCLK_DOMAIN_DBG1: unnamed(0x460, 'read-only', 'Bus clock debug word 1'),
  UTL_BCLK_DOMAIN_DBG2: unnamed(0x468, 'read-only', 'Bus clock debug word 2'),
  UTL_BCLK_DOMAIN_DBG3: unnamed(0x470, 'read-only', 'Bus clock debug word 3'),
  UTL_BCLK_DOMAIN_DBG4: unnamed(0x478, 'read-only', 'Bus clock debug word 4'),
  UTL_BCLK_DOMAIN_DBG5: unnamed(0x480, 'read-only', 'Bus clock debug word 5'),
  UTL_BCLK_DOMAIN_DBG6: unnamed(0x488, 'read-only', 'Bus clock debug word 6'),
  UTL_OUT_POST_DAT_BUF_ALLOC: unnamed(0x4d0, 'read-write', 'Outbound posted data buffers'),
  UTL_IN_POST_HDR_BUF_ALLOC: unnamed(0x4e0, 'read-write', 'Inbound posted header buffers'),
  UTL_IN_POST_DAT_BUF_ALLOC: unnamed(0x4f0, 'read-write', 'Inbound posted data buffers'),
  UTL_PCIE_TAGS_ALLOC: unnamed(0x520, 'read-write', 'Outbound PCIe tags'),
  UTL_GBIF_READ_TAGS_ALLOC: unnamed(0x530, 'read-write', 'Read tags towards the ETU'),
  UTL_PCIE_PORT_CONTROL: {
    offset: 0x540,
    access: 'read-write',
    known: 'derived',
    fields: { RTOS_TIMEOUT: { at: bits(24, 27), about: 'timeout code of outbound non-posted requests; 7 is 16 ms' } },
    about: 'Port control; only the outbound request timeout is understood.',
    source: 'skiboot hw/phb3.c: phb3_init_utl (Init_82); skiboot commit ff97b2af8',
  },
  UTL_PCIE_PORT_STATUS: {
    offset: 0x548,
    access: 'write-1-to-clear',
    known: 'derived',
    fields: PORT_EVENT_FIELDS,
    about: 'Latched port events; the two named ones are the ones the chip raises here.',
    source: 'skiboot hw/phb3.c: phb3_init_hw (Init_44), phb3_init_utl, phb3_prepare_link_change',
  },
  UTL_PCIE_PORT_ERROR_SEV: {
    offset: 0x550,
    access: 'read-write',
    known: 'stated',
    fields: PORT_EVENT_FIELDS,
    about: 'Severity of port events; firmware sets 1, 3, 10, 11, 12 and 15.',
    source: 'skiboot hw/phb3.c: phb3_init_utl',
  },
  UTL_PCIE_PORT_IRQ_EN: {
    offset: 0x558,
    access: 'read-write',
    known: 'derived',
    fields: PORT_EVENT_FIELDS,
    about: 'Port events that reach the PHB trap; link down is masked for planned resets.',
    source: 'skiboot hw/phb3.c: phb3_init_utl, phb3_prepare_link_change, phb3_root_port_init',
  },
  UTL_RC_STATUS: {
    offset: 0x560,
    access: 'write-1-to-clear',
    known: 'stated',
    about: 'Latched root complex events, upper half shown in dumps; bit meanings unknown.',
    source: 'skiboot hw/phb3.c: phb3_init_utl, phb3_err_ER_clear',
  },
  UTL_PCLK_DOMAIN_DBG1: unnamed(0x5b0, 'read-only', 'PCIe clock debug word 1'),
  UTL_PCLK_DOMAIN_DBG2: unnamed(0x5b8, 'read-only', 'PCIe clock debug word 2'),
  UTL_PCLK_DOMAIN_DBG3: unnamed(0x5c0, 'read-only', 'PCIe clock debug word 3'),
  UTL_PCLK_DOMAIN_DBG4: unnamed(0x5c8, 'read-only', 'PCIe clock debug word 4'),
} as const satisfies Record<string, RegisterDeclaration>;
