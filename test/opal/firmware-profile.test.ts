import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FIRMWARE_SWITCH_NAMES,
  type FirmwareProfileChoice,
  FirmwareProfileError,
  type FirmwareSwitchName,
  firmwareProfile,
} from '../../src/opal/firmware-profile.js';
import { OpalEvent, OpalStatus, PciError, ResetScope, Severity, slotId } from '../../src/opal/opal-api.js';
import { P7IOC_SWITCHES } from '../../src/opal/p7ioc-switches.js';
import { profileTable } from './firmware-profile-table.js';
import { AIB_FENCED, configSpace, FirmwareRig, FlatChip, LINK_ACTIVE, LINK_DOWN } from './flat-chip.js';

const { SUCCESS, PARAMETER, HARDWARE, ASYNC_COMPLETION } = OpalStatus;
const { PCI_HOT, PCI_FUNDAMENTAL, PHB_COMPLETE } = ResetScope;
const ONES = 0xffff_ffff_ffff_ffffn;
const CARD = 0x100;
const M64 = 2;
const MIB = 1n << 20n;
const M64_BASE = 0x3b00_0000_0000n;
const LEM_ER = 1n << (63n - 43n);
const ER_IRQ = 0xfff;
const MMIO_CAUSE = 1n << 61n;

type Build = (prepare?: (chip: FlatChip) => void) => FirmwareRig;

interface Sight {
  /** What an operating system, or somebody with a probe at the chip, sees. */
  readonly see: (build: Build) => unknown;
  readonly skiboot: unknown;
  readonly corrected: unknown;
}

const DOWNSTREAM = [0x200, 0x208] as const;

/** The registers of a function that were addressed. */
function registersTouched(rig: FirmwareRig, bdfn: number): number[] {
  return rig.chip
    .written('PHB_CONFIG_ADDRESS')
    .filter((address) => Number((address >> 44n) & 0xffffn) === bdfn)
    .map((address) => Number((address >> 32n) & 0xfffn));
}

const vendorTouched = (rig: FirmwareRig, bdfn: number): boolean => registersTouched(rig, bdfn).includes(0);
const configuredBeyondVendor = (rig: FirmwareRig, bdfn: number): boolean =>
  registersTouched(rig, bdfn).some((register) => register !== 0);

const withCard = (chip: FlatChip): void => void chip.functions.set(CARD, configSpace('card', {}));

/** Boots with errors latched, so that the PHB is broken. */
function broken(build: Build): FirmwareRig {
  return build((chip) => chip.answer('PHB_ETU_ERR_SUMMARY', 1n));
}

/** The dwords that the error clear sequence leaves in the root port. */
function rootAfterClear(build: Build, offset: number, before: number): number {
  const rig = build();
  const root = rig.chip.functions.get(0)!;
  root.write(offset, 2, before);
  rig.chip.answer('PHB_ETU_ERR_SUMMARY', 1n);
  rig.run(rig.opal.pciEehFreezeClear(0, 3, 3));
  return root.read(offset, 2);
}

/** What stands in 0x06 and 0x1e of the root port after the sequence, all status bits having been set before. */
function statusAfterClear(build: Build, register: 'STATUS' | 'SECONDARY_STATUS'): number {
  const rig = build();
  const root = rig.chip.functions.get(0)!;
  root.set(register, 0xf810);
  rig.chip.answer('PHB_ETU_ERR_SUMMARY', 1n);
  rig.run(rig.opal.pciEehFreezeClear(0, 3, 3));
  return root.get(register) & 0xf800;
}

function mapped(rig: FirmwareRig): FirmwareRig {
  const match = { bus: 7, device: 0, function: 0 };
  rig.run(rig.opal.pciSetPe(0, { pe: 5, rid: CARD, match, action: 1 }));
  return rig;
}

/** A fundamental reset that succeeds, then a hot reset whose link stays away. */
function hotAfterFundamental(build: Build): number {
  const rig = build();
  rig.reset(0, PCI_FUNDAMENTAL);
  rig.chip.answer('PHB_PCIE_DLP_TRAIN_CTL', LINK_DOWN);
  return rig.reset(0, PCI_HOT).filter((waitMs) => waitMs === 1000).length;
}

