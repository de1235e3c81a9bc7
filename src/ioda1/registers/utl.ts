/** UTL (upper transaction layer core) registers of a P7IOC PHB: 32 bits each, in the upper half. Facts: ioda1-p7ioc 3.10. */
import { bit, bits, fieldMask } from '../../hw/bits.js';
import type { AccessKind, FieldDeclaration, RegisterDeclaration } from '../../hw/register.js';
import { type Unnamed, unnamedFrom, unnamedUtlRegisters } from '../../ioda/unnamed-registers.js';

const INIT = 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_init';
const NAMES = 'skiboot include/p7ioc-regs.h: UTL_*';
/** The lower half reads 0 and takes no writes (M). */
const UPPER_HALF = fieldMask(bits(0, 31));

/** Port events with a meaning that follows from what firmware masks and clears around link changes (M). */
const PORT_EVENT_FIELDS = {
  LINK_STATUS: { at: bit(8), about: 'the state of the link changed' },
  LINK_DOWN: { at: bit(9), about: 'the link went down' },
  LINK_UP: { at: bit(10), about: 'the link came up' },
} as const satisfies Record<string, FieldDeclaration>;

const unnamed: Unnamed = (...register) => ({ ...unnamedFrom(NAMES)(...register), writable: UPPER_HALF });

type Fields = Pick<RegisterDeclaration, 'fields'>;

const initialised = (offset: number, access: AccessKind, about: string, fields: Fields = {}): RegisterDeclaration => ({
  ...{ offset, access, about: `${about}.`, writable: UPPER_HALF },
  ...{ known: 'stated', source: INIT },
  ...fields,
});

export const UTL_REGISTERS = {
  ...unnamedUtlRegisters(unnamed),
  UTL_SYS_BUS_AGENT_STATUS: initialised(0x410, 'write-1-to-clear', 'Latched bus agent errors, in dumps'),
  UTL_SYS_BUS_AGENT_ERR_SEVERITY: initialised(0x418, 'read-write', 'Severity of bus agent errors'),
  UTL_SYS_BUS_AGENT_IRQ_EN: initialised(0x420, 'read-write', 'Bus agent errors that interrupt'),
  UTL_OUT_POST_DAT_BUF_ALLOC: initialised(0x4d0, 'read-write', 'Outbound posted data buffers'),
  UTL_IN_POST_HDR_BUF_ALLOC: initialised(0x4e0, 'read-write', 'Inbound posted header buffers'),
  UTL_IN_POST_DAT_BUF_ALLOC: initialised(0x4f0, 'read-write', 'Inbound posted data buffers'),
  UTL_PCIE_TAGS_ALLOC: initialised(0x520, 'read-write', 'Outbound PCIe tags'),
  UTL_GBIF_READ_TAGS_ALLOC: initialised(0x530, 'read-write', 'Read tags towards the ETU'),
  UTL_PCIE_PORT_CONTROL: initialised(0x540, 'read-write', 'Port control; bits unknown'),
  UTL_PCIE_PORT_STATUS: initialised(0x548, 'write-1-to-clear', 'Latched port events, in dumps', {
    fields: PORT_EVENT_FIELDS,
  }),
  UTL_PCIE_PORT_ERROR_SEV: initialised(0x550, 'read-write', 'Port events that count as fatal', {
    fields: PORT_EVENT_FIELDS,
  }),
  UTL_PCIE_PORT_IRQ_EN: initialised(0x558, 'read-write', 'Port events that reach the PHB trap', {
    fields: PORT_EVENT_FIELDS,
  }),
  UTL_RC_STATUS: initialised(0x560, 'write-1-to-clear', 'Latched root complex events, in dumps'),
} as const satisfies Record<string, RegisterDeclaration>;
