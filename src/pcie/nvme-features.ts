/** The features of an NVMe controller: values that software sets and gets. Source: NVM Express 1.2, 5.9, 5.14. */

export const FEATURE = {
  ARBITRATION: 0x01,
  POWER_MANAGEMENT: 0x02,
  TEMPERATURE_THRESHOLD: 0x04,
  ERROR_RECOVERY: 0x05,
  NUMBER_OF_QUEUES: 0x07,
  INTERRUPT_COALESCING: 0x08,
  INTERRUPT_VECTOR: 0x09,
  WRITE_ATOMICITY: 0x0a,
  ASYNC_EVENTS: 0x0b,
} as const;
export type Feature = (typeof FEATURE)[keyof typeof FEATURE];

/** What software may set of each, and what it is after a reset. */
const DECLARED: Readonly<Record<Feature, { readonly writable: number; readonly reset: number }>> = {
  [FEATURE.ARBITRATION]: { writable: 0xffff_ff07, reset: 0 },
  [FEATURE.POWER_MANAGEMENT]: { writable: 0, reset: 0 },
  [FEATURE.TEMPERATURE_THRESHOLD]: { writable: 0x003f_ffff, reset: 0x0157 },
  [FEATURE.ERROR_RECOVERY]: { writable: 0x0000_ffff, reset: 0 },
  // Its value is made from how many queues there can be.
  [FEATURE.NUMBER_OF_QUEUES]: { writable: 0, reset: 0 },
  [FEATURE.INTERRUPT_COALESCING]: { writable: 0x0000_ffff, reset: 0 },
  [FEATURE.INTERRUPT_VECTOR]: { writable: 0x0001_ffff, reset: 0 },
  [FEATURE.WRITE_ATOMICITY]: { writable: 0x0000_0001, reset: 0 },
  [FEATURE.ASYNC_EVENTS]: { writable: 0x0000_03ff, reset: 0 },
};

export class NvmeFeatures {
  private readonly values = new Map<number, number>();
  private granted: number;

  constructor(private readonly mostIoQueues: number) {
    this.granted = mostIoQueues;
  }

  /** I/O queues of each kind that software may create. */
  get ioQueues(): number {
    return this.granted;
  }

  /** The value, or `undefined` for a feature that does not exist. */
  get(feature: number): number | undefined {
    if (feature === FEATURE.NUMBER_OF_QUEUES) return ((this.granted - 1) << 16) | (this.granted - 1);
    return isFeature(feature) ? (this.values.get(feature) ?? DECLARED[feature].reset) : undefined;
  }

  /** False: there is no such feature. */
  set(feature: number, value: number): boolean {
    if (!isFeature(feature)) return false;
    this.values.set(feature, (value & DECLARED[feature].writable) >>> 0);
    return true;
  }

  /** Grants as many queues as asked for, and of both kinds alike, or as many as there can be. */
  grantQueues(submissionQueues: number, completionQueues: number): void {
    this.granted = Math.min(Math.max(submissionQueues, completionQueues), this.mostIoQueues);
  }

  reset(): void {
    this.values.clear();
    this.granted = this.mostIoQueues;
  }
}

function isFeature(feature: number): feature is Feature {
  return feature in DECLARED;
}
