/** OpalIoP7IOCPhbErrorData: binary form and kernel text of a P7IOC bridge's dump. Facts: ioda1-p7ioc 9.2 to 9.4. */
import { IODA_BRIDGE_FIELDS, IODA_BRIDGE_LINES, IODA_ROOT_LINES, IODA_WORDS } from '../bridge-fields.js';
import { consecutive, type DiagField, type DiagLayout } from '../layout.js';

const DOUBLEWORDS = ['errorClass', 'correlator', ...IODA_BRIDGE_FIELDS] as const;

export type P7iocDiagField = (typeof IODA_WORDS)[number] | (typeof DOUBLEWORDS)[number];

const FIELDS: readonly DiagField<P7iocDiagField>[] = [
  ...consecutive(0x0c, 4, IODA_WORDS),
  ...consecutive(0x58, 8, DOUBLEWORDS),
];

export const P7IOC_LAYOUT: DiagLayout<P7iocDiagField> = {
  chip: 'p7ioc',
  title: 'P7IOC',
  ioType: 1,
  totalBytes: 0x910,
  fields: FIELDS,
  lines: [...IODA_ROOT_LINES, ...IODA_BRIDGE_LINES],
  valueColumn: 13,
  headerBase: 16,
  pest: { offsetA: 0x110, offsetB: 0x510, entries: 128 },
};

/** Kernels before 3.15 print every field on a line of its own, two of them under another name. */
export const P7IOC_OLD_NAMES: ReadonlyMap<string, string> = new Map([
  ['p7iocPlssr', 'phbPlssr'],
  ['p7iocCsr', 'phbCsr'],
]);
