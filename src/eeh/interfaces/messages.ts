/** The kernel log as `dmesg` reads it: what was cleared stays in the kernel's list and is not shown again. */
import { formatRecord, type KernelLog, type LogRecord } from '../log.js';

export class KernelMessages {
  private cleared = 0;

  constructor(private readonly log: KernelLog) {}

  /** Since the last `clear`, debug records left out. */
  records(): LogRecord[] {
    return this.log.records.slice(this.cleared).filter(({ level }) => level !== 'debug');
  }

  lines(): string[] {
    return this.records().flatMap(formatRecord);
  }

  clear(): void {
    this.cleared = this.log.records.length;
  }
}
