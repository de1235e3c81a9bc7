/**
 * `lspci` and `setpci` over the kernel's files. Listing a device reads the first 64 bytes of its configuration space, as
 * the real one does; a device that is out of reach shows revision ff. Names of makers are not known, numbers are.
 * Source: pciutils lspci.c: show_terse, lib/filter.c.
 */
import type { Process } from '../../sim/process.js';
import { hex, type PciDevice } from '../pci/device.js';
import { HEADER } from '../pci/regs.js';
import { inOrder } from './bus-files.js';
import type { KernelFiles } from './files.js';
import { UsageError } from './usage-error.js';

export interface LspciOptions {
  readonly numeric?: true;
  readonly domains?: true;
  readonly bytes?: true;
  /** `[[[[<domain>]:]<bus>]:][<device>][.[<function>]]`, each of them hex, `*` or left out. */
  readonly slot?: string;
}

const HEADER_BYTES = 64;
const BYTES_A_LINE = 16;
const REVISION_AT = HEADER.REVISION.at;

export function* lspci(files: KernelFiles, options: LspciOptions = {}): Process<string[]> {
  const wanted = options.slot === undefined ? undefined : parseSlot(options.slot);
  const all = inOrder(files.kernel.devices);
  const domains = options.domains === true || all.some((device) => device.bus.controller.domain !== 0);
  const lines: string[] = [];
  for (const device of all) {
    if (wanted !== undefined && !isWanted(device, wanted)) continue;
    const header = yield* files.config.read(device, 0, HEADER_BYTES);
    lines.push(terse(device, header, options.numeric === true ? 'numbers' : 'words', domains ? 'shown' : 'hidden'));
    if (options.bytes === true) lines.push(...hexLines(header), '');
  }
  return lines;
}

function terse(device: PciDevice, header: Uint8Array, form: 'numbers' | 'words', domain: 'shown' | 'hidden'): string {
  const { classCode, vendorId, deviceId } = device.identity;
  const name = domain === 'shown' ? device.name : device.name.slice(device.name.indexOf(':') + 1);
  const kind = hex(classCode >> 8, 4);
  const ids = `${hex(vendorId, 4)}:${hex(deviceId, 4)}`;
  const revision = header[REVISION_AT]!;
  const shown = form === 'numbers' ? `${kind}: ${ids}` : `Class ${kind}: Device ${ids}`;
  return `${name} ${shown}${revision === 0 ? '' : ` (rev ${hex(revision, 2)})`}`;
}

/** `00: 86 80 ...`, sixteen a line. */
export function hexLines(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += BYTES_A_LINE) {
    const row = Array.from(bytes.subarray(at, at + BYTES_A_LINE), (byte) => hex(byte, 2));
    lines.push(`${hex(at, 2)}: ${row.join(' ')}`);
  }
  return lines;
}

/** Undefined: any. */
interface SlotFilter {
  readonly domain: number | undefined;
  readonly bus: number | undefined;
  readonly device: number | undefined;
  readonly function: number | undefined;
}

const SLOT = /^(?:(?:([0-9a-f]{0,8}|\*):)?([0-9a-f]{0,2}|\*):)?([0-9a-f]{0,2}|\*)(?:\.([0-7]?|\*))?$/i;

export function parseSlot(text: string): SlotFilter {
  const match = SLOT.exec(text);
  if (match === null)
    throw new UsageError(`-s: Invalid slot number "${text}", give [[[domain]:]bus]:][device][.function]`);
  const [domain, bus, device, fn] = match.slice(1).map((part) => {
    return part === undefined || part === '' || part === '*' ? undefined : Number.parseInt(part, 16);
  });
  return { domain, bus, device, function: fn };
}

function isWanted(device: PciDevice, filter: SlotFilter): boolean {
  const is = (wanted: number | undefined, value: number): boolean => wanted === undefined || wanted === value;
  return (
    is(filter.domain, device.bus.controller.domain) &&
    is(filter.bus, device.bus.number) &&
    is(filter.device, device.devfn >> 3) &&
    is(filter.function, device.devfn & 7)
  );
}

const WIDTHS = { b: 1, w: 2, l: 4 } as const;
/** Names pciutils knows, with the width of the register. */
const NAMES: Readonly<Record<string, readonly [number, 1 | 2 | 4]>> = {
  vendor_id: [HEADER.VENDOR_ID.at, 2],
  command: [HEADER.COMMAND.at, 2],
  status: [HEADER.COMMAND.at + 2, 2],
  cache_line_size: [HEADER.CACHE_LINE.at, 1],
  latency_timer: [HEADER.LATENCY_TIMER.at, 1],
  base_address_0: [HEADER.BAR0.at, 4],
  interrupt_line: [HEADER.INTERRUPT_PIN.at - 1, 1],
};
const REGISTER = /^([a-z_0-9]+)(?:\.([bwl]))?(?:=([0-9a-f]+))?$/i;

export interface RegisterAccess {
  readonly at: number;
  readonly size: 1 | 2 | 4;
  /** Undefined: read. */
  readonly value: number | undefined;
}

/** `COMMAND`, `4.w`, `4.w=0106`: numbers are hex. */
export function parseRegister(text: string): RegisterAccess {
  const [, name, width, value] = REGISTER.exec(text) ?? [];
  const named = NAMES[name?.toLowerCase() ?? ''];
  const at = named?.[0] ?? (/^[0-9a-f]{1,3}$/i.test(name ?? '') ? Number.parseInt(name!, 16) : undefined);
  if (at === undefined) {
    const known = Object.keys(NAMES).join(', ').toUpperCase();
    throw new UsageError(`Unable to parse register "${text}", give a hex offset or ${known}, and .B, .W or .L`);
  }
  const size = width === undefined ? (named?.[1] ?? 1) : WIDTHS[width.toLowerCase() as keyof typeof WIDTHS];
  if (at % size !== 0) throw new UsageError(`register "${text}" is not aligned to its ${size} bytes`);
  return { at, size, value: value === undefined ? undefined : Number.parseInt(value, 16) };
}

/** Values read, in hex, a line each; every device of the slot in turn. */
export function* setpci(files: KernelFiles, slot: string, registers: readonly string[]): Process<string[]> {
  const wanted = parseSlot(slot);
  const accesses = registers.map(parseRegister);
  const lines: string[] = [];
  for (const device of inOrder(files.kernel.devices)) {
    if (!isWanted(device, wanted)) continue;
    for (const { at, size, value } of accesses) {
      if (value === undefined) {
        const bytes = yield* files.config.read(device, at, size);
        lines.push(
          Array.from(bytes, (byte) => hex(byte, 2))
            .reverse()
            .join(''),
        );
      } else {
        const bytes = Uint8Array.from({ length: size }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff);
        yield* files.config.write(device, at, bytes);
      }
    }
  }
  return lines;
}
