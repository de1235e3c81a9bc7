/** OpalIoPhb3ErrorData: binary form and kernel text of a PHB3 dump. Facts: ioda2-phb3 9.2, 9.3. */
import {
  IODA_BRIDGE_FIELDS,
  IODA_BRIDGE_LINES,
  IODA_ROOT_LINES,
  IODA_WORDS,
  NEST_FIELDS,
  NEST_LINE,
} from '../bridge-fields.js';
import {
  consecutive,
  type DiagData,
  type DiagField,
  type DiagLayout,
  decodeDiagData,
  encodeDiagData,
  formatDiagData,
} from '../layout.js';

const DOUBLEWORDS = ['errorClass', 'correlator', ...NEST_FIELDS, ...IODA_BRIDGE_FIELDS] as const;

export type Phb3DiagField = (typeof IODA_WORDS)[number] | (typeof DOUBLEWORDS)[number];
export type Phb3DiagData = DiagData<Phb3DiagField>;

/** The 64-bit part starts 8-aligned, after 4 bytes of padding. */
const FIRST_WORD = 0x0c;
const FIRST_DOUBLEWORD = 0x58;

const FIELDS: readonly DiagField<Phb3DiagField>[] = [
  ...consecutive(FIRST_WORD, 4, IODA_WORDS),
  ...consecutive(FIRST_DOUBLEWORD, 8, DOUBLEWORDS),
];

export const PHB3_LAYOUT: DiagLayout<Phb3DiagField> = {
  chip: 'phb3',
  title: 'PHB3',
  ioType: 2,
  totalBytes: 0x1128,
  fields: FIELDS,
  lines: [...IODA_ROOT_LINES, NEST_LINE, ...IODA_BRIDGE_LINES],
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
