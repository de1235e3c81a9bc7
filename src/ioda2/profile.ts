/**
 * What may be chosen about a PHB3 where its sources disagree or are silent: one switch a question, the first value is the
 * recommended choice. `rule` is the row of the table of unsettled points in docs/fidelity.md.
 */
import type { InjectionPersistence } from '../ioda/papr-injection.js';

interface SwitchDeclaration {
  readonly rule: number;
  readonly values: readonly [string, ...string[]];
  readonly about: string;
  readonly source: string;
}

export const PHB3_SWITCHES = {
  dmaReadRefusal: {
    rule: 7,
    values: ['CA', 'UR'],
    about: 'Status of the completion that answers a refused DMA read.',
    source: 'CA: skiboot p7ioc hw/p7ioc-phb.c (Init_96); CA or UR: lopar, error injection function 15',
  },
  injectionPersistence: {
    rule: 10,
    values: ['one-shot', 'persistent'] satisfies readonly [InjectionPersistence, ...InjectionPersistence[]],
    about: 'Whether an injection that is not sticky stays armed once it has fired.',
    source: 'one-shot: lopar R1-18; persistent: skiboot hw/phb3.c: phb3_err_inject_finalize (remark)',
  },
  messageWithoutPe: {
    rule: 19,
    values: ['dropped', 'hangs'],
    about: 'What a message interrupt does whose requester has an all-ones entry in the RTT.',
    source: 'skiboot hw/phb3.c: phb3_init_ioda_cache (HW278969: "bad state", consequence unknown)',
  },
} as const satisfies Record<string, SwitchDeclaration>;

export type Phb3Switch = keyof typeof PHB3_SWITCHES;

export type Phb3Profile = { readonly [S in Phb3Switch]: (typeof PHB3_SWITCHES)[S]['values'][number] };

/** The recommended choices, but for those that are given. */
export function phb3Profile(wanted: Partial<Phb3Profile> = {}): Phb3Profile {
  const { dmaReadRefusal, injectionPersistence, messageWithoutPe } = PHB3_SWITCHES;
  return {
    dmaReadRefusal: dmaReadRefusal.values[0],
    injectionPersistence: injectionPersistence.values[0],
    messageWithoutPe: messageWithoutPe.values[0],
    ...wanted,
  };
}
