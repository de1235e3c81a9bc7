/**
 * What firmware writes into the configuration space of the root port, register by register and in order.
 * Facts: ioda2-phb3 8.2 (45 to 76), 8.3; ioda1-p7ioc 8.6. The figures are those of the facts, not of the code.
 */
import { describe, expect, it } from 'vitest';
import { initErrorReporting } from '../../src/opal/device-errors.js';
import { OpalStatus, ReinitScope, ResetScope } from '../../src/opal/opal-api.js';
import type { PciDevice, PciDeviceType } from '../../src/opal/pci-device.js';
import type { PciHost } from '../../src/opal/pci-host.js';
import type { ConfigSpace } from '../../src/pcie/config-space.js';
import { Simulator } from '../../src/sim/simulator.js';
import { configSpace, FirmwareRig, FlatChip, type FunctionSpec } from './flat-chip.js';
import { aibOffset, Bench } from './p7ioc-bench.js';

const ROOT = 0;
const CARD = 0x100;
const hex = (value: number): string => value.toString(16);

/** Every write into a configuration space, as `offset/size=value`. */
function watch(space: ConfigSpace, seen: string[]): void {
  const write = space.write.bind(space);
  space.write = (offset, size, value) => {
    seen.push(`${hex(offset)}/${size}=${hex(value)}`);
    write(offset, size, value);
  };
}

const HEADER = ['18/4=ff0100', '1c/2=10', '20/4=10', '24/4=10', '3e/2=2'];
/** PHB3 firmware keeps what else stands in the AER control register, what it can do; P7IOC firmware writes it afresh. */
const rootErrors = (correctableMask: string, control: '1e0' | '140') => [
  ...['104/4=ffffffff', '108/4=8d000', '10c/4=72030', '110/4=ffffffff', `114/4=${correctableMask}`],
  ...[`118/4=${control}`, '12c/4=7', '130/4=ffffffff'],
];
const phb3Init = (correctableMask: string) => [
  ...HEADER,
  ...['52/2=f', '50/2=f', '64/2=17', '70/2=2f'],
  ...rootErrors(correctableMask, '1e0'),
  ...['4/2=146', '6/2=f800'],
];

interface Watched {
  readonly rig: FirmwareRig;
  readonly root: ConfigSpace;
  /** Writes into the root port, and those into registers that tell which call they belong to. */
  readonly writes: string[];
}

/** A PHB3 whose root port is watched from the start. */
function phb3(root: FunctionSpec = {}, card: FunctionSpec = {}): Watched {
  const chip = new FlatChip();
  const space = configSpace('root', {
    ...{ port: 'rootPort', vendorId: 0x1014, deviceId: 0x03dc, options: ['ari-forwarding'] },
    ...root,
  });
  space.set('LNKSTA', 0x2083);
  chip.functions.set(ROOT, space);
  chip.functions.set(CARD, configSpace('card', card));
  const writes: string[] = [];
  watch(space, writes);
  const rig = new FirmwareRig(chip);
  rig.run(rig.opal.boot());
  return { rig, root: space, writes };
}

/** Software spoils every register that the set-up of a found device changes; the bits it leaves alone are ones. */
function spoil(root: ConfigSpace): void {
  root.set('PREFETCHABLE_BASE_UPPER', 0);
  root.set('COMMAND', 0x0007);
  root.set('DEVCTL', 0x2000);
  root.set('UE_MASK', 0x0010_0000);
  root.set('UE_SEVERITY', 0x0010_0000);
  root.set('CE_MASK', 0x0000_1000);
  root.set('AER_CONTROL', 0x0000_00a0);
  root.set('ROOT_ERROR_COMMAND', 0);
}

const isSetUp = (line: string): boolean => /^(4\/2|50\/2|108\/|10c\/|114\/|118\/|12c\/)/.test(line);

