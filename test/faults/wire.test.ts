/** Faults of links and packets in a machine with its software: what they do, and what they leave in AER. */
import { describe, expect, it } from 'vitest';
import { FAULT_KINDS, FAULTS, type FaultDeclaration, type FaultKind } from '../../src/faults/catalogue.js';
import { FaultEngine, type PlannedFault } from '../../src/faults/engine.js';
import { PowerSystem } from '../../src/machine/system.js';
import type { SlotOptions } from '../../src/machine/topology.js';
import { CORRECTABLE, UNCORRECTABLE } from '../../src/pcie/aer-capability.js';
import type { ConfigSpace } from '../../src/pcie/config-space.js';
import type { LinkError } from '../../src/pcie/link-error.js';
import type { Nic } from '../../src/pcie/nic.js';
import { malformation } from '../../src/pcie/tlp-checks.js';
import { ms, us } from '../../src/sim/time.js';

class Machine {
  readonly system: PowerSystem;
  readonly engine: FaultEngine;
  readonly link;
  readonly nic: Nic;
  readonly errors: `${LinkError} ${'up' | 'down'}`[] = [];

  /** `behind`: below a switch with a neighbour, or below the root port alone. */
  constructor(behind: 'switch' | 'root-port' = 'switch', framePeriodNs = us(100)) {
    const NIC: SlotOptions = { device: 'nic', driver: 'recovering', framePeriodNs };
    this.system = new PowerSystem({
      slots: new Map(
        behind === 'switch'
          ? [
              [1, NIC],
              [2, NIC],
            ]
          : [[1, NIC]],
      ),
    });
    this.system.boot();
    this.run(ms(1));
    const target = this.system.slot('slot1')!.faultTarget();
    this.engine = new FaultEngine(this.system.sim, [target]);
    this.link = target.link;
    this.nic = this.system.slot('slot1')!.place.nic!;
    this.link.onError((error, at) => this.errors.push(`${error} ${at}`));
  }

  run(ns: number): void {
    this.system.sim.run({ untilNs: this.system.sim.now + ns });
  }

  strike(kind: FaultKind, parameters: NonNullable<PlannedFault['parameters']> = {}): string | undefined {
    this.engine.plan({ kind, target: 'slot1', atNs: this.system.sim.now, parameters });
    this.run(1);
    return this.engine.strikes.at(-1)?.missed;
  }

  /** Names of the errors that stand in AER of the card and of the ports above. */
  aer(): string[] {
    const [fan] = this.system.switches;
    const root = this.system.machine.phbs[0]!.rootPort.config as ConfigSpace;
    const spaces = [this.nic.config, root, ...(fan?.switch.ports.map((port) => port.config) ?? [])] as ConfigSpace[];
    const seen = (register: string): number => spaces.reduce((all, space) => all | space.get(register), 0);
    const names = (bits: Readonly<Record<string, number>>, status: number): string[] =>
      Object.keys(bits).filter((name) => (status & bits[name]!) !== 0);
    return [...names(UNCORRECTABLE, seen('UE_STATUS')), ...names(CORRECTABLE, seen('CE_STATUS'))];
  }

  get frozen(): boolean {
    return this.system.machine.phbs[0]!.peState.isFrozen(this.system.slot('slot1')!.pe!);
  }
}

const kindsWithAer = FAULT_KINDS.filter((kind) => (FAULTS[kind] as FaultDeclaration).aer !== undefined);

