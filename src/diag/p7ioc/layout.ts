/** OpalIoP7IOCPhbErrorData: binary form and kernel text of a P7IOC bridge's dump. Facts: ioda1-p7ioc 9.2 to 9.4. */
import { consecutive, type DiagField, type DiagLayout, type DiagLine } from '../layout.js';

const WORDS = [
  'brdgCtl',
  'portStatusReg',
  'rootCmplxStatus',
  'busAgentStatus',
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
  'rsv3',
] as const;

const DOUBLEWORDS = [
  'errorClass',
  'correlator',
  'phbPlssr',
  'phbCsr',
  'lemFir',
  'lemErrorMask',
  'lemWOF',
  'phbErrorStatus',
  'phbFirstErrorStatus',
  'phbErrorLog0',
  'phbErrorLog1',
  'mmioErrorStatus',
  'mmioFirstErrorStatus',
  'mmioErrorLog0',
  'mmioErrorLog1',
  'dma0ErrorStatus',
  'dma0FirstErrorStatus',
  'dma0ErrorLog0',
  'dma0ErrorLog1',
  'dma1ErrorStatus',
  'dma1FirstErrorStatus',
  'dma1ErrorLog0',
  'dma1ErrorLog1',
] as const;

export type P7iocDiagField = (typeof WORDS)[number] | (typeof DOUBLEWORDS)[number];

const FIELDS: readonly DiagField<P7iocDiagField>[] = [
  ...consecutive(0x0c, 4, WORDS),
  ...consecutive(0x58, 8, DOUBLEWORDS),
];

const trap = (label: string, prefix: 'phb' | 'mmio' | 'dma0' | 'dma1'): DiagLine<P7iocDiagField> => ({
  label,
  fields: [`${prefix}ErrorStatus`, `${prefix}FirstErrorStatus`, `${prefix}ErrorLog0`, `${prefix}ErrorLog1`],
  shownIf: [`${prefix}ErrorStatus`],
});
const anyOf = (label: string, ...fields: P7iocDiagField[]): DiagLine<P7iocDiagField> => ({
  label,
  fields,
  shownIf: fields,
});

export const P7IOC_LAYOUT: DiagLayout<P7iocDiagField> = {
  chip: 'p7ioc',
  title: 'P7IOC',
  ioType: 1,
  totalBytes: 0x910,
  fields: FIELDS,
  lines: [
    anyOf('brdgCtl', 'brdgCtl'),
    anyOf('UtlSts', 'portStatusReg', 'rootCmplxStatus', 'busAgentStatus'),
    anyOf('RootSts', 'deviceStatus', 'slotStatus', 'linkStatus', 'devCmdStatus', 'devSecStatus'),
    anyOf('RootErrSts', 'rootErrorStatus', 'uncorrErrorStatus', 'corrErrorStatus'),
    anyOf('RootErrLog', 'tlpHdr1', 'tlpHdr2', 'tlpHdr3', 'tlpHdr4'),
    anyOf('RootErrLog1', 'sourceId', 'errorClass', 'correlator'),
    anyOf('PhbSts', 'phbPlssr', 'phbCsr'),
    { label: 'Lem', fields: ['lemFir', 'lemErrorMask', 'lemWOF'], shownIf: ['lemFir'] },
    trap('PhbErr', 'phb'),
    trap('OutErr', 'mmio'),
    trap('InAErr', 'dma0'),
    trap('InBErr', 'dma1'),
  ],
  valueColumn: 13,
  headerBase: 16,
  pest: { offsetA: 0x110, offsetB: 0x510, entries: 128 },
};

/** Kernels before 3.15 print every field on a line of its own, two of them under another name. */
export const P7IOC_OLD_NAMES: ReadonlyMap<string, string> = new Map([
  ['p7iocPlssr', 'phbPlssr'],
  ['p7iocCsr', 'phbCsr'],
]);
