/**
 * What may be chosen about a P7IOC where its sources disagree or are silent: one switch a question, the first value is the
 * recommended choice. `rule` is the section of the hardware notes that asks it.
 */
import type { InjectionPersistence } from '../ioda/papr-injection.js';

interface SwitchDeclaration {
  readonly rule: string;
  readonly values: readonly [string, ...string[]];
  readonly about: string;
  readonly source: string;
}

export const P7IOC_SWITCHES = {
  dmaReadRefusal: {
    rule: '3.12',
    values: ['CA', 'UR'],
    about: 'Status of the completion that answers a refused DMA read.',
    source: 'CA: skiboot p7ioc hw/p7ioc-phb.c (Init_96)',
  },
  injectionPersistence: {
    rule: '7.9',
    values: ['persistent', 'one-shot'] satisfies readonly [InjectionPersistence, ...InjectionPersistence[]],
    about: 'Whether an injection that is not sticky stays armed once it has fired.',
    source: 'persistent: skiboot commit 1b5220b4b, linux pnv_eeh_reset; one-shot: lopar R1-18',
  },
  revision: {
    rule: '12.1',
    values: ['DD1.1', 'DD1.0'],
    about: 'Level that the version register shows.',
    source: 'skiboot include/p7ioc.h: P7IOC_REV_DD10, P7IOC_REV_DD11',
  },
  fencedTableSelect: {
    rule: '12.5',
    values: ['dropped', 'applied'],
    about: 'What a store to IODA_ADDR through the AIB window does while the PHB is fenced.',
    source: '(M) the fence blocks the AIB; applied makes the PE states of a fenced PHB readable by firmware',
  },
  deadHub: {
    rule: '12.8',
    values: ['silent', 'errors-readable'],
    about: 'Whether error registers of the hub still answer after an error that stopped its GX link.',
    source: '(M) skiboot p7ioc hw/p7ioc.c: p7ioc_check_GEM takes all ones for a dead hub',
  },
} as const satisfies Record<string, SwitchDeclaration>;

export type P7iocSwitch = keyof typeof P7IOC_SWITCHES;

export type P7iocProfile = { readonly [S in P7iocSwitch]: (typeof P7IOC_SWITCHES)[S]['values'][number] };

/** The recommended choices, but for those that are given. */
export function p7iocProfile(wanted: Partial<P7iocProfile> = {}): P7iocProfile {
  const { dmaReadRefusal, injectionPersistence, revision, fencedTableSelect, deadHub } = P7IOC_SWITCHES;
  return {
    dmaReadRefusal: dmaReadRefusal.values[0],
    injectionPersistence: injectionPersistence.values[0],
    revision: revision.values[0],
    fencedTableSelect: fencedTableSelect.values[0],
    deadHub: deadHub.values[0],
    ...wanted,
  };
}
