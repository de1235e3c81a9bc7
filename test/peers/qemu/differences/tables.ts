/** Differences in the tables behind IODA_ADDR. */
import { msbMask } from '../../../../src/hw/bits.js';
import { all, type DifferenceRule, oursIs, qemuIs, qemuStores, table } from './rule.js';

const FROZEN = msbMask(0);

export const TABLE_RULES: readonly DifferenceRule[] = [
  {
    id: 'pest-halves',
    reason: 'empty',
    where: 'PESTA, PESTB',
    qemu: 'reads 0, writes are lost',
    ours: 'keep bit 0, the freeze of each half of a PE',
    why: 'the point of the table: firmware freezes, thaws and asks for the state here',
    source: 'skiboot hw/phb3.c: phb3_eeh_freeze_status, phb3_eeh_freeze_set',
    explains: all(table('PESTA', 'PESTB'), qemuIs(0n), oursIs(FROZEN)),
  },
  {
    id: 'peev-follows-pest',
    reason: 'storage',
    where: 'PEEV',
    qemu: 'plain storage',
    ours: 'follows PESTA and PESTB; a write stands until the state of the PE changes',
    why: 'firmware reads PEEV after it cleared PESTA and PESTB to learn whether any PE is still frozen',
    source: 'skiboot hw/phb3.c: phb3_eeh_freeze_clear',
    explains: all(table('PEEV'), qemuStores),
  },
  {
    id: 'rba-and-mrt',
    reason: 'empty',
    where: 'RBA, MRT',
    qemu: 'reads 0, writes are lost',
    ours: 'keep what is written; RBA also shows rejected interrupts',
    why: 'QEMU keeps rejected interrupts in a place of its own that software cannot see, and has no migration registers',
    source: 'skiboot hw/phb3.c: phb3_ioda_reset; qemu pnv_phb3_ioda_access',
    explains: all(table('RBA', 'MRT'), qemuIs(0n)),
  },
  {
    id: 'list-unknown',
    reason: 'choice',
    where: 'LIST',
    qemu: 'plain storage',
    ours: 'reads 0, writes are lost',
    why: 'the layout is unknown and no firmware touches it',
    source: 'qemu pnv_phb3_ioda_access; (M)',
    explains: all(table('LIST'), qemuStores, oursIs(0n)),
  },
];
