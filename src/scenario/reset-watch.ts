/** Sees resets where they reach the cards: at the registers that make them, and on the links. */
import { getField } from '../hw/bits.js';
import { MMIO_STORE } from '../hw/system-bus.js';
import type { Chip } from '../machine/chip.js';
import type { AnySystem } from '../machine/system.js';
import { LINK_STATE, LINK_STATES } from '../pcie/link.js';
import type { TimeNs } from '../sim/time.js';
import type { TraceRecord } from '../sim/trace.js';

/** `whole-phb`: the bridge itself, and with it all below. `fundamental`: PERST of the root port alone. */
export const RESET_KINDS = ['hot', 'fundamental', 'whole-phb'] as const;
export type ResetKind = (typeof RESET_KINDS)[number];

export interface ResetSeen {
  readonly timeNs: TimeNs;
  readonly kind: ResetKind;
  readonly slots: readonly string[];
}

const HOT_RESET = LINK_STATES.indexOf('hot-reset');

export class ResetWatch {
  readonly resets: ResetSeen[] = [];
  private readonly phbOfAddress = new Map<number, number>();
  private readonly reset: Chip['reset'];

  constructor(private readonly system: AnySystem) {
    const { chip, machine, sim } = system;
    this.reset = chip.reset;
    const phbIds = new Map(machine.phbs.map((phb, index) => [phb.name, index]));
    for (const index of machine.phbs.keys()) {
      for (const address of chip.reset.addresses(machine, index)) this.phbOfAddress.set(address, index);
    }
    sim.trace.subscribe(
      ({ time, source, values }) => {
        if (values[0] === 1) this.resetPhb(time, phbIds.get(source)!, 'whole-phb');
      },
      [chip.moments.bridgeReset],
    );
    sim.trace.subscribe((record) => this.stored(record), [MMIO_STORE]);
    sim.trace.subscribe((record) => this.linkChanged(record), [LINK_STATE]);
    for (const { name, bridge } of system.bridges) {
      const slots = system.slots.filter(({ place }) => `bridge${place.number}` === name).map((slot) => slot.name);
      bridge.bus.onReset(() => this.resets.push({ timeNs: sim.now, kind: 'hot', slots }));
    }
  }

  private stored({ time, values }: TraceRecord): void {
    const [high, low, , valueHi, valueLo] = values;
    const phb = this.phbOfAddress.get(high! * 2 ** 32 + low!);
    if (phb === undefined) return;
    const value = (BigInt(valueHi!) << 32n) | BigInt(valueLo!);
    if (getField(value, this.reset.perstReleased) === 1n) return;
    const whole = this.resets.findLast(
      ({ kind, slots }) => kind === 'whole-phb' && slots.some((name) => this.isOn(name, phb)),
    );
    if (whole !== undefined && time - whole.timeNs < this.reset.partOfWholeNs) return;
    this.resetPhb(time, phb, 'fundamental');
  }

  private isOn(name: string, phb: number): boolean {
    return this.system.slot(name)?.phb === phb;
  }

  private resetPhb(timeNs: TimeNs, phb: number, kind: ResetKind): void {
    const slots = this.system.slots.filter((slot) => slot.phb === phb).map(({ name }) => name);
    this.resets.push({ timeNs, kind, slots });
  }

  private linkChanged({ time, source, values }: TraceRecord): void {
    if (values[0] !== HOT_RESET) return;
    const slots = this.system.slots.filter(({ place }) => place.socket.link.name === source).map(({ name }) => name);
    if (slots.length > 0) this.resets.push({ timeNs: time, kind: 'hot', slots });
  }
}