describe('the root port of a PHB3', () => {
  it('is initialised in the order of the steps, its receiver errors masked while there is no link', () => {
    const { writes } = phb3();
    const first = writes.indexOf('6/2=f800') + 1;
    expect(writes.slice(0, first)).toEqual(phb3Init('2001'));
  });

  it('is initialised alike by a complete reset, but for the receiver errors: there is a link', () => {
    const { rig, writes } = phb3();
    writes.length = 0;
    rig.reset(0, ResetScope.PHB_COMPLETE);
    const first = writes.indexOf('18/4=ff0100');
    expect(writes.slice(first, writes.indexOf('6/2=f800') + 1)).toEqual(phb3Init('2000'));
  });

  it('gets its errors reported when it was found, each register read and changed, in order', () => {
    const { rig, root, writes } = phb3();
    spoil(root);
    writes.length = 0;
    expect(rig.run(rig.opal.pciReinit(0, ROOT))).toBe(OpalStatus.SUCCESS);
    expect(writes).toEqual([
      // Are there upper prefetchable registers? Inverted, and back.
      ...['28/4=ffffffff', '28/4=0'],
      // The smallest payload of all, and what was refused meanwhile.
      ...['50/2=2040', '104/4=ffffffff', '110/4=ffffffff', '52/2=f', '70/4=3f'],
      ...['4/2=147', '50/2=204f', '108/4=18d000', '10c/4=172030', '114/4=3000', '118/4=1e0', '12c/4=7'],
    ]);
  });

  it('is not told of a lost card where a card cannot leave by surprise, and the port interrupt stays', () => {
    const { rig, root, writes } = phb3({ options: ['slot', 'hot-plug'] });
    spoil(root);
    writes.length = 0;
    rig.chip.writes.length = 0;
    rig.run(rig.opal.pciReinit(0, ROOT));
    expect(writes).toContain('108/4=18d000');
    expect(rig.chip.written('UTL_PCIE_PORT_IRQ_EN')).toEqual([]);
  });

  it('masks the loss of a card that may leave at any time, in the port interrupt too and there first', () => {
    const { rig, root, writes } = phb3({ options: ['slot', 'hot-plug-surprise'] });
    spoil(root);
    const both = rig.chip.writes;
    both.length = 0;
    watch(root, both);
    rig.run(rig.opal.pciReinit(0, ROOT));
    expect(rig.chip.written('UTL_PCIE_PORT_IRQ_EN')).toEqual([0xad42_8000_0000_0000n]);
    expect(writes).toContain('108/4=18d020');
    const utl = both.findIndex((line) => line.startsWith('UTL_PCIE_PORT_IRQ_EN='));
    expect(both.slice(utl + 1).filter((line) => /^\w+\/\d=/.test(line))[0]).toBe('4/2=147');
  });

  const HATER: FunctionSpec = { port: 'upstream', vendorId: 0x11f8, deviceId: 0x8546 };

  it('turns ECRC off when a switch is found that cannot stand it, and keeps it off', () => {
    const { rig, root, writes } = phb3({}, HATER);
    expect(writes.filter((line) => line.startsWith('118/'))).toEqual(['118/4=1e0', '118/4=1e0', '118/4=a0']);
    root.set('AER_CONTROL', 0x1e0);
    writes.length = 0;
    rig.run(rig.opal.pciReinit(0, ROOT));
    expect(writes.filter((line) => line.startsWith('118/'))).toEqual(['118/4=a0']);
  });

  it.each([
    ['of another vendor', { ...HATER, vendorId: 0x11f9 }],
    ['that is another model', { ...HATER, deviceId: 0x8547 }],
  ])('leaves ECRC on above a switch %s', (_, card) => {
    const { root } = phb3({}, card);
    expect(root.get('AER_CONTROL') & 0x140).toBe(0x140);
  });

  it('is touched once by a switch that cannot stand ECRC, however often that is set up again', () => {
    const { rig, writes } = phb3({}, HATER);
    writes.length = 0;
    rig.run(rig.opal.pciReinit(0, CARD));
    expect(writes).toEqual([]);
  });

  it('is not set up for any other scope of a re-initialisation', () => {
    const { rig, writes } = phb3();
    writes.length = 0;
    expect(rig.run(rig.opal.pciReinit(0, ROOT, ReinitScope.PCI_DEV + 1))).toBe(OpalStatus.PARAMETER);
    expect(writes).toEqual([]);
  });
});

