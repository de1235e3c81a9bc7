/** /proc/powerpc/eeh: the counters. Source: linux eeh.c: proc_eeh_show; facts: eeh-linux 14.3. */
import type { EehSettings } from '../eeh-settings.js';
import type { FileDeclaration } from './file-tree.js';

export const PROC_FILES: Readonly<Record<string, FileDeclaration<EehSettings>>> = {
  eeh: {
    mode: 0o444,
    shows: 'whether EEH is on, and its counters, one a line',
    *read({ enabled, statistics }) {
      const { totalMmioFfs, falsePositives, slotResets, noDevice, noNode, ignoredChecks } = statistics;
      const lines = enabled
        ? [
            'EEH Subsystem is enabled',
            `no device=${noDevice}`,
            `no device node=${noNode}`,
            // Nobody ever counts these (facts, D12).
            'no config address=0',
            `check not wanted=${ignoredChecks}`,
            `eeh_total_mmio_ffs=${totalMmioFfs}`,
            `eeh_false_positives=${falsePositives}`,
            `eeh_slot_resets=${slotResets}`,
          ]
        : ['EEH Subsystem is globally disabled', `eeh_total_mmio_ffs=${totalMmioFfs}`];
      return lines.map((line) => `${line}\n`).join('');
    },
  },
};
