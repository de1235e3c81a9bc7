/** Diag data as the kernel prints it: the common header says which chip's structure follows. Facts: eeh-linux 13.5. */
import { type DiagLayout, decodeDiagData, formatDiagData } from '../../diag/layout.js';
import { P7IOC_LAYOUT } from '../../diag/p7ioc/layout.js';
import { PHB3_LAYOUT } from '../../diag/phb3/layout.js';
import { PHB4_LAYOUT } from '../../diag/phb4/layout.js';

const IO_TYPE_AT = 4;
const LAYOUTS: readonly DiagLayout[] = [P7IOC_LAYOUT, PHB3_LAYOUT, PHB4_LAYOUT];

/** 0 for a buffer that nothing was ever captured into. */
export function ioTypeOf(data: Uint8Array): number {
  if (data.length < IO_TYPE_AT + 4) return 0;
  return new DataView(data.buffer, data.byteOffset).getUint32(IO_TYPE_AT);
}

/** Undefined: the type is not known, or the buffer holds less than its structure. */
export function diagText(data: Uint8Array, domain: number): string[] | undefined {
  const ioType = ioTypeOf(data);
  const layout = LAYOUTS.find((each) => each.ioType === ioType && data.length >= each.totalBytes);
  return layout === undefined ? undefined : formatDiagData(layout, decodeDiagData(layout, data), domain);
}