// ---- P7IOC --------------------------------------------------------------------------------------------------------------

/** Writes into the configuration space of the root port of PHB 0: each names its register by a doubleword before. */
function p7iocWrites(bench: Bench): string[] {
  const [address, data] = [aibOffset(0, 'PHB_CONFIG_ADDRESS'), aibOffset(0, 'PHB_CONFIG_DATA')];
  const seen: string[] = [];
  let selected = 0n;
  for (const { operation, offset, size, value } of bench.accesses) {
    if (operation === 'R') continue;
    if (offset === address) selected = value;
    if (offset < data || offset >= data + 4 || ((selected >> 44n) & 0xffffn) !== BigInt(ROOT)) continue;
    const register = Number((selected >> 32n) & 0xffcn) + offset - data;
    let native = 0n;
    for (let byte = 0; byte < size; byte++)
      native |= ((value >> BigInt(8 * byte)) & 0xffn) << BigInt(8 * (size - 1 - byte));
    seen.push(`${hex(register)}/${size}=${native.toString(16)}`);
  }
  return seen;
}

describe('the root port of a P7IOC PHB', () => {
  const P7IOC_INIT = [
    ...HEADER,
    ...['52/2=f', '50/2=f', '64/2=17', '70/2=22'],
    ...rootErrors('2000', '140'),
    ...['6/2=f800', '4/2=147'],
  ];

  it('is initialised in the order of the steps, at boot and by a complete reset', () => {
    const bench = new Bench().boot();
    const boot = p7iocWrites(bench);
    expect(boot.slice(0, P7IOC_INIT.length)).toEqual(P7IOC_INIT);
    bench.reset(0, ResetScope.PHB_COMPLETE);
    const reset = p7iocWrites(bench).slice(boot.length);
    const first = reset.indexOf('18/4=ff0100');
    expect(reset.slice(first, first + P7IOC_INIT.length)).toEqual(P7IOC_INIT);
  });

  it('gets its errors reported when it was found, and the loss of a card with them', () => {
    const bench = new Bench().boot();
    const setUp = p7iocWrites(bench).slice(P7IOC_INIT.length).filter(isSetUp);
    const last = setUp.slice(setUp.lastIndexOf('108/4=8d000'), setUp.lastIndexOf('12c/4=7') + 1);
    expect(last).toEqual(['108/4=8d000', '10c/4=72030', '114/4=2000', '118/4=1e0', '12c/4=7']);
  });
});

// ---- places of a device ---------------------------------------------------------------------------------------------------

type Policy = Parameters<typeof initErrorReporting>[2];
const POLICY: Policy = { ecrc: 'on', surpriseDown: 'masked', switchCorrectable: 'silent' };

interface Found {
  readonly type: PciDeviceType;
  readonly lacks?: readonly ('express' | 'aer')[];
  readonly surprise?: true;
  readonly policy?: Partial<Policy>;
  readonly ecrcWithoutAer?: 'skiboot' | 'corrected';
}

const PORTS: Partial<Record<PciDeviceType, FunctionSpec>> = {
  'root-port': { port: 'rootPort' },
  'upstream-port': { port: 'upstream' },
  'downstream-port': { port: 'downstream' },
};

