/**
 * Hotplug slots as the PowerNV driver has them, and how they meet recovery: presence, power, attention LED, the reset with
 * the interrupt disabled, and a card that is pulled: its PE is isolated without an event, and a worker unplugs what was
 * there. Source: linux drivers/pci/hotplug/pnv_php.c: pnv_php_register_one, pnv_php_enable, pnv_php_disable_slot,
 * pnv_php_event_handler, pnv_php_get_adapter_state, pnv_php_reset_slot, pnv_php_detect_clear_suprise_removal_freeze;
 * facts: eeh-linux 19.
 */
import { OpalStatus, Power, Presence } from '../opal/opal-api.js';
import { LNKSTA_FIELDS, PortType, SLTSTA_FIELDS } from '../pcie/capabilities.js';
import { type Process, Signal, wait } from '../sim/process.js';
import type { KernelContext } from './context.js';
import { EehLimits, EehOption, PeState } from './eeh-flags.js';
import { edevOf } from './eeh-pe.js';
import type { EehThaw } from './eeh-thaw.js';
import { EIO, ENODEV, ENXIO } from './errno.js';
import { type SlotInterrupt, SlotInterrupts } from './hotplug-interrupt.js';
import type { InterruptLines } from './interrupt-lines.js';
import { configTarget, type PciConfig } from './pci/config.js';
import { type HotplugSlot, hex, type PciBus, type PciDevice } from './pci/device.js';
import type { DeviceEnable } from './pci/enable.js';
import type { PciHotplug } from './pci/hotplug.js';
import type { PciMessages } from './pci/messages.js';
import { PCIE, Slot } from './pci/regs.js';
import type { EehPlatform } from './powernv/eeh-platform.js';

export type SlotState = 'present' | 'empty' | 'unknown';

export interface SlotParts {
  readonly config: PciConfig;
  readonly platform: EehPlatform;
  readonly thaw: EehThaw;
  readonly enable: DeviceEnable;
  readonly messages: PciMessages;
  readonly lines: InterruptLines;
  readonly hotplug: () => PciHotplug;
}

/** What the driver remembers of a slot. */
interface SlotRecord {
  readonly bus: PciBus;
  readonly slot: HotplugSlot;
  /** `registered`: its devices are yet to be looked for; `populated`: they were, found or not. */
  state: 'registered' | 'populated';
  /** The first look takes firmware's power for what it is. */
  looked: 'yes' | 'no';
  interrupt: SlotInterrupt | undefined;
  readonly work: ('added' | 'removed')[];
  readonly wake: Signal;
}

const WORKER = 'pciehp';

export class HotplugSlots {
  private readonly records: SlotRecord[] = [];
  private readonly interrupts: SlotInterrupts;

  constructor(
    private readonly ctx: KernelContext,
    private readonly parts: SlotParts,
  ) {
    this.interrupts = new SlotInterrupts(ctx, parts);
  }

  /** All slots of the machine, by bus. */
  buses(): PciBus[] {
    return this.ctx.controllers.flatMap((controller) => controller.buses().filter((bus) => bus.slot !== undefined));
  }

  /** Slots whose interrupt is in use. */
  get armedSlots(): number {
    return this.records.filter(({ interrupt }) => interrupt !== undefined).length;
  }

  /** Lets in the interrupts of slots whose cards may come and go by surprise, unless a driver uses the port's messages. */
  *register(): Process<void> {
    for (const bus of this.buses()) {
      const { slot, bridge, controller } = bus;
      if (slot === undefined || bridge === undefined || this.recordOf(slot) !== undefined) continue;
      const wake = new Signal(this.ctx.sim, `hotplug work of ${slot.name}`);
      const record: SlotRecord = { bus, slot, state: 'registered', looked: 'no', interrupt: undefined, work: [], wake };
      this.records.push(record);
      yield* this.enable(record, 'boot');
      if (controller.slotBelow(bridge)?.surprisePluggable !== true || bridge.interrupt === 'message') continue;
      record.interrupt = yield* this.interrupts.request(bridge, () => this.interrupt(bus));
    }
  }

  /** The worker of each slot with an interrupt, by its name. */
  workers(): { readonly name: string; readonly body: Process<void> }[] {
    const armed = this.records.filter(({ interrupt }) => interrupt !== undefined);
    return armed.map((record) => ({ name: `${WORKER}-${record.slot.name}`, body: this.worker(record) }));
  }

