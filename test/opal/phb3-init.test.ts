import { describe, expect, it } from 'vitest';
import { FreezeState, OpalStatus, PciError, ResetScope, Severity } from '../../src/opal/opal-api.js';
import { configSpace, FirmwareRig, FlatChip } from './flat-chip.js';

const ONES = 0xffff_ffff_ffff_ffffn;
const PGRESET = 0x0000_0200_0000_0000n;

/** Each reason for which a PHB does not come up. */
const FAILURES: readonly [reason: string, log: RegExp, spoil: (chip: FlatChip) => void][] = [
  ['SCOM answers ones', /SCOM/, (chip) => chip.answer('nest.HARDWARE_CONFIG0', ONES)],
  ['VERSION is zero', /version/, (chip) => chip.answer('PHB_VERSION', 0n)],
  ['VERSION is ones', /version/, (chip) => chip.answer('PHB_VERSION', ONES)],
  ['the silicon is DD1', /a30002 is too old/, (chip) => chip.answer('PHB_VERSION', 0xa3_0000_0002n)],
  ['the core stays in reset', /leave reset/, (chip) => chip.answer('PHB_PCIE_DLP_TRAIN_CTL', PGRESET)],
  ['errors are latched', /errors before/, (chip) => chip.answer('PHB_ETU_ERR_SUMMARY', 1n)],
  [
    'the root port has no PCI Express capability',
    /PCI Express/,
    (chip) => chip.functions.set(0, configSpace('root', { bridge: true, express: false })),
  ],
  [
    'the root port has no AER capability',
    /AER/,
    (chip) => chip.functions.set(0, configSpace('root', { port: 'rootPort', aer: false })),
  ],
];

describe('a PHB that does not come up', () => {
  it.each(FAILURES)('is broken if %s, and its log says why', (_, log, spoil) => {
    const chip = new FlatChip();
    spoil(chip);
    const rig = FirmwareRig.booted(chip);
    expect(chip.log).toContainEqual(expect.stringMatching(log));
    expect(rig.run(rig.opal.pciEehFreezeStatus(0, 0))).toEqual({
      rc: OpalStatus.HARDWARE,
      freezeState: FreezeState.MMIO_DMA_FREEZE,
      errorType: PciError.PHB,
      severity: Severity.PHB_DEAD,
    });
  });

  it('waits 0.4 s for the core to leave reset, in steps of 10 us', () => {
    const chip = new FlatChip();
    chip.answer('PHB_PCIE_DLP_TRAIN_CTL', PGRESET);
    FirmwareRig.booted(chip);
    expect(chip.sim.now / 1e6).toBeCloseTo(100 + 0.002 + 400, 6);
  });

  it('refuses every call that needs the chip', () => {
    const chip = new FlatChip();
    chip.answer('PHB_VERSION', 0n);
    const { opal, ...rig } = FirmwareRig.booted(chip);
    const run = FirmwareRig.prototype.run.bind(rig);
    expect(run(opal.pciConfigRead(0, 0, 0, 2))).toEqual({ rc: OpalStatus.HARDWARE, value: 0xffff });
    expect(run(opal.pciConfigWrite(0, { bdfn: 0, offset: 4, size: 2 }, 0))).toBe(OpalStatus.HARDWARE);
    expect(run(opal.pciEehFreezeClear(0, 0, 3))).toBe(OpalStatus.HARDWARE);
    expect(run(opal.pciEehFreezeSet(0, 0, 3))).toBe(OpalStatus.HARDWARE);
    expect(run(opal.pciNextError(0))).toMatchObject({ errorType: PciError.PHB, severity: Severity.PHB_DEAD });
    expect(run(opal.pciGetPhbDiagData2(0)).rc).toBe(OpalStatus.HARDWARE);
    expect(run(opal.pciGetPresenceState(0)).rc).toBe(OpalStatus.HARDWARE);
    expect(run(opal.setXive(0x810, 0, 5))).toBe(OpalStatus.HARDWARE);
    expect(chip.writes).toEqual([]);
  });

  it('is reset as if a card were there, for presence is not known', () => {
    const chip = new FlatChip();
    chip.answer('PHB_VERSION', 0n);
    const rig = FirmwareRig.booted(chip);
    expect(rig.reset(0, ResetScope.PCI_HOT)).toEqual([1000, 1000, 100, 100, 0]);
    expect(chip.functions.get(0)!.read(0x3e, 2)).toBe(0);
  });

  it('comes back by a complete reset once the cause is gone', () => {
    const chip = new FlatChip();
    chip.answer('PHB_ETU_ERR_SUMMARY', 1n);
    const rig = FirmwareRig.booted(chip);
    expect(rig.reset(0, ResetScope.PHB_COMPLETE).at(-1)).toBe(0);
    expect(rig.run(rig.opal.pciEehFreezeStatus(0, 0)).rc).toBe(OpalStatus.HARDWARE);
    chip.answer('PHB_ETU_ERR_SUMMARY', 0n);
    expect(rig.reset(0, ResetScope.PHB_COMPLETE).at(-1)).toBe(0);
    expect(rig.run(rig.opal.pciEehFreezeStatus(0, 0)).rc).toBe(OpalStatus.SUCCESS);
  });
});

