/**
 * OPAL_PCI_SET_POWER_STATE: at once where nothing takes time, else by a timer and a message when it is done.
 * Source: skiboot core/pci-opal.c: opal_pci_set_power_state, set_power_timer (6.2), link_up_timer (7.1).
 * Facts: opal-pci 5.18, 9.3.
 */
import { delay, type Process } from '../sim/process.js';
import type { Simulator } from '../sim/simulator.js';
import { ms } from '../sim/time.js';
import { readDeviceNodes } from './device-tree.js';
import type { MessageQueue } from './messages.js';
import { MessageType, OpalStatus, Power, slotIdText } from './opal-api.js';
import type { Platform, SlotPlace } from './platform.js';
import { removeBelow, rescanBelow } from './scan.js';
import { type PowerOrder, type Slot, SlotState } from './slot.js';

const TIMER_MS = 10;
const TIMER_TRIES = 500;
const FIRST_LINK_POLL_MS = 20;

const { SUCCESS, PARAMETER, UNSUPPORTED, HARDWARE, BUSY, ASYNC_COMPLETION } = OpalStatus;

export interface PowerRequest {
  /** Names the completion message. */
  readonly token: bigint;
  readonly power: number;
}

/** What is left to do, in milliseconds until it is looked at again; `done` with its return code. */
type TimerStep = { readonly againMs: number } | { readonly done: number } | 'forget';

interface Timer {
  readonly order: PowerOrder;
  readonly firstMs: number;
  readonly step: (order: PowerOrder) => Process<TimerStep>;
}

export class SlotPower {
  constructor(
    private readonly platform: Platform,
    private readonly messages: MessageQueue,
    private readonly sim: Simulator,
    private readonly log: (line: string) => void,
  ) {}

  /** Runs with the PHB's lock held. */
  *set(place: SlotPlace, { token, power }: PowerRequest): Process<number> {
    switch (power) {
      case Power.OFF:
        return yield* this.powerOff(place, token);
      case Power.ON:
        return yield* this.powerOn(place, token);
      case Power.OFFLINE:
      case Power.ONLINE:
        if (place.slot.bridge === undefined) return PARAMETER;
        yield* power === Power.OFFLINE ? removeDevices(place) : findDevices(place);
        return SUCCESS;
      default:
        return PARAMETER;
    }
  }

  private *powerOff(place: SlotPlace, token: bigint): Process<number> {
    const { slot } = place;
    if (slot.prepareLinkChange === undefined || slot.setPower === undefined) return UNSUPPORTED;
    slot.powerOrder = { token, power: Power.OFF };
    yield* slot.prepareLinkChange('down');
    const rc = yield* slot.setPower(Power.OFF);
    if (rc === ASYNC_COMPLETION) this.startTimer(place, TIMER_MS, (order) => this.powerTimer(place, order));
    else if (rc === SUCCESS) yield* removeDevices(place);
    return rc;
  }

  private *powerOn(place: SlotPlace, token: bigint): Process<number> {
    const { slot, phb } = place;
    if (slot.setPower === undefined || slot.linkWidth === undefined) return UNSUPPORTED;
    slot.powerOrder = { token, power: Power.ON };
    const rc = yield* slot.setPower(Power.ON);
    if (rc === ASYNC_COMPLETION) this.startTimer(place, TIMER_MS, (order) => this.powerTimer(place, order));
    if (rc !== SUCCESS) return rc;
    if (phb.profile.powerOnLink === 'corrected') {
      this.awaitLink(place);
      return ASYNC_COMPLETION;
    }
    yield* bringUp(place);
    return SUCCESS;
  }

  // ---- timers -----------------------------------------------------------------------------------------------------------

  private startTimer(place: SlotPlace, firstMs: number, step: (order: PowerOrder) => Process<TimerStep>): void {
    const { slot } = place;
    const order = slot.powerOrder!;
    slot.retries = TIMER_TRIES;
    this.sim.spawn(`OPAL power of slot ${slotIdText(slot.id)}`, this.timer(place, { order, firstMs, step }));
  }

  /** A later order for the slot, or its removal, ends the timer (M): real firmware has one timer a slot. */
  private *timer(place: SlotPlace, { order, firstMs, step }: Timer): Process<void> {
    const { slot, phb } = place;
    for (let waitMs = firstMs; ; ) {
      yield* delay(ms(waitMs));
      if (slot.powerOrder !== order || !this.isThere(place)) return;
      waitMs = TIMER_MS;
      // Firmware does not wait for locks in a timer.
      if (phb.lock.held) continue;
      const result = yield* phb.lock.hold(step(order));
      if (result === 'forget') return;
      if ('done' in result) return this.complete(place, order, result.done);
      waitMs = result.againMs;
    }
  }

  private isThere({ slot, phb }: SlotPlace): boolean {
    return slot.bridge === undefined || phb.portSlots.get(slot.bridge.bdfn) === slot;
  }

  private complete(place: SlotPlace, { token, power }: PowerOrder, rc: number): void {
    place.slot.settle();
    const params = [token, BigInt(this.platform.phandleOf(place)), BigInt(power), BigInt(rc)];
    this.messages.queue({ type: MessageType.ASYNC_COMP, params });
  }

  private *powerTimer(place: SlotPlace, { power }: PowerOrder): Process<TimerStep> {
    const { slot, phb } = place;
    if (slot.stateNumber === SlotState.SET_POWER_START) return retry(slot);
    if (slot.stateNumber !== SlotState.SET_POWER_DONE) {
      this.log(`PCI SLOT ${slotIdText(slot.id)}: Unexpected state 0x${slot.stateNumber.toString(16).padStart(8, '0')}`);
      slot.powerOrder = undefined;
      return 'forget';
    }
    if (power === Power.OFF) {
      yield* removeDevices(place);
      return { done: SUCCESS };
    }
    if (phb.profile.powerOnLink === 'corrected') {
      this.awaitLink(place);
      return 'forget';
    }
    if ((yield* slot.linkWidth!()) === 0) return retry(slot);
    yield* bringUp(place);
    return { done: SUCCESS };
  }

  /** Polls the link as a reset does, then looks what is there. */
  private awaitLink(place: SlotPlace): void {
    place.slot.startLinkPoll();
    this.startTimer(place, FIRST_LINK_POLL_MS, () => linkStep(place));
  }
}

/** Not done yet; the last try gives up. */
function retry(slot: Slot): TimerStep {
  return slot.retries-- === 0 ? { done: BUSY } : { againMs: TIMER_MS };
}

function* linkStep(place: SlotPlace): Process<TimerStep> {
  const { slot } = place;
  const rc = yield* slot.poll();
  if (rc > 0) return { againMs: rc };
  if (rc < 0) return { done: rc };
  if ((yield* slot.linkWidth!()) === 0) return { done: HARDWARE };
  yield* findDevices(place);
  return { done: SUCCESS };
}

// ---- what firmware knows of the devices below ----------------------------------------------------------------------------

function* removeDevices({ slot, phb }: SlotPlace): Process<void> {
  if (slot.bridge !== undefined) yield* removeBelow(phb, slot.bridge);
}

function* findDevices({ slot, phb }: SlotPlace): Process<void> {
  if (slot.bridge === undefined) return;
  yield* rescanBelow(phb, slot.bridge);
  yield* readDeviceNodes(phb, slot.bridge.children);
}

function* bringUp(place: SlotPlace): Process<void> {
  if (place.slot.prepareLinkChange !== undefined) yield* place.slot.prepareLinkChange('up');
  yield* findDevices(place);
}