const SIGHTS: Record<Exclude<FirmwareSwitchName, ElsewhereName>, Sight> = {
  peNumberCheck: {
    see: (build) => {
      const rig = build();
      return [rig.run(rig.opal.pciEehFreezeStatus(0, 999)).rc, rig.run(rig.opal.pciEehFreezeClear(0, 999, 3))];
    },
    skiboot: [SUCCESS, SUCCESS],
    corrected: [PARAMETER, PARAMETER],
  },
  freezeClearAction: {
    see: (build) => {
      const rig = build();
      return [0, 1, 2, 3, 4, 7].map((action) => rig.run(rig.opal.pciEehFreezeClear(0, 1, action)));
    },
    skiboot: [SUCCESS, SUCCESS, SUCCESS, SUCCESS, SUCCESS, SUCCESS],
    corrected: [PARAMETER, SUCCESS, SUCCESS, SUCCESS, PARAMETER, PARAMETER],
  },
  frozenErrorType: {
    see: (build) => {
      const rig = build();
      const pest = rig.opal.deviceTree()[0]!.tables!.pest.address;
      rig.run(rig.opal.pciEehFreezeSet(0, 5, 3));
      rig.run(rig.opal.pciEehFreezeSet(0, 6, 3));
      rig.chip.memory.write64(pest + 6 * 16, MMIO_CAUSE);
      return [5, 6, 7].map((pe) => rig.run(rig.opal.pciEehFreezeStatus(0, pe)).errorType);
    },
    skiboot: [PciError.NO_ERROR, PciError.NO_ERROR, PciError.NO_ERROR],
    corrected: [PciError.PE_DMA, PciError.PE_MMIO, PciError.NO_ERROR],
  },
  brokenFreezeStatus: {
    see: (build) => {
      const rig = broken(build);
      return rig.run(rig.opal.pciEehFreezeStatus(0, 0)).rc;
    },
    skiboot: HARDWARE,
    corrected: SUCCESS,
  },
  freezeSetFence: {
    see: (build) => {
      const rig = build();
      rig.chip.answer('nest.NFIR', AIB_FENCED);
      rig.chip.fenced = true;
      return rig.run(rig.opal.pciEehFreezeSet(0, 5, 3));
    },
    skiboot: SUCCESS,
    corrected: HARDWARE,
  },
  errorClearSecondaryStatus: {
    see: (build) => [rootAfterClear(build, 0x1c, 0x2030), statusAfterClear(build, 'SECONDARY_STATUS')],
    skiboot: [0x0010, 0xf800],
    corrected: [0x2030, 0],
  },
  errorClearCommandStatus: {
    see: (build) => [rootAfterClear(build, 0x04, 0x0146), statusAfterClear(build, 'STATUS')],
    skiboot: [0x0146, 0xf800],
    corrected: [0x0146, 0],
  },
  nextErrorFence: {
    see: (build) => {
      const rig = build();
      rig.chip.answer('nest.NFIR', AIB_FENCED);
      return rig.run(rig.opal.pciNextError(0)).severity;
    },
    skiboot: Severity.NO_ERROR,
    corrected: Severity.PHB_FENCED,
  },
  nextErrorBroken: {
    see: (build) => {
      const rig = broken(build);
      return rig.run(rig.opal.pciNextError(0)).untouched;
    },
    skiboot: 'first-frozen-pe',
    corrected: undefined,
  },
  configFence: {
    see: (build) => {
      const rig = build();
      rig.chip.answer('nest.NFIR', AIB_FENCED);
      return rig.run(rig.opal.pciConfigRead(0, 0, 0, 4)).rc;
    },
    skiboot: SUCCESS,
    corrected: HARDWARE,
  },
  refusedInjection: {
    see: (build) => {
      const rig = mapped(build());
      const request = { pe: 5, type: 0, address: 0n, mask: 0n };
      expect(rig.run(rig.opal.pciErrInject(0, { ...request, function: 4 }))).toBe(SUCCESS);
      expect(rig.run(rig.opal.pciErrInject(0, { ...request, function: 20 }))).toBe(PARAMETER);
      return rig.chip.get('PHB_PAPR_ERR_INJ_CTL') !== 0n;
    },
    skiboot: false,
    corrected: true,
  },
  injectionWindows: {
    see: (build) => {
      const rig = build();
      const { opal } = rig;
      const match = { bus: 7, device: 1, function: 1 };
      rig.run(opal.pciSetPe(0, { pe: 5, rid: CARD, match, action: 1 }));
      for (const window of [1, 2]) {
        rig.run(opal.pciMapPeMmioWindow(0, { pe: 5, type: M64, window, segment: 0 }));
        const address = M64_BASE + BigInt(window) * 32n * MIB;
        rig.run(opal.pciSetPhbMemWindow(0, { type: M64, window, address, size: 32n * MIB }));
        expect(rig.run(opal.pciPhbMmioEnable(0, M64, window, 2))).toBe(SUCCESS);
      }
      const address = M64_BASE + 64n * MIB + 0x1000n;
      rig.run(opal.pciErrInject(0, { pe: 5, type: 1, function: 0, address, mask: ONES }));
      return rig.chip.get('PHB_PAPR_ERR_INJ_ADDR');
    },
    skiboot: M64_BASE + 32n * MIB,
    corrected: M64_BASE + 64n * MIB + 0x1000n,
  },
  disabledM64: {
    see: (build) => {
      const rig = build();
      const { opal } = rig;
      rig.run(opal.pciMapPeMmioWindow(0, { pe: 0x45, type: M64, window: 3, segment: 0 }));
      rig.run(opal.pciSetPhbMemWindow(0, { type: M64, window: 3, address: M64_BASE + 32n * MIB, size: 32n * MIB }));
      rig.run(opal.pciPhbMmioEnable(0, M64, 3, 2));
      rig.run(opal.pciPhbMmioEnable(0, M64, 3, 0));
      rig.run(opal.pciSetPhbMemWindow(0, { type: M64, window: 4, address: M64_BASE, size: MIB }));
      rig.run(opal.pciPhbMmioEnable(0, M64, 4, 1));
      rig.run(opal.pciPhbMmioEnable(0, M64, 4, 0));
      return [rig.chip.entry('M64BT', 3), rig.chip.entry('M64BT', 4) !== 0n];
    },
    skiboot: [0x03b0_0022_3fff_ffe5n, true],
    corrected: [0n, true],
  },
  bypassStart: {
    see: (build) => {
      const rig = build();
      rig.run(rig.opal.pciMapPeDmaWindowReal(0, { pe: 5, window: 10, pciStart: 0x100_0000n, size: 0x100_0000n }));
      return rig.chip.entry('TVT', 10) >> 40n;
    },
    skiboot: 0n,
    corrected: 1n,
  },
  unassignedBusCompare: {
    see: (build) => {
      const rig = build();
      const match = { bus: 1, device: 0, function: 0 };
      return rig.run(rig.opal.pciSetPe(0, { pe: 5, rid: CARD, match, action: 1 }));
    },
    skiboot: SUCCESS,
    corrected: PARAMETER,
  },
  eoiOwner: {
    see: (build) => {
      const rig = build();
      // A message interrupt of this PHB, a level, one of another PHB.
      return [0x812, 0xff8, 0x1012].map((irq) => rig.run(rig.opal.pciMsiEoi(0, irq)));
    },
    skiboot: [SUCCESS, SUCCESS, SUCCESS],
    corrected: [SUCCESS, PARAMETER, PARAMETER],
  },
  armedRetry: { see: hotAfterFundamental, skiboot: 4, corrected: 2 },
  linkTimeout: {
    see: (build) => {
      const rig = build();
      rig.chip.answer('PHB_PCIE_DLP_TRAIN_CTL', LINK_DOWN);
      return rig.reset(0, PCI_HOT).at(-1);
    },
    skiboot: SUCCESS,
    corrected: HARDWARE,
  },
  linkTimeoutBlock: {
    see: (build) => {
      const rig = build(withCard);
      rig.chip.answer('PHB_PCIE_DLP_TRAIN_CTL', LINK_DOWN);
      rig.reset(0, PCI_HOT);
      return rig.run(rig.opal.pciConfigRead(0, CARD, 0, 4)).rc;
    },
    skiboot: HARDWARE,
    corrected: SUCCESS,
  },
  failedReinit: {
    see: (build) => {
      const rig = build();
      rig.chip.answer('PHB_ETU_ERR_SUMMARY', 1n);
      return rig.reset(0, PHB_COMPLETE);
    },
    skiboot: [10, 100, 100, 1000, 1000, 100, 100, SUCCESS],
    corrected: [10, 100, HARDWARE],
  },
  brokenInit: {
    see: (build) => {
      const rig = broken(build);
      rig.chip.answer('PHB_ETU_ERR_SUMMARY', 0n);
      rig.chip.functions.get(0)!.write(0x04, 2, 0);
      rig.reset(0, PHB_COMPLETE);
      return rig.chip.functions.get(0)!.read(0x04, 2);
    },
    skiboot: 0,
    corrected: 0x0146,
  },
  queueTimeout: {
    see: (build) => {
      const rig = build();
      rig.chip.answer('nest.CQ_STATUS', 1n << 63n);
      const returns = rig.reset(0, PHB_COMPLETE);
      rig.chip.answer('nest.CQ_STATUS', 0n);
      return [returns.at(-1), rig.run(rig.opal.pciPoll(0))];
    },
    skiboot: [HARDWARE, 100],
    corrected: [HARDWARE, HARDWARE],
  },
  reinitLinkFlag: {
    see: (build) => {
      const rig = build();
      rig.reset(0, PHB_COMPLETE);
      return rig.chip.written('UTL_PCIE_PORT_IRQ_EN')[0];
    },
    skiboot: 0xad52_8000_0000_0000n,
    corrected: 0xad42_8000_0000_0000n,
  },
  naplesBypass: {
    see: (build) => {
      const rig = build((chip) => chip.answer('PHB_VERSION', 0xb3_0000_0001n));
      rig.reset(0, PHB_COMPLETE);
      return rig.chip.written('PHB_CONTROL');
    },
    skiboot: [0xf3a8_0edb_0000_0000n],
    corrected: [0xf3b8_0edb_0000_0000n],
  },
  ecrcWithoutAer: {
    see: (build) => {
      const rig = build((chip) => void chip.functions.set(CARD, configSpace('card', { aer: false })));
      rig.chip.writes.length = 0;
      rig.run(rig.opal.pciReinit(0, CARD));
      return rig.chip.written('PHB_CONFIG_ADDRESS').some((address) => ((address >> 32n) & 0xfffn) === 0x18n);
    },
    skiboot: true,
    corrected: false,
  },
  reinitResult: {
    see: (build) => {
      const rig = build(withCard);
      const before = rig.run(rig.opal.pciReinit(0, CARD));
      rig.run(rig.opal.pciReset(0, PCI_HOT, 1));
      return [before, rig.run(rig.opal.pciReinit(0, CARD))];
    },
    skiboot: [SUCCESS, SUCCESS],
    corrected: [SUCCESS, HARDWARE],
  },
  restoreWalk: {
    // Of two ports side by side the first has gone.
    see: (build) => {
      const rig = build((chip) => {
        chip.functions.set(CARD, configSpace('up', { port: 'upstream' }));
        for (const port of DOWNSTREAM) chip.functions.set(port, configSpace('down', { port: 'downstream' }));
      });
      const [gone, stays] = DOWNSTREAM;
      rig.chip.functions.delete(gone);
      rig.chip.writes.length = 0;
      rig.reset(0, PHB_COMPLETE);
      return { goneIsSetUp: configuredBeyondVendor(rig, gone), otherLearnsItsBus: vendorTouched(rig, stays) };
    },
    skiboot: { goneIsSetUp: true, otherLearnsItsBus: false },
    corrected: { goneIsSetUp: false, otherLearnsItsBus: true },
  },
  idlePoll: {
    see: (build) => {
      const rig = build();
      return [rig.run(rig.opal.pciPoll(0)), rig.chip.log];
    },
    skiboot: [HARDWARE, ['PCI-SLOT-0000000000000000 Invalid state 00000000']],
    corrected: [SUCCESS, []],
  },
  brokenOffDelay: {
    see: (build) => {
      const rig = build();
      rig.run(rig.opal.pciReset(0, PCI_HOT, 1));
      rig.run(rig.opal.pciReset(0, PCI_FUNDAMENTAL, 1));
      return rig.run(rig.opal.pciPoll(0)) > 0;
    },
    skiboot: true,
    corrected: false,
  },
  powerOnLink: {
    see: (build) => {
      const rig = build((chip) => {
        chip.functions.set(CARD, configSpace('up', { port: 'upstream' }));
        chip.functions.set(0x200, configSpace('down', { port: 'downstream' }));
      });
      const slot = slotId(0, 0x200);
      expect(rig.run(rig.opal.pciOrderPowerState(1, slot, 0))).toBe(SUCCESS);
      return rig.run(rig.opal.pciOrderPowerState(2, slot, 1));
    },
    skiboot: SUCCESS,
    corrected: ASYNC_COMPLETION,
  },
};

