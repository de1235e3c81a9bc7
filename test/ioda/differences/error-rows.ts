/** Traps, LEMs, classes, fences and resets. */
import { msbMask } from '../../../src/hw/bits.js';
import { ERROR_CLASSES, HUB_UNIT_NAMES, unitClassMask } from '../../../src/ioda1/error-bits/units.js';
import { HUB_REGISTERS } from '../../../src/ioda1/registers/hub.js';
import { LEM_BITS, lemClassMask } from '../../../src/ioda2/error-bits/lem.js';
import { PBCQ_NEST_REGISTERS, PBCQ_PCI_REGISTERS } from '../../../src/ioda2/registers/pbcq.js';
import { PHB_REGISTERS as PHB3_REGISTERS } from '../../../src/ioda2/registers/phb.js';
import { p7ioc, phb3, row, words } from './row.js';

const mask = (value: bigint): string => `\`${value.toString(16).padStart(16, '0')}\``;
const list = (masks: readonly bigint[]): string => masks.map(mask).join(', ');
const FENCE_BY_TRAP = msbMask(0);
const NFIR_FENCE = msbMask(24);

function fencedHub(): p7ioc.Rig {
  const hub = p7ioc.booted();
  hub.write('PHB_OUT_ERR_INJECT', FENCE_BY_TRAP);
  return hub;
}

function fencedChip(): phb3.Rig {
  const chip = phb3.booted();
  chip.setNest('NFIR_OR', NFIR_FENCE);
  chip.run(1000);
  return chip;
}

export const ERROR_ROWS = [
  row('What freezes', () => {
    const hub = p7ioc.booted();
    hub.dmaWrite(p7ioc.WINDOW, [1]);
    const chip = phb3.booted();
    chip.dmaWrite(0n, [1]);
    const status = [hub, chip].map((rig) => rig.read('PHB_INA_ERR_STATUS'));
    const enabled = [hub, chip].map((rig) => rig.read('PHB_INA_ERR_FREEZE_ENABLE'));
    return [
      words(
        'the `FREEZE_ENABLE` of each trap; a page fault is INA 29 (M)',
        [status[0], msbMask(29)],
        [enabled[0]! & status[0]!, status[0]],
      ),
      words(
        'the same registers at the same offsets, other bits; a page fault is INA 49',
        [status[1], msbMask(49)],
        [enabled[1]! & status[1]!, status[1]],
      ),
    ];
  }),

  row('Where a fence shows', () => {
    const hub = fencedHub();
    const chip = fencedChip();
    return [
      words(
        'fence shadow of the hub; the registers answer on the side path (ASB), not on the AIB',
        [hub.hubRead('CHIP_FENCE_SHADOW'), msbMask(14) | msbMask(15)],
        [
          [hub.read('PHB_VERSION'), hub.asbRead('PHB_VERSION')],
          [p7ioc.ONES, 0xa2_0000_0002n],
        ],
      ),
      words(
        'nest FIR of the PBCQ, by SCOM; the registers answer on the ASB, which is reached by SCOM too',
        [chip.nest('NFIR') & NFIR_FENCE, NFIR_FENCE],
        [
          [chip.read('PHB_VERSION'), chip.asbRead('PHB_VERSION')],
          [phb3.ONES, 0xa3_0000_0005n],
        ],
      ),
    ];
  }),

  row('Error tree', () => {
    const hub = fencedHub();
    const chip = fencedChip();
    const units = HUB_UNIT_NAMES.length;
    return [
      words(
        `a LEM in each bridge and in ${units} units of the hub, a global macro (GEM) above them`,
        [hub.hubRead('CI_P2_LEM_FIR_ACCUM'), msbMask(0)],
        [hub.hubRead('GEM_RFIR') & (msbMask(1) | msbMask(6)), msbMask(6) | msbMask(1)],
      ),
      words('a LEM in each bridge, and the nest FIR of its PBCQ', [chip.nest('NFIR') !== 0n, true]),
    ];
  }),

  row('Error classes', () => [
    ERROR_CLASSES.join(', '),
    [...new Set(LEM_BITS.map((bit) => bit.class))]
      .filter((name) => name !== 'none')
      .sort((a, b) => ['FENCE', 'ER', 'INF'].indexOf(a) - ['FENCE', 'ER', 'INF'].indexOf(b))
      .join(', ')
      .replace('FENCE', 'fenced')
      .replace(/^/, 'dead, '),
  ]),

  row('LEM bits of the bridge by class', () => [
    `PHB ${mask(unitClassMask('PHB', 'PHB'))}, ER ${mask(unitClassMask('PHB', 'ER'))}, INF ${mask(unitClassMask('PHB', 'INF'))}`,
    `fenced ${mask(lemClassMask('FENCE'))}, ER ${mask(lemClassMask('ER'))}, INF ${mask(lemClassMask('INF'))}`,
  ]),

  row('LEM mask in operation', () => {
    const masks = [p7ioc.booted(), phb3.booted()].map((rig) => rig.read('PHB_LEM_ERROR_MASK'));
    return [list([masks[0]!]), list([masks[1]!])];
  }),

  row('Way out of a fence', () => {
    const hub = fencedHub();
    hub.resetPhb(0);
    const chip = fencedChip();
    chip.etuReset('held');
    chip.run(10_000_000);
    const nest = chip.nest('NFIR');
    chip.setNest('NFIR_AND', ~nest & phb3.ONES);
    chip.boot();
    return [
      words('reset bits of the bridge in CCRR of the hub, then initialisation', [
        [hub.hubRead('CHIP_FENCE_SHADOW'), hub.read('PHB_VERSION')],
        [0n, 0xa2_0000_0002n],
      ]),
      words('reset of the ETU by SCOM, nest FIR cleared, then initialisation', [
        [chip.fenced, chip.read('PHB_VERSION')],
        [false, 0xa3_0000_0005n],
      ]),
    ];
  }),

  row('Diagnostics of the hub', () => {
    const hub = p7ioc.booted();
    const units = HUB_UNIT_NAMES.filter((unit) => HUB_REGISTERS.names.includes(`${unit}_LEM_WOF`));
    hub.hub.reportUnitError('MISC', 10);
    const names: readonly string[] = [
      ...PHB3_REGISTERS.names,
      ...PBCQ_NEST_REGISTERS.names,
      ...PBCQ_PCI_REGISTERS.names,
    ];
    return [
      words(`RGC, BI, CI, MISC and I2C have registers of their own (${units.length} LEMs); OPAL call 50 reads them`, [
        hub.hubRead('MISC_LEM_WOF'),
        msbMask(10),
      ]),
      words('none: there is no hub', [names.filter((name) => /^(GEM|RGC|BI|CI|MISC|I2C)_/.test(name)), []]),
    ];
  }),
];
