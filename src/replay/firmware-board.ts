/** Where the registers of a recorded bridge stood, and what they are called: one board for each chip that was recorded. */
import type { NamedRegisterBank } from '../hw/register.js';
import { aibOffset, asbOffset, PHB_WINDOW_BYTES } from '../ioda1/address-map.js';
import { HUB_REGISTERS } from '../ioda1/registers/hub.js';
import { PHB_INDICES, type PhbIndex } from '../ioda1/registers/hub-rgc.js';
import { PHB_REGISTERS as P7IOC_PHB_REGISTERS } from '../ioda1/registers/phb.js';
import {
  PBCQ_NEST_REGISTERS,
  PBCQ_PCI_REGISTERS,
  PBCQ_SCOM_RANGES,
  PBCQ_SPCI_REGISTERS,
} from '../ioda2/registers/pbcq.js';
import { PHB_REGISTERS } from '../ioda2/registers/phb.js';
import type { FirmwarePlaces } from '../opal/boot.js';
import type { HubPlace } from '../opal/p7ioc/hub.js';
import type { FirmwareWindow, RegisterPlace } from './firmware-windows.js';

interface MemoryRange {
  readonly base: number;
  readonly bytes: number;
}

/** What firmware knew of the machine before it began. */
interface BoardMemory {
  readonly heap: number;
  readonly memory: MemoryRange;
}

export interface Phb3Board extends BoardMemory {
  readonly registers: number;
  readonly scom: { readonly nest: number; readonly pci: number; readonly spci: number };
}

export interface P7iocBoard extends BoardMemory {
  readonly hub: Pick<HubPlace, 'hubId' | 'mwin1' | 'mwin2' | 'phbs'>;
}

export type RecordedBoard = Phb3Board | P7iocBoard;

/** How accesses of firmware find the windows of the recording. */
export interface BoardMap {
  readonly places: FirmwarePlaces;
  /** Where a load or store goes; undefined: nowhere. */
  mmio(address: number): RegisterPlace | undefined;
  scom(address: number): RegisterPlace | undefined;
  /** What a write does to another register, as far as firmware reads it back. */
  effect(place: RegisterPlace, value: bigint): RegisterEffect | undefined;
}

export interface RegisterEffect {
  readonly on: RegisterPlace;
  readonly becomes: (before: bigint) => bigint;
}

export function boardMap(board: RecordedBoard): BoardMap {
  return 'hub' in board ? p7iocMap(board) : phb3Map(board);
}

/** Whether a recording of this board can have accesses to the window. */
export function hasWindow(board: RecordedBoard, window: FirmwareWindow): boolean {
  const isPhb3 = window === 'phb' || SCOM_WINDOWS.some((each) => each === window);
  return isPhb3 !== 'hub' in board;
}

const ONLY_PHB = 0;
const SCOM_WINDOWS = ['nest', 'pci', 'spci'] as const;
const NFIR: RegisterPlace = { window: 'nest', register: PBCQ_NEST_REGISTERS.get('NFIR').offset };
const NFIR_OR = PBCQ_NEST_REGISTERS.get('NFIR_OR').offset;
const NFIR_AND = PBCQ_NEST_REGISTERS.get('NFIR_AND').offset;

function phb3Map({ registers, scom }: Phb3Board): BoardMap {
  return {
    places: { phbs: [{ ...scom, index: ONLY_PHB }] },
    mmio: (address) => ({ window: 'phb', register: address - registers }),
    scom(address) {
      for (const window of SCOM_WINDOWS) {
        const register = address - scom[window];
        if (register >= 0 && register < PBCQ_SCOM_RANGES[window].registers) return { window, register };
      }
      return undefined;
    },
    effect({ window, register }, value) {
      if (window !== 'nest') return undefined;
      if (register === NFIR_OR) return { on: NFIR, becomes: (before) => before | value };
      return register === NFIR_AND ? { on: NFIR, becomes: (before) => before & value } : undefined;
    },
  };
}

function p7iocMap({ hub }: P7iocBoard): BoardMap {
  const windows: readonly (readonly [window: FirmwareWindow, base: number])[] = PHB_INDICES.flatMap((phb) => [
    [`aib${phb}`, aibOffset(phb)] as const,
    [`asb${phb}`, asbOffset(phb)] as const,
  ]);
  return {
    places: { hubs: [hub] },
    mmio(address) {
      const offset = address - hub.mwin1;
      const found = windows.find(([, base]) => offset >= base && offset < base + PHB_WINDOW_BYTES);
      if (found !== undefined) return { window: found[0], register: offset - found[1] };
      return offset >= 0 ? { window: 'hub', register: offset } : undefined;
    },
    scom: () => undefined,
    effect: () => undefined,
  };
}

// ---- names --------------------------------------------------------------------------------------------------------------

interface NamedWindow {
  readonly bank: NamedRegisterBank;
  /** In front of the name of a register. */
  readonly prefix: string;
}

const named = (bank: NamedRegisterBank, prefix = ''): NamedWindow => ({ bank, prefix });

/** The side path is named, and which PHB unless it is the first. */
function phbWindows(): Record<`${'aib' | 'asb'}${PhbIndex}`, NamedWindow> {
  const all = PHB_INDICES.flatMap((phb) => {
    const which = phb === 0 ? '' : `PHB${phb}:`;
    return [
      [`aib${phb}`, named(P7IOC_PHB_REGISTERS, which)] as const,
      [`asb${phb}`, named(P7IOC_PHB_REGISTERS, `${which}ASB:`)] as const,
    ];
  });
  return Object.fromEntries(all) as Record<`${'aib' | 'asb'}${PhbIndex}`, NamedWindow>;
}

const WINDOWS: Readonly<Record<FirmwareWindow, NamedWindow>> = {
  phb: named(PHB_REGISTERS),
  nest: named(PBCQ_NEST_REGISTERS),
  pci: named(PBCQ_PCI_REGISTERS),
  spci: named(PBCQ_SPCI_REGISTERS),
  hub: named(HUB_REGISTERS),
  ...phbWindows(),
};

/** The register of the access by its declared name, or its place. */
export function registerName({ window, register }: RegisterPlace): string {
  const { bank, prefix } = WINDOWS[window];
  const offset = bank.stride === 8 ? register & ~7 : register;
  return `${prefix}${bank.byOffset(offset)?.name ?? `${window}+${register.toString(16)}`}`;
}
