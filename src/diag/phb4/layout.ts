/** OpalIoPhb4ErrorData, also used by PHB5: binary form, kernel text and console names. Facts: phb4-diag 1, 2.1, 2.4. */
import { consecutive, type DiagField, type DiagLayout, type DiagLine } from '../layout.js';

const WORDS = [
  'brdgCtl',
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

const DOUBLEWORDS = [
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
  'phbTxeErrorStatus',
  'phbTxeFirstErrorStatus',
  'phbTxeErrorLog0',
  'phbTxeErrorLog1',
  'phbRxeArbErrorStatus',
  'phbRxeArbFirstErrorStatus',
  'phbRxeArbErrorLog0',
  'phbRxeArbErrorLog1',
  'phbRxeMrgErrorStatus',
  'phbRxeMrgFirstErrorStatus',
  'phbRxeMrgErrorLog0',
  'phbRxeMrgErrorLog1',
  'phbRxeTceErrorStatus',
  'phbRxeTceFirstErrorStatus',
  'phbRxeTceErrorLog0',
  'phbRxeTceErrorLog1',
  'phbPblErrorStatus',
  'phbPblFirstErrorStatus',
  'phbPblErrorLog0',
  'phbPblErrorLog1',
  'phbPcieDlpErrorLog1',
  'phbPcieDlpErrorLog2',
  'phbPcieDlpErrorStatus',
  'phbRegbErrorStatus',
  'phbRegbFirstErrorStatus',
  'phbRegbErrorLog0',
  'phbRegbErrorLog1',
] as const;

export type Phb4DiagField = (typeof WORDS)[number] | (typeof DOUBLEWORDS)[number];

const FIELDS: readonly DiagField<Phb4DiagField>[] = [
  ...consecutive(0x0c, 4, WORDS),
  ...consecutive(0x48, 8, DOUBLEWORDS),
];

type TrapPrefix = 'phb' | 'phbTxe' | 'phbRxeArb' | 'phbRxeMrg' | 'phbRxeTce' | 'phbPbl' | 'phbRegb';
const trap = (label: string, prefix: TrapPrefix): DiagLine<Phb4DiagField> => ({
  label,
  fields: [`${prefix}ErrorStatus`, `${prefix}FirstErrorStatus`, `${prefix}ErrorLog0`, `${prefix}ErrorLog1`],
  shownIf: [`${prefix}ErrorStatus`],
});
const anyOf = (label: string, ...fields: Phb4DiagField[]): DiagLine<Phb4DiagField> => ({
  label,
  fields,
  shownIf: fields,
});

export const PHB4_LAYOUT: DiagLayout<Phb4DiagField> = {
  chip: 'phb4',
  title: 'PHB4',
  ioType: 3,
  totalBytes: 0x2180,
  fields: FIELDS,
  lines: [
    anyOf('brdgCtl', 'brdgCtl'),
    anyOf('RootSts', 'deviceStatus', 'slotStatus', 'linkStatus', 'devCmdStatus', 'devSecStatus'),
    anyOf('RootErrSts', 'rootErrorStatus', 'uncorrErrorStatus', 'corrErrorStatus'),
    anyOf('RootErrLog', 'tlpHdr1', 'tlpHdr2', 'tlpHdr3', 'tlpHdr4'),
    anyOf('sourceId', 'sourceId'),
    { label: 'nFir', fields: ['nFir', 'nFirMask', 'nFirWOF'], shownIf: ['nFir'] },
    anyOf('PhbSts', 'phbPlssr', 'phbCsr'),
    { label: 'Lem', fields: ['lemFir', 'lemErrorMask', 'lemWOF'], shownIf: ['lemFir'] },
    trap('PhbErr', 'phb'),
    trap('PhbTxeErr', 'phbTxe'),
    trap('RxeArbErr', 'phbRxeArb'),
    trap('RxeMrgErr', 'phbRxeMrg'),
    trap('RxeTceErr', 'phbRxeTce'),
    trap('PblErr', 'phbPbl'),
    {
      label: 'PcieDlp',
      fields: ['phbPcieDlpErrorLog1', 'phbPcieDlpErrorLog2', 'phbPcieDlpErrorStatus'],
      shownIf: ['phbPcieDlpErrorStatus'],
    },
    trap('RegbErr', 'phbRegb'),
  ],
  valueColumn: 12,
  headerBase: 10,
  pest: { offsetA: 0x180, offsetB: 0x1180, entries: 512 },
};

/** Values only the firmware's console prints, by the name this project gives them. */
export const OPAL_CONSOLE_NAMES: ReadonlyMap<string, string> = new Map([
  ['PCI FIR', 'pciFir'],
  ['PCI FIR WOF', 'pciFirWOF'],
  ['NEST FIR', 'nFir'],
  ['NEST FIR WOF', 'nFirWOF'],
  ['ERR RPT0', 'errorReport0'],
  ['ERR RPT1', 'errorReport1'],
  ['AIB ERR', 'aibError'],
  ['CAPP FIR', 'cappFir'],
  ['CAPP APC MASTER ERR', 'cappApcMasterError'],
  ['CAPP SNOOP ERR', 'cappSnoopError'],
  ['CAPP TRANSPORT ERR', 'cappTransportError'],
  ['CAPP TLBI ERR', 'cappTlbiError'],
  ['CAPP ERR STATUS', 'cappErrorStatus'],
  ['phbRxeArbFrstErrorStatus', 'phbRxeArbFirstErrorStatus'],
  ['phbRxeMrgFrstErrorStatus', 'phbRxeMrgFirstErrorStatus'],
  ['phbRxeTceFrstErrorStatus', 'phbRxeTceFirstErrorStatus'],
  ['devctl', 'devctl'],
  ['devStat', 'devStat'],
]);
