/** Parts of a verdict that do not depend on where it comes from: devices, recovery, location. */
import type { EehEvent, LogContext } from '../context.js';
import { formatPe } from '../decode.js';
import type { EvidenceItem, FaultDevice, PePart, Recovery } from './fault.js';

export function evidence(text: string, line?: number): EvidenceItem {
  return { text, line };
}

function deviceOf(address: string, pe: number | undefined, context: LogContext): Omit<FaultDevice, 'part' | 'driver'> {
  const known = context.machine.describe(address);
  return { address, ids: known?.ids, name: known?.name, pe: pe ?? context.machine.peOf(address) };
}

/** "1e0f:0025" out of the configuration word that the kernel dumped. */
function idsOf(word: number | undefined): string | undefined {
  if (word === undefined || word === 0xffff_ffff) return undefined;
  const text = word.toString(16).padStart(8, '0');
  return `${text.slice(4)}:${text.slice(0, 4)}`;
}

function partOf(pe: number | undefined, faultedPe: number | undefined): PePart {
  if (pe === undefined || faultedPe === undefined) return 'named';
  return pe === faultedPe ? 'faulted' : 'noticed';
}

/** Devices that the kernel named, and those of the faulted PE that boot lines or lspci name. */
export function devicesOf(
  eeh: EehEvent | undefined,
  phb: number | undefined,
  faultedPe: number | undefined,
  context: LogContext,
): FaultDevice[] {
  const named = (eeh?.devices ?? []).map((device): FaultDevice => {
    const known = deviceOf(device.address, device.pe, context);
    return {
      ...known,
      ids: known.ids ?? idsOf(device.config?.id),
      driver: device.driver,
      part: partOf(known.pe, faultedPe),
    };
  });
  if (phb === undefined || faultedPe === undefined) return named;
  const more = context.machine
    .inPe(phb, faultedPe)
    .filter(({ address }) => named.every((device) => device.address !== address))
    .map(
      ({ address }): FaultDevice => ({ ...deviceOf(address, faultedPe, context), driver: undefined, part: 'faulted' }),
    );
  return [...named, ...more];
}

export function recoveryOf(eeh: EehEvent | undefined): Recovery | undefined {
  if (eeh === undefined) return undefined;
  const { failures, limit, outcome, complaints, deviceGone } = eeh;
  const doubts = outcome === 'recovered' ? [...complaints] : [];
  if (outcome === 'recovered' && deviceGone) {
    doubts.push({ line: eeh.line, text: 'its config space read as ones' });
  }
  return { failures, limit, outcome, steps: eeh.steps, doubts };
}

/** "PE 1fb (0030:0d:00.0, nvme)" */
export function peText(pe: number, devices: readonly FaultDevice[]): string {
  const inside = devices.filter((device) => device.pe === pe);
  const first = inside[0];
  if (first === undefined) return `PE ${formatPe(pe)}`;
  const more = inside.length > 1 ? ` and ${inside.length - 1} more` : '';
  const words = [first.address, first.driver ?? first.name ?? first.ids].filter((word) => word !== undefined);
  return `PE ${formatPe(pe)} (${words.join(', ')}${more})`;
}
