/** UTL (upper transaction layer core) registers of a P7IOC PHB: 32 bits each, in the upper half. Facts: ioda1-p7ioc 3.10. */
import { bit, bits, fieldMask } from '../../hw/bits.js';
import type { AccessKind, FieldDeclaration, RegisterDeclaration } from '../../hw/register.js';

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

type Rest = Partial<Pick<RegisterDeclaration, 'known' | 'source' | 'fields'>>;

const utl = (offset: number, access: AccessKind, about: string, rest: Rest = {}): RegisterDeclaration => ({
  offset,
  access,
  writable: UPPER_HALF,
  about: `${about}.`,
  source: NAMES,
  known: 'assumed',
  ...rest,
});
const initialised: Rest = { known: 'stated', source: INIT };

export const UTL_REGISTERS = {
  UTL_SYS_BUS_CONTROL: utl(0x400, 'read-write', 'System bus control: meaning unknown; stored'),
  UTL_STATUS: utl(0x408, 'read-only', 'Core status: meaning unknown; reads its reset value'),
  UTL_SYS_BUS_AGENT_STATUS: utl(0x410, 'write-1-to-clear', 'Latched bus agent errors, in dumps', initialised),
  UTL_SYS_BUS_AGENT_ERR_SEVERITY: utl(0x418, 'read-write', 'Severity of bus agent errors', initialised),
  UTL_SYS_BUS_AGENT_IRQ_EN: utl(0x420, 'read-write', 'Bus agent errors that interrupt', initialised),
  UTL_SYS_BUS_BURST_SZ_CONF: utl(0x440, 'read-write', 'System bus burst size: meaning unknown; stored'),
  UTL_REVISION_ID: utl(0x448, 'read-only', 'Core revision: meaning unknown; reads its reset value'),
  UTL_OUT_POST_HDR_BUF_ALLOC: utl(0x4c0, 'read-write', 'Outbound posted header buffers: meaning unknown; stored'),
  UTL_OUT_POST_DAT_BUF_ALLOC: utl(0x4d0, 'read-write', 'Outbound posted data buffers', initialised),
  UTL_IN_POST_HDR_BUF_ALLOC: utl(0x4e0, 'read-write', 'Inbound posted header buffers', initialised),
  UTL_IN_POST_DAT_BUF_ALLOC: utl(0x4f0, 'read-write', 'Inbound posted data buffers', initialised),
  UTL_OUT_NP_BUF_ALLOC: utl(0x500, 'read-write', 'Outbound non-posted buffers: meaning unknown; stored'),
  UTL_IN_NP_BUF_ALLOC: utl(0x510, 'read-write', 'Inbound non-posted buffers: meaning unknown; stored'),
  UTL_PCIE_TAGS_ALLOC: utl(0x520, 'read-write', 'Outbound PCIe tags', initialised),
  UTL_GBIF_READ_TAGS_ALLOC: utl(0x530, 'read-write', 'Read tags towards the ETU', initialised),
  UTL_PCIE_PORT_CONTROL: utl(0x540, 'read-write', 'Port control; bits unknown', initialised),
  UTL_PCIE_PORT_STATUS: utl(0x548, 'write-1-to-clear', 'Latched port events, in dumps', {
    ...initialised,
    fields: PORT_EVENT_FIELDS,
  }),
  UTL_PCIE_PORT_ERROR_SEV: utl(0x550, 'read-write', 'Port events that count as fatal', {
    ...initialised,
    fields: PORT_EVENT_FIELDS,
  }),
  UTL_PCIE_PORT_IRQ_EN: utl(0x558, 'read-write', 'Port events that reach the PHB trap', {
    ...initialised,
    fields: PORT_EVENT_FIELDS,
  }),
  UTL_RC_STATUS: utl(0x560, 'write-1-to-clear', 'Latched root complex events, in dumps', initialised),
  UTL_RC_ERR_SEVERITY: utl(0x568, 'read-write', 'Severity of root complex events: meaning unknown; stored'),
  UTL_RC_IRQ_EN: utl(0x570, 'read-write', 'Root complex events that interrupt: meaning unknown; stored'),
  UTL_EP_STATUS: utl(0x578, 'write-1-to-clear', 'Endpoint mode events: meaning unknown; latches, ones clear'),
  UTL_EP_ERR_SEVERITY: utl(0x580, 'read-write', 'Severity of endpoint mode events: meaning unknown; stored'),
  UTL_EP_ERR_IRQ_EN: utl(0x588, 'read-write', 'Endpoint mode events that interrupt: meaning unknown; stored'),
  UTL_PCI_PM_CTRL1: utl(0x590, 'read-write', 'Power management control 1: meaning unknown; stored'),
  UTL_PCI_PM_CTRL2: utl(0x598, 'read-write', 'Power management control 2: meaning unknown; stored'),
  UTL_GP_CTL1: utl(0x5a0, 'read-write', 'General purpose control 1: meaning unknown; stored'),
  UTL_GP_CTL2: utl(0x5a8, 'read-write', 'General purpose control 2: meaning unknown; stored'),
} as const satisfies Record<string, RegisterDeclaration>;
