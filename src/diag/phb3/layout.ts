/** OpalIoPhb3ErrorData: binary form and kernel text of a PHB3 dump. Facts: ioda2-phb3 9.2, 9.3. */
import {
  consecutive,
  type DiagData,
  type DiagField,
  type DiagLayout,
  type DiagLine,
  decodeDiagData,
  encodeDiagData,
  formatDiagData,
} from '../layout.js';

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
  'nFir',
  'nFirMask',
  'nFirWOF',
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

export type Phb3DiagField = (typeof WORDS)[number] | (typeof DOUBLEWORDS)[number];
export type Phb3DiagData = DiagData<Phb3DiagField>;

/** The 64-bit part starts 8-aligned, after 4 bytes of padding. */
const FIRST_WORD = 0x0c;
const FIRST_DOUBLEWORD = 0x58;

const FIELDS: readonly DiagField<Phb3DiagField>[] = [
  ...consecutive(FIRST_WORD, 4, WORDS),
  ...consecutive(FIRST_DOUBLEWORD, 8, DOUBLEWORDS),
];

const trap = (label: string, prefix: 'phb' | 'mmio' | 'dma0' | 'dma1'): DiagLine<Phb3DiagField> => ({
  label,
  fields: [`${prefix}ErrorStatus`, `${prefix}FirstErrorStatus`, `${prefix}ErrorLog0`, `${prefix}ErrorLog1`],
  shownIf: [`${prefix}ErrorStatus`],
});
const anyOf = (label: string, ...fields: Phb3DiagField[]): DiagLine<Phb3DiagField> => ({
  label,
  fields,
  shownIf: fields,
});

export const PHB3_LAYOUT: DiagLayout<Phb3DiagField> = {
  chip: 'phb3',
  title: 'PHB3',
  ioType: 2,
  totalBytes: 0x1128,
  fields: FIELDS,
  lines: [
    anyOf('brdgCtl', 'brdgCtl'),
    anyOf('UtlSts', 'portStatusReg', 'rootCmplxStatus', 'busAgentStatus'),
    anyOf('RootSts', 'deviceStatus', 'slotStatus', 'linkStatus', 'devCmdStatus', 'devSecStatus'),
    anyOf('RootErrSts', 'rootErrorStatus', 'uncorrErrorStatus', 'corrErrorStatus'),
    anyOf('RootErrLog', 'tlpHdr1', 'tlpHdr2', 'tlpHdr3', 'tlpHdr4'),
    anyOf('RootErrLog1', 'sourceId', 'errorClass', 'correlator'),
    { label: 'nFir', fields: ['nFir', 'nFirMask', 'nFirWOF'], shownIf: ['nFir'] },
    anyOf('PhbSts', 'phbPlssr', 'phbCsr'),
    { label: 'Lem', fields: ['lemFir', 'lemErrorMask', 'lemWOF'], shownIf: ['lemFir'] },
    trap('PhbErr', 'phb'),
    trap('OutErr', 'mmio'),
    trap('InAErr', 'dma0'),
    trap('InBErr', 'dma1'),
  ],
  valueColumn: 13,
  headerBase: 16,
  pest: { offsetA: 0x128, offsetB: 0x928, entries: 256 },
};

export function encodePhb3DiagData(data: Phb3DiagData): Uint8Array {
  return encodeDiagData(PHB3_LAYOUT, data);
}

export function decodePhb3DiagData(bytes: Uint8Array): Phb3DiagData {
  return decodeDiagData(PHB3_LAYOUT, bytes);
}

/** The kernel's lines for one dump; the caller adds its own prefix. */
export function formatPhb3DiagData(data: Phb3DiagData, phbNumber: number): string[] {
  return formatDiagData(PHB3_LAYOUT, data, phbNumber);
}