/** What is written into a device that was found as told. Its registers hold ones where software may write. */
function reported({ type, lacks = [], surprise, policy, ecrcWithoutAer = 'skiboot' }: Found): string[] {
  const space = configSpace(type, PORTS[type] ?? {});
  for (const at of [0x04, 0x3e, 0x50]) space.write(at, 2, 0xffff);
  for (const at of [0x108, 0x10c, 0x114, 0x118]) space.write(at, 4, 0xffff_ffff);
  const writes: string[] = [];
  watch(space, writes);
  const host = {
    profile: { ecrcWithoutAer },
    *configRead({ offset, size }: { offset: number; size: number }) {
      return { rc: 0, value: space.read(offset, size) };
    },
    *configWrite({ bdfn, offset, size }: { bdfn: number; offset: number; size: number }, value: number) {
      expect(bdfn).toBe(CARD);
      space.write(offset, size, value);
      return 0;
    },
  } as unknown as PciHost;
  const device = {
    ...{ bdfn: CARD, type },
    express: lacks.includes('express') ? undefined : 0x48,
    aer: lacks.includes('aer') ? undefined : 0x100,
    slot: surprise === undefined ? undefined : { surprisePluggable: true },
  } as PciDevice;
  new Simulator().complete('set-up', initErrorReporting(host, device, { ...POLICY, ...policy }));
  return writes;
}

describe('a root port that was found', () => {
  it.each<[string, readonly ('express' | 'aer')[]]>([
    ['no PCI Express capability', ['express']],
    ['no AER capability', ['aer']],
    ['neither capability', ['express', 'aer']],
  ])('answers errors as its command register says, and no more, with %s', (_, lacks) => {
    expect(reported({ type: 'root-port', lacks }).map((line) => line.split('=')[0])).toEqual(['4/2']);
  });

  it('has surprise down masked only where a card may leave and the bridge wants it so', () => {
    const mask = (found: Partial<Found>) => {
      const line = reported({ type: 'downstream-port', ...found }).find((each) => each.startsWith('108/'));
      return line?.split('=')[1];
    };
    expect(mask({})).toBe('0');
    expect(mask({ surprise: true })).toBe('20');
    expect(mask({ surprise: true, policy: { surpriseDown: 'reported' } })).toBe('0');
  });
});

describe('a port of a switch that was found', () => {
  const lines = (found: Partial<Found>) => reported({ type: 'upstream-port', ...found });

  it('gets each register by its place, correctable errors off where the bridge cannot stand them', () => {
    expect(lines({})).toEqual(['4/2=547', '3e/2=42', '50/2=70ee', '108/4=0', '10c/4=462030', '114/4=2000', '118/4=e0']);
  });

  it('has correctable errors on where the bridge can stand them', () => {
    expect(lines({ policy: { switchCorrectable: 'reported' } })).toContain('50/2=70ef');
  });

  it('has what it has: without PCI Express the rest is set, without AER nothing more', () => {
    expect(lines({ lacks: ['express'] }).map((line) => line.split('/')[0])).toEqual([
      ...['4', '3e', '108', '10c', '114', '118'],
    ]);
    expect(lines({ lacks: ['aer'] }).map((line) => line.split('/')[0])).toEqual(['4', '3e', '50']);
  });
});

describe('an endpoint that was found', () => {
  it.each(['endpoint', 'legacy'] as const)('gets its command register, reports and ECRC, as a %s one', (type) => {
    expect(reported({ type })).toEqual(['4/2=547', '50/2=70ee', '118/4=1e0']);
    expect(reported({ type, policy: { ecrc: 'off' } }).at(-1)).toBe('118/4=a0');
    expect(reported({ type, lacks: ['express'] })).toEqual(['4/2=547']);
  });

  it('without AER has the bits set in the register at 0x18, unless that is mended', () => {
    const lacks = ['aer'] as const;
    expect(reported({ type: 'endpoint', lacks }).at(-1)).toBe('18/4=140');
    expect(reported({ type: 'endpoint', lacks, ecrcWithoutAer: 'corrected' }).at(-1)).toBe('50/2=70ee');
  });
});
