/** POWER8 with PHB3, for tools. */
import { ERROR_EVENT_NAMES } from '../ioda2/error-bits/events.js';
import { decodePest } from '../ioda2/error-bits/pest.js';
import { PBCQ_SCOM_RANGES } from '../ioda2/registers/pbcq.js';
import { PHB_REGISTERS } from '../ioda2/registers/phb.js';
import { iodaTableBySelector } from '../ioda2/tables.js';
import { ERROR_RAISED, ETU_RESET, FENCED, PE_FREEZE } from '../ioda2/trace.js';
import type { Chip, RegisterSight } from './chip.js';
import { PHBS_PER_CHIP, PowerNv8 } from './powernv8.js';
import { POWER8_TIMING } from './timing-profile.js';

const REGISTER_PAGE = 0x1000;
/** The bit of a DMA address that tells the two windows of a PE apart. */
const TVE_SELECT = 59n;
/** The 64-bit MSI range, and the distance of two vectors in it. */
const MSI64_BASE = 1n << 60n;
const MSI_STRIDE = 16n;
const NO_DATA = Uint8Array.of(0, 0, 0, 0);
const selectField = (name: 'TABLE' | 'INDEX' | 'AUTOINCREMENT') => PHB_REGISTERS.field('PHB_IODA_ADDR', name).at;

export const POWERNV8_CHIP: Chip<PowerNv8> = {
  mostPhbs: PHBS_PER_CHIP,
  timing: POWER8_TIMING,
  build: (options) => new PowerNv8(options),
  describe: (phbs) => `POWER8 with ${phbs} PHB3${phbs === 1 ? '' : 's'}`,
  moments: {
    ...{ errorRaised: ERROR_RAISED, eventNames: ERROR_EVENT_NAMES, peFreeze: PE_FREEZE },
    ...{ fenced: FENCED, bridgeReset: ETU_RESET },
  },
  sight: (machine) => new Phb3Sight(machine),
  unitName: String,
  causesOf: (a, b) => decodePest(a, b).causes,
  message: (vector) => ({ address: MSI64_BASE + BigInt(vector) * MSI_STRIDE, data: NO_DATA }),
  dmaWindow: (pe, address) => pe * 2 + Number((address >> TVE_SELECT) & 1n),
  reset: {
    lines: ({ addressMap }, phb) => [
      {
        addresses: [addressMap.phbBase(phb) + PHB_REGISTERS.get('PHB_RESET').offset],
        released: PHB_REGISTERS.field('PHB_RESET', 'PERST').at,
      },
    ],
    partOfWholeNs: 2e9,
  },
};

class Phb3Sight implements RegisterSight {
  readonly select = { table: selectField('TABLE'), index: selectField('INDEX'), step: selectField('AUTOINCREMENT') };
  /** The register that the side path leads to next. */
  private viaAsb: string | undefined;

  constructor(private readonly machine: PowerNv8) {}

  atAddress(phb: number, address: number): string | undefined {
    const offset = address - this.machine.addressMap.phbBase(phb);
    return offset >= 0 && offset < REGISTER_PAGE ? PHB_REGISTERS.byOffset(offset)?.name : undefined;
  }

  atScom(phb: number, scom: number, value: bigint): string | undefined {
    const nest = registerIn('nest', phb, scom);
    if (nest !== undefined) return nest;
    const spci = registerIn('spci', phb, scom);
    if (spci === 'ASB_ADDRESS') this.viaAsb = PHB_REGISTERS.byOffset(Number(value))?.name;
    return spci === 'ASB_DATA' ? this.viaAsb : undefined;
  }

  tableOf(selector: number): string | undefined {
    return iodaTableBySelector(selector);
  }
}

function registerIn(range: 'nest' | 'spci', phb: number, scom: number): string | undefined {
  const { base, strideOfPhb, registers, bank } = PBCQ_SCOM_RANGES[range];
  const register = scom - base - strideOfPhb * phb;
  return register < 0 || register >= registers ? undefined : bank.byOffset(register)?.name;
}
