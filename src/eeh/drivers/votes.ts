/** The answers of drivers, and which of several counts. Facts: eeh-linux 8.4. */

/** Votes by rising priority: the highest one of a pass wins. Source: linux eeh_driver.c: pci_ers_result_priority. */
export const VOTES = ['none', 'no AER driver', 'recovered', 'can recover', 'disconnect', 'need reset'] as const;
/** The name is what log lines print. */
export type ErsVote = (typeof VOTES)[number];

export function mergeVotes(old: ErsVote, added: ErsVote): ErsVote {
  return VOTES.indexOf(added) > VOTES.indexOf(old) ? added : old;
}
