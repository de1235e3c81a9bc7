/** One OPAL call of the table: its token, its registers, and how it becomes a call of ours. Facts: opal-pci 2. */
import type { Process } from '../sim/process.js';
import { type CallFrame, declareArguments, type OpalArgument } from './call-frame.js';
import type { Opal } from './opal.js';

/** Which processor calls, where the caller says. */
export interface Caller {
  readonly cpu?: number;
}

export type Handler = (opal: Opal, frame: CallFrame, caller: Caller) => Process<number>;

export interface OpalCall {
  readonly token: number;
  readonly name: string;
  readonly arguments: readonly OpalArgument[];
  readonly run: Handler;
}

export function call(token: number, name: string, declared: string, run: Handler): OpalCall {
  return { token, name, arguments: declareArguments(declared), run };
}

export function answers(rc: number): Handler {
  return function* () {
    return rc;
  };
}

/** A call that no driver here has an answer for; that of a bridge that is not there comes first. */
export const unsupported: Handler = (opal, frame) => opal.pciUnsupported(frame.number('phb'));