describe('what the revision and the board change', () => {
  const bootAs = (version: bigint, board: ConstructorParameters<typeof FirmwareRig>[1] = {}): FlatChip => {
    const chip = new FlatChip();
    chip.answer('PHB_VERSION', version);
    const rig = new FirmwareRig(chip, board);
    rig.run(rig.opal.boot());
    return chip;
  };

  it('Murano DD2.0 gets smaller credits and the TCE watermark', () => {
    const chip = bootAs(0xa3_0000_0003n);
    expect(chip.written('PHB_AIB_RX_CMD_CRED')).toEqual([0x0020_0001_0001_0001n]);
    expect(chip.written('PHB_AIB_RX_DATA_CRED')).toEqual([0x0020_0020_0000_0001n]);
    expect(chip.written('PHB_TCE_WATERMARK')).toEqual([0x0003_0000_0003_0302n]);
  });

  it('Naples gets its 32-bit bypass at the first initialisation only', () => {
    const chip = new FlatChip();
    chip.answer('PHB_VERSION', 0xb3_0000_0001n);
    const rig = new FirmwareRig(chip);
    rig.run(rig.opal.boot());
    rig.reset(0, ResetScope.PHB_COMPLETE);
    expect(chip.written('PHB_CONTROL')).toEqual([0xf3b8_0edb_0000_0000n, 0xf3a8_0edb_0000_0000n]);
    expect(chip.written('PHB_INTREP_TIMER')[0]).toBe(0x0014_0000_0000_0000n);
  });

  it('the third PHB gets its link credits repaired, others do not', () => {
    expect(bootAs(0xa3_0000_0005n, { index: 2 }).written('PHB_PCIE_SYS_LINK_INIT')).toEqual([0x9008_1333_3212_0000n]);
    expect(bootAs(0xa3_0000_0005n).written('PHB_PCIE_SYS_LINK_INIT')).toEqual([]);
  });

  it('lane presets and the speed limit come from the board', () => {
    const chip = bootAs(0xa3_0000_0005n, { laneEqualisation: [1n, 2n, 3n, 4n], maxLinkSpeed: 2 });
    const lanes = [0, 1, 2, 3].flatMap((lane) => chip.written(`PHB_PCIE_LANE_EQ_CNTL${lane}`));
    expect(lanes).toEqual([1n, 2n, 3n, 4n]);
    expect(chip.written('PHB_PCIE_SYSTEM_CONFIG')).toEqual([0x2000_0000n]);
  });
});

describe('probing', () => {
  const probe = (spoil: (chip: FlatChip) => void): { chip: FlatChip; rig: FirmwareRig } => {
    const chip = new FlatChip();
    spoil(chip);
    return { chip, rig: FirmwareRig.booted(chip) };
  };

  it.each<[string, (chip: FlatChip) => void]>([
    ['CAPI mode', (chip) => chip.answer('spci.AIB_CAPP_ENABLE', 1n << 63n)],
    ['no register BAR', (chip) => chip.set('nest.PHB_BAR', 0n)],
    [
      'no MMIO window',
      (chip) => {
        chip.window(0, 0n, 0n);
        chip.window(1, 0n, 0n);
      },
    ],
  ])('leaves a PHB alone: %s', (reason, spoil) => {
    const { chip, rig } = probe(spoil);
    expect(rig.opal.deviceTree()).toEqual([]);
    expect(chip.log).toEqual([`PHB#0000: skipped, ${reason}`]);
    expect(rig.run(rig.opal.pciPoll(0))).toBe(OpalStatus.PARAMETER);
  });

  it('repairs the copy of the register BAR', () => {
    const chip = new FlatChip();
    chip.set('pci.ASB_BAR', 0n);
    const rig = new FirmwareRig(chip);
    rig.run(rig.opal.boot());
    expect(chip.get('pci.ASB_BAR')).toBe(chip.get('nest.PHB_BAR'));
  });

  it('takes the larger window for M64, whichever it is', () => {
    const { rig } = probe((chip) => {
      chip.window(0, 0x3fe0_0000_0000n, 0x8000_0000n);
      chip.window(1, 0x3b00_0000_0000n, 0x10_0000_0000n);
    });
    const [node] = rig.opal.deviceTree();
    expect(node?.m64).toMatchObject({ cpuBase: 0x3b00_0000_0000, sizeBytes: 0x10_0000_0000 });
    expect(node?.m32).toMatchObject({ cpuBase: 0x3fe0_0000_0000, sizeBytes: 0x7fff_0000 });
  });

  it('splits a lone window, and ignores a second one below 2 GiB', () => {
    const { rig } = probe((chip) => chip.window(1, 0x3fe0_0000_0000n, 0x4000_0000n));
    const [node] = rig.opal.deviceTree();
    expect(node?.m64).toMatchObject({ cpuBase: 0x3b00_0000_0000, sizeBytes: 0x8_0000_0000 });
    expect(node?.m32.cpuBase).toBe(0x3b08_0000_0000);
  });
});
