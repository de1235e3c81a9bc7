/** Arguments of calls that have more than a few. Facts: opal-pci 5. */

/** Which part of a requester's number a mapping compares, in the codes of the ABI. */
export interface RidMatch {
  readonly bus: number;
  readonly device: number;
  readonly function: number;
}

export interface SetPeRequest {
  readonly pe: number;
  readonly rid: number;
  readonly match: RidMatch;
  readonly action: number;
}

export interface MmioSegment {
  readonly pe: number;
  readonly type: number;
  readonly window: number;
  readonly segment: number;
}

export interface MemWindow {
  readonly type: number;
  readonly window: number;
  readonly address: bigint;
  readonly size: bigint;
}

export interface DmaWindow {
  readonly pe: number;
  readonly window: number;
  readonly levels: number;
  readonly tableAddress: bigint;
  readonly tableBytes: bigint;
  readonly pageBytes: bigint;
}

export interface RealDmaWindow {
  readonly pe: number;
  readonly window: number;
  readonly pciStart: bigint;
  readonly size: bigint;
}

export interface InjectRequest {
  readonly pe: number;
  readonly type: number;
  readonly function: number;
  /** 0 lets firmware choose. */
  readonly address: bigint;
  readonly mask: bigint;
}

export interface MsiRequest {
  readonly pe: number;
  readonly xive: number;
  readonly range: number;
}

export interface TceKill {
  readonly kind: number;
  readonly pe: number;
  readonly tceBytes: number;
  readonly address: bigint;
  readonly pages: number;
}
