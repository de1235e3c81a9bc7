/** The knobs and counters of EEH that exist once. Facts: eeh-linux 2.5, 14.2, 14.3. */
import { EehLimits } from './eeh-flags.js';

export interface EehStatistics {
  totalMmioFfs: number;
  falsePositives: number;
  slotResets: number;
  noDevice: number;
  noNode: number;
  ignoredChecks: number;
}

export class EehSettings {
  /** Set by the first device that was probed. */
  started: 'yes' | 'no' = 'no';
  forceDisabled: 'yes' | 'no' = 'no';
  earlyLog: 'on' | 'off' = 'off';
  /** eeh_disable_recovery of debugfs: new events are dropped. */
  recovery: 'on' | 'off' = 'on';
  maxFreezes: number = EehLimits.maxFreezes;
  readonly statistics: EehStatistics = {
    totalMmioFfs: 0,
    falsePositives: 0,
    slotResets: 0,
    noDevice: 0,
    noNode: 0,
    ignoredChecks: 0,
  };

  get enabled(): boolean {
    return this.started === 'yes' && this.forceDisabled === 'no';
  }
}
