import { describe, expect, it } from 'vitest';
import { FAULT_KINDS, FAULTS, type FaultKind } from '../../src/faults/catalogue.js';
import { FaultEngine, FaultPlanError, type PlannedFault } from '../../src/faults/engine.js';
import { complaint, defaultOf } from '../../src/faults/parameters.js';
import type { CardTarget, DmaPages, FaultTarget, PageKind, PhbTarget, SwitchTarget } from '../../src/faults/target.js';
import { Link } from '../../src/pcie/link.js';
import { Nic } from '../../src/pcie/nic.js';
import { type ErrorMessage, MessageCode, type Tlp } from '../../src/pcie/tlp.js';
import { Simulator } from '../../src/sim/simulator.js';
import { ms, seconds, us } from '../../src/sim/time.js';

const COMMAND_MEMORY_AND_MASTER = 6;
const PAGE: Readonly<Record<PageKind, bigint>> = { unmapped: 0x5000n, 'read-only': 0x6000n, 'write-only': 0x7000n };

/** A network card on a link that is up, and all that it sends. */
class Bench {
  readonly sim = new Simulator({ seed: 'bench' });
  readonly link = new Link(this.sim, 'link', { maxSpeed: 3, maxWidth: 8 });
  readonly card = new Nic(this.sim, 'slot1');
  readonly packets: Tlp[] = [];
  readonly messages: ErrorMessage[] = [];
  readonly fatal: string[] = [];
  readonly engine: FaultEngine;
  window: DmaPages | undefined = {
    pageBytes: 4096,
    windowEnd: 0x8000_0000n,
    pick: (kind) => (this.empty.has(kind) ? undefined : PAGE[kind]),
  };
  readonly empty = new Set<PageKind>();

  jams = 0;

  constructor() {
    this.link.up.attach({ receive: (tlp) => this.packets.push(tlp) });
    this.card.plugInto(this.link);
    this.link.setPerst('deasserted');
    this.sim.run({ untilNs: seconds(1) });
    this.card.config.write(4, 2, COMMAND_MEMORY_AND_MASTER);
    const bench = this;
    const card: CardTarget = {
      ...{ kind: 'card', name: 'slot1', endpoint: this.card, link: this.link },
      get pages() {
        return bench.window;
      },
      message: (vector) => ({ address: (1n << 60n) + 16n * BigInt(vector), data: new Uint8Array(4) }),
    };
    const fan: SwitchTarget = {
      kind: 'switch',
      name: 'switch0',
      sendErrorMessage: (message) => this.messages.push(message),
    };
    const phb: PhbTarget = {
      ...{ kind: 'phb', name: 'phb0', raiseFatal: (error) => void this.fatal.push(error) },
      jamReset: () => {
        this.jams++;
      },
    };
    this.engine = new FaultEngine(this.sim, [card, fan, phb]);
  }

  strike(kind: FaultKind, more: Partial<PlannedFault> = {}): Tlp[] {
    this.engine.plan({ kind, target: 'slot1', atNs: this.sim.now + us(1), ...more });
    this.sim.run({ untilNs: this.sim.now + ms(1) });
    return this.packets.splice(0);
  }

  load(): Tlp | undefined {
    this.link.up.send({ kind: 'MRd', requesterId: 0, tag: 1, addressHi: 0, addressLo: 0, lengthBytes: 4 });
    this.sim.run({ untilNs: this.sim.now + us(100) });
    return this.packets.pop();
  }

  get missed(): string | undefined {
    return this.engine.strikes.at(-1)?.missed;
  }
}

const addressOf = (tlp: Tlp | undefined): number => tlp!.addressHi * 2 ** 32 + tlp!.addressLo;

describe('the catalogue of faults', () => {
  it('says of each fault what it is, whom it hits and what the hardware makes of it', () => {
    for (const kind of FAULT_KINDS) {
      const { about, hits, outcome, parameters } = FAULTS[kind];
      expect(about.length * outcome.length * hits.length).toBeGreaterThan(0);
      for (const parameter of Object.values(parameters)) {
        expect(complaint(parameter, defaultOf(parameter))).toBeUndefined();
      }
    }
  });
});

