/** Whatever answers the steps of a qtest client, and the form of steps and answers on the wire. */
import { type PlainStep, SIZE_LETTERS, type Step } from './steps.js';

/** Values as the wire shows them, `0x` and digits, one for each step that answers. */
export type Answers = readonly string[];

export interface QtestBackend {
  readonly name: string;
  /** Runs the steps in order; resolves when all have been answered. */
  run(steps: readonly Step[]): Promise<Answers>;
  close(): Promise<void>;
}

/** A back end said no, or nothing. */
export class PeerError extends Error {
  override readonly name = 'PeerError';
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** The command of a step that is one command. */
export function commandOf(step: PlainStep): string {
  switch (step.do) {
    case 'read':
      return `read${SIZE_LETTERS[step.size]} ${hex(step.at)}`;
    case 'write':
      return `write${SIZE_LETTERS[step.size]} ${hex(step.at)} ${hex(step.value)}`;
    case 'read-block':
      return `read ${hex(step.at)} ${hex(step.bytes)}`;
    case 'write-block':
      return `write ${hex(step.at)} ${hex(step.data.length / 2)} 0x${step.data}`;
    case 'fill':
      return `memset ${hex(step.at)} ${hex(step.bytes)} ${hex(step.value)}`;
  }
}

/** The value of a reply, or the empty text if it is a bare OK. */
export function answerIn(reply: string, command: string): string {
  if (reply !== 'OK' && !reply.startsWith('OK ')) throw new PeerError(`${command}: ${reply}`);
  return reply.slice(3);
}

/** The look of a step that waits. */
export const lookOf = ({ at, size }: Extract<Step, { do: 'await' }>): string => commandOf({ do: 'read', at, size });

export function describeStep(step: Step): string {
  if (step.do === 'pass') return `pass ${step.ns} ns`;
  if (step.do === 'take' || step.do === 'end-of-interrupt') return step.do;
  if (step.do === 'await') return `await ${lookOf(step)} & ${hex(step.mask)} == ${hex(step.equals)}`;
  return commandOf(step);
}
