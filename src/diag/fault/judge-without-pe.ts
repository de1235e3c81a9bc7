/** A device that got no PE or no DMA window after hot plug, so that its driver could not start. */
import { generationBefore, type LogContext, type PassedDevice } from '../context.js';
import type { FaultChip, FaultEvent } from './fault.js';
import { devicesOf, evidence } from './parts.js';

const CHIPS: Readonly<Record<string, FaultChip>> = { IODA1: 'p7ioc', IODA2: 'phb3', IODA3: 'phb4' };

export function judgeWithoutPe(passed: PassedDevice, context: LogContext): FaultEvent {
  const { address, line, text } = passed;
  const noPe = text.includes('blocked');
  const phb = Number.parseInt(address.slice(0, 4), 16);
  const known = devicesOf(undefined, phb, context.machine.peOf(address), context);
  return {
    chip: CHIPS[generationBefore(context, line) ?? ''] ?? 'unknown',
    phb,
    lines: { first: line, last: line },
    severity: 'informative',
    title: noPe ? 'device without a PE' : 'device without a DMA window',
    verdict: noPe
      ? `${address} belongs to no PE, so the kernel refuses to enable it: removing the device took the PE of its bus down, and the rescan did not set it up again.`
      : `${address} came back without a DMA window (its PE was not configured again), so its driver gave up.`,
    basis: "the kernel's words; there are no registers",
    suspect: 'firmware or kernel',
    location: undefined,
    reportedPe: undefined,
    faultedPe: undefined,
    frozenPes: [],
    cause: {
      type: 'dma-not-capable',
      certainty: 'likely',
      address: undefined,
      direction: undefined,
      requester: undefined,
    },
    alternatives: [],
    evidence: [evidence(text, line)],
    advice: [
      {
        text: 'Remove and rescan the bridge above the device instead of the device alone, or update the kernel.',
        why: 'A PE belongs to the bus: kernels of some versions configure it only when the bus itself is scanned anew.',
      },
    ],
    devices: known.some((device) => device.address === address)
      ? known
      : [{ address, driver: undefined, ids: undefined, name: undefined, pe: undefined, part: 'named' }, ...known],
    recovery: undefined,
    primary: undefined,
    dumps: [],
    rtas: undefined,
  };
}
