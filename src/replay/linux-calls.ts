/**
 * OPAL calls as a tracer in the kernel shows them: name, arguments that mean something, return code. A wrapper lists those
 * of our kernel; pointers into the caller's memory are left out on both sides. Source: skiboot include/opal-api.h.
 */

import { PHB3_LAYOUT } from '../diag/phb3/layout.js';
import type { OpalCalls } from '../eeh/firmware.js';
import { ReinitScope } from '../opal/opal-api.js';
import { delay, type Process } from '../sim/process.js';
import { us } from '../sim/time.js';

export interface CallRecord {
  readonly name: string;
  /** Undefined: the tracer did not run yet. */
  readonly args: readonly bigint[] | undefined;
  readonly rc: number;
  readonly timeUs: number;
}

type Typed = Record<string, (...args: never[]) => Process<unknown>>;
type Value = number | bigint;
interface Shape {
  readonly name: string | ((...args: never[]) => string);
  readonly args: (...args: never[]) => readonly Value[];
}

const SIZE_NAMES: Readonly<Record<number, string>> = { 1: 'BYTE', 2: 'HALF_WORD', 4: 'WORD' };

type Call<K extends keyof OpalCalls> = NonNullable<OpalCalls[K]>;
type Args<K extends keyof OpalCalls> = Parameters<Call<K>>;

function shape<K extends keyof OpalCalls>(
  name: string | ((...args: Args<K>) => string),
  args: (...args: Args<K>) => readonly Value[],
): Shape {
  return { name, args } as unknown as Shape;
}

const SHAPES: Partial<Record<keyof OpalCalls, Shape>> = {
  pciConfigRead: shape<'pciConfigRead'>(
    (_phb, _bdfn, _at, size) => `PCI_CONFIG_READ_${SIZE_NAMES[size]}`,
    (phb, bdfn, at) => [phb, bdfn, at],
  ),
  pciConfigWrite: shape<'pciConfigWrite'>(
    (_phb, { size }) => `PCI_CONFIG_WRITE_${SIZE_NAMES[size]}`,
    (phb, { bdfn, offset }, value) => [phb, bdfn, offset, value],
  ),
  pciSetPe: shape<'pciSetPe'>('PCI_SET_PE', (phb, { pe, rid, match }) => [
    ...[phb, pe, rid],
    ...[match.bus, match.device, match.function],
  ]),
  pciSetPeltv: shape<'pciSetPeltv'>('PCI_SET_PELTV', (phb, parent, child, action) => [phb, parent, child, action]),
  pciMapPeMmioWindow: shape<'pciMapPeMmioWindow'>('PCI_MAP_PE_MMIO_WINDOW', (phb, { pe, type, window, segment }) => [
    ...[phb, pe, type, window, segment],
  ]),
  pciMapPeDmaWindow: shape<'pciMapPeDmaWindow'>('PCI_MAP_PE_DMA_WINDOW', (phb, { pe, window, levels, tableBytes }) => [
    ...[phb, pe, window, levels, tableBytes],
  ]),
  pciMapPeDmaWindowReal: shape<'pciMapPeDmaWindowReal'>('PCI_MAP_PE_DMA_WINDOW_REAL', (phb, request) => [
    ...[phb, request.pe, request.window, request.pciStart, request.size],
  ]),
  pciSetPhbMemWindow: shape<'pciSetPhbMemWindow'>('PCI_SET_PHB_MEM_WINDOW', (phb, { type, window, address, size }) => [
    ...[phb, type, window, address, size],
  ]),
  pciPhbMmioEnable: shape<'pciPhbMmioEnable'>('PCI_PHB_MMIO_ENABLE', (phb, type, window, enable) => [
    ...[phb, type, window, enable],
  ]),
  pciEehFreezeStatus: shape<'pciEehFreezeStatus'>('PCI_EEH_FREEZE_STATUS', (phb, pe) => [phb, pe]),
  pciEehFreezeClear: shape<'pciEehFreezeClear'>('PCI_EEH_FREEZE_CLEAR', (phb, pe, action) => [phb, pe, action]),
  pciEehFreezeSet: shape<'pciEehFreezeSet'>('PCI_EEH_FREEZE_SET', (phb, pe, action) => [phb, pe, action]),
  pciNextError: shape<'pciNextError'>('PCI_NEXT_ERROR', (phb) => [phb]),
  pciGetPhbDiagData2: shape<'pciGetPhbDiagData2'>('PCI_GET_PHB_DIAG_DATA2', (phb) => [phb, PHB3_LAYOUT.totalBytes]),
  pciReset: shape<'pciReset'>('PCI_RESET', (id, scope, assert) => [id, scope, assert]),
  pciPoll: shape<'pciPoll'>('PCI_POLL', (id) => [id]),
  pciReinit: shape<'pciReinit'>('PCI_REINIT', (phb, bdfn) => [phb, ReinitScope.PCI_DEV, bdfn]),
  pciErrInject: shape<'pciErrInject'>('PCI_ERR_INJECT', (phb, request) => [
    ...[phb, request.pe, request.type, request.function, request.address, request.mask],
  ]),
  setXive: shape<'setXive'>('SET_XIVE', (irq, server, priority) => [irq, server, priority]),
  getXive: shape<'getXive'>('GET_XIVE', (irq) => [irq]),
  pciSetXivePe: shape<'pciSetXivePe'>('PCI_SET_XIVE_PE', (phb, pe, xive) => [phb, pe, xive]),
  getMsi64: shape<'getMsi64'>('GET_MSI_64', (phb, mve, xive, range) => [phb, mve, xive, range]),
};

