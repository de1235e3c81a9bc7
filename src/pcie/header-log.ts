/**
 * Uncorrectable error status, first error pointer and header log: which error is on record, and those behind it.
 * Source: PCI Express base specification 6.2.4.2, 7.10.2, 7.10.7; qemu hw/pci/pcie_aer.c: pcie_aer_record_error.
 */
import type { AerRegister } from './aer-capability.js';
import type { ConfigSpace } from './config-space.js';
import type { Tlp } from './tlp.js';
import { headerOf } from './tlp-header.js';

type LogRegister = Exclude<AerRegister, 'AER_CAP'>;
type Header = readonly [number, number, number, number];

const HEADER_LOGS = ['HEADER_LOG0', 'HEADER_LOG1', 'HEADER_LOG2', 'HEADER_LOG3'] as const;
const NO_HEADER: Header = [0, 0, 0, 0];
/** Headers kept behind the first with multiple header recording; the specification leaves the number open (M). */
const HEADERS_BEHIND_FIRST = 7;

export class HeaderLog {
  /** The status bit whose header is in the log; 0 while the pointer is not valid. */
  private logged = 0;
  private readonly behind: { readonly bit: number; readonly header: Header }[] = [];

  constructor(private readonly config: ConfigSpace<LogRegister>) {
    if (!config.declares('AER_CONTROL') || !config.has('AER_CONTROL', 'MULTIPLE_HEADERS_CAPABLE')) return;
    config.hook('UE_STATUS', { onWrite: () => this.statusWritten() });
    config.hook('AER_CONTROL', { onWrite: () => this.controlWritten() });
  }

  /** An error that is masked shows in the status alone. */
  note(bit: number): void {
    this.forgetServiced();
    this.config.or('UE_STATUS', bit);
  }

  /** The first error holds pointer and log until software clears its status bit. */
  record(bit: number, tlp: Tlp | undefined): void {
    this.forgetServiced();
    this.config.or('UE_STATUS', bit);
    const header = tlp === undefined ? NO_HEADER : headerOf(tlp);
    if (this.logged === 0) this.show(bit, header);
    else if (this.keepsMore && this.behind.length < HEADERS_BEHIND_FIRST) this.behind.push({ bit, header });
  }

  private get keepsMore(): boolean {
    return this.config.has('AER_CONTROL', 'MULTIPLE_HEADERS_ENABLE');
  }

  private controlWritten(): void {
    if (!this.keepsMore) this.behind.length = 0;
  }

  private forgetServiced(): void {
    if ((this.config.get('UE_STATUS') & this.logged) !== 0) return;
    this.logged = 0;
    // Only a reset clears the status without taking up the next header.
    this.behind.length = 0;
  }

  /** The next header comes up, and its status bit with it, although software may have cleared that one too. */
  private statusWritten(): void {
    if (this.logged === 0 || (this.config.get('UE_STATUS') & this.logged) !== 0) return;
    this.logged = 0;
    const next = this.behind.shift();
    if (next === undefined) return;
    this.config.or('UE_STATUS', next.bit);
    this.show(next.bit, next.header);
  }

  private show(bit: number, header: Header): void {
    this.logged = bit;
    this.config.setField('AER_CONTROL', 'FIRST_ERROR', 31 - Math.clz32(bit));
    for (const [i, log] of HEADER_LOGS.entries()) this.config.set(log, header[i]!);
  }
}
