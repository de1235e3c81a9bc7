/** The path of a request from the device to memory, with the broken place marked. Facts: phb4-diag 5.1. */
import { formatPe } from '../decode.js';
import type { EventClass } from '../events.js';
import type { CauseType, FaultEvent } from '../fault/fault.js';
import { escapeHtml } from './escape.js';

const STATIONS = ['device', 'link', 'pe', 'window', 'table', 'memory'] as const;
export type Station = (typeof STATIONS)[number];

const BY_EVENT: Partial<Readonly<Record<EventClass | 'dump-cut', Station>>> = {
  'dma-no-window': 'window',
  'dma-out-of-window': 'window',
  'dma-window': 'window',
  'rid-without-pe': 'pe',
};

const BY_CAUSE: Readonly<Record<CauseType, Station | undefined>> = {
  'dma-iommu-fault': 'table',
  'dma-permission': 'table',
  'dma-not-capable': 'pe',
  'dma-timeout': 'memory',
  'mmio-error': 'device',
  'config-error': 'device',
  'msi-error': 'window',
  'link-loss': 'link',
  'completion-timeout': 'device',
  'unsupported-request': 'device',
  'completer-abort': 'device',
  'pcie-ue': 'link',
  'pcie-ce': 'link',
  'internal-error': 'window',
  'operator-injected': 'pe',
  unknown: undefined,
};

/** Requests of the processor run the other way. */
const OUTBOUND: readonly CauseType[] = [
  'mmio-error',
  'config-error',
  'completion-timeout',
  'unsupported-request',
  'completer-abort',
];

export function brokenStation(event: FaultEvent): Station | undefined {
  const byEvent = event.primary === undefined ? undefined : BY_EVENT[event.primary.event];
  return byEvent ?? BY_CAUSE[event.cause.type];
}

function captions(event: FaultEvent, outbound: boolean): Readonly<Record<Station, readonly [string, string]>> {
  const { cause, devices, faultedPe, reportedPe } = event;
  const pe = faultedPe ?? reportedPe;
  // The device that only noticed is not on this path.
  const device = devices.find(({ part }) => part === 'faulted') ?? devices.find(({ part }) => part === 'named');
  const address = cause.address === undefined ? 'address not recorded' : `0x${cause.address.toString(16)}`;
  return {
    device: ['Device', device?.address ?? cause.requester ?? 'not named'],
    link: ['Link', ''],
    pe: ['PE', pe === undefined ? 'not named' : formatPe(pe)],
    window: outbound ? ['MMIO window', ''] : ['DMA window', address],
    table: outbound ? ['Bridge', ''] : ['IOMMU table', ''],
    memory: outbound ? ['Processor', ''] : ['Memory', ''],
  };
}

const BOX = { width: 116, height: 54, gap: 26, top: 24 } as const;

/** A drawing that scales with the page; a reader of text gets one sentence. */
export function drawPath(event: FaultEvent): string {
  const broken = brokenStation(event);
  const outbound = OUTBOUND.includes(event.cause.type);
  const names = captions(event, outbound);
  const step = BOX.width + BOX.gap;
  const middle = BOX.top + BOX.height / 2;
  const parts = STATIONS.map((station, i) => {
    const x = i * step + 4;
    const [title, below] = names[station];
    const isBroken = station === broken;
    const kind = isBroken ? ' class="broken"' : '';
    const arrow =
      i === 0
        ? ''
        : `<path d="M${x - BOX.gap + 2} ${middle}H${x - 4}" marker-${outbound ? 'start' : 'end'}="url(#tip)"${isBroken ? ' class="broken"' : ''}/>`;
    const cross = isBroken
      ? `<text x="${x + BOX.width / 2}" y="16" class="mark">${event.cause.certainty === 'certain' ? 'broken here' : 'perhaps here'}</text>`
      : '';
    return `${arrow}<g${kind}><rect x="${x}" y="${BOX.top}" width="${BOX.width}" height="${BOX.height}" rx="6"/><text x="${x + BOX.width / 2}" y="${BOX.top + 23}" class="name">${escapeHtml(title)}</text><text x="${x + BOX.width / 2}" y="${BOX.top + 41}" class="small">${escapeHtml(below)}</text></g>${cross}`;
  });
  const width = STATIONS.length * step - BOX.gap + 8;
  const label =
    broken === undefined
      ? 'Path of a request; the broken place is not known'
      : `Path of a request, broken at the ${broken}`;
  return `<svg class="path" viewBox="0 0 ${width} ${BOX.top + BOX.height + 6}" role="img" aria-label="${label}"><defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z"/></marker></defs>${parts.join('')}</svg>`;
}
