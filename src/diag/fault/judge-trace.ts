/** The verdict on firmware's trace of a link that would not come up. Facts: phb4-diag 2.4. */
import type { LinkTrace } from '../context/link-trace.js';
import { traceAdvice } from './advice.js';
import type { EvidenceItem, FaultEvent } from './fault.js';
import { evidence } from './parts.js';

function evidenceOf(trace: LinkTrace): EvidenceItem[] {
  const items: EvidenceItem[] = [];
  const early = trace.steps.find((step) => step.trained);
  if (trace.trainedInReset && early !== undefined) {
    items.push(
      evidence(`the link trained to gen${early.generation} x${early.width} before firmware released PERST`, early.line),
    );
  }
  if (trace.wentDownLine !== undefined)
    items.push(evidence('the link went down while firmware waited for it to be stable', trace.wentDownLine));
  if (trace.timedOutLine !== undefined) items.push(evidence('the link did not come up in time', trace.timedOutLine));
  if (trace.fencedLine !== undefined) items.push(evidence('the bridge was fenced meanwhile', trace.fencedLine));
  return items;
}

function verdictOf(trace: LinkTrace): string {
  if (trace.trainedInReset) {
    const then = trace.wentDownLine === undefined ? '' : ', and the link went down again while firmware waited';
    return `The card ignores the slot's reset (PERST) and trains its link too early${then}: the first config read of such a card times out and fences the bridge.`;
  }
  if (trace.wentDownLine !== undefined) return 'The link came up and went down again before it was stable.';
  if (trace.fencedLine !== undefined) return 'The bridge was fenced while the link was being trained.';
  return 'The link did not come up in time.';
}

export function judgeTrace(trace: LinkTrace): FaultEvent {
  const sure = trace.trainedInReset || trace.wentDownLine !== undefined;
  return {
    chip: 'phb4',
    phb: trace.phb,
    lines: { first: trace.line, last: trace.lastLine },
    severity: trace.fencedLine === undefined ? 'informative' : 'phb-fenced',
    title: trace.trainedInReset ? 'card ignores the reset of its slot' : 'link did not come up',
    verdict: verdictOf(trace),
    basis: "firmware's link training trace",
    suspect: trace.trainedInReset ? 'device' : 'device or link',
    location: undefined,
    reportedPe: undefined,
    faultedPe: undefined,
    frozenPes: [],
    cause: {
      type: 'link-loss',
      certainty: sure ? 'likely' : 'possible',
      address: undefined,
      direction: undefined,
      requester: undefined,
    },
    alternatives: [
      {
        type: 'completion-timeout',
        certainty: 'possible',
        why: 'A config read before the card is ready gets no answer; the trace does not show the read.',
      },
    ],
    evidence: evidenceOf(trace),
    advice: traceAdvice(trace),
    devices: [],
    recovery: undefined,
    primary: undefined,
    dumps: [],
    rtas: undefined,
  };
}
