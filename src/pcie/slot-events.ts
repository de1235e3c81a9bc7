/**
 * Hot-plug events of a port with a slot: what changed is latched in slot status until software writes ones, and raises
 * the port's interrupt while its enable is set: a message at each rise, or the level of the port's pin.
 * Source: PCI Express base specification 6.7.3.1 to 6.7.3.4, 7.8.9 to 7.8.11.
 */
import type { Figure } from '../hw/figure.js';
import { Priority } from '../sim/priority.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import { quantize } from '../sim/time.js';
import { type MsiRegister, type PciExpressRegister, SLTCTL_FIELDS, SLTSTA_FIELDS } from './capabilities.js';
import type { BridgeRegister } from './config-header.js';
import type { ConfigSpace } from './config-space.js';
import { DeviceInterrupts, type InterruptHost } from './device-interrupts.js';

export type PortRegister = BridgeRegister | PciExpressRegister;

/** Events that only a board brings about: the port has no model of a hand. */
export type ManualEvent = 'button-pressed' | 'power-fault' | 'latch-opened' | 'latch-closed';

/** How long the port takes to carry out what slot control says, before it tells that it is done. */
export const SLOT_COMMAND: Figure = {
  value: 10e3,
  known: 'assumed',
  source:
    '(M) PCI Express base specification 6.7.3.2 allows a second; controllers without a serial bus take microseconds',
};

/** Each event with the bit of slot control that lets it interrupt. */
const ENABLES: readonly (readonly [event: number, enable: number])[] = [
  [SLTSTA_FIELDS.ATTENTION_BUTTON, SLTCTL_FIELDS.ATTENTION_BUTTON],
  [SLTSTA_FIELDS.POWER_FAULT, SLTCTL_FIELDS.POWER_FAULT],
  [SLTSTA_FIELDS.LATCH_CHANGED, SLTCTL_FIELDS.LATCH_CHANGED],
  [SLTSTA_FIELDS.PRESENCE_CHANGED, SLTCTL_FIELDS.PRESENCE_CHANGED],
  [SLTSTA_FIELDS.COMMAND_COMPLETED, SLTCTL_FIELDS.COMMAND_COMPLETED],
  [SLTSTA_FIELDS.DLL_CHANGED, SLTCTL_FIELDS.DLL_CHANGED],
];
/** Hot-plug has one vector, the first. */
const VECTOR = 0;

/** Only these ports interrupt: others latch, and software must look. */
export function raisesSlotEvents(config: ConfigSpace<PortRegister>): boolean {
  return config.has('PCIE_FLAGS', 'SLOT') && config.has('SLTCAP', 'HOT_PLUG') && config.get('INTERRUPT_PIN') !== 0;
}

export class SlotEvents {
  private readonly interrupts: DeviceInterrupts;
  private readonly commandDone: HandlerId;
  private command: EventId | undefined;
  /** The interrupt is on, and some event has both its bits set. */
  private pending = false;

  constructor(
    private readonly sim: Simulator,
    private readonly config: ConfigSpace<PortRegister | MsiRegister>,
    host: InterruptHost,
  ) {
    this.interrupts = new DeviceInterrupts(config, host);
    this.commandDone = sim.handler(`${config.name} slot command`, () => this.completeCommand());
    config.hook('COMMAND', { onWrite: () => this.interrupts.update() });
    if (config.declares('MSI_CONTROL')) config.hook('MSI_CONTROL', { onWrite: () => this.changeWay() });
  }

  /** Slot status or slot control changed. */
  update(): void {
    const status = this.config.get('SLTSTA');
    const control = this.config.get('SLTCTL');
    const wanted = ENABLES.some(([event, enable]) => (status & event) !== 0 && (control & enable) !== 0);
    const pending = wanted && (control & SLTCTL_FIELDS.HOT_PLUG_INTERRUPT) !== 0;
    if (pending === this.pending) return;
    this.pending = pending;
    if (pending) this.interrupts.raise(VECTOR);
    else this.interrupts.clear();
  }

  /** Software wrote slot control: a command, whatever it says. One that comes before the last is done takes its place (M). */
  startCommand(): void {
    this.update();
    if (this.config.has('SLTCAP', 'NO_COMMAND_COMPLETED')) return;
    if (this.command !== undefined) this.sim.cancel(this.command);
    this.command = this.sim.schedule(quantize(SLOT_COMMAND.value), Priority.DEVICE, this.commandDone);
  }

  /** False: the slot has nothing that could tell. */
  notice(event: ManualEvent): boolean {
    const { config } = this;
    switch (event) {
      case 'button-pressed':
        return this.latch(SLTSTA_FIELDS.ATTENTION_BUTTON, config.has('SLTCAP', 'ATTENTION_BUTTON'));
      case 'power-fault':
        return this.latch(SLTSTA_FIELDS.POWER_FAULT, config.has('SLTCAP', 'POWER_CONTROLLER'));
      case 'latch-opened':
      case 'latch-closed':
        return this.moveLatch(event);
    }
  }

  /** With the port's registers: no interrupt is up, and none goes down by a message of the port. */
  reset(): void {
    if (this.command !== undefined) this.sim.cancel(this.command);
    this.command = undefined;
    this.pending = false;
    this.interrupts.reset();
  }

  private moveLatch(to: 'latch-opened' | 'latch-closed'): boolean {
    const open = this.config.has('SLTSTA', 'LATCH_OPEN');
    const able = this.config.has('SLTCAP', 'LATCH_SENSOR');
    if (!able || open === (to === 'latch-opened')) return able;
    if (open) this.config.clear('SLTSTA', SLTSTA_FIELDS.LATCH_OPEN);
    else this.config.or('SLTSTA', SLTSTA_FIELDS.LATCH_OPEN);
    return this.latch(SLTSTA_FIELDS.LATCH_CHANGED, able);
  }

  private latch(event: number, able: boolean): boolean {
    if (!able) return false;
    this.config.or('SLTSTA', event);
    this.update();
    return true;
  }

  private completeCommand(): void {
    this.command = undefined;
    this.latch(SLTSTA_FIELDS.COMMAND_COMPLETED, true);
  }

  /** Messages were switched on or off: the pin follows, and what is pending already makes no message (6.7.3.4). */
  private changeWay(): void {
    if (this.pending && !this.interrupts.msiEnabled) this.interrupts.raise(VECTOR);
    else this.interrupts.clear();
  }
}