  /** Is a card there? A switch port whose link is up has one, whatever firmware says. */
  *adapterState(slot: HotplugSlot): Process<SlotState> {
    const { rc, state } = yield* this.ctx.opal.pciGetPresenceState(slot.id);
    if (rc !== OpalStatus.SUCCESS) {
      this.ctx.log.warn(`${this.nameOf(slot)}: Error ${EIO} getting presence`);
      return 'unknown';
    }
    if (state !== Presence.EMPTY) return 'present';
    const bridge = this.bridgeOf(slot);
    if (bridge?.capabilities.portType !== PortType.downstream) return 'empty';
    return ((yield* this.readPort(bridge, PCIE.LNKSTA.at)) & LNKSTA_FIELDS.DLL_ACTIVE) !== 0 ? 'present' : 'empty';
  }

  *setAttention(slot: HotplugSlot, led: 'on' | 'off'): Process<void> {
    slot.attention = led;
    const bridge = this.bridgeOf(slot);
    if (bridge === undefined) return;
    const control = (yield* this.readPort(bridge, PCIE.SLTCTL.at)) & ~Slot.CONTROL_ATTENTION;
    const bits = led === 'on' ? Slot.CONTROL_ATTENTION_ON : Slot.CONTROL_ATTENTION_OFF;
    yield* this.parts.config.write(configTarget(bridge), bridge.capabilities.pcie + PCIE.SLTCTL.at, 2, control | bits);
  }

  /** The reset of a slot: changes of link and presence that it makes are no news. Its result is the reset's own. */
  *withoutInterrupt(slot: HotplugSlot, reset: Process<number>): Process<number> {
    const line = this.recordOf(slot)?.interrupt?.line;
    if (line !== undefined) this.parts.lines.disable(line);
    const rc = yield* reset;
    const bridge = this.bridgeOf(slot);
    if (bridge !== undefined) yield* this.interrupts.acknowledge(bridge);
    if (line !== undefined) yield* this.parts.lines.enable(line);
    return rc;
  }

  /**
   * The port's interrupt: the card came or went. A card that went leaves its PE isolated and frozen, with no event queued:
   * the worker takes the devices out.
   */
  *interrupt(bus: PciBus): Process<void> {
    const record = bus.slot === undefined ? undefined : this.recordOf(bus.slot);
    const { bridge } = bus;
    if (record?.interrupt === undefined || bridge === undefined || record.interrupt.line.depth > 0) return;
    const card = yield* this.whatHappened(record, bridge);
    if (card === undefined) return;
    if (card === 'removed') yield* this.isolateFirstChild(bus);
    const irq = record.interrupt.line.number;
    this.ctx.log.info(`${bridge.logPrefix}: PCI slot [${record.slot.name}] ${card} (IRQ: ${irq})`);
    record.work.push(card);
    record.wake.emit();
  }

  private *worker(record: SlotRecord): Process<void> {
    for (;;) {
      const next = record.work.shift();
      if (next === undefined) yield* wait(record.wake);
      else if (next === 'added') yield* this.enable(record, 'event');
      else yield* this.disable(record);
    }
  }

  /** A change of the link says it; else, where the presence bit is to be trusted, a change of presence. */
  private *whatHappened({ bus, slot }: SlotRecord, bridge: PciDevice): Process<'added' | 'removed' | undefined> {
    const status = yield* this.interrupts.acknowledge(bridge);
    if ((status & SLTSTA_FIELDS.DLL_CHANGED) !== 0) {
      const link = yield* this.readPort(bridge, PCIE.LNKSTA.at);
      return (link & LNKSTA_FIELDS.DLL_ACTIVE) !== 0 ? 'added' : 'removed';
    }
    const trusted = bus.controller.slotBelow(bridge)?.brokenPdc !== true;
    if (!trusted || (status & SLTSTA_FIELDS.PRESENCE_CHANGED) === 0) return undefined;
    const { rc, state } = yield* this.ctx.opal.pciGetPresenceState(slot.id);
    if (rc === OpalStatus.SUCCESS) return state === Presence.EMPTY ? 'removed' : 'added';
    const what = `error ${EIO} getting presence (0x${hex(status, 4)}), to retry the operation.`;
    this.ctx.log.warn(`${bridge.logPrefix}: PCI slot [${slot.name}] ${what}`);
    return undefined;
  }

  private *isolateFirstChild(bus: PciBus): Process<void> {
    const first = bus.devices[0];
    const pe = first === undefined ? undefined : edevOf(first)?.pe;
    if (pe === undefined) return;
    pe.markIsolated();
    yield* this.parts.platform.setOption(pe, EehOption.FREEZE);
  }

