/**
 * Registers that public sources name without saying what their bits do, and those of them that both bridges have: they keep
 * what software writes, or what their access kind leaves. Facts: ioda2-phb3 3.2 (rows marked "?"), ioda1-p7ioc 3.10 to 3.14.
 */
import type { AccessKind, RegisterDeclaration } from '../hw/register.js';

const BEHAVIOUR: Partial<Record<AccessKind, string>> = {
  'read-only': 'meaning unknown; reads its reset value',
  'write-1-to-clear': 'meaning unknown; latches, ones clear',
};

export type Unnamed = (offset: number, access: AccessKind, subject: string) => RegisterDeclaration;

/** Declares registers whose names and offsets come from this source. */
export function unnamedFrom(source: string): Unnamed {
  return (offset, access, subject) => {
    const behaviour = BEHAVIOUR[access] ?? 'meaning unknown; stored';
    return { offset, access, known: 'assumed', source, about: `${subject}: ${behaviour}.` };
  };
}

/** Of the UTL core. */
export const unnamedUtlRegisters = (unnamed: Unnamed) => ({
  UTL_SYS_BUS_CONTROL: unnamed(0x400, 'read-write', 'System bus control'),
  UTL_STATUS: unnamed(0x408, 'read-only', 'Core status'),
  UTL_SYS_BUS_BURST_SZ_CONF: unnamed(0x440, 'read-write', 'System bus burst size'),
  UTL_REVISION_ID: unnamed(0x448, 'read-only', 'Core revision'),
  UTL_OUT_POST_HDR_BUF_ALLOC: unnamed(0x4c0, 'read-write', 'Outbound posted header buffers'),
  UTL_OUT_NP_BUF_ALLOC: unnamed(0x500, 'read-write', 'Outbound non-posted buffers'),
  UTL_IN_NP_BUF_ALLOC: unnamed(0x510, 'read-write', 'Inbound non-posted buffers'),
  UTL_RC_ERR_SEVERITY: unnamed(0x568, 'read-write', 'Severity of root complex events'),
  UTL_RC_IRQ_EN: unnamed(0x570, 'read-write', 'Root complex events that interrupt'),
  UTL_EP_STATUS: unnamed(0x578, 'write-1-to-clear', 'Endpoint mode events'),
  UTL_EP_ERR_SEVERITY: unnamed(0x580, 'read-write', 'Severity of endpoint mode events'),
  UTL_EP_ERR_IRQ_EN: unnamed(0x588, 'read-write', 'Endpoint mode events that interrupt'),
  UTL_PCI_PM_CTRL1: unnamed(0x590, 'read-write', 'Power management control 1'),
  UTL_PCI_PM_CTRL2: unnamed(0x598, 'read-write', 'Power management control 2'),
  UTL_GP_CTL1: unnamed(0x5a0, 'read-write', 'General purpose control 1'),
  UTL_GP_CTL2: unnamed(0x5a8, 'read-write', 'General purpose control 2'),
});

/** Of the PCIe stack. */
export const unnamedStackRegisters = (unnamed: Unnamed) => ({
  PHB_PCIE_BUS_NUMBER: unnamed(0x608, 'read-write', 'Bus number of the core'),
  PHB_PCIE_SYSTEM_TEST: unnamed(0x618, 'read-write', 'System test control'),
  PHB_PCIE_SLOP_LOOPBACK_STATUS: unnamed(0x648, 'read-only', 'Loopback status'),
  PHB_PCIE_UTL_CONFIG: unnamed(0x670, 'read-write', 'UTL configuration'),
  PHB_PCIE_DLP_CONTROL: unnamed(0x678, 'read-write', 'Data link control'),
  PHB_PCIE_UTL_ERR_INJECT: unnamed(0x6c0, 'read-write', 'UTL error injection'),
  PHB_PCIE_TLDLP_ERR_INJECT: unnamed(0x6c8, 'read-write', 'Transaction and data link error injection'),
  PHB_PCIE_STRAPPING: unnamed(0x700, 'read-only', 'Board straps'),
});

/** Of the performance monitor. */
export const unnamedMonitorRegisters = (unnamed: Unnamed) => ({
  PHB_PERFMON_CONFIG: unnamed(0xf88, 'read-write', 'Performance monitor setup'),
  PHB_PERFMON_CTR0: unnamed(0xf90, 'read-write', 'Performance counter 0'),
  PHB_PERFMON_CTR1: unnamed(0xf98, 'read-write', 'Performance counter 1'),
  PHB_PERFMON_CTR2: unnamed(0xfa0, 'read-write', 'Performance counter 2'),
  PHB_PERFMON_CTR3: unnamed(0xfa8, 'read-write', 'Performance counter 3'),
});
