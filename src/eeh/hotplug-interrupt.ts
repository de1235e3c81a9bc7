/**
 * How a slot's port comes to interrupt: its message if it has one, else its pin; then the events in its slot registers.
 * Source: linux drivers/pci/hotplug/pnv_php.c: pnv_php_enable_irq, pnv_php_init_irq; drivers/pci/of.c: of_irq_parse_pci.
 */
import { SLTSTA_FIELDS } from '../pcie/capabilities.js';
import type { Process } from '../sim/process.js';
import type { KernelContext } from './context.js';
import type { InterruptHandler, InterruptLine, InterruptLines, InterruptSource } from './interrupt-lines.js';
import { configTarget, type PciConfig } from './pci/config.js';
import type { PciDevice } from './pci/device.js';
import type { DeviceEnable } from './pci/enable.js';
import { type PciMessages, requestRoute } from './pci/messages.js';
import { PCIE, Slot } from './pci/regs.js';

export interface SlotInterrupt {
  readonly line: InterruptLine;
}

export interface SlotInterruptParts {
  readonly config: PciConfig;
  readonly enable: DeviceEnable;
  readonly messages: PciMessages;
  readonly lines: InterruptLines;
}

const { PRESENCE_CHANGED, DLL_CHANGED } = SLTSTA_FIELDS;
const CHANGE_BITS = PRESENCE_CHANGED | DLL_CHANGED;
const PINS = 4;

export class SlotInterrupts {
  constructor(
    private readonly ctx: KernelContext,
    private readonly parts: SlotInterruptParts,
  ) {}

  /** Undefined: the port has no way to interrupt. */
  *request(bridge: PciDevice, handler: InterruptHandler): Process<SlotInterrupt | undefined> {
    const { enable, messages } = this.parts;
    const rc = yield* enable.enable(bridge);
    if (rc !== 0) {
      this.ctx.log.warn(`${bridge.logPrefix}: Error ${rc} enabling device`);
      return undefined;
    }
    yield* enable.setMaster(bridge, 'on');
    const message = (yield* messages.enableSingle(bridge)) === 0 ? messages.vectors(bridge)[0] : undefined;
    const { phbId } = bridge.bus.controller;
    const source: InterruptSource | undefined =
      message === undefined ? wireOf(bridge) : { kind: 'message', phbId, irq: message.irq };
    if (source === undefined) return undefined;
    const trusted = bridge.bus.controller.slotBelow(bridge)?.brokenPdc !== true;
    yield* this.clear(bridge, trusted ? CHANGE_BITS : DLL_CHANGED);
    const shared = this.parts.lines.find(source.irq) !== undefined;
    const line = this.parts.lines.request(source, handler);
    if (message !== undefined) yield* messages.request(message, 'plain');
    else if (!shared) yield* requestRoute(this.ctx, source.irq);
    yield* this.letIn(bridge, trusted ? Slot.CONTROL_PRESENCE_EVENTS : 0);
    return { line };
  }

  /** What changed since the last time, of link and presence; it is noted no longer. */
  *acknowledge(bridge: PciDevice): Process<number> {
    const status = (yield* this.read(bridge, PCIE.SLTSTA.at)) & CHANGE_BITS;
    yield* this.write(bridge, PCIE.SLTSTA.at, status);
    return status;
  }

  /** What else is noted goes, too. */
  private *clear(bridge: PciDevice, bits: number): Process<void> {
    const status = yield* this.read(bridge, PCIE.SLTSTA.at);
    yield* this.write(bridge, PCIE.SLTSTA.at, status | bits);
  }

  private *letIn(bridge: PciDevice, presence: number): Process<void> {
    const control = (yield* this.read(bridge, PCIE.SLTCTL.at)) & ~Slot.CONTROL_PRESENCE_EVENTS;
    const events = Slot.CONTROL_INTERRUPT | Slot.CONTROL_LINK_EVENTS | presence;
    yield* this.write(bridge, PCIE.SLTCTL.at, control | events);
  }

  private *read(bridge: PciDevice, at: number): Process<number> {
    return yield* this.parts.config.value(configTarget(bridge), bridge.capabilities.pcie + at, 2);
  }

  private *write(bridge: PciDevice, at: number, value: number): Process<void> {
    yield* this.parts.config.write(configTarget(bridge), bridge.capabilities.pcie + at, 2, value);
  }
}

/** Every bridge on the way up turns the pin by the number of the device below it. */
function wireOf(device: PciDevice): InterruptSource | undefined {
  const { controller } = device.bus;
  const { lsiBase } = controller.node;
  if (device.interruptPin === 0 || lsiBase === undefined) return undefined;
  let pin = device.interruptPin - 1;
  for (let here: PciDevice | undefined = device; here !== undefined; here = here.bus.bridge) pin += here.devfn >> 3;
  return { kind: 'wire', phbId: controller.phbId, irq: lsiBase + (pin % PINS) };
}
