/** What must not happen did not happen: that says nothing where what should have set it off found nothing to do. */
import type { Evidence, Finding } from './evidence.js';
import type { Observer } from './observer.js';
import type { Expectation, ExpectationKind } from './scenario.js';

const NEGATIVE: readonly ExpectationKind[] = ['untouched', 'no-reset', 'no-log', 'not-fenced'];

/** At the end of a run. What did happen happened, whatever else was missed. */
export function doubtWhereNothingStruck(expectation: Expectation, finding: Finding, { observer }: Evidence): Finding {
  if (finding.state !== 'met' || !NEGATIVE.includes(expectation.kind)) return finding;
  const reason = missedFault(observer) ?? missedAction(observer);
  if (reason === undefined) return finding;
  return { state: 'not-met', because: `no wonder: ${reason}` };
}

/** A fault that may strike several times has to strike once. */
function missedFault({ strikes }: Observer): string | undefined {
  const missed = strikes.find(({ fault }) =>
    strikes.every((strike) => strike.fault !== fault || strike.missed !== undefined),
  );
  if (missed === undefined) return undefined;
  return `the fault ${missed.fault.kind} of ${missed.fault.target} never struck: ${missed.missed}`;
}

/** Only where that was all: beside others an action may well find nothing to do. */
function missedAction({ strikes, actions }: Observer): string | undefined {
  const [missed] = actions;
  if (missed === undefined || [...strikes, ...actions].some((each) => each.missed === undefined)) return undefined;
  const { kind, target } = missed.action;
  return `${[kind, target].filter((word) => word !== undefined).join(' ')} was not done: ${missed.missed}`;
}
