/** Resources and ranges as the kernel prints them (its format %pR). Source: linux lib/vsprintf.c: resource_string. */
import { type PciResource, ROM_INDEX } from './device.js';

export function resourceName(resource: PciResource): string {
  return resource.index === ROM_INDEX ? 'ROM' : `BAR ${resource.index}`;
}

/** `BAR 0 [mem 0x00000000-0x00003fff 64bit]` */
export function describeResource(resource: PciResource, start: number): string {
  return `${resourceName(resource)} ${describePlace(resource, start)}`;
}

/** `[mem 0x00000000-0x00003fff 64bit]` */
export function describePlace(resource: PciResource, start: number): string {
  return `[${span(resource, start)}${attributes(resource)}]`;
}

/** Without a place only the size counts: `BAR 0 [mem size 0x00004000 64bit]` */
export function describeUnplaced(resource: PciResource): string {
  const kind = resource.space === 'io' ? 'io  size 0x' : 'mem size 0x';
  const digits = resource.space === 'io' ? 4 : 8;
  const size = resource.sizeBytes.toString(16).padStart(digits, '0');
  return `${resourceName(resource)} [${kind}${size}${attributes(resource)}]`;
}

function span(resource: PciResource, start: number): string {
  return resource.space === 'io'
    ? `io  ${range(start, resource.sizeBytes, 4)}`
    : `mem ${range(start, resource.sizeBytes)}`;
}

function attributes(resource: PciResource): string {
  const width = resource.width === 64 ? ' 64bit' : '';
  return `${width}${resource.prefetchable === 'yes' ? ' pref' : ''}`;
}

export function range(start: number, sizeBytes: number, digits = 8): string {
  const end = start + sizeBytes - 1;
  return `0x${start.toString(16).padStart(digits, '0')}-0x${end.toString(16).padStart(digits, '0')}`;
}
