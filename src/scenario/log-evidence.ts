/** What the kernel's log tells of recoveries: who was recovered, how it was noticed, what the drivers said. Formats: eeh-linux 13.1. */
import type { CallbackName } from '../eeh/drivers/scripted-driver.js';
import type { ErsVote } from '../eeh/drivers/votes.js';
import type { LogRecord } from '../eeh/log.js';
import type { TimeNs } from '../sim/time.js';

/** By whom a recovery was set off; the frames are those of the stack that the kernel prints with it. */
const DETECTION_FRAMES = [
  ['load', /^EEH: \[.*\] eeh_check_failure\+/],
  ['force-recover', /^EEH: \[.*\] eeh_force_recover_write\+/],
  ['device-check', /^EEH: \[.*\] eeh_dev_check_write\+/],
  ['config-read', /^EEH: \[.*\] eeh_dev_check_failure\+/],
] as const;
export const DETECTIONS = ['load', 'config-read', 'interrupt', 'device-check', 'force-recover'] as const;
export type Detection = (typeof DETECTIONS)[number];

export interface RecoverySeen {
  readonly timeNs: TimeNs;
  /** `PHB#0-PE#fb`, or `PHB#0` for a whole PHB. */
  readonly label: string;
  readonly by: Detection;
}

export interface VoteSeen {
  readonly timeNs: TimeNs;
  /** `0000:03:00.0` */
  readonly busId: string;
  readonly callback: CallbackName;
  readonly vote: ErsVote;
}

const PASSES: Readonly<Record<string, CallbackName>> = {
  'error_detected(IO frozen)': 'error_detected',
  mmio_enabled: 'mmio_enabled',
  slot_reset: 'slot_reset',
  resume: 'resume',
};
const RECOVERING = /^EEH: Recovering (PHB#[0-9a-f]+(?:-PE#[0-9a-f]+)?)/;
const BEGINNING = /^EEH: Beginning: '(.*)'/;
const REPORT = /^PCI ([0-9a-f:.]+)#[0-9a-f]+: EEH: \S+ driver reports: '(.*)'/;
/** Whatever ends the heading of a recovery: behind it no stack comes any more. */
const HEADING_ENDS = /has failed \d+ times in the last hour/;

/** Reads records in their order. */
export class LogEvidence {
  readonly recoveries: RecoverySeen[] = [];
  readonly votes: VoteSeen[] = [];
  private pass: CallbackName | undefined;
  /** A recovery whose heading is being printed. Without a stack it was firmware's event that told of it. */
  private heading: { timeNs: TimeNs; label: string; by: Detection } | undefined;

  read({ timeNs, text }: LogRecord): void {
    const [, label] = RECOVERING.exec(text) ?? [];
    if (label !== undefined) this.heading = { timeNs, label, by: 'interrupt' };
    this.readHeading(text);
    const [, pass] = BEGINNING.exec(text) ?? [];
    if (pass !== undefined) this.pass = PASSES[pass];
    const [, busId, vote] = REPORT.exec(text) ?? [];
    if (busId === undefined || this.pass === undefined) return;
    this.votes.push({ timeNs, busId, callback: this.pass, vote: vote as ErsVote });
  }

  private readHeading(text: string): void {
    if (this.heading === undefined) return;
    const [by] = DETECTION_FRAMES.find(([, frame]) => frame.test(text)) ?? [];
    // The frame of a check stands above the frame that says who asked for the check.
    if (by !== undefined && (this.heading.by === 'interrupt' || this.heading.by === 'config-read'))
      this.heading.by = by;
    if (!HEADING_ENDS.test(text)) return;
    this.recoveries.push(this.heading);
    this.heading = undefined;
  }
}
