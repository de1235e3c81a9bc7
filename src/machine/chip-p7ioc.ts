/** POWER7 with a P7IOC, for tools. */
import { aibOffset, asbOffset, PHB_WINDOW_BYTES } from '../ioda1/address-map.js';
import { ERROR_EVENT_NAMES } from '../ioda1/error-bits/events.js';
import { PEST_FORMAT } from '../ioda1/error-bits/pest.js';
import { gemBitOfPhb, HUB_UNIT_NAMES, HUB_UNITS } from '../ioda1/error-bits/units.js';
import { HUB_REGISTERS } from '../ioda1/registers/hub.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../ioda1/registers/phb.js';
import { IODA_TABLES, iodaTableBySelector } from '../ioda1/tables.js';
import { ERROR_RAISED, FENCED, HUB_DEAD, PE_FREEZE, PHB_RESET, UNIT_ERROR } from '../ioda1/trace.js';
import type { Chip, RegisterSight, ResetLine } from './chip.js';
import { PHBS_PER_HUB, PowerNv7 } from './powernv7.js';
import { POWER7_TIMING } from './timing-profile.js';

/** Below 4 GiB a window is chosen by the top four bits of an address, above by bits 4 to 10. Facts: ioda1-p7ioc 12.8. */
const LOW_END = 1n << 32n;
const LOW_SHIFT = 28n;
const HIGH_SHIFT = 53n;
const WINDOWS = BigInt(IODA_TABLES.TVT.entries);
/** The 64-bit MSI range, and the entry of the filter within its addresses. Facts: ioda1-p7ioc 6.4. */
const MSI64_BASE = 9n << 60n;
const MVE_SHIFT = 48n;
const selectField = (name: 'TABLE' | 'INDEX' | 'AUTOINCREMENT') => PHB_REGISTERS.field('PHB_IODA_ADDR', name).at;

export const POWERNV7_CHIP: Chip<PowerNv7> = {
  mostPhbs: PHBS_PER_HUB,
  timing: POWER7_TIMING,
  build: (options) => new PowerNv7(options),
  describe: (phbs) => `POWER7 with a P7IOC, ${phbs} of its PHBs wired`,
  moments: {
    ...{ errorRaised: ERROR_RAISED, eventNames: ERROR_EVENT_NAMES, peFreeze: PE_FREEZE },
    ...{ fenced: FENCED, bridgeReset: PHB_RESET, unitError: UNIT_ERROR, hubDead: HUB_DEAD },
  },
  sight: (machine) => new P7iocSight(machine),
  unitName: (gemBit) =>
    HUB_UNIT_NAMES.find((name) => HUB_UNITS[name].gemBit === gemBit) ?? `PHB${gemBit - gemBitOfPhb(0)}`,
  causesOf: (a, b) => PEST_FORMAT.decode(a, b).causes,
  message: (vector, mve) => ({
    address: MSI64_BASE | (BigInt(mve) << MVE_SHIFT),
    data: Uint8Array.of(vector & 0xff, vector >> 8, 0, 0),
  }),
  dmaWindow: (_pe, address) => Number(address < LOW_END ? address >> LOW_SHIFT : (address >> HIGH_SHIFT) % WINDOWS),
  reset: {
    lines: (machine, phb) => [
      resetLine(machine, phb, ['PHB_RESET', 'PERST']),
      resetLine(machine, phb, ['PHB_HOTPLUG_OVERRIDE', 'POWER']),
    ],
    // Slot power goes off and on in between, two seconds each.
    partOfWholeNs: 6e9,
  },
};

function resetLine({ gx }: PowerNv7, phb: number, [register, bit]: [PhbRegisterName, string]): ResetLine {
  const { offset } = PHB_REGISTERS.get(register);
  return {
    addresses: [aibOffset(phb), asbOffset(phb)].map((window) => gx.mwin1 + window + offset),
    released: PHB_REGISTERS.field(register, bit).at,
  };
}

/** Registers of the hub by their names, those of the PHB through either of its windows. */
class P7iocSight implements RegisterSight {
  readonly select = { table: selectField('TABLE'), index: selectField('INDEX'), step: selectField('AUTOINCREMENT') };

  constructor(private readonly machine: PowerNv7) {}

  atAddress(phb: number, address: number): string | undefined {
    const offset = address - this.machine.gx.mwin1;
    const within = [aibOffset(phb), asbOffset(phb)]
      .map((base) => offset - base)
      .find((each) => each >= 0 && each < PHB_WINDOW_BYTES);
    return within === undefined ? HUB_REGISTERS.byOffset(offset)?.name : PHB_REGISTERS.byOffset(within)?.name;
  }

  /** Nothing of a P7IOC is behind a SCOM. */
  atScom(): undefined {
    return undefined;
  }

  tableOf(selector: number): string | undefined {
    return iodaTableBySelector(selector);
  }
}
