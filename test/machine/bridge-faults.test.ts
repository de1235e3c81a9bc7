import { describe, expect, it } from 'vitest';
import type { HubErrorKind, NestError } from '../../src/faults/bridge-errors.js';
import type { FaultTarget } from '../../src/faults/target.js';
import { msbMask } from '../../src/hw/bits.js';
import { SyncHost } from '../../src/hw/sync-host.js';
import { HUB_UNIT_NAMES, HUB_UNITS, type HubUnit } from '../../src/ioda1/error-bits/units.js';
import { PBCQ_NEST_REGISTERS, PBCQ_PCI_REGISTERS, PBCQ_SCOM_RANGES } from '../../src/ioda2/registers/pbcq.js';
import { PowerNv8 } from '../../src/machine/powernv8.js';
import { type AnySystem, PowerSystem } from '../../src/machine/system.js';

type PhbTarget = Extract<FaultTarget, { kind: 'phb' }>;
type HubTarget = Extract<FaultTarget, { kind: 'hub' }>;

const targetOf = (targets: readonly FaultTarget[], name: string): FaultTarget =>
  targets.find((target) => target.name === name)!;

function power7(): PowerSystem<'p7ioc'> {
  const system = new PowerSystem({ chip: 'p7ioc', slots: new Map([[1, { device: 'nic', driver: 'none' }]]) });
  system.sim.complete('firmware boot', system.opal.boot());
  return system;
}

const hubOf = (system: AnySystem): HubTarget => targetOf(system.faultTargets(), 'hub') as HubTarget;

describe('a fatal error of a PHB3', () => {
  it.each([
    ['forced', 0xf0_0000_0000n],
    ['register-parity', 1n << 62n],
    ['bus-data', 1n << 60n],
    ['array-bad', 1n << 56n],
  ] as const)('of the kind %s sets its bits of the nest FIR, in the PHB that is meant', (error, bits) => {
    const machine = new PowerNv8({ phbs: 2 });
    (targetOf(machine.faultTargets(), 'phb1') as PhbTarget).raiseFatal(error);
    const { base, strideOfPhb } = PBCQ_SCOM_RANGES.nest;
    const host = new SyncHost(machine.bus);
    const nfir = (phb: number): bigint =>
      host.scomRead(base + strideOfPhb * phb + PBCQ_NEST_REGISTERS.get('NFIR').offset);
    expect([nfir(0), nfir(1) & bits]).toEqual([0n, bits]);
  });
});

describe('a PHB3 that is not to come out of reset', () => {
  it('stays there once it is reset', () => {
    const machine = new PowerNv8();
    const [phb] = machine.phbs;
    (targetOf(machine.faultTargets(), 'phb0') as PhbTarget).jamReset();
    expect(phb!.pbcq.heldInReset).toBe(false);
    const { base } = PBCQ_SCOM_RANGES.pci;
    const reset = base + PBCQ_PCI_REGISTERS.get('ETU_RESET').offset;
    phb!.scomWrite(reset, 1n << 63n);
    phb!.scomWrite(reset, 0n);
    expect(phb!.pbcq.heldInReset).toBe(true);
  });
});

describe('a fatal error of a P7IOC PHB', () => {
  it.each(['forced', 'register-parity', 'bus-data', 'array-bad'] as const satisfies readonly NestError[])(
    'of the kind %s fences the PHB, once firmware has enabled that',
    (error) => {
      const system = power7();
      (targetOf(system.faultTargets(), 'phb0') as PhbTarget).raiseFatal(error);
      expect(system.machine.phbs[0]!.isFenced).toBe(true);
      expect(system.machine.hub.isDead).toBe(false);
    },
  );

  it('that keeps it in reset shows at the next reset only', () => {
    const system = power7();
    const [phb] = system.machine.phbs;
    (targetOf(system.faultTargets(), 'phb0') as PhbTarget).jamReset();
    const inReset = (): boolean => (phb!.registers.read(0x640) & (1n << 41n)) !== 0n;
    expect(inReset()).toBe(false);
    phb!.configurationReset('held');
    phb!.configurationReset('released');
    system.sim.run({ untilNs: system.sim.now + 1e9 });
    expect(inReset()).toBe(true);
  });
});

describe('an error of a unit of the hub', () => {
  const report = (system: PowerSystem<'p7ioc'>, unit: HubUnit, error: HubErrorKind): string | undefined =>
    hubOf(system).report(unit, error);

  it.each(HUB_UNIT_NAMES)('of %s that is fatal shows in the global macro', (unit) => {
    const system = power7();
    expect(report(system, unit, 'fatal')).toBeUndefined();
    const { hub } = system.machine;
    expect(hub.registers.get('GEM_XFIR') & msbMask(HUB_UNITS[unit].gemBit)).not.toBe(0n);
  });

  it.each(['RGC', 'BI_UP', 'BI_DOWN', 'CI_P2', 'MISC', 'I2C'] as const)('of %s that is fatal stops the hub', (unit) => {
    const system = power7();
    report(system, unit, 'fatal');
    expect(system.machine.hub.isDead).toBe(true);
  });

  it.each(['RGC', 'BI_DOWN', 'MISC', 'I2C'] as const)('of %s that informs goes as far as the interrupt', (unit) => {
    const system = power7();
    expect(report(system, unit, 'informational')).toBeUndefined();
    const { hub } = system.machine;
    const units = [hub.registers.read(0x3e_0010), hub.registers.get('GEM_RWOF')];
    expect(hub.isDead).toBe(false);
    expect(units).toEqual([msbMask(HUB_UNITS[unit].gemBit), msbMask(HUB_UNITS[unit].gemBit)]);
  });

  it.each([
    ['CI_P2', 0],
    ['CI_P3', 1],
  ] as const)('of crossbar port %s fences the PHB behind it, %i, and no other', (unit, phb) => {
    const slots = new Map([
      [1, { device: 'nic', driver: 'none' }],
      [2, { device: 'nic', driver: 'none', phb: 1 }],
    ] as const);
    const system = new PowerSystem({ chip: 'p7ioc', slots });
    system.sim.complete('firmware boot', system.opal.boot());
    expect(report(system, unit, 'bridge')).toBeUndefined();
    expect(system.machine.phbs.map(({ isFenced }) => isFenced)).toEqual([phb === 0, phb === 1]);
  });

  it.each([
    ['RGC', 'malfunction'],
    ['BI_UP', 'bridge'],
    ['CI_P0', 'clock'],
    ['MISC', 'register-access'],
  ] as const)('of %s cannot be a %s', (unit, error) => {
    expect(report(power7(), unit, error)).toBe(`${unit} has no error of that kind`);
  });
});