describe('a fault', () => {
  it('of a stray DMA access is a packet of the card to a page of the right kind', () => {
    const bench = new Bench();
    const [write] = bench.strike('dma-write-unmapped', { parameters: { bytes: 100 } });
    expect([write?.kind, addressOf(write), write?.lengthBytes]).toEqual(['MWr', 0x5000, 100]);
    const [read] = bench.strike('dma-read-unmapped');
    expect([read?.kind, addressOf(read), read?.lengthBytes]).toEqual(['MRd', 0x5000, 64]);
    expect(addressOf(bench.strike('dma-write-readonly')[0])).toBe(0x6000);
    expect(bench.strike('dma-read-writeonly').map((tlp) => [tlp.kind, addressOf(tlp)])).toEqual([['MRd', 0x7000]]);
    expect(bench.engine.strikes.map(({ address }) => address)).toEqual([0x5000n, 0x5000n, 0x6000n, 0x7000n]);
  });

  it('that leaves the window goes above it and above what other devices own', () => {
    const bench = new Bench();
    expect(addressOf(bench.strike('dma-outside-window')[0])).toBeGreaterThanOrEqual(2 ** 32);
    bench.window = { ...bench.window!, windowEnd: 2n ** 40n };
    expect(addressOf(bench.strike('dma-outside-window')[0])).toBeGreaterThanOrEqual(2 ** 40);
  });

  it('misses, and says why, where the card or its driver gives it no chance', () => {
    const bench = new Bench();
    bench.empty.add('read-only');
    expect(bench.strike('dma-write-readonly')).toEqual([]);
    expect(bench.missed).toBe('the driver of slot1 has no read-only page now');
    bench.card.config.write(4, 2, 2);
    for (const kind of ['dma-write-unmapped', 'dma-read-unmapped', 'foreign-msi', 'dma-outside-window'] as const) {
      expect(bench.strike(kind)).toEqual([]);
      expect(bench.missed).toBe('the bus master bit of the card is off');
    }
    bench.window = undefined;
    expect(bench.strike('dma-outside-window')).toEqual([]);
    expect(bench.missed).toBe('slot1 has no DMA window now');
    bench.strike('dma-write-unmapped');
    expect(bench.missed).toBe('the driver of slot1 has no unmapped page now');
  });

  it('of a poisoned write shows in the next writes of the card only', () => {
    const bench = new Bench();
    bench.strike('poisoned-write', { parameters: { count: 2 } });
    for (let i = 0; i < 3; i++) bench.card.strayWrite(0x1000n, 8);
    bench.sim.run({ untilNs: bench.sim.now + us(10) });
    expect(bench.packets.map((tlp) => tlp.poisoned === true)).toEqual([true, true, false]);
  });

  it('of a foreign vector is a write to the vector in the 64-bit MSI range', () => {
    const bench = new Bench();
    const [write] = bench.strike('foreign-msi', { parameters: { vector: 0x21 } });
    expect([write?.addressHi, write?.addressLo, write?.lengthBytes]).toEqual([0x1000_0000, 0x210, 4]);
  });

  it('of a wrong answer shows in the next load, and not in the one after', () => {
    const bench = new Bench();
    bench.card.config.write(0x10, 4, 0);
    bench.strike('completer-abort');
    expect(bench.load()?.status).toBe('CA');
    bench.strike('unsupported-request', { parameters: { count: 2 } });
    expect([bench.load()?.status, bench.load()?.status, bench.load()?.status]).toEqual(['UR', 'UR', 'SC']);
    bench.strike('completion-timeout');
    expect(bench.load()).toBeUndefined();
    expect(bench.load()?.status).toBe('SC');
    bench.strike('card-deaf');
    expect(bench.load()).toBeUndefined();
    expect(bench.load()).toBeUndefined();
  });

  it('of a message is sent by the card or by the switch, whoever is named', () => {
    const bench = new Bench();
    const codes = (['err-fatal', 'err-nonfatal', 'err-corr'] as const).map(
      (kind) => bench.strike(kind)[0]?.messageCode,
    );
    expect(codes).toEqual([MessageCode.ERR_FATAL, MessageCode.ERR_NONFATAL, MessageCode.ERR_COR]);
    expect(bench.strike('err-fatal', { target: 'switch0' })).toEqual([]);
    expect(bench.messages).toEqual(['ERR_FATAL']);
  });

  it('of the link takes it down, for a while or for good', () => {
    const bench = new Bench();
    bench.strike('link-bounce');
    expect(bench.link.isUp).toBe(false);
    bench.strike('link-bounce');
    expect(bench.missed).toBe('the link of slot1 is down already');
    bench.sim.run({ untilNs: bench.sim.now + seconds(1) });
    expect(bench.link.isUp).toBe(true);
    bench.strike('link-lost');
    bench.sim.run({ untilNs: bench.sim.now + seconds(1) });
    expect([bench.link.isUp, bench.link.cardInserted]).toEqual([false, false]);
    bench.strike('link-lost');
    expect(bench.missed).toBe('slot1 is gone already');
  });
});

describe('a fatal error of the bridge', () => {
  it.each(['forced', 'register-parity', 'bus-data', 'array-bad'])(
    'of the kind %s is for the bridge to find',
    (error) => {
      const bench = new Bench();
      bench.strike('fence', { target: 'phb0', parameters: { error } });
      expect(bench.fatal).toEqual([error]);
    },
  );
});

