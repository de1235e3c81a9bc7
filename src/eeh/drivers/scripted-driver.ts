/**
 * Any driver with a script around its error callbacks: another answer than its own, a callback that is missing, and deeds
 * before or after what the driver does by itself. Facts: eeh-linux 8.4, 20.
 */
import type { Process } from '../../sim/process.js';
import type { TimeNs } from '../../sim/time.js';
import type { ChannelState } from '../eeh-flags.js';
import type { PciDevice, PciErrorHandlers } from '../pci/device.js';
import type { PciDriver } from './driver.js';
import type { DriverServices } from './services.js';
import type { ErsVote } from './votes.js';

/** The callbacks of recovery, by the names the kernel gives them. */
export const CALLBACKS = ['error_detected', 'mmio_enabled', 'slot_reset', 'resume'] as const;
export type CallbackName = (typeof CALLBACKS)[number];

/** Something a driver does in a callback. */
export type Deed = (device: PciDevice, services: DriverServices) => Process<void>;

export interface CallbackScript {
  /** Instead of the driver's own answer, which is still worked out. `missing`: the driver has no such callback. */
  readonly vote?: ErsVote | 'missing';
  readonly before?: readonly Deed[];
  readonly after?: readonly Deed[];
}

export interface DriverScript extends Readonly<Partial<Record<CallbackName, CallbackScript>>> {
  /** Asks for this kind of reset when it is bound, as the kernel's `needs_freset` does. */
  readonly resetWish?: 'any' | 'fundamental';
}

/** A callback the driver was told of, and what it answered. A callback that never ended has no answer. */
export interface CallbackCall {
  readonly callback: CallbackName;
  readonly device: string;
  readonly timeNs: TimeNs;
  answer: ErsVote | undefined;
}

/** The driver's callback, not begun: what stands before it in the script comes first. */
type OwnCallback = () => Process<ErsVote> | undefined;

/** What a driver without a callback of its own says where the script asks for one without a vote. */
const SILENT: ErsVote = 'none';

function* answerOf(own: OwnCallback): Process<ErsVote> {
  const body = own();
  return body === undefined ? SILENT : yield* body;
}

export class ScriptedDriver implements PciDriver {
  readonly name: string;
  readonly errorHandlers?: PciErrorHandlers;
  /** In order of time. */
  readonly calls: CallbackCall[] = [];
  private services: DriverServices | undefined;

  constructor(
    readonly driver: PciDriver,
    private readonly script: DriverScript,
  ) {
    this.name = driver.name;
    const handlers = this.handlers();
    if (Object.keys(handlers).length > 0) this.errorHandlers = handlers;
  }

  get progress(): number {
    return this.driver.progress ?? 0;
  }

  matches(device: PciDevice): 'yes' | 'no' {
    return this.driver.matches(device);
  }

  *probe(device: PciDevice, services: DriverServices): Process<number> {
    this.services = services;
    device.resetWish = this.script.resetWish ?? device.resetWish;
    return yield* this.driver.probe(device, services);
  }

  *remove(device: PciDevice): Process<void> {
    yield* this.driver.remove(device);
  }

  private handlers(): PciErrorHandlers {
    const own = this.driver.errorHandlers;
    return {
      ...(this.has('error_detected', own?.errorDetected) && {
        errorDetected: (device: PciDevice, state: ChannelState) => this.errorDetected(device, state),
      }),
      ...(this.has('mmio_enabled', own?.mmioEnabled) && {
        mmioEnabled: (device: PciDevice) => this.vote('mmio_enabled', device, () => own?.mmioEnabled?.(device)),
      }),
      ...(this.has('slot_reset', own?.slotReset) && {
        slotReset: (device: PciDevice) => this.vote('slot_reset', device, () => own?.slotReset?.(device)),
      }),
      ...(this.has('resume', own?.resume) && { resume: (device: PciDevice) => this.resume(device) }),
    };
  }

  private has(callback: CallbackName, own: unknown): boolean {
    const part = this.script[callback];
    return part?.vote !== 'missing' && (own !== undefined || part !== undefined);
  }

  /** The script is about recovery; of a device that is lost the driver itself is told, and nobody asks for an answer. */
  private *errorDetected(device: PciDevice, state: ChannelState): Process<ErsVote> {
    const own = (): Process<ErsVote> | undefined => this.driver.errorHandlers?.errorDetected?.(device, state);
    return state === 'perm-failure' ? yield* answerOf(own) : yield* this.vote('error_detected', device, own);
  }

  private *vote(callback: CallbackName, device: PciDevice, own: OwnCallback): Process<ErsVote> {
    const call = this.begin(callback, device);
    const { vote, before, after } = this.script[callback] ?? {};
    yield* this.doAll(before, device);
    const answer = yield* answerOf(own);
    yield* this.doAll(after, device);
    call.answer = vote === undefined || vote === 'missing' ? answer : vote;
    return call.answer;
  }

  private *resume(device: PciDevice): Process<void> {
    const call = this.begin('resume', device);
    const { before, after } = this.script.resume ?? {};
    yield* this.doAll(before, device);
    const own = this.driver.errorHandlers?.resume?.(device);
    if (own !== undefined) yield* own;
    yield* this.doAll(after, device);
    call.answer = SILENT;
  }

  private begin(callback: CallbackName, device: PciDevice): CallbackCall {
    const timeNs = this.services?.nowNs ?? 0;
    const call: CallbackCall = { callback, device: device.name, timeNs, answer: undefined };
    this.calls.push(call);
    return call;
  }

  private *doAll(deeds: readonly Deed[] | undefined, device: PciDevice): Process<void> {
    if (this.services === undefined) return;
    for (const deed of deeds ?? []) yield* deed(device, this.services);
  }
}