describe('a fault', () => {
  it.each(kindsWithAer)('of kind %s leaves in AER what the catalogue says', (kind) => {
    const machine = new Machine();
    const { aer } = FAULTS[kind] as FaultDeclaration;
    const missing = new Set<string>(aer);
    for (const before of machine.aer()) expect(missing.has(before)).toBe(false);
    expect(machine.strike(kind)).toBeUndefined();
    for (let i = 0; i < 100 && missing.size > 0; i++) {
      for (const name of machine.aer()) missing.delete(name);
      machine.run(us(50));
    }
    expect([...missing]).toEqual([]);
  });

  it.each(['lcrc-error', 'receiver-error', 'bad-dllp', 'link-retrain', 'credit-stall'] as const)(
    'of kind %s is healed by the link: no freeze, no packet lost',
    (kind) => {
      const machine = new Machine('switch', us(300));
      machine.strike(kind);
      const before = machine.system.slot('slot1')!.packets;
      machine.run(ms(20));
      expect(machine.frozen).toBe(false);
      expect(machine.link.down.lostPackets + machine.link.up.lostPackets).toBe(0);
      expect(machine.nic.registers.get('RX_DROPPED')).toBe(0);
      expect(machine.system.slot('slot1')!.packets - before).toBeGreaterThan(60);
    },
  );

  it.each([
    ['lcrc-error', 'bad-tlp'],
    ['receiver-error', 'receiver-error'],
    ['bad-dllp', 'bad-dllp'],
  ] as const)('of kind %s is found at the end it is sent to, %s', (kind, error) => {
    for (const direction of ['up', 'down'] as const) {
      const machine = new Machine();
      machine.strike(kind, { direction });
      machine.run(ms(5));
      expect(machine.errors).toContain(`${error} ${direction}`);
      expect(machine.errors).not.toContain(`${error} ${direction === 'up' ? 'down' : 'up'}`);
    }
  });

  it('of noise hits a share of the packets for its time, and none after', () => {
    const machine = new Machine();
    machine.strike('link-noise', { for: ms(5), percent: 10 });
    machine.run(ms(5));
    const { hits } = machine.link.down.packetDamage;
    expect(hits).toBeGreaterThan(10);
    machine.run(ms(5));
    expect(machine.link.down.packetDamage.hits).toBe(hits);
  });

  it('that holds a thing as another does lasts until the last of them ends', () => {
    const machine = new Machine();
    const { down } = machine.link;
    machine.strike('link-noise', { for: ms(1), percent: 50 });
    machine.strike('link-noise', { for: ms(4), percent: 50 });
    machine.run(ms(2));
    const { hits } = down.packetDamage;
    machine.run(ms(1));
    expect(down.packetDamage.hits).toBeGreaterThan(hits);
    machine.run(ms(2));
    const last = down.packetDamage.hits;
    machine.run(ms(3));
    expect(down.packetDamage.hits).toBe(last);
  });

  it('of credits stalls the sender of its direction for its time', () => {
    const machine = new Machine();
    const free = machine.link.down.creditsLeft('PH');
    machine.strike('credit-stall', { for: ms(1) });
    machine.run(us(900));
    expect(machine.link.down.creditsLeft('PH')).toBeLessThan(free - 10);
    machine.run(us(400));
    expect(machine.link.down.creditsLeft('PH')).toBeGreaterThan(free - 10);
    machine.strike('credit-stall', { for: ms(5), direction: 'down' });
    machine.run(ms(4));
    expect(machine.link.up.creditsLeft('NPH')).toBeLessThan(127);
  });

  it('of lanes leaves the widest link of those below the first, or none', () => {
    const width = (first: number) => {
      const machine = new Machine();
      expect(machine.strike('lane-failure', { first })).toBeUndefined();
      machine.run(ms(2));
      return machine.link.width;
    };
    expect([7, 4, 3, 1, 0].map(width)).toEqual([4, 4, 2, 1, 0]);
    expect(new Machine().strike('lane-failure', { first: 8 })).toBe('the slot of slot1 has lanes 0 to 7');
  });

  it('of equalization shows when the link trains next', () => {
    const machine = new Machine();
    machine.strike('equalization-failure');
    machine.run(ms(1));
    expect(machine.link.speed).toBe(3);
    machine.link.surpriseDown();
    machine.run(ms(500));
    expect(machine.link.speed).toBe(1);
  });

  it('of equalization misses a link that never gets there, and strikes below a switch whatever is above', () => {
    const struck = (phbs: readonly number[]): (string | undefined)[] => {
      const slots = new Map(
        phbs.map((phb, i): [number, SlotOptions] => [i + 1, { device: 'nic', driver: 'none', phb }]),
      );
      const system = new PowerSystem({ chip: 'p7ioc', slots });
      system.boot();
      const engine = new FaultEngine(system.sim, [system.slot('slot1')!.faultTarget()], 'p7ioc');
      engine.plan({ kind: 'equalization-failure', target: 'slot1', atNs: system.sim.now });
      system.sim.run({ untilNs: system.sim.now + 1 });
      return engine.strikes.map(({ missed }) => missed);
    };
    expect(struck([0])).toEqual(['the link of slot1 never tries 8 GT/s']);
    expect(struck([0, 0])).toEqual([undefined]);
  });

  it('of a link that is down misses', () => {
    const machine = new Machine();
    machine.link.surpriseRemove();
    for (const kind of ['lcrc-error', 'link-noise', 'link-retrain', 'credit-stall'] as const) {
      expect(machine.strike(kind)).toBe('the link of slot1 is down');
    }
  });

  it.each([
    ['malformed-tlp', 'MWr', {}, 'undefined-type'],
    ['malformed-tlp', 'MRd', { packet: 'read', defect: 'byte-enables' }, 'byte-enables'],
    ['malformed-tlp', 'CplD', { packet: 'completion', defect: 'length-not-payload' }, 'length-not-payload'],
    ['malformed-tlp', 'MWr', { defect: 'payload-too-long' }, 'payload-too-long'],
    ['4k-crossing', 'MWr', {}, 'crosses-4k'],
    ['4k-crossing', 'MRd', { packet: 'read' }, 'crosses-4k'],
  ] as const)('%s breaks the rule it names in one %s', (kind, packet, parameters, rule) => {
    const machine = new Machine();
    const { maxPayloadBytes } = machine.nic;
    const broken: string[] = [];
    machine.link.down.observe((tlp) => {
      const found = malformation(tlp, { maxPayloadBytes, from: 'below' });
      if (found !== undefined) broken.push(`${tlp.kind} ${found}`);
    });
    expect(machine.strike(kind, parameters)).toBeUndefined();
    machine.run(ms(2));
    expect(broken).toEqual([`${packet} ${rule}`]);
  });

  it('of a packet that cannot have the defect misses, and says which can', () => {
    const machine = new Machine();
    const malformed = (packet: string, defect: string) => machine.strike('malformed-tlp', { packet, defect });
    expect(malformed('read', 'length-not-payload')).toBe(
      'a read carries no data: length-not-payload fits a write or a completion',
    );
    expect(malformed('message', 'payload-too-long')).toMatch(/^a message carries no data/);
    expect(malformed('completion', 'byte-enables')).toBe(
      'a completion has no byte enables: byte-enables fits a write or a read',
    );
  });

  it('of a malformed packet freezes every PE below a root port, and all below a switch', () => {
    for (const behind of ['root-port', 'switch'] as const) {
      const machine = new Machine(behind);
      machine.strike('malformed-tlp');
      machine.run(ms(1));
      expect(machine.frozen).toBe(true);
      const { peState } = machine.system.machine.phbs[0]!;
      expect(peState.isFrozen(0x10)).toBe(behind === 'root-port');
    }
  });

  it('of a wrong ECRC drops the packet at the root port, without a word', () => {
    const machine = new Machine();
    machine.strike('ecrc-error');
    machine.run(ms(2));
    expect(machine.system.machine.phbs[0]!.rootPort.rejectedPackets).toBe(1);
    expect(machine.frozen).toBe(false);
  });

  it('of retry status is a wrong answer to a load, and to configuration reads one the bridge repeats', () => {
    const machine = new Machine();
    const answers: (string | undefined)[] = [];
    machine.link.down.observe((tlp) => answers.push(tlp.status));
    machine.strike('request-retry', { requests: 'memory' });
    machine.run(ms(2));
    expect(answers).toContain('CRS');
    expect(machine.frozen).toBe(true);
  });
});
