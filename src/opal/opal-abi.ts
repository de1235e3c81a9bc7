/**
 * The OPAL calls as an operating system makes them: a token, registers, and results behind pointers.
 * Source: skiboot core/opal.c: opal_check_token, opal_bad_token, opal_entry_check. Facts: opal-pci 1, 2.
 */
import type { SystemMemory } from '../hw/memory.js';
import type { Process } from '../sim/process.js';
import { CallFrame } from './call-frame.js';
import { ERROR_CALLS } from './error-calls.js';
import { eventCalls } from './event-calls.js';
import type { Opal } from './opal.js';
import { OpalStatus } from './opal-api.js';
import type { Caller, OpalCall } from './opal-call.js';
import { PCI_CALLS } from './pci-calls.js';

export type { OpalCall } from './opal-call.js';

/** Every call, in order of token. */
export const OPAL_CALLS: readonly OpalCall[] = [
  ...PCI_CALLS,
  ...ERROR_CALLS,
  ...eventCalls((token) => BY_TOKEN.has(token)),
].sort((a, b) => a.token - b.token);

const BY_TOKEN: ReadonlyMap<number, OpalCall> = new Map(OPAL_CALLS.map((each) => [each.token, each]));
const BY_NAME: ReadonlyMap<string, OpalCall> = new Map(OPAL_CALLS.map((each) => [each.name, each]));

/** By token or name; undefined: firmware has no such call. */
export function opalCall(tokenOrName: number | string): OpalCall | undefined {
  return typeof tokenOrName === 'number' ? BY_TOKEN.get(tokenOrName) : BY_NAME.get(tokenOrName);
}

export interface Invocation extends Caller {
  readonly call: OpalCall;
  readonly registers: readonly bigint[];
}

/** One call with its registers. Pointers are looked at before anything else. */
export function* invokeOpal(
  opal: Opal,
  memory: SystemMemory,
  { call, registers, ...caller }: Invocation,
): Process<number> {
  return yield* opal.gate.pass({ token: call.token, ...caller }, inside());

  function* inside(): Process<number> {
    const frame = new CallFrame(call.arguments, registers, memory);
    return frame.pointersAreValid ? yield* call.run(opal, frame, caller) : OpalStatus.PARAMETER;
  }
}

/** The same by token, as a register holds it: one that firmware does not know leaves a line in its log. */
export function* invokeToken(
  opal: Opal,
  memory: SystemMemory,
  { token, registers, ...caller }: Caller & { readonly token: number; readonly registers: readonly bigint[] },
): Process<number> {
  const call = opalCall(token);
  return call === undefined ? opal.badToken(token) : yield* invokeOpal(opal, memory, { call, registers, ...caller });
}