describe('an error of the hub', () => {
  it('is one of a unit and says so where the unit has none such', () => {
    const bench = new Bench();
    const seen: string[] = [];
    const hub: FaultTarget = {
      ...{ kind: 'hub', name: 'hub' },
      report: (unit, error) => {
        seen.push(`${unit} ${error}`);
        return error === 'clock' ? `${unit} has no clock` : undefined;
      },
    };
    const engine = new FaultEngine(bench.sim, [hub], 'p7ioc');
    engine.plan({ kind: 'hub-error', target: 'hub', atNs: bench.sim.now });
    engine.plan({
      kind: 'hub-error',
      target: 'hub',
      atNs: bench.sim.now,
      parameters: { unit: 'ci-p2', error: 'clock' },
    });
    bench.sim.run({ untilNs: bench.sim.now + us(1) });
    expect(seen).toEqual(['RGC informational', 'CI_P2 clock']);
    expect(engine.strikes.map(({ missed }) => missed)).toEqual([undefined, 'CI_P2 has no clock']);
  });

  it('is refused where the machine has no hub', () => {
    const { sim } = new Bench();
    const plan = (chip: 'phb3' | 'p7ioc', kind: FaultKind): void => {
      const hub: FaultTarget = { kind: 'hub', name: 'hub', report: () => undefined };
      new FaultEngine(sim, [hub], chip).plan({ kind, target: 'hub', atNs: sim.now });
    };
    expect(() => plan('phb3', 'hub-error')).toThrow(
      new FaultPlanError('hub-error does not fit a machine with phb3: it takes p7ioc'),
    );
    expect(() => plan('p7ioc', 'err-fatal')).toThrow('does not fit hub, a hub');
  });
});

describe('the engine', () => {
  it('strikes at the time, as often and as far apart as planned, and tells each time', () => {
    const bench = new Bench();
    const start = bench.sim.now;
    const heard: number[] = [];
    bench.engine.onStrike((strike) => heard.push(strike.timeNs - start));
    bench.engine.plan({ kind: 'err-corr', target: 'slot1', atNs: start + us(5), times: 3, everyNs: us(7) });
    expect(bench.engine.outstanding).toBe(3);
    bench.sim.run({ untilNs: start + us(13) });
    expect([heard, bench.engine.outstanding]).toEqual([[us(5), us(12)], 1]);
    bench.sim.run({ untilNs: start + ms(1) });
    expect([heard, bench.engine.outstanding]).toEqual([[us(5), us(12), us(19)], 0]);
    expect(bench.engine.strikes.map((strike) => strike.timeNs - start)).toEqual(heard);
  });

  it('refuses a plan that cannot be carried out, and says what would do', () => {
    const { engine } = new Bench();
    const plan = (fault: Partial<PlannedFault>) => () =>
      engine.plan({ kind: 'completer-abort', target: 'slot1', atNs: seconds(2), ...fault });
    expect(plan({ target: 'slot9' })).toThrow(FaultPlanError);
    expect(plan({ target: 'slot9' })).toThrow('no device "slot9": this machine has slot1, switch0, phb0');
    expect(plan({ target: 'switch0' })).toThrow('completer-abort does not fit switch0, a switch: it hits card');
    expect(plan({ times: 2 })).toThrow('completer-abort strikes 2 times: say how far apart');
    expect(plan({ parameters: { bytes: 1 } })).toThrow('completer-abort has no parameter "bytes"');
    for (const direction of ['sideways', 1]) {
      expect(plan({ kind: 'lcrc-error', parameters: { direction } })).toThrow(
        `direction of lcrc-error is ${direction}: give up or down`,
      );
    }
    for (const ns of [0, 11e9, 'long']) {
      expect(plan({ kind: 'credit-stall', parameters: { for: ns } })).toThrow(
        `for of credit-stall is ${ns}: give a time in ns from 1 to 10000000000`,
      );
    }
    for (const count of [0, 1001, 1.5]) {
      expect(plan({ parameters: { count } })).toThrow(
        `count of completer-abort is ${count}: give a whole number from 1`,
      );
    }
    expect(engine.outstanding).toBe(0);
  });
});

describe('a bridge that does not come out of reset', () => {
  it('is told so once, and only a bridge can be', () => {
    const bench = new Bench();
    bench.strike('reset-stuck', { target: 'phb0' });
    expect([bench.jams, bench.missed]).toEqual([1, undefined]);
    expect(() => bench.strike('reset-stuck')).toThrow('reset-stuck does not fit slot1, a card: it hits phb');
  });
});

describe('a card that asks for what does not exist', () => {
  it('writes to I/O space in its own name, with a tag that no read of its own waits for', () => {
    const bench = new Bench();
    const [packet] = bench.strike('io-request');
    expect(packet).toMatchObject({ kind: 'IOWr', requesterId: bench.card.rid, lengthBytes: 4 });
    expect(packet!.tag).toBeGreaterThanOrEqual(bench.card.tags);
  });

  it('writes in the name of nobody', () => {
    const [packet] = new Bench().strike('foreign-requester', { parameters: { bytes: 8 } });
    expect(packet).toMatchObject({ kind: 'MWr', requesterId: 0xffff, lengthBytes: 8 });
  });

  it.each(['io-request', 'foreign-requester'] as const)('sends no %s while it is no bus master', (kind) => {
    const bench = new Bench();
    bench.card.config.write(4, 2, 0x2);
    expect(bench.strike(kind)).toEqual([]);
    expect(bench.missed).toBe('the bus master bit of the card is off');
  });
});
