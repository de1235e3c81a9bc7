/** Values that firmware programs, as far as the behaviour of errors follows from them. Facts: ioda1-p7ioc 7.4, 7.5. */
import type { TrapName } from '../../src/ioda/bit-lists.js';
import type { HubUnit } from '../../src/ioda1/error-bits/units.js';

const ALL = 0xffff_ffff_ffff_ffffn;

export interface TrapEnables {
  readonly lem: bigint;
  /** What freezes also interrupts. */
  readonly freeze: bigint;
  readonly fence: bigint;
}

export const TRAP_ENABLES: Readonly<Record<TrapName, TrapEnables>> = {
  PHB: { lem: 0xffff_ffff_efff_ffffn, freeze: 0x0000_0000_61c0_0000n, fence: 0xffff_ffc5_8c00_0000n },
  OUT: { lem: ALL, freeze: 0x0000_4308_0300_0000n, fence: 0x9df3_bc00_f0f0_700fn },
  INA: { lem: ALL, freeze: 0xc000_03ff_0100_6000n, fence: 0x3fff_5000_7e55_9fd8n },
  INB: { lem: ALL, freeze: 0n, fence: 0x18ff_80ff_ff7f_0000n },
};
export const PHB_LEM_MASK = 0x1249_a114_7f50_0f2cn;

export interface UnitSetup {
  readonly action0: bigint;
  readonly action1: bigint;
  /** What the AND port leaves masked. */
  readonly mask: bigint;
}

const CI_PHB: UnitSetup = { action0: 0xa4f4_0000_0000_0000n, action1: 0n, mask: 0n };

export const UNIT_SETUP: Readonly<Record<HubUnit, UnitSetup>> = {
  RGC: { action0: 0x0fff_791f_0b03_0000n, action1: 0n, mask: 0x0fff_001f_0303_0000n },
  BI_UP: { action0: 0x0800_0000_0080_0000n, action1: 0n, mask: 0x0800_0000_0000_0000n },
  BI_DOWN: { action0: 0x2000_080c_a07f_ff40n, action1: 0n, mask: 0x0000_0800_200f_fe00n },
  CI_P0: { action0: 0x0a00_0000_0000_0000n, action1: 0n, mask: 0x0200_0000_0000_0000n },
  CI_P1: { action0: 0n, action1: 0n, mask: 0n },
  CI_P2: CI_PHB,
  CI_P3: CI_PHB,
  CI_P4: CI_PHB,
  CI_P5: CI_PHB,
  CI_P6: CI_PHB,
  CI_P7: CI_PHB,
  MISC: { action0: 0xffff_fffc_ee3f_ffffn, action1: 0x0000_0000_01c0_0000n, mask: 0x000f_03f0_cd3f_ffffn },
  I2C: { action0: 0xee00_0000_0000_0000n, action1: 0n, mask: 0x4600_0000_0000_0000n },
};

export const RGC_DAMAGE = 0xf000_86c0_b4fc_ffffn;
export const BI_UP_DAMAGE = 0xf7ff_ffff_ff7f_ffffn;
export const BI_DOWN_DAMAGE = 0xdfff_f7f3_5f80_00bfn;
/** Damage control of the crossbar's ports: upstream, RGC, and those of PHBs. */
export const CI_DAMAGE = [0x421a_0000_0000_75ffn, 0x421a_0000_0000_7fffn, 0x421a_24f4_0000_5b0bn] as const;
export const GEM_MASK = 0x000f_033f_ffff_ffffn;