  // ---- cards that come ------------------------------------------------------------------------------------------------

  /** A slot that was looked at is looked at again only after its card went. */
  private *enable(record: SlotRecord, why: 'boot' | 'event'): Process<void> {
    if (record.state !== 'registered') return;
    const first = record.looked === 'no';
    const presence = yield* this.adapterState(record.slot);
    if (presence === 'unknown') return;
    record.looked = 'yes';
    // A slot that is empty or dark at boot waits for its card.
    if (first && (presence === 'empty' || (yield* this.powerState(record.slot)) !== Power.ON)) return;
    if (presence === 'present' && (yield* this.switchOn(record.slot)) !== 0) return;
    if (presence === 'present' && why === 'event') {
      yield* this.ctx.rescanLock.hold(this.parts.hotplug().addDevices(record.bus), WORKER);
    }
    record.state = 'populated';
  }

  private *switchOn(slot: HotplugSlot): Process<number> {
    if ((yield* this.powerState(slot)) === Power.ON) return 0;
    const rc = yield* this.setPower(slot, Power.ON);
    if (rc !== 0) this.ctx.log.warn(`${this.nameOf(slot)}: Error ${rc} powering on`);
    return rc;
  }

  /** Firmware that cannot tell is taken to have it on. */
  private *powerState(slot: HotplugSlot): Process<number> {
    const { opal } = this.ctx;
    const answer = opal.pciGetPowerState === undefined ? undefined : yield* opal.pciGetPowerState(slot.id);
    if (answer?.rc === OpalStatus.SUCCESS) return answer.state;
    const rc = answer === undefined ? ENXIO : EIO;
    this.ctx.log.warn(`${this.nameOf(slot)}: Error ${rc} getting power status`);
    return Power.ON;
  }

  // ---- cards that go --------------------------------------------------------------------------------------------------

  private *disable(record: SlotRecord): Process<void> {
    const { bus, slot } = record;
    yield* this.ctx.rescanLock.hold(this.parts.hotplug().removeDevices(bus), WORKER);
    const rc = yield* this.setPower(slot, Power.OFF);
    if (rc !== 0) this.ctx.log.warn(`${this.nameOf(slot)}: Error ${rc} powering off`);
    record.state = 'registered';
    yield* this.thawUpstream(slot);
  }

  /** Ends when firmware has done it. Only the message that says so can say that nothing came of it in time. */
  private *setPower(slot: HotplugSlot, power: number): Process<number> {
    const { opal } = this.ctx;
    if (opal.pciSetPowerState === undefined) return ENXIO;
    const rc = yield* opal.pciSetPowerState(slot.id, power);
    if (rc === OpalStatus.SUCCESS) return 0;
    return rc === OpalStatus.BUSY ? ENODEV : EIO;
  }

  /** Pulling a card below a switch may leave the PE of the port frozen, and with it the messages of the next change. */
  private *thawUpstream(slot: HotplugSlot): Process<void> {
    const bridge = this.bridgeOf(slot);
    const pe = bridge === undefined ? undefined : edevOf(bridge)?.pe;
    if (bridge === undefined || pe === undefined) return;
    yield* this.parts.platform.getState(pe);
    if (!pe.in(PeState.ISOLATED)) return;
    const number = hex(pe.address, 2);
    this.ctx.log.warn(`${bridge.logPrefix}: Upstream bridge PE ${number} frozen, thawing...`);
    for (let attempt = 0; attempt < EehLimits.unfreezeAttempts; attempt++) {
      if ((yield* this.parts.thaw.unfreeze(pe)) !== 0) continue;
      this.ctx.log.warn(`${bridge.logPrefix}: PE ${number} thawed successfully`);
      return;
    }
    this.ctx.log.warn(`${bridge.logPrefix}: Unable to thaw PE ${number}, hotplug detect will fail!`);
  }

  private recordOf(slot: HotplugSlot): SlotRecord | undefined {
    return this.records.find((record) => record.slot === slot);
  }

  private bridgeOf(slot: HotplugSlot): PciDevice | undefined {
    return this.buses().find((bus) => bus.slot === slot)?.bridge;
  }

  private nameOf(slot: HotplugSlot): string {
    return this.bridgeOf(slot)?.logPrefix ?? `pci_slot ${slot.name}`;
  }

  private *readPort(bridge: PciDevice, at: number): Process<number> {
    return yield* this.parts.config.value(configTarget(bridge), bridge.capabilities.pcie + at, 2);
  }
}
