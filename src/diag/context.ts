/** What the kernel and the firmware said around a dump: EEH events, devices, boot lines, RTAS events. Facts: eeh-linux 13. */
import type { TextLine } from './text/clean.js';

export interface EehDevice {
  /** "0030:0d:00.0" */
  readonly address: string;
  readonly driver: string | undefined;
  readonly pe: number | undefined;
}

export type EehOutcome = 'recovered' | 'not-recovered' | 'unknown';

export interface EehEvent {
  readonly kind: 'frozen' | 'fenced';
  readonly phb: number;
  readonly pe: number | undefined;
  readonly line: number;
  lastLine: number;
  readonly devices: EehDevice[];
  location: string | undefined;
  outcome: EehOutcome;
  /** All config words read as ones: the device does not answer. */
  deviceGone: boolean;
  /** How far the kernel's own dump of the device got. */
  stage: 'detected' | 'device-dump' | 'recovery';
}

export interface LogContext {
  readonly events: readonly EehEvent[];
  readonly bypassDisabledLine: number | undefined;
  readonly thawRefused: readonly {
    readonly line: number;
    readonly phb: number;
    readonly pe: number;
    readonly code: number;
  }[];
  readonly rtasEvents: readonly { readonly line: number; readonly id: string }[];
  readonly referenceCode: string | undefined;
  readonly bootedBridges: readonly { readonly line: number; readonly generation: string }[];
  readonly linkTraces: readonly { readonly line: number; readonly text: string }[];
  readonly lineCount: number;
  /** First and last line that holds any EEH text. */
  readonly eehLines: { readonly first: number; readonly last: number } | undefined;
}

/** Messages are short; a longer line is looked at only up to here. */
const LINE_LIMIT = 1000;
/** PowerNV numbers its PEs below this; PowerVM names a PE by bus, device and function. */
export const LARGEST_POWERNV_PE = 0xfff;

const hex = (text: string): number => Number.parseInt(text, 16);

class ContextReader {
  readonly events: EehEvent[] = [];
  readonly thawRefused: { line: number; phb: number; pe: number; code: number }[] = [];
  readonly rtasEvents: { line: number; id: string }[] = [];
  readonly bootedBridges: { line: number; generation: string }[] = [];
  readonly linkTraces: { line: number; text: string }[] = [];
  bypassDisabledLine: number | undefined;
  referenceCode: string | undefined;
  eehLines: { first: number; last: number } | undefined;

  read({ number, text: whole }: TextLine): void {
    const text = whole.slice(0, LINE_LIMIT);
    if (text.includes('EEH')) this.#readEeh(number, text);
    const thaw = /unfreeze_pe: Failure (-?\d+) clear \d+ on PHB#([0-9a-f]+)-PE#([0-9a-f]+)/.exec(text);
    if (thaw) this.thawRefused.push({ line: number, code: Number(thaw[1]), phb: hex(thaw[2]!), pe: hex(thaw[3]!) });
    if (text.includes('IOMMU bypass window disabled')) this.bypassDisabledLine ??= number;
    const rtas = /RTAS: (\d+) -+ RTAS event begin/.exec(text);
    if (rtas) this.rtasEvents.push({ line: number, id: rtas[1]! });
    this.referenceCode ??= /Reference Code:\s+(\S{1,32})/.exec(text)?.[1];
    const boot = /Initializing (IODA\d?) PHB/.exec(text) ?? /Initializing (IODA\d) /.exec(text);
    if (boot) this.bootedBridges.push({ line: number, generation: boot[1]! });
    const trace = /TRACE:0x[0-9a-f]{16}\s+\d{1,6}ms\s+(.{1,60})/.exec(text);
    if (trace) this.linkTraces.push({ line: number, text: trace[1]!.trim() });
  }

  #readEeh(number: number, text: string): void {
    this.eehLines = { first: this.eehLines?.first ?? number, last: number };
    const started =
      /EEH: (?:Recovering|Frozen) PHB#([0-9a-f]+)-PE#([0-9a-f]+)/.exec(text) ??
      reorder(/EEH: Frozen PE#([0-9a-f]+) on PHB#([0-9a-f]+)/.exec(text));
    if (started) this.#open('frozen', hex(started[1]!), hex(started[2]!), number);
    const fenced = /EEH: Fenced PHB#([0-9a-f]+)/.exec(text);
    if (fenced) this.#open('fenced', hex(fenced[1]!), undefined, number);
    const event = this.events.at(-1);
    if (event === undefined) return;
    event.lastLine = number;
    this.#readDetail(event, text);
  }

  /** "Recovering" and "Frozen" name the same event twice. */
  #open(kind: EehEvent['kind'], phb: number, pe: number | undefined, line: number): void {
    const last = this.events.at(-1);
    if (last !== undefined && last.kind === kind && last.phb === phb && last.pe === pe && last.stage === 'detected')
      return;
    this.events.push({
      kind,
      phb,
      pe,
      line,
      lastLine: line,
      devices: [],
      location: undefined,
      outcome: 'unknown',
      deviceGone: false,
      stage: 'detected',
    });
  }

  #readDetail(event: EehEvent, text: string): void {
    const location = /EEH: PE location: ([^,]{1,80}),/.exec(text)?.[1];
    if (location !== undefined && location !== 'N/A') event.location = location;
    const invoked =
      /PCI ([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d)#([0-9a-f]{1,8}): EEH: Invoking (\w[\w-]{0,40})->/.exec(text);
    if (invoked) addDevice(event, { address: invoked[1]!, pe: hex(invoked[2]!), driver: invoked[3]! });
    const node = /EEH: of node=([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d)/.exec(text);
    if (node) {
      addDevice(event, { address: node[1]!, pe: event.pe, driver: undefined });
      event.stage = 'device-dump';
    }
    if (/EEH: PCI device\/vendor: ffffffff/.test(text)) event.deviceGone = true;
    if (/EEH: (?:Reset with|Beginning: 'slot_reset')/.test(text)) event.stage = 'recovery';
    if (
      /EEH: (?:Notify device drivers|This PCI device has failed|Collect temporary)/.test(text) &&
      event.stage === 'detected'
    ) {
      event.stage = 'device-dump';
    }
    if (/EEH: Recovery successful/.test(text)) event.outcome = 'recovered';
    if (/EEH: Unable to recover|permanent failure/.test(text)) event.outcome = 'not-recovered';
  }
}

function reorder(match: RegExpExecArray | null): readonly (string | undefined)[] | null {
  return match === null ? null : [match[0], match[2], match[1]];
}

function addDevice(event: EehEvent, device: EehDevice): void {
  const index = event.devices.findIndex((known) => known.address === device.address);
  if (index < 0) event.devices.push(device);
  else event.devices[index] = { ...device, driver: device.driver ?? event.devices[index]!.driver };
}

export function readContext(lines: readonly TextLine[]): LogContext {
  const reader = new ContextReader();
  for (const line of lines) reader.read(line);
  return { ...reader, lineCount: lines.at(-1)?.number ?? 0 };
}
