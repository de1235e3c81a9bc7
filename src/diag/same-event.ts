/** Whether two tellings are of the same fault: Linux and a dump, the kernel's dump and the firmware's. */
import type { EehEvent, LogContext } from './context.js';
import { type Dump, word } from './dump.js';

/** A dump this many lines before the words that belong to it: lines that a log daemon put out of order. */
const OUT_OF_ORDER = 120;

function sameBridge(a: Dump, b: Dump): boolean {
  if (a.phbNumbers.length === 0 || b.phbNumbers.length === 0) return true;
  return a.phbNumbers.some((number) => b.phbNumbers.includes(number));
}

const TRAP_FIELDS = ['lemFir', 'phbErrorStatus', 'phbFirstErrorStatus', 'phbRxeTceErrorStatus', 'phbRxeArbErrorStatus'];

/** Kernel and firmware print the same buffer: same bridge, same LEM, same PEST. */
export function isSameEvent(a: Dump, b: Dump): boolean {
  if (a.form === b.form || !sameBridge(a, b)) return false;
  const both = TRAP_FIELDS.filter((name) => a.words.has(name) && b.words.has(name));
  const equal = both.every((name) => word(a, name) === word(b, name));
  if (!equal || both.length === 0) return false;
  if (a.pest.length === 0 || b.pest.length === 0) return both.length >= 2;
  return a.pest.some((run) => b.pest.some((other) => other.first === run.first && other.a === run.a));
}

function belongs(dump: Dump, event: EehEvent): boolean {
  // Linux has no register of the bridge on PowerVM, so a dump there is another machine's.
  if (dump.phbNumbers.length > 0) return dump.phbNumbers.includes(event.phb);
  return dump.firstLine <= event.lastLine + OUT_OF_ORDER;
}

/** The last event of the bridge before the dump; else one just behind it, for lines out of order. */
export function eehEventOf(dump: Dump, context: LogContext): EehEvent | undefined {
  const candidates = context.events.filter((event) => belongs(dump, event));
  const before = candidates.filter((event) => event.line <= dump.lastLine).at(-1);
  return before ?? candidates.find((event) => event.line - dump.lastLine <= OUT_OF_ORDER);
}