/** The way into firmware; without it a poll would come in the instant of the reset it asks after. */
const CALL_US = 1;

/** The same calls, each told to `listener` when it has returned. Calls that the tracer leaves out pass silently. */
export function tracedCalls(opal: OpalCalls, nowNs: () => number, listener: (record: CallRecord) => void): OpalCalls {
  const traced: Typed = {};
  const typed = opal as unknown as Typed;
  for (const [method, { name, args }] of Object.entries(SHAPES)) {
    traced[method] = function* (...given: never[]): Process<unknown> {
      const timeUs = nowNs() / 1000;
      yield* delay(us(CALL_US));
      const result = yield* typed[method]!.apply(opal, given);
      const rc = typeof result === 'number' ? result : (result as { rc: number }).rc;
      const called = typeof name === 'string' ? name : name(...given);
      listener({ name: called, args: args(...given).map((value) => BigInt(value)), rc, timeUs });
      return result;
    };
  }
  return new Proxy(opal, {
    get: (target, key) => {
      const own = traced[String(key)];
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Which of the tracer's six words count; the rest are pointers, or what happened to lie in the registers. */
const WORDS: Readonly<Record<string, readonly number[]>> = {
  PCI_MAP_PE_DMA_WINDOW: [0, 1, 2, 3, 5],
  PCI_GET_PHB_DIAG_DATA2: [0, 2],
};
const WORD_COUNTS: Readonly<Record<string, number>> = {
  ...Object.fromEntries(Object.values(SIZE_NAMES).map((size) => [`PCI_CONFIG_READ_${size}`, 3])),
  ...Object.fromEntries(Object.values(SIZE_NAMES).map((size) => [`PCI_CONFIG_WRITE_${size}`, 4])),
  ...{ PCI_EEH_FREEZE_STATUS: 2, PCI_EEH_FREEZE_CLEAR: 3, PCI_EEH_FREEZE_SET: 3, PCI_NEXT_ERROR: 1 },
  ...{ PCI_RESET: 3, PCI_POLL: 1, PCI_REINIT: 3, PCI_ERR_INJECT: 6, PCI_SET_PE: 6, PCI_SET_PELTV: 4 },
  ...{ PCI_MAP_PE_MMIO_WINDOW: 5, PCI_MAP_PE_DMA_WINDOW_REAL: 5 },
  ...{ SET_XIVE: 3, GET_XIVE: 1, PCI_SET_XIVE_PE: 3, GET_MSI_64: 4, PCI_MSI_EOI: 2 },
};

/** The words of a recorded call that are arguments and no pointers. */
export function meaningfulWords(name: string, words: readonly bigint[]): readonly bigint[] {
  const picked = WORDS[name];
  if (picked !== undefined) return picked.map((index) => words[index] ?? 0n);
  return words.slice(0, WORD_COUNTS[name] ?? 0);
}

export function callText({ name, args, rc }: CallRecord): string {
  const shown = args === undefined ? '?' : args.map((value) => value.toString(16)).join(', ');
  return `${name}(${shown})${rc === 0 ? '' : ` = ${rc}`}`;
}
