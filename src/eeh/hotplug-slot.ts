/**
 * Hotplug slots as the PowerNV driver has them, and how they meet recovery: presence, attention LED, the reset with the
 * interrupt masked, and a card that is pulled: its PE is isolated without an event, and a worker unplugs what was there.
 * Source: linux drivers/pci/hotplug/pnv_php.c: pnv_php_interrupt, pnv_php_event_handler, pnv_php_get_adapter_state,
 * pnv_php_reset_slot, pnv_php_detect_clear_suprise_removal_freeze; facts: eeh-linux 19.
 */
import { OpalStatus, Power, Presence } from '../opal/opal-api.js';
import { LNKSTA_FIELDS, PortType, SLTSTA_FIELDS } from '../pcie/capabilities.js';
import { type Process, Signal, wait } from '../sim/process.js';
import type { KernelContext } from './context.js';
import { EehLimits, EehOption, PeState } from './eeh-flags.js';
import { edevOf } from './eeh-pe.js';
import type { EehThaw } from './eeh-thaw.js';
import { EIO, ENXIO } from './errno.js';
import { configTarget, type PciConfig } from './pci/config.js';
import { type HotplugSlot, hex, type PciBus, type PciDevice } from './pci/device.js';
import type { PciHotplug } from './pci/hotplug.js';
import { PCIE, Slot } from './pci/regs.js';
import type { EehPlatform } from './powernv/eeh-platform.js';

export type SlotState = 'present' | 'empty' | 'unknown';

export interface SlotParts {
  readonly config: PciConfig;
  readonly platform: EehPlatform;
  readonly thaw: EehThaw;
  readonly hotplug: () => PciHotplug;
}

interface SlotWork {
  readonly bus: PciBus;
  readonly slot: HotplugSlot;
  readonly card: 'added' | 'removed';
}

/** Numbers of the slots' interrupts in the kernel's log (M). */
const FIRST_IRQ = 32;
const CHANGE_BITS = SLTSTA_FIELDS.PRESENCE_CHANGED | SLTSTA_FIELDS.DLL_CHANGED;
const WORKER = 'pciehp';

export class HotplugSlots {
  /** Slots whose interrupt is in use, in the order in which they came. */
  private readonly armed: HotplugSlot[] = [];
  private readonly masked = new Set<HotplugSlot>();
  private readonly work: SlotWork[] = [];
  private readonly wake: Signal;

  constructor(
    private readonly ctx: KernelContext,
    private readonly parts: SlotParts,
  ) {
    this.wake = new Signal(ctx.sim, 'hotplug work');
  }

  /** All slots of the machine, by bus. */
  buses(): PciBus[] {
    return this.ctx.controllers.flatMap((controller) => controller.buses().filter((bus) => bus.slot !== undefined));
  }

  get armedSlots(): number {
    return this.armed.length;
  }

  /** Lets in the interrupts of slots whose cards may come and go by surprise, unless a driver uses the port's messages. */
  *register(): Process<void> {
    for (const bus of this.buses()) {
      const { slot, bridge, controller } = bus;
      if (slot === undefined || bridge === undefined || bridge.interrupt === 'message') continue;
      const node = controller.slotBelow(bridge);
      if (node?.surprisePluggable !== true || this.armed.includes(slot)) continue;
      this.armed.push(slot);
      const sources = Slot.CONTROL_INTERRUPT | Slot.CONTROL_LINK_EVENTS;
      const events = node.brokenPdc === true ? sources : sources | Slot.CONTROL_PRESENCE_EVENTS;
      yield* this.writePort(bridge, PCIE.SLTSTA.at, (yield* this.readPort(bridge, PCIE.SLTSTA.at)) & CHANGE_BITS);
      yield* this.writePort(bridge, PCIE.SLTCTL.at, (yield* this.readPort(bridge, PCIE.SLTCTL.at)) | events);
    }
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
    yield* this.writePort(bridge, PCIE.SLTCTL.at, control | bits);
  }

  /** The reset of a slot: changes of link and presence that it makes are no news. Its result is always success. */
  *withoutInterrupt(slot: HotplugSlot, reset: Process<number>): Process<number> {
    this.masked.add(slot);
    const rc = yield* reset;
    const bridge = this.bridgeOf(slot);
    if (bridge !== undefined) yield* this.acknowledge(bridge);
    this.masked.delete(slot);
    return rc;
  }

  /**
   * The port's interrupt: the card came or went. A card that went leaves its PE isolated and frozen, with no event queued:
   * the worker takes the devices out.
   */
  *interrupt(bus: PciBus): Process<void> {
    const { slot, bridge } = bus;
    if (slot === undefined || bridge === undefined || !this.armed.includes(slot) || this.masked.has(slot)) return;
    const card = yield* this.whatHappened(bus, slot, bridge);
    if (card === undefined) return;
    if (card === 'removed') yield* this.isolateFirstChild(bus);
    const irq = FIRST_IRQ + this.armed.indexOf(slot);
    this.ctx.log.info(`${bridge.logPrefix}: PCI slot [${slot.name}] ${card} (IRQ: ${irq})`);
    this.work.push({ bus, slot, card });
    this.wake.emit();
  }

  /** The worker of all slots (the kernel has one for each). */
  *worker(): Process<void> {
    for (;;) {
      const next = this.work.shift();
      if (next === undefined) yield* wait(this.wake);
      else if (next.card === 'removed') yield* this.disable(next);
      else yield* this.ctx.rescanLock.hold(this.parts.hotplug().addDevices(next.bus), WORKER);
    }
  }

  /** A change of the link says it; else, where the presence bit is to be trusted, a change of presence. */
  private *whatHappened(bus: PciBus, slot: HotplugSlot, bridge: PciDevice): Process<SlotWork['card'] | undefined> {
    const status = yield* this.acknowledge(bridge);
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

  private *disable({ bus, slot }: SlotWork): Process<void> {
    yield* this.ctx.rescanLock.hold(this.parts.hotplug().removeDevices(bus), WORKER);
    const rc = yield* this.powerOff(slot);
    if (rc !== 0) this.ctx.log.warn(`${this.nameOf(slot)}: Error ${rc} powering off`);
    yield* this.thawUpstream(slot);
  }

  private *powerOff(slot: HotplugSlot): Process<number> {
    const { opal } = this.ctx;
    if (opal.pciSetPowerState === undefined) return ENXIO;
    const rc = yield* opal.pciSetPowerState(slot.id, Power.OFF);
    return rc === OpalStatus.SUCCESS ? 0 : EIO;
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

  private *acknowledge(bridge: PciDevice): Process<number> {
    const status = yield* this.readPort(bridge, PCIE.SLTSTA.at);
    yield* this.writePort(bridge, PCIE.SLTSTA.at, status & CHANGE_BITS);
    return status;
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

  private *writePort(bridge: PciDevice, at: number, value: number): Process<void> {
    yield* this.parts.config.write(configTarget(bridge), bridge.capabilities.pcie + at, 2, value);
  }
}
