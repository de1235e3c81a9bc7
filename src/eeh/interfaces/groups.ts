/** Every file there is, by the folder it stands in; docs/kernel-files.md is held against this. */
import { BUS_FILES, DRIVER_FILES } from './bus-files.js';
import { DEBUG_FILES } from './debug-files.js';
import { DEVICE_EEH_FILES, DEVICE_FILES } from './device-files.js';
import type { FileDeclaration } from './file-tree.js';
import { PATHS } from './files.js';
import { PHB_FILES } from './phb-files.js';
import { PROC_FILES } from './proc-files.js';

export interface FileGroup {
  /** Capitals and angle brackets stand for what differs. */
  readonly folder: string;
  readonly files: Readonly<Record<string, Pick<FileDeclaration<never>, 'mode' | 'shows' | 'takes'>>>;
}

export const FILE_GROUPS: readonly FileGroup[] = [
  { folder: `${PATHS.devices}/DDDD:BB:DD.F`, files: { ...DEVICE_FILES, ...DEVICE_EEH_FILES } },
  { folder: `${PATHS.drivers}/<driver>`, files: DRIVER_FILES },
  { folder: '/sys/bus/pci', files: BUS_FILES },
  { folder: PATHS.debug, files: DEBUG_FILES },
  { folder: `${PATHS.debug}/PCIdddd`, files: PHB_FILES },
  { folder: '/proc/powerpc', files: PROC_FILES },
];
