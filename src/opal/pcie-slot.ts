/**
 * The slot below a root port or a switch's downstream port, reset through the port's own registers.
 * Source: skiboot core/pcie-slot.c: pcie_slot_sm_hreset, pcie_slot_sm_freset, pcie_slot_sm_poll_link;
 * core/pci-slot.c: pci_slot_prepare_link_change. Facts: opal-pci 6.7, 5.18.
 */
import { CORRECTABLE, UNCORRECTABLE } from '../pcie/aer-capability.js';
import { LNKCTL_FIELDS, LNKSTA_FIELDS, SLTSTA_FIELDS } from '../pcie/capabilities.js';
import { BRIDGE_CONTROL_FIELDS } from '../pcie/config-header.js';
import type { Process } from '../sim/process.js';
import { OpalStatus, Power, Presence } from './opal-api.js';
import { formatBdfn, type PciDevice, type SlotFacts } from './pci-device.js';
import { AER, CONFIG, EXPRESS, SLTCTL_POWER_OFF } from './pci-registers.js';
import { restoreDevices } from './pci-restore.js';
import type { Phb3 } from './phb3.js';
import { readConfig, updateConfig, writeConfig } from './phb3-config.js';
import type { ConfigSize } from './phb3-config-cycle.js';
import { type LinkOwner, prepareLinkDown, prepareLinkUp } from './phb3-link.js';
import { Slot, SlotState, type SlotStateResult } from './slot.js';

const HOT_HOLD_MS = 250;
const HOT_SETTLE_MS = 1800;
const POWER_MS = 50;
const LINK_POLL_MS = 20;
const LINK_RETRIES = 250;
const BLIND_LINK_MS = 1000;

export class PcieSlot extends Slot {
  private retries = 0;
  private power: number = Power.ON;
  private readonly facts: SlotFacts;

  constructor(
    private readonly phb: Phb3,
    private readonly device: PciDevice,
  ) {
    super(phb.port, (line) => phb.log(`${formatBdfn(device.bdfn)}: ${line}`));
    if (device.slot === undefined) throw new TypeError(`${formatBdfn(device.bdfn)} has no slot below it`);
    this.facts = device.slot;
  }

  *presence(): Process<SlotStateResult> {
    return { rc: OpalStatus.SUCCESS, state: (yield* this.cardPresent()) ? Presence.PRESENT : Presence.EMPTY };
  }

  override powerState(): SlotStateResult {
    return { rc: OpalStatus.SUCCESS, state: this.power };
  }

  /** A port without slot registers cannot tell, so a card is taken for present. */
  private *cardPresent(): Process<boolean> {
    if (!this.facts.implemented) return true;
    const status = yield* readConfig(this.phb, this.device.bdfn, this.express(EXPRESS.SLTSTA), 2);
    return (status & SLTSTA_FIELDS.PRESENCE) !== 0;
  }

  override *hotReset(): Process<number> {
    const bridgeControl = this.register(CONFIG.BRIDGE_CONTROL, 2);
    switch (this.state) {
      case SlotState.NORMAL:
        yield* this.prepareLink('down');
        yield* updateConfig(this.phb, bridgeControl, { set: BRIDGE_CONTROL_FIELDS.SECONDARY_BUS_RESET });
        return this.continueIn(SlotState.PORT_HOT_HOLD, HOT_HOLD_MS);
      case SlotState.PORT_HOT_HOLD:
        yield* updateConfig(this.phb, bridgeControl, { clear: BRIDGE_CONTROL_FIELDS.SECONDARY_BUS_RESET });
        return this.continueIn(SlotState.LINK_START, HOT_SETTLE_MS);
      default:
        return this.unexpectedState();
    }
  }

  /** A power cycle, where the slot can switch power; else only its time passes. */
  override *fundamentalReset(): Process<number> {
    switch (this.state) {
      case SlotState.NORMAL:
        yield* this.prepareLink('down');
        yield* this.setPower('off');
        return this.continueIn(SlotState.PORT_POWER_OFF, POWER_MS);
      case SlotState.PORT_POWER_OFF:
        yield* this.setPower('on');
        return this.continueIn(SlotState.LINK_START, POWER_MS);
      default:
        return this.unexpectedState();
    }
  }

  private *setPower(power: 'on' | 'off'): Process<void> {
    this.power = power === 'on' ? Power.ON : Power.OFF;
    if (!this.facts.powerControl) return;
    const change = power === 'off' ? { set: SLTCTL_POWER_OFF } : { clear: SLTCTL_POWER_OFF };
    yield* updateConfig(this.phb, this.register(this.express(EXPRESS.SLTCTL), 2), change);
  }

  protected override *pollLink(): Process<number> {
    switch (this.state) {
      case SlotState.LINK_START:
        return yield* this.startLink();
      case SlotState.PORT_LINK_SETTLED:
        return yield* this.linkUp();
      case SlotState.PORT_LINK_POLLING:
        return yield* this.pollDataLink();
      default:
        return this.unexpectedState();
    }
  }

  private *startLink(): Process<number> {
    if (!(yield* this.cardPresent())) return this.finished();
    yield* updateConfig(this.phb, this.register(this.express(EXPRESS.LNKCTL), 2), { clear: LNKCTL_FIELDS.DISABLE });
    if (!this.facts.reportsLink) return this.continueIn(SlotState.PORT_LINK_SETTLED, BLIND_LINK_MS);
    this.retries = LINK_RETRIES;
    return this.continueIn(SlotState.PORT_LINK_POLLING, LINK_POLL_MS);
  }

  private *pollDataLink(): Process<number> {
    const status = yield* readConfig(this.phb, this.device.bdfn, this.express(EXPRESS.LNKSTA), 2);
    if ((status & LNKSTA_FIELDS.DLL_ACTIVE) !== 0) return yield* this.linkUp();
    if (this.retries-- > 0) return this.continueIn(SlotState.PORT_LINK_POLLING, LINK_POLL_MS);
    this.phb.log(`${formatBdfn(this.device.bdfn)}: link down after ${LINK_RETRIES * LINK_POLL_MS} ms`);
    return this.finished();
  }

  private *linkUp(): Process<number> {
    yield* this.prepareLink('up');
    yield* restoreDevices(this.phb, this.device.children);
    return this.finished();
  }

  /** The root port's own slot shares the PHB's link, and its handling. */
  private *prepareLink(direction: 'up' | 'down'): Process<void> {
    if (this.device.type === 'root-port') {
      const owner: LinkOwner = this.facts.surprisePluggable ? 'surprise' : 'phb';
      yield* direction === 'up' ? prepareLinkUp(this.phb, owner) : prepareLinkDown(this.phb, owner);
      return;
    }
    yield* this.maskErrors(direction === 'up' ? 'unmasked' : 'masked');
  }

  /** Loss of the link, and noise on it, are expected during a reset. */
  private *maskErrors(errors: 'masked' | 'unmasked'): Process<void> {
    const { aer } = this.device;
    if (aer === undefined) return;
    const change = (bits: number) => (errors === 'masked' ? { set: bits } : { clear: bits });
    if (!this.facts.surprisePluggable) {
      yield* updateConfig(this.phb, this.register(aer + AER.UE_MASK, 4), change(UNCORRECTABLE.SURPRISE_DOWN));
    }
    if (errors === 'unmasked') {
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
