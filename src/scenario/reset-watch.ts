/** Sees resets where they reach the cards: at the registers that make them, and on the links. */
import { getField } from '../hw/bits.js';
import { MMIO_STORE } from '../hw/system-bus.js';
import { PHB_REGISTERS } from '../ioda2/registers/phb.js';
import { ETU_RESET } from '../ioda2/trace.js';
import type { PowerSystem } from '../machine/system.js';
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

const PERST_RELEASED = PHB_REGISTERS.field('PHB_RESET', 'PERST').at;
const RESET_AT = PHB_REGISTERS.get('PHB_RESET').offset;
const HOT_RESET = LINK_STATES.indexOf('hot-reset');
/** A reset of the whole bridge ends in a fundamental one, which is part of it. */
const PART_OF_WHOLE_NS: TimeNs = 2e9;

export class ResetWatch {
  readonly resets: ResetSeen[] = [];
  private readonly phbOfAddress = new Map<number, number>();

  constructor(private readonly system: PowerSystem) {
    const { machine, sim } = system;
    const phbIds = new Map(machine.phbs.map((phb, index) => [phb.name, index]));
    for (const index of machine.phbs.keys()) this.phbOfAddress.set(machine.addressMap.phbBase(index) + RESET_AT, index);
    sim.trace.subscribe(
      ({ time, source, values }) => {
        if (values[0] === 1) this.resetPhb(time, phbIds.get(source)!, 'whole-phb');
      },
      [ETU_RESET],
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
    if (getField(value, PERST_RELEASED) === 1n) return;
    const whole = this.resets.findLast(
      ({ kind, slots }) => kind === 'whole-phb' && slots.some((name) => this.isOn(name, phb)),
    );
    if (whole !== undefined && time - whole.timeNs < PART_OF_WHOLE_NS) return;
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
