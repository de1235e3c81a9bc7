/** Calls of the recording of the firmware's P7IOC driver, with what each did to the chip and returned. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Opal } from '../../src/opal/opal.js';
import type { Process } from '../../src/sim/process.js';

export interface RecordedCall {
  readonly phase: string;
  readonly name: string;
  readonly args: readonly bigint[];
  /** As `W8 80220 6000000000005`; what was read is left out, as the recorded machine was a file. */
  readonly accesses: string[];
  returned: number;
}

export function recordedCalls(): RecordedCall[] {
  const file = new URL('../ioda1/firmware/p7ioc.accesses.gz', import.meta.url);
  const calls: RecordedCall[] = [];
  let phase = '';
  let open: RecordedCall | undefined;
  for (const line of gunzipSync(readFileSync(file)).toString().trim().split('\n')) {
    const [word = '', ...rest] = line.split(' ');
    if (word === 'phase') phase = rest[0]!;
    else if (word === 'call') {
      open = { phase, name: rest[0]!, args: rest.slice(1).map(BigInt), accesses: [], returned: 0 };
      calls.push(open);
    } else if (word === 'ret' && open !== undefined) {
      open.returned = Number(rest[0]);
      open = undefined;
    } else open?.accesses.push(word.startsWith('R') ? `${word} ${rest[0]}` : line);
  }
  return calls;
}

type Outcome = number | { readonly rc: number };

/** Buffers and other places for answers are left out: what a call gives is its result. */
export function call(opal: Opal, { name, args }: RecordedCall): Process<Outcome> {
  const n = args.map(Number);
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0] = n;
  switch (name) {
    case 'OPAL_PCI_CONFIG_READ_WORD':
      return opal.pciConfigRead(a, b, c, 4);
    case 'OPAL_PCI_RESET':
      return opal.pciReset(a, b, c);
    case 'OPAL_PCI_SET_PE':
      return opal.pciSetPe(a, { pe: b, rid: c, match: { bus: d, device: e, function: f }, action: g });
    case 'OPAL_PCI_SET_PELTV':
      return opal.pciSetPeltv(a, b, c, d);
    case 'OPAL_PCI_SET_MVE':
      return opal.pciSetMve(a, b, c);
    case 'OPAL_PCI_SET_MVE_ENABLE':
      return opal.pciSetMveEnable(a, b, c);
    case 'OPAL_PCI_MAP_PE_MMIO_WINDOW':
      return opal.pciMapPeMmioWindow(a, { pe: b, type: c, window: d, segment: e });
    case 'OPAL_PCI_SET_PHB_MEM_WINDOW':
      return opal.pciSetPhbMemWindow(a, { type: b, window: c, address: args[3]!, size: args[5]! });
    case 'OPAL_PCI_PHB_MMIO_ENABLE':
      return opal.pciPhbMmioEnable(a, b, c, d);
    case 'OPAL_PCI_MAP_PE_DMA_WINDOW':
      return opal.pciMapPeDmaWindow(a, {
        ...{ pe: b, window: c, levels: d },
        ...{ tableAddress: args[4]!, tableBytes: args[5]!, pageBytes: args[6]! },
      });
    case 'OPAL_PCI_MAP_PE_DMA_WINDOW_REAL':
      return opal.pciMapPeDmaWindowReal(a, { pe: b, window: c, pciStart: args[3]!, size: args[4]! });
    case 'OPAL_PCI_TCE_KILL':
      return opal.pciTceKill(a);
    case 'OPAL_PCI_SET_XIVE_PE':
      return opal.pciSetXivePe(a, b, c);
    case 'OPAL_GET_MSI_32':
      return opal.getMsi32(a, b, c, d);
    case 'OPAL_GET_MSI_64':
      return opal.getMsi64(a, b, c, d);
    case 'OPAL_SET_XIVE':
      return opal.setXive(a, b, c);
    case 'OPAL_GET_XIVE':
      return opal.getXive(a);
    case 'OPAL_PCI_MSI_EOI':
      return opal.pciMsiEoi(a, b);
    case 'OPAL_PCI_EEH_FREEZE_STATUS':
      return opal.pciEehFreezeStatus(a, b);
    case 'OPAL_PCI_EEH_FREEZE_SET':
      return opal.pciEehFreezeSet(a, b, c);
    case 'OPAL_PCI_EEH_FREEZE_CLEAR':
      return opal.pciEehFreezeClear(a, b, c);
    case 'OPAL_PCI_ERR_INJECT':
      return opal.pciErrInject(a, { pe: b, type: c, function: d, address: args[4]!, mask: args[5]! });
    case 'OPAL_PCI_NEXT_ERROR':
      return opal.pciNextError(a);
    case 'OPAL_PCI_GET_HUB_DIAG_DATA':
      return opal.pciGetHubDiagData(a, c);
    case 'OPAL_PCI_GET_PHB_DIAG_DATA2':
      return opal.pciGetPhbDiagData2(a, c);
    default:
      throw new Error(`no such call here: ${name}`);
  }
}

export const codeOf = (outcome: Outcome): number => (typeof outcome === 'number' ? outcome : outcome.rc);
