/**
 * The slot below a root port or a switch's downstream port, reset and powered through the port's own registers.
 * Source: skiboot core/pcie-slot.c: pcie_slot_sm_hreset, pcie_slot_sm_freset, pcie_slot_sm_poll_link,
 * pcie_slot_set_power_state_ext; core/pci-slot.c: pci_slot_prepare_link_change. Facts: opal-pci 6.7, 5.18.
 */
import { CORRECTABLE, UNCORRECTABLE } from '../pcie/aer-capability.js';
import { LNKCTL_FIELDS, LNKSTA_FIELDS, SLTSTA_FIELDS } from '../pcie/capabilities.js';
import { BRIDGE_CONTROL_FIELDS } from '../pcie/config-header.js';
import type { Process } from '../sim/process.js';
import { OpalStatus, Power, Presence, slotIdText } from './opal-api.js';
import type { SlotStateResult } from './opal-results.js';
import { type ConfigSize, readConfig, updateConfig, writeConfig } from './pci-config.js';
import { formatBdfn, type PciDevice, type SlotFacts } from './pci-device.js';
import type { LinkDirection, PciHost } from './pci-host.js';
import {
  AER,
  CONFIG,
  EXPRESS,
  LNKSTA_WIDTH_SHIFT,
  SLTCTL_INDICATOR_OFF,
  SLTCTL_INDICATOR_ON,
  SLTCTL_POWER_INDICATOR,
  SLTCTL_POWER_OFF,
} from './pci-registers.js';
import { restoreDevices } from './pci-restore.js';
import { Slot, SlotState } from './slot.js';

const HOT_HOLD_MS = 250;
const HOT_SETTLE_MS = 1800;
const POWER_MS = 50;
const LINK_POLL_MS = 20;
const LINK_RETRIES = 250;
const BLIND_LINK_MS = 1000;

/** Why power is switched: an order, which leaves slots powered that report their cards by the link; or a reset. */
type PowerReason = 'order' | 'reset';

export class PcieSlot extends Slot {
  private power: number;
  private readonly facts: SlotFacts;

  constructor(
    private readonly phb: PciHost,
    private readonly device: PciDevice,
  ) {
    super(phb, device);
    if (device.slot === undefined) throw new TypeError(`${formatBdfn(device.bdfn)} has no slot below it`);
    this.facts = device.slot;
    this.power = this.facts.poweredAtScan ? Power.ON : Power.OFF;
  }

  override *presence(): Process<SlotStateResult> {
    return { rc: OpalStatus.SUCCESS, state: (yield* this.cardPresent()) ? Presence.PRESENT : Presence.EMPTY };
  }

  /** A port without slot registers cannot tell, so a card is taken for present. */
  private *cardPresent(): Process<boolean> {
    if (!this.facts.implemented) return true;
    const status = yield* readConfig(this.phb, this.device.bdfn, this.express(EXPRESS.SLTSTA), 2);
    return (status & SLTSTA_FIELDS.PRESENCE) !== 0;
  }

  override *linkWidth(): Process<number> {
    const status = yield* readConfig(this.phb, this.device.bdfn, this.express(EXPRESS.LNKSTA), 2);
    if ((status & LNKSTA_FIELDS.DLL_ACTIVE) === 0) return 0;
    return (status & LNKSTA_FIELDS.WIDTH) >> LNKSTA_WIDTH_SHIFT;
  }

  // ---- resets ---------------------------------------------------------------------------------------------------------

  override *hotReset(): Process<number> {
    const bridgeControl = this.register(CONFIG.BRIDGE_CONTROL, 2);
    switch (this.state) {
      case SlotState.NORMAL:
        yield* this.prepareLinkChange('down');
        yield* updateConfig(this.phb, bridgeControl, { set: BRIDGE_CONTROL_FIELDS.SECONDARY_BUS_RESET });
        return this.continueIn(SlotState.PORT_HOT_HOLD, HOT_HOLD_MS);
      case SlotState.PORT_HOT_HOLD:
        yield* updateConfig(this.phb, bridgeControl, { clear: BRIDGE_CONTROL_FIELDS.SECONDARY_BUS_RESET });
        return this.continueIn(SlotState.LINK_START, HOT_SETTLE_MS);
      default:
        return this.unexpectedState(`PCIE-SLOT-${slotIdText(this.id)} HRESET: `);
    }
  }

  /** A power cycle, where the slot can switch power; else only its time passes. */
  override *fundamentalReset(): Process<number> {
    switch (this.state) {
      case SlotState.NORMAL:
        yield* this.prepareLinkChange('down');
        if (this.power !== Power.ON) return yield* this.powerBackOn();
        yield* this.switchPower(Power.OFF, 'reset');
        return this.continueIn(SlotState.PORT_POWER_OFF, POWER_MS);
      case SlotState.PORT_POWER_OFF:
        return yield* this.powerBackOn();
      default:
        return this.unexpectedState(`PCIE-SLOT-${slotIdText(this.id)} FRESET: `);
    }
  }

