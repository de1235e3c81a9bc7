/** Sees resets where they reach the cards: at the registers that make them, and on the links. */
import { type FieldSpec, fromHalves, getField } from '../hw/bits.js';
import { MMIO_STORE } from '../hw/system-bus.js';
import type { AnySystem } from '../machine/system.js';
import { LINK_STATE, LINK_STATES } from '../pcie/link.js';
import type { TimeNs } from '../sim/time.js';
import type { TraceRecord } from '../sim/trace.js';

/** `whole-phb`: the bridge itself, and with it all below. `fundamental`: PERST, or the power of the slot, below it alone. */
export const RESET_KINDS = ['hot', 'fundamental', 'whole-phb'] as const;
export type ResetKind = (typeof RESET_KINDS)[number];

export interface ResetSeen {
  readonly timeNs: TimeNs;
  readonly kind: ResetKind;
  readonly slots: readonly string[];
}

const HOT_RESET = LINK_STATES.indexOf('hot-reset');

interface Line {
  readonly phb: number;
  readonly released: FieldSpec;
  /** As it was stored last. */
  level: bigint;
}

export class ResetWatch {
  readonly resets: ResetSeen[] = [];
  private readonly lineOfAddress = new Map<number, Line>();
  private readonly partOfWholeNs: TimeNs;

  constructor(private readonly system: AnySystem) {
    const { chip, machine, sim } = system;
    this.partOfWholeNs = chip.reset.partOfWholeNs;
    const phbIds = new Map(machine.phbs.map((phb, index) => [phb.name, index]));
    for (const index of machine.phbs.keys()) {
      for (const { addresses, released } of chip.reset.lines(machine, index)) {
        const line = { phb: index, released, level: 1n };
        for (const address of addresses) this.lineOfAddress.set(address, line);
      }
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
    const line = this.lineOfAddress.get(high! * 2 ** 32 + low!);
    if (line === undefined) return;
    const before = line.level;
    line.level = getField(fromHalves(valueHi!, valueLo!), line.released);
    if (before === 1n && line.level === 0n) this.held(time, line.phb);
  }

  private held(time: TimeNs, phb: number): void {
    const whole = this.resets.findLast(
      ({ kind, slots }) => kind === 'whole-phb' && slots.some((name) => this.isOn(name, phb)),
    );
    if (whole !== undefined && time - whole.timeNs < this.partOfWholeNs) return;
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