/** Seen in the device tree, and with two PHBs further down. */
const P7IOC_NAMES = Object.keys(P7IOC_SWITCHES) as (keyof typeof P7IOC_SWITCHES)[];
const ELSEWHERE = ['deviceCompatible', 'interruptSwizzle', 'errorEventOwner', ...P7IOC_NAMES] as const;
type ElsewhereName = (typeof ELSEWHERE)[number];

const building =
  (profile: FirmwareProfileChoice): Build =>
  (prepare) => {
    const chip = new FlatChip();
    chip.answer('PHB_PCIE_DLP_TRAIN_CTL', LINK_ACTIVE);
    prepare?.(chip);
    const rig = FirmwareRig.booted(chip, profile);
    chip.log.length = 0;
    return rig;
  };

describe('each slip of the real firmware', () => {
  const names = Object.keys(SIGHTS) as (keyof typeof SIGHTS)[];

  it('is a switch that some test looks at', () => {
    expect([...names, ...ELSEWHERE].sort()).toEqual([...FIRMWARE_SWITCH_NAMES].sort());
  });

  it.each(names)('%s is repeated unless it is switched off, whatever the others do', (name) => {
    const { see, skiboot, corrected } = SIGHTS[name];
    expect(see(building('skiboot'))).toEqual(skiboot);
    expect(see(building({ [name]: 'corrected' }))).toEqual(corrected);
  });
});

