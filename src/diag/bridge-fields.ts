/**
 * What the dumps of several bridges have in common: runs of fields in their order, and forms of lines.
 * Facts: ioda1-p7ioc 9.2, 9.3; ioda2-phb3 9.2, 9.3; phb4-diag 2.1.
 */
import type { DiagLine } from './layout.js';

/** Configuration space of the root port. */
export const ROOT_PORT_FIELDS = [
  'deviceStatus',
  'slotStatus',
  'linkStatus',
  'devCmdStatus',
  'devSecStatus',
  'rootErrorStatus',
  'uncorrErrorStatus',
  'corrErrorStatus',
  'tlpHdr1',
  'tlpHdr2',
  'tlpHdr3',
  'tlpHdr4',
  'sourceId',
] as const;

export const NEST_FIELDS = ['nFir', 'nFirMask', 'nFirWOF'] as const;

type TrapField<P extends string> = `${P}${'ErrorStatus' | 'FirstErrorStatus' | 'ErrorLog0' | 'ErrorLog1'}`;

/** The registers of one error trap. */
export const trapFields = <P extends string>(prefix: P): readonly TrapField<P>[] => [
  `${prefix}ErrorStatus`,
  `${prefix}FirstErrorStatus`,
  `${prefix}ErrorLog0`,
  `${prefix}ErrorLog1`,
];

/** Summary, LEM and the bridge's own trap. */
export const BRIDGE_FIELDS = ['phbPlssr', 'phbCsr', 'lemFir', 'lemErrorMask', 'lemWOF', ...trapFields('phb')] as const;

/** The 32-bit part of P7IOC and PHB3. */
export const IODA_WORDS = [
  'brdgCtl',
  'portStatusReg',
  'rootCmplxStatus',
  'busAgentStatus',
  ...ROOT_PORT_FIELDS,
  'rsv3',
] as const;

/** The end of the 64-bit part of P7IOC and PHB3. */
export const IODA_BRIDGE_FIELDS = [
  ...BRIDGE_FIELDS,
  ...trapFields('mmio'),
  ...trapFields('dma0'),
  ...trapFields('dma1'),
] as const;

export const trapLine = <P extends string>(label: string, prefix: P): DiagLine<TrapField<P>> => ({
  label,
  fields: trapFields(prefix),
  shownIf: [`${prefix}ErrorStatus`],
});

/** Shown if any of its fields is not zero. */
export const anyOf = <N extends string>(label: string, ...fields: readonly N[]): DiagLine<N> => ({
  label,
  fields,
  shownIf: fields,
});

export const BRIDGE_CONTROL_LINE = anyOf('brdgCtl', 'brdgCtl');

/** The root port's registers, up to its header log. */
export const ROOT_PORT_LINES = [
  anyOf('RootSts', 'deviceStatus', 'slotStatus', 'linkStatus', 'devCmdStatus', 'devSecStatus'),
  anyOf('RootErrSts', 'rootErrorStatus', 'uncorrErrorStatus', 'corrErrorStatus'),
  anyOf('RootErrLog', 'tlpHdr1', 'tlpHdr2', 'tlpHdr3', 'tlpHdr4'),
] as const;

export const NEST_LINE: DiagLine<(typeof NEST_FIELDS)[number]> = {
  label: 'nFir',
  fields: NEST_FIELDS,
  shownIf: ['nFir'],
};

export const BRIDGE_LINES = [
  anyOf('PhbSts', 'phbPlssr', 'phbCsr'),
  { label: 'Lem', fields: ['lemFir', 'lemErrorMask', 'lemWOF'], shownIf: ['lemFir'] },
  trapLine('PhbErr', 'phb'),
] as const;

/** What P7IOC and PHB3 print before and after what is PHB3's own. */
export const IODA_ROOT_LINES = [
  BRIDGE_CONTROL_LINE,
  anyOf('UtlSts', 'portStatusReg', 'rootCmplxStatus', 'busAgentStatus'),
  ...ROOT_PORT_LINES,
  anyOf('RootErrLog1', 'sourceId', 'errorClass', 'correlator'),
] as const;

export const IODA_BRIDGE_LINES = [
  ...BRIDGE_LINES,
  trapLine('OutErr', 'mmio'),
  trapLine('InAErr', 'dma0'),
  trapLine('InBErr', 'dma1'),
] as const;
