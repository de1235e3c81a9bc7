/** Windows through which recorded firmware reached registers. */
import type { PhbIndex } from '../ioda1/registers/hub-rgc.js';
import type { WindowName } from './recording.js';

/** Of a PHB3; of the hub of a P7IOC, and of its PHBs by the crossbar or the side path. */
export type FirmwareWindow = WindowName | 'hub' | `${'aib' | 'asb'}${PhbIndex}`;

export interface RegisterPlace {
  readonly window: FirmwareWindow;
  /** Byte of the register page, or SCOM register of the window. */
  readonly register: number;
}
