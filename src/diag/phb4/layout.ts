/** OpalIoPhb4ErrorData, also used by PHB5: binary form, kernel text and console names. Facts: phb4-diag 1, 2.1, 2.4. */
import {
  anyOf,
  BRIDGE_CONTROL_LINE,
  BRIDGE_FIELDS,
  BRIDGE_LINES,
  NEST_FIELDS,
  NEST_LINE,
  ROOT_PORT_FIELDS,
  ROOT_PORT_LINES,
  trapFields,
  trapLine,
} from '../bridge-fields.js';
import { consecutive, type DiagField, type DiagLayout } from '../layout.js';

const WORDS = ['brdgCtl', ...ROOT_PORT_FIELDS] as const;

const DOUBLEWORDS = [
  ...NEST_FIELDS,
  ...BRIDGE_FIELDS,
  ...trapFields('phbTxe'),
  ...trapFields('phbRxeArb'),
  ...trapFields('phbRxeMrg'),
  ...trapFields('phbRxeTce'),
  ...trapFields('phbPbl'),
  'phbPcieDlpErrorLog1',
  'phbPcieDlpErrorLog2',
  'phbPcieDlpErrorStatus',
  ...trapFields('phbRegb'),
] as const;

export type Phb4DiagField = (typeof WORDS)[number] | (typeof DOUBLEWORDS)[number];

const FIELDS: readonly DiagField<Phb4DiagField>[] = [
  ...consecutive(0x0c, 4, WORDS),
  ...consecutive(0x48, 8, DOUBLEWORDS),
];

export const PHB4_LAYOUT: DiagLayout<Phb4DiagField> = {
  chip: 'phb4',
  title: 'PHB4',
  ioType: 3,
  totalBytes: 0x2180,
  fields: FIELDS,
  lines: [
    BRIDGE_CONTROL_LINE,
    ...ROOT_PORT_LINES,
    anyOf('sourceId', 'sourceId'),
    NEST_LINE,
    ...BRIDGE_LINES,
    trapLine('PhbTxeErr', 'phbTxe'),
    trapLine('RxeArbErr', 'phbRxeArb'),
    trapLine('RxeMrgErr', 'phbRxeMrg'),
    trapLine('RxeTceErr', 'phbRxeTce'),
    trapLine('PblErr', 'phbPbl'),
    {
      label: 'PcieDlp',
      fields: ['phbPcieDlpErrorLog1', 'phbPcieDlpErrorLog2', 'phbPcieDlpErrorStatus'],
      shownIf: ['phbPcieDlpErrorStatus'],
    },
    trapLine('RegbErr', 'phbRegb'),
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
