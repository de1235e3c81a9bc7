/** The operator: does the actions of a scenario at their times, each as a process of its own, as a shell would. */
import { EehControls } from '../eeh/interfaces/controls.js';
import { errnoText } from '../eeh/interfaces/errno-text.js';
import { KernelFileError, KernelFiles } from '../eeh/interfaces/files.js';
import type { PciDevice } from '../eeh/pci/device.js';
import type { AnySystem, SystemSlot } from '../machine/system.js';
import { delay, type Process } from '../sim/process.js';
import type { TimeNs } from '../sim/time.js';
import type { ActionKind, PlannedAction } from './action.js';

/** An action that was begun; it may have to wait for the kernel. */
export interface ActionSeen {
  readonly action: PlannedAction;
  readonly timeNs: TimeNs;
  /** Why nothing could be done. */
  missed: string | undefined;
  /** Undefined while the kernel keeps the operator waiting. */
  endedNs: TimeNs | undefined;
}

/** Undefined: done. Else why not. */
type Outcome = string | undefined;
type Deed = (target: string, action: PlannedAction) => Process<Outcome>;

export class Operator {
  /** In order of time. */
  readonly seen: ActionSeen[] = [];
  private waiting = 0;
  private readonly controls: EehControls;
  private readonly files: KernelFiles;

  constructor(private readonly system: AnySystem) {
    this.controls = new EehControls(system.kernel);
    this.files = new KernelFiles(system.kernel);
  }

  /** Actions that are still to be begun. */
  get outstanding(): number {
    return this.waiting;
  }

  plan(action: PlannedAction): void {
    this.waiting++;
    this.system.sim.spawn(`operator: ${action.kind}`, this.act(action), { daemon: true });
  }

  private *act(action: PlannedAction): Process<void> {
    const { sim } = this.system;
    yield* delay(action.atNs - sim.now);
    this.waiting--;
    const seen: ActionSeen = { action, timeNs: sim.now, missed: undefined, endedNs: undefined };
    this.seen.push(seen);
    seen.missed = yield* this.deeds[action.kind](action.target ?? '', action);
    seen.endedNs = sim.now;
  }

  private readonly deeds: Readonly<Record<ActionKind, Deed>> = {
    remove: (target) => this.onDevice(target, (device) => this.controls.removeDevice(device)),
    rescan: () => ended(this.controls.rescan()),
    unplug: (target) => this.onSocket(target, 'filled', ({ place }) => place.socket.pull()),
    plug: (target) => this.onSocket(target, 'empty', ({ place }) => place.socket.putBack()),
    check: (target) => this.onDevice(target, (device) => this.controls.checkDevice(device)),
    break: (target) => this.onDevice(target, (device) => this.controls.breakDevice(device)),
    thaw: (target) => this.onDevice(target, (device) => this.controls.thawPe(device)),
    'force-recover': (target) => this.forceRecover(target),
    read: (_target, { file }) => this.read(file!),
    write: (_target, { file, value }) => this.write(file!, value!),
    hwcheck: () => atOnce(() => this.controls.lookForErrors()),
  };

  private *onDevice(name: string, deed: (device: PciDevice) => Process<unknown>): Process<Outcome> {
    const device = this.system.slot(name)?.device;
    if (device === undefined) return `the kernel does not have ${name} now`;
    const rc = yield* deed(device);
    return typeof rc === 'number' && rc < 0 ? errnoText(rc) : undefined;
  }

  private *onSocket(name: string, wanted: 'filled' | 'empty', deed: (slot: SystemSlot) => void): Process<Outcome> {
    const slot = this.system.slot(name)!;
    const state = slot.place.socket.isFilled ? 'filled' : 'empty';
    if (state !== wanted) return `the slot of ${name} is ${state}`;
    deed(slot);
    return undefined;
  }

  private *read(path: string): Process<Outcome> {
    try {
      yield* this.files.read(path);
      return undefined;
    } catch (error) {
      if (error instanceof KernelFileError) return error.message;
      throw error;
    }
  }

  private *write(path: string, value: string): Process<Outcome> {
    const rc = yield* this.files.write(path, value);
    return rc < 0 ? `${path}: ${errnoText(rc)}` : undefined;
  }

  private *forceRecover(name: string): Process<Outcome> {
    const pe = this.system.peOf(name);
    if (pe === undefined) return `the kernel has no PE for ${name} now`;
    this.system.kernel.forceRecovery(pe);
    return undefined;
  }
}

function* ended(body: Process<unknown>): Process<Outcome> {
  yield* body;
  return undefined;
}

function* atOnce(deed: () => void): Process<Outcome> {
  deed();
  return undefined;
}