describe('the event of PCI errors with two PHBs', () => {
  const twoPhbs = (profile: FirmwareProfileChoice): FirmwareRig => {
    const rig = new FirmwareRig(new FlatChip(), {}, profile, 2);
    rig.boot();
    return rig;
  };
  const left = (profile: FirmwareProfileChoice): bigint => {
    const rig = twoPhbs(profile);
    rig.run(rig.opal.handleInterrupt(ER_IRQ));
    rig.run(rig.opal.handleInterrupt(ER_IRQ + 0x800));
    rig.run(rig.opal.pciNextError(0));
    return rig.run(rig.opal.pollEvents()).events;
  };

  it('is lowered by the first question to any of them, or when both were asked', () => {
    expect(left('skiboot')).toBe(0n);
    expect(left({ errorEventOwner: 'corrected' })).toBe(OpalEvent.PCI_ERROR);
  });
});

describe('a profile', () => {
  it('is one behaviour for all switches, or the real one with some switched', () => {
    expect(new Set(Object.values(firmwareProfile()))).toEqual(new Set(['skiboot']));
    expect(new Set(Object.values(firmwareProfile('corrected')))).toEqual(new Set(['corrected']));
    const mixed = firmwareProfile({ idlePoll: 'corrected' });
    expect(Object.entries(mixed).filter(([, behaviour]) => behaviour === 'corrected')).toEqual([
      ['idlePoll', 'corrected'],
    ]);
  });

  it('with a mistake is refused with what there is', () => {
    const bad = (choice: unknown) => () => firmwareProfile(choice as FirmwareProfileChoice);
    expect(bad('fixed')).toThrow(FirmwareProfileError);
    expect(bad('fixed')).toThrow('the whole profile cannot be "fixed"; it is "skiboot" or "corrected"');
    expect(bad({ idlePoll: true })).toThrow('idlePoll cannot be "true"');
    expect(bad({ idlePol: 'corrected' })).toThrow(/there is no switch "idlePol"; the switches are peNumberCheck, /);
    expect(bad({ toString: 'corrected' })).toThrow('there is no switch "toString"');
  });

  it('of any mixture boots, resets and answers', () => {
    const profiles = fc.dictionary(fc.constantFrom(...FIRMWARE_SWITCH_NAMES), fc.constantFrom('skiboot', 'corrected'));
    fc.assert(
      fc.property(profiles, (profile) => {
        const rig = building(profile as FirmwareProfileChoice)(withCard);
        for (const scope of [PCI_HOT, PCI_FUNDAMENTAL, PHB_COMPLETE]) expect(rig.reset(0, scope).at(-1)).toBe(SUCCESS);
        rig.chip.set('PHB_LEM_FIR_ACCUM', LEM_ER);
        rig.run(rig.opal.pciEehFreezeSet(0, 5, 3));
        expect(rig.run(rig.opal.pciNextError(0))).toMatchObject({ firstFrozenPe: 5n, severity: Severity.PE_ER });
        expect(rig.run(rig.opal.pciConfigRead(0, CARD, 0, 4)).value).toBe(0x1003_15b3);
      }),
      { seed: 5, numRuns: 12 },
    );
  });
});

describe('docs/firmware-profiles.md', () => {
  it('has the table of the switches as they are declared', () => {
    const text = readFileSync(new URL('../../docs/firmware-profiles.md', import.meta.url), 'utf8');
    expect(text).toContain(profileTable());
  });
});
