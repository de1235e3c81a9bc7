/**
 * The slot of a P7IOC PHB: power, hot, fundamental and complete reset of everything below the root port.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_hreset, p7ioc_freset, p7ioc_creset, p7ioc_poll_link, p7ioc_phb_slot_create.
 * Facts: ioda1-p7ioc 7.12, opal-pci 6.5.
 */
import { msbMask } from '../../hw/bits.js';
import { fenceWofMask } from '../../ioda1/registers/hub-rgc.js';
import { BRIDGE_CONTROL_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import { OpalStatus, Power, Presence } from '../opal-api.js';
import type { SlotStateResult } from '../opal-results.js';
import type { LinkDirection, PciHost } from '../pci-host.js';
import { CONFIG } from '../pci-registers.js';
import { restoreDevices } from '../pci-restore.js';
import { ROOT_PORT } from '../root-port.js';
import { Slot } from '../slot.js';
import { phbBits } from './access.js';
import { updateConfig } from './config.js';
import {
  cardPresent,
  linkActive,
  linkWidth,
  orderPower,
  prepareLinkDown,
  prepareLinkUp,
  receiverDisabled,
  setTransmitter,
  slotPowered,
  switchPower,
} from './link.js';
import type { P7iocPhb } from './phb.js';
import { resetPhb } from './phb-reset.js';

/** State numbers of this driver; the upper digits are those of every slot. */
export const P7iocSlotState = {
  NORMAL: 0x000,
  LINK_START: 0x101,
  LINK_WAIT: 0x102,
  HOT_START: 0x201,
  HOT_TRAINING: 0x202,
  HOT_DELAY: 0x203,
  HOT_DELAY2: 0x204,
  FUNDAMENTAL_START: 0x301,
  FUNDAMENTAL_TRAINING: 0x302,
  FUNDAMENTAL_POWER_OFF: 0x303,
  FUNDAMENTAL_POWER_ON: 0x304,
  FUNDAMENTAL_ASSERT: 0x305,
} as const;

const TRAINING_POLL_MS = 10;
const HOT_TRAINING_RETRIES = 15;
const FUNDAMENTAL_TRAINING_RETRIES = 200;
const HOT_ASSERT_MS = 1000;
const HOT_SETTLE_MS = 200;
const POWER_MS = 2000;
const PERST_ASSERT_MS = 1000;
const LINK_POLL_MS = 10;
const LINK_RETRIES = 100;

const PERST_RELEASED = phbBits('PHB_RESET', 'PERST');
const BRIDGE_CONTROL = { bdfn: ROOT_PORT, offset: CONFIG.BRIDGE_CONTROL, size: 2 } as const;
/** The error by which the register control reports a fenced PHB; while it stands, no other interrupts. */
const RGC_FENCE_ERROR = msbMask(18);

export class P7iocSlot extends Slot {
  constructor(
    private readonly phb: P7iocPhb,
    private readonly pci: PciHost,
  ) {
    super(pci);
  }

  // ---- state and power ------------------------------------------------------------------------------------------------

  override *presence(): Process<SlotStateResult> {
    return { rc: OpalStatus.SUCCESS, state: (yield* cardPresent(this.phb)) ? Presence.PRESENT : Presence.EMPTY };
  }

  override *powerState(): Process<SlotStateResult> {
    return { rc: OpalStatus.SUCCESS, state: (yield* slotPowered(this.phb)) ? Power.ON : Power.OFF };
  }

  override *setPower(power: number): Process<number> {
    if (power !== Power.OFF && power !== Power.ON) return OpalStatus.PARAMETER;
    yield* orderPower(this.phb, power);
    return OpalStatus.SUCCESS;
  }

  override *linkWidth(): Process<number> {
    return yield* linkWidth(this.phb);
  }

  override *prepareLinkChange(direction: LinkDirection): Process<void> {
    if (direction === 'down') return yield* prepareLinkDown(this.phb);
    yield* prepareLinkUp(this.phb);
    this.state = P7iocSlotState.NORMAL;
    yield* restoreDevices(this.pci, this.phb.devices);
  }

  // ---- link -----------------------------------------------------------------------------------------------------------

  protected override *pollLink(): Process<number> {
    if (this.state === P7iocSlotState.LINK_START) return yield* this.startLink();
    if (yield* linkActive(this.phb)) {
      yield* this.prepareLinkChange('up');
      return OpalStatus.SUCCESS;
    }
    if (this.retries-- > 0) return this.continueIn(P7iocSlotState.LINK_WAIT, LINK_POLL_MS);
    return this.giveUp('LINK: Timeout waiting for link up');
  }

  private *startLink(): Process<number> {
    yield* setTransmitter(this.phb, 'on');
    this.retries = LINK_RETRIES;
    return this.continueIn(P7iocSlotState.LINK_WAIT, LINK_POLL_MS);
  }

  private giveUp(problem: string): number {
    this.phb.log(problem);
    this.unblock();
    return this.finished(OpalStatus.HARDWARE);
  }

  /** Real firmware opens configuration space again only when the link is up. */
  private unblock(): void {
    if (this.phb.profile.linkTimeoutBlock === 'corrected') this.phb.configBlocked = false;
  }

  // ---- hot reset ------------------------------------------------------------------------------------------------------

  override *hotReset(): Process<number> {
    switch (this.state) {
      case P7iocSlotState.NORMAL:
        if (!(yield* cardPresent(this.phb))) return OpalStatus.SUCCESS;
        yield* this.prepareLinkChange('down');
        yield* this.stopTraining(P7iocSlotState.HOT_TRAINING, HOT_TRAINING_RETRIES);
        return (yield* this.awaitReceiver()) ?? (yield* this.assertBusReset());
      case P7iocSlotState.HOT_TRAINING:
        return (yield* this.awaitReceiver()) ?? (yield* this.assertBusReset());
      case P7iocSlotState.HOT_DELAY:
        yield* updateConfig(this.phb, BRIDGE_CONTROL, { clear: BRIDGE_CONTROL_FIELDS.SECONDARY_BUS_RESET });
        return this.continueIn(P7iocSlotState.HOT_DELAY2, HOT_SETTLE_MS);
      case P7iocSlotState.HOT_DELAY2:
        return yield* this.startLink();
      default:
        return this.unexpectedState('HRESET: ');
    }
  }

  private *stopTraining(state: number, retries: number): Process<void> {
    yield* setTransmitter(this.phb, 'off');
    this.state = state;
    this.retries = retries;
  }

  /** Undefined once the receiver is off; until then what the poll answers. */
  private *awaitReceiver(): Process<number | undefined> {
    if (yield* receiverDisabled(this.phb)) return undefined;
    if (this.retries-- > 0) return this.continueIn(this.state, TRAINING_POLL_MS);
    return this.giveUp('HRESET: Timeout disabling link training');
  }

  private *assertBusReset(): Process<number> {
    yield* updateConfig(this.phb, BRIDGE_CONTROL, { set: BRIDGE_CONTROL_FIELDS.SECONDARY_BUS_RESET });
    return this.continueIn(P7iocSlotState.HOT_DELAY, HOT_ASSERT_MS);
  }

  // ---- fundamental reset ----------------------------------------------------------------------------------------------

  override *fundamentalReset(): Process<number> {
    switch (this.state) {
      case P7iocSlotState.NORMAL:
      case P7iocSlotState.FUNDAMENTAL_START:
        return yield* this.powerCycle();
      case P7iocSlotState.FUNDAMENTAL_POWER_OFF:
        return yield* this.powerOn();
      case P7iocSlotState.FUNDAMENTAL_POWER_ON:
        yield* this.stopTraining(this.trainingState(), FUNDAMENTAL_TRAINING_RETRIES);
        return (yield* this.awaitReceiver()) ?? (yield* this.assertPerst());
      case P7iocSlotState.FUNDAMENTAL_TRAINING:
        return (yield* this.awaitReceiver()) ?? (yield* this.assertPerst());
      case P7iocSlotState.FUNDAMENTAL_ASSERT:
        yield* this.phb.access.update('PHB_RESET', 0n, PERST_RELEASED);
        return yield* this.startLink();
      default:
        return this.unexpectedState('FRESET: ');
    }
  }

  /** Real firmware takes the state of the hot reset: the next poll, if there is one, goes on there. */
  private trainingState(): number {
    return this.phb.profile.fundamentalTraining === 'corrected'
      ? P7iocSlotState.FUNDAMENTAL_TRAINING
      : P7iocSlotState.HOT_TRAINING;
  }

  private *powerCycle(): Process<number> {
    const { phb } = this;
    if (!(yield* cardPresent(phb))) {
      this.unblock();
      return this.finished();
    }
    yield* this.prepareLinkChange('down');
    if (!(yield* slotPowered(phb))) return yield* this.powerOn();
    yield* switchPower(phb, Power.OFF, yield* phb.access.read('PHB_HOTPLUG_OVERRIDE'));
    return this.continueIn(P7iocSlotState.FUNDAMENTAL_POWER_OFF, POWER_MS);
  }

  private *powerOn(): Process<number> {
    const { phb } = this;
    yield* switchPower(phb, Power.ON, yield* phb.access.read('PHB_HOTPLUG_OVERRIDE'));
    return this.continueIn(P7iocSlotState.FUNDAMENTAL_POWER_ON, POWER_MS);
  }

  private *assertPerst(): Process<number> {
    yield* this.phb.access.update('PHB_RESET', PERST_RELEASED, 0n);
    return this.continueIn(P7iocSlotState.FUNDAMENTAL_ASSERT, PERST_ASSERT_MS);
  }

  // ---- complete reset -------------------------------------------------------------------------------------------------

  /** The reset of the PHB itself happens inside the call; what follows is a fundamental reset. */
  override *completeReset(): Process<number> {
    const { phb } = this;
    if (this.state !== P7iocSlotState.NORMAL) return this.unexpectedState('CRESET: ');
    phb.configBlocked = true;
    yield* resetPhb(phb);
    yield* this.forgetFence();
    if (phb.broken && phb.profile.failedReinit === 'corrected') return this.finished(OpalStatus.HARDWARE);
    this.state = P7iocSlotState.FUNDAMENTAL_START;
    return yield* this.fundamentalReset();
  }

  /** The hub still shows the fence that was. */
  private *forgetFence(): Process<void> {
    const { access } = this.phb.hub;
    yield* access.update('CHIP_FENCE_WOF', fenceWofMask(this.phb.index), 0n);
    yield* access.update('RGC_LEM_WOF', RGC_FENCE_ERROR, 0n);
    yield* access.update('RGC_LEM_FIR_ACCUM', RGC_FENCE_ERROR, 0n);
  }
}