  private *powerBackOn(): Process<number> {
    yield* this.switchPower(Power.ON, 'reset');
    return this.continueIn(SlotState.LINK_START, POWER_MS);
  }

  // ---- power ----------------------------------------------------------------------------------------------------------

  override *powerState(): Process<SlotStateResult> {
    return { rc: OpalStatus.SUCCESS, state: this.power };
  }

  override *setPower(power: number): Process<number> {
    return yield* this.switchPower(power, 'order');
  }

  private *switchPower(power: number, reason: PowerReason): Process<number> {
    if (this.power === power) return OpalStatus.SUCCESS;
    this.power = power;
    if (!this.facts.powerControl) return OpalStatus.SUCCESS;
    if (reason === 'order' && this.facts.surprisePluggable) {
      // A slot without power could not tell of a new card.
      if (power === Power.OFF) return OpalStatus.SUCCESS;
      this.state = SlotState.SET_POWER_DONE;
      return OpalStatus.ASYNC_COMPLETION;
    }
    this.state = SlotState.SET_POWER_START;
    yield* updateConfig(this.phb, this.register(this.express(EXPRESS.SLTCTL), 2), {
      clear: SLTCTL_POWER_OFF | SLTCTL_POWER_INDICATOR,
      set: power === Power.OFF ? SLTCTL_POWER_OFF | SLTCTL_INDICATOR_OFF : SLTCTL_INDICATOR_ON,
    });
    this.state = SlotState.SET_POWER_DONE;
    return OpalStatus.ASYNC_COMPLETION;
  }

  // ---- link -----------------------------------------------------------------------------------------------------------

  protected override *pollLink(): Process<number> {
    switch (this.state) {
      case SlotState.LINK_START:
        return yield* this.startLink();
      case SlotState.PORT_LINK_POLLING:
        return yield* this.pollDataLink();
      case SlotState.PORT_LINK_SETTLED:
        return yield* this.linkUp();
      default:
        return this.unexpectedState(`PCIE-SLOT-${slotIdText(this.id)} Link: `);
    }
  }

  private *startLink(): Process<number> {
    if (!(yield* this.cardPresent())) {
      this.phb.unblockRootLink?.(this.device);
      return this.finished();
    }
    yield* updateConfig(this.phb, this.register(this.express(EXPRESS.LNKCTL), 2), { clear: LNKCTL_FIELDS.DISABLE });
    if (!this.facts.reportsLink) return this.continueIn(SlotState.PORT_LINK_SETTLED, BLIND_LINK_MS);
    this.retries = LINK_RETRIES;
    return this.continueIn(SlotState.PORT_LINK_POLLING, LINK_POLL_MS);
  }

  private *pollDataLink(): Process<number> {
    const status = yield* readConfig(this.phb, this.device.bdfn, this.express(EXPRESS.LNKSTA), 2);
    if ((status & LNKSTA_FIELDS.DLL_ACTIVE) !== 0) return yield* this.linkUp();
    if (this.retries-- > 0) return this.continueIn(SlotState.PORT_LINK_POLLING, LINK_POLL_MS);
    const shown = status.toString(16).padStart(4, '0');
    this.phb.log(`PCIE-SLOT-${slotIdText(this.id)} LINK: Timeout waiting for up (${shown})`);
    this.phb.unblockRootLink?.(this.device);
    return this.linkTimedOut();
  }

  private *linkUp(): Process<number> {
    yield* this.prepareLinkChange('up');
    return this.finished();
  }

  override *prepareLinkChange(direction: LinkDirection): Process<void> {
    if (this.device.type === 'root-port' && this.phb.prepareRootLink !== undefined) {
      yield* this.phb.prepareRootLink(direction, this.device);
    } else {
      yield* this.maskErrors(direction);
    }
    if (direction === 'up') yield* restoreDevices(this.phb, this.device.children);
  }

  /** Loss of the link, and noise on it, are expected while it is down. */
  private *maskErrors(direction: LinkDirection): Process<void> {
    const { aer } = this.device;
    if (aer === undefined) return;
    const change = (bits: number) => (direction === 'down' ? { set: bits } : { clear: bits });
    if (!this.facts.surprisePluggable) {
      yield* updateConfig(this.phb, this.register(aer + AER.UE_MASK, 4), change(UNCORRECTABLE.SURPRISE_DOWN));
    }
    if (direction === 'up') {
      yield* writeConfig(this.phb, this.register(aer + AER.CE_STATUS, 4), CORRECTABLE.RECEIVER);
    }
    yield* updateConfig(this.phb, this.register(aer + AER.CE_MASK, 4), change(CORRECTABLE.RECEIVER));
  }

  private register(offset: number, size: ConfigSize) {
    return { bdfn: this.device.bdfn, offset, size };
  }

  /** A slot exists only where the scan found the capability. */
  private express(offset: number): number {
    return this.device.express! + offset;
  }
}
