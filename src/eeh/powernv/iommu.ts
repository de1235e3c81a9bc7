/** What is common to the DMA set-up of PEs on all bridges: its options, groups of PEs, permissions of buffers. */
import type { Process } from '../../sim/process.js';
import { Permission } from '../../tce/tce.js';
import type { PeDma, PowernvPe } from './pe-numbers.js';

export interface DmaOptions {
  readonly pageShift: 12 | 16 | 24 | 28;
  readonly levels: number;
  /** Default: up to where the 32-bit MMIO window begins on the bus. */
  readonly windowBytes?: number;
  readonly bypass: 'on' | 'off';
}

export const DEFAULT_DMA: DmaOptions = { pageShift: 12, levels: 2, bypass: 'on' };

/** Prints a line about a PE. */
export type Print = (text: string) => void;

export interface DmaSetup {
  /** Undefined: there is no window to be had. */
  setUp(pe: PowernvPe, print: Print): Process<PeDma | undefined>;
  tearDown(pe: PowernvPe, dma: PeDma, print: Print): Process<void>;
}

/** Numbers of isolation groups. The group of a PE stays the same over unplug and replug. */
export class IommuGroups {
  private next = 0;
  private readonly groups = new Map<string, number>();

  of(pe: PowernvPe): number {
    const key = `${pe.bus.controller.domain}:${pe.number}`;
    const known = this.groups.get(key) ?? this.next++;
    this.groups.set(key, known);
    return known;
  }
}

export type DmaDirection = 'to-device' | 'from-device' | 'both';

/** The permission a buffer needs: a device that receives writes memory. */
export const PERMISSION: Readonly<Record<DmaDirection, Permission>> = {
  'to-device': Permission.READ,
  'from-device': Permission.WRITE,
  both: Permission.READ_WRITE,
};
