/** Calls of the recording of the firmware's P7IOC driver, with what each did to the chip and returned. */
import type { Opal } from '../../src/opal/opal.js';
import { type FirmwareAccess, isCall } from '../../src/replay/firmware-phases.js';
import type { Process } from '../../src/sim/process.js';
import { hubOffset, readRecording } from '../ioda1/firmware/accesses.js';

export interface RecordedCall {
  readonly phase: string;
  readonly name: string;
  readonly args: readonly bigint[];
  /** As `W8 80220 6000000000005`; what was read is left out, as the recorded machine was a file. */
  readonly accesses: readonly string[];
  readonly returned: number;
}

/** The interrupts of the recording are the tests' own deed. */
const INTERRUPT = 'OPAL_HANDLE_INTERRUPT';

function text(access: FirmwareAccess): string {
  const { direction, size, value } = access;
  const place = hubOffset(access).toString(16);
  return direction === 'read' ? `R${size} ${place}` : `W${size} ${place} ${value.toString(16)}`;
}

export const recordedCalls = (): RecordedCall[] =>
  readRecording().phases.flatMap(({ name: phase, steps }) =>
    steps
      .filter(isCall)
      .filter(({ name }) => name !== INTERRUPT)
      .map(({ name, args, accesses, returned }) => ({ phase, name, args, accesses: accesses.map(text), returned })),
  );

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
